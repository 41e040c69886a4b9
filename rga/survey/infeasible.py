"""Why a calibration has no solution, in words: which margins and categories, how near weights come, and what would help.

Belongs here: sentences and remedies. Not here: the linear programs behind them (reachable.py), checks made before solving.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from rga.errors import Problem
from rga.survey.calibration_methods import Method
from rga.survey.calibration_solver import Fit
from rga.survey.calibration_units import Units
from rga.survey.design import MISSING, SEX
from rga.survey.fitted_margins import figure
from rga.survey.held_shares import is_missing
from rga.survey.reachable import REACHED, Question, Reach, closest, question, smallest_cap, widened, without_bounds

VANISHING = 1e-8  # a factor this small, of the median one, is on its way to zero
SHOWN = 4  # categories in conflict that are named
TRIED = 12  # merges of neighbours that are tried
MOST = 10_000  # rows (respondents, where there are numbers) or columns times ten: larger linear programs take minutes
NO_SINGLE_CHANGE = "leave out margins, or merge their categories: no single change is enough"


@dataclass(frozen=True)
class Case:
    """A calibration as it was tried: ``bounds`` on g as asked for; ``trim`` the ratio asked for, ``highest`` g per unit and ``cap``
    on weights that follow from it; ``ratio_from`` gives the first of some larger ratios, at least the one given, that can be
    trimmed at."""

    units: Units
    method: Method
    bounds: tuple[float, float] | None
    trim: float | None = None
    highest: np.ndarray | None = None
    cap: float | None = None
    ratio_from: Callable[[float], float] | None = None

    def trim_remedy(self, ratio: float) -> str:
        return f"trim at {self.ratio_from(ratio) if self.ratio_from else ratio:g} or more"

    def below_low(self, highest: np.ndarray) -> np.ndarray:
        """Whose g would have to be both at least the lower bound and at most ``highest``, which is less."""
        low = self.bounds[0] if self.bounds else 0.0
        return (self.units.base > 0) & (highest <= low) & (low > 0)


def unmet(case: Case, fit: Fit) -> Problem | None:
    """What keeps the margins from being met, or None: no weights do, or only weights that leave some respondents none."""
    if fit.converged:
        return _vanishing(case, fit)
    if case.highest is not None and (below := case.below_low(case.highest)).any():
        assert case.bounds is not None and case.cap is not None and case.trim is not None
        least = case.bounds[0] * float(case.units.base[below].max())
        what = f"the cap of trimming, {figure(case.cap)}, is below {case.bounds[0]:g} times the base weight, the lower bound"
        remedy = f"{case.trim_remedy(case.trim * least / case.cap)}, or lower the bound"
        return Problem(what, remedy, variable="trim", rows=int(below.sum()))
    if _too_large(case):
        return _vanishing(case, fit) or _not_worked_out(case, fit)
    asked = question(case.units.margins, case.units.base, case.units.wanted, *_limits(case))
    reach = closest(asked)
    if reach is None:
        return _problem(case, fit.worst, _unfinished(case, fit), "leave out margins, or merge categories until it does")
    if reach.error > REACHED:
        return _out_of_reach(case, asked, reach)
    return _vanishing(case, fit) or _problem(
        case,
        fit.worst,
        f"{_unfinished(case, fit)}, although there are weights that meet the margins to {REACHED:.0e}",
        "give margins that overlap the same totals to the last digit, and look for a total or base weight out of proportion; or "
        "merge categories with few respondents, leave out a margin, or take another method",
    )


def unsettled(case: Case) -> Problem:
    """That trimming and calibrating went round in circles."""
    assert case.trim is not None
    what = f"trimming at {case.trim:g} times the median did not settle: the last cap was {case.cap:,.6g}"
    return Problem(what, case.trim_remedy(case.trim), variable="trim")


def _limits(case: Case) -> tuple[np.ndarray | float, np.ndarray | float]:
    low, high = case.bounds or (-np.inf if case.method == "linear" else 0.0, np.inf)
    return low, high if case.highest is None else np.minimum(case.highest, high)


def _unfinished(case: Case, fit: Fit) -> str:
    return (
        f"{case.method} did not converge: after {fit.iterations:,} iterations {case.units.described(fit.worst)} is still "
        f"{fit.error:.2g} (relative) off its benchmark"
    )


def _too_large(case: Case) -> bool:
    margins = case.units.margins
    return max(len(margins.codes) if margins.numbers.shape[1] else 0, 10 * sum(margins.sizes)) > MOST


def _not_worked_out(case: Case, fit: Fit) -> Problem:
    """What can be said of a large problem at once."""
    remedies = ["widen the bounds"] * (case.bounds is not None) + ["trim at a larger ratio"] * (case.cap is not None)
    numbers = [name for name, _ in case.units.columns[sum(case.units.margins.sizes) :]]
    remedies += [f"leave out {' or '.join(numbers)}"] * bool(numbers) + ["leave out a margin", "merge small categories"]
    what = (
        f"{_unfinished(case, fit)}. For so many respondents or categories it is not worked out which margins cannot be met together"
    )
    return _problem(case, fit.worst, what, "; or ".join(remedies))


def _out_of_reach(case: Case, asked: Question, reach: Reach) -> Problem:
    """Bounds too tight, a cap too low, or margins that contradict each other."""
    numbers = [column for column in reach.conflict if column >= sum(case.units.margins.sizes)]
    worst = max(
        numbers or reach.conflict or [0],
        key=lambda column: abs(reach.sums[column] - case.units.wanted.totals[column]) / case.units.wanted.size[column],
    )
    against = "; ".join(case.units.described(column) for column in reach.conflict[:SHOWN])
    more = len(reach.conflict) - SHOWN
    against += f"; and {more} more" if more > 0 else ""
    how_far = (
        f"at best every category comes within {_percent(reach.error)} of its benchmark, {case.units.name(worst)} at "
        f"{figure(reach.sums[worst] + case.units.offset[worst])}. Against each other: {against}"
    )
    restricted = case.bounds is not None or case.cap is not None
    free = closest(without_bounds(asked)) if restricted else None
    if free is None or free.error > REACHED:
        what = f"{case.method} did not converge: the margins contradict each other, whatever the weights: {how_far}"
        if numbers:
            what = what.replace("whatever the weights", "with the numbers that respondents have")
        elif case.method != "linear" or restricted:
            what = what.replace("whatever the weights", "in combinations of categories that no respondent has")
        return _problem(case, worst, what, "; or ".join(_contradiction_remedies(case, asked, reach, restricted)))
    if case.cap is not None:
        return _cap_too_low(case, asked, reach, worst, how_far)
    assert case.bounds is not None
    remedies = []
    if wider := widened(asked, *case.bounds):
        remedies.append(f"widen the bounds to ({_down(wider[0])}, {_up(wider[1])})")
    low, high = case.bounds
    what = f"bounds of {low:g} to {high:g} times the base weight are too tight for the margins: {how_far}"
    return _problem(case, worst, what, "; or ".join([*remedies, *_remedies(case, asked, reach)] or [NO_SINGLE_CHANGE]))


def _cap_too_low(case: Case, asked: Question, reach: Reach, worst: int, how_far: str) -> Problem:
    assert case.cap is not None and case.trim is not None
    low, high = case.bounds or (-np.inf if case.method == "linear" else 0.0, np.inf)
    loose = question(case.units.margins, case.units.base, case.units.wanted, low, high)
    least = smallest_cap(loose)
    remedies = []
    if least is not None and least > case.cap:
        remedies.append(case.trim_remedy(case.trim * least / case.cap))
    what = f"no weights of at most {figure(case.cap)}, the cap from trimming, meet the margins: {how_far}"
    if least is not None:
        what += f". The smallest cap that they can be met with is {figure(least)}"
    return _problem(case, worst, what, "; or ".join([*remedies, *_remedies(case, asked, reach)] or [NO_SINGLE_CHANGE]))


def _contradiction_remedies(case: Case, asked: Question, reach: Reach, restricted: bool) -> list[str]:
    """What would help margins that contradict each other: within the bounds or cap asked for, otherwise without them too."""
    found = _remedies(case, asked, reach)
    if not found and restricted:
        found = [f"{remedy}, and then give weights more room" for remedy in _remedies(case, without_bounds(asked), reach)]
    if margin := _missing_across(case):
        found.append(f"write the variables that margins share first in {margin}: who is missing on the others is held within them")
    return found or [NO_SINGLE_CHANGE]


def _missing_across(case: Case) -> str | None:
    """A crossing on whose first variable people are missing, while another margin counts them by a later one."""
    columns = zip(case.units.columns, case.units.wanted.size, strict=True)
    held = [margin for (margin, category), size in columns if category == MISSING and size > 0]
    margins = dict.fromkeys(margin for margin, _ in case.units.columns)
    for margin in held:
        later = set(margin.split("*")[1:])
        if any(later & set(other.split("*")) for other in margins if other != margin):
            return margin
    return None


def _remedies(case: Case, asked: Question, reach: Reach) -> list[str]:
    """Merges of two neighbours, and margins to leave out, after which the rest can be met."""
    found: list[str] = []
    starts = np.concatenate([[0], np.cumsum(case.units.margins.sizes)]).astype(int)
    pairs: list[tuple[int, int]] = []
    for column in reach.conflict:
        for one, other in ((column, column + 1), (column - 1, column)):
            if (one, other) not in pairs and _neighbours(case, one, other):
                pairs.append((one, other))
    merges = [pair for pair in pairs[:TRIED] if _met(closest(asked, merge=pair))][:2]
    found += [
        f"merge {case.units.columns[one][1]} and {case.units.columns[other][1]} of {case.units.columns[one][0]}"
        for one, other in merges
    ]
    groups = [np.arange(start, end) for start, end in pairwise(starts)]
    groups += [np.array([column]) for column in range(int(starts[-1]), len(case.units.margins))]
    groups.reverse()  # numbers first
    for group in groups if len(groups) > 1 else []:
        if set(group.tolist()) & set(reach.conflict) and _met(
            closest(asked, np.setdiff1d(np.arange(len(case.units.margins)), group))
        ):
            found.append(f"leave out margin {case.units.columns[group[0]][0]}")
    return found


def _neighbours(case: Case, one: int, other: int) -> bool:
    """Two categories of one margin, next to each other, that differ in their last variable only."""
    if not 0 <= one < other < sum(case.units.margins.sizes) or case.units.columns[one][0] != case.units.columns[other][0]:
        return False
    left, right = case.units.columns[one][1], case.units.columns[other][1]
    if case.units.columns[one][0].split("*")[-1] == SEX:  # women and men are never one category
        return False
    known = not is_missing(left) and not is_missing(right) and min(case.units.wanted.size[[one, other]]) > 0
    return bool(known) and left.rpartition("*")[0] == right.rpartition("*")[0]


def _met(reach: Reach | None) -> bool:
    return reach is not None and reach.error <= REACHED


def _vanishing(case: Case, fit: Fit) -> Problem | None:
    """That the margins are met only in the limit of weights of zero, where the method has none."""
    lowest = case.bounds[0] if case.bounds else 0.0
    if case.method == "linear" or lowest > 0:
        return None
    present = case.units.base > 0
    factor = np.where(present, fit.factor, np.inf)
    weight = np.where(present, case.units.base * fit.factor, np.inf)
    gone = (factor < VANISHING * np.median(fit.factor[present])) & (weight < VANISHING * np.median(weight[present]))
    if not gone.any() or (case.method == "raking" and case.bounds is not None):
        return None
    if number := _of_a_number(case, gone, present):
        return number
    least = int(np.argmin(np.where(gone, factor, np.inf)))
    row = case.units.margins.codes[least if case.units.margins.row is None else case.units.margins.row[least]]
    starts = np.concatenate([[0], np.cumsum(case.units.margins.sizes)[:-1]]).astype(int)
    columns = (starts + row).tolist()
    return _problem(
        case,
        min(columns, key=lambda column: case.units.n[column]),
        f"the margins can only be met by giving no weight to respondents in {', '.join(map(case.units.name, columns))}",
        "merge one of these categories with a neighbouring one, or leave one of the margins out",
    )


def _of_a_number(case: Case, gone: np.ndarray, present: np.ndarray) -> Problem | None:
    """That a number's total leaves some no weight: by categories alone, all respondents of a joint cell would have none."""
    margins, base = case.units.margins, case.units.base
    if not margins.numbers.shape[1]:
        return None
    cell = np.unique(margins.codes, axis=0, return_inverse=True)[1].ravel()
    left = np.bincount(cell, weights=present & ~gone)
    if len(margins.sizes) and not (np.bincount(cell, weights=gone) * left).any():
        return None
    first, people = sum(margins.sizes), float(base.sum())
    have = base @ margins.numbers / people
    spread = np.sqrt(base @ (margins.numbers - have) ** 2 / people)
    far = (case.units.wanted.totals[first:] / people - have) / np.where(spread > 0, spread, 1.0)
    column = first + int(np.argmax(np.abs(far)))
    centre, at = case.units.offset[column] / people, column - first
    name = case.units.columns[column][0]
    what = (
        f"the total of {name} can only be met by giving no weight to {int(gone.sum()):,} respondents: its mean over the "
        f"population is {figure(centre + case.units.wanted.totals[column] / people)}, that of respondents by their base weights "
        f"{figure(centre + have[at])}"
    )
    return _problem(
        case, column, what, f"check whether the benchmark counts {name} of the same people and in the same unit; or leave it out"
    )


def _problem(case: Case, column: int, what: str, remedy: str) -> Problem:
    margin, category = case.units.columns[column]
    return Problem(what, remedy, variable=margin, code=category, rows=int(case.units.n[column]))


def _percent(share: float) -> str:
    return f"{share:.3%}" if share >= 1e-5 else f"{100 * share:.2g}%"


def _down(value: float) -> str:
    return f"{max(0.0, np.floor(value * 990) / 1000):g}"


def _up(value: float) -> str:
    return f"{np.ceil(value * 101) / 100:g}"
