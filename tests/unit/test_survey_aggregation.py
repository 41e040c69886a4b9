"""The grouped-sum pass: who is in the base, which PSU is which, what weights are refused."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey import Share, Sums, aggregate

YES = Share("yes", "", "answer = 'yes'")


def table(**columns: Any) -> pd.DataFrame:
    rows = max(len(value) for value in columns.values() if isinstance(value, list))
    plain = {"survey_id": "s", "respondent_id": [f"r{i}" for i in range(rows)], "stratum": None, "psu": None, "weight": 1.0}
    frame = pd.DataFrame(plain | {"sex": "F", "answer": "yes"} | columns, index=range(rows))
    return frame.astype({"stratum": "str", "psu": "str", "sex": "str", "answer": "str"})


def sums(frame: pd.DataFrame, shares: list[Share] | None = None, dimensions: list[str] | None = None) -> Sums:
    con = duckdb.connect()
    con.register("frame", frame)
    return aggregate(con, "frame", shares or [YES], ["sex"] if dimensions is None else dimensions)


def test_the_base_is_those_in_the_universe_who_answered() -> None:
    frame = table(
        worked=["yes", "yes", "yes", "no", None, None],
        answer=["yes", "no", None, "yes", "yes", None],
        weight=[1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
    )
    shares = [
        Share("narrow", "worked = 'yes'", "answer = 'yes'"),
        YES,
        Share("everybody", "TRUE", "COALESCE(answer = 'yes', FALSE)"),
    ]
    found = sums(frame, shares)
    assert found.n.sum(axis=0).tolist() == [2, 4, 6]
    assert found.numerator_n.sum(axis=0).tolist() == [1, 3, 3]
    assert found.weight.sum(axis=0).tolist() == [3, 27, 63]
    assert found.weighted.sum(axis=0).tolist() == [1, 25, 25]


def test_a_respondent_without_weight_is_not_in_the_sample_and_one_of_weight_zero_is() -> None:
    found = sums(table(psu=["1", "2", "3"], weight=[None, 0.0, 5.0]))
    assert found.strata.psus.tolist() == [2]
    assert found.cases.sum() == 1 and found.n.sum() == 1 and found.total_weight.sum() == 5


def test_psus_are_nested_in_strata_and_in_surveys() -> None:
    frame = table(
        survey_id=["a", "a", "a", "b", "b"], stratum=["north", "south", "south", None, None], psu=["1", "1", "2", "1", "2"]
    )
    found = sums(frame)
    assert len(set(found.psu)) == 5
    assert found.strata[["survey_id", "name", "psus"]].to_dict("list") == {
        "survey_id": ["a", "a", "b"],
        "name": ["north", "south", ""],
        "psus": [1, 2, 2],
    }


def test_a_respondent_without_psu_is_one_even_if_a_psu_has_its_id() -> None:
    found = sums(table(respondent_id=["1", "2", "3", "4"], psu=["2", "2", None, None]))
    assert found.strata.psus.tolist() == [3]
    found = sums(table(respondent_id=["1", "2"], psu=["2", None]))
    assert found.strata.psus.tolist() == [2]


def test_a_missing_dimension_is_a_category_of_its_own() -> None:
    found = sums(table(sex=["F", None, "M"]))
    assert sorted(found.categories["sex"][found.codes["sex"]]) == ["F", "M", "_U"]


def test_groups_are_sorted_whatever_the_order_of_rows() -> None:
    frame = table(survey_id=["b", "a", "b", "a"], psu=["2", "1", "1", "2"], weight=[1.0, 2.0, 3.0, 4.0])
    found, turned = sums(frame), sums(frame.iloc[[3, 2, 1, 0]])
    assert found.surveys == ("a", "b")
    assert found.total_weight.tolist() == [2, 4, 3, 1]
    assert found.psu.tolist() == turned.psu.tolist() == [0, 1, 2, 3]
    assert np.array_equal(found.weight, turned.weight)


def test_respondents_without_psu_share_a_group_whose_second_moments_stand_for_them() -> None:
    found = sums(table(answer=["yes", "no", None, "yes"], weight=[1.0, 2.0, 4.0, 8.0]))
    assert found.psu.tolist() == [-1] and found.strata.psus.tolist() == [4]
    assert found.moments is not None
    assert [matrix[0, 0] for matrix in found.moments] == [1 + 64, 1 + 64, 1 + 4 + 64]
    assert sums(table(psu=["1", "2"])).moments is None


@pytest.mark.parametrize("weight", [-1.0, np.inf, np.nan])
def test_a_weight_that_is_negative_or_not_finite_is_refused(weight: float) -> None:
    con = duckdb.connect()
    con.register("frame", table(weight=[1.0, 1.0]))
    con.execute("CREATE TABLE respondents AS SELECT * FROM frame")
    con.execute("UPDATE respondents SET weight = ? WHERE respondent_id = 'r1'", [weight])
    if np.isnan(weight):
        con.execute("UPDATE respondents SET weight = 'NaN'::DOUBLE WHERE respondent_id = 'r1'")
    with pytest.raises(InputError, match="s: a weight is negative, infinite or not a number"):
        aggregate(con, "respondents", [YES], ["sex"])


def test_no_respondent_makes_empty_sums() -> None:
    found = sums(table(weight=[None, None]))
    assert found.surveys == () and found.n.shape == (0, 1)


def test_names_with_quotes_are_names() -> None:
    frame = table(answer=["yes", "no"]).rename(columns={"sex": 'se"x'})
    assert sums(frame, dimensions=['se"x']).categories['se"x'].tolist() == ["F"]
