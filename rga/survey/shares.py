"""Weighted shares of a population with their standard errors, limits and design effects.

Belongs here: the estimator of a share in every cell of a breakdown. Not here: differences between shares, publication
rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.survey.aggregation import Sums
from rga.survey.design import MISSING, TOTAL, LonelyPsu, breakdown_name, lonely_psu_of
from rga.survey.intervals import korn_graubard, logit_interval
from rga.survey.variance import Clusters, Taylor, check_lonely, taylor_variance

# Weights that add up to more than this many times the respondents count people rather than respondents.
POPULATION_SCALE = 2.0


@dataclass(frozen=True)
class CellShares:
    """Shares of one survey in one breakdown: matrices cells x indicators, and linearised values clusters x indicators.

    ``cells`` has one row per cell and a column per dimension of the breakdown. ``value`` is NaN where ``n`` is 0.
    """

    cells: pd.DataFrame
    clusters: Clusters
    z: np.ndarray  # clusters x indicators: (T_c - p W_c) / W
    cluster_n: np.ndarray  # clusters x indicators
    n: np.ndarray
    numerator_n: np.ndarray
    population: np.ndarray
    value: np.ndarray
    taylor: Taylor
    se: np.ndarray


def estimate(
    sums: Sums, breakdowns: list[tuple[str, ...]], lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu = "adjust"
) -> pd.DataFrame:
    """Shares (0..1) of every indicator in every cell of every breakdown, in which somebody answered.

    Columns: survey_id, indicator, breakdown, one per dimension (`_T` where not broken down), value, se, ci_low,
    ci_high (95 %, logit with t(df); Korn-Graubard where the value is 0 or 1), n, numerator_n, population, deff,
    n_effective, df, cv. What is not defined is NaN: limits without degrees of freedom, deff and n_effective where the
    value is 0 or 1. A breakdown by a dimension that nobody of a survey answered is left out. Raises InputError under
    `fail` where a stratum has one PSU.
    """
    frames = []
    for survey_id in sums.surveys:
        rule = lonely_psu_of(survey_id, lonely_psu)
        rows = sums.rows(survey_id)
        at_scale = float(sums.total_weight[rows].sum()) > POPULATION_SCALE * float(sums.cases[rows].sum())
        for breakdown in breakdowns:
            cell_shares = shares_of(sums, survey_id, breakdown, rule)
            if cell_shares is not None:
                frames.append(_table(cell_shares, sums, survey_id, breakdown, at_scale))
    if not frames:
        return _empty(sums.dimensions)
    return pd.concat(frames, ignore_index=True)


def shares_of(sums: Sums, survey_id: str, breakdown: tuple[str, ...], lonely: LonelyPsu) -> CellShares | None:
    """Shares of one survey in one breakdown, or None where a dimension of it was not asked.

    p = sum T / sum W over the PSUs of a cell; its linearised value per PSU is z_c = (T_c - p W_c) / sum W (Wolter
    2007, ch. 6).
    """
    if unknown := set(breakdown) - set(sums.dimensions):
        raise ValueError(f"breakdown by {', '.join(sorted(unknown))}, of which there are no sums")
    rows = sums.rows(survey_id)
    strata = sums.strata["survey_id"] == survey_id
    if lonely == "fail":
        check_lonely(sums.strata[strata])
    keys = sums.keys.iloc[rows]
    if any((keys[dimension] == MISSING).all() for dimension in breakdown):
        return None
    cell, cells = _cells(keys, breakdown)
    first_stratum = int(np.argmax(strata.to_numpy()))
    clusters = Clusters.of(cell, keys["stratum"].to_numpy() - first_stratum, keys["psu"].to_numpy())

    weight, weighted = clusters.by_cluster(sums.weight[rows]), clusters.by_cluster(sums.weighted[rows])
    cluster_n = clusters.by_cluster(sums.n[rows])
    n = clusters.by_cell(cluster_n)
    numerator_n = clusters.by_cell(clusters.by_cluster(sums.numerator_n[rows]))
    population = clusters.by_cell(weight)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = clusters.by_cell(weighted) / population
    # Exact where all or none say yes, whatever the rounding of the sums.
    value[numerator_n == 0] = 0.0
    value[numerator_n == n] = 1.0
    value[n == 0] = np.nan
    safe = np.where(n > 0, population, 1.0)
    z = (weighted - np.nan_to_num(value)[clusters.cell] * weight) / safe[clusters.cell]
    taylor = taylor_variance(z, cluster_n, clusters, sums.strata.loc[strata, "psus"].to_numpy(), lonely)
    se = np.where((value == 0) | (value == 1), 0.0, np.sqrt(taylor.variance))
    return CellShares(cells, clusters, z, cluster_n, n, numerator_n, population, value, taylor, se)


def _cells(keys: pd.DataFrame, breakdown: tuple[str, ...]) -> tuple[np.ndarray, pd.DataFrame]:
    """A code per row, and the cells in the order of the codes (sorted by category)."""
    if not breakdown:
        return np.zeros(len(keys), dtype=np.int64), pd.DataFrame(index=[0])
    code = np.zeros(len(keys), dtype=np.int64)
    for dimension in breakdown:
        categories, index = np.unique(keys[dimension].to_numpy(dtype=object).astype(str), return_inverse=True)
        code = code * len(categories) + index
    _, first, cell = np.unique(code, return_index=True, return_inverse=True)
    return cell, keys.iloc[first][list(breakdown)].reset_index(drop=True)


def srs_variance(p: np.ndarray, n: np.ndarray, population: np.ndarray, at_scale: bool) -> np.ndarray:
    """Variance of a share under simple random sampling of ``n``: p(1-p)/(n-1), times 1 - n/N where weights count
    people.

    R ``svymean(deff = TRUE)``; with ``at_scale`` false or N <= n the form with replacement (``deff = "replace"``).
    """
    correction = np.where((population > n) & at_scale, 1 - n / np.maximum(population, 1e-300), 1.0)
    return p * (1 - p) / np.maximum(n - 1, 1) * correction


def _table(cell: CellShares, sums: Sums, survey_id: str, breakdown: tuple[str, ...], at_scale: bool) -> pd.DataFrame:
    p, se, n, df = cell.value, cell.se, cell.n, cell.taylor.df
    low, high = logit_interval(p, se, df)
    at_bound = (p == 0) | (p == 1)
    kg_low, kg_high = korn_graubard(p, se, n, df)
    low, high = np.where(at_bound, kg_low, low), np.where(at_bound, kg_high, high)
    with np.errstate(divide="ignore", invalid="ignore"):
        deff = np.where(at_bound, np.nan, se**2 / srs_variance(p, n, cell.population, at_scale))
        n_effective = np.where(deff > 0, n / deff, np.nan)
        cv = np.where(p > 0, se / p, np.nan)
    indicator, row = (index.ravel() for index in np.mgrid[: len(sums.indicators), : len(cell.cells)])
    keep = n[row, indicator] > 0
    indicator, row = indicator[keep], row[keep]
    table: dict[str, object] = {
        "survey_id": survey_id,
        "indicator": np.array(sums.indicators, dtype=object)[indicator],
        "breakdown": breakdown_name(breakdown),
    }
    for dimension in sums.dimensions:
        table[dimension] = cell.cells[dimension].to_numpy()[row] if dimension in breakdown else TOTAL
    measures = {
        "value": p, "se": se, "ci_low": low, "ci_high": high, "n": n, "numerator_n": cell.numerator_n,
        "population": cell.population, "deff": deff, "n_effective": n_effective, "df": df, "cv": cv,
    }  # fmt: skip
    return pd.DataFrame(table | {name: measure[row, indicator] for name, measure in measures.items()})


def _empty(dimensions: tuple[str, ...]) -> pd.DataFrame:
    names = ["survey_id", "indicator", "breakdown", *dimensions]
    floats = ["value", "se", "ci_low", "ci_high", "population", "deff", "n_effective", "cv"]
    order = [*names, *floats[:4], "n", "numerator_n", *floats[4:7], "df", "cv"]
    types = dict.fromkeys(names, "str") | dict.fromkeys(floats, "float64") | dict.fromkeys(["n", "numerator_n", "df"], "int64")
    return pd.DataFrame({name: pd.Series(dtype=types[name]) for name in order})
