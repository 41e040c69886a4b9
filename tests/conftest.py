"""Shared places: the repository, its data root, and the shared reference material where it is present."""

from __future__ import annotations

from pathlib import Path

import pytest

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
