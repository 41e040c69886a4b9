"""Respondents of one survey into weighted ones.

Belongs here: carrying out the steps that `weighting:` in survey.yaml lists, in its order. Not here: how a step makes weights
(``rga.survey``), where benchmarks come from (``rga.microdata``), tables of what happened (``weighting_tables``).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from assets.calibration_inputs import CalibrationInputs, calibration_inputs, population_benchmark
from rga.errors import InputError, Problem
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import Respondents
from rga.microdata.sample import ELIGIBLE, RESPONDED
from rga.microdata.specification import SurveySpecification
from rga.microdata.weighting_steps import Calibrate, Equal, Multiplicity, Nonresponse, Normalise, Selection, Trim, WeightingStep
from rga.survey import Calibration, WeightDiagnostics, diagnose
from rga.survey.base_weights import multiplicity, selection
from rga.survey.nonresponse import NonresponseAdjustment, propensity_classes, weighting_classes
from rga.survey.weight_limits import normalise, trim


@dataclass(frozen=True)
class Step:
    """``weights`` of the respondents after a step, and what there is to say of it; ``trimmed`` counts weights cut by it."""

    action: str
    method: str | None
    why: str
    weights: np.ndarray
    notes: list[str] = field(default_factory=list)
    calibration: Calibration | None = None
    nonresponse: NonresponseAdjustment | None = None
    trimmed: int | None = None

    @property
    def diagnostics(self) -> WeightDiagnostics:
        return diagnose(self.weights)


@dataclass(frozen=True)
class ResponseRate:
    """Respondents of the sample as a share (0..1) of its ``sampled`` members who are not known to be outside the population, with
    and without the weights that they had before anybody's nonresponse was adjusted for (AAPOR 2023: response rate 1)."""

    sampled: int
    unweighted: float
    weighted: float


@dataclass(frozen=True)
class Weights:
    """Weights of one survey; ``steps`` say how they came about, the base weight first.

    ``frame`` has survey_id, respondent_id, weight and, of the last calibration, weight_before_calibration and the category on each
    of its margins, margin_1 ... (null where there was none): what standard errors take from it. ``inputs`` are what that
    calibration was given.
    """

    frame: pd.DataFrame
    steps: list[Step]
    response: ResponseRate | None = None
    inputs: CalibrationInputs | None = None

    @property
    def chain(self) -> str:
        """The steps in words, such as `base (given) > calibrate (raking)`."""
        return " > ".join(f"{step.action} ({step.method})" if step.method else step.action for step in self.steps)

    @property
    def calibrated(self) -> int | None:
        """Which of ``steps`` is the last calibration."""
        return max((number for number, step in enumerate(self.steps) if step.calibration), default=None)


def weigh(root: DataRoot, survey_id: str, respondents: Respondents) -> Weights:
    """Weigh ``respondents`` as the survey's specification says. Raises InputError naming the step that cannot be carried out."""
    specification, frame = root.specification(survey_id), respondents.frame
    chain = _Chain(root, survey_id, respondents.sample, len(frame))
    for number, step in enumerate(specification.weighting, 1):
        try:
            chain.run(step, specification.weighting[number:])
        except InputError as error:
            where = f"weighting step {number} ({step.step})"
            raise InputError([replace(problem, what=f"{where}: {problem.what}") for problem in error.problems]) from None
    columns = frame[["survey_id", "respondent_id"]].assign(weight=chain.steps[-1].weights)
    weights = Weights(
        columns, chain.steps, _response_rate(specification, respondents.sample, chain.before_nonresponse), chain.inputs
    )
    return replace(weights, frame=columns.assign(**_calibration_columns(weights)))


