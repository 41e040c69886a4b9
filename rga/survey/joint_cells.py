"""Respondents counted by their categories on all margins at once: what calibration works on instead of people.

Belongs here: from a column per margin to joint cells. Not here: benchmarks, what to do about missing categories, weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rga.survey.design import MISSING


@dataclass(frozen=True)
class JointCells:
    """The cells that respondents of the sample are in.

    ``levels`` has the categories found on each margin, by its name; ``codes`` (cells x margins) which of them a cell has. ``n``
    and ``base`` are respondents and their base weight by cell, ``cell`` the cell of each respondent (-1: outside the sample).
    """

    levels: dict[str, list[str]]
    codes: np.ndarray
    n: np.ndarray
    base: np.ndarray
    cell: np.ndarray

    def counts(self, margin: str) -> dict[str, int]:
        """Respondents by category."""
        return {level: int(n) for level, n in self._by_level(margin, self.n).items()}

    def weights(self, margin: str) -> dict[str, float]:
        """Base weight by category."""
        return self._by_level(margin, self.base)

    def _by_level(self, margin: str, values: np.ndarray) -> dict[str, float]:
        position = list(self.levels).index(margin)
        sums = np.bincount(self.codes[:, position], weights=values, minlength=len(self.levels[margin]))
        found = np.bincount(self.codes[:, position], weights=self.n, minlength=len(self.levels[margin])) > 0
        by_level: dict[str, float] = {}
        for level, total, used in zip(self.levels[margin], sums.tolist(), found, strict=True):
            if used:
                by_level[level] = by_level.get(level, 0.0) + total
        return by_level


def joint_cells(categories: pd.DataFrame, base: np.ndarray) -> JointCells:
    """Group respondents whose ``base`` weight is not NaN by the columns of ``categories``; empty and `_U` are one category, `_U`.

    Columns of category type are the fastest: their codes are used as they are.
    """
    known = ~np.isnan(base)
    everybody = bool(known.all())
    base = base if everybody else base[known]
    levels: dict[str, list[str]] = {}
    joint = np.zeros(len(base), dtype=np.intp)
    counted = np.empty((1, 0), dtype=np.intp)  # combinations of the margins so far that were numbered anew
    sizes: list[int] = []  # of the margins since
    for name in categories.columns:
        codes, levels[str(name)] = _codes(categories[name])
        size = len(levels[str(name)])
        if len(counted) * np.prod([*sizes, size], dtype=float) > max(4 * len(joint), 1 << 16):
            joint, present = pd.factorize(joint)  # more combinations than people: number those that occur
            counted, sizes = _decode(present, counted, sizes), []
        joint = joint * size + (codes if everybody else codes[known])
        sizes.append(size)
    n = np.bincount(joint, minlength=int(len(counted) * np.prod(sizes, dtype=np.intp)))
    used = np.flatnonzero(n)
    weight = np.bincount(joint, weights=base, minlength=len(n))[used]
    if len(used) < len(n):
        numbered = np.zeros(len(n), dtype=np.intp)
        numbered[used] = np.arange(len(used))
        joint = numbered[joint]
    if everybody:
        cell = joint
    else:
        cell = np.full(len(known), -1, dtype=np.intp)
        cell[known] = joint
    return JointCells(levels, _decode(used, counted, sizes), n[used], weight, cell)


def _decode(joint: np.ndarray, counted: np.ndarray, sizes: list[int]) -> np.ndarray:
    """The code on each margin (cells x margins) that numbers ``joint`` stand for."""
    columns = []
    for size in reversed(sizes):
        joint, code = np.divmod(joint, size)
        columns.append(code)
    return np.column_stack([counted[joint], *reversed(columns)])


def _codes(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """A code per respondent and the categories they stand for: `_U` the first, then those that occur (or the type has)."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, found = column.cat.codes.to_numpy(), column.cat.categories
    else:
        codes, found = pd.factorize(column)
    levels = [MISSING, *map(str, found)]
    return codes.astype(np.intp) + 1, levels


def same_cells(cells: JointCells, codes: np.ndarray) -> JointCells:
    """``cells`` with ``codes`` (cells x margins) in place of their own; those that no longer differ become one."""
    if len(codes) < 2 or not codes.shape[1]:
        return replace(cells, codes=codes)
    distinct, into = np.unique(codes, axis=0, return_inverse=True)
    into = into.reshape(-1)
    if len(distinct) == len(codes):
        return replace(cells, codes=codes)
    n = np.bincount(into, weights=cells.n).astype(np.int64)
    return replace(
        cells, codes=distinct, n=n, base=np.bincount(into, weights=cells.base), cell=np.where(cells.cell < 0, -1, into[cells.cell])
    )
