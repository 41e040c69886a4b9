"""What weights cost and whom they lean on.

Belongs here: summaries of one survey's weights. Not here: making them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WeightDiagnostics:
    """Of the respondents with a weight other than 0, of whom ``negative`` have one below 0; ``zero`` (weight 0) and ``missing`` (no
    weight) count the others.

    ``kish_deff`` is 1 + cv^2 of the weights = n sum(w^2) / sum(w)^2 and ``n_effective`` is n over it (Kish 1965,
    11.7); ``max_to_median`` is a ratio; ``top_share`` (0..1) is the share of all weight that the heaviest 1 % (rounded
    up) carry.
    """

    n: int
    negative: int
    zero: int
    missing: int
    total: float
    minimum: float
    median: float
    maximum: float
    max_to_median: float
    kish_deff: float
    n_effective: float
    top_share: float


def diagnose(weights: np.ndarray) -> WeightDiagnostics:
    """Summarise ``weights`` (one per respondent, NaN where none). Raises ValueError where they do not add up to more than 0, or one
    is infinite."""
    weights = np.asarray(weights, dtype=np.float64)
    counted = np.sort(weights[~np.isnan(weights) & (weights != 0)])
    n, total = len(counted), float(counted.sum())
    if not 0 < total < np.inf:
        raise ValueError("the weights add up to 0 or less, or to infinity: there is nothing to summarise")
    median = float(np.median(counted))
    deff = float(n * np.sum(counted**2) / total**2)
    return WeightDiagnostics(
        n=n,
        negative=int(np.sum(counted < 0)),
        zero=int(np.sum(weights == 0)),
        missing=int(np.sum(np.isnan(weights))),
        total=total,
        minimum=float(counted[0]),
        median=median,
        maximum=float(counted[-1]),
        max_to_median=float(counted[-1] / median) if median else float("inf"),
        kish_deff=deff,
        n_effective=n / deff,
        top_share=float(counted[-int(np.ceil(n / 100)) :].sum() / total),
    )
