"""The trace of the harmonising: every respondent is in it once for each variable, by what was written and what it became."""

from __future__ import annotations

import pandas as pd
import pytest

from rga.microdata.catalogue import Catalogue, Variable
from rga.microdata.codebook import codebook, with_small_counts_hidden
from rga.microdata.harmonise import harmonise
from rga.microdata.specification import Source, SurveySpecification

YES_NO = {"yes": "Yes", "no": "No"}
CATALOGUE = Catalogue(
    variables={
        "sex": Variable(label="Sex", module="m", codes={"F": "Women", "M": "Men", "O": "Other"}),
        "age": Variable(label="Age", module="m", minimum=0, maximum=120),
        "help": Variable(label="Help", module="m", codes=YES_NO, items={"sons": "Sons", "nobody": "Nobody"}),
    },
    indicators={},
    breakdowns=[("sex",)],
)


def trace(source: dict[str, list], **variables: Source) -> pd.DataFrame:
    frame = pd.DataFrame(source)
    specification = SurveySpecification.model_construct(variables=variables)
    values, kinds, problems = harmonise(frame, CATALOGUE, specification, "file")
    assert problems == []
    labels = {"q1": "What is your sex?"}, {"q1": {"1": "female", "9": "no answer"}}
    return codebook(frame, values, kinds, CATALOGUE, specification, labels)


def rows(found: pd.DataFrame, *columns: str) -> set[tuple]:
    return set(found[list(columns)].itertuples(index=False, name=None))


def test_each_code_says_what_it_became_and_how_often_and_a_code_nobody_gave_is_there() -> None:
    mapping = Source.model_validate({"column": "q1", "codes": {1: "F", 2: "M", 3: "O"}, "missing": {9: "refused"}})
    found = trace({"q1": [1.0, 2.0, 1.0, None, 9.0, "2"]}, sex=mapping)
    assert rows(found, "code", "kind", "harmonised", "n") == {
        ("1", "answered", "F", 2),
        ("2", "answered", "M", 2),
        ("3", "answered", "O", 0),
        ("9", "refused", "", 1),
        ("", "blank", "", 1),
    }
    assert set(found["source_label"]) == {"What is your sex?"}
    assert found.set_index("code")["code_label"].dropna().to_dict() == {"1": "female", "9": "no answer"}


def test_numbers_are_one_row_and_what_means_missing_among_them_others() -> None:
    found = trace({"q2": [20, 35, -99, None]}, age=Source.model_validate({"column": "q2", "missing": {-99: "refused"}}))
    assert rows(found, "code", "kind", "n") == {("", "answered", 2), ("-99", "refused", 1), ("", "blank", 1)}


@pytest.mark.parametrize("separator", [" ", ",", ";"])
def test_of_answers_that_hold_several_codes_each_item_has_its_own(separator: str) -> None:
    answers = ["1", separator.join("12"), "9", None, "2"]
    mapping = {"column": "q3", "separator": separator, "codes": {1: "sons", 2: "nobody"}, "missing": {9: "dont_know"}}
    found = trace({"q3": answers}, help=Source.model_validate(mapping))
    of_sons = found[found["variable"] == "help_sons"]
    assert rows(of_sons, "code", "kind", "harmonised", "n") == {
        ("1", "answered", "yes", 2),
        ("", "answered", "no", 1),
        ("9", "dont_know", "", 1),
        ("", "blank", "", 1),
    }


def test_a_blank_that_means_not_chosen_of_some_respondents_is_told_from_a_blank_of_others() -> None:
    mapping = {"columns": {"sons": "a", "nobody": "b"}, "codes": {1: "yes"}, "blank": "no"}
    found = trace({"a": [1, None, None], "b": [None, 1, None]}, help=Source.model_validate(mapping))
    of_sons = found[found["variable"] == "help_sons"]
    assert rows(of_sons, "code", "kind", "harmonised", "n") == {
        ("1", "answered", "yes", 1),
        ("", "answered", "no", 1),
        ("", "blank", "", 1),
    }


def test_small_counts_and_what_would_give_them_away_are_hidden_but_not_those_of_breakdowns() -> None:
    counts = [("help_sons", "1", "answered", 3), ("help_sons", "2", "answered", 40), ("help_sons", "3", "answered", 30)]
    counts += [("help_sons", "9", "refused", 2), ("sex", "3", "answered", 1), ("sex", "1", "answered", 75)]
    counts += [("help_nobody", "1", "answered", 5), ("help_nobody", "2", "answered", 0)]
    frame = pd.DataFrame(counts, columns=["variable", "code", "kind", "n"]).astype({"n": "Int64"})
    shown = with_small_counts_hidden(frame, ["sex"])["n"]
    assert [None if pd.isna(n) else n for n in shown] == [None, 40, None, 2, 1, 75, 5, 0]
