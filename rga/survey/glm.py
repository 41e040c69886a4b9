"""Generalised linear models of many outcomes on one design matrix, fitted at once.

Belongs here: Newton steps, and the influence that respondents have through the coefficients. Not here: which columns an outcome
takes (``model_matrix``), variances (``multistage``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rga.survey.links import Link
from rga.survey.patterns import Patterns

ITERATIONS = 40
STEP = 1e-8  # a Newton step of this size (in linear predictors) leaves an error of its square
DIVERGED = 30.0  # a linear predictor beyond this is a probability of 1e-13: the likelihood has no maximum


@dataclass(frozen=True)
class Fits:
    """K outcomes fitted on the columns of ``x`` (respondents x P).

    ``y`` and ``share``, respondents x K: the outcome (0 outside the base) and the respondent's part of the base's weight (columns
    sum to 1). Outcome k has the columns ``x @ basis[k]``, of which ``used[k]`` are its own; ``coefficients`` (K x P) belong to the
    columns of ``x`` itself, ``information`` (K x P x P) to those of ``basis``: sum over the base of share * slope * x x'.
    ``converged``: K.
    """

    link: Link
    x: np.ndarray
    y: np.ndarray
    share: np.ndarray
    basis: np.ndarray
    used: np.ndarray
    coefficients: np.ndarray
    eta: np.ndarray
    information: np.ndarray
    converged: np.ndarray

    @cached_property
    def mean(self) -> np.ndarray:
        """Fitted means, respondents x K."""
        return self.link.mean(self.eta)

    @cached_property
    def _off(self) -> np.ndarray:
        return self.share * (self.y - self.mean)

    @cached_property
    def _inverse(self) -> np.ndarray:
        """Of the information, in the columns of ``x``: K x P x P."""
        return self.basis @ np.linalg.inv(self.information) @ self.basis.transpose(0, 2, 1)

    def only(self, outcomes: Sequence[int]) -> Fits:
        """The fits of some outcomes."""
        k = np.asarray(outcomes, dtype=np.int64)
        by_row = {name: getattr(self, name)[:, k] for name in ("y", "share", "eta")}
        first = {name: getattr(self, name)[k] for name in ("basis", "used", "coefficients", "information", "converged")}
        return replace(self, **by_row, **first)

    def through_coefficients(self, gradient: np.ndarray) -> np.ndarray:
        """Influence values, by way of the coefficients, of K functions with the ``gradient`` (K x P) in ``coefficients``.

        z_i = g' I^-1 share_i (y_i - mean_i) x_i (Binder 1983, eq. 3.4; R ``svyglm``). Respondents x K.
        """
        return self._off * (self.x @ (self._inverse @ gradient[:, :, None])[:, :, 0].T)


def fit(patterns: Patterns, y: np.ndarray, weight: np.ndarray, basis: np.ndarray, used: np.ndarray, link: Link) -> Fits:
    """Maximise the weighted likelihood of each outcome by Newton steps, halved where one would lower it.

    ``patterns``: of respondents x P, the first column 1; ``y`` and ``weight``: respondents x K, weight 0 for who is not in the
    outcome's base; ``basis``: K x P x P; ``used``: K x P, the columns of the basis that are not 0 and not aliased (those are the
    caller's to leave out: see `rga.survey.model_matrix.aliased`). All outcomes share one product of matrices per step, over the
    distinct rows, whose outcome is the mean of their respondents. Where the likelihood has no maximum (separation) a linear
    predictor passes `DIVERGED` and ``converged`` is false, as where `ITERATIONS` steps do not do.
    """
    share = weight / np.maximum(weight.sum(axis=0), 1e-300)
    part = patterns.sums(share)
    hits = patterns.sums(share * y)
    mean_y = np.divide(hits, part, out=np.zeros_like(hits), where=part > 0)
    x, (outcomes, columns) = patterns.rows, used.shape
    beta = np.zeros((outcomes, columns))
    beta[:, 0] = link.start(hits.sum(axis=0))
    eta = np.broadcast_to(beta[:, 0], part.shape).copy()
    converged = np.zeros(outcomes, dtype=bool)

    def information(k: np.ndarray, mean: np.ndarray) -> np.ndarray:
        own = patterns.gram(part[:, k] * link.slope(mean), basis[k], used[k])
        return own + np.where(used[k], 0.0, 1.0)[:, :, None] * np.eye(columns)

    active = np.arange(outcomes)
    for _ in range(ITERATIONS if link.family == "logistic" else 1):
        mean = link.mean(eta[:, active])
        score = np.einsum("kpq,kp->kq", basis[active], (hits[:, active] - part[:, active] * mean).T @ x)
        step = _solved(information(active, mean), np.where(used[active], score, 0.0))
        change = x @ (basis[active] @ step[:, :, None])[:, :, 0].T
        inside = part[:, active] > 0
        size = np.abs(np.where(inside, change, 0.0)).max(axis=0)
        factor = _halved(link, mean_y[:, active], part[:, active], eta[:, active], change, size)
        beta[active] += factor[:, None] * step
        eta[:, active] += factor * change
        diverged = np.abs(np.where(inside, eta[:, active], 0.0)).max(axis=0) > DIVERGED
        converged[active] = (size < STEP) & ~diverged if link.family == "logistic" else True
        active = active[~converged[active] & ~diverged]
        if not len(active):
            break
    own = information(np.arange(outcomes), link.mean(eta))
    full = (basis @ beta[:, :, None])[:, :, 0]
    return Fits(link, patterns.x, y, share, basis, used, full, eta[patterns.of], own, converged)


def _solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve each system; by pseudo-inverse where one is singular, which only a fit that is about to diverge meets."""
    try:
        return np.linalg.solve(matrix, right[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return (np.linalg.pinv(matrix, hermitian=True) @ right[:, :, None])[:, :, 0]


def _halved(link: Link, y: np.ndarray, share: np.ndarray, eta: np.ndarray, change: np.ndarray, size: np.ndarray) -> np.ndarray:
    """The part of each step that does not lower the likelihood: 1, 1/2, 1/4 ..."""
    factor = np.ones(eta.shape[1])
    doubtful = np.flatnonzero(size > 1e-3)  # nearer the maximum a difference of likelihoods is rounding
    if link.family == "linear" or not len(doubtful):
        return factor
    before = (share[:, doubtful] * link.likelihood(eta[:, doubtful], y[:, doubtful])).sum(axis=0)
    for _ in range(10):
        moved = eta[:, doubtful] + factor[doubtful] * change[:, doubtful]
        worse = (share[:, doubtful] * link.likelihood(moved, y[:, doubtful])).sum(axis=0) < before - 1e-12
        if not worse.any():
            break
        doubtful, before = doubtful[worse], before[worse]
        factor[doubtful] /= 2
    return factor
