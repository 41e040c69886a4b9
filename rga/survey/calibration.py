"""Fitting weights to what is known of the population.

Belongs here: calibration from respondents' categories and numbers to weights, and its record. Not here: each step of it
(joint_cells, collapsing, fitted_margins, calibration_solver, trimming, infeasible), reading benchmarks, standard errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from rga.errors import InputError
from rga.survey.blas import one_blas_thread
from rga.survey.calibration_inputs import check_base, check_columns, check_method
from rga.survey.calibration_methods import Method, distance_of
from rga.survey.calibration_solver import Fit, solve
from rga.survey.calibration_units import Units, calibration_units, margins_table
from rga.survey.collapsing import Collapsed, collapse_small
from rga.survey.design import MISSING, TOTAL
from rga.survey.fitted_margins import FittedMargins, figure, fit_margins
from rga.survey.held_shares import is_missing
from rga.survey.infeasible import Case, unmet, unsettled
from rga.survey.joint_cells import JointCells, joint_cells, same_cells
from rga.survey.trimming import smallest_ratio, trim_and_calibrate

CLOSE = 1e-6  # g this near a bound, of the width between them (of 1 and the lower, without an upper), is at it


@dataclass(frozen=True)
class Calibration:
    """Weights (NaN where the base weight is missing), and how they came about. Arrays have an element per respondent.

    ``weights`` are ``base_weight * base_scale * factor``: ``base_scale`` brings the base weights to the population (1 where only
    numbers are calibrated), ``factor`` is g, the one that bounds apply to, averages about 1 and is NaN outside the sample.
    ``cell`` is the joint cell of all categorical margins as fitted (missing and collapsed categories included), 0, 1, ...; -1
    outside the sample; ``cell_categories`` (joint cells x margins) says which categories it is in. ``margins`` has a row per
    margin and category, and one per number (category `_T`): n (respondents with a base weight, and an answer), benchmark (as
    fitted: scaled), before and after (sums by base weight as given, and by weight). ``missing`` counts respondents without a
    category or number by margin, ``missing_any`` those without one on any; ``scaled`` gives by margin the factor that brought its
    total to that of the first. ``error`` is the largest relative error of a margin. ``bounds_hit`` counts respondents with g at
    each bound, ``trimmed`` those at ``cap``, the largest weight allowed; ``negative``
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
    cell_categories: pd.DataFrame
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


@one_blas_thread
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
    """Weights as near to ``base_weight`` as ``method`` measures it, that add up to ``targets`` and ``totals``.

    ``categories`` has a row per respondent and a column per margin (category type is fastest), ``base_weight`` an element (NaN:
    not in the sample); ``targets`` maps margin -> category -> population total, and the first margin's sum is the population.
    Others may be shares (adding up to 1 or 100) or off by up to 0.5 %: they are scaled to it, margins that share a variable
    within its categories. ``numbers`` has a column per continuous variable, ``totals`` its population total; calibration then
    works on respondents, otherwise on joint cells of the margins, within which g is constant.

    ``method`` (Deville and Särndal 1992; Deville, Särndal and Sautory 1993) is ``raking``, weights = base * exp(x'b), as R
    ``rake`` and ``calibrate(calfun = "raking")``; ``linear`` (generalised regression), base * (1 + x'b), which may be negative;
    ``logit``, between ``bounds``; or ``poststratification``, one margin's totals shared out in proportion to the base weights.
    ``bounds`` (low, high) hold g = weight / base weight, the base weights being brought to the population first; with ``linear``
    and ``raking`` g is cut off there (truncated linear: case 7). ``trim`` is the largest weight over the median weight: trimmed
    weights are held at that cap and the others calibrated on until margins and cap both hold.

    A respondent missing on a margin (`_U` or empty) keeps a place: the missing category is held at its share of the base weight
    and the benchmark scaled to the rest; in a crossing, `F*_U` at its share of F, so that margins which share a variable stay
    consistent. A missing number is taken as the population's mean (its total over the population), so that the others meet that
    mean among themselves.

    ``collapse`` gives variables with their categories in order: one that fewer than ``collapse_below`` respondents carry in some
    margin, or that either side lacks, is merged with its neighbour in every margin of the variable.

    Raises InputError, naming ``survey``, margin, category and counts, where the margins cannot be met, with the largest
    reachable fit and what would help.
    """
    try:
        check_method(targets, method, bounds, trim, totals)
        base = np.asarray(base_weight, dtype=np.float64)
        check_base(base, len(categories))
        check_columns(categories, targets, numbers, totals)
        cells = joint_cells(categories[list(targets)], base)
        records: list[Collapsed] = []
        if collapse:
            cells, targets, records = collapse_small(cells, targets, collapse, collapse_below, survey)
        fitted = fit_margins(cells, targets)
        cells = same_cells(cells, fitted.codes)
        units = calibration_units(cells, fitted, base, numbers, totals or {})
        asked = Case(units, method, bounds, trim)
        fit = _fitted(asked, max_iterations)
        cap = None
        if trim is not None:
            sample = cells.cell[cells.cell >= 0]
            if not totals:
                asked = replace(asked, units=units.by_respondent(sample, base[cells.cell >= 0]))
                fit = replace(fit, factor=fit.factor[sample])
            fit, cap = _trimmed(asked, fit, trim, max_iterations)
        return _result(asked, fit, cap, cells, base, fitted, records)
    except InputError as error:
        if survey is None:
            raise
        raise InputError([replace(problem, what=f"{survey}: {problem.what}") for problem in error.problems]) from error


