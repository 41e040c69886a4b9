"""Benchmarks: margins as published, and errors that name the margin, the country and the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rga.errors import InputError
from rga.microdata.benchmarks import country_margins

AGE, EDUCATION = "sex*age_group", "sex*education"


@pytest.fixture
def folder(repository: Path, tmp_path: Path) -> Path:
    return shutil.copytree(repository / "raw_data" / "benchmarks" / "wpp2019-2020", tmp_path / "wpp2019-2020")


def test_both_margins_describe_the_same_women_and_men(folder: Path) -> None:
    margins = country_margins(folder, "MDV", [AGE, EDUCATION])
    women = [margins[name].loc[margins[name].sex == "F", "total"].sum() for name in (AGE, EDUCATION)]
    assert women[0] == pytest.approx(women[1], rel=1e-12)
    assert women[0] / margins[AGE]["total"].sum() == pytest.approx(0.33, abs=0.01)  # migrant men are residents of Maldives


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("sex_age_group.csv", "population", "people", "lacks the column population"),
        ("sex_age_group.csv", "BGD,F,Y18T24,10540700", "BGD,F,Y18T24,-1", "missing, negative or not a number"),
        ("sex_age_group.csv", "BGD,F,Y18T24,10540700", "BGD,F,Y18T24,", "missing, negative or not a number"),
        ("sex_age_group.csv", "BGD,F,Y18T24", "BGD,F,Y25T34", "appears twice"),
        ("sex_education.csv", "BGD,F,below_primary,", "BGD,F,below_primary,1", "shares add up to"),
        ("source.yaml", "measure: count", "measure: guess", "line "),
    ],
)
def test_a_fault_in_a_benchmark_is_named(folder: Path, file: str, old: str, new: str, message: str) -> None:
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        country_margins(folder, "BGD", [AGE, EDUCATION])
    assert message in str(caught.value) and file in str(caught.value)


def test_an_empty_file_is_named(folder: Path) -> None:
    (folder / "sex_age_group.csv").write_text("")
    with pytest.raises(InputError, match=r"sex_age_group\.csv.*cannot be read as CSV"):
        country_margins(folder, "BGD", [AGE])


def test_an_unknown_country_or_margin_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="no rows for XXX"):
        country_margins(folder, "XXX", [AGE])
    with pytest.raises(InputError, match=r"no margin `sex\*region`"):
        country_margins(folder, "BGD", ["sex*region"])
