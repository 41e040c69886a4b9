"""What can be said of a survey without building it: does its specification fit its file, and what in it deserves a look.

Belongs here: the facts and findings of `rga check`. Not here: words and layout (``pipelines.check_report``), checks themselves
(``rga.quality``), or writing anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import chain

import pandas as pd

from assets.quality import subject_of, thresholds, totals
from assets.repeats import Pair, copies, flags, kin
from assets.survey_tables import coverage_rows
from assets.weighting_tables import margin_rows
from assets.weights import weigh
from rga.errors import InputError
from rga.microdata.columns import Account
from rga.microdata.data_root import DataRoot
from rga.microdata.harmonise import ANSWERED
from rga.microdata.identifiers import Identifier
from rga.microdata.private_columns import unread_identifiers
from rga.microdata.readers import sha256
from rga.microdata.respondents import prepare
from rga.quality import Finding, of_problems
from rga.quality.changes import changed_shares, previous_rounds
from rga.quality.checks import findings_of, not_possible
from rga.quality.same_respondents import Answers, answers_of

UNANSWERED = ["dont_know", "refused", "missing"]  # a blank cell is most often a question that was rightly not put
FIRST_ROUND = "there is no earlier round of the country to compare with"


@dataclass(frozen=True)
class Facts:
    """A survey that can be built.

    ``indicators`` counts asked, altered and not_asked; ``worst`` is a variable and its item nonresponse, in per cent of those
    asked; ``weighting`` is what its steps report; ``not_checked`` are checks that had nothing to go by, and why; ``identifiers``
    are columns that identify people and stay in the file.
    """

    respondents: int
    excluded: int
    columns: Account
    indicators: Counter[str]
    worst: tuple[str, float] | None
    weighting: list[str]
    not_checked: dict[str, str]
    identifiers: list[Identifier]


@dataclass(frozen=True)
class SurveyCheck:
    """One survey: its facts and what was found, or the error that keeps it from being built and the same as findings.

    ``totals`` are shares of all respondents, for comparing rounds: indicator, value, se, df, n; ``answers`` those of each, hashed.
    """

    survey_id: str
    facts: Facts | None
    error: str = ""
    findings: list[Finding] = field(default_factory=list)
    totals: pd.DataFrame | None = None
    answers: Answers | None = field(default=None, repr=False)


def check_surveys(root: DataRoot, survey_ids: list[str], step: Callable[[str], None] = lambda _: None) -> list[SurveyCheck]:
    """Check surveys as a build would read them, and write nothing; ``step`` is told of each. An earlier round that one of them is
    compared with is read too, as are surveys of the same country or file, and passed over where they cannot be. Raises InputError
    only for the catalogue."""
    before = previous_rounds(_simulated(root))
    compared = {key for key in survey_ids if key in before}
    compared |= {before[key] for key in compared}
    pairs = [pair for pair in kin(_files(root)) if set(pair) & set(survey_ids)]
    found: dict[str, SurveyCheck] = {}
    for key in sorted({*survey_ids, *compared, *chain(*pairs)}):
        step(key)
        found[key] = check_survey(root, key, with_totals=key in compared)
    found = _told_of_copies(root, found, pairs)
    limits = thresholds(root).change_between_rounds
    checks = []
    for key in survey_ids:
        check, earlier = found[key], found.get(before.get(key, ""))
        if check.facts is not None and check.totals is not None and earlier is not None and earlier.totals is not None:
            more = changed_shares(earlier.totals, check.totals, earlier.survey_id, limits)
            check = replace(check, findings=check.findings + more)
        elif check.facts is not None:
            why = f"{earlier.survey_id} cannot be read" if earlier else FIRST_ROUND
            check.facts.not_checked["change_between_rounds"] = why
        checks.append(check)
    return checks


def _told_of_copies(root: DataRoot, found: dict[str, SurveyCheck], pairs: list[Pair]) -> dict[str, SurveyCheck]:
    """``found`` with an error at each survey that is another's copy, and a flag where many answers are another's."""
    limits, answers = thresholds(root), {key: check.answers for key, check in found.items() if check.answers is not None}
    problems, repeated = copies(answers, limits), flags(answers, pairs, limits)
    told = {}
    for key, check in found.items():
        if key in problems:
            check = replace(check, facts=None, error=str(InputError(problems[key])), findings=of_problems(problems[key]))
        told[key] = replace(check, findings=check.findings + repeated.get(key, []), answers=None)
    return told


def _files(root: DataRoot) -> dict[str, list[str]]:
    """Hashes of each survey's files; none of one that cannot be read."""
    hashes: dict[str, list[str]] = {}
    for key in root.survey_ids():
        try:
            hashes[key] = [sha256(path) for path in root.files(key).values()]
        except InputError:
            hashes[key] = []
    return hashes


def _simulated(root: DataRoot) -> dict[str, bool]:
    """Whether each survey is simulated, of those whose specification can be read."""
    said = {}
    for key in root.survey_ids():
        try:
            said[key] = root.specification(key).simulated
        except InputError:
            continue
    return said


def check_survey(root: DataRoot, survey_id: str, with_totals: bool = False) -> SurveyCheck:
    """Read and weigh one survey as a build would, and write nothing. Raises InputError only for the catalogue."""
    catalogue = root.catalogue()
    thresholds(root)
    try:
        specification, respondents = root.specification(survey_id), prepare(root, survey_id)
        weights = weigh(root, survey_id, respondents)
        subject = subject_of(root, survey_id, respondents, margin_rows(survey_id, weights))
        coverage = coverage_rows(survey_id, catalogue, specification)
        asked = list(coverage.loc[coverage["status"] == "asked", "indicator"])
        shares = totals(root, survey_id, respondents, weights, asked) if with_totals and asked else None
        identifiers = unread_identifiers(root, survey_id)
    except InputError as error:
        return SurveyCheck(survey_id, None, str(error), of_problems(error.problems))
    facts = Facts(
        respondents=len(respondents.frame),
        excluded=respondents.excluded,
        columns=subject.columns,
        indicators=Counter(coverage["status"]),
        worst=worst_nonresponse(respondents.item_nonresponse),
        weighting=[f"step {number} ({step.action}): {note}" for number, step in enumerate(weights.steps) for note in step.notes],
        not_checked=not_possible(subject),
        identifiers=identifiers,
    )
    answers = answers_of(survey_id, respondents.frame, specification.harmonised_columns, catalogue)
    return SurveyCheck(survey_id, facts, findings=findings_of(subject), totals=shares, answers=answers)


def worst_nonresponse(counts: pd.DataFrame) -> tuple[str, float] | None:
    """The variable with the largest share of don't know, refused and missing among those asked, and that share in per cent."""
    table = counts.pivot_table(index="variable", columns="kind", values="n", fill_value=0, aggfunc="sum")
    table = table.reindex(columns=[ANSWERED, *UNANSWERED], fill_value=0)
    share = (100 * table[UNANSWERED].sum(axis=1) / table.sum(axis=1)).dropna()
    return (str(share.idxmax()), float(share.max())) if len(share) else None
