"""The published table `changes`.

Belongs here: its columns, constraints and comments. Not here: its rows (``changes``).
"""

from __future__ import annotations

from collections.abc import Sequence

from rga.warehouse.columns import COUNTRY, INDICATOR, SIMULATED, STATISTIC, count, dimension_columns, number, stepped, text
from rga.warehouse.publication_columns import ROUNDED_TO
from rga.warehouse.schema import Column, Table

TYPES = {
    "change_measure": ("level", "gap"),
    "sample_link": ("independent", "panel", "shared_psu"),
    "comparability": ("comparable", "with_caution", "altered_question", "population_differs", "not_asked"),
}


def change_tables(dimensions: Sequence[str]) -> list[Table]:
    """`changes`, for a catalogue that breaks estimates down by ``dimensions``."""
    key = ["country", "earlier_round", "later_round", "measure", "indicator", "statistic", "category", "breakdown", *dimensions]
    return [
        Table(
            "changes",
            "How estimates and gender gaps changed between two rounds of a country: one row per pair of rounds, measure, "
            "indicator, breakdown and cell. What may not be compared has one row with the reason and no numbers.",
            [
                COUNTRY,
                text("earlier_round", "Round that is compared with, such as 2020-r1"),
                text("later_round", "Round that is compared, such as 2021-r2"),
                Column("measure", "change_measure", "level: the estimate; gap: women - men"),
                INDICATOR,
                *STATISTIC,
                text("breakdown", "Crossing (table breakdowns)"),
                *dimension_columns(dimensions),
                stepped("earlier", "Estimate (per cent) or gap (percentage points) of the earlier round"),
                stepped("later", "That of the later round"),
                stepped("change", "later - earlier, percentage points"),
                number(
                    "se",
                    "Standard error of change; of linked samples with the covariance between the rounds",
                    check="se >= 0",
                    digits=2,
                ),
                number("ci_low", "Lower 95 % limit of change"),
                number("ci_high", "Upper 95 % limit of change"),
                number(
                    "df",
                    "Degrees of freedom: Welch-Satterthwaite for independent samples; PSUs minus strata of both rounds for linked",
                    check="df >= 0",
                ),
                number("p_value", "Two-sided p-value of change = 0, t(df)", check="p_value BETWEEN 0 AND 1"),
                number(
                    "p_adjusted",
                    "p_value after Benjamini-Hochberg within pair of rounds, measure and breakdown",
                    check="p_adjusted BETWEEN 0 AND 1",
                ),
                count("n_earlier", "Unweighted cases of the earlier round; null where not comparable", nullable=True),
                count("n_later", "Unweighted cases of the later round; null where not comparable", nullable=True),
                Column("sample", "sample_link", "independent, or what both rounds share: people (panel) or PSUs (shared_psu)"),
                count(
                    "overlap",
                    "People or PSUs with an answer in both rounds; of everybody only, null if independent or from 1 to 24",
                    nullable=True,
                ),
                Column("comparable", "BOOLEAN", "Whether numbers are given, be it with caution"),
                Column(
                    "comparability",
                    "comparability",
                    "comparable; with_caution (mode, kind of sample or source of the answers differs); or why not: "
                    "altered_question, population_differs, not_asked",
                ),
                text("reason", "What stands against comparing, in words; null where nothing does", nullable=True),
                ROUNDED_TO,
                Column("obs_status", "obs_status", "The worse of both rounds'; null where not comparable", nullable=True),
                Column("conf_status", "conf_status", "SDMX confidentiality status, the stricter of both rounds'"),
                SIMULATED,
            ],
            key,
            [
                "earlier_round <> later_round",
                "comparable = (comparability IN ('comparable', 'with_caution'))",
                "comparable OR (reason IS NOT NULL AND obs_status IS NULL AND n_earlier IS NULL)",
                "obs_status <> 'Q' OR coalesce(earlier, later, change, se, ci_low, ci_high, p_value, p_adjusted) IS NULL",
                "obs_status = 'Q' OR NOT comparable OR NOT (change IS NULL OR se IS NULL OR df IS NULL)",
                "change IS NULL OR abs(change - (later - earlier)) <= 1e-9",
            ],
        )
    ]
