"""Fitting weights to what is known of the population.

Belongs here: from respondents' categories and benchmarks to weights, and what makes that impossible. Not here: reading
benchmarks, the solver (raking.py), summaries of weights, standard errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.design import MISSING
from rga.survey.raking import Fit, solve

TOTALS_TOLERANCE = 0.005  # relative difference of two margins' totals that rounding explains
VANISHING = 1e-8  # a factor this small, of the median one, is on its way to zero


Method = Literal["raking", "linear", "logit", "poststratification"]


@dataclass(frozen=True)
class Collapsed:
    """Categories of one variable that were merged in ``margin``, in their order, because too few respondents carried one of
    them: ``n`` respondents with a base weight each before, now together ``into``."""

    survey: str | None
    margin: str
    variable: str
    categories: tuple[str, ...]
    n: tuple[int, ...]
    into: str


@dataclass(frozen=True)
class Calibration:
    """Weights (NaN where the base weight is missing), and how they came about. Arrays have an element per respondent.

    ``weights`` are ``base_weight * base_scale * factor``: ``base_scale`` brings the base weights to the population (1 where only
    numbers are calibrated), ``factor`` is g, the one that bounds apply to, averages about 1 and is NaN outside the sample.
    ``cell`` is the joint cell of all categorical margins as fitted (missing and collapsed categories included), 0, 1, ...; -1
    outside the sample. ``margins`` has a row per margin and category, and one per number (category `_T`): n (respondents with a
    base weight, and an answer), benchmark (as fitted: scaled), before and after (sums by base weight as given, and by weight).
    ``missing`` counts respondents without a category or number by margin, ``missing_any`` those without one on any; ``scaled``
    gives by margin the factor that brought its total to that of the first. ``error`` is the largest relative error of a margin.
    ``bounds_hit`` counts respondents with g at each bound, ``trimmed`` those at ``cap``, the largest weight allowed; ``negative``
    weights come out of linear calibration without bounds. ``notes`` names compromises in words.
    """

    weights: np.ndarray
    method: Method
    iterations: int
    converged: bool
    error: float
    margins: pd.DataFrame
    missing: dict[str, int]
    missing_any: int
    scaled: dict[str, float]
    cell: np.ndarray
    factor: np.ndarray
    base_scale: float = 1.0
    bounds_hit: dict[str, int] = field(default_factory=lambda: {"low": 0, "high": 0})
    trimmed: int = 0
    cap: float | None = None
    negative: int = 0
    collapsed: list[Collapsed] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def joint_categories(respondents: pd.DataFrame, variables: list[str]) -> pd.Series:
    """The category of each respondent on the crossing of ``variables``: codes joined by `*`, up to the first one missing.

    `F*primary`; `F*_U` where only the second is missing; `_U` where the first is.
    """
    joined, open_ = pd.Series("", respondents.index, dtype="object"), np.ones(len(respondents), dtype=bool)
    for position, name in enumerate(variables):
        missing = (respondents[name].isna() | (respondents[name] == MISSING)).to_numpy()
        codes = respondents[name].astype("object").mask(missing, MISSING).astype(str)
        joined[open_] += ("*" if position else "") + codes[open_]
        open_ &= ~missing
    return joined.astype("str")


def calibrate(
    categories: pd.DataFrame,
    base_weight: np.ndarray,
    targets: Mapping[str, Mapping[str, float]],
    method: Method = "raking",
    bounds: tuple[float, float] | None = None,
    trim: float | None = None,
    numbers: pd.DataFrame | None = None,
    totals: Mapping[str, float] | None = None,
    collapse: Mapping[str, Sequence[str]] | None = None,
    collapse_below: int = 1,
    survey: str | None = None,
    max_iterations: int = 200,
) -> Calibration:
    """Calibrate ``base_weight`` to ``targets``.

    ``categories`` has a row per respondent and a column per margin; ``targets`` maps margin -> category -> population
    total, and the first margin's sum is the population. A respondent missing on a margin (`_U` or empty) keeps a
    place: the missing category is held at its share of the base weight and the benchmark scaled to the rest; in a
    crossing, `F*_U` at its share of F, so that margins which share a variable stay consistent. The answer is
    that of the limit: weights are base weights times one factor per category, as R ``rake`` and
    ``calibrate(calfun = "raking")`` with tight tolerances. Raises InputError naming margin, category and counts where
    the margins cannot be met.
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
    fit = solve(start, joint, wanted, max_iterations)
    if problem := _contradiction(fit, names, codes, fitted, joint):
        raise InputError(problem)
    weights = np.full(len(known), np.nan)
    weights[known] = base * fit.factor[cell]
    margins = _margins_table(codes, fitted, base, weights[known])
    held = margins.loc[margins["category"].map(_is_missing)].groupby("margin")["n"].sum()
    missing = {name: int(held.get(name, 0)) for name in names}
    incomplete = [np.array([_is_missing(c) for c in fitted[name].index])[codes[name]] for name in names]
    missing_any = int(np.sum(np.any(incomplete, axis=0)))
    where = np.full(len(known), -1)
    where[known] = cell
    factor = weights / np.asarray(base_weight, dtype=np.float64)
    return Calibration(
        weights, method, fit.iterations, fit.converged, fit.error, margins, missing, missing_any, scaled, where, factor
    )


