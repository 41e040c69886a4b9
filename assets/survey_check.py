"""What can be said of a survey without building it: does its specification fit its file, and what in it deserves a look.

Belongs here: the facts of `rga check`. Not here: words and layout (``pipelines.check_report``), or writing anything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pandas as pd

from assets.survey_tables import coverage_rows
from assets.weights import weigh
from rga.errors import InputError
from rga.microdata.columns import Account, account
from rga.microdata.data_root import DataRoot
from rga.microdata.harmonise import ANSWERED
from rga.microdata.identifiers import Identifier
from rga.microdata.private_columns import unread_identifiers
from rga.microdata.respondents import prepare

UNANSWERED = ["dont_know", "refused", "missing"]  # a blank cell is most often a question that was rightly not put


@dataclass(frozen=True)
class Facts:
    """A survey that can be built.

    ``indicators`` counts asked, altered and not_asked; ``worst`` is a variable and its item nonresponse, in per cent of those
    asked; ``unmentioned`` are variables of the catalogue neither mapped nor declared absent; ``weighting`` is what its
    steps report; ``identifiers`` are columns that stay in the file.
    """

    respondents: int
    excluded: int
    columns: Account
    indicators: Counter[str]
    worst: tuple[str, float] | None
    unmentioned: list[str]
    weighting: list[str]
    identifiers: list[Identifier]


@dataclass(frozen=True)
class SurveyCheck:
    """One survey: its facts, or the error that keeps it from being built."""

    survey_id: str
    facts: Facts | None
    error: str = ""


def check_survey(root: DataRoot, survey_id: str) -> SurveyCheck:
    """Read and weigh one survey as a build would, and write nothing. Raises InputError only for the catalogue."""
    catalogue = root.catalogue()
    try:
        specification, respondents = root.specification(survey_id), prepare(root, survey_id)
        steps = weigh(root, survey_id, respondents).steps
        columns, identifiers = account(root, survey_id), unread_identifiers(root, survey_id)
    except InputError as error:
        return SurveyCheck(survey_id, None, str(error))
    mentioned = {*specification.variables, *specification.absent}
    facts = Facts(
        respondents=len(respondents.frame),
        excluded=respondents.excluded,
        columns=columns,
        indicators=Counter(coverage_rows(survey_id, catalogue, specification)["status"]),
        worst=worst_nonresponse(respondents.item_nonresponse),
        unmentioned=[name for name, variable in catalogue.variables.items() if not variable.derived and name not in mentioned],
        weighting=[f"step {number} ({step.action}): {note}" for number, step in enumerate(steps) for note in step.notes],
        identifiers=identifiers,
    )
    return SurveyCheck(survey_id, facts)


def worst_nonresponse(counts: pd.DataFrame) -> tuple[str, float] | None:
    """The variable with the largest share of don't know, refused and missing among those asked, and that share in per cent."""
    table = counts.pivot_table(index="variable", columns="kind", values="n", fill_value=0, aggfunc="sum")
    table = table.reindex(columns=[ANSWERED, *UNANSWERED], fill_value=0)
    share = (100 * table[UNANSWERED].sum(axis=1) / table.sum(axis=1)).dropna()
    return (str(share.idxmax()), float(share.max())) if len(share) else None
