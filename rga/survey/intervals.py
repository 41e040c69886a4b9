"""Confidence limits of a proportion: logit and Korn-Graubard.

Belongs here: limits from an estimate, its standard error and degrees of freedom. Not here: standard errors, or
verdicts on them.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincinv, expit, stdtrit  # scipy.stats takes two seconds to import


def t_quantile(df: np.ndarray, level: float = 0.95) -> np.ndarray:
    """Two-sided t quantile; NaN where ``df`` is not positive."""
    df = np.asarray(df, dtype=np.float64)
    return np.where(df > 0, stdtrit(np.where(df > 0, df, 1.0), (1 + level) / 2), np.nan)


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

    n* = p(1-p)/se^2 times (t(n-1)/t(df))^2, never more than ``n``; n* = n where p is 0 or 1. ``capped=False`` gives
    R's ``svyciprop(method = "beta")``, which has no cap and no value at 0 and 1. NaN where df is 0 or se is not known.
    """
    p, se, n = (np.asarray(x, dtype=np.float64) for x in (p, se, n))
    inside = (p > 0) & (p < 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        effective = p * (1 - p) / se**2 * (t_quantile(n - 1, level) / t_quantile(df, level)) ** 2
    if capped:
        effective = np.minimum(effective, n)
    size = np.where(inside, effective, n)
    successes = size * p
    tail = (1 - level) / 2
    with np.errstate(invalid="ignore"):
        low = np.where(p > 0, betaincinv(np.where(p > 0, successes, 1.0), size - successes + 1, tail), 0.0)
        high = np.where(p < 1, betaincinv(successes + 1, np.where(p < 1, size - successes, 1.0), 1 - tail), 1.0)
    known = (np.asarray(df) > 0) & np.isfinite(size) & np.isfinite(p) & ~np.isnan(se)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)
