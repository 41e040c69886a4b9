"""What of a file's own words may be told: in errors, which are printed, kept and published, and in the published codebook.

Belongs here: whether one value, or one label, can be shown without a risk of naming somebody. Not here: the forms of identifiers
(``identifier_forms``), whole columns (``identifiers``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

import pandas as pd
from rapidfuzz import fuzz

from rga.errors import SHORT_CODE
from rga.microdata.identifier_forms import certain_kinds
from rga.microdata.specification import MissingKind
from rga.microdata.texts import holds_html, is_formula, is_unseen, may_name_somebody

ALIKE = 80  # per cent of letters: "Femal" and "Female"
MOST_DIGITS = 6
REPEATED = 5  # rows that make an answer, or a place, of what may be somebody's own words
WITHHELD = "(withheld: it may name somebody, or holds HTML)"


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


def told_or_numbered(values: pd.Series) -> pd.Series:
    """Strata or PSUs, crossed with `*`, as notes and errors may name them: a number in place of one that few rows have and that may
    be a stray cell with somebody's name in it."""
    rows = values.value_counts()
    unsafe = [value for value, n in rows.items() if n < REPEATED and not all(map(can_be_told, str(value).split("*")))]
    numbered = {value: f"value {place} (not shown)" for place, value in enumerate(unsafe, 1)}
    return values.mask(values.isin(unsafe), values.map(numbered))


def _spelt(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split())


def publishable(label: str) -> str:
    """A file's ``label`` as it may be published: WITHHELD in place of one with a telephone number, an e-mail address, coordinates,
    a document or HTML in it; characters that nobody sees are blanks, and what a spreadsheet would take for a formula begins with an
    apostrophe."""
    if may_name_somebody(label) or holds_html(label):
        return WITHHELD
    label = "".join(" " if is_unseen(c) else c for c in label)
    return f"'{label}" if is_formula(label) else label