class _Chain:
    """The weights of all members of the sample who still matter, step by step."""

    def __init__(self, root: DataRoot, survey_id: str, sample: pd.DataFrame, respondents: int) -> None:
        self.root, self.survey_id, self.sample = root, survey_id, sample
        self.weights = sample["base_weight"].to_numpy(dtype=np.float64)
        self.before_nonresponse = self.weights
        self.inputs: CalibrationInputs | None = None
        given = root.specification(survey_id).design.weight is not None
        self.steps = [Step("base", "given" if given else "constant", "", self._of_respondents())]
        assert len(self.steps[0].weights) == respondents

    def run(self, step: WeightingStep, later: list[WeightingStep]) -> None:
        if isinstance(step, Equal):
            self._done(step, None, self.weights)
        elif isinstance(step, Selection):
            found = selection(self.weights, self.sample[step.by], step.population, step.invited)
            self._done(step, None, found.weights, found.notes)
        elif isinstance(step, Multiplicity):
            divide, multiply = (self.sample[name] if name else None for name in (step.divide, step.multiply))
            found = multiplicity(self.weights, divide, multiply, step.cap)
            self._done(step, None, found.weights, found.notes)
        elif isinstance(step, Nonresponse):
            self._nonresponse(step)
        elif isinstance(step, Calibrate):
            self._respondents_only()
            self.inputs = calibration_inputs(self.root, self.survey_id, step, self.sample)
            calibration = self.inputs.calibrated(self.weights)
            if calibration.negative:
                raise InputError(_negative(calibration.negative, len(self.weights)))
            notes = [*self.inputs.benchmark.notes, *calibration.notes]
            self._done(step, step.method, calibration.weights, notes, calibration=calibration)
        elif isinstance(step, Trim):
            if not any(isinstance(following, Nonresponse) for following in later):
                self._respondents_only()  # until then the others' weights matter too
            trimmed = trim(self.weights, step.max_ratio)
            notes = [f"cut at {step.max_ratio:g} times the median, {trimmed.limit:,.4g}"]
            notes += ["margins are not met again"] * (self.inputs is not None and trimmed.trimmed > 0)
            self._done(step, None, trimmed.weights, notes, trimmed=trimmed.trimmed)
        elif isinstance(step, Normalise):
            self._respondents_only()
            weighted = int(np.sum(self.weights > 0))
            total = weighted if step.to == "n" else population_benchmark(self.root, self.survey_id).population
            self._done(step, step.to, normalise(self.weights, total))

    def _nonresponse(self, step: Nonresponse) -> None:
        if not any(done.nonresponse for done in self.steps):
            self.before_nonresponse = self.weights
        responded = self.sample[RESPONDED].to_numpy(dtype=bool)
        if step.method == "classes":
            found = weighting_classes(self.weights, responded, self.sample[step.cells], step.min_n)
        else:
            found = propensity_classes(self.weights, responded, self.sample[step.predictors], step.classes, step.min_n)
        self._done(step, step.method, found.weights, found.notes, nonresponse=found)
        self._keep(responded)

    def _done(
        self, step: WeightingStep, method: str | None, weights: np.ndarray, notes: list[str] | None = None, **facts: object
    ) -> None:
        self.weights = weights
        self.steps.append(Step(step.step, method, step.why, self._of_respondents(), notes or [], **facts))  # type: ignore[arg-type]

    def _of_respondents(self) -> np.ndarray:
        return self.weights[(self.sample[RESPONDED] & self.sample[ELIGIBLE]).to_numpy(dtype=bool)]

    def _respondents_only(self) -> None:
        self._keep((self.sample[RESPONDED] & self.sample[ELIGIBLE]).to_numpy(dtype=bool))

    def _keep(self, kept: np.ndarray) -> None:
        self.sample, self.weights = self.sample[kept].reset_index(drop=True), self.weights[kept]


def _negative(rows: int, respondents: int) -> Problem:
    """Estimates could be had from such weights, as R has them; but what is hidden of a table is safe only while no part of a sum is
    negative, and most programs refuse them."""
    what = f"`method: linear` makes the weights of {rows:,} of {respondents:,} respondents negative, which are not published"
    remedy = (
        "add `bounds`, such as [0.1, 10] (truncated linear), or take `method: logit` or `raking`: their weights are not negative"
    )
    return Problem(what, remedy, "survey.yaml", "weighting", rows=rows)


def _response_rate(specification: SurveySpecification, sample: pd.DataFrame, weights: np.ndarray) -> ResponseRate | None:
    """None where the file has respondents only."""
    if specification.response is None:
        return None
    base = sample[ELIGIBLE].to_numpy(dtype=bool)
    complete = base & sample[RESPONDED].to_numpy(dtype=bool)
    weighted = float(np.nansum(weights[complete]) / np.nansum(weights[base]))
    return ResponseRate(int(base.sum()), float(complete.sum() / base.sum()), weighted)


def _calibration_columns(weights: Weights) -> dict[str, pd.Series]:
    """What variances need to know of the last calibration; null where there was none."""
    index, at = weights.frame.index, weights.calibrated
    calibration = weights.steps[at].calibration if at is not None else None
    if at is None or calibration is None:
        return {"weight_before_calibration": pd.Series(np.nan, index)}
    categories = calibration.cell_categories.iloc[calibration.cell].set_axis(index)
    inside = calibration.cell >= 0
    margins = {f"margin_{number}": categories[margin].where(inside).astype("str") for number, margin in enumerate(categories, 1)}
    return {"weight_before_calibration": pd.Series(weights.steps[at - 1].weights, index)} | margins
