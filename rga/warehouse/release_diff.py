"""What differs between two releases, and why, from their files alone.

Belongs here: rows added, gone and changed; which input of a survey changed. Not here: what two releases give away together
(``disclosure_audit``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pandas as pd

from rga.warehouse.descriptive_tables import INPUTS
from rga.warehouse.schema import literal, quoted

SIDES = ("older", "newer")
COUNTS = ["added", "gone", "changed"]
BEYOND = 1e-9  # a number that differs by less, relative to its size (or to 1 where it is smaller), is the same
NUMERIC = ("DOUBLE", "FLOAT", "DECIMAL")
OF_EVERY_BUILD = {"release": ("release_id", "created"), "surveys": ("built",)}


def table_differences(older: Path, newer: Path) -> pd.DataFrame:
    """Rows ``added``, ``gone`` and ``changed`` by ``table`` and, where it has one, ``survey_id``; only where there are any.

    A row is changed where a column that both releases have holds another text or a number that differs beyond 1e-9. Times and
    identifiers that every build makes anew are not compared.
    """
    with attached(older, newer) as connection:
        shared = sorted(set(_tables(connection, "older")) & set(_tables(connection, "newer")))
        found = [_differences(connection, name) for name in shared]
    frame = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["table", "survey_id", *COUNTS])
    return frame[frame[COUNTS].sum(axis=1) > 0].reset_index(drop=True)


def reasons(older: Path, newer: Path) -> dict[str, list[str]]:
    """By survey that differs, why: `new`, `gone`, `status`, or which of its `INPUTS` is another. Under the key ``""``, what differs
    beside the surveys: the software's version, the code that makes releases, or else the evidence that is no survey."""
    with attached(older, newer) as connection:
        old, new = (connection.execute(f"SELECT * FROM {side}.surveys").df().set_index("survey_id") for side in SIDES)
        before, after = (connection.execute(f"SELECT * FROM {side}.release").df().iloc[0].astype(str) for side in SIDES)
    found: dict[str, list[str]] = {}
    for key in sorted({*old.index, *new.index}):
        if key not in old.index or key not in new.index:
            found[key] = ["new" if key in new.index else "gone"]
        elif why := _causes(old.loc[key].astype(str), new.loc[key].astype(str)):
            found[key] = why
    if before["code_version"] != after["code_version"]:
        found[""] = [f"version of the software: {before['code_version']}, then {after['code_version']}"]
    elif before.get("code_hash") != after.get("code_hash"):
        found[""] = ["code that makes releases"]
    elif before["fingerprint"] != after["fingerprint"] and not found:
        found[""] = ["search interest, or a file of the catalogue that no number depends on"]
    return found


def _causes(old: pd.Series, new: pd.Series) -> list[str]:
    """Why a survey's rows may differ between two releases that have it."""
    found = [kind for kind in INPUTS if old.get(f"{kind}_hash") != new.get(f"{kind}_hash")]
    if any(f"{kind}_hash" not in row for row in (old, new) for kind in INPUTS):
        found = ["not known: one of the releases does not say what it was made from"] * (old["fingerprint"] != new["fingerprint"])
    return found + ["status"] * (old["status"] != new["status"])


def attached(older: Path, newer: Path) -> duckdb.DuckDBPyConnection:
    """A connection to both files, read-only, as the databases `older` and `newer`."""
    connection = duckdb.connect()
    for name, path in zip(SIDES, (older, newer), strict=True):
        connection.execute(f"ATTACH {literal(str(path))} AS {name} (READ_ONLY)").fetchall()
    return connection


def _tables(connection: duckdb.DuckDBPyConnection, side: str) -> list[str]:
    query = "SELECT table_name FROM duckdb_tables() WHERE database_name = ? AND NOT internal"
    return [name for (name,) in connection.execute(query, [side]).fetchall()]


def _columns(connection: duckdb.DuckDBPyConnection, side: str, table: str) -> dict[str, str]:
    return {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {side}.{quoted(table)}").fetchall()}


def _key(connection: duckdb.DuckDBPyConnection, side: str, table: str) -> list[str]:
    query = """SELECT constraint_column_names FROM duckdb_constraints()
               WHERE database_name = ? AND table_name = ? AND constraint_type = 'PRIMARY KEY'"""
    return list(connection.execute(query, [side, table]).fetchall()[0][0])


def _differences(connection: duckdb.DuckDBPyConnection, table: str) -> pd.DataFrame:
    old, new = (_columns(connection, side, table) for side in SIDES)
    shared = [name for name in new if name in old and name not in OF_EVERY_BUILD.get(table, ())]
    key = [name for name in _key(connection, "newer", table) if name in shared]
    survey = "coalesce(a.survey_id, b.survey_id)" if "survey_id" in shared else "''"
    other = " OR ".join(_differ(name, new[name], old[name]) for name in shared if name not in key) or "FALSE"
    frame = connection.execute(f"""
        WITH a AS ({_rows("older", table, shared, old)}), b AS ({_rows("newer", table, shared, new)})
        SELECT {survey} AS survey_id, count(*) FILTER (a.here IS NULL) AS added, count(*) FILTER (b.here IS NULL) AS gone,
               count(*) FILTER (a.here AND b.here AND ({other})) AS changed
        FROM a FULL JOIN b ON {" AND ".join(f"a.{quoted(name)} = b.{quoted(name)}" for name in key) or "TRUE"}
        GROUP BY 1 ORDER BY 1""").df()
    return frame.assign(table=table)[["table", "survey_id", *COUNTS]]


def _rows(side: str, table: str, columns: Sequence[str], types: dict[str, str]) -> str:
    """Enumerations of two files are of different types: texts are not."""
    plain = [f"{quoted(name)}::VARCHAR AS {quoted(name)}" if types[name].startswith("ENUM") else quoted(name) for name in columns]
    return f"SELECT {', '.join([*plain, 'TRUE AS here'])} FROM {side}.{quoted(table)}"


def _differ(name: str, new: str, old: str) -> str:
    a, b = f"a.{quoted(name)}", f"b.{quoted(name)}"
    if not (new.startswith(NUMERIC) and old.startswith(NUMERIC)):
        return f"{a}::VARCHAR IS DISTINCT FROM {b}::VARCHAR"
    return f"({a} IS NULL <> ({b} IS NULL) OR abs({a} - {b}) > {BEYOND} * greatest(1, abs({a})))"
