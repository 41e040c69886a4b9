"""A release as its reader has it: every printed number as the interval of those that print so.

Belongs here: reading `estimates`, `margins`, `weighting` and `surveys` of either form of release. Not here: what follows from them.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from rga.survey.margins import GROUP

DOUBLE = 1e-13  # of a number printed to all its digits, relative: what sums of doubles leave
_ESTIMATES = [*GROUP, "breakdown", "n", "population", "value", "precision", "rounded_to", "obs_status", "conf_status"]


@dataclass(frozen=True)
class Survey:
    """What is published of one survey.

    ``cells``: rows of `estimates` (shares), with ``low`` and ``high`` of the numerator and ``population_low``, ``population_high``
    of the base, in persons. ``margins`` and ``steps``: rows of `margins` and `weighting`. ``exact``: populations are printed to
    all their digits.
    """

    survey_id: str
    cells: pd.DataFrame
    margins: pd.DataFrame
    steps: pd.DataFrame
    exact: bool


def read(connection: duckdb.DuckDBPyConnection, survey_id: str) -> tuple[Survey, list[tuple[str, ...]]]:
    """The survey, and the breakdowns that the release lists."""
    listed = connection.execute("SELECT dimensions FROM breakdowns").fetchall()
    present = columns_of(connection, "estimates")
    breakdowns = [by for (text,) in listed for by in [tuple(text.split(", ")) if text else ()] if present.issuperset(by)]
    dimensions = list(dict.fromkeys(name for by in breakdowns for name in by))
    names = ", ".join(f'"{name}"' for name in [*_ESTIMATES, *dimensions] if name in present)
    query = f"SELECT {names} FROM estimates WHERE statistic = 'share' AND survey_id = ?"
    cells = connection.execute(query, [survey_id]).to_arrow_table().to_pandas()
    cells = cells.astype(dict.fromkeys([*GROUP, "breakdown", *dimensions], "str"))
    step = _step(connection, survey_id)
    margins = connection.execute("SELECT * FROM margins WHERE survey_id = ?", [survey_id]).df()
    steps = connection.execute("SELECT * FROM weighting WHERE survey_id = ? ORDER BY step", [survey_id]).df()
    return Survey(survey_id, with_intervals(cells, step), margins, steps, step == 0), breakdowns


def with_intervals(cells: pd.DataFrame, population_step: float) -> pd.DataFrame:
    """``cells`` with what each printed number may be: a share that is not printed is between none and all of its base."""
    population = np.nan_to_num(cells["population"].to_numpy(np.float64))
    within = population_step / 2 if population_step else DOUBLE * population
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


def _step(connection: duckdb.DuckDBPyConnection, survey_id: str) -> float:
    """To a multiple of what this survey's populations are printed; 0: to all digits."""
    if "population_rounded_to" not in columns_of(connection, "surveys"):
        return 0.0
    found = connection.execute("SELECT population_rounded_to FROM surveys WHERE survey_id = ?", [survey_id]).fetchone()
    return float(found[0]) if found and found[0] is not None else 0.0
