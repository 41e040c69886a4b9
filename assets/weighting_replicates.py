"""How far published standard errors are from those of replicates that are weighed again from the start.

Belongs here: one number for a survey of which linearisation leaves something out. Not here: weights and their steps (``weights``),
published standard errors (``estimates``).
"""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd

from assets.weighting_effects import SEXES, answers, headlines
from assets.weights import Weights
from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import Respondents
from rga.microdata.sample import ELIGIBLE, RESPONDED
from rga.survey import TOTAL, Design, make_replicates
from rga.survey.blas import one_blas_thread
from rga.survey.design import SEX
from rga.survey.sample import sample_of

REPLICATES = 20
SEED = 1993
FEWEST = 50  # respondents with the rarer answer: below, a share in replicates is far from linear


@one_blas_thread
def se_ratio(root: DataRoot, survey_id: str, respondents: Respondents, weights: Weights) -> float | None:
    """Standard errors by bootstrap replicates (Rao and Wu 1988) of the sample, for which response propensities, calibration and
    trimming are done again, over linearised ones: the median over the headline shares of women, men and all.

    Both are taken from the same replicates, the linearised ones as the spread of sum_i (f_i - 1) z_i, f_i the factor of
    respondent i and z_i the influence value that the published error rests on: their expectation is the published variance, and
    what chance does to the replicates drops out of the ratio. None where linearisation takes all from the steps, no share has
    enough respondents, or the design has no bootstrap.
    """
    again = weights.again
    indicators = headlines(root.catalogue(), root.specification(survey_id))
    if again is None or not indicators:
        return None
    specification = root.specification(survey_id).design
    drawn = again.sample.reset_index(drop=True).assign(start=again.weights)
    design = Design("start", "stratum", "psu" if specification.psu else None, lonely_psu=specification.lonely_psu)
    try:
        made, _ = make_replicates(drawn, design, "bootstrap", count=REPLICATES, seed=SEED)
    except InputError:  # a stratum of one PSU
        return None
    answered = (drawn[RESPONDED] & drawn[ELIGIBLE]).to_numpy(dtype=bool)
    y, base = _shares(answers(root.catalogue(), indicators, respondents.frame), respondents.frame)
    weight = np.nan_to_num(weights.steps[-1].weights)
    value, z = _influence(y, base, weight)
    cases = np.minimum((base * y).sum(axis=0), (base * (1 - y)).sum(axis=0))
    kept = cases >= FEWEST
    if not kept.any():
        return None
    y, base, value, z = y[:, kept], base[:, kept], value[kept], _residuals(weights, z[:, kept])
    factors = np.divide(made, again.weights[:, None], out=np.zeros_like(made), where=again.weights[:, None] > 0)[answered]
    found, linear = [], []
    for replicate, factor in zip(made.T, factors.T, strict=True):
        try:
            w = np.nan_to_num(again.weighed(replicate))
        except InputError:  # a class or a category that nobody of the replicate is in
            continue
        found.append((w @ (base * y)) / (w @ base) - value)
        linear.append((factor - 1) @ z)
    if len(found) < REPLICATES / 2:
        return None
    ratio = np.sqrt(np.square(found).sum(axis=0) / np.square(linear).sum(axis=0))
    return round(float(np.median(ratio)), 2)  # known to some 3 %


def _shares(known: np.ndarray, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Answers (0 or 1) and whether they count, respondents x shares: every indicator of women, of men and of all."""
    sex = frame[SEX].to_numpy(dtype=object, na_value="") if SEX in frame else np.full(len(frame), "")
    base = np.hstack([~np.isnan(known) & ((sex == code) | (code == TOTAL))[:, None] for code in SEXES]).astype(np.float64)
    return np.nan_to_num(np.hstack([known] * len(SEXES))), base


def _influence(y: np.ndarray, base: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total = np.maximum(weight @ base, 1e-300)
    value = (weight @ (base * y)) / total
    return value, weight[:, None] * base * (y - value) / total


def _residuals(weights: Weights, z: np.ndarray) -> np.ndarray:
    """What the last calibration leaves of influence values, respondent by respondent."""
    frame = weights.frame.drop(columns=["survey_id", "respondent_id"])
    sampled = frame["weight"].notna().to_numpy()
    margins = tuple(name for name in map(str, frame) if name.startswith("margin_"))
    design = Design(base_weight="weight_before_calibration" if margins else None, margins=margins)
    left = np.zeros_like(z)
    with duckdb.connect() as connection:
        connection.register("weighed", frame)
        with sample_of((connection, "weighed"), design) as sample:
            left[np.flatnonzero(sampled)[sample.stages.order]] = sample.residuals(z[sampled])
    return left
