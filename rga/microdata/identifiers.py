"""Columns that identify people directly, by their name, label and content.

Belongs here: whether a column does, which kind of identifier it is, and what says so. Values are looked at only to count how many
have a form; none is ever kept or told. Not here: the forms (``identifier_forms``), the words (`identifiers.yaml`), or what follows
from a finding (``private_columns``).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from rga.microdata.codes import canonical_code
from rga.microdata.identifier_forms import CERTAIN, DATE, DECIMAL, POSSIBLE, Form, certain_kinds, digits_of
from rga.microdata.yaml_file import StrictModel, load_yaml

LOOKED_AT = 1_000  # values of a column
FEW = 20  # different values that answer codes have at most
SHARE = 0.5  # of the values that are long enough to identify anybody
ENOUGH = 30  # values, before their spread says anything
NAMELIKE = re.compile(r"^[^\W\d_]+[.'-]?( [^\W\d_]+[.'-]?){1,4}$")
LONG = 25  # characters that names seldom have


@dataclass(frozen=True)
class Identifier:
    """A column that identifies people: the ``kind``, ``why`` it is thought so, and how many of the values looked at say so."""

    column: str
    kind: str
    why: str
    matches: int

    def __str__(self) -> str:
        return f"{self.kind}, as {self.why}"


class _Words(StrictModel):
    names: list[str]
    labels: list[str]


class _File(StrictModel):
    words: dict[str, _Words]
    not_of_a_person: list[str]


def identifier(name: str, label: str = "", values: Iterable[object] | None = None) -> Identifier | None:
    """What direct identifier a column is; None where it is none, or where its ``values`` do not bear its name out.

    Without ``values`` (None: not read) a name or label is enough. Blank values count for nothing.
    """
    said = by_name(name, label)
    if values is None:
        return Identifier(name, *said, 0) if said else None
    given = (values if isinstance(values, pd.Series) else pd.Series(list(values), dtype=object)).dropna()
    if not len(given):
        return Identifier(name, said[0], f"{said[1]}, and it is empty", 0) if said else None
    sample = _sample(given)
    if not sample:
        return None
    few = _are_few(sample)
    if said and (said[0] == "coordinates" or not few):
        matches = _matches(POSSIBLE[said[0]], sample)
        if matches >= SHARE * sample.total():
            return Identifier(name, *said, matches)
    return _by_content(name, sample, few)


def by_name(name: str, label: str = "") -> tuple[str, str] | None:
    """The kind of identifier that a column's name or label says it is, and which of them does."""
    words, text = words_of(name), words_of(label)
    for kind, names, labels, place in _patterns():
        for found, said, what in ((names.search(words), words, "name"), (labels.search(text), text, "label")):
            if found and not (kind == "person's name" and what == "name" and place.search(said)):
                return kind, f"its {what} says `{found[0]}`"
    return None


