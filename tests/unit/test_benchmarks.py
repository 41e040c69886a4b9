"""Benchmarks: margins as published, and errors that name the margin, the country and the file."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rga.errors import InputError
from rga.microdata.benchmark_scaling import Benchmark, benchmark, country_margins
from rga.microdata.benchmarks import load_source

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
        (
            "sex_age_group.csv",
            "BGD,F,Y18T24,10540700",
            "BGD,F,Y18T24,-1",
            "missing, negative or not a number in category F*Y18T24: -1",
        ),
        ("sex_age_group.csv", "BGD,F,Y18T24,10540700", "BGD,F,Y18T24,", "or not a number in category F*Y18T24: nothing"),
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
    with pytest.raises(InputError, match="no margin `age_group\\*education`"):
        country_margins(folder, "BGD", ["age_group*education"])


SOURCE = """
title: Test
population: Adults
concept: residents
year: 2020
margins:
  - {margin: sex*age, file: sex_age.csv, measure: count, producer: A, licence: x, citation: x}
  - {margin: sex*region, file: sex_region.csv, measure: count, producer: B, year: 2011, licence: x, citation: x}
  - {margin: region, file: region.csv, measure: share, producer: C, concept: citizens, licence: x, citation: x}
  - {margin: age*region, file: age_region.csv, measure: count, producer: D, licence: x, citation: x}
  - {margin: household_size, file: size.csv, measure: mean, producer: E, licence: x, citation: x}
"""
FILES = {
    "sex_age.csv": "iso3,sex,age,population\nBGD,F,young,30\nBGD,F,old,30\nBGD,M,young,20\nBGD,M,old,20\n",
    "sex_region.csv": "iso3,sex,region,population\nBGD,F,N,10\nBGD,F,S,30\nBGD,M,N,20\nBGD,M,S,20\n",
    "region.csv": "iso3,region,share\nBGD,N,40\nBGD,S,60.4\n",
    "age_region.csv": "iso3,age,region,population\nBGD,young,N,1\nBGD,young,S,1\nBGD,old,N,1\nBGD,old,S,1\n",
    "size.csv": "iso3,mean\nBGD,4.5\n",
}


def of(folder: Path, *wanted: str, numbers: tuple[str, ...] = (), **files: str) -> Benchmark:
    folder = folder / "census"
    folder.mkdir(exist_ok=True)
    (folder / "source.yaml").write_text(files.pop("source", SOURCE))
    for name, text in (FILES | {f"{name}.csv": text for name, text in files.items()}).items():
        (folder / name).write_text(text)
    codes = {"sex": ["F", "M"], "age": ["young", "old"], "region": ["N", "S"]}
    return benchmark(folder, "BGD", wanted, numbers, codes)


def test_a_margin_of_another_source_is_scaled_within_what_it_shares_with_the_first(tmp_path: Path) -> None:
    found = of(tmp_path, "sex*age", "sex*region")
    region = found.margins["sex*region"]
    # 80 people, half of them women, become 100, of whom 60 women: 10 of 40 women in N are 15 of 60.
    assert found.population == 100 and region.published == 80 and region.factor == pytest.approx(1.25)
    assert region.table["total"].tolist() == pytest.approx([15, 45, 20, 20])
    assert region.conflict == pytest.approx(10.0) and region.against == "sex*age"
    assert found.notes == [
        "sex*region: 80 people as published, scaled by 1.2500",
        "sex*region: shares moved by up to 10.0 points to agree with sex*age",
    ]


def test_a_margin_that_shares_one_variable_with_each_of_two_agrees_with_both(tmp_path: Path) -> None:
    found = of(tmp_path, "sex*age", "sex*region", "age*region").margins["age*region"].table
    assert found.groupby("age")["total"].sum().to_dict() == pytest.approx({"young": 50, "old": 50})
    assert found.groupby("region")["total"].sum().to_dict() == pytest.approx({"N": 35, "S": 65})


def test_shares_become_counts_of_the_population_and_other_concepts_are_reported(tmp_path: Path) -> None:
    found = of(tmp_path, "sex*age", "region")
    assert found.margins["region"].table["total"].tolist() == pytest.approx([100 * 40 / 100.4, 100 * 60.4 / 100.4])
    assert found.notes == [
        "region: shares add up to 100.4, scaled to 100",
        "margins count different people: citizens and residents",
    ]


def test_the_population_is_the_first_margin_in_counts_whatever_is_asked_for(tmp_path: Path) -> None:
    found = of(tmp_path, "region", numbers=("household_size",))
    assert found.margins["region"].table["total"].sum() == pytest.approx(100)
    assert found.totals == {"household_size": pytest.approx(450)}


def test_a_margin_the_benchmark_has_only_crossed_with_others_is_summed_over_them(tmp_path: Path) -> None:
    found = of(tmp_path, "sex", "age*sex")
    assert found.margins["sex"].table.to_numpy().tolist() == [["F", 60], ["M", 40]]
    assert list(found.margins["age*sex"].table) == ["age", "sex", "total"] and len(found.margins["age*sex"].table) == 4


@pytest.mark.parametrize(
    ("wanted", "files", "said"),
    [
        ("sex*region", {"sex_region": FILES["sex_region.csv"].replace("BGD,M,S,20\n", "")}, "no row for M*S"),
        ("sex*region", {"sex_region": FILES["sex_region.csv"].replace("N,", "X,")}, "code X: BGD: region has no code X"),
        ("sex*region", {"sex_region": FILES["sex_region.csv"].replace(",10", ",0").replace(",30", ",0")}, "nobody in category F"),
        ("sex*region", {"sex_region": "iso3,sex,region,population\nBGD,F,N,1\nBGD,F,S,1\n"}, "category M is only in one"),
        ("region", {"region": "iso3,region,share\nBGD,N,0\nBGD,S,0\n"}, "every share is 0"),
        ("household_size", {}, "no margin `household_size`"),
        ("region", {"source": SOURCE.replace("measure: count", "measure: share")}, "some margin must be in counts"),
        ("region", {"source": SOURCE.replace("margin: region,", "margin: sex*age,")}, "listed twice"),
        ("region", {"source": SOURCE.replace("measure: share", "measure: share_within")}, "needs `within"),
    ],
)
def test_a_margin_that_cannot_be_used_is_named(tmp_path: Path, wanted: str, files: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        of(tmp_path, wanted, **files)
    assert said in str(caught.value)


def test_a_margin_of_another_year_than_its_benchmark_says_so(repository: Path) -> None:
    for name in ("wpp2019-2020", "wpp2019-2021"):
        source = load_source(repository / "raw_data" / "benchmarks" / name)
        for margin in source.margins:
            assert margin.measure == "count" or f"in {margin.year or source.year}" in margin.citation, name
