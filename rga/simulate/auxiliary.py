"""Columns for weighting only: how a call ended, what the frame or the first round knows, how many lines reach a person.

Belongs here: these columns of each survey's file, with their codes. Not here: the steps that use them (``chains``).
"""

from __future__ import annotations

from rga.simulate.coding import CODINGS, MISSING_LABELS, Question
from rga.simulate.frames import OPERATORS
from rga.simulate.population import AGE, EDUCATION
from rga.simulate.programme import PROGRAMME, Survey
from rga.simulate.sampling import NOT_KNOWN

DISPOSITION, COMPLETE = "disposition", 1
DISPOSITIONS = {
    "complete": "Interview completed",
    "refused": "Refused",
    "no_answer": "No answer",
    "not_in_use": "Number not in use",
}

# what a first round recorded: its codes, in the order of the file's codes 1, 2, ...
RECORDED = {
    "r1_sex": ["F", "M", "O"],
    "r1_age_group": list(AGE),
    "r1_education": EDUCATION,
    "r1_residence": ["U", "R"],
    "r1_job": ["works", "works_not"],
    "r1_mental_health": ["yes", "no"],
}
NOT_KNOWN_CODE = 9
LINES = "How many phone numbers do you answer?"


def auxiliary(survey: Survey) -> list[Question]:
    """The survey's columns for weighting, the disposition among them where non-respondents are in the file."""
    match survey.sampling:
        case "operators":
            return [_operator(survey), _number(survey, "phones", "sim_cards", LINES)]
        case "dialling":
            adults = "How many adults share the phone numbers on which you can be reached, yourself included?"
            return [_number(survey, "phones", "hh_phones", LINES), _number(survey, "adults", "hh_adults", adults)]
        case "areas":
            return [_disposition(), _coded("listed", "Whose number is listed", {"own": 1, "shared": 2})]
        case "panel":
            first = next(s for s in PROGRAMME if s.round == survey.panel and s.country == survey.country)
            lines = [_operator(survey), _number(survey, "phones", "r1_sim_cards", LINES)] if first.sampling == "operators" else []
            return [_disposition(), *lines, *(_coded(name, f"First round: {name[3:]}", _numbered(name)) for name in RECORDED)]
    return []


def _numbered(name: str) -> dict[str, int]:
    not_known = {} if name == "r1_sex" else {NOT_KNOWN: NOT_KNOWN_CODE}  # everybody told their sex
    return {code: place for place, code in enumerate(RECORDED[name], start=1)} | not_known


def _disposition() -> Question:
    codes = {code: place for place, code in enumerate(DISPOSITIONS, start=COMPLETE)}
    return _coded(DISPOSITION, "How the call ended", codes, labels=DISPOSITIONS)


def _operator(survey: Survey) -> Question:
    codes = {name: place for place, name in enumerate(OPERATORS[survey.country], start=1)}
    return _coded("operator", "Operator of the number invited", codes, labels={name: f"Operator {name}" for name in codes})


def _coded(name: str, label: str, codes: dict[str, int], labels: dict[str, str] | None = None) -> Question:
    return Question(
        name, name, "", dict(codes), {}, label, {place: (labels or {}).get(code, code) for code, place in codes.items()}
    )


def _number(survey: Survey, name: str, column: str, label: str) -> Question:
    missing = {kind: code for kind, code in CODINGS[survey.coding].numeric_missing.items() if kind != "not_applicable"}
    return Question(column, name, "", {}, missing, label, {code: MISSING_LABELS[kind] for kind, code in missing.items()})
