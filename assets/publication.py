"""What of the computed estimates and gaps is printed: the rules of `publication_rules.yaml`, applied.

Belongs here: proportions into per cent, statuses and reasons, what is hidden or rounded, in `estimates`, in `gender_gaps` and in
tables made beside them. Not here: the rules (``rga.survey.reliability``, ``rga.survey.disclosure``), how estimates are computed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.microdata.catalogue import Catalogue
from rga.microdata.publication_rules import PublicationRules
from rga.survey import benjamini_hochberg, logit_interval, t_quantile
from rga.survey.design import MEN, MISSING, OTHER, SEX, TOTAL, WOMEN
from rga.survey.disclosure import DisclosureThresholds, Protection, coarsest_step, protect, two_digits
from rga.survey.gaps import verdicts as in_words
from rga.survey.grouping import keys
from rga.survey.margins import GROUP, cells_of
from rga.survey.reliability import nchs, singled_out

PER_CENT = {
    "estimates": ["value", "se", "ci_low", "ci_high", "se_from_total"],
    "gender_gaps": ["women", "men", "gap", "se", "ci_low", "ci_high"],
}
HIDDEN = {
    "estimates": [*PER_CENT["estimates"], "deff", "n_effective", "cv"],
    "gender_gaps": [*PER_CENT["gender_gaps"], "p_value", "p_adjusted", "ratio", "ratio_low", "ratio_high"],
}
ADJUSTED = [
    *("gap", "adjusted_gap", "se", "ci_low", "ci_high", "p_value", "p_adjusted"),
    *("composition", "composition_se", "composition_low", "composition_high"),
]
THREE = 3
VERDICTS = ["dhs_rule", "nchs_rule", "nchs_review", "rounded_to", "obs_status", "conf_status", "reason"]


def published(
    estimates: pd.DataFrame, gaps: pd.DataFrame, catalogue: Catalogue, rules: PublicationRules
) -> dict[str, pd.DataFrame]:
    """Rows of `estimates` and `gender_gaps` as they are printed, from the library's tables (shares 0..1, harmonised codes).

    A thin or confidential cell keeps its row and its n; but of three dimensions there are only cells of known categories with cases
    enough, of indicators whose hidden cells they do not narrow.
    """
    estimates, gaps = estimates.reset_index(drop=True), gaps.reset_index(drop=True)
    verdicts = judged(estimates, rules)
    protection = protected(estimates, verdicts["obs_status"].to_numpy() == "Q", catalogue, rules)
    told = singled_out(verdicts["nchs_rule"].to_numpy(), estimates["n"].to_numpy(), rules.nchs, rules.disclosure.possible_values)
    verdicts = _with_protection(verdicts, protection, told)
    women, men = _sides(estimates, gaps)
    shown = _estimates(estimates, verdicts)
    differences = _gaps(gaps, shown, women, men)
    direction = differences["indicator"].map({code: item.direction for code, item in catalogue.indicators.items()}).to_numpy()
    gap, p_adjusted = differences["gap"].to_numpy(), differences["p_adjusted"].to_numpy()
    words = in_words(gap, p_adjusted, direction, (differences["obs_status"] != "Q").to_numpy())
    # there are cases enough for what confidentiality hides
    differences["verdict"] = np.where(differences["conf_status"] == "C", "withheld", words)
    tables = {"estimates": shown.drop(columns="numerator_n"), "gender_gaps": differences}
    for name, frame in tables.items():
        frame[PER_CENT[name]] *= 100
        for dimension in catalogue.dimensions:
            if dimension in frame:
                frame[dimension] = frame[dimension].replace(catalogue.columns[dimension].sdmx)
    exposed = estimates.loc[protection.exposed, GROUP].drop_duplicates()
    for name, frame in tables.items():
        n = frame["n"] if name == "estimates" else frame[["n_women", "n_men"]].min(axis=1)
        left_out = (n < rules.dhs.suppress_below) | _unknown(frame, catalogue.dimensions)
        left_out |= np.isin(*_numbered(frame, exposed, GROUP))
        tables[name] = frame[~(left_out & (_crossed(frame) >= THREE))]
    return tables


def _crossed(frame: pd.DataFrame) -> np.ndarray:
    """How many dimensions the breakdown of each row has; `total` has none, and counts as 1."""
    code, names = pd.factorize(frame["breakdown"])
    return np.array([1 + str(name).count("*") for name in names], dtype=np.int64)[code]


def _unknown(frame: pd.DataFrame, dimensions: list[str]) -> pd.Series:
    """Cells of which a dimension is unknown or other."""
    given = [name for name in dimensions if name in frame]
    return pd.concat([frame[name].isin([MISSING, OTHER]) for name in given], axis=1).any(axis=1)


def judged(estimates: pd.DataFrame, rules: PublicationRules) -> pd.DataFrame:
    """What the rules on precision say of each estimate: `dhs_rule`, `nchs_rule`, `nchs_review`; hence `obs_status`, `reason`."""
    n, se = estimates["n"].to_numpy(), estimates["se"].to_numpy()
    share = (estimates["statistic"] == "share").to_numpy()
    verdict = nchs(np.where(share, estimates["value"], np.nan), se, n, estimates["df"].to_numpy(), rules.nchs)
    few, some = n < rules.dhs.suppress_below, n < rules.dhs.flag_below
    no_variance = np.isnan(se) | (share & (verdict.step == "undefined"))
    step = np.where(share, verdict.step, "not_judged")
    reviews = {"complement": verdict.complement, "df": verdict.few_df, "bound": verdict.bound}
    number = sum(2**k * (share & flag) for k, flag in enumerate(reviews.values()))
    words = [",".join(name for k, name in enumerate(reviews) if some >> k & 1) for some in range(2 ** len(reviews))]
    suppress = [few, no_variance] + [share & (step == name) for name in ("n_effective", "wide", "relative")]
    reasons = ["few_cases", "no_variance", "nchs_n_effective", "nchs_wide", "nchs_relative"]
    flags = [some, number > 0]
    suppressed, flagged = np.logical_or.reduce(suppress), np.logical_or.reduce(flags)
    return pd.DataFrame(
        {
            "dhs_rule": np.select([few, some], ["suppress", "flag"], default="show"),
            "nchs_rule": step,
            "nchs_review": pd.Series(np.array(words)[number], dtype="string").where(~suppressed & (number > 0)),
            "obs_status": np.select([suppressed, flagged], ["Q", "U"], default="A"),
            "reason": np.select([*suppress, *flags], [*reasons, "under_50_cases", "nchs_review"], default="none"),
        }
    )


def protected(estimates: pd.DataFrame, withheld: np.ndarray, catalogue: Catalogue, rules: PublicationRules) -> Protection:
    """What is hidden or rounded so that no answer can be had, where ``withheld`` cells are hidden for other reasons; of means and
    totals, only those of few respondents. Cells of one and two dimensions come first: those of three do not cost any of them, and
    are not published where they would (``exposed``)."""
    few = [by for by in catalogue.breakdowns if len(by) < THREE]
    small = np.array(estimates["n"] <= rules.disclosure.small_count)
    hidden, rounded, exposed = withheld | small, np.zeros(len(estimates)), np.zeros(len(estimates), dtype=bool)
    shares, crossed = (estimates["statistic"] == "share").to_numpy(), _crossed(estimates)
    settled = np.zeros(len(estimates), dtype=bool)
    for breakdowns in (few, catalogue.breakdowns):
        rows = np.flatnonzero(shares & (crossed <= max(map(len, breakdowns))))
        if len(rows) and len(rows) > settled.sum():
            cells = cells_of(estimates.iloc[rows], breakdowns)
            se = estimates["se"].to_numpy()[rows]
            if settled.any():  # their sums have cycles, of which a reader could make more than is seen
                rounded[rows] = np.where(settled[rows], rounded[rows], coarsest_step(cells, 100 * se, rules.disclosure))
            found = protect(cells, hidden[rows], se, rules.disclosure, rounded[rows], settled[rows])
            small[rows], hidden[rows], rounded[rows], exposed[rows] = found.small, found.hidden, found.rounded_to, found.exposed
            settled[rows] = True
    return Protection(small, hidden, rounded, exposed)


def _with_protection(verdicts: pd.DataFrame, protection: Protection, told: np.ndarray) -> pd.DataFrame:
    """A cell that precision hid already says nothing of its count, unless the rule by itself would have ``told`` it: whether it is
    small as well must not be told. Nor, of the others, which are hidden for their own sake and which for another's, nor what the
    rule on precision made of the count."""
    newly = told | (protection.hidden & (verdicts["obs_status"].to_numpy() != "Q"))
    rounded = (protection.rounded_to > 0) & ~protection.hidden
    reason = np.where(newly, "confidential", np.where(rounded & (verdicts["reason"] == "none"), "rounded", verdicts["reason"]))
    return verdicts.assign(
        rounded_to=np.where(rounded, protection.rounded_to, np.nan),
        nchs_rule=verdicts["nchs_rule"].mask(newly),
        nchs_review=verdicts["nchs_review"].mask(newly),
        obs_status=np.where(newly, "Q", verdicts["obs_status"]),
        conf_status=np.where(newly, "C", "F"),
        reason=reason,
    )[VERDICTS]


def _estimates(frame: pd.DataFrame, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Hidden cells without their numbers; of rounded ones, nothing that would give the unrounded share: with se also deff would."""
    frame = pd.concat([frame, verdicts], axis=1)
    at = frame["rounded_to"].notna().to_numpy()
    exact = {name: frame.loc[at, name].to_numpy(np.float64) for name in ("rounded_to", "value", "se", "se_from_total", "df")}
    step, nothing = exact["rounded_to"] / 100, np.full(int(at.sum()), np.nan)
    value, se = np.round(exact["value"] / step) * step, two_digits(exact["se"])
    low, high = logit_interval(value, se, exact["df"])
    rounded = [value, se, low, high, two_digits(exact["se_from_total"]), nothing, nothing, se / value]
    frame.loc[at, HIDDEN["estimates"]] = np.column_stack(rounded)
    frame.loc[frame["obs_status"] == "Q", HIDDEN["estimates"]] = np.nan
    total = frame["breakdown"] == "total"
    inexact, hidden = (
        np.isin(*_numbered(frame, frame.loc[total & gone, GROUP], GROUP))
        for gone in (frame["rounded_to"].notna(), frame["obs_status"] == "Q")
    )
    # the error of the difference from everybody has everybody's share in it
    frame.loc[inexact, "se_from_total"] = two_digits(frame.loc[inexact, "se_from_total"].to_numpy(np.float64))
    frame.loc[hidden, "se_from_total"] = np.nan
    return frame


