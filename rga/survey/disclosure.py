"""Which numbers are hidden so that nobody's answer can be had, from one cell or by subtraction.

Belongs here: the cells hidden or rounded to keep secrets. Not here: which counts are secrets (``secrets``), the sums between cells
(``margins``), rules on precision (``reliability``, ``precision``), tables.

Decisions rest on rounded shares and on which hidden counts are secrets. They tell a reader something all the same: a share stays
rounded only where its precision would not do, and who follows every decision can learn from that (docs/publication-rules.md).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rga.survey.margins import SLACK, Cells, from_below, narrowed
from rga.survey.secrets import Values, small_counts, values_of

LAST_RESORT = 1e9
THOROUGH = 12
ROUNDS = 3  # of narrowing by sums, then by the values that a count can have
SPARE = 1  # respondents that limits inside a cell's values are wider than asked, where sums have cycles
ROUNDING = 1e-11  # of floating point, in sums of weights


class DisclosureThresholds(Protocol):
    """Of `publication_rules.yaml`: respondents, values, and percentage points."""

    @property
    def small_count(self) -> int: ...
    @property
    def possible_values(self) -> int: ...
    @property
    def round_to(self) -> list[float]: ...


@dataclass(frozen=True)
class Protection:
    """By published cell: which counts are ``secret``, which cells are ``hidden`` in all, and ``rounded_to`` (percentage points; 0:
    no coarser than its precision).

    ``exposed``: secrets that cannot be protected by giving up what may be given up.
    """

    secret: np.ndarray
    hidden: np.ndarray
    rounded_to: np.ndarray
    exposed: np.ndarray


@dataclass(frozen=True)
class Limits:
    """What a reader knows before adding anything up: of the count of each cell, or of its weighted sum, in which a respondent is
    worth ``unit``; whether it is ``hidden``, and the ``values`` that its count can have."""

    low: np.ndarray
    high: np.ndarray
    unit: np.ndarray
    hidden: np.ndarray
    values: Values

    def narrowed(self, cells: Cells, sweeps: int = THOROUGH) -> tuple[np.ndarray, np.ndarray]:
        """After all that the sums between ``cells`` say, and the rules on which of them are secrets."""
        low, high = self.low, self.high
        for _ in range(ROUNDS):
            low, high = narrowed(cells, low, high, sweeps)
            least, most = (limit * self.unit for limit in self.values.concluded(low / self.unit, high / self.unit, self.hidden))
            moved = (np.abs(least - low) + np.abs(most - high) > SLACK).any()
            low, high = least, most
            if not moved:
                break
        return low, high

    def too_few(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Secrets of which ``low``..``high`` leave too few values."""
        return self.hidden & self.values.too_few(low / self.unit, high / self.unit)

    def spared(self, low: np.ndarray, high: np.ndarray, cyclic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Limits of ``cyclic`` cells as they might be, could all be seen: a little tighter where sums narrow them at all."""
        tight = SPARE * self.unit * cyclic
        return low + tight * (low > self.low + SLACK), high - tight * (high < self.high - SLACK)


def protect(
    cells: Cells,
    withheld: np.ndarray,
    se: np.ndarray,
    rules: DisclosureThresholds,
    precision: np.ndarray | None = None,
    told: np.ndarray | None = None,
    settled: Protection | None = None,
    is_settled: np.ndarray | None = None,
) -> Protection:
    """Hide small counts, and hide or round what gives a secret of ``cells`` away.

    By published cell: ``withheld`` are hidden already; ``precision`` is the step (percentage points) that each share is printed
    to at least, ``se`` its standard error (of 1); ``told`` are secrets as the name of their rule gives them away. Cells that
    ``is_settled`` stay as they are in ``settled``. The reader is thought to know the count of every cell shown, as with equal
    weights, and its weighted sum, both within its step. He must not be able to exclude all but three values of a secret. Cells
    that give one away are rounded, to a step of at most their own standard error, where that suffices; otherwise some are hidden,
    small ones first. No more is given up than is needed, and of women and men least. Where sums have cycles (three-way
    crossings), a reader may know more than is seen here: `exact.unprotected` tells, but takes minutes."""
    problem = _Problem.of(cells, withheld, se, rules, precision, told, settled, is_settled)
    problem.solve()
    problem.take_back()
    shown = slice(0, cells.published)
    rounded = np.where(problem.step[shown] > problem.fine[shown], problem.step[shown], 0.0)
    return Protection(problem.values.secret[shown], problem.hidden[shown], rounded, problem.exposed[shown])


@dataclass
class _Problem:
    """The cells, and what is given up of them so far: ``hidden``, and the ``step`` that each share is printed to."""

    cells: Cells
    rules: DisclosureThresholds
    values: Values
    hidden: np.ndarray
    own: np.ndarray  # hidden whatever their neighbours
    step: np.ndarray
    fine: np.ndarray  # the step of a cell that nothing hangs on
    error: np.ndarray
    fixed: np.ndarray
    exposed: np.ndarray

    @classmethod
    def of(
        cls, cells: Cells, withheld: np.ndarray, se: np.ndarray, rules: DisclosureThresholds, precision: np.ndarray | None,
        told: np.ndarray | None, settled: Protection | None, is_settled: np.ndarray | None,
    ) -> _Problem:  # fmt: skip
        size, shown = len(cells.n), slice(0, cells.published)

        def whole(given: np.ndarray | None, kind: type) -> np.ndarray:
            found: np.ndarray = np.zeros(size, dtype=kind)
            if given is not None:
                found[shown] = given
            return found

        published = np.arange(size) < cells.published
        thin, fixed = whole(withheld, bool), whole(is_settled, bool)
        values = values_of(cells.count, cells.n, thin, published, rules, whole(told, bool))
        own = thin | (published & small_counts(cells.count, cells.n, rules.small_count))
        fine = whole(precision, float)
        hidden, step = own.copy(), fine.copy()
        if settled is not None:
            hidden |= whole(settled.hidden, bool) & fixed
            step = np.where(fixed, np.maximum(step, whole(settled.rounded_to, float)), step)
        error = whole(100 * np.nan_to_num(se), float)
        return cls(cells, rules, values, hidden, own, step, fine, error, fixed, np.zeros(size, dtype=bool))

    def solve(self) -> None:
        """Give cells up until no secret is narrowed too far, or nothing is left to give."""
        cells, cyclic = self.cells, self.cells.cyclic
        part, chosen = cells, np.arange(len(cells.n))
        sweeps = int(cells.depth.max(initial=0)) + 1  # enough on a tree; elsewhere most of what there is to see, and fast
        while len(chosen):
            unsafe, below = self.unsafe(part, chosen, sweeps)
            if not unsafe.any():
                if sweeps == THOROUGH:
                    break
                cyclic[cells.group[self.exposed]] = False  # given up on
                (part, chosen), sweeps = cells.part(cyclic[cells.group]), THOROUGH
                continue
            step = _next_step(part, self.step[chosen], self.error[chosen], self.rules)
            begun = self.step[chosen] > self.fine[chosen]
            price = _prices(part, self.open(part, chosen), begun, step, self.error[chosen], self.rules)
            given_up = _choice(part, unsafe, below, np.where(self.fixed[chosen], np.inf, price))
            places = chosen[given_up]
            self.hidden[places] = step[given_up] == 0
            self.step[places] = np.where(step[given_up] > 0, step[given_up], self.step[places])
            groups, helped = np.zeros((2, len(cyclic)), dtype=bool)
            groups[part.group[unsafe]], helped[part.group[given_up]] = True, True
            self.exposed[chosen[unsafe & ~helped[part.group]]] = True
            part, chosen = cells.part((groups & helped)[cells.group])

    def take_back(self) -> None:
        """Give up no more than is needed: show hidden cells again, as coarsely as may be, where every secret stays one; then print
        shares as finely as they allow, those of women and men first, everybody's last. Sums with cycles are left as they are."""
        tree = ~self.cells.cyclic[self.cells.group] & ~self.fixed & (np.arange(len(self.hidden)) < self.cells.published)
        coarse = self._coarsest()
        self._show(self.hidden & ~self.own & tree & (coarse > 0), coarse)
        while True:  # what one cell gives back can let another
            before = self.step.copy()
            for step in (0.0, *sorted(self.rules.round_to)):
                finer = np.maximum(self.fine, step)
                for depth in (1, 2, 0):
                    self._refine(~self.hidden & (self.step > finer + SLACK) & tree & (self.cells.depth == depth), finer)
            moved = np.zeros(int(self.cells.group.max(initial=-1)) + 1, dtype=bool)
            moved[self.cells.group[self.step < before - SLACK]] = True
            tree &= moved[self.cells.group]
            if not tree.any():
                break

    def _coarsest(self) -> np.ndarray:
        found = np.zeros(len(self.hidden))
        found[: self.cells.published] = coarsest_step(self.cells, self.error[: self.cells.published], self.rules)
        return found

    def _show(self, left: np.ndarray, to: np.ndarray) -> None:
        """Show the cells ``left``, one of each group at a time, the largest first."""
        rank = np.argsort(-self.cells.n, kind="stable")
        while left.any():
            waiting = rank[left[rank]]
            tried = waiting[np.unique(self.cells.group[waiting], return_index=True)[1]]
            left[tried] = False
            before = self.step[tried]
            self.hidden[tried], self.step[tried] = False, to[tried]
            back = self._failed(tried)
            self.hidden[tried[back]], self.step[tried[back]] = True, before[back]

    def _refine(self, left: np.ndarray, to: np.ndarray) -> None:
        """Print the cells ``left`` to the step ``to``: all of a group, or else each half, and so on down to single cells."""
        by_group = np.flatnonzero(left)
        by_group = by_group[np.lexsort((-self.cells.n[by_group], self.cells.group[by_group]))]
        sets = np.split(by_group, np.flatnonzero(np.diff(self.cells.group[by_group])) + 1) if len(by_group) else []
        waiting = [[one] for one in sets]
        while waiting:
            trying = [queue.pop(0) for queue in waiting]
            tried = np.concatenate(trying)
            before = self.step[tried]
            self.step[tried] = to[tried]
            back = self._failed(tried)
            self.step[tried[back]] = before[back]
            ends = np.cumsum([len(one) for one in trying])
            for queue, one, end in zip(waiting, trying, ends, strict=True):
                if back[end - 1] and len(one) > 1:
                    queue[:0] = [one[: len(one) // 2], one[len(one) // 2 :]]
            waiting = [queue for queue in waiting if queue]

    def _failed(self, tried: np.ndarray) -> np.ndarray:
        """Of each of the cells ``tried``, whether a secret of its group is narrowed too far as things are printed now."""
        groups = np.zeros(int(self.cells.group.max()) + 1, dtype=bool)
        groups[self.cells.group[tried]] = True
        part, chosen = self.cells.part(groups[self.cells.group])
        unsafe, _ = self.unsafe(part, chosen, THOROUGH)
        failed = np.zeros(len(groups), dtype=bool)
        failed[part.group[unsafe & ~self.exposed[chosen]]] = True
        return failed[self.cells.group[tried]]

    def open(self, part: Cells, chosen: np.ndarray) -> np.ndarray:
        """Cells that no table shows."""
        return self.hidden[chosen] | (np.arange(len(chosen)) >= part.published)

    def unsafe(self, part: Cells, chosen: np.ndarray, sweeps: int) -> tuple[np.ndarray, np.ndarray]:
        """Secrets of ``part`` that are narrowed too far by counts or by weighted sums; and sums whose parent is one that its
        children alone narrow too far."""
        cyclic = part.cyclic[part.group] & ~self.fixed[chosen]
        found, below = np.zeros(len(chosen), dtype=bool), np.zeros(len(part.parent), dtype=bool)
        for limits in models(part, self.open(part, chosen), self.step[chosen], self.values.part(chosen)):
            found |= limits.too_few(*limits.spared(*limits.narrowed(part, sweeps), cyclic))
            below |= _given_from_below(part, limits)
        return found, below


def _given_from_below(cells: Cells, limits: Limits) -> np.ndarray:
    """Sums whose parent is a secret, and whose children alone narrow it too far."""
    low, high = from_below(cells, limits.low, limits.high)
    least, most = (np.bincount(cells.relation, limit[cells.child], len(cells.parent)) for limit in (low, high))
    at = cells.parent
    least, most = np.maximum(least, limits.low[at]), np.minimum(most, limits.high[at])
    return limits.hidden[at] & limits.values.part(at).too_few(least / limits.unit[at], most / limits.unit[at])


def models(cells: Cells, hidden: np.ndarray, step: np.ndarray, values: Values) -> tuple[Limits, Limits]:
    """Of counts and of weighted sums: known within its ``step`` (percentage points; 0: exactly) where a share is shown, from none
    to all where it is ``hidden``."""
    per_person = np.divide(cells.weight, cells.n, out=np.ones(len(cells.n)), where=(cells.n > 0) & (cells.weight > 0))
    low, high = _known(cells.count, cells.n, hidden, step)
    counts = Limits(np.ceil(low - SLACK), np.floor(high + SLACK), np.ones(len(cells.n)), hidden, values)
    weighted = _known(cells.weighted, cells.weight, hidden, step)
    return counts, Limits(*weighted, per_person, hidden, values.reaching(cells.weighted / per_person))


def _known(part: np.ndarray, base: np.ndarray, hidden: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    error = ROUNDING * (1 + base)  # without it, sums that miss by a rounding error would contradict each other
    low, high = np.where(hidden, 0.0, part - error), np.where(hidden, base, part + error)
    at = np.flatnonzero((step > 0) & ~hidden & (base > 0))
    if len(at):
        share = 100 * part[at] / base[at]
        centre = np.round(share / step[at]) * step[at]
        low[at] = np.maximum((centre - step[at] / 2) / 100 * base[at] - error[at], 0)
        high[at] = np.minimum((centre + step[at] / 2) / 100, 1) * base[at] + error[at]
    return low, high


def _per_cent(cells: Cells) -> np.ndarray:
    """The share of each cell; 0 where nobody has a weight."""
    found: np.ndarray = 100 * np.divide(cells.weighted, cells.weight, out=np.zeros(len(cells.n)), where=cells.weight > 0)
    return found


def coarsest_step(cells: Cells, error: np.ndarray, rules: DisclosureThresholds) -> np.ndarray:
    """The largest step (percentage points) that each published cell can be rounded to: at most its standard ``error``; 0: none."""
    share = _per_cent(cells)[: cells.published]
    found = np.zeros(len(share))
    for step in sorted(rules.round_to):
        found[(share > step) & (share < 100 - step) & (step <= error)] = step
    return found


def _next_step(cells: Cells, now: np.ndarray, error: np.ndarray, rules: DisclosureThresholds) -> np.ndarray:
    """To what percentage points each cell would be rounded next: more than ``now``, at most its ``error``; 0 where nothing fits."""
    found = np.zeros(len(cells.n))
    share = _per_cent(cells)
    for step in sorted(rules.round_to, reverse=True):
        inside = (share > step) & (share < 100 - step) & (cells.n * step >= 100)
        found[inside & (step > now) & (step <= error)] = step
    return found


def _prices(
    cells: Cells, open_: np.ndarray, begun: np.ndarray, step: np.ndarray, error: np.ndarray, rules: DisclosureThresholds
) -> np.ndarray:
    """What it costs to give a cell up: up to 1 where it can be rounded (2 for women and men as such), least where that was
    ``begun``, else its cases; infinite where it is hidden already."""
    useful = np.minimum(cells.count, cells.n - cells.count) >= rules.possible_values - 1
    hide = 10 + cells.n + np.where(useful, 0.0, LAST_RESORT)
    rounding = np.where(cells.depth == 0, 0.0, np.where(cells.depth == 1, 2.0, step / np.maximum(error, 1e-300)))
    rounding = np.where(begun, rounding / 10, rounding)
    return np.where(open_, np.inf, np.where(step > 0, rounding, hide))


def _choice(cells: Cells, unsafe: np.ndarray, below: np.ndarray, price: np.ndarray) -> np.ndarray:
    """Shown cells to give up next, one of each sum that gives something away.

    First of sums that give their own hidden parent away, ``below``; in groups without, of those of the unsafe cells with the fewest
    dimensions, as protecting these may suffice.
    """
    if not len(cells.child):
        return np.flatnonzero(unsafe & np.isfinite(price))
    groups = int(cells.group.max()) + 1
    best = _cheapest(cells.relation, price[cells.child], len(cells.parent))
    of_child, of_parent = price[cells.child[best]], price[cells.parent]
    # A parent of so few cannot hide what its children are: it goes first.
    of_parent = np.where(np.isfinite(of_parent) & (of_parent >= LAST_RESORT), -1.0, of_parent)
    pick = np.where(of_parent < of_child, cells.parent, cells.child[best])
    first = np.flatnonzero(below & np.isfinite(of_child))
    chosen = list(cells.child[best[first]])
    served = np.zeros(groups, dtype=bool)
    served[cells.group[cells.parent[first]]] = True
    fit = unsafe[cells.child] & np.isfinite(np.minimum(of_parent, of_child))[cells.relation] & ~served[cells.group[cells.child]]
    links = np.flatnonzero(fit)
    if len(links):
        of, depth = cells.group[cells.child[links]], cells.depth[cells.child[links]]
        least = np.full(groups, 99)
        np.minimum.at(least, of, depth)
        chosen += list(pick[np.unique(cells.relation[links[depth == least[of]]])])
        served[of] = True
    # Nothing shown is left in the sums of what is unsafe: the cheapest cell of the group.
    stuck = np.zeros(groups, dtype=bool)
    stuck[cells.group[unsafe]] = True
    at = np.flatnonzero((stuck & ~served)[cells.group] & np.isfinite(price))
    cheapest = _cheapest(cells.group[at], price[at], groups)
    chosen += list(at[cheapest[cheapest >= 0]])
    return np.unique(np.array(chosen, dtype=np.int64))


def _cheapest(key: np.ndarray, cost: np.ndarray, size: int) -> np.ndarray:
    """Of each key the place of its lowest cost; -1 where it has none."""
    found, least = np.full(size, -1), np.full(size, np.inf)
    np.minimum.at(least, key, cost)
    lowest = np.flatnonzero(cost == least[key])[::-1]
    found[key[lowest]] = lowest  # the first of them, which is written last
    return found
