"""The published tables.

Belongs here: names, columns, constraints and comments of every table of a release. Not here: how rows come about.
"""

from __future__ import annotations

from collections.abc import Sequence

from rga.warehouse.schema import Column, Table

SURVEY_ID = Column(
    "survey_id",
    "VARCHAR",
    "Round and country, such as 2020-r1_BGD",
    check="regexp_matches(survey_id, '^[0-9]{4}-r[0-9]+_[A-Z]{3}$')",
)
COUNTRY = Column("country", "VARCHAR", "ISO 3166-1 alpha-3 code")
ROUND = Column("round", "VARCHAR", "Round, such as 2020-r1")
YEAR = Column("year", "INTEGER", "Year of the round")
INDICATOR = Column("indicator", "VARCHAR", "Code of the indicator (table indicators)")
SIMULATED = Column("simulated", "BOOLEAN", "True: made from simulated data, no finding about any real population")
DF = Column("df", "INTEGER", "Degrees of freedom: PSUs minus strata with respondents in the cell's base", nullable=True)
STATUS = [
    Column(
        "obs_status",
        "obs_status",
        "SDMX observation status: A normal, U low reliability (25 to 49 cases), Q suppressed (under 25 cases or no variance)",
    ),
    Column("conf_status", "conf_status", "SDMX confidentiality status: F free"),
]
STATISTIC = [
    Column("statistic", "statistic", "What is estimated: share (per cent), mean, median, total"),
    Column("category", "VARCHAR", "Category of a distribution; _T otherwise"),
]
DIMENSION = {
    "sex": "Sex (SDMX): F women, M men, _O other, _U unknown, _T all",
    "age_group": "Age group (SDMX): Y18T24 ... Y_GE65, _U unknown, _T all",
    "residence": "Place of residence: U urban, R rural, _U unknown, _T all",
}


def _text(name: str, comment: str, nullable: bool = False) -> Column:
    return Column(name, "VARCHAR", comment, nullable)


def _number(name: str, comment: str, nullable: bool = True, check: str = "") -> Column:
    return Column(name, "DOUBLE", comment, nullable, check)


def _count(name: str, comment: str, nullable: bool = False) -> Column:
    return Column(name, "BIGINT", comment, nullable, f"{name} >= 0")


def _dimensions(names: Sequence[str]) -> list[Column]:
    return [_text(name, DIMENSION.get(name, f"{name}: a code of the variable, _U unknown, _T all")) for name in names]


def tables(dimensions: Sequence[str]) -> list[Table]:
    """All tables of a release whose catalogue breaks estimates down by ``dimensions``."""
    others = [name for name in dimensions if name != "sex"]
    return [*_describing(), *_estimates(dimensions, others), *_diagnostics()]


def _describing() -> list[Table]:
    return [
        Table("release", "This release: one row.", [
            _text("release_id", "Identifier: UTC time and the first digits of the content's hash"),
            Column("created", "TIMESTAMP", "When it was built, UTC"),
            _text("code_version", "Version of this software"),
            _text("fingerprint", "Hash of all inputs: files, specifications, catalogue, benchmarks, code"),
            _count("surveys", "Number of surveys"),
            _count("indicators", "Number of indicators"),
            _count("estimates", "Number of rows of estimates"),
            _text("simulated", "all, some or none of the surveys are simulated"),
        ], ["release_id"]),
        Table("countries", "Countries with a survey.", [_text("iso3", "ISO 3166-1 alpha-3 code"), _count("surveys", "Surveys of the country")], ["iso3"]),
        Table("rounds", "Survey rounds.", [
            ROUND, _text("title", "Title"), YEAR, _text("publication", "Where its results were published"),
            _text("notes", "What to know about the round"),
        ], ["round"]),
        Table("surveys", "One row per survey: what it is, how it was weighted, whether it is up to date.", [
            SURVEY_ID, COUNTRY, ROUND, YEAR, _text("title", "Title"), _text("producer", "Who produced it"),
            _text("citation", "How to cite it"), _text("licence", "On what terms it may be used"),
            _text("mode", "Mode of data collection: sms, web, cati, ivr, capi, mixed"),
            Column("fieldwork_start", "DATE", "First day of fieldwork", nullable=True),
            Column("fieldwork_end", "DATE", "Last day of fieldwork", nullable=True),
            _text("population", "Who the estimates speak for"),
            _text("benchmark", "Benchmark it is weighted to; null where the file's own weight was kept", nullable=True),
            _count("invited", "Invitations sent", nullable=True), _count("n", "Respondents in the population"),
            _count("excluded", "Respondents left out as outside the population"),
            _number("response_rate", "Respondents per 100 invitations"),
            _number("weight_deff", "Kish design effect of the weights"),
            _number("weight_n_effective", "Respondents divided by weight_deff"),
            _text("source_files", "Files it was read from, with their SHA-256"),
            _text("fingerprint", "Hash of all it was made from"),
            Column("built", "TIMESTAMP", "When its estimates were computed, UTC"),
            Column("status", "survey_status", "current; or stale: its newest input failed and these are the last good estimates"),
            _text("status_note", "Why it is stale", nullable=True), _text("notes", "What makes it hard to compare"), SIMULATED,
        ], ["survey_id"]),
        Table("indicators", "What is estimated.", [
            INDICATOR, _text("title", "Title"), _text("module", "Module of the questionnaire"), _text("unit", "Unit of value"),
            _text("universe", "SQL condition: who is in the base"), _text("numerator", "SQL condition: who counts"),
            _text("direction", "Whether more is worse or better"), _text("sdg", "Related SDG target (thematic)"), _text("notes", "Notes"),
        ], ["indicator"]),
        Table("variables", "Harmonised variables that universe and numerator speak of.", [
            _text("variable", "Name"), _text("label", "Label"), _text("module", "Module"), _text("type", "categorical or numeric"),
            _text("codes", "Codes and their labels"), _text("question", "Question in essence"),
        ], ["variable"]),
        Table("breakdowns", "Crossings that are tabulated.", [
            _text("breakdown", "Name, variables joined by *"), _text("dimensions", "Variables, comma separated; empty for total"),
        ], ["breakdown"]),
    ]  # fmt: skip


