"""Files between the stages: Parquet per survey and table, and the manifest of what was built from what.

Belongs here: paths, whole-or-nothing writes, the lock. Not here: the release.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rga.errors import InputError, Problem
from rga.warehouse import restricted

RESTRICTED = ("respondents", "weights")


class Staging:
    """The folders of one warehouse."""

    def __init__(self, warehouse: Path) -> None:
        self.warehouse = Path(warehouse)

    def restricted(self, name: str, survey_id: str) -> Path:
        """Parquet of respondents or weights, for the owner only."""
        return self.warehouse / "restricted" / name / f"{survey_id}.parquet"

    def table(self, name: str, survey_id: str) -> Path:
        """Parquet of one survey's rows of a published table."""
        return self.warehouse / "staging" / name / f"{survey_id}.parquet"

    def write(self, frame: pd.DataFrame, path: Path) -> None:
        """Write whole or not at all: a temporary name beside it, fsync, then rename."""
        table = pa.Table.from_pandas(frame, preserve_index=False)
        if path.is_relative_to(self.warehouse / "restricted"):
            restricted.make_folders(path)
            self._write_bytes(path, restricted.as_parquet(table, path), restricted.OWNER_ONLY_FILE)
            return
        sink = io.BytesIO()
        pq.write_table(table, sink, compression="zstd")
        self._write_bytes(path, sink.getvalue(), 0o644)

    def _write_bytes(self, path: Path, content: bytes, mode: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                if mode == restricted.OWNER_ONLY_FILE:
                    os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(path.parent)

    def read(self, name: str, survey_ids: Sequence[str], columns: list[str] | None = None) -> pd.DataFrame:
        """Rows of a staged table for those of ``survey_ids`` that have some; all columns, or those of the ones asked for that it
        has."""
        paths = [path for key in survey_ids if (path := self.table(name, key)).is_file()]
        found = [table for path in paths if len(table := pq.ParquetFile(path).read(columns, use_threads=False))]  # small files
        return pa.concat_tables(found, promote_options="permissive").to_pandas() if found else pd.DataFrame()

    def read_restricted(self, name: str, survey_id: str) -> pd.DataFrame:
        """Respondents or weights of one survey. Raises InputError where they are encrypted and the key does not fit."""
        return restricted.read_table(self.restricted(name, survey_id)).to_pandas()

    def restricted_views(self, connection: duckdb.DuckDBPyConnection, survey_ids: Sequence[str]) -> None:
        """Views `respondents` and `weights` of ``survey_ids``, encrypted or not. Raises InputError where a key does not fit."""
        for name in RESTRICTED:
            restricted.create_view(connection, name, [self.restricted(name, key) for key in survey_ids])

    def protect(self) -> None:
        """Respondents for the owner only, and nothing left that a killed process wrote in part: for the one who holds the lock.
        Raises InputError where they are encrypted and the key does not fit."""
        for folder in ("restricted", "staging"):
            for path in (self.warehouse / folder).glob("*/.*.parquet.*"):
                path.unlink(missing_ok=True)
        self.forget_pending()
        restricted.protect(self.warehouse / "restricted")

    def pending(self) -> Staging:
        """A place of the same shape for a survey that is yet to be judged; encrypted files keep their names, and so their keys."""
        return Staging(self.warehouse / "pending")

    def take_over(self, survey_id: str) -> None:
        """Move what is pending of a survey to where it is read."""
        pending = self.pending().warehouse
        for path in sorted(pending.glob(f"*/*/{survey_id}.parquet")):
            target = self.warehouse / path.relative_to(pending)
            if target.is_relative_to(self.warehouse / "restricted"):
                restricted.make_folders(target)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)
            sync_folder(target.parent)

    def forget_pending(self) -> None:
        """Remove what is pending."""
        shutil.rmtree(self.pending().warehouse, ignore_errors=True)

    def remove(self, survey_id: str) -> None:
        """Remove all that is staged of a survey, respondents included, and its entry of the manifest."""
        self.update_manifest(survey_id, None)
        for folder in (self.warehouse / "restricted", self.warehouse / "staging"):
            for path in folder.glob(f"*/{survey_id}.parquet"):
                path.unlink()

    @property
    def manifest_path(self) -> Path:
        return self.warehouse / "staging" / "manifest.json"

    def manifest(self) -> dict[str, dict[str, Any]]:
        """By survey: `fingerprint` and `built` of what is staged; `tried`, the fingerprint at the last try; `error` and
        `error_since` where that failed."""
        if not self.manifest_path.is_file():
            return {}
        return json.loads(self.manifest_path.read_text(encoding="utf-8"))

    def update_manifest(self, survey_id: str, entry: dict[str, Any] | None) -> None:
        """Replace one survey's entry (None removes it), the file whole or not at all."""
        self.write_manifest(self.manifest() | {survey_id: entry})

    def write_manifest(self, manifest: Mapping[str, dict[str, Any] | None]) -> None:
        """Replace all entries (None removes one), the file whole or not at all."""
        kept = {key: value for key, value in sorted(manifest.items()) if value is not None}
        self._write_bytes(self.manifest_path, json.dumps(kept, indent=1).encode(), 0o644)

    def is_complete(self, survey_id: str) -> bool:
        """Whether the survey's respondents and weights are there, and encrypted where there is a key."""
        paths = [self.restricted(name, survey_id) for name in RESTRICTED]
        return all(path.is_file() for path in paths) and (restricted.key() is None or all(map(restricted.is_encrypted, paths)))

    @contextmanager
    def lock(self) -> Iterator[None]:
        """One build at a time. Raises InputError where another holds the warehouse."""
        self.warehouse.mkdir(parents=True, exist_ok=True)
        with (self.warehouse / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise InputError(
                    Problem(f"another build (process {holder}) is at work in {self.warehouse}", "wait for it to end")
                ) from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            try:
                yield
            finally:
                file.truncate(0)


def sync_folder(folder: Path) -> None:
    """Make renames in ``folder`` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
