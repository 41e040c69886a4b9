"""How women and men differ: the difference and the ratio of their shares, with the covariance of people in shared
PSUs.

Belongs here: gaps within a survey and their tests. Not here: change over time, gaps adjusted for other variables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.survey.aggregation import Sums, changes
from rga.survey.design import MEN, MISSING, OTHER, SEX, WOMEN, LonelyPsu
from rga.survey.estimation import CellEstimates, cell_estimates, key_columns, table_of, with_rules
from rga.survey.intervals import t_quantile
from rga.survey.reliability import SUPPRESS_BELOW
from rga.survey.variance import finished, shared

FLOATS = ["women", "men", "gap", "se", "ci_low", "ci_high", "p_value", "p_adjusted", "ratio", "ratio_low", "ratio_high"]
MEASURES = [
    "women", "men", "n_women", "n_men", "gap", "se", "ci_low", "ci_high", "df", "p_value", "p_adjusted",
    "ratio", "ratio_low", "ratio_high",
]  # fmt: skip


def gender_gaps(
    sums: Sums,
    breakdowns: Sequence[tuple[str, ...]],
    lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu = "adjust",
    n_min: int = SUPPRESS_BELOW,
) -> pd.DataFrame:
    """Women minus men for every breakdown that has `sex`, in each cell of its other dimensions with answers of both.

    Columns: survey_id, indicator, statistic, category, breakdown, the dimensions but sex (`_T` where not broken down), women, men
    (shares 0..1), n_women, n_men, gap with se, 95 % limits and p_value by t(df), p_adjusted (Benjamini-Hochberg over the gaps
    of a survey and breakdown that have at least ``n_min`` women and men; NaN for the others), ratio women / men with
    delta-method limits on the log scale. What is not defined is NaN: limits and p_value without degrees of freedom or
    where the gap has no variance (both shares at 0 or 1), the ratio where no man, its limits where no man or no woman
    has the characteristic. Raises as `estimate`.
    """
    return estimates_and_gaps(sums, [by for by in breakdowns if SEX in by], lonely_psu, n_min)[1]


def estimates_and_gaps(
    sums: Sums,
    breakdowns: Sequence[tuple[str, ...]],
    lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu = "adjust",
    n_min: int = SUPPRESS_BELOW,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables, `estimate`'s and `gender_gaps`'s: gaps need the estimates of their cells, which are computed once."""
    strata = with_rules(sums, lonely_psu)
    estimates, gaps = [], []
    for by in breakdowns:
        if cells := cell_estimates(sums, by, strata):
            estimates.append(table_of(sums, by, cells))
            gaps += [table for table in [_table(sums, by, cells, n_min)] if len(table)] if SEX in by else []
    return (
        pd.concat(estimates or [table_of(sums, (), None)], ignore_index=True),
        pd.concat(gaps or [_empty(sums.dimensions)], ignore_index=True),
    )


def benjamini_hochberg(p: np.ndarray) -> np.ndarray:
    """P-values adjusted for the false discovery rate (Benjamini and Hochberg 1995); NaN stays NaN and is not
    counted."""
    p = np.asarray(p, dtype=np.float64)
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    if len(tested):
        order = tested[np.argsort(p[tested], kind="stable")]
        scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
        adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def _table(sums: Sums, breakdown: tuple[str, ...], cells: CellEstimates, n_min: int) -> pd.DataFrame:
    others = [dimension for dimension in breakdown if dimension != SEX]
    f, m = _pairs(sums, cells, others)
    measures = _measures(cells, f, m)
    columns = len(sums.names)
    row, column = np.divmod(np.arange(len(f) * columns), columns)
    survey = cells.survey[f]
    order = np.lexsort((row, column, survey[row]))
    order = order[((measures["n_women"] > 0) & (measures["n_men"] > 0)).ravel()[order]]
    row, column = row[order], column[order]
    texts = key_columns(sums, breakdown, survey[row], {name: cells.codes[name][f][row] for name in others}, column, but=SEX)
    frame = pd.DataFrame(texts | {name: measures[name][row, column] for name in MEASURES})
    frame = frame.astype({"n_women": "int64", "n_men": "int64", "df": "int64"})
    enough = (frame["n_women"] >= n_min) & (frame["n_men"] >= n_min)
    p_value = frame["p_value"].where(enough).to_numpy()
    by_survey = np.split(np.arange(len(frame)), np.flatnonzero(changes(survey[row]))[1:])
    frame["p_adjusted"] = np.concatenate([benjamini_hochberg(p_value[rows]) for rows in by_survey])
    return frame


