"""What tables beside `estimates` and `gender_gaps` print, so that they say no more than these do.

Belongs here: shares under other weights, adjusted gaps and their parts, counts of the codebook. Not here: estimates and gaps
(``publication``), the rules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from assets.publication import STEPS, p_value
from rga.survey import benjamini_hochberg, t_quantile
from rga.survey.design import SEX, TOTAL
from rga.survey.disclosure import DisclosureThresholds
from rga.survey.precision import OF_ERROR, step_below, to_digits, to_step, with_rounding

ADJUSTED = [
    *("gap", "adjusted_gap", "se", "ci_low", "ci_high", "p_value", "p_adjusted"),
    *("composition", "composition_se", "composition_low", "composition_high"),
]
CODEBOOK = 0.3  # step of a count of answers, in square roots of the respondents: a fifth of the largest standard error, and more


def under_other_weights(frame: pd.DataFrame, estimates: pd.DataFrame, sides: Mapping[str, str]) -> pd.DataFrame:
    """Shares of women, men and everybody under other weights, as far as they do not lead back to what `estimates` (as published)
    hides or rounds. ``sides``: by column, the sex that it is of; `gap` goes with either side.

    A share has the step of the published one. Where the sum of women, men and the others has a hidden part, that step is at least
    half the published standard error, and everybody's is not shown: under each set of weights the three would narrow it anew.
    """
    by_sex = estimates[estimates["breakdown"].isin(["total", SEX]) & estimates["category"].eq(TOTAL)]
    key = ["survey_id", "indicator"]
    hidden = pd.MultiIndex.from_frame(by_sex.loc[by_sex["obs_status"] == "Q", key]).unique()
    shown = by_sex[by_sex["obs_status"] != "Q"].set_index([*key, SEX])[["se", *STEPS]]
    open_ = pd.MultiIndex.from_frame(frame[key]).isin(hidden)
    frame, rounded = frame.copy(), np.full(len(frame), np.nan)
    for column, sex in sides.items():
        of = frame[SEX].astype(str) if sex == SEX else pd.Series(sex, frame.index)
        own = shown.reindex(pd.MultiIndex.from_arrays([frame["survey_id"], frame["indicator"], of]))
        protective = np.fmax(
            own["rounded_to"].to_numpy(np.float64), np.where(open_, step_below(own["se"].to_numpy(np.float64)), np.nan)
        )
        value = to_step(
            frame[column].to_numpy(np.float64), np.fmax(protective, np.nan_to_num(own["precision"].to_numpy(np.float64)))
        )
        gone = own["se"].isna().to_numpy() | (open_ & (of == TOTAL).to_numpy())
        frame[column] = np.where(gone, np.nan, value)
        rounded = np.fmax(rounded, np.where(gone, np.nan, protective))
    if "gap" in frame:
        frame["gap"] = np.round(frame["women"] - frame["men"], 10)
    return frame.assign(rounded_to=np.where(rounded > 0, rounded, np.nan))


def adjusted_as_published(
    adjusted: pd.DataFrame, parts: pd.DataFrame, gaps: pd.DataFrame, rules: DisclosureThresholds
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """`adjusted_gaps` and `gap_decomposition` with the gap that `gender_gaps` shows: hidden with it, and rounded with it, so that
    nothing leads back to the exact gap. P-values are adjusted within the survey, over what is shown.

    Of one or two covariates the numbers of respondents by sex and category are published, so that the adjusted gap is an equation
    for the hidden ones among their shares: it is rounded as well. Which category all or nobody has an outcome in is not said.
    """
    if adjusted.empty:
        return adjusted, parts
    shown, adjusted = _gaps_of(adjusted, gaps), adjusted.reset_index(drop=True)
    protective = np.fmax(shown["rounded_to"].to_numpy(np.float64), _step_of_few_covariates(adjusted, rules))
    computed = (adjusted["obs_status"] != "Q").to_numpy()
    hidden = computed & ((shown["obs_status"].fillna("Q") == "Q").to_numpy() | np.isinf(protective))
    at = computed & ~hidden
    inexact = at & ~np.isnan(protective)
    step = np.fmax(protective, step_below(OF_ERROR * adjusted["se"].to_numpy(np.float64)))
    gap = shown["gap"].to_numpy(np.float64)
    adjusted.loc[at, ADJUSTED] = _rounded(adjusted[at], gap[at], step[at])
    adjusted["rounded_to"] = np.where(inexact, protective, np.nan)
    adjusted.loc[adjusted["status"] == "separation", "reason"] = "all or nobody of some category: a regression has no estimate"
    adjusted.loc[hidden, "conf_status"] = shown["conf_status"].fillna("F").to_numpy()[hidden]
    why = "the gap is not shown: " + shown["reason"].fillna("no gap").astype(str).to_numpy()
    why[np.isinf(protective)] = "of one or two covariates, and publication_rules.yaml has no step to round it to"
    adjusted = _without(adjusted, hidden, why)
    return adjusted, _parts_of(parts, adjusted[~(hidden | inexact)])


def _step_of_few_covariates(adjusted: pd.DataFrame, rules: DisclosureThresholds) -> np.ndarray:
    """Percentage points to which adjusted gaps of one or two covariates are rounded: what so many respondents of the sex that fewer
    answered are worth as a hidden count must be able to be, at least; NaN of others."""
    few = (adjusted["adjusted_for"] != "") & (adjusted["adjusted_for"].str.count(", ") < 2)
    worth = 100 * rules.possible_values / adjusted[["n_women", "n_men"]].min(axis=1).clip(lower=1).to_numpy(np.float64)
    steps = np.array(sorted(rules.round_to) or [np.inf])
    return np.where(few, steps[np.minimum(np.searchsorted(steps, worth), len(steps) - 1)], np.nan)


def of_published_gaps(adjusted: pd.DataFrame, parts: pd.DataFrame, gaps: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables, as they were when they were made, without the numbers that go with other gaps than are published now: those of a
    survey whose regressions failed since."""
    if adjusted.empty:
        return adjusted, parts
    shown, adjusted = _gaps_of(adjusted, gaps), adjusted.reset_index(drop=True)
    other = adjusted["gap"].notna().to_numpy() & ~np.isclose(adjusted["gap"], shown["gap"].to_numpy(np.float64), rtol=0, atol=1e-6)
    if not other.any():
        return adjusted, parts
    adjusted = _without(adjusted, other, np.full(len(adjusted), "the regression is of estimates before these"))
    return adjusted, _parts_of(parts, adjusted[~other])


