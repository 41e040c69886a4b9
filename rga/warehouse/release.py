"""Releases: built beside the live one, verified, then switched to.

Belongs here: the DuckDB file's life from first row to link. Not here: rows (``staging``), checks (``verify``).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa

from rga.errors import InputError, Problem, ReleaseError
from rga.warehouse import change_tables
from rga.warehouse.attack.findings import Findings, findings
from rga.warehouse.publication_columns import PUBLICATION_TYPES
from rga.warehouse.schema import Table, literal, quoted
from rga.warehouse.staging import sync_folder
from rga.warehouse.tables import tables
from rga.warehouse.verify import Check, verify
from rga.warehouse.views import create_views

KEPT = 10
THREADS = 2  # tables read, and written, at once: the largest takes as long as all others
TYPES = {
    "statistic": ("share", "mean", "median", "total"),
    "obs_status": ("A", "U", "Q"),
    "conf_status": ("F", "C"),
    "verdict": ("women worse", "men worse", "women higher", "men higher", "no clear gap", "too few cases", "withheld"),
    **PUBLICATION_TYPES,
    "sample_type": ("probability", "non_probability"),
    "survey_status": ("current", "stale", "held"),
    "coverage_status": ("asked", "not_asked", "altered"),
    **change_tables.TYPES,
    "adjustment_status": ("ok", "collinear", "too_few", "separation", "not_converged"),
}


@dataclass(frozen=True)
class Release:
    """A published file: ``rows`` by table, and the checks it passed."""

    id: str
    path: Path
    rows: dict[str, int]
    checks: list[Check]


def build_release(
    warehouse: Path, frames: Mapping[str, pd.DataFrame], dimensions: Sequence[str], created: datetime, fingerprint: str
) -> Release:
    """Build a release of ``frames`` (by table) and switch the link `rga.duckdb` to it.

    Raises ReleaseError, with the live release untouched, where a row breaks the schema or a check fails.
    """
    release_id = f"{created:%Y%m%dT%H%M%SZ}-{fingerprint[:8]}"
    folder = warehouse / "releases"
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"rga-{release_id}.duckdb"
    temporary = folder / f".{final.name}.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    schema = tables(dimensions)
    try:
        rows = _write(temporary, schema, frames)
        checks = verify(temporary, schema, rows, _attacked(temporary))
        if failed := [check for check in checks if not check.passed]:
            raise ReleaseError("the release was not published: " + "; ".join(f"{c.name} ({c.detail})" for c in failed))
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o444)
        os.replace(temporary, final)
    finally:
        for leftover in (temporary, temporary.with_name(temporary.name + ".wal")):
            leftover.unlink(missing_ok=True)
    switch(warehouse, release_id)
    for old in list_releases(warehouse)[:-KEPT]:
        if old != live_release(warehouse):
            release_path(warehouse, old).unlink()
    return Release(release_id, final, rows, checks)


def _write(path: Path, schema: list[Table], frames: Mapping[str, pd.DataFrame]) -> dict[str, int]:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH {literal(str(path))} AS release (STORAGE_VERSION 'v1.0.0')").fetchall()
        connection.execute("USE release").fetchall()
        create_tables(connection, schema)
        with ThreadPoolExecutor(THREADS) as pool:
            rows = dict(pool.map(partial(_fill, connection, frames), sorted(schema, key=lambda t: -len(frames.get(t.name, ())))))
        create_views(connection, _codes(frames), schema)
        connection.execute("USE memory").fetchall()
        connection.execute("DETACH release").fetchall()
    return rows


def _attacked(path: Path) -> Findings:
    """What an attacker who reads the file finds; how much he looked at is written into it."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = findings(connection)
    with duckdb.connect(str(path)) as connection:
        said = [found.hidden, found.unfinished]
        connection.execute("UPDATE release SET hidden_cells = ?, attack_unfinished = ?", said).fetchall()
    return found