def _gaps(frame: pd.DataFrame, estimates: pd.DataFrame, women: np.ndarray, men: np.ndarray) -> pd.DataFrame:
    """A gap is hidden, doubtful or rounded as the worse of its two shares is; where one is rounded, so is all that follows.

    Such a gap is tested as it is printed, a reader could undo the rounding otherwise; its error has that of the rounding in it: a
    step's square by 12, as of any number in its place.
    """
    frame, f, m = frame.copy(), estimates.iloc[women].reset_index(drop=True), estimates.iloc[men].reset_index(drop=True)
    doubt = [side["obs_status"].eq("Q") * 2 + side["obs_status"].eq("U") for side in (f, m)]
    worse = doubt[1] > doubt[0]
    for name in ("obs_status", "conf_status", "reason"):
        frame[name] = f[name].where(~worse, m[name])
    frame["rounded_to"] = np.fmax(f["rounded_to"], m["rounded_to"])
    frame.loc[frame["se"].isna() & (frame["obs_status"] != "Q"), ["obs_status", "reason"]] = "Q", "no_variance"
    at = (frame["rounded_to"].notna() & (frame["obs_status"] != "Q")).to_numpy()
    frame.loc[at & frame["reason"].eq("none"), "reason"] = "rounded"
    of_women, of_men = (side.loc[at, "value"].to_numpy() for side in (f, m))
    exact = {name: frame.loc[at, name].to_numpy(np.float64) for name in ("se", "df", "ratio", "ratio_high")}
    error = [np.nan_to_num(side.loc[at, "rounded_to"].to_numpy(np.float64)) / 100 / np.sqrt(12) for side in (f, m)]
    gap, se = of_women - of_men, two_digits(np.sqrt(exact["se"] ** 2 + error[0] ** 2 + error[1] ** 2))
    ratio = np.divide(of_women, of_men, out=np.full(len(gap), np.nan), where=of_men > 0)
    t = t_quantile(exact["df"])
    reach, of_log = t * se, two_digits(np.log(exact["ratio_high"] / exact["ratio"]))
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.exp(np.sqrt(of_log**2 + t**2 * ((error[0] / of_women) ** 2 + (error[1] / of_men) ** 2)))
    rounded = [of_women, of_men, gap, se, gap - reach, gap + reach, _p_value(gap, se, exact["df"])]
    names = ["women", "men", "gap", "se", "ci_low", "ci_high", "p_value", "ratio", "ratio_low", "ratio_high"]
    frame.loc[at, names] = np.column_stack([*rounded, ratio, ratio / factor, ratio * factor])
    frame.loc[frame["obs_status"] == "Q", [*HIDDEN["gender_gaps"], "rounded_to"]] = np.nan
    p, adjusted = frame["p_value"].to_numpy(), np.full(len(frame), np.nan)
    for rows in frame.groupby(["survey_id", "breakdown"], sort=False).indices.values():
        adjusted[rows] = benjamini_hochberg(p[rows])
    return frame.assign(p_adjusted=adjusted)


