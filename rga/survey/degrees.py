"""Degrees of freedom of every domain of a sample with replicate weights.

Belongs here: PSUs minus strata, or the rank of the replicate weights, among those who are in the domain and answered. Not here:
variances.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

KEPT_VALUES = 25_000_000  # of replicate weights, in single precision: 0.1 GB, 300,000 respondents with 80
RANK_TOLERANCE = 1e-5  # R degf's


class PsuDegrees:
    """PSUs minus strata, counting those with a respondent of positive weight in the domain who answered."""

    def __init__(self, cells: list[int], columns: int) -> None:
        self.cells, self.columns = cells, columns
        self.seen: list[list[pd.DataFrame]] = []
        self.rows = 0

    def add(
        self, cells: list[np.ndarray], known: np.ndarray, weights: np.ndarray, stratum: np.ndarray | None, psu: np.ndarray | None
    ) -> None:
        """Respondents: ``cells`` per crossing, ``known`` respondents x statistics. One without PSU is a PSU of its own."""
        rows = len(known)
        ids = pd.Series(psu).astype(object)
        without = np.flatnonzero(ids.isna())
        ids.iloc[without] = [f"\0{self.rows + i}" for i in without]
        strata = pd.Series(stratum).astype(object) if stratum is not None else pd.Series(np.zeros(rows))
        answered = pd.DataFrame(known & (weights[:, :1] > 0))
        self.rows += rows
        self.seen.append([answered.groupby([cell, strata, ids], dropna=False, sort=False).any() for cell in cells])

    def of(self, crossing: int) -> tuple[np.ndarray, np.ndarray]:
        """Degrees of freedom, and whether a single PSU holds all answers; cells x statistics."""
        if not self.seen:
            return _none(self.cells[crossing], self.columns)
        found = pd.concat([piece[crossing] for piece in self.seen])
        names = ["cell", "stratum", "psu"]
        found = found.rename_axis(names).groupby(level=names, dropna=False).any()
        by_stratum = found.groupby(level=["cell", "stratum"], dropna=False).sum()
        psus = by_stratum.groupby(level="cell").sum().to_numpy()
        strata = (by_stratum > 0).groupby(level="cell").sum().to_numpy()
        return psus - strata, psus <= 1


class RankDegrees:
    """Rank of the replicate weights minus 1, for files that do not say who was drawn with whom (R ``degf.svyrep.design``).

    The rank does not depend on the scale of a respondent's weights, so each row is brought to length 1: ratios of weights, however
    large, then do not hide directions from the tolerance. Where the weights would take more than 0.1 GB in single precision, a
    random part of the respondents is kept, and of each domain twice as many as there are replicates: the rank can only be lowered,
    and only where more PSUs than that part touches are in a domain.
    """

    def __init__(self, cells: list[int], columns: int, rows: int, replicates: int) -> None:
        self.random = np.random.default_rng(1)
        self.direction = self.random.normal(size=replicates)
        self.part = KEPT_VALUES / max(rows * replicates, 1)
        self.columns = columns
        self.counts = [np.zeros((size, columns), dtype=np.int64) for size in cells]
        self.kept: list[tuple[np.ndarray, np.ndarray, np.ndarray, list[np.ndarray]]] = []

    def add(
        self, cells: list[np.ndarray], known: np.ndarray, weights: np.ndarray, stratum: np.ndarray | None, psu: np.ndarray | None
    ) -> None:
        """Respondents: ``cells`` per crossing, ``known`` respondents x statistics."""
        wanted = np.ones(len(known), dtype=bool)
        if self.part < 1:
            wanted = self.random.random(len(known)) < self.part
            for counts, cell in zip(self.counts, cells, strict=True):
                wanted |= (known & (counts < 2 * len(self.direction))[cell]).any(axis=1)
            for counts, cell in zip(self.counts, cells, strict=True):
                member = csr_array((wanted.astype(np.int64), (cell, np.arange(len(cell)))), shape=(len(counts), len(cell)))
                counts += member @ known.astype(np.int64)
        chosen = np.flatnonzero(wanted)
        rows = weights[chosen, 1:]
        length = np.sqrt((rows**2).sum(axis=1))
        chosen, rows = chosen[length > 0], rows[length > 0] / length[length > 0, None]
        # Respondents of a PSU have one direction: equal to ten digits along a random axis, they are counted once.
        axis = np.round(rows @ self.direction, 10)
        self.kept.append((rows.astype(np.float32), axis, known[chosen], [cell[chosen] for cell in cells]))

    def of(self, crossing: int) -> tuple[np.ndarray, np.ndarray]:
        """Degrees of freedom, and whether the rank is 1 or less; cells x statistics."""
        cells = len(self.counts[crossing])
        if not self.kept:
            return _none(cells, self.columns)
        weights, axis, known = (np.concatenate([piece[i] for piece in self.kept]) for i in range(3))
        cell = np.concatenate([piece[3][crossing] for piece in self.kept])
        _, first, group = np.unique(axis, return_index=True, return_inverse=True)
        full = rank(weights[first])

        def domain(members: np.ndarray) -> int:
            few = members[:: max(1, len(members) // (2 * full + 20))]
            settled = rank(weights[few])  # a few, evenly spread, settle it where they have all that can be
            enough = len(few) == len(members) or settled == min(full, len(members))
            return settled if enough else rank(weights[first[np.unique(group[members])]])

        ranks = np.zeros((cells, self.columns), dtype=np.int64)
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
    if len(rows) < rows.shape[1]:
        rows = rows.T
    gram = sum(part.T @ part for part in (p.astype(np.float64) for p in np.array_split(rows, 1 + len(rows) // 20_000)))
    squared = np.linalg.eigvalsh(gram)
    return int((squared > RANK_TOLERANCE**2 * squared[-1]).sum())


def _none(cells: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((cells, columns), dtype=np.int64), np.ones((cells, columns), dtype=bool)
