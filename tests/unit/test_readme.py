"""The README's promises: its queries return rows, its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from pipelines.build import build
from pipelines.resources import paths


@pytest.fixture(scope="module")
def release(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    warehouse = tmp_path_factory.mktemp("warehouse")
    assert build(paths(repository / "raw_data", warehouse)).error is None
    return warehouse / "rga.duckdb"


def test_every_query_of_the_readme_answers(repository: Path, release: Path) -> None:
    text = (repository / "README.md").read_text()
    queries = re.findall(r"(?:SELECT .*?)(?=\"\"\"|;\n|\"\))", text, flags=re.DOTALL)
    assert len(queries) == 3
    with duckdb.connect(str(release), read_only=True) as connection:
        for query in queries:
            assert len(connection.execute(query).fetchall()) >= 4


def test_every_file_the_readme_links_to_is_there(repository: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (repository / "README.md").read_text()):
        assert target.startswith("http") or (repository / target).exists(), target
