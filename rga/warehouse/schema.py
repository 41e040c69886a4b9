"""How a published table is described, and its DDL.

Belongs here: columns, keys, constraints, comments as data. Not here: which tables there are (``tables``).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    """``type`` is DuckDB's; ``check`` an SQL condition on the row."""

    name: str
    type: str
    comment: str
    nullable: bool = False
    check: str = ""


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


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
