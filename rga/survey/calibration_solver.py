"""The arithmetic of calibration: factors that bring the sums of base weights to the totals of every margin.

Belongs here: the design matrix of the margins, and Newton's method. Not here: distances (calibration_methods), respondents,
benchmarks, or messages about them (calibration).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from rga.survey.calibration_methods import Distance

TOLERANCE = 1e-12
RIDGES = (1e-14, 1e-12, 1e-8, 1e-5, 1e-2)  # added to the Hessian's diagonal of ones, more when steps with less lead nowhere
FLAT = 1e-12  # a column whose slopes have shrunk this much is not scaled by them
HALVINGS = 10
PROVEN = 1e-11  # share of what is added up that is no rounding
ARMIJO = 1e-4  # share of the expected decrease that a step must bring


@dataclass(frozen=True)
class Margins:
    """The calibration variables of all units: indicators of the categories of each margin, then numbers. Never written out.

    ``codes`` (rows x margins) are categories of margins with ``sizes`` categories each, ``numbers`` (rows x numbers) the rest;
    ``row`` gives the row of each unit, or None where each unit has its own.
    """

    codes: np.ndarray
    sizes: tuple[int, ...]
    numbers: np.ndarray
    row: np.ndarray | None = None

    def __len__(self) -> int:
        return sum(self.sizes) + self.numbers.shape[1]

    def sums(self, weight: np.ndarray) -> np.ndarray:
        """X'w: the total of each category and number under ``weight`` (per unit)."""
        weight = self._by_row(weight)
        parts = [np.bincount(self.codes[:, m], weights=weight, minlength=size) for m, size in enumerate(self.sizes)]
        return np.concatenate([*parts, weight @ self.numbers])

    def predict(self, b: np.ndarray) -> np.ndarray:
        """x'b of each unit."""
        parts = np.split(b, np.cumsum(self.sizes))
        fitted = self.numbers @ parts[-1]
        for m, part in enumerate(parts[:-1]):
            fitted = fitted + part[self.codes[:, m]]
        return fitted if self.row is None else fitted[self.row]

    def gram(self, weight: np.ndarray) -> np.ndarray:
        """X'diag(w)X."""
        weight = self._by_row(weight)
        starts = np.concatenate([[0], np.cumsum(self.sizes)]).astype(int)
        found = np.empty((len(self), len(self)))
        weighted = self.numbers * weight[:, None]
        for m, size in enumerate(self.sizes):
            rows = slice(starts[m], starts[m + 1])
            for other in range(m, len(self.sizes)):
                columns = slice(starts[other], starts[other + 1])
                key = self.codes[:, m] * self.sizes[other] + self.codes[:, other]
                block = np.bincount(key, weights=weight, minlength=size * self.sizes[other]).reshape(size, -1)
                found[rows, columns], found[columns, rows] = block, block.T
            for k in range(self.numbers.shape[1]):
                found[rows, starts[-1] + k] = np.bincount(self.codes[:, m], weights=weighted[:, k], minlength=size)
            found[starts[-1] :, rows] = found[rows, starts[-1] :].T
        found[starts[-1] :, starts[-1] :] = self.numbers.T @ weighted
        return found

    def _by_row(self, weight: np.ndarray) -> np.ndarray:
        return weight if self.row is None else np.bincount(self.row, weights=weight, minlength=len(self.codes))


@dataclass(frozen=True)
class Wanted:
    """Totals of the columns of a ``Margins``; errors are relative to ``size`` (0: a column without people, ignored)."""

    totals: np.ndarray
    size: np.ndarray

    def errors(self, sums: np.ndarray) -> np.ndarray:
        off = np.abs(sums - self.totals)
        return np.divide(off, self.size, out=np.zeros_like(off), where=self.size > 0)


@dataclass(frozen=True)
class Fit:
    """``factor`` is g per unit; ``error`` the largest relative error of a column, ``worst`` its position."""

    factor: np.ndarray
    iterations: int
    error: float
    worst: int

    @property
    def converged(self) -> bool:
        return self.error < TOLERANCE


class _Point(NamedTuple):
    """A trial of b: factor and slope per unit, the dual objective and the rounding in it, and the gradient, all scaled."""

    b: np.ndarray
    factor: np.ndarray
    slope: np.ndarray
    objective: float
    rounding: float
    gradient: np.ndarray
    error: float
    worst: int
    furthest: float