def words_of(name: str) -> str:
    """A column's name as words in small letters: `s05_RespName1` is `s05 resp name`; a form's groups before `/` are left out."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.rsplit("/", 1)[-1])
    # vowel signs (category M) are part of the words of Thai, Bangla and Nepali, though no letters
    spelt = "".join(c if c.isalnum() or unicodedata.category(c)[0] == "M" else " " for c in parted)
    return " ".join(re.sub(r"(?<=[^\W\d_]{2})\d+\b", "", spelt).lower().split())


@cache
def _patterns() -> list[tuple[str, re.Pattern, re.Pattern, re.Pattern]]:
    raw = load_yaml(Path(__file__).with_name("identifiers.yaml"), _File, "identifiers.yaml")
    place = _any_of(raw.not_of_a_person)
    return [(kind, _any_of(words.names), _any_of(words.labels), place) for kind, words in raw.words.items()]


def _any_of(words: list[str]) -> re.Pattern:
    # `\b` knows nothing of Thai, which has no blanks between words, nor of vowel signs, which are no letters to it
    spelt = sorted({words_of(word) for word in words}, key=len, reverse=True)
    return re.compile("|".join(rf"\b{re.escape(w)}\b" if w.isascii() else re.escape(w) for w in spelt))


def _sample(given: pd.Series) -> Counter[str]:
    """Some of the values as text, and how often: those long enough to identify anybody, as codes and declared missings are not."""
    some = given.iloc[:: len(given) // LOOKED_AT + 1]
    if pd.api.types.is_numeric_dtype(some):  # thousands of columns of short codes are soon looked through
        some = some[(some % 1 != 0) | (some.abs() >= 1000)]
    place, distinct = pd.factorize(some)  # answers repeat
    sample: Counter[str] = Counter()
    for value, times in zip(distinct, np.bincount(place, minlength=len(distinct)).tolist(), strict=True):
        text = value.strip() if isinstance(value, str) else canonical_code(value)
        if len(text) >= 5 or DECIMAL.match(text) or sum(map(str.isalpha, text)) >= 2:
            sample[text] += times
    return sample


def _matches(form: Form, sample: Counter[str]) -> int:
    return sum(times for text, times in sample.items() if form(text))


def _are_few(sample: Counter[str]) -> bool:
    """Whether the values repeat as codes and their labels do."""
    return len(sample) <= min(FEW, SHARE * sample.total())


def _by_content(name: str, sample: Counter[str], few: bool) -> Identifier | None:
    looked_at = sample.total()
    found: Counter[str] = Counter()
    for text, times in sample.items():
        found.update(dict.fromkeys(certain_kinds(text), times))
    for kind in CERTAIN:
        matches = found[kind]
        # One in ten numbers has a right check digit by chance: a column of identifiers has hardly a wrong one.
        if matches >= (0.9 if kind in {"device", "bank account or card", "identity document"} else SHARE) * looked_at and not (
            few and kind == "web page or handle"
        ):
            return Identifier(name, kind, f"{matches:,} of {looked_at:,} values looked at have its form", matches)
    if few or looked_at < ENOUGH:
        return None
    different = len(sample) / looked_at
    values = list(sample.elements())
    if different > 0.9 and _are_dialled(values):
        return Identifier(name, "telephone number", "its values are long numbers without order", looked_at)
    if _are_births(values):
        return Identifier(name, "date of birth", "its values are days over more than thirty years", looked_at)
    namelike = _matches(lambda text: bool(NAMELIKE.match(text)), sample)
    if different > 0.8 and namelike > 0.8 * looked_at and np.median([len(v) for v in values]) <= LONG:
        return Identifier(name, "person's name", f"{namelike:,} of {looked_at:,} values looked at are two to five words", namelike)
    return None


def _are_dialled(sample: list[str]) -> bool:
    """Whether numbers are as people's telephones are: 9 to 13 digits, of much the same length and beginning, the last at random.

    Numbers of households and respondents count up, or end in few different ways.
    """
    numbers = [digits for value in sample if 9 <= len(digits := digits_of(value)) <= 13]
    if len(numbers) < 0.9 * len(sample):
        return False
    counted = np.array([int(number) for number in numbers], dtype=np.float64)
    if _are_moments(counted):
        return False
    dense = counted.max() - counted.min() < 50 * len(numbers)
    last = pd.Series([int(number[-2:]) for number in numbers]).value_counts().reindex(range(100), fill_value=0)
    expected = len(numbers) / 100
    spread = ((last - expected) ** 2 / expected).sum()  # chi-squared, 99 degrees of freedom: 180 is far out
    usual = pd.Series([len(number) for number in numbers]).value_counts(normalize=True)
    return not dense and spread < 180 and usual.iloc[:2].sum() > 0.9 and pd.Series([n[0] for n in numbers]).nunique() <= 3


def _are_moments(numbers: np.ndarray) -> bool:
    """Whether numbers are moments of 1990 to 2040 within two years, as programs hold them: SPSS in seconds since 14 October 1582,
    Stata in milliseconds since 1960."""
    year = 31_557_600.0
    return any(
        (numbers > (1990 - start) * year * unit).all()
        and (numbers < (2040 - start) * year * unit).all()
        and np.ptp(numbers) < 2 * year * unit
        for start, unit in ((1582.79, 1), (1960, 1000))
    )


def _are_births(sample: list[str]) -> bool:
    """Whether values are days, as old and as far apart as birthdays of adults."""
    years = [int(year[0]) for value in sample if DATE.match(value) and (year := re.search(r"(?:19|20)\d\d", value))]
    return len(years) > 0.9 * len(sample) and float(np.ptp(np.percentile(years, [2.5, 97.5]))) > 30
