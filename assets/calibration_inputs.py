"""What a calibration step needs: respondents' categories, and the benchmark's totals of them.

Belongs here: bringing a survey's answers and its benchmark into the form in which ``rga.survey.calibrate`` takes them. Not here:
calibrating, or the order of steps (``weights``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.benchmark_scaling import Benchmark, benchmark
from rga.microdata.catalogue import Catalogue
from rga.microdata.data_root import DataRoot, split_survey_id
from rga.microdata.specification import SurveySpecification
from rga.microdata.weighting_steps import Calibrate
from rga.survey import MISSING, OTHER, Calibration, calibrate, joint_categories


@dataclass(frozen=True)
class CalibrationInputs:
    """``categories``: respondents x margins; ``targets``: persons by margin and category; ``numbers`` and ``totals`` likewise."""

    survey_id: str
    step: Calibrate
    benchmark: Benchmark
    categories: pd.DataFrame
    targets: dict[str, dict[str, float]]
    numbers: pd.DataFrame | None
    collapse: dict[str, list[str]] | None

    def calibrated(self, weights: np.ndarray) -> Calibration:
        """``weights`` of the respondents calibrated as the step says. Raises InputError where the margins cannot be met."""
        return calibrate(
            self.categories,
            weights,
            self.targets,
            self.step.method,
            self.step.bounds,
            self.step.trim,
            self.numbers,
            self.benchmark.totals or None,
            self.collapse,
            self.step.collapse_below,
            survey=self.survey_id,
        )

    def unused_margins(self, answered: set[str]) -> list[str]:
        """Margins of the benchmark, of variables ``answered``, that no margin of the step includes."""
        used = [set(margin.split("*")) for margin in self.step.margins]
        return [
            margin.margin
            for margin in self.benchmark.source.margins
            if margin.measure != "mean"
            and set(margin.variables) <= answered
            and not any(set(margin.variables) <= variables for variables in used)
        ]


def population_benchmark(
    root: DataRoot, survey_id: str, margins: list[str] | None = None, numbers: list[str] | None = None
) -> Benchmark:
    """The survey's benchmark for its country, with ``margins`` and ``numbers``. Raises InputError."""
    specification = root.specification(survey_id)
    if specification.population.benchmark is None:
        raise InputError(Problem("calibrates without a benchmark", "name `population.benchmark`", variable="weighting"))
    folder = root.path / "benchmarks" / specification.population.benchmark
    codes = _codes(root.catalogue(), specification)
    return benchmark(folder, split_survey_id(survey_id)[1], margins or [], numbers or [], codes)


def calibration_inputs(root: DataRoot, survey_id: str, step: Calibrate, answers: pd.DataFrame) -> CalibrationInputs:
    """``answers`` has a row per respondent and the variables that the step names. Raises InputError."""
    step = step.model_copy(update={"margins": shared_first(step.margins)})
    found = population_benchmark(root, survey_id, step.margins, step.numbers)
    if found.population < len(answers):
        what = f"the benchmark counts {found.population:,.0f} people, fewer than the {len(answers):,} respondents"
        raise InputError(Problem(what, "give persons, not thousands or millions of them", variable=found.source.reference.margin))
    known = without_other(answers, root.catalogue())
    codes = _codes(root.catalogue(), root.specification(survey_id))
    return CalibrationInputs(
        survey_id,
        step,
        found,
        pd.DataFrame({name: joint_categories(known, name.split("*")) for name in step.margins}, index=answers.index),
        {name: _target(found.margins[name].table, name) for name in step.margins},
        answers[step.numbers].astype("float64") if step.numbers else None,
        {name: codes[name] for name in step.collapse} or None,
    )


def raked(
    root: DataRoot, inputs: CalibrationInputs, margins: list[str], numbers: list[str], answers: pd.DataFrame, weights: np.ndarray
) -> np.ndarray:
    """``weights`` of the respondents raked, without bounds or trimming, to other ``margins`` and ``numbers`` than the step's, of
    which ``answers`` has the variables. Raises InputError where they cannot be met."""
    named = {name for margin in margins for name in margin.split("*")}
    collapse = [name for name in inputs.step.collapse if name in named]
    change = {"method": "raking", "bounds": None, "trim": None, "margins": margins, "numbers": numbers, "collapse": collapse}
    step = inputs.step.model_copy(update=change)
    return calibration_inputs(root, inputs.survey_id, step, answers).calibrated(weights).weights


def shared_first(margins: list[str]) -> list[str]:
    """``margins`` with the variables that most of them have first in each: who is missing on the others is then held within the
    shared ones (`Y18T24*_U` for an unknown sex), as every margin counts them; `_U` of any age would stand against the others."""
    named = [name for margin in margins for name in margin.split("*")]
    return ["*".join(sorted(margin.split("*"), key=lambda name: -named.count(name))) for margin in margins]


def _target(table: pd.DataFrame, margin: str) -> dict[str, float]:
    rows = table[[*margin.split("*"), "total"]].itertuples(index=False, name=None)
    return {"*".join(map(str, row[:-1])): float(row[-1]) for row in rows}


def _codes(catalogue: Catalogue, specification: SurveySpecification) -> dict[str, list[str]]:
    """Codes in their order, by variable; those that a catalogue publishes as `_O` are in no census."""
    codes = {
        name: [code for code in item.codes if item.sdmx.get(code) != OTHER]
        for name, item in catalogue.columns.items()
        if item.codes
    }
    return codes | {name: list(dict.fromkeys(item.codes.values())) for name, item in specification.auxiliary.items() if item.codes}


def without_other(frame: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """``frame`` with codes published as `_O` set to missing: censuses count women and men, so others are held at their share."""
    hidden = {
        name: [code for code, published in catalogue.columns[name].sdmx.items() if published == OTHER]
        for name in frame.columns.intersection(list(catalogue.columns))
    }
    return frame.assign(**{name: frame[name].mask(frame[name].isin(codes), MISSING) for name, codes in hidden.items() if codes})
