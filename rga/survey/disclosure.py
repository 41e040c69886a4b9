"""Which numbers are hidden so that nobody's answer can be had, from one cell or by subtraction.

Belongs here: small counts, and the cells hidden or rounded with them. Not here: the sums between cells (``margins``), rules on
precision (``reliability``), tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rga.survey.margins import SLACK, Cells, from_below, narrowed

LAST_RESORT = 1e9
THOROUGH = 12
SPARE = 1  # values more than are asked for, where sums have cycles
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
    """By published cell: ``small`` counts, which are ``hidden`` in all, and ``rounded_to`` (percentage points; 0: exact).

    ``exposed``: hidden cells that cannot be protected by giving up what may be given up.
    """

    small: np.ndarray
    hidden: np.ndarray
    rounded_to: np.ndarray
    exposed: np.ndarray


@dataclass(frozen=True)
class Limits:
    """What a reader knows before adding anything up: of the count of each cell, or of its weighted sum."""

    low: np.ndarray
    high: np.ndarray
    need: np.ndarray


def small_counts(count: np.ndarray, n: np.ndarray, small: int) -> np.ndarray:
    """Whether 1 to ``small`` respondents have the characteristic, or do not have it."""
    return ((count >= 1) & (count <= small)) | ((n - count >= 1) & (n - count <= small))


def protect(
    cells: Cells,
    withheld: np.ndarray,
    se: np.ndarray,
    rules: DisclosureThresholds,
    rounded_to: np.ndarray | None = None,
    settled: np.ndarray | None = None,
) -> Protection:
    """Hide small counts, and what gives a hidden number away, of ``cells``.

    ``withheld`` (by published cell) are hidden already, others ``rounded_to`` a step; ``settled`` ones stay as they are. ``se``
    is the standard error of each share, of 1. The reader is thought to know the count of every cell shown, as with equal
    weights, and its weighted sum. No hidden count may be narrowed to fewer than ``possible_values`` values, or than its base
    allows where that is less; nor a hidden weighted sum to fewer respondents' worth. A cell that gives another away is rounded,
    to a step of at most its own standard error, where that suffices: the total first, then the cell for which the step is
    smallest beside its error. Otherwise it is hidden, small cells first. Where sums have cycles (three-way crossings), a reader
    may know more than is seen here: `exact.unprotected` tells, but takes minutes.
    """
    published = np.arange(len(cells.n)) < cells.published
    small = published & small_counts(cells.count, cells.n, rules.small_count)
    hidden, rounded, error = small.copy(), np.zeros(len(published)), np.zeros(len(published))
    fixed, exposed = np.zeros(len(published), dtype=bool), np.zeros(len(published), dtype=bool)
    hidden[: cells.published] |= withheld
    rounded[: cells.published] = 0.0 if rounded_to is None else rounded_to
    fixed[: cells.published] = False if settled is None else settled
    error[: cells.published] = 100 * np.nan_to_num(se)
    values = np.full(len(published), rules.possible_values)
    cyclic = cells.cyclic
    exact = ~cyclic[cells.group]
    values[~fixed & ~exact] += SPARE  # a reader may narrow further what is not settled than is seen here
    part, chosen = cells, np.arange(len(published))
    sweeps = int(cells.depth.max(initial=0)) + 1  # enough on a tree; elsewhere most of what there is to see, and fast
    while len(published):
        own_hidden, own_rounded = hidden[chosen], rounded[chosen]
        open_ = own_hidden | (np.arange(len(chosen)) >= part.published)
        both = models(part, open_, own_rounded, values[chosen])
        unsafe = _unsafe(part, own_hidden, both, sweeps)
        if not unsafe.any():
            if sweeps == THOROUGH:
                break
            cyclic[cells.group[exposed]] = False  # given up on
            (part, chosen), sweeps = cells.part(cyclic[cells.group]), THOROUGH
            continue
        step = _next_step(part, own_rounded, error[chosen], rules)
        price = _prices(part, open_, own_rounded > 0, step, error[chosen], rules)
        given_up = _choice(part, unsafe, _given_from_below(part, own_hidden, both), np.where(fixed[chosen], np.inf, price))
        rounded[chosen[given_up]] = step[given_up]
        hidden[chosen[given_up]] = step[given_up] == 0
        groups, helped = np.zeros((2, int(cells.group.max()) + 1), dtype=bool)
        groups[part.group[unsafe]], helped[part.group[given_up]] = True, True
        exposed[chosen[unsafe & ~helped[part.group]]] = True
        part, chosen = cells.part((groups & helped)[cells.group])
    own = small.copy()
    own[: cells.published] |= withheld
    _take_back(cells, hidden, rounded, published & ~own & ~fixed & exact, values, error, rules)
    return Protection(*(found[: cells.published] for found in (small, hidden, rounded, exposed)))


def _take_back(
    cells: Cells,
    hidden: np.ndarray,
    rounded: np.ndarray,
    may: np.ndarray,
    values: np.ndarray,
    error: np.ndarray,
    rules: DisclosureThresholds,
) -> None:
    """Show again, rounded as far as they can be, cells that ``may`` be and need not be hidden: what was given up first can turn out
    not to be needed by what was given up later. One cell of each group at a time, the largest first."""
    step = np.zeros(len(hidden))
    step[: cells.published] = coarsest_step(cells, error[: cells.published], rules)
    left = hidden & may & (step > 0)
    while left.any():
        waiting = np.flatnonzero(left)
        by_size = waiting[np.argsort(-cells.n[waiting], kind="stable")]
        tried = by_size[np.unique(cells.group[by_size], return_index=True)[1]]
        left[tried] = False
        here = np.zeros(int(cells.group.max()) + 1, dtype=bool)
        here[cells.group[tried]] = True
        part, chosen = cells.part(here[cells.group])
        hidden[tried], rounded[tried] = False, step[tried]
        open_ = hidden[chosen] | (np.arange(len(chosen)) >= part.published)
        unsafe = _unsafe(part, hidden[chosen], models(part, open_, rounded[chosen], values[chosen]), THOROUGH)
        failed = np.zeros(len(here), dtype=bool)
        failed[part.group[unsafe]] = True
        back = tried[failed[cells.group[tried]]]
        hidden[back], rounded[back] = True, 0.0


def _unsafe(cells: Cells, hidden: np.ndarray, both: tuple[Limits, Limits], sweeps: int) -> np.ndarray:
    """Cells, of those ``hidden``, that are narrowed too far: by counts, or by weighted sums."""
    found = np.zeros(len(hidden), dtype=bool)
    for limits in both:
        found |= hidden & too_narrow(*narrowed(cells, limits.low, limits.high, sweeps), limits.need)
    return found


def _given_from_below(cells: Cells, hidden: np.ndarray, both: tuple[Limits, Limits]) -> np.ndarray:
    """Sums whose parent is ``hidden``, and whose children alone narrow it too far."""
    found = np.zeros(len(cells.parent), dtype=bool)
    for limits in both:
        low, high = from_below(cells, limits.low, limits.high)
        least, most = (np.bincount(cells.relation, limit[cells.child], len(cells.parent)) for limit in (low, high))
        least, most = np.maximum(least, 0), np.minimum(most, limits.high[cells.parent])
        found |= hidden[cells.parent] & too_narrow(least, most, limits.need[cells.parent])
    return found


def two_digits(values: np.ndarray) -> np.ndarray:
    """Rounded to two significant digits, as errors of rounded shares are printed."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (np.floor(np.log10(np.abs(values))) - 1)
        return np.where(values == 0, 0.0, np.round(values / scale) * scale)


