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
GIVEN = ["value", "se", "n", "population", "df", "se_from_total", "rounded_to", "obs_status", "conf_status"]
COLUMNS = [
    "direction", "rank", "rank_low", "rank_high", "may_be_furthest", "value", "se", "ci_low", "ci_high", "n", "population", "df",
    "total", "gap_to_total", "gap_se", "rounded_to", "gap_low", "gap_high", "p_adjusted", "worse_than_total", "groups",
    "groups_that_may_be_furthest", "groups_worse_than_total", "obs_status", "conf_status",
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
    df, as nearly all of the error is the group's, and never by a smaller error than the group would have if its share were
    everybody's (`_under_the_total`); it is ``worse_than_total`` where they leave 0 on the side of harm, and
    ``p_adjusted`` is m times the two-sided p-value. NaN, and not worse, where a group has no ``se_from_total``.
    """
    keys = ["survey_id", "indicator"]
    shown = estimates["value"].notna() & estimates["se"].notna() & (estimates["df"] > 0)  # before any text is compared
    known = estimates[shown].reindex(columns=[*keys, "statistic", "category", "breakdown", *dimensions, *GIVEN])
    known = known[
        (known["obs_status"] != "Q")
        & (known["statistic"] == "share")
        & (known["category"] == TOTAL)
        & known["indicator"].isin([code for code, direction in directions.items() if direction in WORSE])
    ]
    total = known.loc[known["breakdown"] == "total", [*keys, "value", "rounded_to"]].rename(
        columns={"value": "total", "rounded_to": "total_rounded_to"}
    )
    known = known[(known["breakdown"] != "total") & ~(known[list(dimensions)] == MISSING).any(axis=1)]
    known = known.merge(total, on=keys).reset_index(drop=True)
    groups = known.groupby(keys, sort=False)["value"].transform("size").to_numpy()
    value, se, n, df = (known[name].to_numpy(dtype=np.float64) for name in ("value", "se", "n", "df"))
    low, high = simultaneous_limits(value, se, n, df, groups, level)
    sign = known["indicator"].map(directions).map(WORSE).to_numpy(dtype=np.float64)
    gap, gap_se = np.round(value - known["total"].to_numpy(), 10), known["se_from_total"].to_numpy(dtype=np.float64)
    careful = gap_se * _under_the_total(value / 100, known["total"].to_numpy() / 100)
    reach = _t(df, groups, level) * careful
    with np.errstate(invalid="ignore"):
        table = known.assign(
            direction=known["indicator"].map(directions),
            ci_low=low,
            ci_high=high,
            gap_to_total=gap,
            gap_se=gap_se,
            gap_low=gap - reach,
            gap_high=gap + reach,
            p_adjusted=np.minimum(groups * 2 * stdtr(df, -np.abs(gap / careful)), 1.0),
            worse_than_total=np.abs(gap) > np.where(sign * gap > 0, reach, np.inf),
            groups=groups,
            rounded_to=known[["rounded_to", "total_rounded_to"]].max(axis=1),
        )
    rows, ranks = _ranked(table, sign, kept)
    made = table.iloc[rows].reset_index(drop=True).assign(**ranks, may_be_furthest=ranks["rank_low"] == 1)
    return made[[*keys, "statistic", "category", "breakdown", *dimensions, *COLUMNS]]


def _under_the_total(p: np.ndarray, total: np.ndarray) -> np.ndarray:
    """How many times its error a group's would be with everybody's share in place of its own, at least 1: p(1 - p) as in a score
    test (Wilson 1927).

    A small group that has few (or few others) by chance has a small error by the same chance. Eighty groups of 25 to 120 cases
    without any difference were found to have one in up to 56 % of samples without this, in 2 % with it.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.sqrt(np.maximum(1.0, total * (1 - total) / (p * (1 - p))))


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
    key, first, place = np.unique(compared * 1e7 + df, return_index=True, return_inverse=True)  # few, and each takes a while
    return stdtrit(df[first], 1 - (1 - level) / (2 * compared[first]))[place] if len(key) else np.zeros(0)


def _ranked(table: pd.DataFrame, sign: np.ndarray, kept: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Rows of the ``kept`` worst of each survey and indicator, worst first, and their ranks."""
    value, low, high = (table[name].to_numpy(dtype=np.float64) for name in ("value", "ci_low", "ci_high"))
    worse = table["worse_than_total"].to_numpy()
    names = ("rank", "rank_low", "rank_high", "groups_that_may_be_furthest", "groups_worse_than_total")
    chosen, facts = [np.zeros(0, dtype=np.int64)], [np.zeros((len(names), 0), dtype=np.int64)]
    for rows in map(np.asarray, table.groupby(["survey_id", "indicator"], sort=False).indices.values()):
        harm = sign[rows] * value[rows]
        ends = (low[rows], high[rows]) if sign[rows[0]] > 0 else (-high[rows], -low[rows])
        rank_low, rank_high = rank_limits(*ends)
        first = np.argsort(-harm, kind="stable")[:kept]
        rank = 1 + len(harm) - np.searchsorted(np.sort(harm), harm[first], side="right")
        counts = np.full((2, len(first)), [[(rank_low == 1).sum()], [worse[rows].sum()]])
        facts.append(np.vstack([rank, rank_low[first], rank_high[first], counts]))
        chosen.append(rows[first])
    return np.concatenate(chosen), dict(zip(names, np.concatenate(facts, axis=1), strict=True))
