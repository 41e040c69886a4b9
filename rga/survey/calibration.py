"""Fitting weights to what is known of the population.

Belongs here: raking on the joint cells of categorical margins, and what makes it impossible. Not here: reading benchmarks,
summaries of weights, standard errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.design import MISSING

TOLERANCE = 1e-12
TOTALS_TOLERANCE = 0.005


@dataclass(frozen=True)
class Raking:
    """Weights (NaN where the base weight is missing), and how they came about.

    ``margins`` has one row per margin and category: n (respondents with a base weight), benchmark (as fitted: scaled), before
    and after (sums of weights). ``missing`` counts respondents without a category by margin; ``scaled`` gives by margin the factor
    that brought its total to that of the first. ``error`` is the largest relative error of a category.
    """

    weights: np.ndarray
    iterations: int
    converged: bool
    error: float
    margins: pd.DataFrame
    missing: dict[str, int]
    scaled: dict[str, float]


def joint_categories(respondents: pd.DataFrame, variables: list[str]) -> pd.Series:
    """The category of each respondent on the crossing of ``variables``: codes joined by `*`, or `_U` where one is missing."""
    columns = [respondents[name] for name in variables]
    missing = np.any([(column.isna() | (column == MISSING)).to_numpy() for column in columns], axis=0)
    joined = columns[0].astype(str)
    for column in columns[1:]:
        joined = joined + "*" + column.astype(str)
    return joined.mask(missing, MISSING)


def rake(
    categories: pd.DataFrame,
    base_weight: np.ndarray,
    targets: Mapping[str, Mapping[str, float]],
    max_iterations: int = 10_000,
) -> Raking:
    """Rake ``base_weight`` to ``targets`` by iterative proportional fitting (Deming and Stephan 1940).

    ``categories`` has a row per respondent and a column per margin; ``targets`` maps margin -> category -> population total, and
    the first margin's sum is the population. A respondent missing on a margin (`_U` or empty) keeps a place: the missing
    category is held at its share of the base weight and the benchmark scaled to the rest. The answer is that of the limit: weights
    are base weights times one factor per category, as R ``rake`` and ``calibrate(calfun = "raking")`` with tight tolerances.
    Raises InputError naming margin, category and counts where the margins cannot be met.
    """
    base = np.asarray(base_weight, dtype=np.float64)
    _check_base(base, len(categories))
    known = ~np.isnan(base)
    base = base[known]
    codes, fitted, scaled = _fit_benchmarks(categories.loc[known, list(targets)], base, targets)

    names = list(fitted)
    joint, cell = np.unique(np.column_stack([codes[name] for name in names]), axis=0, return_inverse=True)
    cell = cell.reshape(-1)
    start = np.bincount(cell, weights=base, minlength=len(joint))
    wanted = [fitted[name].to_numpy() for name in names]
    factor, iterations, error, worst = _iterate(start, joint, wanted, max_iterations)
    if error >= TOLERANCE:
        margin = names[worst[0]]
        category = str(fitted[margin].index[worst[1]])
        raise InputError(
            Problem(
                f"raking did not converge: after {iterations:,} iterations category {category} of margin {margin} is still "
                f"{error:.2g} (relative) off its benchmark of {wanted[worst[0]][worst[1]]:,.0f}; the margins contradict each other "
                "in cells without respondents",
                f"merge {category} with a neighbouring category of {margin}, or leave one of the margins out",
                variable=margin,
                code=category,
                rows=int(np.sum(codes[margin] == worst[1])),
            )
        )
    weights = np.full(len(known), np.nan)
    weights[known] = base * factor[cell]
    margins = _margins_table(codes, fitted, base, weights[known])
    missing = {name: int(np.sum(codes[name] == list(fitted[name].index).index(MISSING))) if MISSING in fitted[name].index else 0 for name in names}
    return Raking(weights, iterations, True, error, margins, missing, scaled)


def _iterate(
    start: np.ndarray, joint: np.ndarray, wanted: list[np.ndarray], max_iterations: int
) -> tuple[np.ndarray, int, float, tuple[int, int]]:
    """Factors per joint cell; iterations; the largest relative error of a category, and its margin and number."""
    factor = np.ones_like(start)
    best, best_at = np.inf, 0
    error, worst = np.inf, (0, 0)
    for iteration in range(1, max_iterations + 1):
        for column, target in enumerate(wanted):
            sums = np.bincount(joint[:, column], weights=start * factor, minlength=len(target))
            factor *= np.divide(target, sums, out=np.ones_like(target), where=sums > 0)[joint[:, column]]
        error, worst = _largest_error(start * factor, joint, wanted)
        if error < TOLERANCE:
            break
        if error < 0.99 * best:
            best, best_at = error, iteration
        elif iteration - best_at >= 200:  # it has stopped getting anywhere
            break
    return factor, iteration, error, worst


def _largest_error(weight: np.ndarray, joint: np.ndarray, wanted: list[np.ndarray]) -> tuple[float, tuple[int, int]]:
    error, worst = 0.0, (0, 0)
    for column, target in enumerate(wanted):
        sums = np.bincount(joint[:, column], weights=weight, minlength=len(target))
        off = np.divide(np.abs(sums - target), target, out=np.zeros_like(target), where=target > 0)
        at = int(np.argmax(off))
        if off[at] > error:
            error, worst = float(off[at]), (column, at)
    return error, worst


def _check_base(base: np.ndarray, rows: int) -> None:
    if len(base) != rows:
        raise ValueError(f"{len(base)} base weights for {rows} respondents")
    if (base < 0).any() or np.isinf(base).any():
        raise InputError(
            Problem(
                "a base weight is negative or infinite",
                "correct the weights in the file, or leave them empty for people who are not part of the sample",
                variable="base_weight",
                rows=int(np.sum((base < 0) | np.isinf(base))),
            )
        )
    if not np.nansum(base) > 0:
        raise InputError(Problem("no respondent has a positive base weight", "check the weight", variable="base_weight"))


def _fit_benchmarks(
    categories: pd.DataFrame, base: np.ndarray, targets: Mapping[str, Mapping[str, float]]
) -> tuple[dict[str, np.ndarray], dict[str, pd.Series], dict[str, float]]:
    """Codes per respondent and benchmark per category (missing included) for each margin, scaled to one total.

    Raises InputError with every problem of every margin.
    """
    problems: list[Problem] = []
    codes: dict[str, np.ndarray] = {}
    fitted: dict[str, pd.Series] = {}
    scaled: dict[str, float] = {}
    first = next(iter(targets))
    population = float(sum(targets[first].values()))
    for margin, target in targets.items():
        total = float(sum(target.values()))
        values = categories[margin].astype(object).where(categories[margin].notna(), MISSING).astype(str).to_numpy()
        found = _margin_problems(margin, target, values, base)
        if not found and abs(total / population - 1) > TOTALS_TOLERANCE:
            found = [
                Problem(
                    f"benchmark of margin {margin} adds up to {total:,.0f}, that of {first} to {population:,.0f}",
                    "take both from one source and for one population: year, ages and territory",
                    variable=margin,
                )
            ]
        if found:
            problems += found
            continue
        missing_share = float(base[values == MISSING].sum() / base.sum())
        scaled[margin] = population / total
        benchmark = {str(c): float(v) * scaled[margin] * (1 - missing_share) for c, v in target.items() if c != MISSING}
        if (values == MISSING).any():
            benchmark[MISSING] = population * missing_share
        fitted[margin] = pd.Series(benchmark)
        codes[margin] = fitted[margin].index.get_indexer(pd.Index(values))
    if problems:
        raise InputError(problems)
    return codes, fitted, scaled


def _margin_problems(margin: str, target: Mapping[str, float], values: np.ndarray, base: np.ndarray) -> list[Problem]:
    problems = []
    present, counts = np.unique(values, return_counts=True)
    n = dict(zip(present.tolist(), counts.tolist(), strict=True))
    for category, total in target.items():
        cases, weight = n.get(str(category), 0), float(base[values == str(category)].sum())
        at = {"variable": margin, "code": str(category), "rows": int(cases)}
        if not np.isfinite(total) or total < 0:
            problems.append(Problem(f"benchmark of margin {margin} is {total}", "correct the benchmark", **at))
        elif total > 0 and weight == 0:
            who = "no respondent is" if not cases else "no respondent with a positive base weight is"
            problems.append(
                Problem(
                    f"{who} in category {category} of margin {margin}, which has {total:,.0f} people in the benchmark",
                    "merge it with a neighbouring category in the benchmark, or choose a coarser margin",
                    **at,
                )
            )
        elif total == 0 and weight > 0:
            problems.append(
                Problem(
                    f"the benchmark says that nobody is in category {category} of margin {margin}, the survey found some",
                    "correct the benchmark, or set these answers to missing",
                    **at,
                )
            )
    for category in present:
        if category != MISSING and category not in {str(c) for c in target}:
            problems.append(
                Problem(
                    f"category {category} of margin {margin} is not in the benchmark",
                    f"the benchmark has {', '.join(map(str, target))}: recode, or set these answers to missing",
                    variable=margin,
                    code=str(category),
                    rows=int(n[category]),
                )
            )
    if (values == MISSING).all():
        problems.append(Problem(f"nobody's category of margin {margin} is known", "leave the margin out", variable=margin))
    return problems


def _margins_table(
    codes: dict[str, np.ndarray], fitted: dict[str, pd.Series], base: np.ndarray, weights: np.ndarray
) -> pd.DataFrame:
    frames = []
    for margin, benchmark in fitted.items():
        size = len(benchmark)
        frames.append(
            pd.DataFrame(
                {
                    "margin": margin,
                    "category": benchmark.index.astype(str),
                    "n": np.bincount(codes[margin], minlength=size),
                    "benchmark": benchmark.to_numpy(),
                    "before": np.bincount(codes[margin], weights=base, minlength=size),
                    "after": np.bincount(codes[margin], weights=weights, minlength=size),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)