def models(cells: Cells, hidden: np.ndarray, rounded_to: np.ndarray, values: int | np.ndarray) -> tuple[Limits, Limits]:
    """Of counts and of weighted sums: known where shown, within rounding where rounded, from none to all where ``hidden``."""
    need = np.where(hidden, np.minimum(values - 1, cells.n), 0.0)
    per_person = np.divide(cells.weight, cells.n, out=np.zeros(len(cells.n)), where=cells.n > 0)
    low, high = _known(cells.count, cells.n, hidden, rounded_to)
    whole = Limits(np.ceil(low - SLACK), np.floor(high + SLACK), need)
    return whole, Limits(*_known(cells.weighted, cells.weight, hidden, rounded_to), need * per_person)


def _known(part: np.ndarray, base: np.ndarray, hidden: np.ndarray, rounded_to: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    error = ROUNDING * (1 + base)  # without it, sums that miss by a rounding error would contradict each other
    low, high = np.where(hidden, 0.0, part - error), np.where(hidden, base, part + error)
    at = np.flatnonzero((rounded_to > 0) & ~hidden)
    if len(at):
        share = 100 * part[at] / base[at]
        centre = np.round(share / rounded_to[at]) * rounded_to[at]
        low[at] = np.maximum((centre - rounded_to[at] / 2) / 100 * base[at], 0)
        high[at] = np.minimum((centre + rounded_to[at] / 2) / 100, 1) * base[at]
    return low, high


def too_narrow(low: np.ndarray, high: np.ndarray, need: np.ndarray) -> np.ndarray:
    return high - low < need - SLACK


def _next_step(cells: Cells, now: np.ndarray, error: np.ndarray, rules: DisclosureThresholds) -> np.ndarray:
    """To what percentage points each cell would be rounded next: more than ``now``, at most its ``error``; 0 where nothing fits."""
    found = np.zeros(len(cells.n))
    share = 100 * np.divide(cells.weighted, cells.weight, out=np.zeros(len(cells.n)), where=cells.weight > 0)
    for step in sorted(rules.round_to, reverse=True):
        inside = (share > step) & (share < 100 - step) & (cells.n * step >= 100 * (rules.possible_values - 1))
        found[inside & (step > now) & (step <= error)] = step
    return found


def coarsest_step(cells: Cells, error: np.ndarray, rules: DisclosureThresholds) -> np.ndarray:
    """The largest step (percentage points) that each published cell can be rounded to: at most its standard ``error``; 0: none."""
    share = 100 * np.divide(cells.weighted, cells.weight, out=np.zeros(len(cells.n)), where=cells.weight > 0)[: cells.published]
    found = np.zeros(len(share))
    for step in sorted(rules.round_to):
        found[(share > step) & (share < 100 - step) & (step <= error)] = step
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