def _pairs(sums: Sums, cells: CellEstimates, others: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Cells of women and, in the same order, of men with the same survey and known categories of ``others``."""
    key = cells.survey.astype(np.int64)
    known = np.ones(len(key), dtype=bool)
    for name in others:
        categories = sums.categories[name]
        known &= ~np.isin(categories, [MISSING, OTHER])[cells.codes[name]]
        key = key * len(categories) + cells.codes[name]
    sex = sums.categories[SEX][cells.codes[SEX]]
    women, men = (np.flatnonzero(known & (sex == code)) for code in (WOMEN, MEN))
    _, f, m = np.intersect1d(key[women], key[men], return_indices=True)
    return women[f], men[m]


def _measures(cells: CellEstimates, f: np.ndarray, m: np.ndarray) -> dict[str, np.ndarray]:
    """Differences and ratios of the cells ``f`` and ``m``: the variance of g(women) - g(men) is that of each, times the square of
    the derivative of g, less twice their covariance, times both derivatives."""
    women, men, n_women, n_men = cells.value[f], cells.value[m], cells.n[f], cells.n[m]
    found, both = cells.taylor, shared(cells.taylor, f, m)
    psus = found.psus[f] + found.psus[m] - both.psus
    strata = found.strata[f] + found.strata[m] - both.strata
    counted = found.counted[f] + found.counted[m] - both.counted

    def variance(slope_f: np.ndarray | float, slope_m: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        raw = slope_f**2 * found.raw[f] + slope_m**2 * found.raw[m] - 2 * slope_f * slope_m * both.covariance
        return finished(np.maximum(raw, 0.0), psus, strata, counted, cells.average[f])

    of_gap, df = variance(1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_log_ratio, _ = variance(*(np.where(value > 0, 1 / value, 0.0) for value in (women, men)))
        ratio = np.where(men > 0, women / men, np.nan)
    se = np.sqrt(of_gap)
    se[np.isnan(cells.se[f]) | np.isnan(cells.se[m])] = np.nan
    se[(cells.se[f] == 0) & (cells.se[m] == 0)] = 0.0
    gap, t = women - men, t_quantile(df)
    spread = np.where(se > 0, se, np.nan)
    ratio_se = np.where((women > 0) & (men > 0) & (spread > 0), np.sqrt(of_log_ratio), np.nan)
    p_value = np.where(df > 0, 2 * stdtr(np.maximum(df, 1), -np.abs(gap / spread)), np.nan)
    return {
        "women": women, "men": men, "n_women": n_women, "n_men": n_men,
        "gap": gap, "se": se, "ci_low": gap - t * spread, "ci_high": gap + t * spread, "df": df, "p_value": p_value,
        "p_adjusted": np.full(gap.shape, np.nan),
        "ratio": ratio, "ratio_low": ratio * np.exp(-t * ratio_se), "ratio_high": ratio * np.exp(t * ratio_se),
    }  # fmt: skip


def _empty(dimensions: tuple[str, ...]) -> pd.DataFrame:
    names = ["survey_id", "indicator", "statistic", "category", "breakdown", *(d for d in dimensions if d != SEX)]
    columns = {name: pd.Series(dtype="str") for name in names}
    return pd.DataFrame(columns | {name: pd.Series(dtype="float64" if name in FLOATS else "int64") for name in MEASURES})
