"""Benchmarks, margins and countries that no survey uses are told, not passed over."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rga.microdata.benchmark_use import unused_benchmarks
from rga.microdata.data_root import DataRoot

BENCHMARK = "wpp2019-2021"


@pytest.fixture
def root(repository: Path, tmp_path: Path) -> Path:
    """Two surveys of 2021, which use all there is of the benchmark of that year."""
    raw_data = repository / "raw_data"
    for part in ("catalogue", f"benchmarks/{BENCHMARK}"):
        shutil.copytree(raw_data / part, tmp_path / part)
    for country in ("BGD", "PAK"):
        folder = tmp_path / "2021-r2" / country
        folder.mkdir(parents=True)
        text = (raw_data / "2021-r2" / country / "survey.yaml").read_text(encoding="utf-8")
        (folder / "survey.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def add_margin(root: Path, line: str) -> None:
    with (root / "benchmarks" / BENCHMARK / "source.yaml").open("a") as file:
        file.write(f"  - {line}\n")


def test_countries_of_which_no_survey_is_weighted_to_it_are_listed(root: Path) -> None:
    (told,) = unused_benchmarks(DataRoot(root))
    assert told.startswith(f"{BENCHMARK}: countries without a survey weighted to it: AFG,") and "BGD" not in told


def test_a_margin_and_a_benchmark_that_no_survey_names_are_told(root: Path) -> None:
    add_margin(root, "{margin: residence, file: sex_education.csv, measure: share, producer: A, licence: A, citation: A}")
    shutil.copytree(root / "benchmarks" / BENCHMARK, root / "benchmarks" / "census")
    told = unused_benchmarks(DataRoot(root))
    assert "census: no survey is weighted to it" in told
    assert f"{BENCHMARK}: margins that no survey is calibrated to: residence" in told


def test_a_concept_that_is_not_stated_is_told(root: Path) -> None:
    source = root / "benchmarks" / BENCHMARK / "source.yaml"
    source.write_text(source.read_text().replace("concept: residents\n", ""))
    assert any("residents or citizens" in line for line in unused_benchmarks(DataRoot(root)))


def test_what_cannot_be_read_is_left_to_its_own_errors(root: Path) -> None:
    (root / "2021-r2" / "BGD" / "survey.yaml").write_text("broken: [")
    assert "BGD" in " ".join(unused_benchmarks(DataRoot(root)))  # no survey that can be read uses Bangladesh's rows
    (root / "benchmarks" / BENCHMARK / "source.yaml").write_text("broken: [")
    assert unused_benchmarks(DataRoot(root)) == []
