"""Whether two surveys have the same respondents with the same answers: a file in the wrong folder, or last round's columns.

Belongs here: comparing respondents of two surveys. Not here: which surveys are compared (``assets.repeats``), reading them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import Problem
from rga.microdata.catalogue import Catalogue
from rga.quality.finding import Finding, some
from rga.quality.thresholds import SameRespondents
from rga.survey.design import SEX

CHECK = "same_respondents"


@dataclass(frozen=True)
class Answers:
    """A survey's answers as hashes, a row per respondent: ``ids`` and ``panel`` (0: outside the panel), ``cells`` by harmonised
    column (``blank`` of a column with no answer). ``asked`` are columns of questions, as against who the respondent is."""

    survey_id: str
    ids: np.ndarray
    panel: np.ndarray
    cells: dict[str, np.ndarray]
    filled: dict[str, np.ndarray]
    asked: frozenset[str]

    def __len__(self) -> int:
        return len(self.ids)


def answers_of(survey_id: str, frame: pd.DataFrame, given: Collection[str], catalogue: Catalogue) -> Answers:
    """``frame`` is that of `Respondents`, ``given`` the harmonised columns that the survey has. What breakdowns cross, what
    that is derived from, and the rest of the module of `sex` say who somebody is, and may well stay as they are."""
    who = set(catalogue.dimensions) | catalogue.sources(set(catalogue.dimensions), given)
    module = catalogue.columns[SEX].module if SEX in catalogue.columns else None
    who |= {name for name, variable in catalogue.columns.items() if variable.module == module}
    columns = sorted(name for name in given if name in frame and frame[name].notna().any())
    panel = _hashed(frame["panel_id"])
    return Answers(
        survey_id,
        _hashed(frame["respondent_id"]),
        np.where(frame["panel_id"].notna(), panel, np.uint64(0)),
        {name: _hashed(frame[name]) for name in columns},
        {name: frame[name].notna().to_numpy() for name in columns},
        frozenset(name for name in columns if name not in who and frame[name].nunique() > 1),
    )


def _hashed(values: pd.Series) -> np.ndarray:
    return pd.util.hash_pandas_object(values, index=False).to_numpy(dtype=np.uint64)


@dataclass(frozen=True)
class Likeness:
    """``matched`` pairs of respondents, by their ids or by their answers; ``same`` of them with the same answers to all ``common``
    columns; ``repeated`` are questions that nearly all who were matched by id answered alike, though answers differ."""

    matched: int
    same: int
    asked: int
    complete: bool
    repeated: list[str]


def compare(one: Answers, other: Answers, limits: SameRespondents) -> Likeness:
    """How much of ``one`` is in ``other``. The weight is no answer: the same answers under two weights are the same twice."""
    common = sorted(set(one.cells) & set(other.cells))
    asked = [name for name in common if name in one.asked and name in other.asked]
    if not asked:
        return Likeness(0, 0, 0, False, [])
    keys = (one.panel, other.panel) if (one.panel > 0).any() and (other.panel > 0).any() else (one.ids, other.ids)
    _, here, there = np.intersect1d(*keys, return_indices=True)
    inside = keys[0][here] > 0
    here, there = here[inside], there[inside]
    rows = [_rows(survey, common) for survey in (one, other)]
    matched, same = len(here), int((rows[0][here] == rows[1][there]).sum())
    by_answers = _found_again(*rows, *(_telling(survey, common, limits) for survey in (one, other)))
    if by_answers > same:  # ids may have been given anew
        matched, same = min(len(one), len(other)), by_answers
    largest = max(len(one.asked), len(other.asked))
    complete = len(one) == len(other) == same and 2 * len(asked) >= largest
    repeated = [name for name in asked if _is_repeated(one, other, name, here, there, limits)]
    return Likeness(matched, same, len(asked), complete, repeated)


def _rows(survey: Answers, columns: list[str]) -> np.ndarray:
    """One hash of each respondent's answers to ``columns``."""
    total = np.zeros(len(survey), dtype=np.uint64)
    for name in columns:
        total = total * np.uint64(0x100000001B3) ^ survey.cells[name]
    return total


def _telling(survey: Answers, columns: list[str], limits: SameRespondents) -> np.ndarray:
    """Respondents with so many answers that nobody else has the same by chance."""
    filled = np.zeros(len(survey), dtype=int)
    for name in columns:
        filled += survey.filled[name]
    return filled >= limits.least_answers


def _found_again(one: np.ndarray, other: np.ndarray, telling: np.ndarray, others_telling: np.ndarray) -> int:
    values, times = np.unique(one[telling], return_counts=True)
    others, others_times = np.unique(other[others_telling], return_counts=True)
    _, here, there = np.intersect1d(values, others, return_indices=True)
    return int(np.minimum(times[here], others_times[there]).sum())


def _is_repeated(one: Answers, other: Answers, name: str, here: np.ndarray, there: np.ndarray, limits: SameRespondents) -> bool:
    """Whether those who answered ``name`` twice answered alike far beyond chance, by Cohen's (1960) kappa."""
    both = one.filled[name][here] & other.filled[name][there]
    first, second = one.cells[name][here][both], other.cells[name][there][both]
    if len(first) < limits.least_matched:
        return False
    alike = float((first == second).mean())
    values, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    shares = [np.bincount(part, minlength=len(values)) / len(first) for part in np.split(places, 2)]
    by_chance = float(shares[0] @ shares[1])
    return by_chance < 1 - 1e-9 and (alike - by_chance) / (1 - by_chance) >= limits.largest_kappa


def twice(one: str, other: str, respondents: int) -> Problem:
    """What is wrong where ``one`` is ``other`` again."""
    what = f"{respondents:,} respondents, all of them, are those of {other}, with the same answers: they would be counted twice"
    remedy = (
        "one of the two has the other's file or columns: put the right file into its folder; or, where one file serves several "
        "rounds, map this round's columns and select its rows in `respondents:`"
    )
    return Problem(what, remedy, f"{one.replace('_', '/')}/survey.yaml", check=CHECK)


def repeats(one: Answers, other: Answers, limits: SameRespondents) -> list[Finding]:
    """Flags of ``one``, which comes after ``other`` or has part of its files."""
    found = compare(one, other, limits)
    share = 100 * found.same / found.matched if found.matched else 0.0
    findings: list[Finding] = []
    if found.complete:  # an error, and told as one
        return findings
    enough = found.matched >= limits.least_matched and found.asked >= limits.least_asked
    if enough and share > limits.largest_share:
        message = (
            f"{found.same:,} of {found.matched:,} respondents who are in {other.survey_id} too gave the same answers throughout"
        )
        remedy = "are columns or rows another round's or country's? Name this survey's"
        findings.append(Finding(CHECK, "flag", message, remedy, rows=found.same, share=share))
    if found.repeated and not findings:
        message = f"answers are the same as in {other.survey_id} for nearly all who are in both: {some(found.repeated)}"
        remedy = "are these columns the other round's? Where the answers were only carried over, leave them out of this round"
        findings.append(Finding(CHECK, "flag", message, remedy, rows=found.matched))
    return findings
