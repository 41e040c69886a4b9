"""The published tables.

Belongs here: names, columns, constraints and comments of every table of a release. Not here: how rows come about.
"""

from __future__ import annotations

from collections.abc import Sequence

from rga.warehouse.adjusted_tables import adjusted_tables
from rga.warehouse.change_tables import change_tables
from rga.warehouse.columns import (
    COMPARABILITY,
    COUNTRY,
    DF,
    INDICATOR,
    MODE,
    ROUND,
    SAMPLE_TYPE,
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
from rga.warehouse.descriptive_tables import descriptive_tables
from rga.warehouse.furthest_behind_table import furthest_behind_table
from rga.warehouse.publication_columns import RULES, WHY
from rga.warehouse.quality_tables import DATA_QUALITY
from rga.warehouse.regional_tables import regional_tables
from rga.warehouse.schema import Column, Table
from rga.warehouse.weighting_tables import weighting_tables

OF_SURVEY = [COMPARABILITY, MODE, SAMPLE_TYPE, SIMULATED]

SEARCH_INTEREST = Table(
    "search_interest",
    "Published figures on internet searches. Searches are neither incidents nor people: never read them as prevalence.",
    [
        Column("iso3", "VARCHAR", "ISO 3166-1 alpha-3 code"),
        Column("measure", "VARCHAR", "What was searched for"),
        Column("period", "VARCHAR", "Month, or first to last month, YYYY-MM"),
        Column("value", "DOUBLE", "Figure as published, in unit"),
        Column("unit", "VARCHAR", "Unit of value"),
        Column("source", "VARCHAR", "Where it was published; not simulated"),
        Column("note", "VARCHAR", "What to know about it"),
    ],
    ["iso3", "measure", "period"],
)


def tables(dimensions: Sequence[str]) -> list[Table]:
    """All tables of a release whose catalogue breaks estimates down by ``dimensions``."""
    others = [name for name in dimensions if name != "sex"]
    compared = [*change_tables(dimensions), *adjusted_tables(), furthest_behind_table(dimensions), *regional_tables()]
    about = [*_diagnostics(), DATA_QUALITY, SEARCH_INTEREST]
    return [*descriptive_tables(), *_estimates(dimensions, others), *compared, *about]


def table(name: str, dimensions: Sequence[str]) -> Table:
    """The table ``name`` of such a release."""
    return next(found for found in tables(dimensions) if found.name == name)


def _estimates(dimensions: Sequence[str], others: Sequence[str]) -> list[Table]:
    cell = [SURVEY_ID, COUNTRY, ROUND, YEAR, INDICATOR, *STATISTIC, text("breakdown", "Crossing (table breakdowns)")]
    key = ["survey_id", "indicator", "statistic", "category", "breakdown"]
    return [
        Table(
            "estimates",
            "Weighted estimates with their uncertainty: one row per survey, indicator, breakdown and cell.",
            [
                *cell,
                *dimension_columns(dimensions),
                stepped(
                    "value",
                    "Estimate, to a multiple of rounded_to or else of precision; per cent for shares; null where suppressed",
                    check="value IS NULL OR statistic <> 'share' OR value BETWEEN 0 AND 100",
                ),
                number(
                    "se",
                    "Standard error, unit of value (Taylor linearisation), that of the rounding included",
                    check="se >= 0",
                    digits=2,
                ),
                number("ci_low", "Lower 95 % confidence limit, unit of value"),
                number("ci_high", "Upper 95 % confidence limit, unit of value"),
                count("n", "Unweighted cases in the denominator"),
                stepped(
                    "population",
                    "Sum of their weights, to a multiple of the survey's population_rounded_to; null where that is 0",
                    check="population > 0",
                ),
                number("deff", "Design effect against simple random sampling; null at 0 and 100 %", digits=2),
                number("n_effective", "n divided by deff", digits=3),
                DF,
                number("cv", "Coefficient of variation, se / value", digits=2),
                number(
                    "se_from_total",
                    "Standard error of value less that of everybody (breakdown total), their overlap included; null where all or "
                    "none of the group say yes",
                    check="se_from_total >= 0",
                    digits=2,
                ),
                *RULES,
                *STATUS,
                *WHY,
                *OF_SURVEY,
            ],
            [*key, *dimensions],
            [
                "obs_status <> 'Q' OR coalesce(value, se, ci_low, ci_high, deff, n_effective, cv, se_from_total) IS NULL",
                "obs_status = 'Q' OR (value IS NOT NULL AND se IS NOT NULL AND df IS NOT NULL)",
                "conf_status = 'F' OR (obs_status = 'Q' AND reason = 'confidential')",
                "value IS NULL OR ci_low IS NULL OR (ci_low <= value + 1e-9 AND value <= ci_high + 1e-9)",
            ],
        ),
        Table(
            "gender_gaps",
            "Women compared with men: one row per survey, indicator, breakdown and cell without sex.",
            [
                *cell,
                *dimension_columns(others),
                stepped("women", "Share of women, per cent"),
                stepped("men", "Share of men, per cent"),
                count("n_women", "Unweighted women in the denominator"),
                count("n_men", "Unweighted men in the denominator"),
                stepped("gap", "women - men, percentage points"),
                number("se", "Standard error of gap, covariance and rounding included", check="se >= 0", digits=2),
                number("ci_low", "Lower 95 % limit of gap"),
                number("ci_high", "Upper 95 % limit of gap"),
                DF,
                number("p_value", "Two-sided p-value of gap = 0, t(df)", check="p_value BETWEEN 0 AND 1"),
                number(
                    "p_adjusted", "p_value after Benjamini-Hochberg within survey and breakdown", check="p_adjusted BETWEEN 0 AND 1"
                ),
                number("ratio", "women / men"),
                number("ratio_low", "Lower 95 % limit of ratio"),
                number("ratio_high", "Upper 95 % limit of ratio"),
                Column(
                    "verdict",
                    "verdict",
                    "Who is worse off, where p_adjusted <= 0.05 and the indicator has a direction; otherwise who has more; or why "
                    "nothing is said: too few cases, or withheld to protect answers (conf_status C)",
                ),
                *STATUS,
                *WHY,
                *OF_SURVEY,
            ],
            [*key, *others],
            [
                "obs_status <> 'Q' OR coalesce(women, men, gap, se, ci_low, ci_high, p_value, p_adjusted, ratio) IS NULL",
                "obs_status = 'Q' OR NOT (women IS NULL OR men IS NULL OR gap IS NULL OR se IS NULL OR df IS NULL)",
                "conf_status = 'F' OR obs_status = 'Q'",
            ],
        ),
    ]


def _diagnostics() -> list[Table]:
    return [
        Table(
            "coverage",
            "Which indicator each survey asked for.",
            [
                SURVEY_ID,
                INDICATOR,
                Column("status", "coverage_status", "asked, not_asked or altered"),
                text("reason", "Why", nullable=True),
                SIMULATED,
            ],
            ["survey_id", "indicator"],
        ),
        *weighting_tables(),
        Table(
            "item_nonresponse",
            "Answers and missing answers of each variable asked.",
            [
                SURVEY_ID,
                text("variable", "Harmonised variable"),
                text("kind", "answered, dont_know, refused, not_applicable, missing, blank or (by plan) not_asked"),
                count("n", "Unweighted respondents"),
                number("share", "Per cent of the survey's respondents", nullable=False),
                SIMULATED,
            ],
            ["survey_id", "variable", "kind"],
        ),
        Table(
            "codebook",
            "Where every harmonised answer came from: source column and code, what it became, how many respondents gave it.",
            [
                SURVEY_ID,
                text("variable", "Harmonised column (table variables)"),
                text("source_column", "Column of the survey's file"),
                text("source_label", "Its label in the file", nullable=True),
                text("code", "Code in the file; empty: blank, not chosen, or any number"),
                text("code_label", "Its label in the file", nullable=True),
                text("kind", "answered, dont_know, refused, not_applicable, missing, blank or (by plan) not_asked"),
                text("harmonised", "Code it became; empty: missing, or a number as it is"),
                count("n", "Unweighted respondents; null: 1 to 4, or hidden with such a count", nullable=True),
                SIMULATED,
            ],
            ["survey_id", "variable", "code", "kind", "harmonised"],
        ),
    ]
