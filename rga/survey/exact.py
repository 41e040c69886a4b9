"""The attack itself: how far a hidden number can be narrowed by integer programming over everything that is shown.

Belongs here: exact ranges of hidden counts and weighted sums. Not here: what to hide (``disclosure``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rga.survey.disclosure import Limits, models
from rga.survey.margins import Cells
from rga.survey.secrets import Values

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def unprotected(cells: Cells, hidden: np.ndarray, step: np.ndarray, values: Values) -> np.ndarray:
    """Numbers of the ``hidden`` published cells that a reader can narrow to too few ``values``, by either model of
    ``disclosure.models``; the others are printed to a ``step`` (percentage points; 0: exactly)."""
    open_, printed = np.ones(len(cells.n), dtype=bool), np.zeros(len(cells.n))
    open_[: cells.published], printed[: cells.published] = hidden, step
    target = open_ & values.secret
    found = np.zeros(len(open_), dtype=bool)
    for limits, truth, whole in zip(
        models(cells, open_, printed, values), (cells.count, cells.weighted), (True, False), strict=True
    ):
        found |= target & limits.too_few(*attack(cells, limits, truth, target, whole))
    return np.flatnonzero(found)


def attack(cells: Cells, limits: Limits, truth: np.ndarray, target: np.ndarray, whole: bool) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest value seen of each cell in tables that agree with ``limits`` and with every sum: of ``target`` cells,
    values that leave as many between them as are wanted, or else the lowest and highest there are.

    The groups make one program without anything in common; each time, another cell of each group is driven up or down, until every
    target is settled. ``truth`` is one such table. ``whole``: only whole numbers (counts). Raises RuntimeError where the
    solver finds none.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    low, high = truth.copy(), truth.copy()
    free = np.flatnonzero(limits.high > limits.low)
    if not len(free):
        return low, high
    fixed = np.where(limits.high > limits.low, 0.0, truth)
    matrix = _sums(cells)
    rows = np.flatnonzero(abs(matrix)[:, free].sum(axis=1) > 0)
    error = 0.0 if whole else 1e-9 * (1 + cells.n[cells.parent[rows]])
    right = -(matrix[rows] @ fixed)
    constraint = LinearConstraint(matrix[rows][:, free], right - error, right + error)
    bounds = Bounds(limits.low[free], limits.high[free])
    tried = {1: np.zeros(len(truth), dtype=bool), -1: np.zeros(len(truth), dtype=bool)}
    while True:
        left = np.flatnonzero(target & limits.too_few(low, high) & ~(tried[1] & tried[-1]))
        if not len(left):
            return low, high
        _, first = np.unique(cells.group[left], return_index=True)
        chosen = left[first]
        up, objective = ~tried[1][chosen], np.zeros(len(truth))
        objective[chosen] = np.where(up, -1.0, 1.0)
        tried[1][chosen[up]], tried[-1][chosen[~up]] = True, True
        # Integrality is needed where sums have cycles only: on a tree, corners are whole.
        found = milp(
            objective[free], integrality=int(whole and bool(cells.cyclic.any())), bounds=bounds, constraints=constraint
        )  # fmt: skip
        if found.x is None:
            raise RuntimeError(f"no table agrees with what is shown: {found.message}")
        table = fixed.copy()
        table[free] = np.round(found.x) if whole else found.x
        np.minimum(low, table, out=low)
        np.maximum(high, table, out=high)


def _sums(cells: Cells) -> csr_array:
    """Relations x cells: children less their parent."""
    from scipy.sparse import csr_array

    relations = np.arange(len(cells.parent))
    values = np.concatenate([np.ones(len(cells.child)), -np.ones(len(relations))])
    where = np.concatenate([cells.relation, relations]), np.concatenate([cells.child, cells.parent])
    return csr_array((values, where), shape=(len(relations), len(cells.n)))
