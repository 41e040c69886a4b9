"""Columns that belong together: a battery's, told by their names, and answers that hold several choices.

Belongs here: grouping columns and splitting answers. Not here: which battery they are (``matching``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from rga.microdata.rounds import bare_name
from rga.onboarding.file_facts import Column
from rga.onboarding.text import grams, normal

_LAST = re.compile(r"^(?P<stem>.+)(?:[._/ \-](?P<part>[^._/ \-]+)|(?<=\d)(?P<letter>[a-z]{1,2}))$", re.I)
SEPARATORS = (";", "|", ",", " ", "/")
NEARLY_ALL = 0.8


@dataclass(frozen=True)
class Group:
    """Columns in a row whose names begin with the same ``stem``; ``parts`` are the ends of their names."""

    stem: str
    columns: list[Column]
    parts: list[str]

    @property
    def name(self) -> str:
        return f"{self.columns[0].name} to {self.columns[-1].name}"

    def shared_and_own(self) -> tuple[frozenset[str], list[frozenset[str]]]:
        """Character sequences that nearly all labels share, and those that each has of its own."""
        return shared_and_own(column.label for column in self.columns)


def shared_and_own(labels: Iterable[str]) -> tuple[frozenset[str], list[frozenset[str]]]:
    """Character sequences that nearly all ``labels`` share, and those that each has of its own."""
    found = [grams(normal(label)) for label in labels]
    least = max(2, round(NEARLY_ALL * len(found)))
    shared = frozenset(g for g in frozenset().union(*found) if sum(g in own for own in found) >= least)
    return shared, [own - shared for own in found]


def groups(columns: list[Column]) -> list[Group]:
    """Runs of two or more columns with one stem, in the order of the file."""

    def stem(column: Column) -> str:
        found = _LAST.match(bare_name(column.name))
        return found["stem"] if found else ""

    runs = []
    for key, run in groupby(columns, key=stem):
        members = list(run)
        if key and len(members) > 1:
            runs.append(Group(key, members, [_part(bare_name(column.name), key) for column in members]))
    return runs


def _part(name: str, stem: str) -> str:
    return name[len(stem) :].lstrip("._/ -")


@dataclass(frozen=True)
class Several:
    """A column whose answers hold several choices: what separates them, and rows by choice."""

    separator: str
    choices: dict[str, int]


def several(column: Column) -> Several | None:
    """How a column's answers split into choices; None where they are single answers.

    Choices must also occur alone and in several combinations, which words of a sentence do not.
    """
    if column.numeric and not any(separator in code for code in column.counts for separator in SEPARATORS):
        return None
    answers = column.counts
    for separator in SEPARATORS:
        together = [answer for answer in answers if separator in answer.strip()]
        if len(together) < 2:
            continue
        choices: dict[str, int] = {}
        combinations: dict[str, int] = {}
        for answer, rows in answers.items():
            for part in {part.strip() for part in answer.split(separator) if part.strip()}:
                choices[part] = choices.get(part, 0) + rows
                combinations[part] = combinations.get(part, 0) + 1
        alone = sum(choice in answers for choice in choices)
        recurring = sum(count > 1 for count in combinations.values())
        if len(choices) <= 60 and alone >= 2 and recurring >= 0.6 * len(choices) and len(choices) < len(answers) + 2:
            return Several(separator, choices)
    return None
