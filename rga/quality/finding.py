"""What a check has found.

Belongs here: one finding, the names of the checks, findings as rows. Not here: finding anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from rga.errors import Problem
from rga.microdata.texts import publishable_message

NAMES_SHOWN = 10

Severity = Literal["error", "flag"]

CHECKS = {
    "specification": "The specification fits the file: names, columns, formats",
    "unknown_codes": "Every code of the file is mapped or declared missing",
    "unused_codes": "Every code that is mapped occurs in the file",
    "withheld_labels": "The file's labels, which the codebook publishes, name nobody",
    "unmapped_columns": "Every column is mapped, part of the design, or listed as unused",
    "unused_design": "No weight, stratum or PSU of the file was overlooked",
    "other_round": "Columns are of this round, where the file has the question of several",
    "contradicted_labels": "The file's own labels say what its codes and columns are mapped to",
    "other_country": "Title and citation name the survey's own country",
    "same_respondents": "No respondents and answers are another survey's too",
    "zero_weights": "Every respondent's answers count",
    "unmentioned_variables": "Every variable of the catalogue is mapped or declared absent",
    "impossible_values": "Numbers are within the limits of the catalogue",
    "impossible_dates": "Interviews were held during fieldwork, and fieldwork in the year of the round",
    "duplicate_ids": "Every respondent has an id of their own",
    "duplicate_interviews": "No two respondents gave the same answers throughout",
    "out_of_population": "Respondents belong to the population",
    "skip_violated": "Nobody answered a question that was not for them",
    "skipped_though_due": "Everybody whom a question was for was asked it",
    "straight_lining": "Few gave one answer to every item of a battery",
    "interview_duration": "Few interviews were too short to have been held",
    "sample_composition": "The sample is made up much as the population is",
    "item_nonresponse": "Most of those asked answered",
    "change_between_rounds": "No share moved between rounds by more than its error allows",
}


@dataclass(frozen=True)
class Finding:
    """``check`` is one of CHECKS; ``message`` says what is so, ``remedy`` what to do about it.

    ``rows`` counts respondents (or rows of the file), ``share`` is in per cent of those whom the check speaks of. ``published`` is
    the message for those who do not have the file, where it is another: columns that nobody mapped may be called after people.
    """

    check: str
    severity: Severity
    message: str
    remedy: str = ""
    variable: str | None = None
    code: str | None = None
    rows: int | None = None
    share: float | None = None
    published: str = ""

    def __str__(self) -> str:
        place = ", ".join(part for part in (self.variable or "", f"code {self.code}" if self.code else "") if part)
        return f"{self.check}: {place}: {self.message}" if place else f"{self.check}: {self.message}"


def of_problems(problems: Sequence[Problem]) -> list[Finding]:
    """What keeps a survey from being built, as findings."""
    return [
        Finding(
            check=problem.check or "specification",
            severity="error",
            message=f"file {problem.file}: {problem.what}" if problem.file else problem.what,
            remedy=problem.remedy,
            variable=problem.variable,
            code=problem.code,
            rows=problem.rows,
        )
        for problem in problems
    ]


def _told(text: str | None) -> str | None:
    return None if text is None else publishable_message(text)


def finding_rows(survey_id: str, findings: Sequence[Finding]) -> pd.DataFrame:
    """Findings as rows of `data_quality`, but for `simulated`: survey_id, check_name, severity, variable, ..., in their order."""
    columns = ["survey_id", "check_name", "severity", "variable", "code", "n", "share", "message", "remedy"]
    rows = []
    for f in findings:
        variable, code, message, remedy = map(_told, (f.variable, f.code, f.published or f.message, f.remedy or None))
        rows.append((survey_id, f.check, f.severity, variable, code, f.rows, f.share, message, remedy))
    types = dict.fromkeys(columns, "string") | {"n": "Int64", "share": "float64"}
    return pd.DataFrame(rows, columns=columns).astype(types)


def some(names: Sequence[str]) -> str:
    """``names`` as a message lists them: the first, and how many more there are."""
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
