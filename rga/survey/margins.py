"""Which published cells add up to which: the sums that let a hidden number be had by subtraction.

Belongs here: relations between the cells of crossed tables, and what they say of numbers that are not shown. Not here: which
numbers are hidden (``disclosure``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from rga.survey.design import TOTAL, breakdown_name
from rga.survey.shared_counts import families, shared_counts

GROUP = ["survey_id", "indicator", "statistic", "category"]
SLACK = 1e-6  # of a respondent: what rounding of sums may leave


@dataclass(frozen=True)
class Cells:
    """Cells of every breakdown: ``published`` rows first, in their order, then those that no table shows but that sums run through.

    ``group`` numbers survey x indicator (x statistic x category): only cells of one group add up. Indicators that share counts
    (``shared_counts``) are one group. ``depth`` is how many dimensions
    a cell has. ``n`` are respondents in the base, ``count`` those who have the characteristic; ``weight`` and ``weighted`` are
    their weights, scaled to mean 1 in the group. Relation r says that the cells ``child`` whose ``relation`` is r add up to the
    cell ``parent[r]``.
    """

    published: int
    group: np.ndarray
    depth: np.ndarray
    n: np.ndarray
    count: np.ndarray
    weight: np.ndarray
    weighted: np.ndarray
    parent: np.ndarray
    child: np.ndarray
    relation: np.ndarray

    @property
    def cyclic(self) -> np.ndarray:
        """By group: whether a cell is part of two sums, so that ``narrowed`` may see less than there is."""
        found = np.zeros(int(self.group.max(initial=-1)) + 1, dtype=bool)
        found[self.group[np.bincount(self.child, minlength=len(self.n)) > 1]] = True
        return found

    def part(self, kept: np.ndarray) -> tuple[Cells, np.ndarray]:
        """The cells of whole groups that are ``kept`` (a mask), and their numbers here."""
        chosen = np.flatnonzero(kept)
        number = np.full(len(kept), -1)
        number[chosen] = np.arange(len(chosen))
        relations = np.flatnonzero(kept[self.parent])
        renumbered = np.full(len(self.parent), -1)
        renumbered[relations] = np.arange(len(relations))
        inside = kept[self.child]
        n, weight = self.n[chosen], self.weight[chosen]
        part = Cells(
            int((chosen < self.published).sum()), self.group[chosen], self.depth[chosen], n, self.count[chosen], weight,
            self.weighted[chosen], number[self.parent[relations]], number[self.child[inside]], renumbered[self.relation[inside]],
        )  # fmt: skip
        return part, chosen


def cells_of(frame: pd.DataFrame, breakdowns: Sequence[tuple[str, ...]]) -> Cells:
    """Cells and relations of a table with columns `survey_id, indicator, statistic, category, breakdown`, one per dimension (`_T`
    where not broken down), `n, numerator_n, value` (0..1) and `population`.

    A cell's parents are in the largest breakdowns that its own contains, and the same cell of an indicator that counts the same.
    Where two breakdowns share dimensions that no listed one has, their common margin is added, as what both add up to. A sum that
    does not hold of ``n`` is not used.
    """
    dimensions = list(dict.fromkeys(name for by in breakdowns for name in by))
    sets = _closed([frozenset(by) for by in breakdowns])
    names = {breakdown_name(by): frozenset(by) for by in breakdowns}
    group = frame.groupby(GROUP, sort=False).ngroup().to_numpy()
    coded = {name: pd.factorize(frame[name]) for name in dimensions if name in frame}
    codes = {name: code for name, (code, _) in coded.items()}
    total = {name: _place(texts, TOTAL) for name, (_, texts) in coded.items()}
    code, texts = pd.factorize(frame["breakdown"])
    own = np.array([_place(list(names), text) for text in texts], dtype=np.int64)[code]
    table = {
        "group": group, "n": frame["n"].to_numpy(np.float64), "count": frame["numerator_n"].to_numpy(np.float64),
        "weight": frame["population"].to_numpy(np.float64),
        "weighted": (frame["value"] * frame["population"]).to_numpy(np.float64),
    }  # fmt: skip
    blocks = {by: np.flatnonzero(own == number) for number, by in enumerate(names.values())}
    for by in sorted(set(sets) - set(blocks), key=len, reverse=True):
        larger = [rows for other, rows in blocks.items() if by < other and len(rows)]
        blocks[by] = _margin(by, larger, table, codes, total)
    order = sorted(blocks, key=len)
    depth = np.zeros(len(table["n"]), dtype=np.int64)
    parents, children, relations, made = [], [], [], 0
    for by in order:
        depth[blocks[by]] = len(by)
        below = [other for other in order if other < by]
        for nearest in (other for other in below if not any(other < between for between in below)):
            parent, child, relation = _sums(blocks[nearest], blocks[by], nearest, table, codes)
            parents.append(parent)
            children.append(child)
            relations.append(relation + made)
            made += len(parent)
    shared = shared_counts(frame, group, list(codes))
    for parent, child, relation in _between(shared, order, blocks, table, codes):
        parents.append(parent)
        children.append(child)
        relations.append(relation + made)
        made += len(parent)
    family = families(shared, int(group.max(initial=-1)) + 1)[table["group"]]
    weight, weighted = (np.nan_to_num(table[name]) for name in ("weight", "weighted"))
    per_person = np.bincount(family, weight) / np.maximum(np.bincount(family, table["n"]), 1)
    scale = np.where(per_person > 0, per_person, 1.0)[family]
    links = (np.concatenate(several) if several else np.zeros(0, np.int64) for several in (parents, children, relations))
    return Cells(len(frame), family, depth, table["n"], table["count"], weight / scale, weighted / scale, *links)


def _between(
    shared: list[tuple[int, tuple[int, ...]]],
    order: list[frozenset[str]],
    blocks: dict[frozenset[str], np.ndarray],
    table: dict[str, np.ndarray],
    codes: dict[str, np.ndarray],
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """As ``_sums``, of each group whose counts are another's or two others': its cells, and theirs of the same breakdown."""
    for of_sum, parts in shared:
        for by in order:
            rows = blocks[by]
            parent = rows[table["group"][rows] == of_sum]
            key = _key(parent, by, table, codes, grouped=False)
            child, relation = [], []
            for part in parts:
                row = rows[table["group"][rows] == part]
                _, at, own = np.intersect1d(key, _key(row, by, table, codes, grouped=False), return_indices=True)
                child.append(row[own])
                relation.append(at)
            yield parent, np.concatenate(child), np.concatenate(relation)


def narrowed(cells: Cells, low: np.ndarray, high: np.ndarray, sweeps: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Limits of each cell's number after all that the sums say: exact but in ``cyclic`` groups, there no tighter than the truth.

    Parents lie between the sums of their children's limits, a child between what its parent and its siblings leave. Repeated
    until nothing moves: on a tree, limits are then attained (and by whole numbers, if those given were whole), after as many
    ``sweeps`` as there are dimensions.
    """
    low, high = from_below(cells, low, high)
    parent, child, relation = cells.parent, cells.child, cells.relation
    for _ in range(sweeps):
        before = low.sum(), high.sum()
        least, most = (np.bincount(relation, limit[child], len(parent)) for limit in (low, high))
        np.maximum.at(low, parent, least)
        np.minimum.at(high, parent, most)
        lowest = low[parent][relation] - (most[relation] - high[child])
        highest = high[parent][relation] - (least[relation] - low[child])
        np.maximum.at(low, child, lowest)
        np.minimum.at(high, child, highest)
        if abs(low.sum() - before[0]) + abs(high.sum() - before[1]) < SLACK:
            break
    return low, high


