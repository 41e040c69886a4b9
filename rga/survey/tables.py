"""Tidy tables of estimates and of gaps between women and men, from sums.

Belongs here: the columns of `estimate` and `gender_gaps`, confidence limits included, and which rows they have. Not here:
estimators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from rga.survey import gaps
from rga.survey.blas import one_blas_thread
from rga.survey.data import refuse_names
from rga.survey.design import SEX, TOTAL, LonelyPsu, breakdown_name
from rga.survey.estimation import Part, parts, whole, with_rules
from rga.survey.from_total import se_from_total
from rga.survey.gaps import benjamini_hochberg
from rga.survey.intervals import korn_graubard, logit_interval, t_quantile
from rga.survey.reliability import SUPPRESS_BELOW
from rga.survey.statistics import Distribution, Mean, Ratio, Share, Total
from rga.survey.sums import Sums

NAMES = {Share: "share", Distribution: "share", Mean: "mean", Ratio: "ratio", Total: "total"}
MEASURES = ["value", "se", "ci_low", "ci_high", "n", "numerator_n", "population", "deff", "n_effective", "df", "cv"]
FROM_TOTAL = "se_from_total"
COUNTS = {"n", "numerator_n", "df", "n_women", "n_men"}
THREADS = 2


@dataclass(frozen=True)
class Rows:
    """Rows of one table and breakdown: numbers of the survey, of the statistic (``column``) and of the categories; the measures."""

    survey: np.ndarray
    column: np.ndarray
    codes: dict[str, np.ndarray]
    measures: dict[str, np.ndarray]


@one_blas_thread
def estimate(
    sums: Sums,
    breakdowns: Sequence[tuple[str, ...]],
    lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu = "adjust",
    from_total: bool = False,
) -> pd.DataFrame:
    """Every statistic in every cell of every breakdown, in which somebody answered.

    Columns: survey_id, indicator, statistic, category, breakdown, one per dimension (`_T` where not broken down), value (shares
    0..1), se, ci_low, ci_high (95 %: shares logit with t(df), Korn-Graubard where the value is 0 or 1; others t(df)), n,
    numerator_n (0 but for shares), population, deff, n_effective, df, cv and, with ``from_total``, se_from_total (of value less
    that of the breakdown `total`, where that is among those summed). What is not defined is NaN: limits without degrees of
    freedom, deff and n_effective where answers do not vary. A breakdown by a dimension that nobody of a
    survey answered is left out for it. Raises InputError under `fail` where a stratum has one PSU, ValueError where a breakdown was
    not summed.
    """
    strata = with_rules(sums, lonely_psu)
    found = [(by, [_estimates(sums, part, strata, from_total) for part in parts(sums, by, strata)]) for by in breakdowns]
    return _joined(sums, found, [*MEASURES, FROM_TOTAL] if from_total else MEASURES)


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
    delta-method limits on the log scale. What is not defined is NaN: limits and p_value without degrees of freedom, p_value where
    both shares are 0 or both are 1 (limits: `rga.survey.gaps.differences`), the ratio where no man, its limits where no man or no
    woman has the characteristic. Raises as `estimate`.
    """
    return estimates_and_gaps(sums, [by for by in breakdowns if SEX in by], lonely_psu, n_min)[1]


