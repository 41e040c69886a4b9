"""How near any weights come to the margins, by linear programming: whether a calibration has a solution, what would give it one.

Belongs here: the linear programs. Not here: the sentences made of their answers (infeasible.py), the solver.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rga.survey.calibration_solver import Margins, Wanted

REACHED = 1e-7  # relative: what HiGHS calls met
SECONDS = 10.0  # for all programs of one calibration


@dataclass(frozen=True)
class Question:
    """Sums of weights by row of the margins (joint cell, or respondent) that could meet ``totals``.

    ``matrix`` (columns x rows, sparse) is the part of each row in the total of each column, per unit of ``base``; ``low`` and
    ``high`` bound the sum of weights of each row over its ``base``. ``n`` respondents are in it.
    """

    matrix: Any
    totals: np.ndarray
    size: np.ndarray
    base: np.ndarray
    n: np.ndarray
    low: np.ndarray
    high: np.ndarray
    deadline: float


@dataclass(frozen=True)
class Reach:
    """``error``: the smallest possible largest relative error of a column; ``sums`` what columns then add up to; ``conflict`` the
    columns that stand against each other, the strongest first (none where the margins can be met)."""

    error: float
    sums: np.ndarray
    conflict: list[int]


def question(margins: Margins, base: np.ndarray, wanted: Wanted, low: np.ndarray | float, high: np.ndarray | float) -> Question:
    """The question for units with ``base`` weights and bounds on g (numbers, or per unit); their rows are taken together."""
    from scipy import sparse

    rows = len(margins.codes)
    row = np.arange(rows) if margins.row is None else margins.row
    sums = np.bincount(row, weights=base, minlength=rows)
    filled = sums > 0

    def by_row(bound: np.ndarray | float) -> np.ndarray:
        limit = np.broadcast_to(np.asarray(bound, dtype=np.float64), base.shape)
        product = np.where(base > 0, base * np.where(base > 0, limit, 0.0), 0.0)
        total = np.bincount(row, weights=product, minlength=rows)
        return np.divide(total, sums, out=np.ones(rows), where=filled)

    starts = np.concatenate([[0], np.cumsum(margins.sizes)]).astype(int)
    indicators = [
        sparse.csr_array((sums, (margins.codes[:, m], np.arange(rows))), shape=(size, rows)) for m, size in enumerate(margins.sizes)
    ]
    numbers = sparse.csr_array((margins.numbers * sums[:, None]).T) if margins.numbers.shape[1] else None
    matrix = sparse.vstack([*indicators, *([numbers] if numbers is not None else [])], format="csr")
    assert matrix.shape[0] == starts[-1] + margins.numbers.shape[1]
    n = np.bincount(row, weights=base > 0, minlength=rows)
    return Question(matrix, wanted.totals, wanted.size, sums, n, by_row(low), by_row(high), time.monotonic() + SECONDS)


def closest(asked: Question, columns: np.ndarray | None = None, merge: tuple[int, int] | None = None) -> Reach | None:
    """The weights whose largest relative error is smallest, over ``columns`` (default all) with two of them added up (``merge``).

    None where the program was not solved in time.
    """
    from scipy import sparse

    matrix, totals, size, kept = _columns(asked, columns, merge)
    if not len(kept):
        return Reach(0.0, asked.totals, [])
    ones = np.ones((len(kept), 1))
    scaled = sparse.diags_array(1 / size) @ matrix
    upper = sparse.block_array([[scaled, -ones], [-scaled, -ones]], format="csr")
    right = np.concatenate([totals / size, -totals / size])
    rows = matrix.shape[1]
    cost = np.concatenate([np.zeros(rows), [1.0]])
    answer = _solve(asked, cost, upper, right, None, None, [*_bounds(asked.low, asked.high), (0, None)])
    if answer is None:
        return None
    sums = asked.matrix @ answer.x[:-1]
    force = np.abs(answer.ineqlin.marginals).reshape(2, -1).max(axis=0)
    error = float(answer.x[-1])
    conflict = [int(kept[i]) for i in np.argsort(-force, kind="stable") if force[i] > 1e-7] if error > REACHED else []
    return Reach(error, sums, conflict)


def widened(asked: Question, low: float, high: float) -> tuple[float, float] | None:
    """The narrowest bounds on g, (low, high) stretched around 1, that reach all totals; low stays at 0 or more."""
    from scipy import sparse

    matrix, totals, size, _ = _columns(asked, None, None)
    rows = matrix.shape[1]
    equal = sparse.hstack([sparse.diags_array(1 / size) @ matrix, sparse.csr_array((len(size), 1))], format="csr")
    identity = sparse.eye_array(rows)
    spread = sparse.block_array(
        [[identity, np.full((rows, 1), -(high - 1))], [-identity, np.full((rows, 1), -(1 - low))]], format="csr"
    )
    right = np.concatenate([np.ones(rows), -np.ones(rows)])
    cost = np.concatenate([np.zeros(rows), [1.0]])
    answer = _solve(asked, cost, spread, right, equal, totals / size, [(0, None)] * rows + [(0, None)])
    if answer is None:
        return None
    stretch = float(answer.x[-1])
    return max(0.0, 1 - stretch * (1 - low)), 1 + stretch * (high - 1)


def smallest_cap(asked: Question) -> float | None:
    """The smallest largest weight with which all totals are reached, weights within a row being as equal as they can be."""
    from scipy import sparse

    matrix, totals, size, _ = _columns(asked, None, None)
    rows = matrix.shape[1]
    unit = float(asked.base.sum() / asked.n.sum())
    equal = sparse.hstack([sparse.diags_array(1 / size) @ matrix, sparse.csr_array((len(size), 1))], format="csr")
    share = np.divide(asked.n * unit, asked.base, out=np.zeros(rows), where=asked.base > 0)[:, None]
    below = sparse.hstack([sparse.eye_array(rows), -sparse.csr_array(share)], format="csr")
    cost = np.concatenate([np.zeros(rows), [1.0]])
    answer = _solve(asked, cost, below, np.zeros(rows), equal, totals / size, [*_bounds(asked.low, asked.high), (0, None)])
    return None if answer is None else float(answer.x[-1]) * unit


def without_bounds(asked: Question) -> Question:
    """The same with any positive weight, counted in equal parts of the population: base weights that differ a billionfold are
    beyond the arithmetic of linear programs."""
    from scipy import sparse

    unit = float(asked.base.sum() / max(np.count_nonzero(asked.base), 1))
    scale = np.divide(unit, asked.base, out=np.zeros_like(asked.base), where=asked.base > 0)
    return replace(
        asked,
        matrix=asked.matrix @ sparse.diags_array(scale),
        base=np.where(asked.base > 0, unit, 0.0),
        low=np.zeros_like(asked.low),
        high=np.full_like(asked.high, np.inf),
    )


def _columns(
    asked: Question, columns: np.ndarray | None, merge: tuple[int, int] | None
) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray]:
    """Matrix, totals, sizes and positions of the columns that count: those with people."""
    from scipy import sparse

    kept = np.flatnonzero(asked.size > 0) if columns is None else columns[asked.size[columns] > 0]
    if merge is None:
        return asked.matrix[kept], asked.totals[kept], asked.size[kept], kept
    one, other = merge
    kept = kept[kept != other]
    matrix, totals, size = asked.matrix[kept], asked.totals[kept].copy(), asked.size[kept].copy()
    at = int(np.flatnonzero(kept == one)[0])
    add = sparse.csr_array(([1.0], ([at], [other])), shape=(len(kept), len(asked.totals)))
    totals[at] += asked.totals[other]
    size[at] += asked.size[other]
    return matrix + add @ asked.matrix, totals, size, kept


def _bounds(low: np.ndarray, high: np.ndarray) -> list[tuple[float | None, float | None]]:
    return [(None if a == -np.inf else a, None if b == np.inf else b) for a, b in zip(low.tolist(), high.tolist(), strict=True)]


def _solve(
    asked: Question, cost: np.ndarray, upper: Any, right: np.ndarray, equal: Any, totals: np.ndarray | None, bounds: list[Any]
) -> Any:
    from scipy.optimize import linprog

    left = asked.deadline - time.monotonic()
    if left <= 0:
        return None
    options = {"time_limit": left, "primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9}
    answer = linprog(cost, A_ub=upper, b_ub=right, A_eq=equal, b_eq=totals, bounds=bounds, method="highs", options=options)
    return answer if answer.status == 0 else None
