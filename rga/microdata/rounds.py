"""Which round of a panel a column speaks of, by its name and label, and which columns are the same question of several rounds.

Belongs here: reading `fies_mod_r2` or "Age (Round 1+)". Not here: what follows from it (`rga.onboarding`, `rga.quality`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from rapidfuzz import fuzz

WORD = r"(?:round|rnd|wave|wv|ronda|vague|gelombang|putaran|r|w)"
# `_r2`, `w25_`, `Wave 25` and "(Round 1+)", not the `r2` within `var2` or the question R2.
_IN_NAME = re.compile(rf"(?:(?<=[_. -])|^)(?P<word>{WORD})[_ ]?0*(?P<number>\d{{1,3}})(?=$|[_. -])", re.IGNORECASE)
_IN_LABEL = re.compile(rf"(?<![^\W_])(?P<word>{WORD})[ _.#-]?0*(?P<number>\d{{1,3}})(?P<on>\+)?(?![^\W_])", re.IGNORECASE)
_LETTER = {"r", "w"}
SAME_QUESTION = 75  # per cent of letters: labels of one question in two rounds, the round taken out


@dataclass(frozen=True)
class Mark:
    """The round that a text speaks of, ``on`` from it on; ``rest`` is the text without it."""

    number: int
    rest: str
    on: bool = False

    def covers(self, number: int) -> bool:
        return number >= self.number if self.on else number == self.number


def mark_in_name(name: str) -> Mark | None:
    """What a column's name says of a round: the last mark of those it has. `r1` alone is a question of section R."""
    for found in reversed(list(_IN_NAME.finditer(name))):
        rest = f"{name[: found.start()]}#{name[found.end() :]}".casefold()
        if len(re.sub(r"[\W\d_]", "", rest)) >= 2:
            return Mark(int(found["number"]), rest)
    return None


def bare_name(name: str) -> str:
    """A column's ``name`` without the round that it speaks of: `S6Q01A` of `S6Q01A_W2`."""
    for found in reversed(list(_IN_NAME.finditer(name))):
        if mark_in_name(name):
            return f"{name[: found.start()]}{name[found.end() :]}".strip("_. -")
    return name


def mark_in_label(label: str) -> Mark | None:
    """What a label says of a round: its first mark."""
    found = _IN_LABEL.search(label)
    if not found or (found["word"].casefold() in _LETTER and not label[: found.start()].strip(" ([")):
        return None  # "R2. Did you ..." is a question's number
    rest = " ".join(re.sub(r"[^\w#]+", " ", f"{label[: found.start()]}#{label[found.end() :]}").casefold().split())
    return Mark(int(found["number"]), rest, bool(found["on"])) if len(rest) > 2 else None


class Rounds:
    """The columns of a survey's files, labels by name, as questions of several rounds."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels
        self._by_name = {name: mark for name in labels if (mark := mark_in_name(name))}
        self._by_label = {name: mark for name, label in labels.items() if (mark := mark_in_label(label))}

    def said(self, column: str) -> Mark | None:
        """The round that ``column`` speaks of, by its name or else its label."""
        return self._by_name.get(column) or self._by_label.get(column)

    def twins(self, column: str) -> dict[str, Mark]:
        """Columns of the same question in other rounds than ``column``'s, each with its round; none for one that names no round."""
        found: dict[str, Mark] = {}
        for marks, families in ((self._by_label, self._label_families), (self._by_name, self._name_families)):
            own = marks.get(column)
            for other in families.get(own.rest, ()) if own else ():
                if own and marks[other] != own and self._alike(column, other):
                    found[other] = marks[other]
        return found

    def of_round(self, column: str, number: int) -> str | None:
        """``column``'s twin of round ``number``: exactly of it, else of a round from which on it holds, else of no round."""
        of = {name: mark for name, mark in self.twins(column).items() if mark.covers(number)}
        return min(of, key=lambda name: (of[name].on, -of[name].number, name), default=self._unmarked(column))

    def speaks_of_another(self, column: str, number: int) -> bool:
        """Whether ``column`` speaks of another round than ``number``."""
        mark = self.said(column)
        return mark is not None and not mark.covers(number)

    def numbers(self, columns: Iterable[str] | None = None) -> set[int]:
        """Rounds that questions asked several times speak of, of ``columns`` or all."""
        return {
            mark.number for name in (self.labels if columns is None else columns) if (mark := self.said(name)) and self.twins(name)
        }

    def _unmarked(self, column: str) -> str | None:
        """The column that is called like ``column`` but for the round."""
        mark = self._by_name.get(column)
        bare = mark.rest.replace("#", "").strip("_. -") if mark else ""
        return next((name for name in self.labels if name.casefold() == bare and self._alike(column, name)), None)

    def _alike(self, one: str, other: str) -> bool:
        """Whether labels, without the round, are of one question, as far as there are any."""
        said = [without_round(self.labels[name]) for name in (one, other)]
        return not all(said) or fuzz.ratio(*said) >= SAME_QUESTION

    @cached_property
    def _name_families(self) -> dict[str, list[str]]:
        return _families(self._by_name)

    @cached_property
    def _label_families(self) -> dict[str, list[str]]:
        return _families(self._by_label)


def other_rounds(rounds: Rounds, columns: Collection[str], number: int) -> dict[str, str]:
    """Those of ``columns`` that are of another round than ``number``, and why each cannot be this survey's.

    Where the file has columns of round ``number``, all that speak of others are; where it has none, its numbers may be the
    producer's own, and columns that are there several times cannot be told apart.
    """
    found: dict[str, str] = {}
    has_this_round = number in rounds.numbers()
    for name in columns:
        mark, twins = rounds.said(name), rounds.twins(name)
        if mark is None or mark.covers(number):
            continue
        if twin := rounds.of_round(name, number):
            found[name] = f"of round {mark.number}; of this round is {twin}"
        elif has_this_round:
            found[name] = f"of round {mark.number}, and there is none of round {number}"
        elif twins:
            others = sorted({mark.number, *(twin.number for twin in twins.values())})
            found[name] = f"of round {mark.number}: which of rounds {_listed(others)} is this survey's, the file does not say"
    return found


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers)) if len(numbers) < 7 else f"{numbers[0]} to {numbers[-1]}"


def _families(marks: Mapping[str, Mark]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, mark in marks.items():
        found.setdefault(mark.rest, []).append(name)
    return found


def without_round(label: str) -> str:
    """``label`` in small letters and without the round it speaks of."""
    return " ".join(re.sub(r"[^\w]+", " ", _IN_LABEL.sub(" ", label)).casefold().split())
