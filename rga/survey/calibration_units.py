"""What is calibrated: joint cells, or respondents where a margin is continuous or weights are trimmed.

Belongs here: base weights, calibration variables and totals of the units, in the solver's form and back as a table. Not here:
solving, what respondents or benchmarks mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.calibration_solver import Margins, Wanted
from rga.survey.design import TOTAL
from rga.survey.fitted_margins import FittedMargins, figure
from rga.survey.joint_cells import JointCells


@dataclass(frozen=True)
class Units:
    """``base`` weights of the units, brought to the population by ``scale``; what they shall add up to by column.

    ``columns`` names the columns, (margin, category), with `_T` for numbers, ``n`` counts their respondents; numbers are centred
    at the population's mean, ``offset`` being what that took off their totals. ``missing_numbers`` (respondents of the sample x
    numbers) says whose are not known. ``of_cells``: units are joint cells, not respondents.
    """

    margins: Margins
    base: np.ndarray
    wanted: Wanted
    columns: list[tuple[str, str]]
    n: np.ndarray
    offset: np.ndarray
    scale: float
    missing_numbers: np.ndarray
    of_cells: bool

    def name(self, column: int) -> str:
        margin, category = self.columns[column]
        return f"the total of {margin}" if column >= sum(self.margins.sizes) else f"{category} of {margin}"

    def described(self, column: int) -> str:
        people, n = self.wanted.totals[column] + self.offset[column], int(self.n[column])
        return f"{self.name(column)} ({figure(people)} in the benchmark, {n:,} respondent{'s' if n != 1 else ''})"

    def by_respondent(self, cell: np.ndarray, base: np.ndarray) -> Units:
        """Respondents in place of cells: ``cell`` and ``base`` weight (as given) of each in the sample."""
        return replace(self, margins=replace(self.margins, row=cell), base=base * self.scale, of_cells=False)


def calibration_units(
    cells: JointCells, fitted: FittedMargins, base: np.ndarray, numbers: pd.DataFrame | None, totals: Mapping[str, float]
) -> Units:
    """Cells, or respondents with a base weight where there are ``totals`` of numbers.

    Raises InputError where a total would take a mean that no respondent's number comes near.
    """
    scale = fitted.population / float(cells.base.sum()) if fitted.benchmark else 1.0
    sizes = tuple(len(benchmark) for benchmark in fitted.benchmark.values())
    columns = [(margin, str(category)) for margin, benchmark in fitted.benchmark.items() for category in benchmark.index]
    people = np.concatenate([np.empty(0), *(benchmark.to_numpy() for benchmark in fitted.benchmark.values())])
    n = [np.bincount(cells.codes[:, m], weights=cells.n, minlength=size) for m, size in enumerate(sizes)]
    if not totals:
        margins = Margins(cells.codes, sizes, np.empty((len(cells.n), 0)))
        nothing = np.empty((0, 0), dtype=bool)
        return Units(
            margins, cells.base * scale, Wanted(people, people), columns, _whole(n), np.zeros(len(columns)), scale, nothing, True
        )
    assert numbers is not None
    known = cells.cell >= 0
    wanted = np.array([float(total) for total in totals.values()])
    values = numbers.loc[:, list(totals)].to_numpy(dtype=np.float64)[known]
    weight = base[known] * scale
    absent = np.isnan(values)
    mean = wanted / fitted.population
    if fitted.benchmark and (problems := _out_of_range(dict(zip(totals, mean, strict=True)), values[weight > 0])):
        raise InputError(problems)
    filled = np.where(absent, mean, values)
    size = np.maximum(np.abs(wanted), weight @ np.abs(filled))
    # Centred, numbers are not nearly collinear with the categories, which add up to the population.
    centre = mean if fitted.benchmark else np.zeros(len(mean))
    margins = Margins(cells.codes[cells.cell[known]], sizes, filled - centre)
    offset = np.concatenate([np.zeros(len(columns)), fitted.population * centre])
    goal = Wanted(np.concatenate([people, wanted - fitted.population * centre]), np.concatenate([people, size]))
    n.append((~absent).sum(axis=0))
    return Units(margins, weight, goal, [*columns, *((name, TOTAL) for name in totals)], _whole(n), offset, scale, absent, False)


def _out_of_range(means: Mapping[str, float], values: np.ndarray) -> list[Problem]:
    """Totals that no weights of 0 or more reach: mostly a matter of units, or of shares in place of counts."""
    problems = []
    for (name, mean), column in zip(means.items(), values.T, strict=True):
        low, high = np.nanmin(column, initial=np.inf), np.nanmax(column, initial=-np.inf)
        if not low <= mean <= high:
            what = f"the total of {name} over the population is {figure(mean)}, respondents have {figure(low)} to {figure(high)}"
            remedy = "give the total of the same people in the same unit, as the benchmarks of the categories count them"
            problems.append(Problem(what, remedy, variable=name, rows=int((~np.isnan(column)).sum())))
    return problems


def _whole(counts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *counts]).astype(np.int64)


def margins_table(units: Units, factor: np.ndarray) -> pd.DataFrame:
    """A row per column: n, benchmark, and sums by the base weights as given and by those times ``factor``."""
    before, after = units.base / units.scale, units.base * factor
    mean = units.offset / units.base.sum()  # of the population: what numbers were centred at
    return pd.DataFrame(
        {
            "margin": [margin for margin, _ in units.columns],
            "category": [category for _, category in units.columns],
            "n": units.n,
            "benchmark": units.wanted.totals + units.offset,
            "before": units.margins.sums(before) + mean * before.sum(),
            "after": units.margins.sums(after) + mean * after.sum(),
        }
    )
