"""The published tables of how each survey was weighted.

Belongs here: their names, columns, constraints and comments. Not here: how rows come about.
"""

from __future__ import annotations

from rga.warehouse.columns import INDICATOR, SIMULATED, SURVEY_ID, count, number, stepped, text
from rga.warehouse.publication_columns import ROUNDED_TO
from rga.warehouse.schema import Column, Table

STEP = Column("step", "INTEGER", "Order of the step, 0 the base weight")


def weighting_tables() -> list[Table]:
    return [
        Table(
            "weighting",
            "One row per survey and weighting step: what it did to the weights of respondents.",
            [
                SURVEY_ID,
                STEP,
                text("action", "base, selection, multiplicity, nonresponse, calibrate, trim, normalise or equal"),
                text("method", "Of base: given (with the file) or constant; otherwise the step's method", nullable=True),
                text("why", "Why the survey has this step, in the words of its survey.yaml", nullable=True),
                count("n", "Respondents of positive weight"),
                stepped("sum_of_weights", "Sum of weights", nullable=False),
                number("deff", "Kish design effect, 1 + cv^2", digits=3),
                number("n_effective", "n / deff", digits=3),
                number("deff_women", "Kish design effect of women", digits=3),
                number("deff_men", "Kish design effect of men", digits=3),
                number("n_effective_women", "Women / deff_women", digits=3),
                number("n_effective_men", "Men / deff_men", digits=3),
                number("min_weight", "Smallest positive weight, to one digit as it is one respondent's", digits=1),
                number("median_weight", "Median weight, likewise", digits=1),
                number("max_weight", "Largest weight, likewise", digits=1),
                number("max_to_median", "Largest weight over the median", digits=2),
                number(
                    "top_1pct_share",
                    "Share of the sum held by the largest 1 % of weights",
                    check="top_1pct_share BETWEEN 0 AND 1",
                    digits=2,
                ),
                count("n_sample", "Members of the sample whom a nonresponse step adjusts for", nullable=True),
                number("response_rate", "Per cent of them who responded, weighted by the weights before the step"),
                count("iterations", "Iterations to convergence", nullable=True),
                number("max_margin_error", "Largest relative difference of a category of the last calibration from its benchmark"),
                count("missing_on_margin", "Respondents without a category on some margin", nullable=True),
                count("bounds_hit", "Respondents whose factor is at a bound", nullable=True),
                count("trimmed", "Respondents whose weight was cut to the largest allowed", nullable=True),
                count("negative", "Negative weights", nullable=True),
                text("note", "Anything reported", nullable=True),
                SIMULATED,
            ],
            ["survey_id", "step"],
        ),
        Table(
            "weighting_effects",
            "Headline indicators (the first of each module) after each weighting step: how far it moved them.",
            [
                SURVEY_ID,
                STEP,
                INDICATOR,
                text("sex", "F women, M men, _T all"),
                count("n", "Unweighted cases in the denominator"),
                stepped(
                    "value",
                    "Share under the weights after the step, per cent, printed as estimates prints its share or more coarsely "
                    "(rounded_to); null under 25 cases, or where it would help to compute a hidden one",
                    check="value BETWEEN 0 AND 100",
                ),
                ROUNDED_TO,
                SIMULATED,
            ],
            ["survey_id", "step", "indicator", "sex"],
        ),
        Table(
            "weighting_sensitivity",
            "Gaps of headline indicators under the published weights and others: how much hangs on the weighting.",
            [
                SURVEY_ID,
                text(
                    "variant",
                    "unweighted; base: after selection and multiplicity; nonresponse: adjusted for it too; M only: these raked to "
                    "one margin, or to one variable of the only one; more margins: M: raked to the chain's and to others of the "
                    "benchmark (no row if they cannot be met); published",
                ),
                INDICATOR,
                stepped("women", "Share of women, per cent, printed as in weighting_effects; null under 25 cases, or where hidden"),
                stepped("men", "Share of men, per cent; null likewise"),
                stepped("gap", "women - men, percentage points"),
                count("n_women", "Unweighted women in the denominator"),
                count("n_men", "Unweighted men in the denominator"),
                ROUNDED_TO,
                SIMULATED,
            ],
            ["survey_id", "variant", "indicator"],
        ),
        Table(
            "margins",
            "Benchmark margins, and the sample before and after the last calibration.",
            [
                SURVEY_ID,
                text("margin", "Variables crossed, or a number"),
                text("category", "Codes joined by *; _U without a category; _T of a number"),
                count("n", "Unweighted respondents"),
                stepped("benchmark", "Persons in the benchmark, or the total of a number", nullable=False),
                stepped(
                    "before",
                    "Sum of weights before the calibration, scaled to the benchmark's population, to surveys.population_rounded_to",
                    nullable=False,
                ),
                stepped(
                    "after",
                    "Sum of published weights, scaled likewise: the benchmark where it is met, else rounded as before",
                    nullable=False,
                ),
                text("source", "Producer and year of the benchmark"),
                number("scaled_by", "What brought the margin's own total to the population; null of shares"),
                number("conflict", "Percentage points by which it was moved to agree with other margins on variables they share"),
                SIMULATED,
            ],
            ["survey_id", "margin", "category"],
        ),
    ]
