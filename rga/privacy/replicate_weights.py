"""Replicate weights that go into a research file, from staged respondents and weights only.

Belongs here: bootstrap replicates, calibrated again to what the survey's weights add up to. Not here: how replicates are made
(``rga.survey.replicates``), or files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey import Design, LonelyPsu, calibrate, make_replicates
from rga.survey.design import MISSING

FEWEST = 0.9  # share of replicates that must reach the margins


@dataclass(frozen=True)
class ReplicateWeights:
    """``weights`` are respondents x replicates, whole (not factors); their variance is that of their spread, over R - 1."""

    weights: np.ndarray
    calibrated: bool
    notes: list[str]


def replicate_weights(data: pd.DataFrame, lonely_psu: LonelyPsu, count: int, seed: int) -> ReplicateWeights:
    """``count`` Rao-Wu bootstrap replicates of staged ``data``: weight, weight_before_calibration, margin_1 ..., stratum, psu, fpc.

    Where the survey was calibrated, each replicate is raked to the totals that the final weights have on every margin, whatever
    method the survey used: all calibration estimators have the same asymptotic variance (Deville and Särndal 1992, result 5).
    Replicates that cannot reach the margins are replaced. Raises InputError where more than one in ten cannot, or the design has no
    bootstrap.
    """
    margins = [str(name) for name in data if str(name).startswith("margin_") and data[name].notna().any()]
    calibrated = bool(margins) and data["weight_before_calibration"].notna().all()
    stratum, psu = ("stratum" if data["stratum"].notna().any() else None), ("psu" if data["psu"].notna().any() else None)
    design = Design("weight_before_calibration" if calibrated else "weight", stratum=stratum, psu=psu, lonely_psu=lonely_psu)
    notes = []
    if data["fpc"].notna().any():
        notes.append("replicates leave the finite population correction out: standard errors from them are somewhat too large")
    try:
        made = _made(data, design, count, seed)
    except InputError as error:
        if "one PSU" not in str(error):
            raise
        notes.append("strata with a single PSU keep their weight in every replicate, and add nothing to the variance")
        made = _made(data, Design(design.weight, stratum=stratum, psu=psu, lonely_psu="certainty"), count, seed)
    if not calibrated:
        return ReplicateWeights(made[:, :count], False, notes)
    targets = {
        margin: without_missing({str(c): float(w) for c, w in data.groupby(margin)["weight"].sum().items()}) for margin in margins
    }
    kept: list[np.ndarray] = []
    for tried in range(made.shape[1]):
        try:
            kept.append(calibrate(data[margins], made[:, tried], targets, "raking").weights)
        except InputError:
            continue
        if len(kept) == count:
            break
    if (failed := tried + 1 - len(kept)) and len(kept) == count:
        notes.append(f"{failed} of {tried + 1} replicates left a category of a margin empty, and were replaced")
    if len(kept) < count:
        what = f"{failed} of {tried + 1} replicates leave a category of a calibration margin empty"
        raise InputError(Problem(what, "merge small categories: `collapse_below:` of the step `calibrate`", "survey.yaml"))
    return ReplicateWeights(np.column_stack(kept), True, notes)


def _made(data: pd.DataFrame, design: Design, count: int, seed: int) -> np.ndarray:
    spare = int(np.ceil(count / FEWEST))
    return make_replicates(data, design, "bootstrap", count=spare, seed=seed)[0]


def without_missing(totals: dict[str, float]) -> dict[str, float]:
    """Totals by category of a margin, what is missing (`F*_U`) shared out among the others of F: as a benchmark has them."""
    shared = dict(totals)
    for name in sorted((name for name in totals if name.split("*")[-1] == MISSING), key=lambda n: -n.count("*")):
        mass, before = shared.pop(name), name.removesuffix(MISSING)
        alike = [other for other in shared if other.startswith(before)]
        whole = sum(shared[other] for other in alike)
        shared |= {other: shared[other] * (1 + mass / whole) for other in alike if whole}
    return shared
