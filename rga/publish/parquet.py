"""A release as Parquet files, one per table.

Belongs here: the copy and the note that goes with it. Not here: any change to the numbers.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from rga.warehouse.schema import literal


def export_parquet(release: Path, target: Path) -> list[Path]:
    """Write each table of ``release`` to ``target``/<table>.parquet, and README.txt saying which release it is."""
    target.mkdir(parents=True, exist_ok=True)
    written = []
    with duckdb.connect(str(release), read_only=True) as connection:
        query = "SELECT table_name, comment FROM duckdb_tables() WHERE NOT internal ORDER BY table_name"
        listed = connection.execute(query).fetchall()
        release_id, simulated = connection.execute("SELECT release_id, simulated FROM release").fetchall()[0]
        cited = [row[0] for row in connection.execute("SELECT DISTINCT citation FROM surveys ORDER BY 1").fetchall()]
        for name, _ in listed:
            path = target / f"{name}.parquet"
            temporary = path.with_name(f".{path.name}")
            connection.execute(f"COPY {name} TO {literal(str(temporary))} (FORMAT parquet, COMPRESSION zstd)").fetchall()
            temporary.replace(path)
            written.append(path)
    lines = [f"Release {release_id}. Simulated surveys: {simulated}.", "", *(f"{n}.parquet: {c}" for n, c in listed), ""]
    (target / "README.txt").write_text("\n".join([*lines, "Cite:", *cited, ""]), encoding="utf-8")
    return written
