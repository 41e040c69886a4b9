"""Weighted estimates of a population with their standard errors, limits and design effects, from sums.

Belongs here: shares, means, ratios and totals in every cell of a breakdown. Not here: differences between estimates, publication
rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.survey.aggregation import Sums, crossing_code
from rga.survey.design import MISSING, TOTAL, LonelyPsu, breakdown_name, lonely_psu_of
from rga.survey.intervals import korn_graubard, logit_interval, t_quantile
from rga.survey.statistics import Distribution, Mean, Ratio, Share, Total
from rga.survey.variance import Taylor, Units, check_lonely, finished, taylor

# Weights that add up to more than this many times the respondents count people rather than respondents.
POPULATION_SCALE = 2.0
NAMES = {Share: "share", Distribution: "share", Mean: "mean", Ratio: "ratio", Total: "total"}
MEASURES = ["value", "se", "ci_low", "ci_high", "n", "numerator_n", "population", "deff", "n_effective", "df", "cv"]


@dataclass(frozen=True)
class CellEstimates:
    """Estimates of every survey in one breakdown: matrices cells x statistics.

    ``survey`` numbers each cell's survey, ``codes`` its category of each dimension of the breakdown. ``value`` is NaN where ``n``
    is 0. ``simple``: the variance of a simple random sample of that size. ``average``: cells of surveys under that rule for
    lonely PSUs.
    """

    survey: np.ndarray
    codes: dict[str, np.ndarray]
    n: np.ndarray
    numerator_n: np.ndarray
    population: np.ndarray
    value: np.ndarray
    simple: np.ndarray
    taylor: Taylor
    average: np.ndarray
    se: np.ndarray
    df: np.ndarray


def estimate(
    sums: Sums, breakdowns: Sequence[tuple[str, ...]], lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu = "adjust"
) -> pd.DataFrame:
    """Every statistic in every cell of every breakdown, in which somebody answered.

    Columns: survey_id, indicator, statistic, category, breakdown, one per dimension (`_T` where not broken down), value (shares
    0..1), se, ci_low, ci_high (95 %: shares logit with t(df), Korn-Graubard where the value is 0 or 1; others t(df)), n,
    numerator_n (0 but for shares), population, deff, n_effective, df, cv. What is not defined is NaN: limits without degrees of
    freedom, deff and n_effective where answers do not vary. A breakdown by a dimension that nobody of a
    survey answered is left out for it. Raises InputError under `fail` where a stratum has one PSU.
    """
    strata = with_rules(sums, lonely_psu)
    tables = [table_of(sums, by, cells) for by in breakdowns if (cells := cell_estimates(sums, by, strata))]
    return pd.concat(tables or [table_of(sums, (), None)], ignore_index=True)


def with_rules(sums: Sums, lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu) -> pd.DataFrame:
    """The strata of ``sums`` with each survey's rule for lonely PSUs. Raises InputError under `fail` where one is lonely."""
    rules = {survey_id: lonely_psu_of(survey_id, lonely_psu) for survey_id in sums.surveys}
    strata = sums.strata.assign(lonely_psu=sums.strata["survey_id"].map(rules).astype(object))
    check_lonely(strata[strata["lonely_psu"] == "fail"])
    return strata


