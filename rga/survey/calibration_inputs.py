"""What a calibration can be asked for: faults of the call and of the base weights, found before anything is computed.

Belongs here: checks of arguments. Not here: benchmarks against respondents (fitted_margins), what has no solution
(infeasible).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.calibration_methods import Method

LOST = 1e-15  # of the largest base weight: what is less is lost in a sum with it
LEAST, MOST = 1e-50, 1e50  # people, or a number: what is beyond leaves no room for squares and ratios
RANGE = 1e-100  # of the largest base weight: ratios of what is less overflow
SMALLEST, LARGEST = 1e-250, 1e250  # a sum of base weights that can still be scaled to a population


def check_method(
    targets: Mapping[str, Mapping[str, float]],
    method: str,
    bounds: tuple[float, float] | None,
    trim: float | None,
    totals: Mapping[str, float] | None,
) -> None:
    """Raise InputError with everything that ``method``, its bounds and the margins cannot be together."""
    problems = []
    if method not in get_args(Method):
        problems.append(Problem(f"no method `{method}`", f"take one of {', '.join(get_args(Method))}", variable="method"))
    if not targets and not totals:
        problems.append(Problem("there is no margin to calibrate to", "name one", variable="margins"))
    if method == "logit" and bounds is None:
        problems.append(Problem("logit needs bounds", "give bounds such as (0.3, 3)", variable="bounds"))
    if method == "logit" and bounds is not None and np.isinf(bounds[-1]):
        problems.append(Problem("logit needs an upper bound", "give bounds such as (0.3, 3), or take raking", variable="bounds"))
    if method == "poststratification" and (bounds is not None or totals or len(targets) != 1):
        what = (
            f"post-stratification takes one margin of categories and no bounds, not {len(targets)} and {len(totals or {})} numbers"
        )
        problems.append(Problem(what, "cross the variables into one margin, or take raking", variable="method"))
    if bounds is not None and not (len(bounds) == 2 and 0 <= bounds[0] < 1 < bounds[1]):  # NaN too
        what = f"bounds {tuple(bounds)} on weight over base weight do not have 1 between them, or are negative"
        problems.append(Problem(what, "give bounds such as (0.3, 3)", variable="bounds"))
    if trim is not None and not trim >= 1:
        problems.append(Problem(f"a weight cannot be at most {trim} times the median", "trim at 1 or more", variable="trim"))
    if problems:
        raise InputError(problems)


def computable(amount: float) -> bool:
    """Whether ``amount`` is 0, or of a size that its square can be computed with; not NaN, infinite or negative."""
    return amount == 0 or LEAST < amount < MOST


def check_base(base: np.ndarray, rows: int) -> None:
    """Raise InputError where base weights are negative, infinite or nearly nothing; ValueError where their number is wrong."""
    if len(base) != rows:
        raise ValueError(f"{len(base)} base weights for {rows} respondents")
    wrong = (base < 0) | np.isinf(base)
    if wrong.any():
        raise InputError(
            Problem(
                "a base weight is negative or infinite",
                "correct the weights in the file, or leave them empty for people who are not part of the sample",
                variable="base_weight",
                rows=int(wrong.sum()),
            )
        )
    with np.errstate(over="ignore"):
        total = float(np.nansum(base))
    if not total > 0:
        raise InputError(Problem("no respondent has a positive base weight", "check the weight", variable="base_weight"))
    largest = float(np.nanmax(base))
    others = int(np.count_nonzero(base > 0)) - 1
    if others and total < np.inf and total - largest <= LOST * largest * others:
        what = f"the largest base weight, {largest:.2g}, leaves the other {others:,} next to nothing"
        raise InputError(Problem(what, "correct it in the file", variable="base_weight", rows=1))
    least = float(np.min(base, where=base > 0, initial=np.inf))
    if least < RANGE * largest:
        what = f"the smallest base weight, {least:.2g}, is nothing beside the largest, {largest:.2g}"
        rows = int(np.sum((base > 0) & (base < RANGE * largest)))
        raise InputError(Problem(what, "correct it in the file, or make it 0", variable="base_weight", rows=rows))
    if not SMALLEST < total < LARGEST:
        what = f"the base weights add up to {total:.2g}, which is no number of people that can be computed with"
        raise InputError(Problem(what, "scale them, for example to a mean of 1", variable="base_weight", rows=rows))


def check_columns(
    categories: pd.DataFrame,
    targets: Mapping[str, object],
    numbers: pd.DataFrame | None,
    totals: Mapping[str, float] | None,
) -> None:
    """Raise InputError where a margin has no column, or a number no finite total, values that are infinite, or none."""
    problems = [
        Problem(f"margin {margin} has a benchmark and no column", "add the column, or leave the margin out", variable=margin)
        for margin in targets
        if margin not in categories.columns
    ]
    have = [] if numbers is None else list(numbers.columns)
    for name, total in (totals or {}).items():
        if name not in have:
            problems.append(Problem(f"{name} has a total and no column of numbers", "add the column", variable=name))
            continue
        assert numbers is not None
        if len(numbers) != len(categories):
            raise ValueError(f"{len(numbers)} rows of numbers for {len(categories)} of categories")
        values = numbers[name].to_numpy(dtype=np.float64)
        if not abs(total) < MOST**2:
            problems.append(Problem(f"the total of {name} is {total}", "correct the benchmark", variable=name))
        if np.isinf(values).any():
            rows = int(np.isinf(values).sum())
            problems.append(Problem(f"{name} is infinite", "correct the values, or leave them empty", variable=name, rows=rows))
        elif np.isnan(values).all():
            problems.append(Problem(f"nobody's {name} is known", "leave the number out", variable=name, rows=len(values)))
        elif not computable(largest := float(np.nanmax(np.abs(values)))):
            what = f"{name} goes up to {largest:.2g}, which cannot be computed with"
            problems.append(Problem(what, "give it, and its total, in another unit", variable=name, rows=len(values)))
    problems += [
        Problem(f"{name} has numbers and no total", "give its population total, or leave it out", variable=name)
        for name in have
        if name not in (totals or {})
    ]
    if problems:
        raise InputError(problems)
