"""What of the computed estimates and gaps is printed: the rules of `publication_rules.yaml`, applied.

Belongs here: proportions into per cent, statuses and reasons, what is hidden or rounded, in `estimates`, in `gender_gaps` and in
tables made beside them. Not here: the rules (``rga.survey.reliability``, ``rga.survey.disclosure``), how estimates are computed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.microdata.catalogue import Catalogue
from rga.microdata.publication_rules import PublicationRules
from rga.survey import benjamini_hochberg, logit_interval, t_interval, t_quantile
from rga.survey.design import MEN, MISSING, OTHER, SEX, WOMEN
from rga.survey.disclosure import Protection, coarsest_step, protect
from rga.survey.gaps import verdicts as in_words
from rga.survey.grouping import keys
from rga.survey.margins import GROUP, cells_of
from rga.survey.precision import OF_ERROR, of_printed_share, outward, step_below, to_digits, to_step, with_rounding
from rga.survey.reliability import nchs, told_by_name

HIDDEN = {
    "estimates": ["value", "se", "ci_low", "ci_high", "se_from_total", "deff", "n_effective", "cv"],
    "gender_gaps": [
        *("women", "men", "gap", "se", "ci_low", "ci_high", "p_value", "p_adjusted", "ratio", "ratio_low", "ratio_high"),
    ],
}
STEPS = ["precision", "rounded_to"]  # percentage points; of what is hidden there is neither
THREE = 3
VERDICTS = ["dhs_rule", "nchs_rule", "nchs_review", "precision", "rounded_to", "obs_status", "conf_status", "reason"]
ALIKE = 0.05  # a design effect nearer to 1 than this is as good as that of equal weights
LIMIT_DIGITS, P_DIGITS, RATIO_DIGITS = 4, 3, 3  # of numbers that follow from printed ones


def published(
    estimates: pd.DataFrame,
    gaps: pd.DataFrame,
    catalogue: Catalogue,
    rules: PublicationRules,
    population_steps: Mapping[str, float],
) -> dict[str, pd.DataFrame]:
    """Rows of `estimates` and `gender_gaps` as they are printed, from the library's tables (shares 0..1, harmonised codes).

    A thin or confidential cell keeps its row and its n; but of three dimensions there are only cells of known categories with cases
    enough, of indicators whose secrets they do not narrow. Every number is computed from numbers rounded first
    (``rga.survey.precision``). ``population_steps``: by survey, to a multiple of what `population` is printed.
    """
    estimates, gaps = estimates.reset_index(drop=True), gaps.reset_index(drop=True)
    verdicts = judged(estimates, rules)
    protection = protected(estimates, verdicts, catalogue, rules)
    verdicts = _with_protection(verdicts, protection)
    women, men = _sides(estimates, gaps)
    shown = _estimates(estimates, verdicts, population_steps)
    exact = [estimates["se"].to_numpy(np.float64)[rows] for rows in (women, men)]
    differences = _gaps(gaps, shown.iloc[women].reset_index(drop=True), shown.iloc[men].reset_index(drop=True), *exact)
    direction = differences["indicator"].map({code: item.direction for code, item in catalogue.indicators.items()}).to_numpy()
    gap, p_adjusted = differences["gap"].to_numpy(), differences["p_adjusted"].to_numpy()
    words = in_words(gap, p_adjusted, direction, (differences["obs_status"] != "Q").to_numpy())
    # there are cases enough for what confidentiality hides
    differences["verdict"] = np.where(differences["conf_status"] == "C", "withheld", words)
    tables = {"estimates": shown.drop(columns="numerator_n"), "gender_gaps": differences}
    for frame in tables.values():
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
    """What the rules on precision say of each estimate: `dhs_rule`, `nchs_rule`, `nchs_review`; hence `obs_status`, `reason`; and
    the step (`precision`, unit of the printed value) that says no more than the sample knows, 0 at 0 and 100 %. Shares whose count
    the rules would give away are `told`: they are treated as small ones."""
    n, se = estimates["n"].to_numpy(), estimates["se"].to_numpy()
    share = (estimates["statistic"] == "share").to_numpy()
    verdict = nchs(np.where(share, estimates["value"], np.nan), se, n, estimates["df"].to_numpy(), rules.nchs)
    few, some = n < rules.dhs.suppress_below, n < rules.dhs.flag_below
    no_variance = np.isnan(se) | (share & (verdict.step == "undefined"))
    alike = (np.abs(estimates["deff"].to_numpy(np.float64) - 1) < ALIKE).astype(bool)  # of others no reader knows the effective n
    unnamed, told = (alike & mask for mask in told_by_name(verdict.step, n, rules.nchs, rules.disclosure.possible_values))
    step = np.where(share, np.where(unnamed, "interval", verdict.step), "not_judged")
    reviews = {"complement": verdict.complement, "df": verdict.few_df, "bound": verdict.bound}
    number = sum(2**k * (share & flag) for k, flag in enumerate(reviews.values()))
    words = [",".join(name for k, name in enumerate(reviews) if some >> k & 1) for some in range(2 ** len(reviews))]
    suppress = [few, no_variance] + [share & (step == name) for name in ("n_effective", "wide", "relative", "interval")]
    reasons = ["few_cases", "no_variance", "nchs_n_effective", "nchs_wide", "nchs_relative", "nchs_interval"]
    flags = [some, number > 0]
    suppressed, flagged = np.logical_or.reduce(suppress), np.logical_or.reduce(flags)
    return pd.DataFrame(
        {
            "dhs_rule": np.select([few, some], ["suppress", "flag"], default="show"),
            "nchs_rule": step,
            "nchs_review": pd.Series(np.array(words)[number], dtype="string").where(~suppressed & (number > 0)),
            "precision": step_below(OF_ERROR * se * np.where(share, 100, 1)),
            "told": share & told,
            "obs_status": np.select([suppressed, flagged], ["Q", "U"], default="A"),
            "reason": np.select([*suppress, *flags], [*reasons, "under_50_cases", "nchs_review"], default="none"),
        }
    )


def protected(estimates: pd.DataFrame, verdicts: pd.DataFrame, catalogue: Catalogue, rules: PublicationRules) -> Protection:
    """What is hidden or rounded so that no secret can be had, given what the rules on precision say (`judged`); of means and
    totals, only those of few respondents are hidden. Cells of one and two dimensions come first: those of three do not cost any
    of them, and are not published where they would (``exposed``)."""
    few = [by for by in catalogue.breakdowns if len(by) < THREE]
    withheld = (verdicts["obs_status"] == "Q").to_numpy()
    told, precision = verdicts["told"].to_numpy(), np.array(np.where(withheld, 0.0, verdicts["precision"]))
    small = np.array(estimates["n"] <= rules.disclosure.small_count)
    nothing = np.zeros(len(estimates))
    made = Protection(np.zeros(len(estimates), dtype=bool), withheld | small, nothing, np.zeros(len(estimates), dtype=bool))
    shares, crossed = (estimates["statistic"] == "share").to_numpy(), _crossed(estimates)
    settled = np.zeros(len(estimates), dtype=bool)
    for breakdowns in (few, catalogue.breakdowns):
        rows = np.flatnonzero(shares & (crossed <= max(map(len, breakdowns))))
        if len(rows) and len(rows) > settled.sum():
            cells = cells_of(estimates.iloc[rows], breakdowns)
            se, fine = estimates["se"].to_numpy()[rows], precision[rows]
            if settled.any():  # their sums have cycles, of which a reader could make more than is seen
                fine = np.where(settled[rows], fine, np.maximum(fine, coarsest_step(cells, 100 * se, rules.disclosure)))
            before = Protection(*(array[rows] for array in vars(made).values()))
            found = protect(cells, withheld[rows], se, rules.disclosure, fine, told[rows], before, settled[rows])
            step = np.where(fine > precision[rows], np.maximum(fine, found.rounded_to), found.rounded_to)
            for array, part in zip(vars(made).values(), (found.secret, found.hidden, step, found.exposed), strict=True):
                array[rows] = part
            settled[rows] = True
    return made


def _with_protection(verdicts: pd.DataFrame, protection: Protection) -> pd.DataFrame:
    """A cell that precision hid already says nothing of its count: whether it is small as well must not be told. Nor, of the
    others, which are hidden for their own sake and which for another's, nor what the rule on precision made of the count."""
    newly = verdicts["told"].to_numpy() | (protection.hidden & (verdicts["obs_status"].to_numpy() != "Q"))
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