def _fitted(asked: Case, max_iterations: int) -> Fit:
    units = asked.units
    if asked.method == "poststratification":
        before = units.margins.sums(units.base)
        g = np.divide(units.wanted.totals, before, out=np.zeros(len(before)), where=before > 0)
        factor = g[units.margins.codes[:, 0]]
        errors = units.wanted.errors(units.margins.sums(units.base * factor))
        return Fit(factor, 0, float(errors.max()), int(errors.argmax()))
    fit = solve(units.margins, units.base, units.wanted, distance_of(asked.method, asked.bounds), max_iterations)
    if problem := unmet(asked, fit):
        raise InputError(problem)
    return fit


def _trimmed(asked: Case, fit: Fit, trim: float, max_iterations: int) -> tuple[Fit, float]:
    units = asked.units

    def refit(highest: np.ndarray) -> Fit:
        if asked.below_low(highest).any():
            return replace(fit, error=np.inf)
        distance = distance_of(asked.method, asked.bounds, highest)
        return solve(units.margins, units.base, units.wanted, distance, max_iterations)

    trimmed, cap, held = trim_and_calibrate(refit, units.base, fit, trim)
    if not held:
        highest = np.divide(cap, units.base, out=np.full(len(units.base), np.inf), where=units.base > 0)

        def ratio_from(least: float) -> float:
            return smallest_ratio(refit, units.base, fit, least)

        tried = replace(asked, highest=highest, cap=cap, ratio_from=ratio_from)
        raise InputError(unmet(tried, trimmed) or unsettled(tried))
    return trimmed, cap


def _result(
    asked: Case, fit: Fit, cap: float | None, cells: JointCells, base: np.ndarray, fitted: FittedMargins, records: list[Collapsed]
) -> Calibration:
    """The record of a calibration that worked out."""
    units, known = asked.units, cells.cell >= 0
    everybody = bool(known.all())
    cell = cells.cell if everybody else cells.cell[known]
    factor = fit.factor[cell] if units.of_cells else fit.factor
    base = base if everybody else base[known]
    weights = base * (factor * units.scale)
    hit = {"low": 0, "high": 0}
    if asked.bounds is not None:
        (low, high), g = asked.bounds, factor[base > 0]
        near = CLOSE * (high - low if np.isfinite(high) else 1 - low)
        hit = {"low": int(np.sum(g <= low + near)), "high": int(np.sum(g >= high - near))}
    missing, missing_any = _missing(fitted, cells, units)
    calibration = Calibration(
        weights=_everyone(weights, known),
        method=asked.method,
        iterations=fit.iterations,
        converged=fit.converged,
        error=fit.error,
        margins=margins_table(units, fit.factor),
        missing=missing,
        missing_any=missing_any,
        scaled=fitted.scaled,
        cell=cells.cell,
        cell_categories=pd.DataFrame(
            {
                margin: benchmark.index[code]
                for (margin, benchmark), code in zip(fitted.benchmark.items(), cells.codes.T, strict=True)
            }
        ),
        factor=_everyone(factor, known),
        base_scale=units.scale,
        bounds_hit=hit,
        trimmed=0 if cap is None else int(np.sum(weights >= cap * (1 - CLOSE))),
        cap=cap,
        negative=int(np.sum(weights < 0)) if asked.method == "linear" else 0,
        collapsed=records,
    )
    return replace(calibration, notes=_notes(calibration, fitted))


def _everyone(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """``values`` of the sample, NaN for others."""
    if len(values) == len(known):
        return values
    placed = np.full(len(known), np.nan)
    placed[known] = values
    return placed


def _missing(fitted: FittedMargins, cells: JointCells, units: Units) -> tuple[dict[str, int], int]:
    """Respondents without a category or number, by margin, and on any."""
    missing: dict[str, int] = {}
    some = np.zeros(len(cells.n), dtype=bool)
    for position, (margin, benchmark) in enumerate(fitted.benchmark.items()):
        of_margin = np.array([is_missing(category) for category in benchmark.index])[cells.codes[:, position]]
        missing[margin] = int(cells.n[of_margin].sum())
        some |= of_margin
    if units.of_cells or not units.missing_numbers.size:
        return missing, int(cells.n[some].sum())
    absent = units.missing_numbers
    names = [margin for margin, _ in units.columns[-absent.shape[1] :]]
    missing |= {name: int(count) for name, count in zip(names, absent.sum(axis=0), strict=True)}
    return missing, int(np.sum(some[cells.cell[cells.cell >= 0]] | absent.any(axis=1)))


def _notes(found: Calibration, fitted: FittedMargins) -> list[str]:
    """Compromises that the weights rest on, in words."""
    notes = [*fitted.notes, *map(str, found.collapsed)]
    alone = found.margins[(found.margins["n"] == 1) & (found.margins["benchmark"] > 0) & ~found.margins["category"].map(is_missing)]
    notes += [
        f"margin {margin}: category {category} is carried by one respondent, who stands for {figure(after)}"
        for margin, category, after in zip(alone["margin"], alone["category"], alone["after"], strict=True)
        if category != TOTAL
    ]
    if found.negative:
        notes.append(f"{found.negative:,} weights are negative: bounds (truncated linear), logit or raking have none")
    return notes
