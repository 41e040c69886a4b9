"""What an empty answer means, and answers that hold several choices: nothing is lost, nothing is made up."""

from __future__ import annotations

import random
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from rga.errors import Problem
from rga.microdata.catalogue import Catalogue, Variable
from rga.microdata.harmonise import are_private, harmonise
from rga.microdata.specification import Source, SurveySpecification

CATALOGUE = Catalogue(
    variables={
        "help": Variable(
            label="Help",
            module="m",
            items={"cash": "Cash", "food": "Food", "care": "Care"},
            codes={"yes": "Received", "no": "Not received"},
        ),
        "works": Variable(label="Works", module="m", codes={"yes": "Yes", "no": "No"}),
        "children": Variable(label="Children", module="m", minimum=0, maximum=20),
    },
    indicators={},
    breakdowns=[()],
)
SURVEY = {
    "title": "T", "producer": "P", "citation": "C", "licence": "L", "simulated": True, "mode": "sms", "id": "id",
    "fieldwork": {"start": "2020-05-01", "end": "2020-05-02"}, "population": {"description": "Adults"},
    "files": {"a": {"path": "a.csv"}}, "design": {"weight": "w"}, "weighting": [],
}  # fmt: skip


def recode(answers: dict[str, list], **variables: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, list[Problem]]:
    specification = SurveySpecification.model_validate(SURVEY | {"variables": variables})
    return harmonise(pd.DataFrame(answers, dtype=object), CATALOGUE, specification, "a.csv")


def told(values: pd.Series) -> list:
    return values.fillna("-").tolist()


def test_without_a_word_an_empty_answer_is_blank() -> None:
    values, kinds, _ = recode({"q": ["1", None, " "]}, works={"column": "q", "codes": {1: "yes"}})
    assert told(values.works) == ["yes", "-", "-"] and kinds.works.tolist() == ["answered", "blank", "blank"]


def test_true_and_one_are_two_codes_though_equal_to_python() -> None:
    values, _, problems = recode({"q": [True, 1, 1.0, "1", "true"]}, works={"column": "q", "codes": {"true": "yes", 1: "no"}})
    assert told(values.works) == ["yes", "no", "no", "no", "yes"] and not problems


def test_rows_of_an_unknown_code_are_counted_however_it_is_written() -> None:
    _, _, problems = recode({"q": [7, "7", 7.0, 1, None, "x"]}, works={"column": "q", "codes": {1: "yes"}})
    assert [(problem.code, problem.rows) for problem in problems] == [("7", 3), ("x", 1)]


@pytest.mark.parametrize("kind", ["dont_know", "refused", "not_applicable", "missing"])
def test_an_empty_answer_can_be_of_a_missing_kind(kind: str) -> None:
    values, kinds, _ = recode(
        {"q": [1, None], "n": [None, "3"]},
        works={"column": "q", "codes": {1: "yes"}, "blank": kind},
        children={"column": "n", "blank": kind},
    )
    assert told(values.works) == ["yes", "-"] and kinds.works.tolist() == ["answered", kind]
    assert kinds.children.tolist() == [kind, "answered"] and values.children.isna().tolist() == [True, False]


def test_an_empty_answer_can_mean_a_code() -> None:
    values, kinds, _ = recode({"q": [1, None]}, works={"column": "q", "codes": {1: "yes"}, "blank": "no"})
    assert told(values.works) == ["yes", "no"] and set(kinds.works) == {"answered"}


def test_an_item_is_not_chosen_only_by_who_chose_another() -> None:
    answers = {"a": [1, None, None, 9], "b": [None, None, 1, None]}
    values, kinds, _ = recode(
        answers,
        help={"columns": {"cash": "a", "food": "b"}, "codes": {1: "yes"}, "missing": {9: "refused"}, "blank": "no"},
    )
    assert told(values.help_cash) == ["yes", "-", "no", "-"] and told(values.help_food) == ["no", "-", "yes", "-"]
    assert kinds.help_cash.tolist() == ["answered", "blank", "answered", "refused"]
    assert kinds.help_food.tolist() == ["answered", "blank", "answered", "blank"]  # a refusal is no answer
    assert values.help_care.isna().all() and "help_care" not in kinds


def test_a_missing_kind_holds_for_every_empty_item() -> None:
    _, kinds, _ = recode(
        {"a": [1, None], "b": [None, None]},
        help={"columns": {"cash": "a", "food": "b"}, "codes": {1: "yes"}, "blank": "not_applicable"},
    )
    assert kinds.help_food.tolist() == ["not_applicable"] * 2 and kinds.help_cash.tolist() == ["answered", "not_applicable"]


SPLIT = {"column": "q", "separator": " ", "codes": {1: "cash", 2: "food"}, "missing": {98: "dont_know", "no answer": "refused"}}


def test_one_column_of_choices_becomes_a_column_per_item() -> None:
    values, kinds, problems = recode({"q": ["1 2", "2", 1.0, " 2  1 ", None, "98", 98, "no answer", "1 1"]}, help=SPLIT)
    assert not problems
    assert told(values.help_cash) == ["yes", "no", "yes", "yes", "-", "-", "-", "-", "yes"]
    assert told(values.help_food) == ["yes", "yes", "no", "yes", "-", "-", "-", "-", "no"]
    assert kinds.help_cash.tolist() == kinds.help_food.tolist()
    assert kinds.help_cash.tolist() == ["answered"] * 4 + ["blank", "dont_know", "dont_know", "refused", "answered"]
    assert values.help_care.isna().all() and "help_care" not in kinds


