"""The arithmetic of raking on joint cells: factors per category that bring every margin to its total.

Belongs here: the solvers. Not here: respondents, benchmarks, or messages about them (see calibration.py).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

TOLERANCE = 1e-12
FITTING_CYCLES = 50  # of iterative proportional fitting, before Newton's method takes over


@dataclass(frozen=True)
class Fit:
    """``factor`` multiplies each joint cell; ``error`` is the largest relative error of a category, ``worst`` its
    margin and code."""

    factor: np.ndarray
    iterations: int
    error: float
    worst: tuple[int, int]

    @property
    def converged(self) -> bool:
        return self.error < TOLERANCE


def solve(start: np.ndarray, joint: np.ndarray, wanted: list[np.ndarray], max_iterations: int) -> Fit:
    """Rake the sums of base weight ``start`` (per joint cell) until every category is within 1e-12 of ``wanted``.

    ``joint`` (cells x margins) holds category codes, ``wanted`` the totals per margin. Iterative proportional fitting
    (Deming and Stephan 1940) converges slowly where few respondents link two margins that share a variable (those
    missing on one of them); Newton's method on the dual problem (Deville, Sarndal and Sautory 1993) then finishes.
    Both have the same limit.
    """
    fit = proportional_fitting(start, joint, wanted, np.ones_like(start), min(FITTING_CYCLES, max_iterations))
    if fit.converged or fit.iterations >= max_iterations:
        return fit
    finished = newton(start, joint, wanted, fit.factor, max_iterations - fit.iterations)
    done = fit.iterations + finished.iterations
    if not finished.converged:  # say how far patience gets
        finished = proportional_fitting(start, joint, wanted, finished.factor, max_iterations - done)
        done += finished.iterations
    return Fit(finished.factor, done, finished.error, finished.worst)


def proportional_fitting(
    start: np.ndarray, joint: np.ndarray, wanted: list[np.ndarray], factor: np.ndarray, max_iterations: int
) -> Fit:
    """One factor per category and cycle, margin after margin."""
    factor = factor.copy()
    error, worst = largest_error(start * factor, joint, wanted)
    iteration = 0
    while error >= TOLERANCE and iteration < max_iterations:
        iteration += 1
        for column, target in enumerate(wanted):
            sums = np.bincount(joint[:, column], weights=start * factor, minlength=len(target))
            factor *= np.divide(target, sums, out=np.ones_like(target), where=sums > 0)[joint[:, column]]
        error, worst = largest_error(start * factor, joint, wanted)
    return Fit(factor, iteration, error, worst)


def newton(start: np.ndarray, joint: np.ndarray, wanted: list[np.ndarray], factor: np.ndarray, max_iterations: int) -> Fit:
    """Minimise sum(start * exp(X b)) - totals'b, X being the indicators of all categories, with halved steps where
    they overshoot.

    Margins that share a variable make X rank-deficient: the step of least norm is taken, the weights are unique all
    the same.
    """
    design = np.concatenate([joint[:, [column]] == np.arange(len(target)) for column, target in enumerate(wanted)], axis=1)
    totals = np.concatenate(wanted)
    used = totals > 0
    scale = 1 / np.sqrt(totals[used])
    x = design[:, used] * scale
    right = totals[used] * scale
    log_factor = np.log(factor)
    error, worst = largest_error(start * factor, joint, wanted)
    iteration, stuck = 0, 0
    while error >= TOLERANCE and iteration < max_iterations and stuck < 3:
        iteration += 1
        weight = start * np.exp(log_factor)
        step = x @ np.linalg.lstsq(x.T @ (x * weight[:, None]), right - x.T @ weight, rcond=1e-12)[0]
        step *= min(1.0, 5.0 / max(float(np.max(np.abs(step))), 1e-300))
        for _ in range(12):
            tried, at = largest_error(start * np.exp(log_factor + step), joint, wanted)
            if tried < error:
                break
            step = step / 2
        else:
            break  # no step along this direction helps: the margins cannot be met
        stuck = stuck + 1 if tried > 0.99 * error else 0
        log_factor, error, worst = log_factor + step, tried, at
    return Fit(np.exp(log_factor), iteration, error, worst)


def largest_error(weight: np.ndarray, joint: np.ndarray, wanted: list[np.ndarray]) -> tuple[float, tuple[int, int]]:
    """The largest relative error of a category, and which (margin, code)."""
    error, worst = 0.0, (0, 0)
    for column, target in enumerate(wanted):
        sums = np.bincount(joint[:, column], weights=weight, minlength=len(target))
        off = np.divide(np.abs(sums - target), target, out=np.zeros_like(target), where=target > 0)
        at = int(np.argmax(off))
        if off[at] > error:
            error, worst = float(off[at]), (column, at)
    return error, worst
