"""Why an interval covers more or less often than 93 to 97 times in 100: each reason with the arithmetic that must bear it out.

Belongs here: the band, and the rules that give a figure outside it its letter. Not here: the words of the page (``coverage.md``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.survey.intervals import t_quantile

LOW, HIGH = 93.0, 97.0
UNEXPLAINED = "?"
FEW_PSUS = 10  # degrees of freedom
ENOUGH_DRAWS = 500  # for a coverage that counts some of the draws only


def outside(coverage: float) -> bool:
    return not LOW <= round(coverage, 1) <= HIGH


def implied(se_ratio: float, df: float) -> float:
    """Coverage, per cent, of an unbiased estimate whose standard error is ``se_ratio`` times what it should be."""
    return 100 * float(1 - 2 * stdtr(df, -t_quantile(np.array(df)) * se_ratio))


def of_survey(row: pd.Series, raked: bool) -> str:
    """The letter of a figure of `coverage.summary`; none inside the band, `?` where no rule applies.

    m: raked, the standard error is too large, and that accounts for the coverage. l: lonely PSUs, whose rule errs to the same side.
    """
    coverage, ratio = row["coverage"], row["se_ratio"]
    if not outside(coverage):
        return ""
    if raked and coverage > HIGH and ratio > 1.05 and abs(coverage - implied(ratio, row["df"])) < 0.5 + 1.5 * row["margin"]:
        return "m"
    if row["design"] in ("B6", "B7", "B8") and (coverage > HIGH) == (ratio > 1):
        return "l"
    return UNEXPLAINED


def of_domain(row: pd.Series, kind: str, arithmetic: float) -> str:
    """The letter of a figure of `rare_domains.summary`: its interval ``kind`` (`shown` goes with `published`).

    ``arithmetic``: what summing over all outcomes gives (NaN where that cannot be done). k: Korn-Graubard covers more; d: few
    people have few outcomes; both only where draws agree with the arithmetic within three of their standard errors. c: few PSUs.
    """
    coverage, error = row[kind], max(row[f"{kind}_margin"] / 1.96, 0.2)
    if not outside(coverage):
        return ""
    if not np.isnan(arithmetic):
        return UNEXPLAINED if abs(coverage - arithmetic) > 3 * error else "k" if kind == "korn_graubard" else "d"
    if coverage > HIGH and kind == "korn_graubard":
        return "k"
    return "c" if coverage > HIGH and row["df"] < FEW_PSUS else UNEXPLAINED
