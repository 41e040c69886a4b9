"""What a total less the cells shown leaves for the numerators of those that are hidden.

Belongs here: for each sum of cells, the numbers of respondents that its hidden parts can have together. Not here: limits by
themselves (``limits``), what classes add up to (``sums``), whose weights they are (``model``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rga.survey.margins import Cells
from rga.warehouse.attack.bases import Made
from rga.warehouse.attack.limits import Known
from rga.warehouse.attack.possible import FEW, Possible
from rga.warehouse.attack.sums import meet, parts, sample

SAMPLE = 500  # sums, of more than can be tried
Side = tuple[np.ndarray, np.ndarray]  # numbers of respondents (rows x cells), and what they weigh


@dataclass(frozen=True)
class Work:
    """Limits of what is tried, in numbers, so that every machine stops at the same place. ``vectors``: counts by class of a base;
    ``states``: sums of one side of a meeting; ``pairs``: meetings."""

    vectors: int = 1_000_000
    states: int = 300_000
    pairs: int = 3_000_000


@dataclass
class Left:
    """By hidden cell, the numbers of respondents still possible; and the sums given up as too much work."""

    values: dict[int, set[int]] = field(default_factory=dict)
    unfinished: set[int] = field(default_factory=set)

    def keep(self, cell: int, values: set[int]) -> None:
        self.values[cell] = self.values[cell] & values if cell in self.values else values


def of_sums(
    cells: Cells, known: Known, error: np.ndarray, hidden: np.ndarray, made: Callable[[int], list[Made]], possible: Possible,
    work: Work, left: Left,
) -> None:  # fmt: skip
    """Narrow what is ``left`` of each ``hidden`` cell, by every sum whose other cells are ``known`` well enough.

    ``made``: what a cell's base can be made of, in mean weights; nothing where that is not known. ``error``: of each weight.
    """
    order = np.argsort(cells.relation, kind="stable")
    ends = np.searchsorted(cells.relation[order], np.arange(len(cells.parent) + 1))
    per_head = np.divide(cells.weight, cells.n, out=np.zeros(len(cells.n)), where=cells.n > 0)
    for relation, parent in enumerate(cells.parent.tolist()):
        child = cells.child[order[ends[relation] : ends[relation + 1]]]
        open_ = hidden[child] & (cells.n[child] > 0) & (known.fewest[child] < known.most[child])
        rest, of_hidden = child[~open_], child[open_]
        within = error[child].sum() + error[parent]
        low = known.low[parent] - known.high[rest].sum() - within
        high = known.high[parent] - known.low[rest].sum() + within
        if len(of_hidden) and high - low < FEW * per_head[of_hidden].max() and possible.target[of_hidden].any():
            bases = [made(cell) for cell in of_hidden.tolist()]
            if all(bases):
                done = _of_sum(of_hidden, bases, low, high, known, possible, work, left)
                (left.unfinished.discard if done else left.unfinished.add)(relation)


def _of_sum(
    rows: np.ndarray, bases: list[list[Made]], low: float, high: float, known: Known, possible: Possible, work: Work, left: Left
) -> bool:
    """False where there is more ``work`` in it than may be done, and a sample of what can be does not show that all is well."""
    n = [int(size) for size in possible.n[rows]]
    least, greatest = (sum(pick(float(weight @ size) for weight, size in some) for some in bases) for pick in (min, max))
    flipped = high > greatest / 2  # those without the characteristic are fewer
    if flipped:
        low, high = least - high, greatest - low
    options, every = [], True
    for row, some, size in zip(rows.tolist(), bases, n, strict=True):
        found = [parts(weight, most, size, high, work.states) for weight, most in some]
        if any(one is None for one in found):
            found, every = [sample(weight, most, high, SAMPLE) for weight, most in some if most.sum() == size], False
        if not found:
            return False
        count, weight = (np.concatenate([one[k] for one in found if one is not None]) for k in (0, 1))
        kept = _may_be(size - count if flipped else count, row, known, possible, left)
        options.append((count[kept], weight[kept]))
    sides: list[Side] = [(np.zeros((1, 0), dtype=np.int64), np.zeros(1)) for _ in range(2)]
    columns: list[list[int]] = [[], []]
    for place in sorted(range(len(rows)), key=lambda place: -len(options[place][0])):
        side = int(len(sides[0][1]) > len(sides[1][1]))
        grown = _with(sides[side], options[place], high, work.states)
        if grown is None:
            some, every = [_thinned(one) for one in (sides[side], options[place])], False
            grown = _with(some[0], some[1], high, SAMPLE**2)
            assert grown is not None
        sides[side] = grown
        columns[side].append(place)
    order = columns[0] + columns[1]
    enough = np.array([min(FEW, n[place] + 1) if every or possible.target[rows[place]] else 0 for place in order])
    values, finished = meet(sides[0], sides[1], low, high, enough, work.pairs)
    for place, some_values, few in zip(order, values, enough, strict=True):
        if every and finished and 0 < len(some_values) < few:
            left.keep(int(rows[place]), {n[place] - k for k in some_values} if flipped else some_values)
    return finished and (every or all(len(some) >= few for some, few in zip(values, enough, strict=True)))


def _thinned(side: Side) -> Side:
    """A sample of many sums."""
    if len(side[1]) <= SAMPLE:
        return side
    chosen = np.random.default_rng(0).choice(len(side[1]), SAMPLE, replace=False)
    return side[0][chosen], side[1][chosen]


def _may_be(count: np.ndarray, row: int, known: Known, possible: Possible, left: Left) -> np.ndarray:
    """Which numbers nothing before rules out."""
    kept = (count >= known.fewest[row]) & (count <= known.most[row]) & possible.may_be(row, count)
    return kept & np.isin(count, list(left.values[row])) if row in left.values else kept


def _with(side: Side, options: Side, high: float, states: int) -> Side | None:
    """``side`` with one more cell; None where that has more than so many ``states``."""
    counts, weight = side
    order = np.argsort(options[1], kind="stable")
    count, sorted_weight = options[0][order], options[1][order]
    fits = np.searchsorted(sorted_weight, high - weight, side="right")
    if fits.sum() > states:
        return None
    first = np.repeat(np.arange(len(weight)), fits)
    second = np.arange(len(first)) - np.repeat(np.cumsum(fits) - fits, fits)
    return np.column_stack([counts[first], count[second]]), weight[first] + sorted_weight[second]
