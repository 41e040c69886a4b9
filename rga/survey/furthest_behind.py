"""Which groups of a survey are furthest behind, and how sure that is.

Belongs here: ranks of groups, simultaneous intervals, and what these say of ranks. Not here: the groups' estimates (``tables``),
their distance from everybody (``from_total``), or which are too thin to show (``reliability``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, stdtr, stdtrit

from rga.survey.design import MISSING, TOTAL

WORSE = {"more_is_worse": 1.0, "more_is_better": -1.0}
KEPT = 10
COLUMNS = [
    "direction", "rank", "rank_low", "rank_high", "may_be_furthest", "value", "se", "ci_low", "ci_high", "n", "population", "df",
    "total", "gap_to_total", "gap_se", "gap_low", "gap_high", "p_adjusted", "worse_than_total", "groups",
    "groups_that_may_be_furthest", "groups_worse_than_total", "obs_status",
]  # fmt: skip


def furthest_behind(
    estimates: pd.DataFrame, directions: Mapping[str, str], dimensions: Sequence[str], kept: int = KEPT, level: float = 0.95
) -> pd.DataFrame:
    """The ``kept`` groups that are furthest behind in each survey and indicator, of all cells that are shown.

    ``estimates``: shares in per cent as published, with ``se_from_total``. ``directions``: `more_is_worse` or `more_is_better` by
    indicator; others have no group behind. A group is a cell of any breakdown whose categories are known; groups overlap (young
    rural women are among rural women) and are compared all the same. One row per group: keys of ``estimates`` and `COLUMNS`.

    Limits hold at once for the m groups of a survey and indicator: each has 1 - (1 - ``level``) / m, so that by Bonferroni's
    inequality all hold with ``level``, however the groups depend on each other: overlap does no harm. Those of values: logit and
    t(df), at 0 and 100 % Clopper and Pearson's at n. From them ranks (`rank_limits`): a group ``may_be_furthest`` behind where its
    rank may be 1. Those of the distance to everybody (``gap_to_total``, in points, whatever the direction): t by the group's own
    df, as nearly all of the error is the group's; it is ``worse_than_total`` where they leave 0 on the side of harm, and
    ``p_adjusted`` is m times the two-sided p-value. NaN, and not worse, where a group has no ``se_from_total``.
    """
    known = estimates[estimates["indicator"].isin([code for code, direction in directions.items() if direction in WORSE])]
    shown = known["value"].notna() & known["se"].notna() & (known["obs_status"] != "Q") & (known["df"] > 0)
    known = known[shown & (known["statistic"] == "share") & (known["category"] == TOTAL)]
    keys = ["survey_id", "indicator"]
    total = known.loc[known["breakdown"] == "total", [*keys, "value"]].rename(columns={"value": "total"})
    known = known[(known["breakdown"] != "total") & ~(known[list(dimensions)] == MISSING).any(axis=1)]
    known = known.merge(total, on=keys).reset_index(drop=True)
    groups = known.groupby(keys, sort=False)["value"].transform("size").to_numpy()
    value, se, n, df = (known[name].to_numpy(dtype=np.float64) for name in ("value", "se", "n", "df"))
    low, high = simultaneous_limits(value, se, n, df, groups, level)
    sign = known["indicator"].map(directions).map(WORSE).to_numpy(dtype=np.float64)
    gap, gap_se = value - known["total"].to_numpy(), known["se_from_total"].to_numpy(dtype=np.float64)
    reach = _t(df, groups, level) * gap_se
    with np.errstate(invalid="ignore"):
        table = known.assign(
            direction=known["indicator"].map(directions),
            ci_low=low,
            ci_high=high,
            gap_to_total=gap,
            gap_se=gap_se,
            gap_low=gap - reach,
            gap_high=gap + reach,
            p_adjusted=np.minimum(groups * 2 * stdtr(df, -np.abs(gap / gap_se)), 1.0),
            worse_than_total=np.abs(gap) > np.where(sign * gap > 0, reach, np.inf),
            groups=groups,
        )
    ranked = _ranked(table, sign, kept)
    return (
        table.iloc[ranked.index]
        .reset_index(drop=True)
        .assign(**{str(name): ranked[name].to_numpy() for name in ranked})[
            [*keys, "statistic", "category", "breakdown", *dimensions, *COLUMNS]
        ]
    )


def simultaneous_limits(
    value: np.ndarray, se: np.ndarray, n: np.ndarray, df: np.ndarray, compared: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of shares (per cent) that hold at once for ``compared`` of them with ``level`` (Bonferroni); arrays of one length."""
    tail = (1 - level) / (2 * compared)
    none, everyone = value <= 0, value >= 100
    p = np.where(none | everyone, 50.0, value) / 100
    centre, reach = np.log(p / (1 - p)), _t(df, compared, level) * se / 100 / (p * (1 - p))
    beyond = 1 - tail ** (1 / np.maximum(n, 1))  # Clopper and Pearson's limit where nobody of n has it
    low = np.where(none, 0.0, np.where(everyone, 1 - beyond, expit(centre - reach)))
    high = np.where(everyone, 1.0, np.where(none, beyond, expit(centre + reach)))
    return 100 * low, 100 * high


def rank_limits(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest rank of each group, 1 for the largest, from limits that hold at once.

    1 plus the groups whose limits are wholly above its own, and m less those wholly below: all ranks are within with the level of
    the limits (Klein, Wright and Wieczorek 2020).
    """
    above = len(low) - np.searchsorted(np.sort(low), high, side="right")
    below = np.searchsorted(np.sort(high), low, side="left")
    return 1 + above, len(low) - below


def _t(df: np.ndarray, compared: np.ndarray, level: float) -> np.ndarray:
    """Two-sided t quantile at 1 - (1 - level) / compared."""
    pair, place = np.unique(np.column_stack([df, compared]), axis=0, return_inverse=True)  # few, and each takes a while
    return stdtrit(pair[:, 0], 1 - (1 - level) / (2 * pair[:, 1]))[place.ravel()]


def _ranked(table: pd.DataFrame, sign: np.ndarray, kept: int) -> pd.DataFrame:
    """Ranks of the ``kept`` worst of each survey and indicator; the index is their row of ``table``, worst first."""
    columns = {name: table[name].to_numpy(dtype=np.float64) for name in ("value", "ci_low", "ci_high")}
    worse = table["worse_than_total"].to_numpy()
    found = []
    for chosen in table.groupby(["survey_id", "indicator"], sort=False).indices.values():
        rows = np.asarray(chosen)
        harm = sign[rows] * columns["value"][rows]
        least, most = columns["ci_low"][rows], columns["ci_high"][rows]
        rank_low, rank_high = rank_limits(least, most) if sign[rows[0]] > 0 else rank_limits(-most, -least)
        first = np.argsort(-harm, kind="stable")[:kept]
        facts = {
            "rank": 1 + (harm[None, :] > harm[first][:, None]).sum(axis=1),
            "rank_low": rank_low[first],
            "rank_high": rank_high[first],
            "may_be_furthest": rank_low[first] == 1,
            "groups_that_may_be_furthest": int((rank_low == 1).sum()),
            "groups_worse_than_total": int(worse[rows].sum()),
        }
        found.append(pd.DataFrame(facts, index=rows[first]))
    names = ["rank", "rank_low", "rank_high", "may_be_furthest", "groups_that_may_be_furthest", "groups_worse_than_total"]
    return pd.concat(found) if found else pd.DataFrame(columns=names, index=pd.Index([], dtype=np.int64))
