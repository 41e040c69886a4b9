"""What the coverage table says of each indicator: asked, altered or not asked, and why."""

from __future__ import annotations

import pytest

from assets.survey_tables import coverage_rows
from rga.microdata.catalogue import Catalogue, Indicator, Variable
from rga.microdata.specification import SurveySpecification
from tests.unit.test_harmonise import SURVEY

BANDS = {"young": "Young", "old": "Old"}
CATALOGUE = Catalogue(
    variables={
        "age": Variable(label="Age", module="m"),
        "band": Variable(label="Band", module="m", codes=BANDS, derived="CASE WHEN age < 30 THEN 'young' ELSE 'old' END"),
        "stage": Variable(label="Stage", module="m", codes=BANDS, derived="CASE WHEN band = 'old' THEN 'old' ELSE 'young' END"),
        "help": Variable(label="Help", module="m", items={"cash": "Cash", "food": "Food"}, codes={"yes": "Y", "no": "N"}),
    },
    indicators={
        "BAND": Indicator(title="t", module="m", numerator="band = 'old'"),
        "STAGE": Indicator(title="t", module="m", numerator="stage = 'old'"),
        "FOOD": Indicator(title="t", module="m", numerator="help_food = 'yes'"),
        "CASH": Indicator(title="t", module="m", numerator="help_cash = 'yes'"),
        "BOTH": Indicator(title="t", module="m", universe="band = 'old'", numerator="help_cash = 'yes'"),
    },
    breakdowns=[()],
)
BAND = {"column": "b", "codes": {1: "young", 2: "old"}}
CASH_ONLY = {"column": "h", "separator": ";", "codes": {1: "cash"}}


def coverage(variables: dict, **more: dict) -> dict[str, tuple[str, str]]:
    specification = SurveySpecification.model_validate(SURVEY | {"variables": variables} | more)
    frame = coverage_rows("2020-r1_BGD", CATALOGUE, specification).fillna("")
    return dict(zip(frame.indicator, zip(frame.status, frame.reason, strict=True), strict=True))


def test_what_is_derived_from_an_asked_variable_is_asked() -> None:
    found = coverage({"age": {"column": "a"}})
    assert found["BAND"][0] == found["STAGE"][0] == "asked" and found["FOOD"] == ("not_asked", "help_food not asked")


@pytest.mark.parametrize(("given", "asked"), [("band", {"BAND", "STAGE"}), ("stage", {"STAGE"})])
def test_a_derived_variable_that_is_given_is_asked_with_all_that_derives_from_it(given: str, asked: set[str]) -> None:
    found = coverage({given: BAND}, absent={"age": "bands only"})
    assert {code for code, (status, _) in found.items() if status == "asked"} == asked
    assert given == "band" or found["BAND"] == ("not_asked", "bands only")


def test_a_battery_without_some_items_leaves_out_only_the_indicators_of_those() -> None:
    found = coverage({"help": CASH_ONLY})
    assert found["CASH"] == ("asked", "") and found["FOOD"] == ("not_asked", "help_food not asked")
    assert coverage({"help": CASH_ONLY}, absent={"help_food": "no such item"})["FOOD"] == ("not_asked", "no such item")


def test_an_altered_variable_alters_every_indicator_that_uses_it() -> None:
    found = coverage({"band": BAND, "help": CASH_ONLY}, altered={"help": "last week only"})
    assert found["CASH"] == found["BOTH"] == ("altered", "last week only")
    assert found["FOOD"] == ("not_asked", "help_food not asked")
    assert found["BAND"] == ("asked", "")


def test_not_asked_outdoes_altered() -> None:
    found = coverage({"help": CASH_ONLY}, altered={"help": "last week only"})
    assert found["BOTH"] == ("not_asked", "age not asked")


def test_altering_what_a_directly_given_variable_would_derive_from_changes_nothing() -> None:
    found = coverage({"age": {"column": "a"}, "band": BAND}, altered={"age": "year of birth"})
    assert found["BAND"] == found["STAGE"] == ("asked", "")