def _sides(estimates: pd.DataFrame, gaps: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ``estimates`` with the women and the men of each of ``gaps``."""
    names = [name for name in estimates.columns[: list(estimates).index("value")] if name != SEX]
    cell, wanted = _numbered(estimates, gaps, names)

    def of(sex: str) -> np.ndarray:
        rows = np.flatnonzero(estimates[SEX] == sex)
        rows = rows[np.argsort(cell[rows])]
        found = rows[np.searchsorted(cell[rows], wanted)]
        if not np.array_equal(cell[found], wanted):
            raise ValueError(f"there is a gap without an estimate of {sex}")
        return found

    return of(WOMEN), of(MEN)


def _numbered(one: pd.DataFrame, other: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """A number for each row of two tables: the same where all columns ``names`` are the same."""
    number = keys([pd.factorize(pd.concat([one[name], other[name]], ignore_index=True))[0] for name in names])
    return number[: len(one)], number[len(one) :]


def without_given_away(frame: pd.DataFrame, estimates: pd.DataFrame, sides: dict[str, str]) -> pd.DataFrame:
    """``frame`` without the numbers that `estimates` (as published) hides or rounds: other weights would give them away.

    ``sides``: by column, the sex that it is of; a column is emptied in rows of an indicator whose share is not shown as it is.
    `gap` goes with either side.
    """
    by_sex = estimates[estimates["breakdown"].isin(["total", SEX]) & estimates["category"].eq(TOTAL)]
    inexact = by_sex[(by_sex["obs_status"] == "Q") | by_sex["rounded_to"].notna()]
    taken = set(zip(inexact["survey_id"], inexact["indicator"], inexact[SEX], strict=True))
    frame = frame.copy()
    for column, sex in sides.items():
        of = frame[SEX] if sex == SEX else [sex] * len(frame)
        gone = [key in taken for key in zip(frame["survey_id"], frame["indicator"], of, strict=True)]
        frame.loc[gone, [column, "gap"] if "gap" in frame else [column]] = np.nan
    return frame


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
    step = np.fmax(shown["rounded_to"].to_numpy(np.float64), _step_of_few_covariates(adjusted, rules))
    computed = (adjusted["obs_status"] != "Q").to_numpy()
    hidden = computed & ((shown["obs_status"].fillna("Q") == "Q").to_numpy() | np.isinf(step))
    inexact = computed & ~hidden & ~np.isnan(step)
    gap = shown["gap"].to_numpy(np.float64)
    adjusted.loc[inexact, ADJUSTED] = _rounded(adjusted[inexact], gap[inexact], step[inexact])
    adjusted["rounded_to"] = np.where(inexact, step, np.nan)
    adjusted.loc[adjusted["status"] == "separation", "reason"] = "all or nobody of some category: a regression has no estimate"
    adjusted.loc[hidden, "conf_status"] = shown["conf_status"].fillna("F").to_numpy()[hidden]
    why = "the gap is not shown: " + shown["reason"].fillna("no gap").astype(str).to_numpy()
    why[np.isinf(step)] = "of one or two covariates, and publication_rules.yaml has no step to round it to"
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
    """Columns `ADJUSTED` of rows whose published ``gap`` is rounded to ``step``: the adjusted gap is rounded alike, as gap less
    composition would be the exact one, and tested as it is printed; the composition is what then remains, in which there are up to
    three roundings. Without covariates the adjusted gap is the gap."""
    rest = np.where(adjusted["adjusted_for"] == "", gap, np.round(adjusted["adjusted_gap"] / step) * step)
    exact = {name: adjusted[name].to_numpy(np.float64) for name in ("se", "composition_se", "df")}
    se, t = two_digits(np.sqrt(exact["se"] ** 2 + step**2 / 12)), t_quantile(exact["df"])
    of_composition = two_digits(np.sqrt(exact["composition_se"] ** 2 + 3 * step**2 / 12))
    composition, reach = gap - rest, t * of_composition
    tests = [rest - t * se, rest + t * se, _p_value(rest, se, exact["df"]), np.full(len(gap), np.nan)]
    return np.column_stack([gap, rest, se, *tests, composition, of_composition, composition - reach, composition + reach])


def codebook_as_published(codebook: pd.DataFrame, estimates: pd.DataFrame, uses: Mapping[str, Collection[str]]) -> pd.DataFrame:
    """`codebook` without counts of answers to questions of which an indicator is hidden or rounded for everybody: they would give
    it away. ``uses``: the harmonised columns that each indicator is made of; a column that no indicator uses keeps its counts."""
    if codebook.empty or estimates.empty:
        return codebook
    total = estimates[(estimates["breakdown"] == "total") & ((estimates["obs_status"] == "Q") | estimates["rounded_to"].notna())]
    taken = {(survey, column) for survey, code in zip(total["survey_id"], total["indicator"], strict=True) for column in uses[code]}
    gone = np.array([pair in taken for pair in zip(codebook["survey_id"], codebook["variable"], strict=True)], dtype=bool)
    return codebook.assign(n=codebook["n"].mask(gone & (codebook["kind"] == "answered").to_numpy()))


def _p_value(gap: np.ndarray, se: np.ndarray, df: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((df > 0) & (se > 0), 2 * stdtr(np.maximum(df, 1), -np.abs(gap / se)), np.nan)