def solve(margins: Margins, base: np.ndarray, wanted: Wanted, distance: Distance, max_iterations: int) -> Fit:
    """Minimise sum(base * G(x'b)) - totals'b over b, G being the integral of F: where the gradient is 0, margins are met.

    Newton's method on the dual of the calibration problem (Deville and Särndal 1992, section 2; Deville, Särndal and Sautory
    1993), which is convex: halved steps never lead away, and near the solution convergence is quadratic. Margins that share a
    variable make the Hessian singular: a ridge keeps it apart from that, and the weights are unique all the same. Ends
    after ``max_iterations``, where no step helps, where u leaves for infinity, or as soon as b proves that no factors within the
    limits of ``distance`` meet the totals: then the fit has not converged.
    """
    spread = margins.gram(base).diagonal()
    used = (spread > 0) & (wanted.size > 0)
    scale = np.where(used, 1 / np.sqrt(np.where(used, spread, 1)), 0.0)

    def point(b: np.ndarray) -> _Point:
        u = margins.predict(b * scale)
        factor, slope, integral = distance.at(u)
        with np.errstate(over="ignore", invalid="ignore"):
            sums = margins.sums(base * factor)
            parts, linear = base * integral, wanted.totals * scale * b
            rounding = 1e-14 * float(np.abs(parts).sum() + np.abs(linear).sum())
            errors = wanted.errors(sums)
        worst = int(np.argmax(errors))
        gradient = (sums - wanted.totals) * scale
        furthest = float(np.max(np.abs(u), initial=0.0))
        return _Point(
            b, factor, slope, float(parts.sum() - linear.sum()), rounding, gradient, float(errors[worst]), worst, furthest
        )

    def step_from(here: _Point, ridges: tuple[float, ...]) -> _Point | None:
        """The next point, or None where no step helps."""
        hessian = margins.gram(base * here.slope)
        diagonal = hessian.diagonal() * scale**2
        shape = 1 / np.sqrt(np.where(diagonal > FLAT, diagonal, 1.0))  # slopes of categories may differ a millionfold
        hessian *= np.outer(shape * scale, shape * scale)
        diagonal = hessian.diagonal().copy()
        for ridge in ridges:
            np.fill_diagonal(hessian, diagonal + ridge)
            try:
                step = -shape * cho_solve(cho_factor(hessian), here.gradient * shape)
            except LinAlgError:
                continue
            step *= min(1.0, distance.step / max(float(np.max(np.abs(margins.predict(step * scale)), initial=0.0)), 1e-300))
            expected = float(here.gradient @ step)
            for halved in range(HALVINGS):
                share = 0.5**halved
                tried = point(here.b + share * step)
                if -expected * share > 100 * here.rounding:
                    helps = tried.objective <= here.objective + ARMIJO * share * expected
                else:  # what the objective gains is lost in its rounding
                    helps = tried.error < here.error
                if helps:
                    return tried
        return None

    def out_of_reach(here: _Point) -> bool:
        """Whether totals'b is more than any weights w make of it, sum(w * x'b) (Farkas' lemma): with factors at their limits, or,
        where none is negative, with the whole population where x'b is largest."""
        u = margins.predict(here.b * scale)
        most = np.multiply(base * u, np.where(u > 0, distance.high, distance.low), out=np.zeros_like(u), where=base * u != 0).sum()
        if margins.sizes and np.min(distance.low) >= 0:
            most = min(most, wanted.totals[: margins.sizes[0]].sum() * u[base > 0].max())
        asked = wanted.totals * scale * here.b
        return bool(asked.sum() - most > PROVEN * (np.abs(asked).sum() + abs(most)))

    here = point(np.zeros(len(margins)))
    iteration = 0
    while iteration < max_iterations and here.furthest < distance.far and not out_of_reach(here):
        met = here.error < TOLERANCE
        following = step_from(here, RIDGES[:1] if met else RIDGES)
        if following is None or (met and following.error > here.error / 2):
            break  # as near as arithmetic gets, or stuck
        here = following
        iteration += 1
    return Fit(here.factor, iteration, here.error, here.worst)
