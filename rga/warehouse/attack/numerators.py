"""What a total less the cells shown leaves for the numerators of those that are hidden.

Belongs here: for each sum of published cells, the numbers of respondents that its hidden parts can have together. Not here: which
cells add up (``rga.survey.margins``), what classes add up to (``sums``), whose weights they are (``model``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rga.survey.margins import Cells
from rga.warehouse.attack.model import ERROR, Classes
from rga.warehouse.attack.sums import compositions, meet, parts

ENOUGH = 4  # values: no more are looked for


@dataclass(frozen=True)
class Work:
    """Limits of what is tried, in numbers: they end at the same place on every machine. ``vectors``: counts by class of a base;
    ``states``: sums of one side of a meeting; ``pairs``: meetings."""

    vectors: int = 1_000_000
    states: int = 1_000_000
    pairs: int = 10_000_000


@dataclass
class Left:
    """By hidden row, the numbers of respondents still possible, and how many sums were given up as too much ``work``."""

    values: dict[int, set[int]] = field(default_factory=dict)
    unfinished: int = 0

    def keep(self, row: int, values: set[int]) -> None:
        self.values[row] = self.values[row] & values if row in self.values else values


@dataclass(frozen=True)
class Bases:
    """Compositions of hidden bases: pairs of weights and of most respondents of each, by class."""

    frame: pd.DataFrame
    dimensions: list[str]
    classes: dict[str, Classes]
    work: Work

    def of(self, row: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """All that the row's base can be made of; nothing where that is not known. Where there is too much to try: any of its
        classes, as many as there are in all."""
        cell = self.frame.iloc[row]
        n, low, high = int(cell["n"]), cell["population_low"], cell["population_high"]
        of_sex = self.classes.get(cell["sex"])
        if n == 1 or of_sex is None:
            return [(np.array([(low + high) / 2]), np.array([n]))] if n == 1 else []
        weight, most = of_sex.of({name: cell[name] for name in self.dimensions})
        within = ERROR * high
        found = compositions(weight, most, n, low - within, high + within, self.work.vectors)
        return [(weight, np.minimum(most, n))] if found is None else [(weight, one) for one in found]


def of_sums(cells: Cells, low: np.ndarray, high: np.ndarray, hidden: np.ndarray, bases: Bases) -> Left:
    """Values left of each ``hidden`` row, ``low`` and ``high`` being what is known of the numerators' weights."""
    left, order = Left(), np.argsort(cells.relation, kind="stable")
    ends = np.searchsorted(cells.relation[order], np.arange(len(cells.parent) + 1))
    for relation, parent in enumerate(cells.parent.tolist()):
        child = cells.child[order[ends[relation] : ends[relation + 1]]]
        if parent >= cells.published or (child >= cells.published).any():
            continue
        of_hidden = child[hidden[child] & (cells.n[child] > 0)]
        shown = child[~hidden[child]]
        least, most = low[parent] - high[shown].sum(), high[parent] - low[shown].sum()
        if len(of_hidden) and most - least < _lightest(bases, of_hidden):
            error = ERROR * high[parent]
            _of_sum(of_hidden.tolist(), least - error, most + error, bases, left)
    return left


def _lightest(bases: Bases, rows: np.ndarray) -> float:
    """An interval as wide as this leaves every number possible, or nearly."""
    return float((bases.frame["population_high"].to_numpy()[rows] / bases.frame["n"].to_numpy()[rows]).min()) * ENOUGH


def _of_sum(rows: list[int], low: float, high: float, bases: Bases, left: Left) -> None:
    made = [bases.of(row) for row in rows]
    size = [int(bases.frame["n"].iat[row]) for row in rows]
    if not all(made):
        return
    total = sum(float(bases.frame["population_high"].iat[row]) for row in rows)
    total_low = sum(float(bases.frame["population_low"].iat[row]) for row in rows)
    flipped = high > total / 2  # those without the characteristic are fewer
    if flipped:
        low, high = total_low - high, total - low
    sides = [((np.zeros((1, 0), dtype=np.int64)), np.zeros(1)), ((np.zeros((1, 0), dtype=np.int64)), np.zeros(1))]
    columns: list[list[int]] = [[], []]
    options = []
    for options_of, n in zip(made, size, strict=True):
        several = [parts(weight, most, n, high, bases.work.states) for weight, most in options_of]
        if any(one is None for one in several):
            left.unfinished += 1
            return
        count, weight = (np.concatenate([one[k] for one in several if one is not None]) for k in (0, 1))
        options.append((count, weight))
    for place in sorted(range(len(rows)), key=lambda place: -len(options[place][0])):
        side = int(len(sides[0][1]) > len(sides[1][1]))
        grown = _with(sides[side], options[place], high, bases.work.states)
        if grown is None:
            left.unfinished += 1
            return
        sides[side] = grown
        columns[side].append(place)
    order = columns[0] + columns[1]
    found, finished = meet(sides[0], sides[1], low, high, np.array([min(ENOUGH, size[place] + 1) for place in order]), bases.work.pairs)
    left.unfinished += not finished
    for place, values in zip(order, found, strict=True):
        if finished and len(values) < min(ENOUGH, size[place] + 1):
            left.keep(rows[place], {size[place] - k for k in values} if flipped else values)


def _with(
    side: tuple[np.ndarray, np.ndarray], options: tuple[np.ndarray, np.ndarray], high: float, states: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """``side`` with one more cell."""
    counts, weight = side
    if len(weight) * len(options[0]) > 20 * states:
        return None
    sums = weight[:, None] + options[1]
    first, second = np.nonzero(sums <= high)
    if len(first) > states:
        return None
    return np.column_stack([counts[first], options[0][second]]), sums[first, second]
