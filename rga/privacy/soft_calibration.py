"""Weights that come near to many figures at once, none of which they must meet to the last digit.

Belongs here: raking with a tolerance for each figure. Not here: which figures (``shown_weights``, ``replicate_weights``); weights
that meet margins exactly (``rga.survey.calibrate``).
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from rga.survey.blas import one_blas_thread

STEPS, HALVINGS = 60, 30
NEAR = 1e-3  # of a tolerance
FASTER = 0.3
HIGHEST = 50.0  # logarithm of a factor, so that no step overflows


@one_blas_thread
def calibrated_softly(base: np.ndarray, columns: np.ndarray, targets: np.ndarray, tolerance: np.ndarray) -> np.ndarray:
    """Weights near ``base`` (respondents) whose sums over ``columns`` (respondents x figures) are near ``targets`` (figures).

    They minimise sum w log(w / base) - w + base, as raking does, plus half the sum of (error / ``tolerance``)^2: ridge calibration
    (Chambers 1996; Rao and Singh 1997) with the distance of raking. There is always one solution, with positive weights, also
    where figures contradict each other. It is w = base exp(columns b), and b maximises the concave
    b'targets - sum(w) - sum (tolerance b)^2 / 2, by Newton's method with step halving.
    """
    ridge, b = tolerance**2, np.zeros(columns.shape[1])
    weight = base.copy()

    def objective(at: np.ndarray, w: np.ndarray) -> float:
        return float(at @ targets - w.sum() - ridge @ at**2 / 2)

    now = objective(b, weight)
    factor, before = None, np.inf
    for _ in range(STEPS):
        slope = targets - columns.T @ weight - ridge * b
        far = float((np.abs(slope) / tolerance).max(initial=0.0))
        if far <= NEAR:
            break
        if factor is None or far > FASTER * before:  # the last curvature is good enough while it leads there fast
            curvature = (columns * weight[:, None]).T @ columns
            curvature[np.diag_indices_from(curvature)] += ridge
            factor = cho_factor(curvature)
        before, step = far, cho_solve(factor, slope)
        for _ in range(HALVINGS):
            tried = b + step
            moved = base * np.exp(np.minimum(columns @ tried, HIGHEST))
            then = objective(tried, moved)
            if then >= now:
                break
            step = step / 2
        else:
            break
        b, weight, now = tried, moved, then
    return weight
