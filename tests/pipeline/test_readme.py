"""The README's promises: its queries return rows, its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb


def test_every_query_of_the_readme_answers(repository: Path, release: duckdb.DuckDBPyConnection) -> None:
    text = (repository / "README.md").read_text()
    queries = re.findall(r"(?:SELECT .*?)(?=\"\"\"|;\n|\"\))", text, flags=re.DOTALL)
    assert len(queries) == 3
    for query in queries:
        assert len(release.execute(query).fetchall()) >= 4


def test_every_file_the_readme_links_to_is_there(repository: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (repository / "README.md").read_text()):
        assert target.startswith("http") or (repository / target).exists(), target
