"""How women and men differ: the difference and the ratio of their shares, with the covariance of people in shared
PSUs.

Belongs here: gaps within a survey and their tests. Not here: change over time, gaps adjusted for other variables.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr

from rga.survey.design import MEN, MISSING, OTHER, SEX, WOMEN
from rga.survey.estimation import Part, union
from rga.survey.grouping import Places, as_slice
from rga.survey.intervals import korn_graubard, mover, t_quantile
from rga.survey.sums import Sums
from rga.survey.variance import finished

CLEAR = 0.05
MEASURES = [
    "women", "men", "n_women", "n_men", "gap", "se", "ci_low", "ci_high", "df", "p_value",
    "ratio", "ratio_low", "ratio_high",
]  # fmt: skip


def pairs(sums: Sums, part: Part) -> tuple[Places, Places]:
    """Cells of women and, in the same order, of men with the same known categories of the other dimensions."""
    key = np.zeros(len(part.codes[SEX]), dtype=np.int64)
    known = np.ones(len(key), dtype=bool)
    for name, code in part.codes.items():
        if name != SEX:
            known &= ~np.isin(sums.categories[name], [MISSING, OTHER])[code]
            key = key * len(sums.categories[name]) + code
    sex = sums.categories[SEX][part.codes[SEX]]
    women, men = (np.flatnonzero(known & (sex == code)) for code in (WOMEN, MEN))
    _, f, m = np.intersect1d(key[women], key[men], return_indices=True)
    return as_slice(women[f]), as_slice(men[m])


def differences(part: Part, f: Places, m: Places, is_share: np.ndarray) -> dict[str, np.ndarray]:
    """Differences and ratios of the cells ``f`` and ``m``, surveys x pairs x statistics: the variance of g(women) - g(men) is that
    of each, times the square of the derivative of g, less twice their covariance, times both derivatives. Of shares (``is_share``,
    by statistic) of which one is 0 or 1 it is at least that of `variance_if_alike`. Where both are 0, or both 1, it is 0, and the
    limits come from the two Korn-Graubard intervals (`rga.survey.intervals.mover`)."""
    women, men = part.value[:, f], part.value[:, m]
    covariance = part.deviations.covariance(f, m)
    either = union(part.sample, part.answered, f, m)

    def variance(slope_f: np.ndarray | float, slope_m: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
        raw = slope_f**2 * part.raw[:, f] + slope_m**2 * part.raw[:, m] - 2 * slope_f * slope_m * covariance
        return finished(np.maximum(raw, 0.0), either, part.sample.average)

    of_gap, df = variance(1.0, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_log_ratio, _ = variance(*(np.where(value > 0, 1 / value, 0.0) for value in (women, men)))
        ratio = np.where(men > 0, women / men, np.nan)
    se, n_women, n_men = np.sqrt(of_gap), part.n[:, f], part.n[:, m]
    se[np.isnan(part.se[:, f]) | np.isnan(part.se[:, m])] = np.nan
    se[(part.se[:, f] == 0) & (part.se[:, m] == 0)] = 0.0
    bound = np.nonzero(((women == 0) | (women == 1) | (men == 0) | (men == 1)) & is_share & ~np.isnan(se))
    sides = [side[bound] for side in (women, part.se[:, f], n_women, men, part.se[:, m], n_men)]
    se[bound] = np.fmax(se[bound], np.sqrt(variance_if_alike(*sides)))
    gap, t = women - men, t_quantile(df)
    spread = np.where(se > 0, se, np.nan)
    low, high = gap - t * spread, gap + t * spread
    certain = np.nonzero((women == men) & ((women == 0) | (women == 1)) & is_share & (se == 0))
    sides = [(women, part.se[:, f], n_women, part.df[:, f]), (men, part.se[:, m], n_men, part.df[:, m])]
    limits = np.stack([korn_graubard(*(array[certain] for array in side)) for side in sides], axis=-1)
    both = np.stack([women[certain], men[certain]], axis=-1)
    low[certain], high[certain] = mover(both, *limits, np.array([1.0, -1.0]))
    ratio_se = np.where((women > 0) & (men > 0) & (spread > 0), np.sqrt(of_log_ratio), np.nan)
    p_value = np.where(df > 0, 2 * stdtr(np.maximum(df, 1), -np.abs(gap / spread)), np.nan)
    return {
        "women": women, "men": men, "n_women": n_women, "n_men": n_men,
        "gap": gap, "se": se, "ci_low": low, "ci_high": high, "df": df, "p_value": p_value,
        "ratio": ratio, "ratio_low": ratio * np.exp(-t * ratio_se), "ratio_high": ratio * np.exp(t * ratio_se),
    }  # fmt: skip


def variance_if_alike(
    one: np.ndarray, se_of_one: np.ndarray, n_of_one: np.ndarray, other: np.ndarray, se_of_other: np.ndarray, n_of_other: np.ndarray
) -> np.ndarray:
    """Variance of a difference of shares (0..1) if both were their common one p: deff p(1 - p)(1/n1 + 1/n2), with the design effect
    of the side that has one. NaN but where just one side is 0 or 1, or both are and differ.

    There the side's own variance is 0, as nobody else happens to be in the sample: of 40 and 280 people of whom 5 % say yes, 11 %
    of samples without any difference have p < 0.001 by it, and the score test is what remains (Agresti 2013, section 3.2.1).
    """
    bounds = [(side == 0) | (side == 1) for side in (one, other)]
    common = (n_of_one * one + n_of_other * other) / np.maximum(n_of_one + n_of_other, 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        effects = [
            np.where(bound, 1.0, se**2 * n / (side * (1 - side)))
            for bound, side, se, n in zip(bounds, (one, other), (se_of_one, se_of_other), (n_of_one, n_of_other), strict=True)
        ]
        alike = np.fmax(*effects) * common * (1 - common) * (1 / n_of_one + 1 / n_of_other)
    return np.where((bounds[0] | bounds[1]) & (one != other), alike, np.nan)


def verdicts(gap: np.ndarray, p_adjusted: np.ndarray, direction: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """Each gap in words: who is worse off, if the data tell.

    ``direction`` is that of the indicator (`more_is_worse`, `more_is_better`, or `neutral`, of which only who has more can be
    said). A gap is clear where ``p_adjusted`` is at most 0.05, and `too few cases` where it is not ``shown``; of those, a release
    calls `withheld` what confidentiality alone hides.
    """
    clear = p_adjusted <= CLEAR
    women_have_more = gap > 0
    worse = np.where(women_have_more == (direction == "more_is_worse"), "women worse", "men worse")
    higher = np.where(women_have_more, "women higher", "men higher")
    return np.select([~shown, ~clear, direction == "neutral"], ["too few cases", "no clear gap", higher], worse)


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
