"""Base weights, trimming and normalising: against numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey.base_weights import multiplicity, selection
from rga.survey.weight_limits import normalise, trim


def test_selection_gives_each_operator_people_over_invitations() -> None:
    operator = pd.Series(["A", "A", "B"], name="operator", dtype="string")
    found = selection(np.array([1.0, 2.0, 1.0]), operator, {"A": 5200, "B": 2100}, {"A": 300, "B": 200})
    assert found.weights == pytest.approx([5200 / 300, 2 * 5200 / 300, 10.5])
    assert not found.notes


def test_an_operator_nobody_came_from_is_reported() -> None:
    operator = pd.Series(["A", "A"], name="operator", dtype="string")
    found = selection(np.ones(2), operator, {"A": 10, "B": 3500}, {"A": 1, "B": 2})
    assert found.notes == [
        "nobody of operator B, 3,500 people, is in the file: the others speak for them",
        "more rows than invitations of operator A",
    ]


def test_rows_of_no_operator_or_an_unknown_one_are_an_error_that_counts_them() -> None:
    operator = pd.Series(["A", None, "C", "C"], name="operator", dtype="string")
    with pytest.raises(InputError) as caught:
        selection(np.ones(4), operator, {"A": 10}, {"A": 5})
    assert "1 row:" in str(caught.value) and "code C, 2 rows" in str(caught.value)


def test_multiplicity_divides_by_phones_and_multiplies_by_adults_up_to_the_cap() -> None:
    phones, adults = pd.Series([1.0, 2.0, 4.0, 1.0], name="phones"), pd.Series([2.0, 2.0, 9.0, 1.0], name="adults")
    found = multiplicity(np.array([10.0, 10.0, 10.0, 20.0]), phones, adults, cap=5)
    assert found.weights == pytest.approx([20, 10, 10 / 4 * 5, 20])
    assert found.notes == ["1 with more than 5 adults taken as 5"]


def test_who_did_not_say_how_many_phones_keeps_their_share_of_the_weight() -> None:
    phones = pd.Series([1.0, 2.0, np.nan], name="phones")
    found = multiplicity(np.array([1.0, 3.0, 5.0]), divide=phones)
    assert found.weights == pytest.approx([1.0, 1.5, 5 * (1 + 1.5) / 4])
    assert found.weights[2] / found.weights.sum() == pytest.approx(5 / 9)
    assert found.notes == ["1 without phones got the mean factor 0.625"]


def test_the_count_that_a_person_did_give_is_used_where_the_other_is_missing() -> None:
    phones = pd.Series([1.0, 1.0, 1.0, np.nan, 10.0], name="phones")
    adults = pd.Series([1.0, 2.0, 1.0, 2.0, np.nan], name="adults")
    found = multiplicity(np.ones(5), phones, adults)
    assert found.weights == pytest.approx([1, 2, 1, 2 * (3 + 0.1) / 4, 0.1 * 1.5])
    assert found.notes == ["1 without phones got the mean factor 0.775", "1 without adults got the mean factor 1.500"]


@pytest.mark.parametrize(("values", "said"), [([0.0, 1.0], "counts below 1"), ([np.nan, np.nan], "nobody has a count")])
def test_counts_that_cannot_be_are_an_error(values: list[float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        multiplicity(np.ones(2), divide=pd.Series(values, name="phones"))


def test_trimming_keeps_the_sum_and_lets_nobody_pass_the_limit_even_after_spreading() -> None:
    # median 2, limit 4: 10 is cut to 4, and its 6 spread over 9.8 takes 3.8 past the limit too
    found = trim(np.array([1.0, 1.0, 2.0, 2.0, 3.8, 10.0, np.nan]), 2)
    assert found.limit == 4 and found.trimmed == 2
    assert np.nansum(found.weights) == pytest.approx(19.8)
    assert found.weights[:6] == pytest.approx([11.8 / 6, 11.8 / 6, 11.8 / 3, 11.8 / 3, 4, 4])
    assert np.isnan(found.weights[6])


def test_trimming_that_changes_nothing_leaves_the_weights_as_they_are() -> None:
    weights = np.array([1.0, 2.0, 3.0, 0.0])
    found = trim(weights, 3)
    assert found.trimmed == 0 and (found.weights == weights).all()


def test_a_limit_too_low_for_the_sum_is_an_error() -> None:
    with pytest.raises(InputError, match=r"cannot add up"):
        trim(np.array([1.0, 1.0, 1.0, 97.0]), 5)


def test_normalised_weights_add_up() -> None:
    found = normalise(np.array([1.0, 3.0, np.nan]), 2)
    assert found[:2] == pytest.approx([0.5, 1.5]) and np.isnan(found[2])
