"""One draw of a simulated survey, weighed as `rga build` weighs its file.

Belongs here: a draw as the pipeline would have read it, and its weights after each step. Not here: drawing it, estimates
(``repeated_draws``).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from assets.weights import Weights, weigh
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import Respondents
from rga.simulate.auxiliary import DISPOSITION, auxiliary
from rga.simulate.programme import Survey
from rga.simulate.sampling import OTHER_SEX

MISSING_ON_MARGIN = MISSING_LINES = 0.03
MARGINS = ["sex", "age_group", "education"]
DESIGN = ["stratum", "psu", "base_weight"]
STEPS = ["unweighted", "base", "selection", "multiplicity", "nonresponse", "calibrate", "trim"]


def as_read(root: DataRoot, survey: Survey, drawn: pd.DataFrame, survey_id: str, rng: np.random.Generator) -> Respondents:
    """``drawn`` as a file of it reads: some of another sex, some who do not tell age, schooling or numbers of phones and adults."""
    answered = drawn["answered"].to_numpy()
    sample = pd.DataFrame({"responded": answered, "eligible": True})
    for name in ("stratum", "psu"):
        sample[name] = drawn[name].astype("string") if survey.clustered else pd.Series(pd.NA, sample.index, dtype="string")
    sample["base_weight"] = drawn["base_weight"] if survey.clustered else 1.0
    for name in MARGINS:
        sample[name] = drawn[name].astype("string").where(answered)
    sample["sex"] = sample["sex"].mask(answered & (rng.random(len(sample)) < OTHER_SEX), "O")
    for name in ("age_group", "education"):
        sample[name] = sample[name].mask(rng.random(len(sample)) < MISSING_ON_MARGIN)
    given = root.specification(survey.key).auxiliary
    for question in auxiliary(survey):
        name = question.variable
        if name == DISPOSITION:
            continue
        if question.codes:
            codes = {ours: given[name].codes[str(code)] for ours, code in question.codes.items()}
            sample[name] = drawn[name].astype(object).map(codes).astype("string")
        else:
            sample[name] = drawn[name].astype("float64").mask(rng.random(len(sample)) < MISSING_LINES)
    frame = sample.loc[answered, [*DESIGN, *MARGINS]].assign(survey_id=survey_id, row=drawn["row"])
    frame["respondent_id"] = frame.index.astype(str)
    empty = pd.DataFrame()
    return Respondents(frame.reset_index(drop=True), empty, empty, 0, {}, sample, empty, empty, empty)


def weights_by_step(root: DataRoot, survey: Survey, drawn: pd.DataFrame, survey_id: str, rng: np.random.Generator) -> pd.DataFrame:
    """Respondents of ``drawn`` with their published `weight`, and a column of weights for each of ``STEPS`` that the survey's chain
    has: none, those of the file, and what each step leaves. With what standard errors take from the calibration:
    `weight_before_calibration`, `margin_1`, ..."""
    respondents = as_read(root, survey, drawn, survey_id, rng)
    weights = weigh(root, survey.key, respondents)
    by_step = {"unweighted": np.ones(len(respondents.frame))}
    for step in weights.steps:
        if step.calibration and step.calibration.cap is not None:
            by_step |= {"calibrate": _before_trimming(weights), "trim": step.weights}
        elif step.method != "constant":
            by_step[step.action] = step.weights
    assert set(by_step) <= set(STEPS)
    known = weights.frame.drop(columns=["survey_id", "respondent_id"])
    return pd.concat([respondents.frame, known], axis=1).assign(**by_step)


def _before_trimming(weights: Weights) -> np.ndarray:
    """What the calibration leaves before the largest of its weights are cut."""
    assert weights.inputs is not None
    untrimmed = replace(weights.inputs, step=weights.inputs.step.model_copy(update={"trim": None}))
    return untrimmed.calibrated(weights.frame["weight_before_calibration"].to_numpy()).weights
