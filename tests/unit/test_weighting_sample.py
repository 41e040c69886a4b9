"""The sample behind the respondents: non-respondents serve weighting, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rga.errors import InputError
from rga.microdata.respondents import Respondents, prepare
from tests.unit.test_respondents import SURVEY, data_root, rows

CHAIN = SURVEY.replace(
    "weighting: []",
    """response: {column: disposition, complete: [1, 2]}
auxiliary:
  operator: {column: op, codes: {1: A, 2: B}, missing: {9: dont_know}}
  phones: {column: s3}
weighting:
  - {step: nonresponse, cells: [operator, stratum], min_n: 1}
  - {step: multiplicity, divide: phones}""",
)


def approached() -> pd.DataFrame:
    """The four rows of `rows`, of whom the last is 17, and three who did not answer, one of them known to be 12."""
    silent = pd.DataFrame({"ID": [5, 6, 7], "w": [1.0, 2.0, 3.0], "region": ["N"] * 3, "place": [1] * 3, "ea": [11] * 3})
    silent["q2"] = [None, None, 12]
    frame = pd.concat([rows(), silent], ignore_index=True)
    return frame.assign(disposition=[1, 2, 1, 1, 5, 4, 5], op=[1, 2, 9, 1, 2, 1, 1], s3=[1, 2, None, 1, None, None, None])


def prepared(tmp_path: Path, survey: str = CHAIN) -> Respondents:
    return prepare(data_root(tmp_path, approached(), survey), "2020-r1_BGD")


def test_respondents_are_those_who_completed_and_nobody_else(tmp_path: Path) -> None:
    found = prepared(tmp_path)
    assert found.frame["respondent_id"].tolist() == ["1", "2", "3"]
    assert found.excluded == 1  # the one of 17 who answered
    assert (found.item_nonresponse.groupby("variable")["n"].sum() == 3).all()


def test_the_sample_has_who_did_not_answer_and_only_what_weighting_needs(tmp_path: Path) -> None:
    found = prepared(tmp_path)
    sample = found.sample
    assert list(sample) == ["stratum", "psu", "base_weight", "operator", "phones", "responded", "eligible"]
    assert sample["base_weight"].tolist() == [1.5, 2.0, 0.0, 3.0, 1.0, 2.0]  # the silent one of 12 is out of the population
    assert sample["responded"].tolist() == [True] * 4 + [False] * 2
    assert sample["eligible"].tolist() == [True, True, True, False, True, True]
    assert sample["operator"].fillna("-").tolist() == ["A", "B", "-", "A", "B", "A"]
    assert sample["phones"].dtype == "float64" and sample["phones"].isna().sum() == 3
    kept = sample[sample["responded"] & sample["eligible"]]
    assert kept["base_weight"].tolist() == found.frame["base_weight"].tolist()


def test_without_response_everybody_in_the_file_responded(tmp_path: Path) -> None:
    found = prepare(data_root(tmp_path, rows()), "2020-r1_BGD")
    assert found.sample["responded"].all() and len(found.sample) == 4 and found.excluded == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("complete: [1, 2]", "complete: [7]", ["no row has a `complete` code (7)", "disposition", "7 rows"]),
        ("{1: A, 2: B}", "{1: A}", ["operator (column op)", "code 2", "2 rows"]),
        ("column: s3", "column: ID2", ["there is no such column"]),
        ("cells: [operator, ", "cells: [operater, ", ["step 1 (nonresponse)", "did you mean `operator`"]),
        ("cells: [operator, ", "cells: [never, ", ["in the catalogue, but this survey does not give it"]),
        ("cells: [operator, ", "cells: [phones, ", ["must be categorical, and is numeric"]),
        ("divide: phones", "divide: operator", ["step 2 (multiplicity)", "must be numeric, and is categorical"]),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, said: list[str]) -> None:
    assert old in CHAIN
    with pytest.raises(InputError) as caught:
        prepared(tmp_path, CHAIN.replace(old, new))
    for words in said:
        assert words in str(caught.value)


def test_a_row_without_disposition_is_an_error(tmp_path: Path) -> None:
    root = data_root(tmp_path, approached().assign(disposition=[1, 2, 1, 1, None, None, 5]), CHAIN)
    with pytest.raises(InputError, match="variable disposition, 2 rows: neither complete nor not"):
        prepare(root, "2020-r1_BGD")


def test_a_harmonised_variable_may_serve_as_a_cell_also_where_it_is_derived(tmp_path: Path) -> None:
    found = prepared(tmp_path, CHAIN.replace("cells: [operator, ", "cells: [age_group, "))
    assert found.sample["age_group"].fillna("-").tolist() == ["Y18T59", "Y_GE60", "-", "Y0T17", "-", "-"]
