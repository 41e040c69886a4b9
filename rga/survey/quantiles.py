"""Quantiles of a weighted sample, and Woodruff's interval of them.

Belongs here: the quantile itself, its limits and its standard error. Not here: the variance of a share, on which they rest.
"""

from __future__ import annotations

import numpy as np

from rga.survey.intervals import korn_graubard, t_quantile

# Sums of weights that differ by rounding are the same: half of ten equal weights is five of them.
ROUNDING = 1e-12


def weighted_quantile(y: np.ndarray, weight: np.ndarray, q: np.ndarray) -> np.ndarray:
    """The smallest y such that at least the share ``q`` of the weight is at or below it, for every q; NaN where q is not in 0..1.

    The left-continuous inverse of the weighted distribution function: always an answer that somebody gave, which is what is wanted
    of codes, counts and heaped numbers. R's default, ``svyquantile(qrule = "math")``, but where the first answer alone holds more
    than ``q`` of the weight: R survey 4.1-1 then returns the second. ``y`` and ``weight`` (not 0) are one-dimensional and not
    empty.
    """
    order = np.argsort(y, kind="stable")
    y, reached = y[order], np.cumsum(weight[order])
    total, reached = reached[-1], np.maximum.accumulate(reached)  # with negative weights it may fall
    q = np.asarray(q, dtype=np.float64)
    inside = (q >= 0) & (q <= 1)
    place = np.searchsorted(reached, np.where(inside, q, 0.0) * total * (1 - ROUNDING), side="left")
    return np.where(inside, y[np.minimum(place, len(y) - 1)], np.nan)


def levels_at_the_top(n: int, df: float, q: float, confidence: float = 0.95) -> tuple[float, float]:
    """Levels whose quantiles are the limits of the quantile ``q``, where all of ``n`` respondents are at or below it.

    The share at or below it is 1, with standard error 0, which says nothing. Its lower Korn-Graubard limit is the lower level. The
    largest answer is a limit (level 1) where that lower limit reaches ``q``; otherwise people who were not asked may well have
    more, and NaN says that no answer of the sample is one.
    """
    low, _ = korn_graubard(np.ones(()), np.zeros(()), np.array(n), np.array(df), confidence)
    return float(low), 1.0 if low >= q else np.nan


def woodruff(
    y: np.ndarray, weight: np.ndarray, q: float, level: float, se: float, df: float, confidence: float = 0.95
) -> tuple[float, float, float]:
    """Limits of the quantile ``q``, and its standard error: (low, high, se).

    ``level`` is the estimated share at or below the quantile, ``se`` that share's standard error. The limits are the quantiles at
    level ± t(df) se (Woodruff 1952; Francisco and Fuller 1991), the standard error their distance over 2 t. R
    ``svyquantile(interval.type = "mean")``, but where everybody is at or below the quantile (`levels_at_the_top`): R then gives
    the quantile itself as both limits. NaN where level ± t(df) se leaves 0..1 (no answer in the sample is a limit), where df
    is not positive or se is not known; a missing limit leaves no standard error. Where many give the same answer both limits can
    be equal to it, and the standard error 0: the interval then says more than the error.
    """
    t = float(t_quantile(np.array(df), confidence))
    levels = (level - t * se, level + t * se)
    if level >= 1 - ROUNDING and not np.isnan(se):
        levels = levels_at_the_top(len(y), df, q, confidence)
    low, high = weighted_quantile(y, weight, np.array(levels))
    return float(low), float(high), float((high - low) / (2 * t))