def from_below(cells: Cells, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of what cells that are broken down further say of those that they add up to, and nothing else."""
    low, high = low.copy(), high.copy()
    for depth in range(int(cells.depth.max(initial=0)) - 1, -1, -1):
        at = cells.depth[cells.parent] == depth
        if at.any():
            links = at[cells.relation]
            relation, child = cells.relation[links], cells.child[links]
            least, most = (np.bincount(relation, limit[child], len(cells.parent)) for limit in (low, high))
            np.maximum.at(low, cells.parent[at], least[at])
            np.minimum.at(high, cells.parent[at], most[at])
    return low, high


def _closed(sets: list[frozenset[str]]) -> list[frozenset[str]]:
    """``sets`` and every intersection of some of them."""
    found = set(sets)
    while more := {a & b for a, b in combinations(found, 2)} - found:
        found |= more
    return list(found)


def _place(texts: Iterable[str], text: str) -> int:
    """Where ``text`` is among ``texts``; -1 where it is not."""
    return next((place for place, one in enumerate(texts) if one == text), -1)


def _margin(
    by: frozenset[str], larger: list[np.ndarray], table: dict[str, np.ndarray], codes: dict[str, np.ndarray], total: dict[str, int]
) -> np.ndarray:
    """Rows, appended to ``table`` and ``codes``, of the margin over ``by``: each group's of the first of ``larger`` that has it."""
    start, taken = len(table["n"]), np.zeros(0, np.int64)
    for rows in larger:
        row = rows[~np.isin(table["group"][rows], taken)]
        _, first, place = np.unique(_key(row, by, table, codes), return_index=True, return_inverse=True)
        taken = np.union1d(taken, table["group"][row])
        for name, values in codes.items():
            codes[name] = np.append(values, values[row[first]] if name in by else np.full(len(first), total[name]))
        for name, values in table.items():
            added = values[row[first]] if name == "group" else np.bincount(place, values[row], len(first))
            table[name] = np.append(values, added)
    return np.arange(start, len(table["n"]))


def _key(
    row: np.ndarray, by: frozenset[str], table: dict[str, np.ndarray], codes: dict[str, np.ndarray], grouped: bool = True
) -> np.ndarray:
    key = table["group"][row].astype(np.int64) if grouped else np.zeros(len(row), dtype=np.int64)
    for name in sorted(by):
        key = key * (int(codes[name].max()) + 2) + codes[name][row]
    return key


def _sums(
    parents: np.ndarray, children: np.ndarray, by: frozenset[str], table: dict[str, np.ndarray], codes: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of parents, rows of their children, and the number of each child's relation; of sums that hold of ``n``."""
    if not len(parents) or not len(children):
        return (np.zeros(0, np.int64),) * 3
    keys = _key(parents, by, table, codes)
    order = np.argsort(keys)
    wanted = _key(children, by, table, codes)
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = keys[order][at] == wanted
    child, parent = children[found], parents[order[at[found]]]
    distinct, relation = np.unique(parent, return_inverse=True)
    holds = np.bincount(relation, table["n"][child], len(distinct)) == table["n"][distinct]
    number = np.cumsum(holds) - 1
    kept = holds[relation]
    return distinct[holds], child[kept], number[relation[kept]]
