"""How a published table, view or macro is described, and its DDL.

Belongs here: columns, keys, constraints, comments as data. Not here: which there are (``tables``, ``views``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rga.survey.precision import to_digits

DIGITS = 4  # significant digits that a number is printed to, where its column does not say otherwise


@dataclass(frozen=True)
class Column:
    """``type`` is DuckDB's; ``check`` an SQL condition on the row. A DOUBLE is printed to so many significant ``digits``: what has
    more is rounded, whoever made it."""

    name: str
    type: str
    comment: str
    nullable: bool = False
    check: str = ""
    digits: int = DIGITS


@dataclass(frozen=True)
class Table:
    name: str
    comment: str
    columns: list[Column]
    key: list[str]
    checks: list[str] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def comments(self) -> dict[str, str]:
        """What each column is."""
        return {column.name: column.comment for column in self.columns}

    def as_printed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Rows of the table with no number of more digits than its column declares."""
        numbers = [column for column in self.columns if column.type == "DOUBLE" and column.name in frame]
        return frame.assign(
            **{c.name: to_digits(frame[c.name].to_numpy(dtype=np.float64, na_value=np.nan), c.digits) for c in numbers}
        )

    def ddl(self) -> list[str]:
        """CREATE TABLE, without its key; then a COMMENT for the table and for each column."""
        parts = [
            f'"{c.name}" {c.type}{"" if c.nullable else " NOT NULL"}{f" CHECK ({c.check})" if c.check else ""}'
            for c in self.columns
        ]
        parts += [f"CHECK ({condition})" for condition in self.checks]
        body = ",\n  ".join(parts)
        comments = [f"COMMENT ON COLUMN {self.name}.{quoted(c.name)} IS {literal(c.comment)}" for c in self.columns]
        return [
            f"CREATE TABLE {self.name} (\n  {body}\n)",
            f"COMMENT ON TABLE {self.name} IS {literal(self.comment)}",
            *comments,
        ]

    def primary_key(self) -> str:
        """For after the rows: an index is built of them all in half the time that row by row takes."""
        return f"ALTER TABLE {self.name} ADD PRIMARY KEY ({', '.join(quoted(name) for name in self.key)})"


@dataclass(frozen=True)
class View:
    """``sql`` is a SELECT; with ``parameters`` it is a table macro, called as `FROM name(...)`.

    ``about`` comments on columns; the others mean what they mean in table ``of``.
    """

    name: str
    comment: str
    sql: str
    parameters: tuple[str, ...] = ()
    of: str = ""
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def call(self) -> str:
        return f"{self.name}({', '.join(self.parameters)})" if self.parameters else self.name

    def ddl(self) -> list[str]:
        """CREATE, then COMMENT. Names are not qualified: a release is opened under names of the reader's choice."""
        kind = f"MACRO {self.call} AS TABLE" if self.parameters else f"VIEW {self.name} AS"
        what = "MACRO TABLE" if self.parameters else "VIEW"
        return [f"CREATE {kind} {self.sql}", f"COMMENT ON {what} {self.name} IS {literal(self.comment)}"]


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
