"""The published table of the groups furthest behind.

Belongs here: its name, columns, constraints and comments. Not here: how rows come about (``rga.survey.furthest_behind``).
"""

from __future__ import annotations

from collections.abc import Sequence

from rga.warehouse.columns import (
    COMPARABILITY,
    COUNTRY,
    DF,
    INDICATOR,
    ROUND,
    SIMULATED,
    STATISTIC,
    STATUS,
    SURVEY_ID,
    YEAR,
    count,
    dimension_columns,
    number,
    stepped,
    text,
)
from rga.warehouse.publication_columns import ROUNDED_TO
from rga.warehouse.schema import Column, Table


def furthest_behind_table(dimensions: Sequence[str]) -> Table:
    return Table(
        "furthest_behind",
        "The ten groups furthest behind per survey and indicator, of all cells of all breakdowns that are shown; groups overlap. "
        "Limits hold at once for all groups of a survey and indicator (Bonferroni), not over indicators or surveys.",
        [
            SURVEY_ID, COUNTRY, ROUND, YEAR, INDICATOR, *STATISTIC, text("breakdown", "Crossing (table breakdowns)"),
            *dimension_columns(dimensions),
            text("group_label", "The group in words"),
            text("direction", "more_is_worse: behind are the highest values; more_is_better: the lowest"),
            count("rank", "1 is furthest behind, by value"),
            count("rank_low", "Lowest rank by limits that hold with 95 % for all groups' ranks at once"),
            count("rank_high", "Highest rank by them"),
            Column("may_be_furthest", "BOOLEAN", "Whether rank 1 is within the limits of its rank"),
            stepped("value", "Share of the group, per cent", nullable=False, check="value BETWEEN 0 AND 100"),
            number("se", "Standard error of value", nullable=False, check="se >= 0", digits=2),
            number("ci_low", "Lower limit of value, 95 % for all groups at once", nullable=False),
            number("ci_high", "Upper limit of value, 95 % for all groups at once", nullable=False),
            count("n", "Unweighted cases in the denominator"),
            stepped("population", "Sum of their weights: how many people the group has in the base, rounded as in estimates"),
            DF,
            stepped("total", "Share of everybody in the survey, per cent", nullable=False),
            stepped("gap_to_total", "value - total, percentage points", nullable=False),
            number("gap_se", "Its standard error, overlap included; null where all or none say yes", check="gap_se >= 0", digits=2),
            ROUNDED_TO,
            number("gap_low", "Lower limit of gap_to_total, 95 % for all groups at once, by gap_se or the error under total"),
            number("gap_high", "Upper limit of gap_to_total, 95 % for all groups at once"),
            number("p_adjusted", "p-value of gap_to_total = 0, times the number of groups", check="p_adjusted BETWEEN 0 AND 1"),
            Column("worse_than_total", "BOOLEAN", "Whether the limits of gap_to_total leave 0 on the side of harm"),
            count("groups", "Groups compared in this survey and indicator"),
            count("groups_that_may_be_furthest", "Of them, those that the data do not rule out to be furthest behind"),
            count("groups_worse_than_total", "Of them, those worse than everybody"),
            *STATUS, COMPARABILITY, SIMULATED,
        ],
        ["survey_id", "indicator", "statistic", "category", "breakdown", *dimensions],
        [
            "obs_status <> 'Q'",
            "rank_low <= rank AND rank <= rank_high AND rank_high <= groups",
            "may_be_furthest = (rank_low = 1)",
            "ci_low <= value + 1e-9 AND value <= ci_high + 1e-9",
        ],
    )  # fmt: skip
