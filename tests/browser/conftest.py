"""A data root, `rga ui` on it, and a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.cross_site import RESOLVES
from tests.browser.rga_ui import Server, start_ui
from tests.pipeline.place import Place, fresh

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", RESOLVES,
]  # fmt: skip


@pytest.fixture(scope="module")
def place(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return fresh(repository, tmp_path_factory.mktemp("ui"))


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Server]:
    started = start_ui(place)
    yield started
    started.ends()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield started
        started.close()
