"""What weights cost and whom they lean on.

Belongs here: summaries of one survey's weights. Not here: making them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class WeightDiagnostics:
    """Of the respondents with positive weight, except ``zero`` (weight 0) and ``missing`` (no weight), which count the
    others.

    ``kish_deff`` is 1 + cv^2 of the weights = n sum(w^2) / sum(w)^2 and ``n_effective`` is n over it (Kish 1965,
    11.7); ``max_to_median`` is a ratio; ``top_share`` (0..1) is the share of all weight that the heaviest 1 % (rounded
    up) carry.
    """

    n: int
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
    """Summarise ``weights`` (one per respondent, NaN where none). Raises ValueError where no weight is positive."""
    weights = np.asarray(weights, dtype=np.float64)
    positive = np.sort(weights[weights > 0])
    n = len(positive)
    if not n:
        raise ValueError("no respondent has a positive weight")
    total, median = float(positive.sum()), float(np.median(positive))
    deff = float(n * np.sum(positive**2) / total**2)
    return WeightDiagnostics(
        n=n,
        zero=int(np.sum(weights == 0)),
        missing=int(np.sum(np.isnan(weights))),
        total=total,
        minimum=float(positive[0]),
        median=median,
        maximum=float(positive[-1]),
        max_to_median=float(positive[-1] / median),
        kish_deff=deff,
        n_effective=n / deff,
        top_share=float(positive[-int(np.ceil(n / 100)) :].sum() / total),
    )
