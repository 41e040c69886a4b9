"""What tests of the pipeline start from; each test that changes something works on a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from pipelines.build import BuildOutcome
from tests.pipeline.place import Place, fresh


@pytest.fixture
def release(programme: tuple[Path, BuildOutcome]) -> Iterator[duckdb.DuckDBPyConnection]:
    """The release of the whole programme, read-only."""
    with duckdb.connect(str((programme[0] / "rga.duckdb").resolve()), read_only=True) as connection:
        yield connection


@pytest.fixture
def built(first_build: tuple[Place, BuildOutcome], tmp_path: Path) -> Place:
    """A copy of the built data root and warehouse, free to change."""
    shutil.copytree(first_build[0].folder, tmp_path / "copy", symlinks=True)
    return Place(tmp_path / "copy")


@pytest.fixture
def unbuilt(repository: Path, tmp_path: Path) -> Callable[..., Place]:
    """A data root with only the surveys named, and an empty warehouse."""

    return lambda *survey_ids: fresh(repository, tmp_path / "fresh", survey_ids)
