"""What a microdata file says of itself: columns with labels, value labels, how often each code occurs.

Belongs here: facts. Not here: what they may mean (``matching``, ``design``). A column that identifies people by its name or label
is not read; values are kept where they are few enough to be codes, and of all others only counts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.codes import canonical_code
from rga.microdata.harmonise import are_private, as_number
from rga.microdata.identifiers import identifier
from rga.microdata.readers import column_names, file_labels, read_columns
from rga.onboarding.forms import Form

MOST_VALUES = 2000  # different values that are counted one by one
BLOCK = 500  # columns read at a time
LIKE_CODES = 0.95


@dataclass(frozen=True)
class Column:
    """One column of a file. ``values`` are its value labels by code; ``counts`` rows by code (empty where there are too many
    different values); ``low``, ``high`` and ``whole`` (share of whole numbers) are of a column of numbers; ``identifies`` says
    which direct identifier it is; ``unique`` that no two rows share a value."""

    name: str
    file: str
    place: int
    label: str = ""
    values: dict[str, str] = None  # type: ignore[assignment]
    counts: dict[str, int] = None  # type: ignore[assignment]
    rows: int = 0
    blank: int = 0
    distinct: int = 0
    low: float | None = None
    high: float | None = None
    whole: float = 0.0
    unique: bool = False
    identifies: str = ""
    note: str = ""

    @property
    def numeric(self) -> bool:
        return self.low is not None

    @property
    def private(self) -> bool:
        """Whether unlabelled values are people's own words rather than codes, and must not be shown."""
        return not self.counts or are_private({c: n for c, n in self.counts.items() if c not in self.values})


@dataclass(frozen=True)
class FileFacts:
    """A file: ``title`` is what it calls itself."""

    path: Path
    rows: int
    columns: list[Column]
    title: str = ""

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)


def read_facts(path: Path, key: str = "respondents", form: Form | None = None) -> FileFacts:
    """Facts of every column of ``path``, with the labels of its ``form``. Raises InputError: unreadable, or no rows."""
    names = column_names(path)
    title, labels, values = file_labels(path)
    of_form = form.identifiers(names) if form else {}
    columns: dict[str, Column] = {}
    for place, name in enumerate(names):
        label = " ".join((labels.get(name) or "").split())
        columns[name] = Column(name, key, place, label, values.get(name, {}), {}, identifies=of_form.get(name, ""))
    read = [name for name, column in columns.items() if not column.identifies]
    rows = 0
    block = len(read) if path.suffix.lower() == ".xlsx" else BLOCK
    for start in range(0, len(read), block or 1):
        frame = read_columns(path, read[start : start + block])
        rows = len(frame)
        for name in frame.columns:
            columns[str(name)] = _counted(columns[str(name)], frame[name])
    if read and not rows:
        raise InputError(Problem("has no rows", "ask the producer for the file with its respondents", file=path.name))
    return FileFacts(path, rows, [replace(_with_form(column, form), rows=rows) for column in columns.values()], title)


def _counted(column: Column, given: pd.Series) -> Column:
    counts: dict[str, int] = {}
    blank = int(given.isna().sum())
    for value, rows in given.value_counts(sort=False).items():
        code = canonical_code(value)
        if code == "":
            blank += rows
        else:
            counts[code] = counts.get(code, 0) + int(rows)
    numbers, unread = as_number(given.mask(given.astype("string").str.fullmatch(r"\.[a-z]").fillna(False).astype(bool)))
    known = numbers.dropna()
    is_number = len(known) > 0 and (not unread.any() or unread.sum() < 0.2 * len(known))
    facts = replace(
        column,
        blank=blank,
        distinct=len(counts),
        unique=len(counts) > 1 and len(counts) == len(given) - blank and blank == 0,
        low=float(known.min()) if is_number else None,
        high=float(known.max()) if is_number else None,
        whole=float((known == known.round()).mean()) if is_number else 0.0,
        identifies=column.identifies or (found.kind if (found := identifier(column.name, column.label, given)) else ""),
    )
    return replace(facts, counts=counts if len(counts) <= MOST_VALUES and not facts.identifies else {})


def _with_form(column: Column, form: Form | None) -> Column:
    """``column`` with the form's labels where the file has none of its own."""
    if form is None or column.identifies:
        return column
    label, values = form.labels(column.name, list(column.counts))
    return replace(column, label=column.label or label, values=column.values or values)
