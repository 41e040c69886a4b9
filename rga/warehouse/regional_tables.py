"""The published tables of several countries taken together.

Belongs here: their names, columns, constraints and comments. Not here: how rows come about (``rga.survey.regional_tables``).
"""

from __future__ import annotations

from dataclasses import replace

from rga.warehouse.columns import INDICATOR, ROUND, SIMULATED, count, number, stepped, text
from rga.warehouse.publication_columns import ROUNDED_TO
from rga.warehouse.schema import Column, Table

NOT_A_REGION = (
    "It speaks for the surveyed countries only and is never representative of a region; real and simulated surveys are never "
    "in one row."
)
RULE = Column(
    "aggregation",
    "VARCHAR",
    "population_weighted: countries by the population in the base of the estimate; simple_mean: every country counts 1",
    check="aggregation IN ('population_weighted', 'simple_mean')",
)
SAMPLING = "Standard error from the independent samples of the countries; weights of countries are taken for known"
SATTERTHWAITE = number("df", "Degrees of freedom (Satterthwaite)", check="df > 0")
COUNTRIES = [
    count("countries", "Countries in the aggregate"),
    text("country_list", "Which: ISO 3166-1 alpha-3, comma separated"),
    count("left_out", "Countries surveyed in the round that are not in it"),
    text("left_out_list", "Which, and why: not asked, question altered, not shown, weights do not count people", nullable=True),
    number("without_low", "Lowest value when one country is left out", nullable=False),
    text("without_low_country", "The country whose absence gives the lowest value"),
    number("without_high", "Highest value when one country is left out", nullable=False),
    text("without_high_country", "The country whose absence gives the highest value"),
    replace(
        ROUNDED_TO,
        comment="The countries' protective rounding, as a step of the mean: percentage points; null where none is rounded",
    ),
]


def regional_tables() -> list[Table]:
    return [
        Table(
            "regional_estimates",
            f"Countries of a round taken together: one row per round, indicator, sex and aggregation rule. {NOT_A_REGION}",
            [
                ROUND,
                INDICATOR,
                text("sex", "F women, M men, _T all"),
                RULE,
                number("value", "Mean of the countries' shares, per cent", nullable=False, check="value BETWEEN 0 AND 100"),
                number("se", SAMPLING, nullable=False, check="se >= 0"),
                number("ci_low", "Lower 95 % limit (logit, t(df)); null at 0 and 100 %"),
                number("ci_high", "Upper 95 % limit (logit, t(df)); null at 0 and 100 %"),
                SATTERTHWAITE,
                count("n", "Unweighted cases in the denominators of the countries"),
                *COUNTRIES,
                SIMULATED,
            ],
            ["round", "simulated", "indicator", "sex", "aggregation"],
            ["ci_low IS NULL OR (ci_low <= value + 1e-9 AND value <= ci_high + 1e-9)", "countries >= 2"],
        ),
        Table(
            "regional_gaps",
            "Women compared with men over countries of a round taken together: one row per round, indicator and aggregation rule. "
            f"{NOT_A_REGION}",
            [
                ROUND,
                INDICATOR,
                RULE,
                stepped("women", "Mean of women's shares, per cent, over countries where both sexes are shown", nullable=False),
                stepped("men", "Mean of men's shares, per cent, over the same countries", nullable=False),
                stepped("gap", "women - men, percentage points", nullable=False),
                number("se", f"{SAMPLING}; covariance of women and men included", nullable=False, check="se >= 0"),
                number("ci_low", "Lower 95 % limit of gap, t(df)"),
                number("ci_high", "Upper 95 % limit of gap, t(df)"),
                SATTERTHWAITE,
                number("p_value", "Two-sided p-value of gap = 0, t(df)", check="p_value BETWEEN 0 AND 1"),
                number(
                    "p_adjusted",
                    "p_value after Benjamini-Hochberg within round and aggregation rule",
                    check="p_adjusted BETWEEN 0 AND 1",
                ),
                number(
                    "gap_within_countries",
                    "Mean of the countries' gaps: the rest of gap comes of women and men being spread differently over countries",
                    nullable=False,
                ),
                count("n_women", "Unweighted women in the denominators"),
                count("n_men", "Unweighted men in the denominators"),
                *COUNTRIES,
                SIMULATED,
            ],
            ["round", "simulated", "indicator", "aggregation"],
            ["abs(women - men - gap) < 1e-9", "countries >= 2"],
        ),
        Table(
            "regional_contributions",
            "Each country's part in each row of regional_estimates and regional_gaps: its weight, what it adds, and the value "
            "without it.",
            [
                ROUND,
                INDICATOR,
                text("sex", "F women, M men, _T all; F-M the gap between them (table regional_gaps)"),
                RULE,
                text("country", "ISO 3166-1 alpha-3 code"),
                number(
                    "weight_share",
                    "Share of the weights, 0 to 1; of a gap the mean of the country's shares among women and among men",
                    nullable=False,
                    check="weight_share BETWEEN 0 AND 1",
                ),
                stepped("value", "The country's own share (per cent) or gap (percentage points)", nullable=False),
                number("se", "Its standard error", nullable=False, check="se >= 0"),
                number("part", "What it adds: parts add up to the aggregate", nullable=False),
                number("variance_share", "Share of the aggregate's sampling variance", check="variance_share BETWEEN 0 AND 1"),
                number("without", "The aggregate of the other countries", nullable=False),
                ROUNDED_TO,
                SIMULATED,
            ],
            ["round", "simulated", "indicator", "sex", "aggregation", "country"],
        ),
        Table(
            "gap_heterogeneity",
            "How much the gap between women and men differs from country to country: one row per round and indicator. Countries "
            f"are taken for draws from many like them, which they are not. {NOT_A_REGION}",
            [
                ROUND,
                INDICATOR,
                count("countries", "Countries whose gap has a standard error"),
                text("country_list", "Which: ISO 3166-1 alpha-3, comma separated"),
                number("q", "Cochran's Q on countries - 1 degrees of freedom", nullable=False, check="q >= 0"),
                number("q_p", "p-value of the countries having one gap", nullable=False, check="q_p BETWEEN 0 AND 1"),
                number("tau2", "Variance of gaps between countries, squared percentage points: REML", nullable=False),
                number("tau2_dl", "The same by DerSimonian and Laird", nullable=False, check="tau2_dl >= 0"),
                number("tau2_pm", "The same by Paule and Mandel", nullable=False, check="tau2_pm >= 0"),
                number("i2", "tau2 as per cent of total variance", nullable=False, check="i2 BETWEEN 0 AND 100"),
                number("mean", "Random-effects mean gap, percentage points", nullable=False),
                number("se", "Its standard error (Hartung-Knapp, never below the usual)", nullable=False, check="se >= 0"),
                number("ci_low", "Lower 95 % limit of mean, t(countries - 1)", nullable=False),
                number("ci_high", "Upper 95 % limit of mean, t(countries - 1)", nullable=False),
                number("p_value", "Two-sided p-value of mean = 0", nullable=False, check="p_value BETWEEN 0 AND 1"),
                number("prediction_low", "Lower 95 % limit of the gap of one more such country", nullable=False),
                number("prediction_high", "Upper 95 % limit of the gap of one more such country", nullable=False),
                replace(ROUNDED_TO, comment="The largest protective rounding of a country's gap, percentage points; null: none"),
                SIMULATED,
            ],
            ["round", "simulated", "indicator"],
            ["countries >= 2", "tau2 >= 0"],
        ),
    ]