def _contradiction(
    fit: Fit, names: list[str], codes: dict[str, np.ndarray], fitted: dict[str, pd.Series], joint: np.ndarray
) -> Problem | None:
    """What keeps the margins from being met, or None: no weights do, or only weights that leave some respondents
    none."""
    if not fit.converged:
        margin = names[fit.worst[0]]
        category, benchmark = str(fitted[margin].index[fit.worst[1]]), float(fitted[margin].iloc[fit.worst[1]])
        return Problem(
            f"raking did not converge: after {fit.iterations:,} iterations category {category} of margin {margin} "
            f"is still {fit.error:.2g} (relative) off its benchmark of {benchmark:,.0f}; the margins contradict each "
            "other in combinations of categories that no respondent has",
            f"merge {category} with a neighbouring category of {margin}, or leave one of the margins out",
            variable=margin,
            code=category,
            rows=int(np.sum(codes[margin] == fit.worst[1])),
        )
    least = int(np.argmin(fit.factor))
    if fit.factor[least] >= VANISHING * np.median(fit.factor):
        return None
    cell = ", ".join(f"{fitted[m].index[c]} of {m}" for m, c in zip(names, joint[least], strict=True))
    return Problem(
        f"the margins can only be met by giving no weight to respondents in {cell}",
        "merge one of these categories with a neighbouring one, or leave one of the margins out",
        variable=names[0],
        code=str(fitted[names[0]].index[joint[least][0]]),
        rows=int(np.sum(np.all([codes[m] == c for m, c in zip(names, joint[least], strict=True)], axis=0))),
    )


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
        if not found and abs(total - population) > TOTALS_TOLERANCE * population:
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
        scaled[margin] = population / total
        benchmark = {str(category): float(people) * scaled[margin] for category, people in target.items()}
        fitted[margin] = pd.Series(_hold_missing(benchmark, values, base))
        codes[margin] = fitted[margin].index.get_indexer(pd.Index(values))
    if problems:
        raise InputError(problems)
    return codes, fitted, scaled


def _hold_missing(benchmark: dict[str, float], values: np.ndarray, base: np.ndarray) -> dict[str, float]:
    """The benchmark with the missing categories in ``values`` (`_U`, `F*_U`) added at their share of the base weight.

    The share is that within the known part before it (F), whose other categories are scaled to the rest.
    """
    held = dict(benchmark)
    for category in sorted(filter(_is_missing, set(values.tolist())), key=lambda c: c.count("*")):
        stem = category.removesuffix(MISSING)  # "" or "F*"
        within = np.char.startswith(values.astype(str), stem)
        share = float(base[values == category].sum() / base[within].sum()) if base[within].sum() > 0 else 0.0
        people = sum(total for other, total in held.items() if other.startswith(stem) and not _is_missing(other))
        for other in held:
            if other.startswith(stem) and not _is_missing(other):
                held[other] *= 1 - share
        held[category] = people * share
    return held


def _is_missing(category: str) -> bool:
    return category == MISSING or category.endswith(f"*{MISSING}")


def _margin_problems(margin: str, target: Mapping[str, float], values: np.ndarray, base: np.ndarray) -> list[Problem]:
    problems = []
    present, counts = np.unique(values, return_counts=True)
    n = dict(zip(present.tolist(), counts.tolist(), strict=True))
    for category, total in target.items():
        cases, weight = n.get(str(category), 0), float(base[values == str(category)].sum())
        at = partial(Problem, variable=margin, code=str(category), rows=cases)
        if not np.isfinite(total) or total < 0 or _is_missing(str(category)):
            problems.append(at(f"benchmark of margin {margin} has {total} people in category {category}", "correct the benchmark"))
        elif total > 0 and weight == 0:
            who = "no respondent is" if not cases else "no respondent with a positive base weight is"
            problems.append(
                at(
                    f"{who} in category {category} of margin {margin}, which has {total:,.0f} people in the benchmark",
                    "merge it with a neighbouring category in the benchmark, or choose a coarser margin",
                )
            )
        elif total == 0 and weight > 0:
            problems.append(
                at(
                    f"the benchmark has nobody in category {category} of margin {margin}, the survey has some",
                    "correct the benchmark, or set these answers to missing",
                )
            )
    stems = ("", *(str(category)[: at + 1] for category in target for at, c in enumerate(str(category)) if c == "*"))
    for category in present:
        known = category.removesuffix(MISSING) in stems if _is_missing(category) else category in map(str, target)
        if not known:
            problems.append(
                Problem(
                    f"category {category} of margin {margin} is not in the benchmark",
                    f"the benchmark has {', '.join(map(str, target))}: recode, or set these answers to missing",
                    variable=margin,
                    code=str(category),
                    rows=int(n[category]),
                )
            )
    if all(map(_is_missing, present)):
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