def _gaps_of(adjusted: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """What `gender_gaps` shows of women and men, for each row of `adjusted_gaps`."""
    key, facts = ["survey_id", "indicator"], ["gap", "rounded_to", "obs_status", "conf_status", "reason"]
    if gaps.empty:  # of a catalogue without a breakdown by sex: what no gap is published of has no adjusted one
        gaps = pd.DataFrame(columns=[*key, "breakdown", "category", *facts])
    of_sex = gaps[(gaps["breakdown"] == SEX) & (gaps["category"] == TOTAL)].set_index(key)[facts]
    return of_sex.reindex(pd.MultiIndex.from_frame(adjusted[key]))


def _without(adjusted: pd.DataFrame, hidden: np.ndarray, why: np.ndarray) -> pd.DataFrame:
    """`adjusted_gaps` with the numbers of ``hidden`` rows taken out, and p-values adjusted over what remains."""
    unsaid = hidden & adjusted["reason"].isna().to_numpy()
    adjusted.loc[hidden, ADJUSTED] = np.nan
    adjusted.loc[hidden, "obs_status"] = "Q"
    adjusted.loc[unsaid, "reason"] = why[unsaid]
    adjusted["p_adjusted"] = adjusted.groupby("survey_id")["p_value"].transform(lambda p: benjamini_hochberg(p.to_numpy()))
    return adjusted


def _parts_of(parts: pd.DataFrame, adjusted: pd.DataFrame) -> pd.DataFrame:
    """Rows of `gap_decomposition` that belong to rows of ``adjusted``."""
    if parts.empty:
        return parts
    key = ["survey_id", "indicator"]
    return parts[pd.MultiIndex.from_frame(parts[key]).isin(pd.MultiIndex.from_frame(adjusted[key]))].reset_index(drop=True)


def _rounded(adjusted: pd.DataFrame, gap: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Columns `ADJUSTED` of rows with the published ``gap``: the adjusted gap is rounded to ``step``, and tested as it is
    printed; the composition is what then remains, in which there are up to three roundings. Without covariates the adjusted gap
    is the gap."""
    rest = np.where(adjusted["adjusted_for"] == "", gap, to_step(adjusted["adjusted_gap"].to_numpy(np.float64), step))
    exact = {name: adjusted[name].to_numpy(np.float64) for name in ("se", "composition_se", "df")}
    se, t = to_digits(with_rounding(exact["se"], step)), t_quantile(exact["df"])
    of_composition = to_digits(with_rounding(exact["composition_se"], step, step, step))
    composition, reach = np.round(gap - rest, 10), t * of_composition
    tests = [rest - t * se, rest + t * se, p_value(rest, se, exact["df"]), np.full(len(gap), np.nan)]
    return np.column_stack([gap, rest, se, *tests, composition, of_composition, composition - reach, composition + reach])


def codebook_as_published(codebook: pd.DataFrame, estimates: pd.DataFrame, uses: Mapping[str, Collection[str]]) -> pd.DataFrame:
    """`codebook` with counts of answers as coarse as the shares made of them, and without those to questions of which an
    indicator is hidden or rounded for everybody, women, men or others: they would give it away. ``uses``: the harmonised columns
    that each indicator is made of; a column that no indicator uses keeps its counts."""
    if codebook.empty or estimates.empty:
        return codebook
    by_sex = estimates[estimates["breakdown"].isin(["total", SEX])]
    open_ = by_sex.loc[(by_sex["obs_status"] == "Q") | by_sex["rounded_to"].notna(), ["survey_id", "indicator"]].drop_duplicates()
    taken = {(survey, column) for survey, code in zip(open_["survey_id"], open_["indicator"], strict=True) for column in uses[code]}
    gone = np.array([pair in taken for pair in zip(codebook["survey_id"], codebook["variable"], strict=True)], dtype=bool)
    answered = (codebook["kind"] == "answered").to_numpy()
    base = codebook.groupby(["survey_id", "variable"])["n"].transform("sum").to_numpy(np.float64, na_value=np.nan)
    n = codebook["n"].to_numpy(np.float64, na_value=np.nan)
    counts = np.where(answered, to_step(n, step_below(CODEBOOK * np.sqrt(base))), n)
    return codebook.assign(n=pd.array(counts, dtype="Float64")).assign(n=lambda f: f["n"].mask(gone & answered).astype("Int64"))
