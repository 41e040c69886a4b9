"""The file that says what may be printed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rga.errors import InputError
from rga.microdata.publication_rules import FILE, load_publication_rules


@pytest.fixture
def catalogue(repository: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(repository / "raw_data" / "catalogue", tmp_path / "catalogue"))


def test_without_the_file_nothing_is_printed_and_the_message_says_what_to_do(catalogue: Path) -> None:
    (catalogue / FILE).unlink()
    with pytest.raises(InputError, match="nothing says what may be printed"):
        load_publication_rules(catalogue)


@pytest.mark.parametrize(
    "line, wrong",
    [
        ("flag_below: 50", "flag_below: 20"),
        ("possible_values: 4", "possible_values: 1"),
        ("small_count: 4", "small_cont: 4"),
        ("wide: 0.30", "wide: -1"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(catalogue: Path, line: str, wrong: str) -> None:
    text = (catalogue / FILE).read_text(encoding="utf-8")
    assert line in text
    (catalogue / FILE).write_text(text.replace(line, wrong), encoding="utf-8")
    with pytest.raises(InputError):
        load_publication_rules(catalogue)


def test_every_rule_names_its_source(catalogue: Path) -> None:
    rules = load_publication_rules(catalogue)
    assert all(len(part.source) > 40 for part in (rules.dhs, rules.nchs, rules.disclosure))


def test_the_examples_rules_are_the_programmes(repository: Path) -> None:
    own, example = (repository / root / "catalogue" / FILE for root in ("raw_data", "examples/hfps"))
    assert own.read_bytes() == example.read_bytes()
