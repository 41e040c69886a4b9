"""Limits and scale of weights, on their own.

Belongs here: cutting large weights, scaling to a sum. Not here: trimming inside a calibration (``calibration``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rga.errors import InputError, Problem


@dataclass(frozen=True)
class Trimmed:
    """``weights`` of the same sum, none above ``limit``; ``trimmed`` of them were cut or pushed to it."""

    weights: np.ndarray
    limit: float
    trimmed: int


def trim(weights: np.ndarray, max_ratio: float) -> Trimmed:
    """Cut weights above ``max_ratio`` times the median to that limit, and spread what was cut over the others in proportion.

    Repeated while the others grow past the limit (Potter 1990; Valliant, Dever and Kreuter 2018, chapter 14). The median is that
    of the positive weights given. Nothing is calibrated again: margins met before are missed after. Raises InputError where
    the limit is so low that the sum cannot be kept.
    """
    present = weights > 0
    limit = max_ratio * float(np.median(weights[present]))
    total, count = float(weights[present].sum()), int(present.sum())
    if limit * count < total:
        what = f"weights of at most {max_ratio:g} times the median cannot add up to the same sum"
        raise InputError(Problem(what, f"choose a ratio above {max_ratio * total / (limit * count):.1f}", variable="max_ratio"))
    at_limit = np.zeros(len(weights), dtype=bool)
    trimmed = weights.astype(np.float64, copy=True)
    while (over := present & ~at_limit & (trimmed > limit)).any():
        at_limit |= over
        trimmed[at_limit] = limit
        rest = present & ~at_limit
        left = total - limit * at_limit.sum()
        trimmed[rest] *= left / trimmed[rest].sum()
    return Trimmed(trimmed, limit, int(at_limit.sum()))


def normalise(weights: np.ndarray, total: float) -> np.ndarray:
    """``weights`` scaled to add up to ``total``; NaN stays NaN."""
    return weights * (total / float(np.nansum(weights)))
