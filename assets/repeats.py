"""Surveys that may be one another's copy: which are compared, and what the comparison needs.

Belongs here: choosing pairs, so that not every survey is read for every other. Not here: the comparison
(``rga.quality.same_respondents``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations

from rga.errors import Problem
from rga.microdata.catalogue import Catalogue
from rga.microdata.data_root import split_survey_id
from rga.microdata.specification import SurveySpecification
from rga.quality import Finding, Thresholds
from rga.quality.same_respondents import Answers, answers_of, compare, repeats, twice
from rga.warehouse.staging import Staging

Pair = tuple[str, str]


def kin(files: Mapping[str, Iterable[str]]) -> list[Pair]:
    """Pairs of surveys, the later first, that are of one country or made from one file; ``files`` are the hashes of each one's."""
    by_country: dict[str, list[str]] = {}
    by_file: dict[str, list[str]] = {}
    for key, hashes in files.items():
        by_country.setdefault(split_survey_id(key)[1], []).append(key)
        for digest in hashes:
            by_file.setdefault(digest, []).append(key)
    pairs = {pair for keys in (*by_country.values(), *by_file.values()) for pair in combinations(sorted(keys, key=_in_time), 2)}
    return sorted((later, earlier) for earlier, later in pairs)


def _in_time(key: str) -> tuple[int, int, str]:
    round_id, country = split_survey_id(key)
    year, _, number = round_id.partition("-r")
    return int(year), int(number), country


def copies(found: Mapping[str, Answers], limits: Thresholds) -> dict[str, list[Problem]]:
    """Surveys with the same respondents and answers as another, and what is wrong with each."""
    by_size: dict[int, list[str]] = {}
    for key, answers in found.items():
        by_size.setdefault(len(answers), []).append(key)
    problems: dict[str, list[Problem]] = {}
    for one, other in (pair for keys in by_size.values() for pair in combinations(keys, 2)):
        if compare(found[one], found[other], limits.same_respondents).complete:
            for key, twin in ((one, other), (other, one)):
                problems.setdefault(key, []).append(twice(key, twin, len(found[key])))
    return problems


def sizes(staging: Staging, survey_ids: list[str]) -> dict[str, int]:
    """Respondents of those surveys that are staged whole."""
    frame = staging.read("surveys", [key for key in survey_ids if staging.is_complete(key)], ["survey_id", "n"])
    return dict(zip(frame["survey_id"], frame["n"].astype(int), strict=True)) if len(frame) else {}


def copies_of(staging: Staging, survey_id: str, others: Mapping[str, int], catalogue: Catalogue, limits: Thresholds) -> list[str]:
    """Which of the staged ``others``, given with their numbers of respondents, the pending survey is again."""
    pending = staging.pending()
    own = sizes(pending, [survey_id]).get(survey_id)
    equal = [key for key, n in others.items() if n == own and key != survey_id]
    answers = staged_answers(pending, survey_id, catalogue) if equal else None
    return [
        key
        for key in equal
        if answers and compare(answers, staged_answers(staging, key, catalogue), limits.same_respondents).complete
    ]


def flags(found: Mapping[str, Answers], pairs: Iterable[Pair], limits: Thresholds) -> dict[str, list[Finding]]:
    """Flags by survey, for those ``pairs`` of which both are ``found``."""
    findings: dict[str, list[Finding]] = {}
    for later, earlier in pairs:
        if later in found and earlier in found:
            findings.setdefault(later, []).extend(repeats(found[later], found[earlier], limits.same_respondents))
    return findings


def staged_answers(staging: Staging, survey_id: str, catalogue: Catalogue) -> Answers:
    """Answers of a staged survey. Raises InputError where they are encrypted and the key does not fit."""
    page = str(staging.read("specification", [survey_id], ["specification"]).iloc[0, 0])
    given = SurveySpecification.model_validate_json(page).harmonised_columns
    return answers_of(survey_id, staging.read_restricted("respondents", survey_id), given, catalogue)
