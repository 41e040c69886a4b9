"""Replicate weights that go into a research file.

Belongs here: bootstrap replicates, calibrated again on the margins as released. Not here: how replicates are made
(``rga.survey.replicates``), which respondents vary together (``variance_groups``), or files.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.privacy.shown_weights import totals
from rga.survey import Design, calibrate, make_replicates

FEWEST = 0.9  # share of replicates that must reach the margins


def replicate_weights(
    weight: np.ndarray, group: np.ndarray | None, margins: pd.DataFrame, count: int, seed: int
) -> tuple[np.ndarray, list[str]]:
    """``count`` whole replicate weights, respondents x replicates, and notes; variance is that of their spread, over R - 1.

    Rao-Wu bootstrap of the variance ``group`` of respondents (of respondents, without), each replicate raked to what ``weight``
    adds up to on ``margins``, if there are any. ``weight`` and ``margins`` must follow from released columns: then a replicate over
    the weight is a function of these and of chance. All calibration estimators have the same asymptotic variance (Deville and
    Särndal 1992, result 5). Replicates that cannot reach the margins are replaced. Raises InputError where more than one in ten
    cannot.
    """
    units = pd.DataFrame({"weight": weight, "group": np.arange(len(weight)) if group is None else group})
    spare = int(np.ceil(count / FEWEST))
    made = make_replicates(units, Design("weight", psu="group"), "bootstrap", count=spare, seed=seed)[0]
    if margins.empty:
        return made[:, :count], []
    targets = totals(margins, weight)
    kept: list[np.ndarray] = []
    for tried in range(spare):
        try:
            kept.append(calibrate(margins, made[:, tried], targets, "raking").weights)
        except InputError:
            continue
        if len(kept) == count:
            break
    failed = tried + 1 - len(kept)
    if len(kept) < count:
        what = f"{failed} of {tried + 1} replicates leave a category of a calibration margin empty"
        raise InputError(Problem(what, "merge small categories: `collapse_below:` of the step `calibrate`", "survey.yaml"))
    notes = [f"{failed} of {tried + 1} replicates left a category of a margin empty, and were replaced"] if failed else []
    return np.column_stack(kept), notes
