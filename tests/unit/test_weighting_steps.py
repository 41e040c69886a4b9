"""The weighting chain as written in survey.yaml: what it may say, and errors that name line and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from rga.errors import InputError
from rga.microdata.specification import SurveySpecification
from rga.microdata.weighting_steps import Calibrate, Nonresponse, Selection
from rga.microdata.yaml_file import load_yaml

SURVEY = """
title: Test
producer: Nobody
citation: None
licence: None
simulated: true
fieldwork: {start: 2020-05-01, end: 2020-05-20}
mode: cati
population: {description: Adults, age_min: 18, benchmark: census}
files: {respondents: {path: data.csv}}
id: ID
response: {column: disposition, complete: [1]}
auxiliary:
  operator: {column: op, codes: {1: A, 2: B}}
  phones: {column: s3}
variables: {}
weighting:
"""
CHAIN = """
  - {step: selection, by: operator, population: {A: 5200000, B: 2100000}, invited: {A: 300000, B: 200000}, why: rates differed}
  - {step: multiplicity, divide: phones, cap: 5}
  - {step: nonresponse, method: propensity, predictors: [operator], classes: 4}
  - {step: calibrate, method: logit, margins: [sex*age_group], bounds: [0.3, 3], trim: 6, collapse: [age_group]}
  - {step: trim, max_ratio: 6}
  - {step: normalise, to: n}
"""


def load(folder: Path, text: str) -> SurveySpecification:
    (folder / "survey.yaml").write_text(text, encoding="utf-8")
    return load_yaml(folder / "survey.yaml", SurveySpecification)


def test_a_chain_is_read_in_the_users_order(tmp_path: Path) -> None:
    steps = load(tmp_path, SURVEY + CHAIN).weighting
    assert [step.step for step in steps] == ["selection", "multiplicity", "nonresponse", "calibrate", "trim", "normalise"]
    selection, _, nonresponse, calibrate, _, _ = steps
    assert isinstance(selection, Selection) and selection.why == "rates differed" and selection.categorical == ["operator"]
    assert isinstance(nonresponse, Nonresponse) and nonresponse.classes == 4 and nonresponse.either == ["operator"]
    assert isinstance(calibrate, Calibrate) and calibrate.bounds == (0.3, 3.0) and calibrate.categorical == ["sex", "age_group"]


def test_columns_for_weighting_only_are_read_with_the_design(tmp_path: Path) -> None:
    assert load(tmp_path, SURVEY + CHAIN).design_columns == ["ID", "disposition", "op", "s3"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_ratio: 6", "max_rato: 6", ["line 23", "did you mean `max_ratio`"]),
        ("step: trim", "step: trin", ["line 23", "trin", "selection"]),
        ("B: 200000}", "C: 200000}", ["line 19", "same categories", "B is in one of them only"]),
        ("{1: A, 2: B}", "{1: A, 2: C}", ["line 19", "category C of `operator` is counted neither", "add C to both"]),
        ("{1: A, 2: B}", "{1: A}", ["line 19", "count category B, and no code", "map a code of the file to B"]),
        ("divide: phones, cap: 5", "cap: 5", ["line 20", "`divide`"]),
        ("predictors: [operator], ", "", ["line 21", "needs `predictors"]),
        ("predictors: [operator]", "predictors: [operator], cells: [operator]", ["`cells` belongs to the other method"]),
        ("method: propensity, predictors: [operator], classes", "method: classes, cells: [operator], classes", ["`classes: N`"]),
        ("bounds: [0.3, 3], ", "", ["`method: logit` needs `bounds"]),
        ("bounds: [0.3, 3]", "bounds: [1.3, 3]", ["0 <= low < 1 < high"]),
        ("method: logit", "method: poststratification", ["takes no `bounds` or `trim`"]),
        ("logit, margins: [sex*age_group], bounds: [0.3, 3]", "poststratification, margins: [sex, age_group]", ["one margin"]),
        ("collapse: [age_group]", "collapse: [education]", ["`education`, which no margin has"]),
        ("collapse: [age_group]", "collapse: [sex]", ["`collapse` cannot name `sex`"]),
        ("response: {column: disposition, complete: [1]}\n", "", ["step 3 (nonresponse)", "`response:"]),
        (", benchmark: census", "", ["step 4 (calibrate)", "`population.benchmark`"]),
        ("predictors: [operator]", "predictors: [stratum]", ["names `stratum`, and `design` has none"]),
        ("phones: {column: s3}", "stratum: {column: s3}", ["`stratum` has the name of another variable"]),
        ("step: trim, max_ratio: 6", "step: nonresponse, cells: [operator]", [
            "line 23", "step 5 (`nonresponse`) is listed after step 4 (`calibrate`)", "move `nonresponse` up, before `calibrate`",
        ]),
        ("step: multiplicity, divide: phones, cap: 5", "step: nonresponse, cells: [operator]", ["one step `nonresponse`"]),
        ("max_ratio: 6", "max_ratio: 0.5", ["line 23", "greater than 1"]),
        ("max_ratio: 6", "max_ratio: .inf", ["line 23", "finite"]),
        ("bounds: [0.3, 3]", "bounds: [0.3, .inf]", ["`method: logit` needs an upper bound"]),
        ("margins: [sex*age_group]", "margins: [age_group*sex, sex*age_group]", ["age_group*sex is listed twice, as sex*"]),
        ("margins: [sex*age_group]", "margins: [age_group*sex*sex]", ["age_group*sex*sex crosses a variable with itself"]),
        ("step: selection, by", "step: normalise, to: n}\n  - {step: selection, by", [
            "line 22", "step 4 (`nonresponse`) is listed after step 1 (`normalise`)",
        ]),
        ("step: normalise, to: n", "step: multiplicity, divide: phones", [
            "(`multiplicity`) is listed after step 4 (`calibrate`)", "margins would not be met",
        ]),
        ("A: 300000", "A: 0", ["line 19", "greater than 0"]),
        ("codes: {1: A, 2: B}", "codes: {1: A, 2: B}, missing: [2]", ["both mapped and declared missing"]),
    ],
)  # fmt: skip
def test_what_a_step_cannot_mean_is_named(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert old in SURVEY + CHAIN
    with pytest.raises(InputError) as caught:
        load(tmp_path, (SURVEY + CHAIN).replace(old, new))
    for words in said:
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("change", "expected"),
    [("mode: cati", "probability"), ("mode: sms", "non_probability"), ("mode: web\nsample: probability", "probability")],
)
def test_who_answers_a_message_selects_themselves_unless_the_page_says_otherwise(
    tmp_path: Path, change: str, expected: str
) -> None:
    assert load(tmp_path, (SURVEY + CHAIN).replace("mode: cati", change)).sample_type == expected