def create_tables(connection: duckdb.DuckDBPyConnection, schema: list[Table]) -> None:
    """Create the tables of ``schema``, without rows and keys, and the types that their columns have."""
    for name, values in TYPES.items():
        connection.execute(f"CREATE TYPE {name} AS ENUM ({', '.join(literal(v) for v in values)})").fetchall()
    connection.execute("BEGIN").fetchall()  # a commit for each of hundreds of comments takes half a second
    for statement in [statement for table in schema for statement in table.ddl()]:
        connection.execute(statement).fetchall()
    connection.execute("COMMIT").fetchall()


def _fill(database: duckdb.DuckDBPyConnection, frames: Mapping[str, pd.DataFrame], table: Table) -> tuple[str, int]:
    """Insert a table's rows and build its key, on a connection of its own; its name, and how many rows."""
    frame = frames.get(table.name, pd.DataFrame())
    frame = table.as_printed(frame)
    if len(frame) and (unknown := set(frame.columns) ^ set(table.names)):
        raise ReleaseError(f"table {table.name}: columns do not match the schema: {', '.join(sorted(unknown))}")
    with database.cursor() as connection:
        connection.execute("USE release").fetchall()
        try:
            if len(frame):
                # by way of Arrow: read several times as fast, and NaN is null
                connection.register("incoming", pa.Table.from_pandas(frame, preserve_index=False))
                key = ", ".join(quoted(name) for name in table.key)
                connection.execute(f"INSERT INTO {table.name} BY NAME FROM incoming ORDER BY {key}").fetchall()
            connection.execute(table.primary_key()).fetchall()
        except (duckdb.Error, pa.ArrowException) as error:
            raise ReleaseError(f"table {table.name}: {str(error).splitlines()[0]}") from None
    return table.name, len(frame)


def _codes(frames: Mapping[str, pd.DataFrame]) -> list[str]:
    """The indicators of a release, in the catalogue's order."""
    return list(frames["indicators"]["indicator"]) if "indicators" in frames else []


def release_path(warehouse: Path, release_id: str) -> Path:
    return warehouse / "releases" / f"rga-{release_id}.duckdb"


def list_releases(warehouse: Path) -> list[str]:
    """Identifiers of the releases that are kept, oldest first."""
    return sorted(p.stem.removeprefix("rga-") for p in (warehouse / "releases").glob("rga-*.duckdb"))


def live_release(warehouse: Path) -> str | None:
    """Identifier of the release that `rga.duckdb` links to; None before the first."""
    link = warehouse / "rga.duckdb"
    return Path(os.readlink(link)).stem.removeprefix("rga-") if link.is_symlink() and link.exists() else None


def switch(warehouse: Path, release_id: str) -> None:
    """Point `rga.duckdb` at a release. Raises InputError where there is none of that name."""
    if not release_path(warehouse, release_id).is_file():
        known = ", ".join(list_releases(warehouse)[-5:]) or "none"
        raise InputError(Problem(f"there is no release {release_id}", f"releases: {known}"))
    temporary = warehouse / f".rga.duckdb.{os.getpid()}"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(Path("releases") / f"rga-{release_id}.duckdb")
    os.replace(temporary, warehouse / "rga.duckdb")
    sync_folder(warehouse)


def remove(warehouse: Path, release_id: str) -> None:
    """Delete a release's file. Raises InputError where it is the live one, or there is none of that name."""
    path = release_path(warehouse, release_id)
    if release_id == live_release(warehouse):
        raise InputError(Problem(f"release {release_id} is the live one", "make another live with `rga releases rollback` first"))
    if not path.is_file():
        raise InputError(Problem(f"there is no release {release_id}", f"releases: {', '.join(list_releases(warehouse)) or 'none'}"))
    path.unlink()


def release_facts(warehouse: Path, release_id: str) -> dict[str, Any]:
    """The release's row of table `release`."""
    with duckdb.connect(str(release_path(warehouse, release_id)), read_only=True) as connection:
        frame = connection.execute("SELECT * FROM release").df()
    return {str(name): value for name, value in frame.iloc[0].items()}
