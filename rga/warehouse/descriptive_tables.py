"""The published tables that say what the others hold: release, countries, rounds, surveys, indicators and so on.

Belongs here: tables without a number of their own. Not here: estimates and diagnostics (``tables``).
"""

from __future__ import annotations

from rga.warehouse.columns import COUNTRY, INDICATOR, MODE, ROUND, SAMPLE_TYPE, SIMULATED, SURVEY_ID, YEAR, count, number, text
from rga.warehouse.schema import Column, Table

INPUTS = {
    "data": "its files",
    "specification": "its survey.yaml and round.yaml",
    "benchmark": "the files of its benchmark, or of none",
    "catalogue": "the catalogue",
    "code": "the code that computed its numbers",
}  # what a survey's numbers are made from, by kind


SURVEY_STATUS = (
    "current; stale: its newest input failed and these are the last good estimates; or held: a few respondents were corrected, and "
    "these are the last published ones"
)


def descriptive_tables() -> list[Table]:
    return [
        Table(
            "release",
            "This release: one row.",
            [
                text("release_id", "Identifier: UTC time and the first digits of the content's hash"),
                Column("created", "TIMESTAMP", "When it was built, UTC"),
                text("code_version", "Version of this software"),
                text("fingerprint", "Hash of all inputs: files, specifications, catalogue, benchmarks, code"),
                text("code_hash", "Hash of the code that made the release of surveys' numbers"),
                count("surveys", "Number of surveys"),
                count("indicators", "Number of indicators"),
                count("estimates", "Number of rows of estimates"),
                text("simulated", "all, some or none of the surveys are simulated"),
                count("hidden_cells", "Hidden shares that the attack on the finished file tried to compute", nullable=True),
                count("attack_unfinished", "Sums that it gave up as too much work", nullable=True),
            ],
            ["release_id"],
        ),
        Table(
            "countries",
            "Countries with a survey.",
            [
                text("iso3", "ISO 3166-1 alpha-3 code"),
                text("name", "Common name in English (ISO 3166-1), or the code where it has none"),
                count("surveys", "Surveys of the country"),
            ],
            ["iso3"],
        ),
        Table(
            "rounds",
            "Survey rounds.",
            [
                ROUND,
                text("title", "Title"),
                YEAR,
                text("publication", "Where its results were published"),
                text("notes", "What to know about the round"),
            ],
            ["round"],
        ),
        Table(
            "surveys",
            "One row per survey: what it is, how it was weighted, whether it is up to date.",
            [
                SURVEY_ID,
                COUNTRY,
                ROUND,
                YEAR,
                text("title", "Title"),
                text("producer", "Who produced it"),
                text("citation", "How to cite it"),
                text("licence", "On what terms it may be used"),
                MODE,
                SAMPLE_TYPE,
                Column("fieldwork_start", "DATE", "First day of fieldwork", nullable=True),
                Column("fieldwork_end", "DATE", "Last day of fieldwork", nullable=True),
                text("population", "Who the estimates speak for"),
                text("benchmark", "Benchmark it is weighted to; null where the file's own weight was kept", nullable=True),
                text("benchmark_population", "Whom the benchmark counts: residents or citizens, and in words", nullable=True),
                count("invited", "Invitations sent", nullable=True),
                count(
                    "sampled", "Members of the sample not known to be outside the population, if the file has them", nullable=True
                ),
                count("n", "Respondents in the population"),
                count("excluded", "Respondents left out as outside the population"),
                number(
                    "response_rate",
                    "Respondents per 100 sampled (AAPOR response rate 1) or, if not known, per 100 invited. Of a panel, the sample "
                    "are the respondents of its first round: of interviewing them again, not of all who were ever invited",
                ),
                number("response_rate_weighted", "The same of sampled, by weights before adjustment for nonresponse"),
                text(
                    "weighting",
                    "Steps from base weight to published weight (table weighting); `equal`: said to be the same for everybody",
                ),
                number("weight_deff", "Kish design effect of the weights", digits=3),
                number("weight_n_effective", "Respondents divided by weight_deff", digits=3),
                number(
                    "population_rounded_to",
                    "Step to a multiple of which sums of weights are printed: no respondent weighs more",
                    nullable=False,
                    check="population_rounded_to > 0",
                ),
                text("source_files", "Files it was read from, with their SHA-256"),
                text("fingerprint", "Hash of all it was made from"),
                *[text(f"{kind}_hash", f"Hash of {what}", nullable=True) for kind, what in INPUTS.items()],
                Column("built", "TIMESTAMP", "When its estimates were computed, UTC"),
                Column("status", "survey_status", SURVEY_STATUS),
                text("status_note", "Why it is stale or held", nullable=True),
                text("notes", "What makes it hard to compare"),
                text("caution", "Why its estimates are to be read with care, whatever their errors say", nullable=True),
                SIMULATED,
            ],
            ["survey_id"],
        ),
        Table(
            "indicators",
            "What is estimated.",
            [
                INDICATOR,
                text("title", "Title"),
                text("module", "Module of the questionnaire"),
                text("unit", "Unit of value"),
                text("universe", "SQL condition: who is in the base"),
                text("numerator", "SQL condition: who counts"),
                text("direction", "Whether more is worse or better"),
                text("sdg", "Related SDG target (thematic)"),
                text("notes", "Notes"),
            ],
            ["indicator"],
        ),
        Table(
            "variables",
            "Harmonised variables that universe and numerator speak of.",
            [
                text("variable", "Name"),
                text("label", "Label"),
                text("module", "Module"),
                text("type", "categorical or numeric"),
                text("codes", "Codes and their labels"),
                text("question", "Question in essence"),
                text(
                    "derived", "SQL it is computed by where a survey's file does not have it; null where it is asked", nullable=True
                ),
            ],
            ["variable"],
        ),
        Table(
            "breakdowns",
            "Crossings that are tabulated.",
            [
                text("breakdown", "Name, variables joined by *"),
                text("dimensions", "Variables, comma separated; empty for total"),
            ],
            ["breakdown"],
        ),
    ]
