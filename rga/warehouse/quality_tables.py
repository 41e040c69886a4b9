"""The published table of what deserves a look in each survey.

Belongs here: its name, columns, constraints and comments. Not here: how rows come about (``rga.quality``).
"""

from __future__ import annotations

from rga.warehouse.columns import SIMULATED, SURVEY_ID, count, number, text
from rga.warehouse.schema import Column, Table

DATA_QUALITY = Table(
    "data_quality",
    "One row per survey and finding of its checks: what deserves a look before its estimates are used. Counts, no respondents.",
    [
        SURVEY_ID,
        Column("finding", "INTEGER", "Number of the finding within the survey, errors first", check="finding >= 1"),
        text("check_name", "What was checked, such as skip_violated, straight_lining, change_between_rounds"),
        Column(
            "severity",
            "VARCHAR",
            "flag: published with the survey; error: its newest input cannot be used, and the estimates are of the last good one",
            check="severity IN ('error', 'flag')",
        ),
        text("variable", "Harmonised variable, indicator, margin or column it is about", nullable=True),
        text("code", "Code or codes of the file", nullable=True),
        count("n", "Respondents (or rows of the file) concerned", nullable=True),
        number("share", "Per cent of those whom the check speaks of; for change_between_rounds, the change in percentage points"),
        text("message", "What was found"),
        text("remedy", "What to do about it", nullable=True),
        SIMULATED,
    ],
    ["survey_id", "finding"],
)
