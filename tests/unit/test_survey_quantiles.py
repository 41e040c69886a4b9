"""Weighted quantiles and Woodruff's limits on cases small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Quantile, Result, jointly, make_replicates, tabulate
from rga.survey.quantiles import levels_at_the_top, weighted_quantile, woodruff


def test_a_quantile_is_the_smallest_answer_with_enough_weight_at_or_below_it() -> None:
    y, w = np.array([30.0, 10.0, 20.0, 20.0]), np.array([1.0, 2.0, 3.0, 2.0])
    np.testing.assert_array_equal(
        weighted_quantile(y, w, np.array([0, 0.1, 0.25, 0.26, 0.875, 0.9, 1])), [10, 10, 10, 20, 20, 30, 30]
    )
    np.testing.assert_array_equal(weighted_quantile(y, w, np.array([-0.01, 1.01, np.nan])), [np.nan] * 3)


def test_an_answer_that_alone_holds_more_than_the_share_is_the_quantile() -> None:
    assert weighted_quantile(np.array([1.0, 2.0, 3.0]), np.array([8.0, 1.0, 1.0]), np.array([0.5]))[0] == 1  # R survey 4.1-1: 2


def test_equal_weights_tie_whatever_their_rounding() -> None:
    for weight in (1.0, 0.1, 1 / 3):
        assert weighted_quantile(np.arange(1.0, 11.0), np.full(10, weight), np.array([0.3, 0.5, 0.7])).tolist() == [3, 5, 7]


def test_a_limit_that_no_answer_can_be_is_not_defined() -> None:
    y, w = np.arange(1.0, 21.0), np.ones(20)
    low, high, se = woodruff(y, w, q=0.1, level=0.1, se=0.1, df=10)
    assert np.isnan(low) and high == 7 and np.isnan(se)
    assert (
        np.isnan(woodruff(y, w, q=0.5, level=0.5, se=0.1, df=0)).all()
        and np.isnan(woodruff(y, w, q=0.5, level=0.5, se=np.nan, df=5)).all()
    )


def test_the_standard_error_is_the_interval_over_twice_its_quantile() -> None:
    low, high, se = woodruff(np.arange(1.0, 101.0), np.ones(100), q=0.5, level=0.5, se=0.05, df=np.inf)
    assert (low, high) == (41, 60) and se == pytest.approx((60 - 41) / (2 * 1.959963984540054))


@pytest.mark.parametrize("q", [-0.1, 0, 1, 1.5, np.nan])
def test_a_quantile_that_no_sample_estimates_is_refused(q: float) -> None:
    with pytest.raises(ValueError, match=r"quantile top: q is .*between 0 and 1"):
        Quantile("top", "", "y", q)


def test_where_everybody_is_at_or_below_a_quantile_the_largest_answer_is_a_limit_only_if_the_sample_is_large_enough() -> None:
    assert levels_at_the_top(8, 7, 0.9) == (pytest.approx(0.025 ** (1 / 8)), pytest.approx(np.nan, nan_ok=True))
    assert levels_at_the_top(40, 39, 0.9) == (pytest.approx(0.025 ** (1 / 40)), 1.0)
    assert np.isnan(levels_at_the_top(8, 0, 0.9)).all()


def test_limits_of_a_high_quantile_of_few_people_hold_the_truth_as_often_as_they_say() -> None:
    """In six samples of ten the largest answer is the ninth decile: R's limits are then that answer twice."""
    rng, truth, n = np.random.default_rng(5), 90.0, 9
    held = certain = 0
    for _ in range(4000):
        y, w = rng.uniform(0, 100, n), np.ones(n)
        quantile = weighted_quantile(y, w, np.array([0.9]))[0]
        level = float((y <= quantile).mean())
        low, high, _ = woodruff(y, w, q=0.9, level=level, se=np.sqrt(level * (1 - level) / (n - 1)), df=n - 1)
        held += (np.isnan(low) or low <= truth) and (np.isnan(high) or truth <= high)
        certain += high - low == 0
    assert certain == 0 and 0.95 <= held / 4000 <= 1


def test_a_high_quantile_of_few_people_claims_no_certainty_by_influence_or_by_replicates() -> None:
    people = pd.DataFrame({"y": [1.0, 4.0, 2.0, 8.0, 5.0], "w": 1.0})
    asked = Quantile("top", "", "y", 0.9)
    weights, replicates = make_replicates(people, Design("w"), "JK1")
    wide = people.join(pd.DataFrame(weights, people.index, replicates.columns))
    for found in (jointly(people, Design("w"), [Result(asked)]).table, tabulate(wide, Design("w", replicates=replicates), [asked])):
        assert found["value"].item() == 8 and found["ci_low"].item() == 4
        assert np.isnan(found["ci_high"].item()) and np.isnan(found["se"].item())
