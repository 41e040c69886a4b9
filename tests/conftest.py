"""Shared places: the repository, its data root, what is built of it once, and the shared reference material where it is present."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:  # Dagster takes seconds to import, which most tests need not wait for
    from pipelines.build import BuildOutcome
    from tests.pipeline.place import Place

# Warnings are errors in the processes that a build starts, too, which read this as they begin. Dagster's own, of features that may
# change, come of importing it.
os.environ["PYTHONWARNINGS"] = "error::RuntimeWarning,error::FutureWarning,error::UserWarning"

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"


@pytest.fixture(scope="session")
def repository() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real microdata and R's answers beside the checkout; tests that need them skip where they are absent."""
    if not (SHARED / "microdata").is_dir():
        pytest.skip("the shared microdata is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def first_build(repository: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Place, BuildOutcome]:
    """A few of the repository's own surveys with a short catalogue, built once. Not to be changed."""
    return _place("first_build", repository, tmp_path_factory, worker_id, whole_catalogue=False)


@pytest.fixture(scope="session")
def whole_build(repository: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Place:
    """The same surveys with the whole catalogue. Not to be changed."""
    place, outcome = _place("whole_build", repository, tmp_path_factory, worker_id, whole_catalogue=True)
    assert outcome.error is None
    return place


@pytest.fixture(scope="session")
def programme(repository: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> tuple[Path, BuildOutcome]:
    """A warehouse built from the repository's data root, all eighteen surveys, and how that went. Not to be changed."""
    from pipelines.build import build
    from pipelines.resources import paths

    def all_of_it(folder: Path) -> BuildOutcome:
        return build(paths(repository / "raw_data", folder / "warehouse"))

    folder, outcome = _once("programme", tmp_path_factory, worker_id, all_of_it)
    return folder / "warehouse", outcome


def _place(
    name: str, repository: Path, temporary: pytest.TempPathFactory, worker_id: str, whole_catalogue: bool
) -> tuple[Place, BuildOutcome]:
    from tests.pipeline.place import Place, fresh

    def some(folder: Path) -> BuildOutcome:
        return fresh(repository, folder / "place", whole_catalogue=whole_catalogue).build()

    folder, outcome = _once(name, temporary, worker_id, some)
    return Place(folder / "place"), outcome


def _once(
    name: str, temporary: pytest.TempPathFactory, worker_id: str, build: Callable[[Path], BuildOutcome]
) -> tuple[Path, BuildOutcome]:
    """A folder and what building in it came to; where tests run side by side, whoever comes first builds."""
    own = temporary.getbasetemp()
    folder = (own if worker_id == "master" else own.parent) / name
    folder.mkdir(exist_ok=True)
    outcome = folder / "outcome.pickle"
    with FileLock(folder / "lock"):
        if not outcome.exists():
            outcome.write_bytes(pickle.dumps(build(folder)))
    return folder, pickle.loads(outcome.read_bytes())
