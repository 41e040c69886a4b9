"""Respondents of one survey into weighted ones.

Belongs here: carrying out the steps that `weighting:` in survey.yaml lists. Not here: how a step fits weights (``rga.survey``), or
where benchmarks come from (``rga.microdata``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.benchmarks import country_margins
from rga.microdata.catalogue import Catalogue
from rga.microdata.data_root import DataRoot, split_survey_id
from rga.microdata.respondents import Respondents
from rga.survey import MISSING, OTHER, Calibration, WeightDiagnostics, calibrate, diagnose, joint_categories


@dataclass(frozen=True)
class Step:
    """The weights after a step; where it calibrates, ``raking`` and ``missing``: respondents without a category on some margin."""

    method: str
    diagnostics: WeightDiagnostics
    raking: Calibration | None = None
    missing: int | None = None


@dataclass(frozen=True)
class Weights:
    """``frame`` has survey_id, respondent_id and weight; ``steps`` how it came about, the base weight first."""

    frame: pd.DataFrame
    steps: list[Step]


def weigh(root: DataRoot, survey_id: str, respondents: Respondents) -> Weights:
    """Weigh ``respondents`` as the survey's specification says. Raises InputError where a margin cannot be met."""
    specification, frame = root.specification(survey_id), respondents.frame
    weight = frame["base_weight"].to_numpy(dtype=np.float64)
    steps = [Step("base", diagnose(weight))]
    for step in specification.weighting:
        if specification.population.benchmark is None:
            raise InputError(Problem("calibrates without a benchmark", "name `population.benchmark`", variable="weighting"))
        folder = root.path / "benchmarks" / specification.population.benchmark
        tables = country_margins(folder, split_survey_id(survey_id)[1], step.margins)
        answers = _without_other(frame, root.catalogue())
        categories = pd.DataFrame({name: joint_categories(answers, name.split("*")) for name in step.margins})
        raking = calibrate(categories, weight, {name: _target(tables[name], name) for name in step.margins})
        weight = raking.weights
        missing = int((categories == MISSING).any(axis=1).sum())
        steps.append(Step(step.method, diagnose(weight), raking, missing))
    return Weights(frame[["survey_id", "respondent_id"]].assign(weight=weight), steps)


def _target(table: pd.DataFrame, margin: str) -> dict[str, float]:
    category = joint_categories(table, margin.split("*"))
    return dict(zip(category.astype(str), table["total"].astype(float), strict=True))


def _without_other(frame: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """``frame`` with codes published as `_O` set to missing: censuses count women and men, so others are held at their share."""
    hidden = {
        name: [code for code, published in catalogue.columns[name].sdmx.items() if published == OTHER]
        for name in frame.columns.intersection(list(catalogue.columns))
    }
    return frame.assign(**{name: frame[name].mask(frame[name].isin(codes), MISSING) for name, codes in hidden.items() if codes})
