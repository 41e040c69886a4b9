"""The house rules that a machine can read: directions of imports, sizes of files, opening docstrings."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = {
    "pipelines": {"pipelines", "assets", "rga"},
    "assets": {"assets", "rga"},
    "rga.publish": {"rga.publish", "rga.quality", "rga.warehouse", "rga.survey", "rga.microdata"},
    "rga.evidence": {"rga.evidence", "rga.warehouse", "rga.survey", "rga.microdata"},
    "rga.warehouse": {"rga.warehouse", "rga.survey", "rga.microdata"},
    "rga.survey": {"rga.survey"},
    "rga.microdata": {"rga.microdata"},
    "rga.quality": {"rga.quality", "rga.survey", "rga.onboarding", "rga.microdata"},
    "rga.privacy": {"rga.privacy", "rga.survey", "rga.microdata"},
    "rga.simulate": {"rga.simulate", "rga.microdata"},
    "rga.onboarding": {"rga.onboarding", "rga.microdata"},
}
SOURCES = sorted(p for folder in ("rga", "assets", "pipelines") for p in (ROOT / folder).rglob("*.py"))
NAMES = [str(p.relative_to(ROOT)) for p in SOURCES]


def room(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "rga" else parts[0]


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module or ""} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_imports_follow_the_arrows_of_the_house(path: Path) -> None:
    here = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
    if here not in ALLOWED:  # rga/__init__.py and rga/errors.py stand below every room and import none
        assert not {m for m in imports(path) if m.split(".")[0] in {"rga", "assets", "pipelines"}}
        return
    for module in imports(path):
        target = room(module)
        if module.split(".")[0] not in {"rga", "assets", "pipelines"} or target in {"rga", "rga.errors"}:
            continue
        assert target in ALLOWED[here] or target.split(".")[0] in ALLOWED[here], f"{path} imports {module}"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.is_relative_to(ROOT / "rga")], ids=lambda p: p.name)
def test_the_library_knows_nothing_of_dagster(path: Path) -> None:
    assert not {m for m in imports(path) if m.split(".")[0].startswith("dagster")}


@pytest.mark.parametrize("path", SOURCES, ids=NAMES)
def test_modules_are_short_and_open_with_what_belongs_in_them(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    docstring = ast.get_docstring(ast.parse(text)) or ""
    assert len(docstring) > 20, f"{path} needs a docstring saying what belongs there"


def test_the_arrow_test_can_fail(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("from pipelines.definitions import defs\nimport dagster\n")
    assert {"pipelines.definitions", "dagster"} <= imports(bad)
    assert room("pipelines.definitions") not in ALLOWED["rga.survey"]