def cell_estimates(sums: Sums, breakdown: tuple[str, ...], strata: pd.DataFrame) -> CellEstimates | None:
    """Estimates in one breakdown, or None where no survey asked for its dimensions.

    The value is R = sum T / sum X over the PSUs of a cell, T and X the sums of w y and w x; its linearised value per PSU is
    z_c = (T_c - R X_c) / sum X (Wolter 2007, ch. 6). A total's is T_c itself.
    """
    if unknown := set(breakdown) - set(sums.dimensions):
        raise ValueError(f"breakdown by {', '.join(sorted(unknown))}, of which there are no sums")
    cell, survey, codes = _cells(sums, breakdown)
    if not len(survey):
        return None
    units = Units.of(sums, cell)
    weight, weighted, answered = (units.of_groups @ matrix for matrix in (sums.weight, sums.weighted, sums.n))
    n, divisor = units.by_cell(answered), units.by_cell(weight)
    numerator_n = units.by_cell(units.of_groups @ sums.numerator_n)
    totals = units.by_cell(weighted)
    is_share, is_total = (np.array([isinstance(s, kinds) for s in sums.statistics]) for kinds in ((Share, Distribution), Total))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = totals / divisor
    # Exact where all or none say yes, whatever the rounding of the sums.
    value[is_share & (numerator_n == 0)] = 0.0
    value[is_share & (numerator_n == n)] = 1.0
    value[:, is_total] = totals[:, is_total]
    value[(n == 0) | ~np.isfinite(value)] = np.nan
    ratio = np.where(is_total, 0.0, np.nan_to_num(value))
    base = np.where(is_total | (divisor == 0), 1.0, divisor)
    z = (weighted - ratio[units.cell] * weight) / base[units.cell]
    own = None
    if sums.moments is not None:
        yy, yx, xx = (units.of_groups @ matrix for matrix in sums.moments)
        own = (yy - 2 * ratio[units.cell] * yx + ratio[units.cell] ** 2 * xx) / base[units.cell] ** 2
    found = taylor(units, z, own, answered, strata, survey)
    average = strata["lonely_psu"].to_numpy()[found.units.stratum][found.units.first_block] == "average"
    variance, df = finished(found.raw, found.psus, found.strata, found.counted, average)
    se = np.where(is_share & ((value == 0) | (value == 1)), 0.0, np.sqrt(variance))
    of_cell = {id(m): units.by_cell(units.of_groups @ m) for m in {id(m): m for m in (sums.population, *sums.squares)}.values()}
    population, yy, yx, xx = (of_cell[id(matrix)] for matrix in (sums.population, *sums.squares))
    simple = _simple_random_variance(sums, survey, n, population, yy - 2 * ratio * yx + ratio**2 * xx, totals - ratio * divisor)
    simple /= np.where(is_total | (divisor == 0), 1.0, divisor) ** 2
    return CellEstimates(survey, codes, n, numerator_n, population, value, simple, found, average, se, df)


