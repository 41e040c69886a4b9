"""How each contractor's file spells answers: column names, codes, missing codes.

Belongs here: four ways of coding the same questionnaire. Not here: writing files (``files``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rga.microdata.catalogue import Catalogue

LABELS = {"dont_know": "Don't know", "refused": "Refused"}


@dataclass(frozen=True)
class Question:
    """One column: the harmonised variable behind it, and the file's code for each of its codes (empty: a number)."""

    column: str
    variable: str
    item: str
    codes: dict[str, int | str]
    missing: dict[str, int | str]
    label: str
    value_labels: dict[int | str, str]

    @property
    def harmonised(self) -> str:
        return f"{self.variable}_{self.item}" if self.item else self.variable


@dataclass(frozen=True)
class Coding:
    """``name(number, variable, item)`` gives a column's name, ``code(position, label)`` a code's spelling."""

    id: str
    name: Callable[[int, str, str], str]
    code: Callable[[int, str], int | str]
    missing: dict[str, int | str]
    numeric_missing: dict[str, int | str]


def _numbered(number: int, variable: str, item: str) -> str:
    return f"q{number}{item[:3] if item else ''}"


CODINGS = {
    "numbers": Coding("respid", _numbered, lambda i, _: i + 1, {"dont_know": 98, "refused": 99}, {"dont_know": -98, "refused": -99}),
    "stata": Coding(
        "caseid", lambda _, v, item: f"{v[:9]}_{item[:8]}" if item else f"v_{v}", lambda i, _: i,
        {"dont_know": "d", "refused": "r"}, {"dont_know": "d", "refused": "r"},
    ),
    "labels": Coding(
        "Respondent", lambda n, v, item: f"{v.upper()}{'.' + item if item else ''}", lambda _, label: label,
        {"dont_know": "Don't know", "refused": "Refused"}, {"dont_know": "DK", "refused": "REF"},
    ),
    "tens": Coding("key", lambda n, v, item: f"s{n:02d}_{(item or v)[:12]}", lambda i, _: 10 * (i + 1), {"dont_know": 888, "refused": 999}, {"dont_know": 888, "refused": 999}),
}  # fmt: skip


def questionnaire(catalogue: Catalogue, coding: Coding, asked: set[str]) -> list[Question]:
    """Columns of the variables in ``asked``, in the catalogue's order."""
    questions = []
    for number, (name, variable) in enumerate(catalogue.variables.items(), start=1):
        if variable.derived or name not in asked:
            continue
        spelled = {code: coding.code(i, label) for i, (code, label) in enumerate(variable.codes.items())}
        missing = coding.missing if variable.codes else coding.numeric_missing
        labels: dict[int | str, str] = {spelled[code]: label for code, label in variable.codes.items()}
        labels |= {code: LABELS[kind] for kind, code in missing.items()}
        for item, text in (variable.items or {"": variable.label}).items():
            label = f"{variable.label}: {text}" if item else text
            questions.append(Question(coding.name(number, name, item), name, item, spelled, missing, label, labels))
    return questions
