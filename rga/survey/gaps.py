"""How women and men differ: the difference and the ratio of their shares, with the covariance of people in shared
PSUs.

Belongs here: gaps within a survey and their tests. Not here: change over time, gaps adjusted for other variables.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.survey.aggregation import Sums
from rga.survey.design import MEN, MISSING, OTHER, SEX, TOTAL, WOMEN, LonelyPsu, breakdown_name, lonely_psu_of
from rga.survey.intervals import t_quantile
from rga.survey.reliability import SUPPRESS_BELOW
from rga.survey.shares import CellShares, shares_of
from rga.survey.variance import Clusters, Taylor, taylor_variance

FLOATS = ["women", "men", "gap", "se", "ci_low", "ci_high", "p_value", "p_adjusted", "ratio", "ratio_low", "ratio_high"]
MEASURES = [
    "women", "men", "n_women", "n_men", "gap", "se", "ci_low", "ci_high", "df", "p_value", "p_adjusted",
    "ratio", "ratio_low", "ratio_high",
]  # fmt: skip


def gender_gaps(
    sums: Sums,
    breakdowns: list[tuple[str, ...]],
    lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu = "adjust",
    n_min: int = SUPPRESS_BELOW,
) -> pd.DataFrame:
    """Women minus men for every breakdown that has `sex`, in each cell of its other dimensions with answers of both.

    Columns: survey_id, indicator, breakdown, the dimensions but sex (`_T` where not broken down), women, men (shares
    0..1), n_women, n_men, gap with se, 95 % limits and p_value by t(df), p_adjusted (Benjamini-Hochberg over the gaps
    of a survey and breakdown that have at least ``n_min`` women and men; NaN for the others), ratio women / men with
    delta-method limits on the log scale. What is not defined is NaN: limits and p_value without degrees of freedom or
    where the gap has no variance (both shares at 0 or 1), the ratio where no man, its limits where no man or no woman
    has the characteristic. Raises as `estimate`.
    """
    frames = []
    for survey_id in sums.surveys:
        rule = lonely_psu_of(survey_id, lonely_psu)
        for breakdown in breakdowns:
            if SEX not in breakdown:
                continue
            cell_shares = shares_of(sums, survey_id, breakdown, rule)
            if cell_shares is not None:
                frames.append(_table(cell_shares, sums, survey_id, breakdown, rule, n_min))
    frames = [frame for frame in frames if frame is not None]
    return pd.concat(frames, ignore_index=True) if frames else _empty(sums.dimensions)


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


def _table(
    both: CellShares, sums: Sums, survey_id: str, breakdown: tuple[str, ...], rule: LonelyPsu, n_min: int
) -> pd.DataFrame | None:
    others = [dimension for dimension in breakdown if dimension != SEX]
    pairs = _pairs(both.cells, others)
    if pairs.empty:
        return None
    f, m = pairs["women"].to_numpy(), pairs["men"].to_numpy()
    women, men, n_women, n_men = both.value[f], both.value[m], both.n[f], both.n[m]
    difference = _difference(both, sums, survey_id, f, m, rule, np.ones_like(both.value))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = _difference(both, sums, survey_id, f, m, rule, np.where(both.value > 0, 1 / both.value, 0.0))
        ratio = np.where(men > 0, women / men, np.nan)
    df = difference.df
    se = np.sqrt(difference.variance)
    se[np.isnan(both.se[f]) | np.isnan(both.se[m])] = np.nan
    se[(both.se[f] == 0) & (both.se[m] == 0)] = 0.0
    gap, t = women - men, t_quantile(df)
    spread = np.where(se > 0, se, np.nan)
    ratio_se = np.where((women > 0) & (men > 0) & (spread > 0), np.sqrt(log_ratio.variance), np.nan)
    p_value = np.where(df > 0, 2 * stdtr(np.maximum(df, 1), -np.abs(gap / spread)), np.nan)
    measures = {
        "women": women, "men": men, "n_women": n_women, "n_men": n_men,
        "gap": gap, "se": se, "ci_low": gap - t * spread, "ci_high": gap + t * spread, "df": df, "p_value": p_value,
        "p_adjusted": np.full(gap.shape, np.nan),
        "ratio": ratio, "ratio_low": ratio * np.exp(-t * ratio_se), "ratio_high": ratio * np.exp(t * ratio_se),
    }  # fmt: skip
    indicator, row = (index.ravel() for index in np.mgrid[: len(sums.indicators), : len(pairs)])
    keep = (n_women[row, indicator] > 0) & (n_men[row, indicator] > 0)
    indicator, row = indicator[keep], row[keep]
    table: dict[str, object] = {
        "survey_id": survey_id,
        "indicator": np.array(sums.indicators, dtype=object)[indicator],
        "breakdown": breakdown_name(breakdown),
    }
    for dimension in sums.dimensions:
        if dimension != SEX:
            table[dimension] = pairs[dimension].to_numpy()[row] if dimension in others else TOTAL
    frame = pd.DataFrame(table | {name: measures[name][row, indicator] for name in MEASURES})
    enough = (frame["n_women"] >= n_min) & (frame["n_men"] >= n_min)
    frame["p_adjusted"] = benjamini_hochberg(frame["p_value"].where(enough).to_numpy())
    return frame


def _pairs(cells: pd.DataFrame, others: list[str]) -> pd.DataFrame:
    """The cells of ``others`` that have a cell of women and one of men: their categories and the numbers of those
    cells."""
    known = ~cells[others].isin([MISSING, OTHER]).any(axis=1).to_numpy()
    sex, categories = cells[SEX].to_numpy(), list(cells[others].itertuples(index=False, name=None))
    women = {categories[i]: i for i in np.flatnonzero(known & (sex == WOMEN))}
    men = {categories[i]: i for i in np.flatnonzero(known & (sex == MEN))}
    both = sorted(women.keys() & men.keys())
    columns = {name: [category[j] for category in both] for j, name in enumerate(others)}
    return pd.DataFrame(columns | {"women": [women[c] for c in both], "men": [men[c] for c in both]})


def _difference(
    both: CellShares, sums: Sums, survey_id: str, f: np.ndarray, m: np.ndarray, rule: LonelyPsu, slope: np.ndarray
) -> Taylor:
    """Variance of g(women) - g(men) by pair, ``slope`` (cells x indicators) being the derivative of g at each share.

    A PSU's linearised value is slope_F z_c(F) - slope_M z_c(M), so that people in shared PSUs bring their covariance.
    """
    pair = np.full(len(both.cells), -1)
    pair[f] = pair[m] = np.arange(len(f))
    sign = np.zeros(len(both.cells))
    sign[f], sign[m] = 1.0, -1.0
    used = pair[both.clusters.cell] >= 0
    cell = both.clusters.cell[used]
    stratum = both.clusters.stratum[both.clusters.block[used]]
    clusters = Clusters.of(pair[cell], stratum, both.clusters.psu[used])
    z = clusters.by_cluster(both.z[used] * (sign[:, None] * slope)[cell])
    psus = sums.strata.loc[sums.strata["survey_id"] == survey_id, "psus"].to_numpy()
    return taylor_variance(z, clusters.by_cluster(both.cluster_n[used]), clusters, psus, rule)


def _empty(dimensions: tuple[str, ...]) -> pd.DataFrame:
    names = ["survey_id", "indicator", "breakdown", *(d for d in dimensions if d != SEX)]
    columns = {name: pd.Series(dtype="str") for name in names}
    return pd.DataFrame(columns | {name: pd.Series(dtype="float64" if name in FLOATS else "int64") for name in MEASURES})