@one_blas_thread
def estimates_and_gaps(
    sums: Sums,
    breakdowns: Sequence[tuple[str, ...]],
    lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu = "adjust",
    n_min: int = SUPPRESS_BELOW,
    from_total: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables, `estimate`'s and `gender_gaps`'s: gaps need the estimates of their cells, which are computed once."""
    strata = with_rules(sums, lonely_psu)

    def of(by: tuple[str, ...]) -> tuple[list[Rows], list[Rows]]:
        found = [
            (_estimates(sums, part, strata, from_total), _gaps(sums, part) if SEX in by else None)
            for part in parts(sums, by, strata)
        ]
        return [estimates for estimates, _ in found], [differences for _, differences in found if differences is not None]

    with ThreadPoolExecutor(THREADS) as pool:  # NumPy lets go of the interpreter while it computes
        found = list(pool.map(of, breakdowns))
    measures = [*MEASURES, FROM_TOTAL] if from_total else MEASURES
    estimates = _joined(sums, [(by, rows) for by, (rows, _) in zip(breakdowns, found, strict=True)], measures)
    of_gaps = [(by, rows) for by, (_, rows) in zip(breakdowns, found, strict=True)]
    differences = _joined(sums, of_gaps, gaps.MEASURES, without=SEX)
    enough = (differences["n_women"] >= n_min) & (differences["n_men"] >= n_min)
    tested = differences["p_value"].where(enough).to_numpy()
    adjusted = np.full(len(differences), np.nan)
    for rows in differences.groupby(["survey_id", "breakdown"], sort=False).indices.values():
        adjusted[rows] = benjamini_hochberg(tested[rows])
    differences.insert(list(differences).index("p_value") + 1, "p_adjusted", adjusted)
    return estimates, differences


def _estimates(sums: Sums, part: Part, strata: pd.DataFrame, from_total: bool) -> Rows:
    p, se, n, df = part.value, part.se, part.n, part.df
    is_share = sums.is_share
    low, high = (np.full(p.shape, np.nan) for _ in range(2))
    some = slice(None) if is_share.all() else np.flatnonzero(is_share)
    low[..., some], high[..., some] = logit_interval(p[..., some], se[..., some], df[..., some])
    at_bound = is_share & ((p == 0) | (p == 1))
    low[at_bound], high[at_bound] = korn_graubard(p[at_bound], se[at_bound], n[at_bound], df[at_bound])
    if not is_share.all():
        reach = t_quantile(df[..., ~is_share]) * se[..., ~is_share]
        low[..., ~is_share], high[..., ~is_share] = p[..., ~is_share] - reach, p[..., ~is_share] + reach
    with np.errstate(divide="ignore", invalid="ignore"):
        deff = np.where(at_bound | ~(part.simple > 0), np.nan, se**2 / part.simple)
        n_effective = np.where(deff > 0, n / deff, np.nan)
        cv = np.where(is_share & (p <= 0), np.nan, se / np.abs(p))
    arrays = [p, se, low, high, n, part.numerator_n, part.population, deff, n_effective, df, cv]
    measures = dict(zip(MEASURES, arrays, strict=True))
    if from_total:
        compared = part.codes and () in sums.crossings
        everybody = whole(sums, part, strata) if compared else part
        measures[FROM_TOTAL] = se_from_total(part, everybody, sums.is_total) if compared else np.full(p.shape, np.nan)
    return _rows(part, part.codes, measures, n > 0)


def _gaps(sums: Sums, part: Part) -> Rows:
    f, m = gaps.pairs(sums, part)
    measures = gaps.differences(part, f, m, sums.is_share)
    codes = {name: code[f] for name, code in part.codes.items() if name != SEX}
    return _rows(part, codes, measures, (measures["n_women"] > 0) & (measures["n_men"] > 0))


def _rows(part: Part, codes: dict[str, np.ndarray], measures: dict[str, np.ndarray], kept: np.ndarray) -> Rows:
    """Of arrays surveys x cells x statistics those ``kept``, by survey, statistic and cell."""
    survey, column, cell = np.nonzero(kept.transpose(0, 2, 1))
    of_cell = {name: code[cell] for name, code in codes.items()}
    return Rows(
        survey + part.surveys.start, column, of_cell, {name: array[survey, cell, column] for name, array in measures.items()}
    )


def _joined(
    sums: Sums, found: Sequence[tuple[tuple[str, ...], list[Rows]]], measures: list[str], without: str = ""
) -> pd.DataFrame:
    """One table of every breakdown's rows."""
    texts: dict[str, list[pa.Array]] = {}
    of_statistics = {
        "indicator": [code for code, _ in sums.names],
        "statistic": [NAMES[type(statistic)] for statistic in sums.statistics],
        "category": [category for _, category in sums.names],
    }
    dimensions = [name for name in sums.dimensions if name != without]
    refuse_names(dimensions, [*of_statistics, "breakdown", *measures])
    for by, many in found:
        if not many:
            continue
        survey, column = (np.concatenate([getattr(rows, name) for rows in many]) for name in ("survey", "column"))
        codes = {name: np.concatenate([rows.codes[name] for rows in many]) for name in many[0].codes}
        nothing = np.zeros(len(survey), dtype=np.int64)
        keyed = {"survey_id": _texts(sums.surveys, survey)}
        keyed |= {name: _texts(values, column) for name, values in of_statistics.items()}
        keyed["breakdown"] = _texts([breakdown_name(by)], nothing)
        for name in dimensions:
            keyed[name] = _texts(sums.categories[name], codes[name]) if name in codes else _texts([TOTAL], nothing)
        for name, array in keyed.items():
            texts.setdefault(name, []).append(array)
    if not texts:
        texts = {name: [] for name in ["survey_id", *of_statistics, "breakdown", *dimensions]}
    frame = {name: pd.Series(pd.array(pa.chunked_array(arrays, pa.string()), dtype="str")) for name, arrays in texts.items()}
    every = [rows for _, many in found for rows in many]
    for name in measures:
        values = np.concatenate([rows.measures[name] for rows in every]) if every else np.zeros(0)
        frame[name] = pd.Series(values.astype(np.int64) if name in COUNTS else values)
    return pd.DataFrame(frame, copy=False)


def _texts(names: Sequence[str] | np.ndarray, code: np.ndarray) -> pa.Array:
    """The name of each code."""
    return pa.DictionaryArray.from_arrays(pa.array(code), pa.array(list(names), pa.string())).cast(pa.string())