def _cells(sums: Sums, breakdown: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """The cell of each group (-1 for none), and of each cell its survey and categories; sorted by survey and category."""
    key = sums.survey.astype(np.int64)
    kept = np.ones(len(key), dtype=bool)
    if sums.crossing is not None:
        kept = sums.crossing == crossing_code(breakdown, sums.dimensions)
        if len(kept) and not kept.any():
            raise ValueError(f"breakdown {breakdown_name(breakdown)} is not among the crossings that were summed")
    for name in breakdown:
        names, codes = sums.categories[name], sums.codes[name]
        known = kept & (names != MISSING)[codes] if len(names) else np.zeros(0, dtype=bool)
        kept &= (np.bincount(sums.survey, weights=known, minlength=len(sums.surveys)) > 0)[sums.survey]
        key = key * max(len(names), 1) + codes
    cell = np.full(len(key), -1)
    _, first, place = np.unique(key[kept], return_index=True, return_inverse=True)
    cell[kept] = place
    rows = np.flatnonzero(kept)[first]
    return cell, sums.survey[rows], {name: sums.codes[name][rows] for name in breakdown}


def _simple_random_variance(
    sums: Sums, survey: np.ndarray, n: np.ndarray, population: np.ndarray, squares: np.ndarray, total: np.ndarray
) -> np.ndarray:
    """Variance of the sum of w u, were the cell's ``n`` a simple random sample: W (sum w u^2 - (sum w u)^2 / W) / (n - 1), W being
    the cell's ``population``; times 1 - n/W where weights count people (R ``svymean(deff = TRUE)``), else that with replacement.

    ``squares`` and ``total`` are the sums of w u^2 and of w u. For a share it is p (1 - p) / (n - 1).
    """
    of_survey = [np.bincount(sums.survey, weights=w, minlength=len(sums.surveys)) for w in (sums.total_weight, sums.cases)]
    at_scale = (of_survey[0] > POPULATION_SCALE * of_survey[1])[survey][:, None] & (population > n)
    weight = np.maximum(population, 1e-300)
    finite = np.where(at_scale, 1 - n / weight, 1.0)
    return (weight * squares - total**2) / np.maximum(n - 1, 1) * finite


def table_of(sums: Sums, breakdown: tuple[str, ...], cells: CellEstimates | None) -> pd.DataFrame:
    """Rows of ``estimate`` for one breakdown."""
    columns = len(sums.names)
    if cells is None:
        row, column = np.zeros(0, dtype=int), np.zeros(0, dtype=int)
        measures = {name: np.zeros((0, columns)) for name in MEASURES}
        survey, codes = np.zeros(0, dtype=int), {}
    else:
        measures, survey, codes = _measures(sums, cells), cells.survey, cells.codes
        row, column = np.divmod(np.arange(cells.n.size), columns)
        order = np.lexsort((row, column, survey[row]))
        order = order[cells.n.ravel()[order] > 0]
        row, column = row[order], column[order]
    texts = key_columns(sums, breakdown, survey[row], {name: found[row] for name, found in codes.items()}, column)
    frame = pd.DataFrame(texts | {name: measure[row, column] for name, measure in measures.items()})
    return frame.astype({"n": "int64", "numerator_n": "int64", "df": "int64"})


def key_columns(
    sums: Sums, breakdown: tuple[str, ...], survey: np.ndarray, codes: Mapping[str, np.ndarray], column: np.ndarray, but: str = ""
) -> dict[str, pd.Series]:
    """What a row is about, from the numbers of its survey, its categories and its statistic; without the dimension ``but``."""
    indicator, category = (np.array([name[side] for name in sums.names], dtype=object) for side in (0, 1))
    kinds = np.array([NAMES[type(statistic)] for statistic in sums.statistics], dtype=object)
    found: dict[str, np.ndarray] = {
        "survey_id": np.array(sums.surveys, dtype=object)[survey],
        "indicator": indicator[column],
        "statistic": kinds[column],
        "category": category[column],
        "breakdown": np.full(len(column), breakdown_name(breakdown), dtype=object),
    }
    for name in sums.dimensions:
        if name != but:
            found[name] = sums.categories[name][codes[name]] if name in codes else np.full(len(column), TOTAL, dtype=object)
    return {name: pd.Series(values, dtype="str") for name, values in found.items()}


def _measures(sums: Sums, cells: CellEstimates) -> dict[str, np.ndarray]:
    p, se, n, df = cells.value, cells.se, cells.n, cells.df
    is_share = np.array([isinstance(statistic, Share | Distribution) for statistic in sums.statistics])
    low, high = (np.full(p.shape, np.nan) for _ in range(2))
    some = np.flatnonzero(is_share)
    low[:, some], high[:, some] = logit_interval(p[:, some], se[:, some], df[:, some])
    at_bound = is_share & ((p == 0) | (p == 1))
    low[at_bound], high[at_bound] = korn_graubard(p[at_bound], se[at_bound], n[at_bound], df[at_bound])
    if not is_share.all():
        reach = t_quantile(df[:, ~is_share]) * se[:, ~is_share]
        low[:, ~is_share], high[:, ~is_share] = p[:, ~is_share] - reach, p[:, ~is_share] + reach
    with np.errstate(divide="ignore", invalid="ignore"):
        deff = np.where(at_bound | ~(cells.simple > 0), np.nan, se**2 / cells.simple)
        n_effective = np.where(deff > 0, n / deff, np.nan)
        cv = np.where(is_share & (p <= 0), np.nan, se / np.abs(p))
    measures = [p, se, low, high, n, cells.numerator_n, cells.population, deff, n_effective, df, cv]
    return dict(zip(MEASURES, measures, strict=True))
