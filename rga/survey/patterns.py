"""The distinct rows of a design matrix: respondents who are alike in every covariate are one row of a regression.

Belongs here: finding them, sums over them, Gram matrices. Not here: fitting (``glm``).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np


class Patterns:
    """``rows``: the distinct rows of ``x`` (respondents x P); ``of``: the row of each respondent."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = np.ascontiguousarray(x)
        as_bytes = self.x.view(np.dtype((np.void, self.x.dtype.itemsize * x.shape[1])))[:, 0]
        _, first, self.of = np.unique(as_bytes, return_index=True, return_inverse=True)
        self.rows = self.x[first]
        self._order = np.argsort(self.of, kind="stable")
        self._first = np.flatnonzero(np.diff(self.of[self._order], prepend=-1))

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sums of ``values`` (respondents x K) over the respondents of each row."""
        return np.add.reduceat(values[self._order], self._first, axis=0)

    @cached_property
    def _products(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        i, j = np.triu_indices(self.rows.shape[1])
        return i, j, self.rows[:, i] * self.rows[:, j]

    def gram(self, weight: np.ndarray, basis: np.ndarray, used: np.ndarray) -> np.ndarray:
        """(x B_k)' diag(w_k) (x B_k) of each of K outcomes, 0 in columns that are not ``used`` (K x P); one product of matrices.

        ``weight``: rows x K; ``basis``: K x P x P. Returns K x P x P.
        """
        i, j, products = self._products
        full = np.zeros((len(used), used.shape[1], used.shape[1]))
        full[:, i, j] = weight.T @ products
        full[:, j, i] = full[:, i, j]
        return np.where(used[:, :, None] & used[:, None, :], basis.transpose(0, 2, 1) @ full @ basis, 0.0)