@pytest.mark.parametrize(
    ("separator", "answers"), [(";", ["a; b", "b;", ";"]), ("||", ["a||b", "b", ""]), (".", ["a.b", "b", None])]
)
def test_separators_are_taken_literally(separator: str, answers: list) -> None:
    mapping = {"column": "q", "separator": separator, "codes": {"a": "cash", "b": "food"}}
    values, kinds, problems = recode({"q": answers}, help=mapping)
    assert not problems and told(values.help_cash) == ["yes", "no", "-"] and kinds.help_food.tolist()[2] == "blank"


@pytest.mark.parametrize(("blank", "value", "kind"), [("not_applicable", "-", "not_applicable"), ("no", "no", "answered")])
def test_an_empty_list_of_choices_means_what_the_survey_says(blank: str, value: str, kind: str) -> None:
    values, kinds, _ = recode({"q": ["1", None]}, help=SPLIT | {"blank": blank})
    assert told(values.help_food) == ["no", value] and kinds.help_food.tolist() == ["answered", kind]


def test_an_unknown_choice_is_named_with_its_rows() -> None:
    _, _, problems = recode({"q": ["1 7", "7", "2", "1 7 7 8"]}, help=SPLIT)
    assert [(p.code, p.rows) for p in problems] == [("7", 3), ("8", 1)]
    message = str(problems[0])
    assert all(part in message for part in ("a.csv", "help (column q)", "neither mapped nor declared missing", "cash, food"))


def test_a_missing_code_beside_choices_is_an_error_naming_it() -> None:
    _, _, problems = recode({"q": ["1 98", "98", "2"]}, help=SPLIT)
    assert [(p.code, p.rows) for p in problems] == [("98", 1)] and "beside other answers" in str(problems[0])


@pytest.mark.parametrize("seed", range(20))
def test_whatever_was_chosen_every_row_has_one_kind_and_every_choice_arrives(seed: int) -> None:
    draw = random.Random(seed)
    chosen = [draw.sample([1, 2, 3], draw.randint(0, 3)) for _ in range(60)]
    texts: list = [draw.choice(["98", None, "  "]) if not c else ";".join(map(str, c)) for c in chosen]
    ticks = {f"t{i}": [draw.choice([1, "1", 1.0]) if i in c else None for c in chosen] for i in (1, 2, 3)}
    items = {1: "cash", 2: "food", 3: "care"}
    split = {"column": "q", "separator": ";", "codes": items, "missing": [98]}
    ticked = {"columns": {item: f"t{i}" for i, item in items.items()}, "codes": {1: "yes"}, "blank": "no"}
    for mapping in (split, ticked):
        values, kinds, problems = recode({"q": texts} | ticks, help=mapping)
        assert not problems and not kinds.isna().any(axis=None)
        assert (kinds.apply(lambda column: column.value_counts().sum()) == len(texts)).all()
        for i, item in items.items():
            assert told(values[f"help_{item}"]) == ["-" if not c else "yes" if i in c else "no" for c in chosen]
        assert ((kinds == "answered") == values[kinds.columns].notna()).all(axis=None)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"columns": {"cash": "a"}, "separator": " "}, "columns` are split already"),
        ({"column": "a", "separator": ""}, "at least 1 character"),
        ({"column": "a", "codes": {1: "cash"}, "missing": [1], "separator": " "}, "both mapped and declared missing"),
    ],
)
def test_contradictory_sources_are_refused(source: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Source.model_validate(source)


def test_values_that_may_identify_people_are_counted_and_not_shown() -> None:
    assert are_private({str(number): 1 for number in range(5)})
    assert are_private({str(number): 90 for number in range(21)})
    assert not are_private({"7": 1, "8": 1, "9": 1}) and not are_private({str(number): 12 for number in range(20)})


STRAY = [
    "Siti Zulkifli Rahmah",
    "zulkifli@mail.example",
    "-6.123456, 106.812345",
    "6281234567890",
    "3171234567890123",
    "0812-3456-789",
]


@pytest.mark.parametrize("stray", STRAY)
@pytest.mark.parametrize("name", ["works", "children", "help"])
def test_a_stray_cell_that_may_name_somebody_is_counted_and_not_shown(name: str, stray: str) -> None:
    codes = {1: "yes", 2: "no"}
    mapping = {"works": {"column": "q", "codes": codes}, "children": {"column": "q"}, "help": SPLIT | {"separator": ";"}}[name]
    _, _, problems = recode({"q": ["1", "2", stray, "777"]}, **{name: mapping})
    said = "\n".join(map(str, problems))
    assert sum(problem.rows or 0 for problem in problems) == 2 and "not shown" in said
    for part in stray.replace(",", " ").split():
        assert part not in said
    assert "777" in said  # a short code is shown, so that it can be mapped


def test_a_misspelt_answer_is_shown_and_a_name_is_not() -> None:
    _, _, problems = recode({"q": ["employed", "emplyed", "Rahmah"]}, works={"column": "q", "codes": {"employed": "yes"}})
    assert [(problem.code, problem.rows) for problem in problems] == [("emplyed", 1), (None, 1)]
