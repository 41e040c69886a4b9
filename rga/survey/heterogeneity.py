"""How much a gap differs from country to country, and its mean over countries that are taken for draws.

Belongs here: Q, the variance between countries, random-effects means. Not here: estimates of the surveyed countries themselves
(``regional``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtrc, stdtr

from rga.survey.intervals import t_quantile

STEPS = 1000
GRID = 60
TOLERANCE = 1e-13  # of tau2, in mean sampling variances


@dataclass(frozen=True)
class Heterogeneity:
    """One number per row (set of countries); NaN where fewer than two countries have a standard error.

    ``k`` countries; ``q`` with ``q_p`` on k - 1 degrees of freedom; ``tau2`` the variance between countries (REML), ``tau2_dl`` and
    ``tau2_pm`` by other estimators, in the square of the effect's unit; ``i2`` in per cent; ``mean`` with ``se``, limits,
    ``p_value`` and the limits of a further country's effect, ``prediction_low`` and ``prediction_high``.
    """

    k: np.ndarray
    q: np.ndarray
    q_p: np.ndarray
    tau2: np.ndarray
    tau2_dl: np.ndarray
    tau2_pm: np.ndarray
    i2: np.ndarray
    mean: np.ndarray
    se: np.ndarray
    ci_low: np.ndarray
    ci_high: np.ndarray
    p_value: np.ndarray
    prediction_low: np.ndarray
    prediction_high: np.ndarray


def heterogeneity(effect: np.ndarray, variance: np.ndarray, level: float = 0.95) -> Heterogeneity:
    """Heterogeneity of ``effect`` with sampling ``variance``, both rows x countries; NaN in either leaves a country out.

    With w = 1/v, S_j = sum w^j and mu the mean by w: Q = sum w (y - mu)^2 (Cochran 1954); the typical variance
    s2 = (k - 1) S_1 / (S_1^2 - S_2), I2 = tau2 / (tau2 + s2) (Higgins and Thompson 2002). With w = 1/(v + tau2): the mean has the
    variance max(1, sum w (y - mu)^2 / (k - 1)) / sum w and t(k - 1) (Hartung and Knapp 2001; Knapp and Hartung 2003 for the
    maximum, without which a few countries that happen to agree give an interval shorter than their sampling errors allow); the
    effect of a further country is within mu +- t(k - 1) sqrt(tau2 + se^2) (Higgins, Thompson and Spiegelhalter 2009). R: metafor
    ``rma(y, v, method = "REML", test = "adhoc")`` and ``predict``. A country whose variance is not positive takes no part.
    """
    known = np.isfinite(effect) & np.isfinite(variance) & (np.nan_to_num(variance) > 0)
    k = known.sum(axis=1)
    enough = k >= 2
    scale = np.where(k > 0, np.where(known, variance, 0.0).sum(axis=1) / np.maximum(k, 1), 1.0)  # so that tolerances have a unit
    y = np.where(known, effect, 0.0) / np.sqrt(scale)[:, None]
    v = np.where(known, variance, np.inf) / scale[:, None]

    w = 1 / v
    first, second = w.sum(axis=1), (w**2).sum(axis=1)
    q = _fit(y, v, np.zeros(len(k)))[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        divisor = first - second / first
        dl = np.maximum((q - (k - 1)) / divisor, 0.0)
        typical = (k - 1) / divisor
        tau2 = _reml(y, v, known, enough)
        mean, spread, weight = _fit(y, v, tau2)
        se = np.sqrt(np.maximum(spread / (k - 1), 1.0) / weight)
        p_value = 2 * stdtr(np.maximum(k - 1, 1), -np.abs(mean / se))
        t = t_quantile(k - 1, level)
        reach = t * np.sqrt(tau2 + se**2)
        i2 = 100 * tau2 / (tau2 + typical)
    unit = np.sqrt(scale)

    def kept(found: np.ndarray, of: np.ndarray | float = 1.0) -> np.ndarray:
        return np.where(enough, found * of, np.nan)

    return Heterogeneity(
        k=k,
        q=kept(q),
        q_p=kept(chdtrc(np.maximum(k - 1, 1), q)),
        tau2=kept(tau2, scale),
        tau2_dl=kept(dl, scale),
        tau2_pm=kept(_paule_mandel(y, v, enough), scale),
        i2=kept(i2),
        mean=kept(mean, unit),
        se=kept(se, unit),
        ci_low=kept(mean - t * se, unit),
        ci_high=kept(mean + t * se, unit),
        p_value=kept(p_value),
        prediction_low=kept(mean - reach, unit),
        prediction_high=kept(mean + reach, unit),
    )


def _fit(y: np.ndarray, v: np.ndarray, tau2: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean by w = 1/(v + tau2), the weighted sum of squares around it, and sum w. ``v`` is infinite where a country is not."""
    w = 1 / (v + tau2[:, None])
    total = w.sum(axis=1)
    mean = np.divide((w * y).sum(axis=1), total, out=np.zeros_like(total), where=total > 0)
    return mean, (w * (y - mean[:, None]) ** 2).sum(axis=1), total


