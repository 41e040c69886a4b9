"""Degrees of freedom of every domain of a sample with replicate weights.

Belongs here: PSUs minus strata, or the rank of the replicate weights, among those who are in the domain and answered. Not here:
variances.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

KEPT_VALUES = 100_000_000  # of replicate weights, in single precision: 0.4 GB
RANK_TOLERANCE = 1e-5  # R degf's


class PsuDegrees:
    """PSUs minus strata, counting those with a respondent of positive weight in the domain who answered."""

    def __init__(self) -> None:
        self.seen: list[list[pd.DataFrame]] = []
        self.rows = 0

    def add(
        self, cells: list[np.ndarray], known: np.ndarray, weights: np.ndarray, stratum: np.ndarray | None, psu: np.ndarray | None
    ) -> None:
        """Respondents: ``cells`` per crossing, ``known`` respondents x statistics. One without PSU is a PSU of its own."""
        rows = len(known)
        ids = pd.Series(psu).astype(object)
        ids = ids.where(ids.notna(), [f"\0{self.rows + i}" for i in range(rows)])
        strata = pd.Series(stratum).astype(object) if stratum is not None else pd.Series(np.zeros(rows))
        answered = pd.DataFrame(known & (weights[:, :1] > 0))
        self.rows += rows
        self.seen.append([answered.groupby([cell, strata, ids], dropna=False, sort=False).any() for cell in cells])

    def of(self, crossing: int, cells: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Degrees of freedom, and whether a single PSU holds all answers; cells x statistics."""
        found = pd.concat([piece[crossing] for piece in self.seen]) if self.seen else pd.DataFrame()
        if found.empty:
            return np.zeros((cells, columns), dtype=np.int64), np.ones((cells, columns), dtype=bool)
        names = ["cell", "stratum", "psu"]
        found = found.rename_axis(names).groupby(level=names, dropna=False).any()
        by_stratum = found.groupby(level=["cell", "stratum"], dropna=False).sum()
        psus = by_stratum.groupby(level="cell").sum().reindex(range(cells), fill_value=0).to_numpy()
        strata = (by_stratum > 0).groupby(level="cell").sum().reindex(range(cells), fill_value=0).to_numpy()
        return psus - strata, psus <= 1


class RankDegrees:
    """Rank of the replicate weights minus 1, for files that do not say who was drawn with whom (R ``degf.svyrep.design``).

    The rank does not depend on the scale of a respondent's weights, so each row is brought to length 1: ratios of weights, however
    large, then do not hide directions from the tolerance. Where the weights would take more than 0.4 GB in single precision, every
    m-th respondent is kept, which can only lower the rank of a domain.
    """

    def __init__(self, rows: int, replicates: int) -> None:
        self.step = max(1, -(-rows * replicates // KEPT_VALUES))
        self.direction = np.random.default_rng(1).normal(size=replicates)
        self.rows = 0
        self.kept: list[tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]] = []

    def add(
        self, cells: list[np.ndarray], known: np.ndarray, weights: np.ndarray, stratum: np.ndarray | None, psu: np.ndarray | None
    ) -> None:
        """Respondents: ``cells`` per crossing, ``known`` respondents x statistics."""
        chosen = np.arange(-self.rows % self.step, len(known), self.step)
        self.rows += len(known)
        rows = weights[chosen, 1:]
        length = np.sqrt((rows**2).sum(axis=1))
        chosen, rows = chosen[length > 0], rows[length > 0] / length[length > 0, None]
        # Respondents of a PSU have one direction: equal to ten digits along a random axis, they are counted once.
        axis = np.round(rows @ self.direction, 10)
        self.kept.append((rows.astype(np.float32), axis, known[chosen], [cell[chosen] for cell in cells]))

    def of(self, crossing: int, cells: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
        """Degrees of freedom, and whether the rank is 1 or less; cells x statistics."""
        if not self.kept:
            return np.zeros((cells, columns), dtype=np.int64), np.ones((cells, columns), dtype=bool)
        weights, axis, known = (np.concatenate([piece[i] for piece in self.kept]) for i in range(3))
        cell = np.concatenate([piece[3][crossing] for piece in self.kept])
        _, first, group = np.unique(axis, return_index=True, return_inverse=True)
        full = rank(weights[first])

        def domain(members: np.ndarray) -> int:
            few = members[:: max(1, len(members) // (2 * full + 20))]
            settled = rank(weights[few])  # a few, evenly spread, settle it where they have all that can be
            enough = len(few) == len(members) or settled == min(full, len(members))
            return settled if enough else rank(weights[first[np.unique(group[members])]])

        ranks = np.zeros((cells, columns), dtype=np.int64)
        order = np.argsort(cell, kind="stable")
        bounds = np.searchsorted(cell[order], np.arange(cells + 1))
        for c in np.flatnonzero(np.diff(bounds)):
            members = order[bounds[c] : bounds[c + 1]]
            answered = known[members]
            ranks[c] = domain(members[answered.all(axis=1)])  # a lower bound for every statistic, mostly enough
            if ranks[c, 0] < full:
                masks, which = np.unique(answered, axis=1, return_inverse=True)
                ranks[c] = np.array([domain(members[mask]) for mask in masks.T])[which.ravel()]
        return np.maximum(ranks - 1, 0), ranks <= 1


def rank(rows: np.ndarray) -> int:
    """Number of singular values above 1e-5 of the largest, from the smaller of the two Gram matrices."""
    if not rows.size:
        return 0
    short = rows.astype(np.float64)
    squared = np.linalg.eigvalsh(short @ short.T if len(short) < short.shape[1] else short.T @ short)
    return int((squared > RANK_TOLERANCE**2 * squared[-1]).sum())
