"""What of a file's own words may be told: in errors, which are printed, kept and published, and in the published codebook.

Belongs here: whether one value, or one label, can be shown without a risk of naming somebody. Not here: the forms of identifiers
(``identifier_forms``), whole columns (``identifiers``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import get_args

from rapidfuzz import fuzz

from rga.errors import SHORT_CODE
from rga.microdata.identifier_forms import certain_kinds
from rga.microdata.specification import MissingKind

ALIKE = 80  # per cent of letters: "Femal" and "Female"
MOST_DIGITS = 6
WITHHELD = "(withheld: it may name somebody, or holds HTML)"
# Written anywhere in a label. Bands of money and years are no telephone numbers, nor is a long number that is a round one.
_TELLTALE = re.compile(
    r"(?<!\d)(\+|00)[1-9][\d\s().-]{6,18}\d|(?<![\d.,])\(?0\d{1,4}\)?[\s.-]\d{2,4}[\s.-]?\d{2,5}(?![\d.,])"
    r"|[-+]?\d{1,3}\.\d{3,}\s*[,; ]\s*[-+]?\d{1,3}\.\d{3,}|[^@\s]+@[^@\s]+\.[a-z]{2}|<[a-z/!]",
    re.IGNORECASE,
)
_LONG_NUMBER = re.compile(r"\d{8,}")
_ROUND = re.compile(r"^(\d*0{3}|\d*9{3}|0*1)$")


def can_be_told(value: str, known: Iterable[str] = ()) -> bool:
    """Whether ``value``, found in a cell, is a short code or number, or spelt much like one of the ``known`` codes and labels.

    Anything else may be people's own words, or somebody's name, and is counted rather than shown.
    """
    if sum(map(str.isdigit, value)) > MOST_DIGITS or certain_kinds(value):
        return False
    if SHORT_CODE.match(value):
        return True
    spelt = _spelt(value)
    return any(fuzz.ratio(spelt, _spelt(word)) >= ALIKE for word in (*known, *get_args(MissingKind)))


def _spelt(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split())


def publishable(label: str) -> str:
    """A file's ``label`` as it may be published: WITHHELD in place of one with a telephone number, an e-mail address, coordinates,
    a document or HTML in it; what a spreadsheet would take for a formula begins with an apostrophe."""
    words = [word.strip("()[]{}<>,;:\"'") for word in label.split()]
    if (
        _TELLTALE.search(label)
        or any(not _ROUND.match(number) for number in _LONG_NUMBER.findall(label))
        or any(map(certain_kinds, words))
    ):
        return WITHHELD
    return "'" + label if label.lstrip()[:1] in ("=", "+", "-", "@") or label[:1] in ("\t", "\r") else label