def _reml(y: np.ndarray, v: np.ndarray, known: np.ndarray, enough: np.ndarray) -> np.ndarray:
    """Restricted maximum likelihood estimate of tau2, not negative (Viechtbauer 2005).

    Fisher scoring: tau2 += (y'PPy - tr P) / tr PP with P = W - W 1 1' W / sum w; never to where the likelihood is less. It starts
    from the most likely of `GRID` values, as variances that lie decades apart give the likelihood more than one peak (metafor,
    which starts from one estimate, may then stop at another).
    """
    rows = np.flatnonzero(enough)
    tau2 = np.zeros(len(y))
    tau2[rows] = _most_likely(y[rows], v[rows], known[rows])
    for _ in range(STEPS):
        if not len(rows):
            break
        at, effects, variances = tau2[rows], y[rows], v[rows]
        centre, spread, _ = _fit(effects, variances, at)
        w = 1 / (variances + at[:, None])
        one, two, three = (w.sum(axis=1), (w**2).sum(axis=1), (w**3).sum(axis=1))
        score = (w**2 * (effects - centre[:, None]) ** 2).sum(axis=1) - (one - two / one)
        step = score / (two - 2 * three / one + (two / one) ** 2)
        before = _likelihood(known[rows], variances, at, spread, one)
        for _ in range(60):
            new = np.maximum(at + step, 0.0)
            _, spread, total = _fit(effects, variances, new)
            worse = _likelihood(known[rows], variances, new, spread, total) < before - 1e-14 * np.abs(before)
            if not worse.any():
                break
            step = np.where(worse, step / 2, step)
        tau2[rows] = new
        rows = rows[np.abs(new - at) > TOLERANCE * (1 + at)]
    tau2[rows] = np.nan  # did not settle
    return tau2


def _most_likely(y: np.ndarray, v: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The most likely of 0 and `GRID` values up to the largest squared difference of effects."""
    highest = np.where(known, y, -np.inf).max(axis=1, initial=-np.inf) - np.where(known, y, np.inf).min(axis=1, initial=np.inf)
    best, most = np.zeros(len(y)), np.full(len(y), -np.inf)
    for part in (0.0, *np.geomspace(1e-8, 1, GRID)):
        tau2 = part * highest**2
        _, spread, total = _fit(y, v, tau2)
        likelihood = _likelihood(known, v, tau2, spread, total)
        best, most = np.where(likelihood > most, tau2, best), np.maximum(likelihood, most)
    return best


def _likelihood(known: np.ndarray, v: np.ndarray, tau2: np.ndarray, spread: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Restricted log-likelihood but for a constant."""
    logs = np.log(np.where(known, v + tau2[:, None], 1.0)).sum(axis=1)
    return -0.5 * (logs + np.log(total) + spread)


def _paule_mandel(y: np.ndarray, v: np.ndarray, enough: np.ndarray) -> np.ndarray:
    """The tau2 at which the weighted sum of squares is k - 1, 0 where it is less at 0 (Paule and Mandel 1982).

    Newton's steps from 0 come from one side, as the sum is convex and falls (DerSimonian and Kacker 2007).
    """
    tau2 = np.zeros(len(y))
    degrees = np.isfinite(v).sum(axis=1) - 1
    rows = np.flatnonzero(enough)
    for _ in range(STEPS):
        if not len(rows):
            break
        at = tau2[rows]
        mean, spread, _ = _fit(y[rows], v[rows], at)
        w = 1 / (v[rows] + at[:, None])
        slope = (w**2 * (y[rows] - mean[:, None]) ** 2).sum(axis=1)
        excess = np.maximum(spread - degrees[rows], 0.0)
        step = np.divide(excess, slope, out=np.zeros_like(excess), where=slope > 0)
        tau2[rows] = at + step
        rows = rows[step > TOLERANCE * (1 + at)]
    tau2[rows] = np.nan  # did not settle
    return tau2
