"""Influence values: what every respondent adds to the error of every result, in any domain.

Belongs here: estimates, their linearised values and their variance under simple random sampling. Not here: the design under which
influence values add up to a variance (``multistage``), or intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rga.survey.quantiles import weighted_quantile
from rga.survey.statistics import Quantile, Total, Values

# What differs by less, in parts of itself, does not differ: where all are alike the variance is 0, not rounding.
ROUNDING = 1e-14


@dataclass(frozen=True)
class Linearised:
    """Results with their influence values.

    Per result: ``value`` (NaN where nobody answered, or a ratio's denominator is 0), ``n`` respondents of weight other than 0 who
    answered, ``population`` their sum of weights. Respondents x results: ``z``, whose total over the sample has, to first order,
    the error of ``value``; ``answered``, whether a respondent is in the domain, answered, and has a weight other than 0. For a
    quantile ``z`` is that of ``level``, the share at or below the quantile (NaN for other statistics): see
    `rga.survey.quantiles.woodruff`.
    """

    value: np.ndarray
    z: np.ndarray
    answered: np.ndarray
    n: np.ndarray
    population: np.ndarray
    level: np.ndarray


def influence(values: Values, weight: np.ndarray, column: np.ndarray, domain: np.ndarray) -> Linearised:
    """Estimate column ``column[k]`` of ``values`` among those in ``domain[:, k]``, for every result k.

    ``weight``: one per respondent; ``domain``: respondents x results, boolean. With sums over the domain,

        share, mean, ratio:  R = sum w y / sum w x,   z_i = w_i (y_i - R x_i) / sum w x      (Woodruff 1971; Wolter 2007, ch. 6)
        total:               T = sum w y,             z_i = w_i y_i
        quantile:            Q by `weighted_quantile`; z_i that of the share with y <= Q

    and z_i = 0 outside: nobody leaves the sample, so that the design stays whole (Särndal, Swensson and Wretman 1992, ch. 10).
    """
    answered = values.known[:, column] & domain & (weight != 0)[:, None]
    y, x = np.where(answered, values.y[:, column], 0.0), np.where(answered, values.x[:, column], 0.0)
    kinds = [values.statistics[k] for k in column]
    value, level = np.full((2, len(kinds)), np.nan)
    for k, kind in enumerate(kinds):
        if isinstance(kind, Quantile) and answered[:, k].any():
            those = answered[:, k]
            value[k] = weighted_quantile(y[those, k], weight[those], np.array([kind.q]))[0]
            y[:, k] = those & (y[:, k] <= value[k])
    n, population = answered.sum(axis=0), weight @ answered
    numerator, denominator = weight @ y, weight @ x
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(denominator != 0, numerator / denominator, np.nan)
    is_total = np.array([isinstance(kind, Total) for kind in kinds], dtype=bool)
    is_quantile = np.array([isinstance(kind, Quantile) for kind in kinds], dtype=bool)
    level[is_quantile] = ratio[is_quantile]
    value = np.where(is_quantile, value, np.where(is_total, np.where(n > 0, numerator, np.nan), ratio))
    slope = np.where(is_total | np.isnan(ratio), 0.0, ratio)
    off = y - slope * x
    off[np.abs(off) <= ROUNDING * (np.abs(y) + np.abs(slope * x))] = 0.0
    z = weight[:, None] * off / np.where(is_total | (denominator == 0), 1.0, denominator)
    return Linearised(value, np.where(answered, z, 0.0), answered, n, population, level)


def simple_random_variance(linearised: Linearised, weight: np.ndarray, at_scale: bool) -> np.ndarray:
    """Variance of each result, had its n respondents been drawn by simple random sampling; NaN where n < 2.

    W sum w (u - mean u)^2 / (n - 1), u = z/w and W the sum of w, times 1 - n/W where weights count people (``at_scale`` and W > n).
    For a share p(1 - p)/(n - 1). R ``svymean``, ``svytotal`` and ``svyratio`` with ``deff = TRUE`` (``at_scale``) or ``"replace"``.
    """
    w = np.where(linearised.answered, weight[:, None], 0.0)
    u = np.divide(linearised.z, w, out=np.zeros_like(linearised.z), where=w != 0)
    n, population = linearised.n, linearised.population
    mean = (w * u).sum(axis=0) / np.where(n > 0, population, 1.0)
    off = u - mean
    off[np.abs(off) <= ROUNDING * np.abs(u)] = 0.0
    spread = population * (w * off**2).sum(axis=0) / np.maximum(n - 1, 1)
    correction = np.where(at_scale & (population > n), 1 - n / np.maximum(population, 1e-300), 1.0)
    return np.where(n > 1, spread * correction, np.nan)
