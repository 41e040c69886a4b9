"""One build of the repository's surveys, shared; each test that changes something works on a copy of it."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from pipelines.build import BuildOutcome, build
from pipelines.resources import paths
from tests.pipeline.place import Place, fresh


@pytest.fixture(scope="session")
def first_build(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, BuildOutcome]:
    """A few of the repository's own surveys, built once. Not to be changed."""
    place = fresh(repository, tmp_path_factory.mktemp("built"))
    return place, place.build()


@pytest.fixture(scope="session")
def programme(repository: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, BuildOutcome]:
    """A warehouse built from the repository's data root, all eighteen surveys, and how that went. Not to be changed.

    Tests that run side by side share it: whoever comes first builds.
    """
    own = tmp_path_factory.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / "programme"
    folder.mkdir(exist_ok=True)
    warehouse, told = folder / "warehouse", folder / "outcome.pickle"
    with FileLock(folder / "lock"):
        if not told.exists():
            told.write_bytes(pickle.dumps(build(paths(repository / "raw_data", warehouse))))
    return warehouse, pickle.loads(told.read_bytes())


@pytest.fixture
def release(programme: tuple[Path, BuildOutcome]) -> Iterator[duckdb.DuckDBPyConnection]:
    """Its release, read-only."""
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
