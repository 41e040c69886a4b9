"""How each contractor's file spells answers: column names, order, codes, missing codes, layouts, language.

Belongs here: the ways of coding the one questionnaire. Not here: writing files (``files``), who uses which (``programme``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from rga.microdata.catalogue import Catalogue, Variable
from rga.simulate.programme import Survey

Code = int | str
MISSING_LABELS = {"dont_know": "Don't know", "refused": "Refused", "not_applicable": "Not applicable"}
CONDITIONAL = {
    "formal_job", "hours_change", "workplace", "school_closed", "left_job_for_care", "back_at_school", "vaccine_reason",
}  # fmt: skip
SECOND_ROUND = {"left_job_for_care", "back_at_school", "food_hardship", "vaccine_doses", "vaccine_reason"}


@dataclass(frozen=True)
class Question:
    """One column: the harmonised variable behind it, and the file's code for each of its codes (empty: a number).

    With ``separator`` the column holds several answers, and ``codes`` are those of the battery's items. ``blank`` is what an empty
    answer means.
    """

    column: str
    variable: str
    item: str
    codes: dict[str, Code]
    missing: dict[str, Code]
    label: str
    value_labels: dict[Any, str]
    blank: str = ""
    separator: str = ""

    @property
    def harmonised(self) -> str:
        return f"{self.variable}_{self.item}" if self.item else self.variable


@dataclass(frozen=True)
class Coding:
    """``name(place, module, variable, item, place of item)`` gives a column's name, ``code(place, number of codes, label)`` a code.

    ``missing`` gives codes of don't know, refused and not applicable (blank where it has none); ``numeric_missing`` those of
    questions that take a number. ``several``: how questions with several answers are laid out: a yes/no column per item, a ticked
    column per item, or all in one column.
    """

    id: str
    name: Callable[[int, str, str, str, int], str]
    code: Callable[[int, int, str], Code]
    missing: dict[str, Code]
    numeric_missing: dict[str, Code]
    several: Literal["yes_no", "ticked", "one_column"] = "yes_no"


def _kinds(*codes: Code) -> dict[str, Code]:
    return dict(zip(MISSING_LABELS, codes, strict=False))


def _letter(place: int) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[place]


MODULES = [
    "respondent", "information", "employment", "livelihoods", "support", "unpaid domestic work", "unpaid care",
    "help in the household", "health", "access to services", "education", "safety", "food", "vaccination",
]  # fmt: skip

CODINGS = {
    "numbers": Coding(
        "respid", lambda n, _m, _v, item, i: f"q{n}{_letter(i) if item else ''}", lambda i, _n, _l: i + 1,
        _kinds(98, 99, 97), _kinds(-98, -99, -97),
    ),
    "stata": Coding(
        "caseid", lambda _n, _m, v, item, _i: f"{v[:12]}_{item[:10]}" if item else f"v_{v}"[:24], lambda i, _n, _l: i,
        _kinds("d", "r", "n"), _kinds("d", "r", "n"),
    ),
    "labels": Coding(
        "Respondent", lambda _n, _m, v, item, _i: f"{v.upper()}{'.' + item if item else ''}", lambda _i, _n, label: label,
        _kinds(*list(MISSING_LABELS.values())[:2]), _kinds("DK", "REF"), "ticked",
    ),
    "tens": Coding(
        "key", lambda n, _m, v, item, _i: f"s{n:02d}_{(item or v)[:12]}", lambda i, _n, _l: 10 * (i + 1),
        _kinds(888, 999, 777), _kinds(888, 999, 777),
    ),
    "modules": Coding(
        "ID", lambda n, m, _v, item, i: f"{_letter(MODULES.index(m)).upper()}{n}{'_' + str(i + 1) if item else ''}",
        lambda i, n, _l: n - i, _kinds(8, 9), _kinds(998, 999),
    ),
    "sequence": Coding(
        "V0001", lambda n, _m, _v, item, i: f"V{n + 100:04d}{'_' + str(i + 1) if item else ''}", lambda i, _n, _l: i + 1,
        _kinds(-8, -9, -7), _kinds(-8, -9, -7),
    ),
    "odk": Coding(
        "_uuid", lambda _n, m, v, item, _i: f"{m.split()[-1]}/{v}{'/' + item if item else ''}",
        lambda _i, _n, label: "".join(c if c.isalnum() else "_" for c in label.lower())[:24].strip("_"),
        _kinds("dk", "refuse"), _kinds("dk", "refuse"), "one_column",
    ),
    "letters": Coding(
        "session", lambda n, _m, _v, item, i: f"Q{n}{'.' + str(i + 1) if item else ''}", lambda i, _n, _l: _letter(i).upper(),
        _kinds("Y", "Z"), _kinds("Y", "Z"), "one_column",
    ),
}  # fmt: skip


def translations(language: str) -> dict[str, str]:
    """English label -> label in ``language``; empty for English."""
    if language == "en":
        return {}
    path = Path(__file__).parent / "labels" / f"{language}.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def questionnaire(catalogue: Catalogue, survey: Survey, rng: np.random.Generator) -> list[Question]:
    """The survey's columns: about the respondent first, then module by module in the order that this contractor asked them."""
    coding, words = CODINGS[survey.coding], translations(survey.language)
    modules = list(dict.fromkeys(v.module for v in catalogue.variables.values()))
    order = [modules[0], *rng.permutation(modules[1:])]
    names = sorted(_asked(catalogue, survey), key=lambda name: order.index(catalogue.variables[name].module))
    questions: list[Question] = []
    for place, name in enumerate(names, start=1):
        questions += _columns(name, catalogue.variables[name], place, survey, coding, words)
    return questions


