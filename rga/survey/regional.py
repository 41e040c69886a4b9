"""Several countries taken together: means of their estimates by stated weights, with their error.

Belongs here: pooling of independent countries, each country's part in it, what the mean is without it. Not here: which countries
may be pooled (``regional_tables``), how much they differ (``heterogeneity``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pooled:
    """Means over countries. One number per row: ``value``, ``se``, ``df``. Rows x countries, NaN where a country takes no part:

    ``weight`` its share of the weights, ``part`` what it adds to ``value``, ``variance_share`` its share of the variance,
    ``without`` the value of the others (NaN where there are none).
    """

    value: np.ndarray
    se: np.ndarray
    df: np.ndarray
    weight: np.ndarray
    part: np.ndarray
    variance_share: np.ndarray
    without: np.ndarray


def pool(value: np.ndarray, se: np.ndarray, df: np.ndarray, weight: np.ndarray) -> Pooled:
    """Means of ``value`` over countries by ``weight``; all arrays are rows x countries, NaN in value or weight leaves one out.

    With a_c = weight_c / sum weight: sum a_c p_c has the variance V = sum a_c^2 v_c, as samples of different countries are
    independent and the weights are taken for known, and V^2 / sum((a_c^2 v_c)^2 / df_c) degrees of freedom (Satterthwaite 1946).
    A country without standard error makes the pooled one NaN. Raises ValueError where a weight is negative.
    """
    if (weight < 0).any():
        raise ValueError("a country's weight is negative")
    share = shares_of(np.where(np.isnan(value), np.nan, weight))
    part = share * value
    total, own_df, variance_share = _variance((share * se) ** 2, df, ~np.isnan(part))
    return Pooled(_sum(part), np.sqrt(total), own_df, share, part, variance_share, _without(value, share))


def pool_gaps(
    value: tuple[np.ndarray, np.ndarray], se: tuple[np.ndarray, np.ndarray, np.ndarray], df: np.ndarray,
    weight: tuple[np.ndarray, np.ndarray],
) -> tuple[Pooled, np.ndarray, np.ndarray]:  # fmt: skip
    """The gap between women and men of several countries together, and its two sides: (gap, women's value, men's value).

    ``value`` and ``weight`` of women and of men; ``se`` of women, of men and of their gap, whose ``df`` it is; rows x countries.
    Only countries with both take part. Sum a_c f_c - sum b_c m_c, where a and b are the shares of the weights of women and of men,
    has the variance sum a_c^2 v(f_c) + b_c^2 v(m_c) - 2 a_c b_c cov_c, with cov_c = (v(f_c) + v(m_c) - v(gap_c)) / 2: women and men
    of a country share PSUs. Degrees of freedom as in `pool`. ``weight`` of the result is (a + b) / 2.
    """
    f, m = value
    both = ~np.isnan(f) & ~np.isnan(m) & ~np.isnan(weight[0]) & ~np.isnan(weight[1])
    a, b = (shares_of(np.where(both, w, np.nan)) for w in weight)
    variances = [s**2 for s in se]
    covariance = (variances[0] + variances[1] - variances[2]) / 2
    own = np.maximum(a**2 * variances[0] + b**2 * variances[1] - 2 * a * b * covariance, 0.0)
    total, own_df, variance_share = _variance(own, df, both)
    part = a * f - b * m
    without = _without(f, a) - _without(m, b)
    pooled = Pooled(_sum(part), np.sqrt(total), own_df, (a + b) / 2, part, variance_share, without)
    return pooled, _sum(a * f), _sum(b * m)


def shares_of(weight: np.ndarray) -> np.ndarray:
    """``weight`` divided by its sum over countries; NaN stays NaN."""
    total = np.nansum(weight, axis=1, keepdims=True)
    return np.divide(weight, total, out=np.full(weight.shape, np.nan), where=(total > 0) & ~np.isnan(weight))


def range_without(without: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Lowest and highest value of the others when one country is left out, and which one's absence does it (-1: none's)."""
    some = ~np.isnan(without).all(axis=1)
    low, high = (np.where(some, f(np.where(np.isnan(without), fill, without), axis=1), np.nan)
                 for f, fill in ((np.min, np.inf), (np.max, -np.inf)))  # fmt: skip
    lowest = np.where(some, np.where(np.isnan(without), np.inf, without).argmin(axis=1), -1)
    highest = np.where(some, np.where(np.isnan(without), -np.inf, without).argmax(axis=1), -1)
    return low, high, lowest, highest


def _sum(parts: np.ndarray) -> np.ndarray:
    """Over countries that take part; NaN where none does."""
    return np.where(np.isnan(parts).all(axis=1), np.nan, np.nansum(parts, axis=1))


def _variance(own: np.ndarray, df: np.ndarray, inside: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Variance, degrees of freedom and each country's share, from what each country adds to it."""
    own = np.where(inside, own, 0.0)
    total = np.where(inside.any(axis=1), own.sum(axis=1), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(own > 0, own**2 / np.where(df > 0, df, np.nan), 0.0).sum(axis=1)
        found = np.where(total > 0, total**2 / spread, np.nan)
        share = np.where(inside & (total > 0)[:, None], own / total[:, None], np.nan)
    return total, found, share


def _without(value: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Mean of the others, rows x countries."""
    inside = ~np.isnan(share) & ~np.isnan(value)
    others = (inside.sum(axis=1) > 1)[:, None] & inside
    a, p = np.where(inside, share, 0.0), np.where(inside, value, 0.0)
    of_others = np.stack([np.delete(a, c, axis=1).sum(axis=1) for c in range(a.shape[1])], axis=1)
    sums = np.stack([np.delete(a * p, c, axis=1).sum(axis=1) for c in range(a.shape[1])], axis=1)
    return np.divide(sums, of_others, out=np.full(a.shape, np.nan), where=others & (of_others > 0))