def _estimates(frame: pd.DataFrame, verdicts: pd.DataFrame, population_steps: Mapping[str, float]) -> pd.DataFrame:
    """Numbers as they are printed, shares in per cent; hidden cells without theirs.

    The value is rounded, the design effect has two digits, and all else follows from these (and from the errors of differences from
    everybody, to two digits), so that no other number leads back behind them. Errors and limits contain the rounding.
    """
    frame = pd.concat([frame, verdicts], axis=1)
    of_one = {
        name: frame[name].to_numpy(np.float64) for name in ("value", "se", "ci_low", "ci_high", "se_from_total", "deff", "df")
    }
    share, n = (frame["statistic"] == "share").to_numpy(), frame["n"].to_numpy(np.float64)
    unit, step = np.where(share, 100.0, 1.0), _step(frame)
    value = to_step(unit * of_one["value"], step)
    se = np.where(share, of_printed_share(value / unit, of_one["value"], of_one["se"], of_one["deff"]), of_one["se"])
    se = to_digits(with_rounding(unit * se, step))
    low, high = (
        np.where(share, unit * by_logit, by_t)
        for by_logit, by_t in zip(
            logit_interval(value / unit, se / unit, of_one["df"]), t_interval(value, se, of_one["df"]), strict=True
        )
    )
    bound = share & np.isnan(low)  # nobody or everybody: of n alone
    low, high = np.where(bound, unit * of_one["ci_low"], low), np.where(bound, unit * of_one["ci_high"], high)
    low, high = outward(low, high, LIMIT_DIGITS)
    deff = to_digits(of_one["deff"])
    total = (frame["breakdown"] == "total").to_numpy()
    of_total, hidden = (
        _of_total(frame, step),
        np.isin(*_numbered(frame, frame.loc[total & (frame["obs_status"] == "Q"), GROUP], GROUP)),
    )
    from_total = to_digits(with_rounding(unit * of_one["se_from_total"], step, of_total))
    with np.errstate(divide="ignore", invalid="ignore"):
        numbers = [value, se, low, high, np.where(hidden, np.nan, from_total), deff, to_digits(n / deff, 3), to_digits(se / value)]
    frame[HIDDEN["estimates"]] = np.column_stack(numbers)
    frame.loc[frame["obs_status"] == "Q", [*HIDDEN["estimates"], *STEPS]] = np.nan
    frame["precision"] = frame["precision"].where(frame["precision"] > 0)
    people = to_step(frame["population"].to_numpy(np.float64), frame["survey_id"].map(population_steps).to_numpy(np.float64))
    return frame.assign(population=np.where(people > 0, people, np.nan))