def _estimates(dimensions: Sequence[str], others: Sequence[str]) -> list[Table]:
    cell = [SURVEY_ID, COUNTRY, ROUND, YEAR, INDICATOR, *STATISTIC, _text("breakdown", "Crossing (table breakdowns)")]
    key = ["survey_id", "indicator", "statistic", "category", "breakdown"]
    return [
        Table("estimates", "Weighted estimates with their uncertainty: one row per survey, indicator, breakdown and cell.", [
            *cell, *_dimensions(dimensions),
            _number("value", "Estimate; per cent for shares; null where suppressed", check="value IS NULL OR statistic <> 'share' OR value BETWEEN 0 AND 100"),
            _number("se", "Standard error, unit of value (Taylor linearisation)", check="se >= 0"),
            _number("ci_low", "Lower 95 % confidence limit, unit of value"), _number("ci_high", "Upper 95 % confidence limit, unit of value"),
            _count("n", "Unweighted cases in the denominator"), _number("population", "Sum of their weights", nullable=False, check="population >= 0"),
            _number("deff", "Design effect against simple random sampling; null at 0 and 100 %"),
            _number("n_effective", "n divided by deff"), DF, _number("cv", "Coefficient of variation, se / value"), *STATUS, SIMULATED,
        ], [*key, *dimensions], [
            "obs_status <> 'Q' OR (value IS NULL AND se IS NULL AND ci_low IS NULL AND ci_high IS NULL AND deff IS NULL AND n_effective IS NULL AND cv IS NULL)",
            "obs_status = 'Q' OR (value IS NOT NULL AND se IS NOT NULL AND df IS NOT NULL)",
            "value IS NULL OR ci_low IS NULL OR (ci_low <= value + 1e-9 AND value <= ci_high + 1e-9)",
        ]),
        Table("gender_gaps", "Women compared with men: one row per survey, indicator, breakdown and cell without sex.", [
            *cell, *_dimensions(others),
            _number("women", "Share of women, per cent"), _number("men", "Share of men, per cent"),
            _count("n_women", "Unweighted women in the denominator"), _count("n_men", "Unweighted men in the denominator"),
            _number("gap", "women - men, percentage points"), _number("se", "Standard error of gap, covariance included", check="se >= 0"),
            _number("ci_low", "Lower 95 % limit of gap"), _number("ci_high", "Upper 95 % limit of gap"), DF,
            _number("p_value", "Two-sided p-value of gap = 0, t(df)", check="p_value BETWEEN 0 AND 1"),
            _number("p_adjusted", "p_value after Benjamini-Hochberg within survey and breakdown", check="p_adjusted BETWEEN 0 AND 1"),
            _number("ratio", "women / men"), _number("ratio_low", "Lower 95 % limit of ratio"), _number("ratio_high", "Upper 95 % limit of ratio"),
            *STATUS, SIMULATED,
        ], [*key, *others], [
            "obs_status <> 'Q' OR (women IS NULL AND men IS NULL AND gap IS NULL AND se IS NULL AND p_value IS NULL AND ratio IS NULL)",
            "obs_status = 'Q' OR (women IS NOT NULL AND men IS NOT NULL AND gap IS NOT NULL AND se IS NOT NULL AND df IS NOT NULL)",
        ]),
    ]  # fmt: skip


def _diagnostics() -> list[Table]:
    return [
        Table("coverage", "Which indicator each survey asked for.", [
            SURVEY_ID, INDICATOR, Column("status", "coverage_status", "asked, not_asked or altered"), _text("reason", "Why", nullable=True),
        ], ["survey_id", "indicator"]),
        Table("weighting", "One row per survey and weighting step: what it did to the weights.", [
            SURVEY_ID, Column("step", "INTEGER", "Order of the step, 0 the base weight"), _text("method", "base or raking"),
            _count("n", "Respondents weighted"), _number("sum_of_weights", "Sum of weights", nullable=False),
            _number("deff", "Kish design effect, 1 + cv^2"), _number("n_effective", "n / deff"), _number("min_weight", "Smallest weight"),
            _number("max_weight", "Largest weight"), _number("max_to_median", "Largest weight over the median"),
            _number("top_1pct_share", "Share of the sum held by the largest 1 % of weights"),
            _count("iterations", "Iterations to convergence", nullable=True),
            _count("missing_on_margin", "Respondents without a category on some margin", nullable=True),
            _text("note", "Anything reported", nullable=True),
        ], ["survey_id", "step"]),
        Table("margins", "Benchmark margins, and the sample before and after weighting.", [
            SURVEY_ID, _text("margin", "Variables crossed"), _text("category", "Codes joined by *; _U without a category"),
            _count("n", "Unweighted respondents"), _number("benchmark", "Persons in the benchmark", nullable=False),
            _number("before", "Sum of base weights, scaled to the benchmark", nullable=False), _number("after", "Sum of weights", nullable=False),
        ], ["survey_id", "margin", "category"]),
        Table("item_nonresponse", "Answers and missing answers of each variable asked.", [
            SURVEY_ID, _text("variable", "Harmonised variable"), _text("kind", "answered, dont_know, refused, not_applicable, missing or blank"),
            _count("n", "Unweighted respondents"), _number("share", "Per cent of the survey's respondents", nullable=False),
        ], ["survey_id", "variable", "kind"]),
    ]  # fmt: skip
