"""Which groups of a survey are furthest behind, and how sure that is.

Belongs here: ranks of groups, simultaneous intervals, and what these say of ranks. Not here: the groups' estimates (``tables``), or
which are too thin to show (``reliability``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import expit, stdtrit

from rga.survey.design import MISSING, TOTAL

WORSE = {"more_is_worse": 1.0, "more_is_better": -1.0}
KEPT = 10
COLUMNS = [
    "direction", "rank", "rank_low", "rank_high", "may_be_furthest", "value", "se", "ci_low", "ci_high", "n", "population",
    "total", "gap_to_total", "gap_to_total_low", "gap_to_total_high", "worse_than_total", "best", "gap_to_best", "gap_to_best_low",
    "gap_to_best_high", "groups", "groups_that_may_be_furthest", "obs_status",
]  # fmt: skip


def furthest_behind(
    estimates: pd.DataFrame, directions: Mapping[str, str], dimensions: Sequence[str], kept: int = KEPT, level: float = 0.95
) -> pd.DataFrame:
    """The ``kept`` groups that are furthest behind in each survey and indicator, of all cells that are shown.

    ``estimates``: shares in per cent as published. ``directions``: `more_is_worse` or `more_is_better` by indicator; others have no
    group behind. A group is a cell of any breakdown whose categories are known; groups overlap (young rural women are among rural
    women) and are compared all the same. One row per group: the key columns of ``estimates`` and `COLUMNS`.

    Intervals are simultaneous over the m groups and everybody: each has 1 - (1 - ``level``) / (m + 1), by logit and t(df), at 0 and
    100 % Clopper and Pearson's at n. By Bonferroni's inequality all hold at once with ``level``, however the groups depend on each
    other, so overlap does no harm. What follows holds at once too (Klein, Wright and Wieczorek 2020): a group's rank is between 1
    plus the groups whose interval is wholly on the worse side of its own, and m less those wholly on the better side
    (``rank_low``, ``rank_high``); it ``may_be_furthest`` behind where rank_low is 1; and the difference of two groups is between
    those of their opposite limits (``gap_to_total``, ``gap_to_best``, in points, whatever the direction).
    """
    known = estimates[estimates["indicator"].isin([code for code, direction in directions.items() if direction in WORSE])]
    shown = known["value"].notna() & known["se"].notna() & (known["obs_status"] != "Q") & (known["df"] > 0)
    known = known[shown & (known["statistic"] == "share") & (known["category"] == TOTAL)]
    known = known[~(known[list(dimensions)] == MISSING).any(axis=1)].reset_index(drop=True)
    sets = known.groupby(["survey_id", "indicator"], sort=False)
    compared = sets["value"].transform("size").to_numpy()
    limits = simultaneous_limits(*(known[name].to_numpy(dtype=np.float64) for name in ("value", "se", "n", "df")), compared, level)
    sign = known["indicator"].map(directions).map(WORSE).to_numpy(dtype=np.float64)
    everybody = (known["breakdown"] == "total").to_numpy()
    found = []
    for rows in sets.indices.values():
        groups, whole = rows[~everybody[rows]], rows[everybody[rows]]
        if len(groups) < 2 or len(whole) != 1:
            continue
        found.append(_of_set(known, groups, int(whole[0]), limits, sign[rows[0]], kept))
    keys = ["survey_id", "indicator", "statistic", "category", "breakdown", *dimensions]
    if not found:
        return pd.DataFrame(columns=[*keys, *COLUMNS])
    chosen = np.concatenate([rows for rows, _ in found])
    made = {name: np.concatenate([columns[name] for _, columns in found]) for name in found[0][1]}
    table = known.iloc[chosen].reset_index(drop=True).assign(**made)
    return table.assign(direction=table["indicator"].map(directions))[[*keys, *COLUMNS]]


def simultaneous_limits(
    value: np.ndarray, se: np.ndarray, n: np.ndarray, df: np.ndarray, compared: np.ndarray, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Limits of shares (per cent) that hold at once for ``compared`` of them with ``level`` (Bonferroni), all arrays of one length."""
    tail = (1 - level) / (2 * compared)
    pair, place = np.unique(np.column_stack([df, compared]), axis=0, return_inverse=True)  # quantiles of t take a while
    t = stdtrit(pair[:, 0], 1 - (1 - level) / (2 * pair[:, 1]))[place.ravel()]
    none, everyone = value <= 0, value >= 100
    p = np.where(none | everyone, 50.0, value) / 100
    centre, reach = np.log(p / (1 - p)), t * se / 100 / (p * (1 - p))
    beyond = 1 - tail ** (1 / np.maximum(n, 1))
    low = np.where(none, 0.0, np.where(everyone, 1 - beyond, expit(centre - reach)))
    high = np.where(everyone, 1.0, np.where(none, beyond, expit(centre + reach)))
    return 100 * low, 100 * high


def rank_limits(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lowest and highest rank of each group, 1 for the largest, from limits that hold at once (Klein, Wright and Wieczorek 2020)."""
    above = len(low) - np.searchsorted(np.sort(low), high, side="right")
    below = np.searchsorted(np.sort(high), low, side="left")
    return 1 + above, len(low) - below


def _of_set(
    known: pd.DataFrame, groups: np.ndarray, whole: int, limits: tuple[np.ndarray, np.ndarray], sign: float, kept: int
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Rows of the groups furthest behind of one survey and indicator, worst first, and the columns that come of their comparison."""
    low, high = limits
    values = known["value"].to_numpy()
    harm = sign * values[groups]
    best_end, worst_end = (low, high) if sign > 0 else (-high, -low)
    rank_low, rank_high = rank_limits(best_end[groups], worst_end[groups])
    order = np.argsort(-harm, kind="stable")
    best = groups[order[-1]]
    first = order[:kept]
    rows = groups[first]

    def gap(other: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        difference = values[rows] - values[other]
        # A group is not compared with itself.
        same = rows == other
        lower, upper = low[rows] - high[other], high[rows] - low[other]
        return difference, np.where(same, 0.0, lower), np.where(same, 0.0, upper)

    to_total, to_best = gap(whole), gap(int(best))
    columns = {
        "rank": 1 + (harm[None, :] > harm[first][:, None]).sum(axis=1),
        "rank_low": rank_low[first],
        "rank_high": rank_high[first],
        "may_be_furthest": rank_low[first] == 1,
        "ci_low": low[rows],
        "ci_high": high[rows],
        "total": np.full(len(rows), values[whole]),
        "gap_to_total": to_total[0],
        "gap_to_total_low": to_total[1],
        "gap_to_total_high": to_total[2],
        "worse_than_total": best_end[rows] > worst_end[whole],
        "best": np.full(len(rows), values[best]),
        "gap_to_best": to_best[0],
        "gap_to_best_low": to_best[1],
        "gap_to_best_high": to_best[2],
        "groups": np.full(len(rows), len(groups)),
        "groups_that_may_be_furthest": np.full(len(rows), int((rank_low == 1).sum())),
    }
    return rows, columns