def _asked(catalogue: Catalogue, survey: Survey) -> list[str]:
    direct = {"age": "age_group"} if survey.age == "bands" else {}
    direct |= {"functioning": "disability"} if survey.disability == "yes_no" else {}
    later = SECOND_ROUND if survey.year < 2021 else set()
    names = [name for name, v in catalogue.variables.items() if not v.derived and name not in later and name not in survey.absent]
    return [direct.get(name, name) for name in names]


def _columns(name: str, variable: Variable, place: int, survey: Survey, coding: Coding, words: dict[str, str]) -> list[Question]:
    codes_of = variable.codes
    if name == "age_group" and not survey.minors:
        codes_of = {code: label for code, label in codes_of.items() if code != "Y0T17"}
    spelled = {code: coding.code(i, len(codes_of), words.get(label, label)) for i, (code, label) in enumerate(codes_of.items())}
    missing = dict(coding.missing if codes_of else coding.numeric_missing)
    if name not in CONDITIONAL:
        missing.pop("not_applicable", None)
    if survey.coding == "labels" and codes_of:
        missing = {kind: words.get(str(code), code) for kind, code in missing.items()}
    blank = "not_applicable" if name in CONDITIONAL and "not_applicable" not in missing else ""

    def question(item: str, i: int, text: str, codes: dict[str, Code], labels: dict[str, str], **how: str) -> Question:
        values: dict[Any, str] = {codes[code]: words.get(label, label) for code, label in labels.items() if code in codes}
        values |= {code: words.get(MISSING_LABELS[kind], MISSING_LABELS[kind]) for kind, code in missing.items()}
        stem, item_label = words.get(variable.label, variable.label), words.get(text, text)
        label = f"{item_label} ({stem})" if item else item_label
        column = coding.name(place, variable.module, name, item, i)
        return Question(column, name, item, codes, missing, label, values, **{"blank": blank} | how)

    items = {item: text for item, text in variable.items.items() if f"{name}_{item}" not in survey.absent}
    if not items:
        return [question("", 0, variable.label, spelled, codes_of)]
    if name == "help" and coding.several == "one_column":
        of_items = {item: coding.code(i, len(items), text) for i, (item, text) in enumerate(items.items())}
        return [question("", 0, variable.label, of_items, items, separator=" " if survey.coding == "odk" else ";")]
    if name == "help" and coding.several == "ticked":
        ticked = {"yes": spelled["yes"]}
        return [question(item, i, text, ticked, codes_of, blank="no") for i, (item, text) in enumerate(items.items())]
    return [question(item, i, text, spelled, codes_of) for i, (item, text) in enumerate(items.items())]


def mapped(survey: Survey, questions: list[Question]) -> dict[str, dict[str, Any]]:
    """How survey.yaml reads the ``questions``: variable -> column or columns, codes, and what is missing."""
    variables: dict[str, dict[str, Any]] = {}
    for question in questions:
        entry = variables.setdefault(question.variable, {})
        if question.item:
            entry.setdefault("columns", {})[question.item] = question.column
        else:
            entry["column"] = question.column
        if question.separator:
            entry["separator"] = question.separator
        if question.codes:
            entry["codes"] = {code: ours for ours, code in question.codes.items()}
        letters = survey.file.endswith(".dta")
        if question.missing:
            entry["missing"] = {
                f".{code}" if letters and isinstance(code, str) else code: kind for kind, code in question.missing.items()
            }
        if question.blank:
            entry["blank"] = question.blank
    return variables
