"""How a regression's linear predictor becomes a mean: the logistic and the linear model.

Belongs here: mean, slope and curvature of each link, and the likelihood that is maximised. Not here: fitting (``glm``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, log1p, logit

Family = Literal["logistic", "linear"]


@dataclass(frozen=True)
class Link:
    """The canonical link of a ``family``: binomial (R ``quasibinomial``) or Gaussian."""

    family: Family

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return expit(eta) if self.family == "logistic" else eta

    def slope(self, mean: np.ndarray) -> np.ndarray:
        """d mean / d eta, as a function of the mean."""
        return mean * (1 - mean) if self.family == "logistic" else np.ones_like(mean)

    def curvature(self, mean: np.ndarray) -> np.ndarray:
        """d slope / d eta, as a function of the mean."""
        return mean * (1 - mean) * (1 - 2 * mean) if self.family == "logistic" else np.zeros_like(mean)

    def start(self, mean: np.ndarray) -> np.ndarray:
        """The linear predictor of a mean, kept off 0 and 1."""
        return logit(np.clip(mean, 1e-4, 1 - 1e-4)) if self.family == "logistic" else mean

    def likelihood(self, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Log-likelihood of each respondent, up to a constant."""
        if self.family == "linear":
            return -((y - eta) ** 2) / 2
        return y * eta - np.maximum(eta, 0) - log1p(np.exp(-np.abs(eta)))
