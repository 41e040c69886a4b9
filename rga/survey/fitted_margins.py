"""Benchmarks made to fit a sample: one population, missing categories held, and everything that does not match named.

Belongs here: from joint cells and benchmarks to the totals that calibration meets. Not here: reading benchmarks, the solver.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.calibration_inputs import computable
from rga.survey.design import SEX
from rga.survey.held_shares import is_missing, part_of
from rga.survey.joint_cells import JointCells
from rga.survey.nested_margins import TOTALS_TOLERANCE, reconcile

SHARES = (1.0, 100.0)  # what shares of a population add up to
SHARES_NEARLY = 0.1  # a sum this close to those is of shares that do not add up


@dataclass(frozen=True)
class FittedMargins:
    """``codes`` (cells x margins) are positions in ``benchmark``, by margin the totals of its categories, missing ones included.

    ``scaled`` gives by margin the factor that brought its total to ``population``, the first margin's; ``notes`` what else was
    reconciled.
    """

    codes: np.ndarray
    benchmark: dict[str, pd.Series]
    scaled: dict[str, float]
    population: float
    notes: list[str]


def fit_margins(cells: JointCells, targets: Mapping[str, Mapping[str, float]]) -> FittedMargins:
    """Match categories and benchmarks; without any the sample's own total is the population.

    Raises InputError with every problem of every margin.
    """
    problems: list[Problem] = []
    benchmark: dict[str, pd.Series] = {}
    fitted: dict[str, dict[str, float]] = {}
    codes, scaled, notes = [], {}, []
    if not targets:
        return FittedMargins(np.empty((len(cells.n), 0), dtype=np.intp), {}, {}, float(cells.base.sum()), [])
    first = next(iter(targets))
    population = float(sum(targets[first].values()))
    for position, (margin, target) in enumerate(targets.items()):
        target = {str(category): float(people) for category, people in target.items()}
        n, base = cells.counts(margin), cells.weights(margin)
        found = _problems(margin, target, n, base) or _another_total(margin, target, first, population)
        if not found:
            scaled[margin] = population / sum(target.values())
            target, said, found = reconcile(margin, {c: people * scaled[margin] for c, people in target.items()}, fitted)
            notes += said
        if found:
            problems += found
            continue
        fitted[margin] = target
        benchmark[margin] = pd.Series(_hold_missing(target, base), dtype=np.float64)
        place = pd.Index(benchmark[margin].index).get_indexer(pd.Index(cells.levels[margin]))
        codes.append(place[cells.codes[:, position]])
    if problems:
        raise InputError(problems)
    return FittedMargins(np.column_stack(codes), benchmark, scaled, population, notes)


def figure(number: float) -> str:
    """A number of people, or a share, as messages show it."""
    return f"{number:,.0f}" if abs(number) >= 1000 or number == round(number) else f"{number:,.4g}"


def _hold_missing(benchmark: dict[str, float], base: Mapping[str, float]) -> dict[str, float]:
    """The benchmark with the missing categories of the sample (`_U`, `F*_U`) added at their share of the base weight.

    The share is that within the known part before it (F), whose other categories are scaled to the rest.
    """
    held = dict(benchmark)
    for category in sorted(filter(is_missing, base), key=lambda c: c.count("*")):
        stem = part_of(category)  # "" or "F*"
        within = sum(weight for other, weight in base.items() if other.startswith(stem))
        share = base[category] / within if within > 0 else 0.0
        rest = [other for other in held if other.startswith(stem) and not is_missing(other)]
        people = sum(held[other] for other in rest)
        for other in rest:
            held[other] *= 1 - share
        held[category] = people * share
    return held


def _another_total(margin: str, target: Mapping[str, float], first: str, population: float) -> list[Problem]:
    """That a margin describes other people than the first; shares describe any."""
    total = sum(target.values())
    if not population > 0:
        return []  # said of the first margin
    for whole in SHARES:
        apart = abs(total / whole - 1)
        if TOTALS_TOLERANCE < apart < SHARES_NEARLY and (margin == first or abs(total / population - 1) > TOTALS_TOLERANCE):
            what = f"shares of margin {margin} add up to {total:,.6g}, not {whole:g}"
            return [Problem(what, "a category is missing, or a share is wrong", variable=margin)]
        if apart <= TOTALS_TOLERANCE and margin != first:
            return []
    if abs(total - population) <= TOTALS_TOLERANCE * population:
        return []
    what = f"benchmark of margin {margin} adds up to {figure(total)}, that of {first} to {figure(population)}"
    return [Problem(what, "take both from one source and for one population: year, ages and territory", variable=margin)]


def _problems(margin: str, target: Mapping[str, float], n: Mapping[str, int], base: Mapping[str, float]) -> list[Problem]:
    problems = []
    if all(map(is_missing, n)):
        what = f"nobody's category of margin {margin} is known"
        return [Problem(what, "leave the margin out", variable=margin, rows=sum(n.values()))]
    if not target:
        what = f"the benchmark of margin {margin} has no categories"
        return [Problem(what, "complete it, or leave the margin out", variable=margin)]
    for category, total in target.items():
        cases, weight = n.get(category, 0), base.get(category, 0.0)
        at = partial(Problem, variable=margin, code=category, rows=cases)
        if not computable(total) or is_missing(category):
            problems.append(at(f"benchmark of margin {margin} has {total} people in category {category}", "correct the benchmark"))
        elif total > 0 and weight == 0:
            who = "no respondent is" if not cases else "no respondent with a positive base weight is"
            problems.append(
                at(
                    f"{who} in category {category} of margin {margin}, which has {figure(total)} people in the benchmark",
                    "choose a coarser margin"
                    if margin == SEX
                    else "merge it with a neighbouring category (`collapse`), or choose a coarser margin",
                )
            )
        elif total == 0 and weight > 0:
            problems.append(
                at(
                    f"the benchmark has nobody in category {category} of margin {margin}, the survey has some",
                    "correct the benchmark, or set these answers to missing",
                )
            )
    stems = {category[: at + 1] for category in target for at, c in enumerate(category) if c == "*"} | {""}
    for category, cases in sorted(n.items()):
        if not (part_of(category) in stems if is_missing(category) else category in target):
            what = f"category {category} of margin {margin} is not in the benchmark"
            remedy = f"the benchmark has {', '.join(target)}: recode, or set these answers to missing"
            problems.append(Problem(what, remedy, variable=margin, code=category, rows=cases))
    return problems
