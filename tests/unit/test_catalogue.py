"""Indicators of a battery's items are written once; what cannot be expanded is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from rga.errors import InputError
from rga.microdata.catalogue import Catalogue, load_catalogue

VARIABLES = """
variables:
  sex: {label: Sex, module: r, codes: {F: Women, M: Men}}
  income:
    label: Income
    module: l
    items: {farm: Farming income, job: Paid job, aid: Aid}
    codes: {up: Up, down: Down, none: None}
"""
EACH = """
indicators:
  FIRST: {title: First, module: l, numerator: sex = 'F'}
  INC_{item}_DOWN:
    each: income
    title: "{label} ({item}) decreased"
    module: l
    universe: "{column} <> 'none'"
    numerator: income_{item} = 'down'
    direction: more_is_worse
    notes: Column {column}
    sdg: "1.{item}"
  LAST: {title: Last, module: l, numerator: sex = 'M'}
"""


def load(tmp_path: Path, indicators: str) -> Catalogue:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    (folder / "variables.yaml").write_text(VARIABLES)
    (folder / "indicators.yaml").write_text(indicators)
    (folder / "breakdowns.yaml").write_text("breakdowns: [total, sex]\n")
    return load_catalogue(folder)


def test_an_entry_is_expanded_over_the_items_of_its_battery_in_their_order(tmp_path: Path) -> None:
    indicators = load(tmp_path, EACH).indicators
    assert list(indicators) == ["FIRST", "INC_farm_DOWN", "INC_job_DOWN", "INC_aid_DOWN", "LAST"]
    assert indicators["INC_farm_DOWN"].model_dump() == {
        "title": "farming income (farm) decreased",
        "module": "l",
        "universe": "income_farm <> 'none'",
        "numerator": "income_farm = 'down'",
        "unit": "percent",
        "direction": "more_is_worse",
        "sdg": "1.farm",
        "notes": "Column income_farm",
    }


def test_an_expanded_indicator_is_the_same_as_one_written_out(tmp_path: Path) -> None:
    catalogue = load(tmp_path, EACH)
    written = EACH.replace("INC_{item}_DOWN", "INC_job_DOWN").replace("    each: income\n", "")
    for placeholder, word in (("{label}", "paid job"), ("{item}", "job"), ("{column}", "income_job")):
        written = written.replace(placeholder, word)
    (tmp_path / "other").mkdir()
    assert load(tmp_path / "other", written).indicators["INC_job_DOWN"] == catalogue.indicators["INC_job_DOWN"]
    assert catalogue.uses("INC_job_DOWN") == {"income_job"}


def test_items_can_be_chosen_and_keep_the_order_of_the_battery(tmp_path: Path) -> None:
    chosen = EACH.replace("each: income", "each: income\n    items: [aid, farm]")
    assert list(load(tmp_path, chosen).indicators) == ["FIRST", "INC_farm_DOWN", "INC_aid_DOWN", "LAST"]


def test_one_battery_can_serve_several_entries(tmp_path: Path) -> None:
    last = "'{item}_LESS': {each: income, title: Less, module: l, numerator: \"{column} = 'down'\"}\n"
    assert list(load(tmp_path, EACH + "  " + last).indicators)[-3:] == ["farm_LESS", "job_LESS", "aid_LESS"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("each: income", "each: incomes", ["INC_{item}_DOWN", "`each: incomes` is no battery", "income"]),
        ("each: income", "each: sex", ["`each: sex` is no battery"]),
        ("each: income", "each: income\n    items: [farm, rent]", ["no item `rent`", "farm, job, aid"]),
        ("each: income", "items: [farm]", ["add `each: <battery>`"]),
        ("    each: income\n", "", ["add `each: <battery>`"]),
        ("INC_{item}_DOWN", "INC_DOWN", ["INC_DOWN", "put {item} into the code"]),
        ("LAST:", "INC_job_DOWN:", ["gives `INC_job_DOWN`, which another entry has too"]),
        ("LAST: {", "'{item}_DOWN': {each: income, items: [job, job], ", ["gives `job_DOWN`"]),
        ("INC_{item}_DOWN", "INC" + "_{item}" * 11, ["no code of an indicator", "at most 40"]),
        ("INC_{item}_DOWN", "1_{item}", ["no code of an indicator"]),
        ("Column {column}", "Column {colum}", ["`{colum}` stands for nothing"]),
        ("{column} <> 'none'", "{colum} <> 'none'", ["INC_farm_DOWN.universe"]),
        ("income_{item} = 'down'", "income_{item} = 'less'", ["INC_farm_DOWN.numerator", "no code 'less'"]),
        ("direction: more", "direktion: more", ["not a known key"]),
    ],
)
def test_what_cannot_be_expanded_is_named_with_its_entry(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        load(tmp_path, EACH.replace(old, new))
    assert all(part in str(caught.value) for part in ["catalogue/indicators.yaml", *expected]), str(caught.value)


def test_an_indicator_that_counts_the_base_of_another_is_refused(tmp_path: Path) -> None:
    uses = EACH + "  USES: {title: Has farming income, module: l, numerator: \"( income_farm  != 'none' )\"}\n"
    with pytest.raises(InputError, match="who is in the base of `INC_farm_DOWN`") as error:
        load(tmp_path, uses)
    (problem,) = error.value.problems
    assert problem.variable == "USES" and problem.file == "catalogue/indicators.yaml" and problem.remedy


TELLING = """indicators:
  LOST: {title: Lost the job, module: l, universe: "income_job <> 'none'", numerator: "income_job = 'down'"}
  FARM: {title: Farms, module: l, universe: "%s", numerator: "%s"}
"""


@pytest.mark.parametrize("universe", [
    "income_job <> 'none' AND income_job <> 'down'", "income_job = 'down'", "income_job = 'down' AND sex = 'F'",
])  # fmt: skip
def test_a_base_made_of_answers_that_another_indicator_counts_is_refused(tmp_path: Path, universe: str) -> None:
    with pytest.raises(InputError, match="makes its base of an answer that `LOST` counts") as error:
        load(tmp_path, TELLING % (universe, "income_farm = 'down'"))
    (problem,) = error.value.problems
    assert problem.variable == "FARM.universe" and "give it the universe of `LOST`" in problem.remedy


@pytest.mark.parametrize(("universe", "numerator"), [
    ("income_job <> 'none'", "income_job <> 'down' AND income_farm = 'down'"), ("income_farm <> 'none'", "income_farm = 'down'"),
])  # fmt: skip
def test_bases_that_do_not_tell_an_answer_are_taken(tmp_path: Path, universe: str, numerator: str) -> None:
    assert "FARM" in load(tmp_path, TELLING % (universe, numerator)).indicators
