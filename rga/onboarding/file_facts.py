"""What a microdata file says of itself: columns with labels, value labels, how often each code occurs.

Belongs here: facts. Not here: what they may mean (``matching``, ``design``). A column that identifies people by its name or label
is not read; values are kept where they are few enough to be codes, and of all others only counts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path

import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.codes import canonical_code
from rga.microdata.forms import Form
from rga.microdata.harmonise import are_private
from rga.microdata.identifiers import identifier
from rga.microdata.readers import column_names, file_labels, read_columns

MOST_VALUES = 2000  # different values that are counted one by one
CELLS = 6_000_000  # read at a time
_LETTER = re.compile(r"^\.[a-z]$")  # a missing value of Stata or SAS


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
        label = " ".join((labels.get(name) or (form.labels(name, [])[0] if form else "")).split())
        columns[name] = Column(name, key, place, label, values.get(name, {}), {}, identifies=of_form.get(name, ""))
    read = [name for name, column in columns.items() if not column.identifies]
    rows = len(read_columns(path, read[:1])) if read else 0
    # a text file is parsed whole for each block of columns, so blocks are as large as memory allows
    block = len(read) if path.suffix.lower() == ".xlsx" else max(1, CELLS // max(1, rows))
    for start in range(0, len(read) if rows else 0, max(1, block)):
        frame = read_columns(path, read[start : start + block])
        for name in frame.columns:
            columns[str(name)] = counted(columns[str(name)], frame[name])
    if read and not rows:
        raise InputError(Problem("has no rows", "ask the producer for the file with its respondents", file=path.name))
    return FileFacts(path, rows, [replace(_with_form(column, form), rows=rows) for column in columns.values()], title)


def counted(column: Column, given: pd.Series) -> Column:
    """``column`` with what the values ``given`` are, from the distinct ones: these are few where there is much to say of them."""
    found = given.value_counts(sort=False)
    counts: dict[str, int] = {}
    for value, rows in zip(found.index, found.to_numpy(), strict=True):
        code = canonical_code(value)
        counts[code] = counts.get(code, 0) + int(rows)
    counts.pop("", None)
    filled = sum(counts.values())
    numbers = [(value, rows) for code, rows in counts.items() if (value := as_float(code)) is not None]
    numeric = sum(rows for _, rows in numbers)
    other = sum(rows for code, rows in counts.items() if as_float(code) is None and not _LETTER.match(code))
    is_number = numeric > 0 and other < 0.2 * numeric
    identifies = column.identifies or (told.kind if (told := identifier(column.name, column.label, given)) else "")
    return replace(
        column,
        counts=counts if len(counts) <= MOST_VALUES and not identifies else {},
        blank=len(given) - filled,
        distinct=len(counts),
        unique=len(counts) > 1 and len(counts) == len(given) == filled,
        low=min(value for value, _ in numbers) if is_number else None,
        high=max(value for value, _ in numbers) if is_number else None,
        whole=sum(rows for value, rows in numbers if value.is_integer()) / numeric if is_number else 0.0,
        identifies=identifies,
    )


def as_float(code: str) -> float | None:
    """A code as a finite number; None where it is none."""
    try:
        value = float(code)
    except ValueError:
        return None
    return value if isfinite(value) else None


def _with_form(column: Column, form: Form | None) -> Column:
    """``column`` with the form's labels where the file has none of its own."""
    if form is None or column.identifies:
        return column
    label, values = form.labels(column.name, list(column.counts))
    return replace(column, label=column.label or label, values=column.values or values)
