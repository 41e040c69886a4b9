"""A release as its reader has it: every printed number as the interval of those that print so.

Belongs here: reading `estimates`, `margins`, `weighting` and `surveys` of either form of release. Not here: what follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pandas as pd

from rga.survey.margins import GROUP

DOUBLE = 1e-13  # of a number printed to all its digits, relative: what sums of doubles leave
_ESTIMATES = [*GROUP, "breakdown", "n", "population", "value", "precision", "rounded_to", "obs_status", "conf_status"]


@dataclass(frozen=True)
class Release:
    """What is published of some surveys.

    ``cells``: rows of `estimates` (shares), with ``low`` and ``high`` of the numerator and ``population_low``, ``population_high``
    of the base, in persons, and ``hidden``. ``margins`` and ``steps``: rows of `margins` and `weighting`. ``exact``: surveys whose
    populations are printed to all their digits.
    """

    cells: pd.DataFrame
    breakdowns: list[tuple[str, ...]]
    margins: pd.DataFrame
    steps: pd.DataFrame
    exact: frozenset[str]

    @property
    def dimensions(self) -> list[str]:
        return list(dict.fromkeys(name for by in self.breakdowns for name in by))

    def part(self, survey_id: str, rows: np.ndarray) -> Release:
        """One survey, ``rows`` being its cells."""
        margins, steps = (table[table["survey_id"] == survey_id] for table in (self.margins, self.steps))
        return Release(self.cells.iloc[rows].reset_index(drop=True), self.breakdowns, margins, steps, self.exact & {survey_id})

    def with_populations(self, weights: pd.DataFrame) -> Release:
        """The same to who knows the weights in every base (``weights`` by cell: weight, respondents), and so what it weighs."""
        keys = [*GROUP, "breakdown", *self.dimensions]
        total = (
            weights[keys].astype("str").assign(total=weights["weight"] * weights["respondents"]).groupby(keys, as_index=False).sum()
        )
        known = self.cells[keys].merge(total, on=keys, how="left", validate="one_to_one")["total"].to_numpy()
        frame = self.cells.assign(population=np.where(np.isnan(known), self.cells["population"], known))
        exact = with_intervals(frame, np.zeros(len(frame)))
        columns = ["population", "population_low", "population_high", "low", "high"]
        cells = self.cells.copy()
        cells.loc[~np.isnan(known), columns] = exact.loc[~np.isnan(known), columns]
        return replace(self, cells=cells)


def read(connection: duckdb.DuckDBPyConnection, surveys: list[str] | None = None) -> Release:
    """The release of ``connection``, or ``surveys`` of it."""
    listed = connection.execute("SELECT dimensions FROM breakdowns").fetchall()
    present = columns_of(connection, "estimates")
    breakdowns = [by for (text,) in listed for by in [tuple(text.split(", ")) if text else ()] if present.issuperset(by)]
    dimensions = list(dict.fromkeys(name for by in breakdowns for name in by))
    names = ", ".join(f'"{name}"' for name in [*_ESTIMATES, *dimensions] if name in present)
    chosen = "" if surveys is None else " AND list_contains($surveys, survey_id)"
    asked = {} if surveys is None else {"surveys": surveys}
    query = f"SELECT {names} FROM estimates WHERE statistic = 'share'{chosen}"
    cells = connection.execute(query, asked).to_arrow_table().to_pandas()
    cells = cells.astype(dict.fromkeys([*GROUP, "breakdown", *dimensions], "str"))
    margins, steps = (
        connection.execute(f"SELECT * FROM {table} WHERE true{chosen} ORDER BY ALL", asked).df()
        for table in ("margins", "weighting")
    )
    printed = _population_steps(connection)
    exact = frozenset(survey for survey, step in printed.items() if step == 0)
    step = cells["survey_id"].map(printed).fillna(0.0).to_numpy(np.float64)
    return Release(with_intervals(cells, step), breakdowns, margins, steps, exact)


def with_intervals(cells: pd.DataFrame, population_step: np.ndarray) -> pd.DataFrame:
    """``cells`` with what each printed number may be: a share that is not printed is between none and all of its base. Populations
    are multiples of ``population_step``, by row; 0: printed to all their digits."""
    population = np.nan_to_num(cells["population"].to_numpy(np.float64))
    within = np.where(population_step > 0, population_step / 2, DOUBLE * population)
    low, high = np.maximum(population - within, 0), population + within
    value = cells["value"].to_numpy(np.float64) / 100
    steps = [cells[name].to_numpy(np.float64) for name in ("precision", "rounded_to") if name in cells]
    coarse = np.nan_to_num(np.fmax(*steps) if len(steps) == 2 else steps[0] if steps else np.zeros(len(cells))) / 200
    hidden = np.isnan(value)
    error = np.where(coarse > 0, coarse, DOUBLE * np.nan_to_num(value))
    least, most = np.clip(value - error, 0, 1), np.clip(value + error, 0, 1)
    return cells.assign(
        population_low=low,
        population_high=high,
        low=np.where(hidden, 0.0, least * low),
        high=np.where(hidden, high, most * high),
        hidden=hidden,
    )


def columns_of(connection: duckdb.DuckDBPyConnection, table: str) -> set[str]:
    return {name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()}


def _population_steps(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """By survey, to a multiple of what its populations are printed; 0: to all digits."""
    column = "population_rounded_to" if "population_rounded_to" in columns_of(connection, "surveys") else "0"
    return {survey: float(step or 0) for survey, step in connection.execute(f"SELECT survey_id, {column} FROM surveys").fetchall()}
