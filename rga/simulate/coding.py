"""How each contractor's file spells answers: column names, codes, missing codes.

Belongs here: four ways of coding the same questionnaire. Not here: writing files (``files``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
    value_labels: dict[Any, str]

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


def _prefixed(number: int, variable: str, item: str) -> str:
    return f"{variable[:9]}_{item[:8]}" if item else f"v_{variable}"


def _dotted(number: int, variable: str, item: str) -> str:
    return f"{variable.upper()}{'.' + item if item else ''}"


def _sectioned(number: int, variable: str, item: str) -> str:
    return f"s{number:02d}_{(item or variable)[:12]}"


def _same(dont_know: int | str, refused: int | str) -> dict[str, int | str]:
    return {"dont_know": dont_know, "refused": refused}


CODINGS = {
    "numbers": Coding("respid", _numbered, lambda i, _: i + 1, _same(98, 99), _same(-98, -99)),
    "stata": Coding("caseid", _prefixed, lambda i, _: i, _same("d", "r"), _same("d", "r")),
    "labels": Coding("Respondent", _dotted, lambda _, label: label, _same("Don't know", "Refused"), _same("DK", "REF")),
    "tens": Coding("key", _sectioned, lambda i, _: 10 * (i + 1), _same(888, 999), _same(888, 999)),
}


def questionnaire(catalogue: Catalogue, coding: Coding, asked: set[str]) -> list[Question]:
    """Columns of the variables in ``asked``, in the catalogue's order."""
    questions = []
    for number, (name, variable) in enumerate(catalogue.variables.items(), start=1):
        if variable.derived or name not in asked:
            continue
        spelled = {code: coding.code(i, label) for i, (code, label) in enumerate(variable.codes.items())}
        missing = coding.missing if variable.codes else coding.numeric_missing
        labels: dict[Any, str] = {spelled[code]: label for code, label in variable.codes.items()}
        labels |= {code: LABELS[kind] for kind, code in missing.items()}
        for item, text in (variable.items or {"": variable.label}).items():
            label = f"{variable.label}: {text}" if item else text
            questions.append(Question(coding.name(number, name, item), name, item, spelled, missing, label, labels))
    return questions
