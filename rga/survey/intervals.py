"""Confidence limits: t of anything; logit, Wilson and Korn-Graubard of a proportion.

Belongs here: limits from an estimate, its standard error and degrees of freedom. Not here: standard errors, or
verdicts on them.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, expit, ndtri, stdtrit  # scipy.stats takes two seconds to import


def t_quantile(df: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Two-sided t quantile; NaN where ``df`` is not positive."""
    distinct, place = np.unique(np.asarray(df, dtype=np.float64), return_inverse=True)  # few, and each takes a while
    return np.where(distinct > 0, stdtrit(np.where(distinct > 0, distinct, 1.0), (1 + level) / 2), np.nan)[place]


def logit_interval(p: np.ndarray, se: np.ndarray, df: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Limits symmetric on the logit scale, t(df). NaN where p is 0 or 1, df is 0, or se is not known.

    R: ``svyciprop(method = "xlogit")``; its ``"logit"`` is the same up to the fit's tolerance.
    """
    p, se = np.asarray(p, dtype=np.float64), np.asarray(se, dtype=np.float64)
    inside = (p > 0) & (p < 1)
    q = np.where(inside, p, 0.5)
    centre, reach = np.log(q / (1 - q)), t_quantile(df, level) * se / (q * (1 - q))
    low, high = expit(centre - reach), expit(centre + reach)
    return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def korn_graubard(
    p: np.ndarray, se: np.ndarray, n: np.ndarray, df: np.ndarray, level: float = 0.95, capped: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Clopper-Pearson limits at the effective sample size (Korn and Graubard 1998), in the NCHS form (Parker et al.
    2017).

    At n* of `effective_n`. ``capped=False`` gives R's ``svyciprop(method = "beta")``, which has no cap and no value at 0 and 1.
    NaN where df is 0 or se is not known.
    """
    p, size = np.asarray(p, dtype=np.float64), effective_n(p, se, n, df, level, capped)
    successes = size * p
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(p > 0, betaincinv(np.where(p > 0, successes, 1.0), size - successes + 1, tail), 0.0)
        high = np.where(p < 1, betaincinv(successes + 1, np.where(p < 1, size - successes, 1.0), 1 - tail), 1.0)
    known = np.isfinite(size) & np.isfinite(p)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def wilson(p: np.ndarray, se: np.ndarray, n: np.ndarray, df: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Score limits (Wilson 1927) at the effective sample size n* of `effective_n` (Franco, Little, Louis and Slud 2019).

    (p + z^2/2n* ± z sqrt(p(1-p)/n* + z^2/4n*^2)) / (1 + z^2/n*), z the normal quantile; within 0..1. n* = n where p is 0 or 1. NaN
    where df is 0 or se is not known.
    """
    p, size = np.asarray(p, dtype=np.float64), effective_n(p, se, n, df, level)
    z = ndtri((1 + level) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = p + z**2 / (2 * size)
        reach = z * np.sqrt(p * (1 - p) / size + z**2 / (4 * size**2))
        low, high = (centre - reach) / (1 + z**2 / size), (centre + reach) / (1 + z**2 / size)
    # Exact at the ends, where rounding would leave 1e-17.
    return np.where(p == 0, low * 0, low), np.where(p == 1, 1 + high * 0, high)


def t_interval(value: np.ndarray, se: np.ndarray, df: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """value ± t(df) se, the Wald interval; df infinite takes the normal quantile. NaN where df is 0 or se is not known.

    R: ``confint(svymean(), df = degf())``; of a proportion ``svyciprop(method = "mean")``, which may leave 0..1.
    """
    value, reach = np.asarray(value, dtype=np.float64), t_quantile(df, level) * np.asarray(se, dtype=np.float64)
    return value - reach, value + reach


def mover(value: np.ndarray, low: np.ndarray, high: np.ndarray, coefficients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Limits of sum c_k v_k from the limits of each v_k, whose errors are taken to be independent; k is the last axis.

    Below the estimate by the root of the sum of squares of what each term may be off on that side: the method of variance
    estimates recovery (Newcombe 1998, method 10; Zou and Donner 2008). NaN where a limit that takes part is not known.
    """
    below, above = ((np.where(coefficients != 0, side, 0.0)) for side in (value - low, high - value))
    down, up = np.where(coefficients > 0, below, above), np.where(coefficients > 0, above, below)
    centre = np.where(coefficients != 0, coefficients * value, 0.0).sum(axis=-1)
    reach = [np.sqrt(((coefficients * side) ** 2).sum(axis=-1)) for side in (down, up)]
    return centre - reach[0], centre + reach[1]


def effective_n(
    p: np.ndarray, se: np.ndarray, n: np.ndarray, df: np.ndarray, level: float = 0.95, capped: bool = True
) -> np.ndarray:
    """Respondents of a simple random sample as informative as this one (Korn and Graubard 1998).

    p(1-p)/se^2 times (t(n-1)/t(df))^2, never more than ``n`` unless ``capped`` is false; ``n`` where p is 0 or 1. NaN where df is 0
    or se is not known.
    """
    p, se, n, df = (np.asarray(x, dtype=np.float64) for x in (p, se, n, df))
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = p * (1 - p) / se**2 * (t_quantile(n - 1, level) / t_quantile(df, level)) ** 2
    if capped:
        effective = np.minimum(effective, n)
    effective = np.where((p > 0) & (p < 1), effective, n)
    return np.where((df > 0) & ~np.isnan(se), effective, np.nan)
