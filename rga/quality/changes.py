"""Changes against the previous round of the same country.

Belongs here: which shares moved further than their error and a tolerance allow. Not here: published changes with their intervals,
estimates themselves (``rga.survey``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.quality.finding import Finding
from rga.quality.thresholds import Changes


def previous_rounds(surveys: dict[str, bool]) -> dict[str, str]:
    """For each survey id, that of the same country's round before; ``surveys`` says of each whether it is simulated, as real and
    simulated ones are never compared."""
    found: dict[str, str] = {}
    last: dict[tuple[str, bool], str] = {}
    for survey_id in sorted(surveys, key=_in_time):
        kin = (survey_id.rpartition("_")[2], surveys[survey_id])
        if kin in last:
            found[survey_id] = last[kin]
        last[kin] = survey_id
    return found


def _in_time(survey_id: str) -> tuple[int, int, str]:
    year, _, number = survey_id.rpartition("_")[0].partition("-r")
    return int(year), int(number), survey_id


def changed_shares(before: pd.DataFrame, after: pd.DataFrame, previous: str, limits: Changes) -> list[Finding]:
    """Shares that moved beyond ``limits.beyond`` points by more than chance.

    Both frames have a row per indicator of all respondents: indicator, value and se (per cent), df, n. The hypothesis that the
    true change is at most ``beyond`` is tested with t = (|change| - beyond) / se, se^2 = se1^2 + se2^2 (independent samples: of a
    panel it is too large, so that less is flagged), Welch-Satterthwaite degrees of freedom, and Holm's step-down over all shares
    of the survey at ``level``.
    """
    both = before.merge(after, on="indicator", suffixes=("_before", "_after"))
    both = both[(both["n_before"] >= limits.least_n) & (both["n_after"] >= limits.least_n)]
    variances = both[["se_before", "se_after"]].astype("float64").to_numpy() ** 2
    df = both[["df_before", "df_after"]].astype("float64").to_numpy()
    both = both.assign(change=both["value_after"] - both["value_before"], se=np.sqrt(variances.sum(axis=1)))
    usable = np.isfinite(both["se"].to_numpy()) & (both["se"] > 0).to_numpy() & (df > 0).all(axis=1)
    both, variances, df = both[usable], variances[usable], df[usable]
    if both.empty:
        return []
    freedom = variances.sum(axis=1) ** 2 / (variances**2 / df).sum(axis=1)
    t = ((both["change"].abs() - limits.beyond) / both["se"]).to_numpy()
    both = both.assign(p=np.minimum(1, (1 if limits.beyond else 2) * stdtr(freedom, -t)))
    flagged = both[_holm(both["p"].to_numpy()) <= limits.level]
    return [
        Finding(
            "change_between_rounds",
            "flag",
            f"{row.value_after:.1f} %, after {row.value_before:.1f} % in {previous} "
            f"({row.change:+.1f} points, standard error {row.se:.1f})",
            "news, or another wording, order, mode or sample? If the question changed, say so under `altered:`",
            variable=str(row.indicator),
            rows=int(row.n_after),
            share=float(row.change),
        )
        for row in flagged.itertuples()
    ]


def _holm(p: np.ndarray) -> np.ndarray:
    """P-values adjusted by Holm (1979), which holds whatever the correlation of the tests."""
    order = np.argsort(p)
    adjusted = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted[np.argsort(order)]