def _step(frame: pd.DataFrame) -> np.ndarray:
    """To a multiple of what the value of each row is printed; 0: as it is."""
    return np.nan_to_num(np.fmax(frame["rounded_to"].to_numpy(np.float64), frame["precision"].to_numpy(np.float64)))


def _of_total(frame: pd.DataFrame, step: np.ndarray) -> np.ndarray:
    """Of each row the step of everybody's."""
    group = frame.groupby(GROUP, sort=False).ngroup().to_numpy()
    found = np.zeros(int(group.max(initial=-1)) + 1)
    total = (frame["breakdown"] == "total").to_numpy()
    found[group[total]] = step[total]
    return found[group]


def _gaps(frame: pd.DataFrame, women: pd.DataFrame, men: pd.DataFrame, se_women: np.ndarray, se_men: np.ndarray) -> pd.DataFrame:
    """Gaps of the printed rows ``women`` and ``men``: hidden, doubtful or rounded as the worse of the two is, and tested as they
    are printed, or a reader could undo the rounding.

    Its variance is that of both printed shares, times its exact ratio to that of both exact ones (of ``se_women``, ``se_men``) to
    two digits: 1 where women and men are independent. Where a share is nobody's or everybody's it is the library's, to two digits.
    """
    frame = frame.copy()
    doubt = [side["obs_status"].eq("Q") * 2 + side["obs_status"].eq("U") for side in (women, men)]
    worse = doubt[1] > doubt[0]
    for name in ("obs_status", "conf_status", "reason"):
        frame[name] = women[name].where(~worse, men[name])
    for name in STEPS:
        frame[name] = np.fmax(women[name], men[name])
    frame.loc[frame["se"].isna() & (frame["obs_status"] != "Q"), ["obs_status", "reason"]] = "Q", "no_variance"
    shown = frame["obs_status"] != "Q"
    frame.loc[shown & frame["rounded_to"].notna() & frame["reason"].eq("none"), "reason"] = "rounded"
    sides = [side["value"].to_numpy(np.float64) for side in (women, men)]
    errors = [side["se"].to_numpy(np.float64) for side in (women, men)]
    steps = [_step(side) for side in (women, men)]
    df, exact = frame["df"].to_numpy(np.float64), frame["se"].to_numpy(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = to_digits(exact**2 / (se_women**2 + se_men**2))
        bound = (np.minimum(*errors) == 0) | ~np.isfinite(ratio)
        se = np.where(bound, with_rounding(100 * exact, *steps), np.sqrt(ratio * (errors[0] ** 2 + errors[1] ** 2)))
        se, gap = to_digits(se), np.round(sides[0] - sides[1], 10)
        t = t_quantile(df)
        times = np.where(sides[1] > 0, sides[0] / sides[1], np.nan)
        of_log = to_digits(np.log((frame["ratio_high"] / frame["ratio"]).to_numpy(np.float64)))
        factor = np.exp(np.sqrt(of_log**2 + t**2 * sum(step**2 / 12 / side**2 for step, side in zip(steps, sides, strict=True))))
        low, high = (np.where(se > 0, gap + sign * t * se, 100 * frame[name]) for sign, name in ((-1, "ci_low"), (1, "ci_high")))
        low, high = outward(low, high, LIMIT_DIGITS)  # where both are nobody's, or everybody's, the library's: of n alone
        fewest, most = outward(times / factor, times * factor, RATIO_DIGITS)
    numbers = [*sides, gap, se, low, high, to_digits(p_value(gap, se, df), P_DIGITS), np.full(len(gap), np.nan)]
    frame[HIDDEN["gender_gaps"]] = np.column_stack([*numbers, to_digits(times, RATIO_DIGITS), fewest, most])
    frame.loc[~shown, [*HIDDEN["gender_gaps"], *STEPS]] = np.nan
    p, adjusted = frame["p_value"].to_numpy(), np.full(len(frame), np.nan)
    for rows in frame.groupby(["survey_id", "breakdown"], sort=False).indices.values():
        adjusted[rows] = benjamini_hochberg(p[rows])
    return frame.assign(p_adjusted=to_digits(adjusted, P_DIGITS))


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


def p_value(gap: np.ndarray, se: np.ndarray, df: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((df > 0) & (se > 0), 2 * stdtr(np.maximum(df, 1), -np.abs(gap / se)), np.nan)
