"""The whole attack: every hidden cell of a release, and how many values its numerator can still have.

Belongs here: what an attacker is given, the order of the steps, what is found. Not here: the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from rga.survey.margins import GROUP, Cells, cells_of
from rga.warehouse.attack.bases import Bases, Made
from rga.warehouse.attack.limits import Known, between
from rga.warehouse.attack.model import ERROR, Classes, learned
from rga.warehouse.attack.numerators import Left, Work, of_sums
from rga.warehouse.attack.possible import Possible
from rga.warehouse.attack.published import DOUBLE, Release, read
from rga.warehouse.attack.sums import compositions

PASSES = 3  # what one sum says, others go on from
AROUND = 0.05  # of the lightest and heaviest weight, where these are printed to few digits


@dataclass(frozen=True)
class HandedOver:
    """What an attacker may be told besides, by cell of `estimates` (columns survey_id, indicator, statistic, category, breakdown
    and the dimensions).

    ``secrets`` has the columns secret and labelled: which hidden cells are secrets, and which are known to be, being hidden for
    confidentiality alone; and numerator_n, of which no more is used than which indicators count the same. Who judges the attack
    knows them; the attacker ``knows`` them too, or concludes of cells narrowed too far that they are none. ``weights`` has the
    columns weight and respondents: the weights in the cell's base, each with the number of respondents who have it.
    """

    secrets: pd.DataFrame | None = None
    weights: pd.DataFrame | None = None
    knows: bool = False


@dataclass(frozen=True)
class Findings:
    """``cells``: hidden cells of which too few values are left: key columns of `estimates`, n, obs_status, conf_status, how many
    are ``left``, ``lowest``, ``highest``, and the ``route``: limits, or sums of whole numbers. ``hidden``: how many cells are.
    ``unfinished``: how many sums were given up as too much work. ``surveys``: those whose weights were found out."""

    cells: pd.DataFrame
    hidden: int
    unfinished: int
    surveys: list[str]


def findings(
    connection: duckdb.DuckDBPyConnection,
    surveys: list[str] | None = None,
    told: HandedOver | None = None,
    work: Work | None = None,
) -> Findings:
    """Attack the release of ``connection`` (read-only), or ``surveys`` of it, with what it publishes and what is ``told``."""
    return attack(read(connection, surveys), told, work)


def attack(release: Release, told: HandedOver | None = None, work: Work | None = None) -> Findings:
    """The same of a ``release`` that was read."""
    told, work = told or HandedOver(), work or Work()
    everything = _Attack.of(release, told)
    found = [everything.limits_only()]
    for survey_id, rows in release.cells.groupby("survey_id", sort=False).indices.items():
        part = release.part(str(survey_id), np.asarray(rows))
        classes = {}
        if survey_id in release.exact:
            classes = learned(part.cells, part.margins, part.steps, work.vectors)
        weights = None if told.weights is None else told.weights[told.weights["survey_id"] == survey_id]
        if weights is not None and len(weights):
            part = part.with_populations(weights)
        if classes or (weights is not None and len(weights)):
            found.append(_Attack.of(part, told).with_weights(classes, weights, work))
    return _together(found)


def _together(found: list[Findings]) -> Findings:
    cells = pd.concat([one.cells for one in found], ignore_index=True)
    keys = [name for name in cells.columns if name not in ("left", "lowest", "highest", "route")]
    cells = cells.sort_values("left", kind="stable").drop_duplicates(keys).reset_index(drop=True)
    return Findings(cells, found[0].hidden, sum(one.unfinished for one in found), [s for one in found for s in one.surveys])


@dataclass(frozen=True)
class _Attack:
    """Cells in mean weights of their survey; those that no table shows, after all others, are hidden and nobody's secret."""

    release: Release
    cells: Cells
    unit: np.ndarray
    known: Known
    bases: Bases
    possible: Possible
    hidden: np.ndarray
    error: np.ndarray

    @classmethod
    def of(cls, release: Release, told: HandedOver) -> _Attack:
        frame = release.cells
        keys = [*GROUP, "breakdown", *release.dimensions]
        facts = None
        if told.secrets is not None:
            given = told.secrets[[*keys, "secret", "labelled", "numerator_n"]].astype(dict.fromkeys(keys, "str"))
            facts = frame[keys].merge(given, on=keys, how="left", validate="one_to_one").fillna(0)
        count = np.zeros(len(frame)) if facts is None else facts["numerator_n"].to_numpy()
        cells = cells_of(frame.assign(numerator_n=count, value=frame["value"].fillna(0) / 100), release.breakdowns)
        size, shown = len(cells.n), slice(0, cells.published)
        survey = pd.factorize(frame["survey_id"])[0]
        last = release.steps.groupby("survey_id").last().reindex(frame["survey_id"].unique())
        mean = (last["sum_of_weights"] / last["n"]).to_numpy()
        group = np.zeros(int(cells.group.max(initial=-1)) + 1, dtype=np.int64)
        group[cells.group[shown]] = survey
        unit = mean[group[cells.group]]
        around = np.where(last.index.isin(list(release.exact)), 1e-9, AROUND)
        lightest, heaviest = (
            last["min_weight"].to_numpy() / mean * (1 - around),
            last["max_weight"].to_numpy() / mean * (1 + around),
        )
        of_cell = group[cells.group]
        low, base_low = np.zeros(size), np.zeros(size)
        base_high = cells.n * heaviest[of_cell]
        high = base_high.copy()
        for whole, name in ((low, "low"), (high, "high"), (base_low, "population_low"), (base_high, "population_high")):
            whole[shown] = frame[name].to_numpy() / unit[shown]
        hidden = np.ones(size, dtype=bool)
        hidden[shown] = frame["hidden"].to_numpy()
        target = hidden & (np.arange(size) < cells.published)
        if facts is None:
            possible = Possible.unknown(cells.n, target)
        else:
            secret, labelled = (_padded(facts[name].to_numpy(bool), size) for name in ("secret", "labelled"))
            possible = Possible.told(cells.n, target, secret, labelled, told.knows)
        known = Known(low, high, np.zeros(size), cells.n.copy())
        bases = Bases.of(cells.n, base_low, base_high, lightest[of_cell], heaviest[of_cell], {})
        return cls(release, cells, unit, known, bases, possible, hidden, DOUBLE * np.maximum(high, 1))

    def limits_only(self) -> Findings:
        known = between(self.cells, self.known, self.bases, self.possible, self.error)
        return self._found(known, Left(), [])

    def with_weights(self, classes: dict[str, Classes], weights: pd.DataFrame | None, work: Work) -> Findings:
        """The same with classes of respondents known."""
        made = self._of_weights(weights) if weights is not None else self._of_classes(classes, work)
        sure = {} if weights is None else {row: made(row)[0] for row in range(self.cells.published) if made(row)}
        b = self.bases
        bases = Bases.of(b.n, b.low, b.high, b.lightest, b.heaviest, sure) if sure else b
        error = self.error + ERROR * self.known.high
        known, left = self.known, Left()
        for _ in range(PASSES):
            known = between(self.cells, known, bases, self.possible, error)
            before = sum(map(len, left.values.values())), len(left.values)
            of_sums(self.cells, known, error, self.hidden, made, self.possible, work, left)
            if before == (sum(map(len, left.values.values())), len(left.values)):
                break
            known = _with_values(known, left)
        return self._found(known, left, [str(self.release.cells["survey_id"].iat[0])])

    def _of_classes(self, classes: dict[str, Classes], work: Work) -> Callable[[int], list[Made]]:
        frame, cache = self.release.cells, dict[tuple[object, ...], list[Made]]()
        columns = {name: frame[name].to_numpy() for name in [*self.release.dimensions, "n", "population_low", "population_high"]}

        def made(row: int) -> list[Made]:
            if row >= self.cells.published:
                return []
            key = tuple(column[row] for column in columns.values())
            if key not in cache:
                cell = dict(zip(columns, key, strict=True))
                cache[key] = _made(cell, classes.get(str(cell["sex"])), self.unit[row], work)
            return cache[key]

        return made

    def _of_weights(self, weights: pd.DataFrame) -> Callable[[int], list[Made]]:
        keys = [*GROUP, "breakdown", *self.release.dimensions]
        both = pd.concat([self.release.cells[keys], weights[keys].astype("str")], ignore_index=True)
        number = both.groupby(keys, sort=False).ngroup().to_numpy()
        own, given = number[: len(self.release.cells)], number[len(self.release.cells) :]
        parts = pd.DataFrame({"weight": weights["weight"].to_numpy(), "respondents": weights["respondents"].to_numpy()}).groupby(
            given
        )
        found = {cell: (part["weight"].to_numpy(), part["respondents"].to_numpy()) for cell, part in parts}

        def made(row: int) -> list[Made]:
            if row >= len(own) or own[row] not in found:
                return []
            weight, respondents = found[own[row]]
            return [(weight / self.unit[row], respondents)]

        return made

    def _found(self, known: Known, left: Left, surveys: list[str]) -> Findings:
        wanted = self.possible.wanted
        rows = np.flatnonzero(wanted > 0)
        number = self.possible.left(known.fewest, known.most)
        lowest, highest, route = known.fewest.copy(), known.most.copy(), np.full(len(number), "limits", dtype=object)
        for row, values in left.values.items():
            some = [value for value in sorted(values) if lowest[row] <= value <= highest[row]]
            if some and len(some) < number[row]:
                number[row], lowest[row], highest[row], route[row] = len(some), min(some), max(some), "sums"
        bad = rows[number[rows] < wanted[rows]]
        frame = self.release.cells.iloc[bad]
        kept = [*GROUP, "breakdown", *self.release.dimensions, "n", "obs_status", "conf_status"]
        numbers = {
            name: array[bad].astype(np.int64) for name, array in (("left", number), ("lowest", lowest), ("highest", highest))
        }
        return Findings(
            frame[kept].assign(**numbers, route=route[bad]), int(self.release.cells["hidden"].sum()), len(left.unfinished), surveys
        )


def _padded(values: np.ndarray, size: int) -> np.ndarray:
    return np.append(values, np.zeros(size - len(values), dtype=values.dtype))


def _with_values(known: Known, left: Left) -> Known:
    fewest, most = known.fewest.copy(), known.most.copy()
    for row, values in left.values.items():
        if values:
            fewest[row], most[row] = max(fewest[row], min(values)), min(most[row], max(values))
    return Known(known.low, known.high, fewest, most)


def _made(cell: Mapping[str, object], classes: Classes | None, unit: float, work: Work) -> list[Made]:
    """All that a base can be made of; where that is too much to try, any of its classes."""
    n, low, high = int(str(cell["n"])), float(str(cell["population_low"])), float(str(cell["population_high"]))
    if n == 1:
        return [(np.array([(low + high) / 2 / unit]), np.array([1]))]
    if classes is None:
        return []
    weight, most = classes.of({name: str(value) for name, value in cell.items()})
    within = ERROR * high
    found = compositions(weight, most, n, low - within, high + within, work.vectors)
    return [(weight / unit, np.minimum(most, n))] if found is None else [(weight / unit, one) for one in found]
