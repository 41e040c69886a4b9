"""The published tables of gaps between women and men with other circumstances held equal.

Belongs here: their names, columns, constraints and comments. Not here: how rows come about.
"""

from __future__ import annotations

from rga.warehouse.columns import (
    COMPARABILITY,
    COUNTRY,
    DF,
    INDICATOR,
    ROUND,
    SIMULATED,
    STATUS,
    SURVEY_ID,
    YEAR,
    count,
    number,
    stepped,
    text,
)
from rga.warehouse.schema import Column, Table

SURVEY = [SURVEY_ID, COUNTRY, ROUND, YEAR, INDICATOR]
NUMBERS = (
    "gap, adjusted_gap, se, ci_low, ci_high, p_value, p_adjusted, composition, composition_se, composition_low, composition_high"
)


def adjusted_tables() -> list[Table]:
    return [
        Table(
            "adjusted_gaps",
            "Women compared with men who are alike in age, education and so on: one row per survey and indicator asked. From a "
            "logistic regression with design-based errors; gap = composition + adjusted_gap.",
            [
                *SURVEY,
                stepped("gap", "women - men, percentage points, as in gender_gaps (breakdown sex)"),
                stepped(
                    "adjusted_gap",
                    "Percentage points by which being a woman shifts the share, others held equal (average marginal effect); in "
                    "the Kitagawa-Oaxaca-Blinder decomposition, the rest of gap after composition",
                ),
                number(
                    "rounded_to",
                    "Percentage points to which adjusted_gap is rounded, as the gap is, or for there are one or two covariates and "
                    "it would give hidden shares away; null: not rounded. composition is what then remains",
                    check="rounded_to > 0",
                ),
                number("se", "Standard error of adjusted_gap, fully linearised, rounding included", check="se >= 0", digits=2),
                number("ci_low", "Lower 95 % limit of adjusted_gap"),
                number("ci_high", "Upper 95 % limit of adjusted_gap"),
                DF,
                number("p_value", "Two-sided p-value of adjusted_gap = 0, t(df)", check="p_value BETWEEN 0 AND 1"),
                number("p_adjusted", "p_value after Benjamini-Hochberg within survey", check="p_adjusted BETWEEN 0 AND 1"),
                stepped("composition", "Percentage points of gap that come of women and men differing in what is adjusted for"),
                number("composition_se", "Standard error of composition", check="composition_se >= 0", digits=2),
                number("composition_low", "Lower 95 % limit of composition"),
                number("composition_high", "Upper 95 % limit of composition"),
                count("n", "Unweighted women and men in the denominator"),
                count("n_women", "Unweighted women in the denominator"),
                count("n_men", "Unweighted men in the denominator"),
                text("adjusted_for", "Covariates of the regression, with the categories that were pooled for being thin"),
                text("left_out", "Covariates left out, and why", nullable=True),
                Column(
                    "status",
                    "adjustment_status",
                    "ok; collinear (a covariate dropped, or no number where sex follows from them); too_few; separation (the "
                    "regression has no estimate); not_converged",
                ),
                text("reason", "Why the status is not ok", nullable=True),
                *STATUS,
                COMPARABILITY,
                SIMULATED,
            ],
            ["survey_id", "indicator"],
            [
                f"obs_status <> 'Q' OR coalesce({NUMBERS}) IS NULL",
                "obs_status = 'Q' OR NOT (gap IS NULL OR adjusted_gap IS NULL OR se IS NULL OR composition IS NULL OR df IS NULL)",
                "obs_status = 'Q' OR abs(gap - composition - adjusted_gap) < 1e-7",
                "obs_status = 'Q' OR status IN ('ok', 'collinear')",
            ],
        ),
        Table(
            "gap_decomposition",
            "What each covariate adds to the composition of a gap: one row per survey, indicator and covariate of adjusted_gaps. "
            "None where the gap is rounded: they would add up to the exact one.",
            [
                *SURVEY,
                text("variable", "Covariate; nonlinearity is what the covariates' parts leave of the composition"),
                number(
                    "composition",
                    "Percentage points; over an indicator's rows they add up to its composition but for rounding",
                    nullable=False,
                    digits=3,
                ),
                number("se", "Standard error of composition", check="se >= 0", digits=2),
                number("ci_low", "Lower 95 % limit"),
                number("ci_high", "Upper 95 % limit"),
                COMPARABILITY,
                SIMULATED,
            ],
            ["survey_id", "indicator", "variable"],
        ),
    ]
