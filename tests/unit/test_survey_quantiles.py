"""Weighted quantiles and Woodruff's limits on cases small enough to work out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from rga.survey.quantiles import weighted_quantile, woodruff


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
    low, high, se = woodruff(y, w, level=0.1, se=0.1, df=10)
    assert np.isnan(low) and high == 7 and np.isnan(se)
    assert np.isnan(woodruff(y, w, level=0.5, se=0.1, df=0)).all() and np.isnan(woodruff(y, w, level=0.5, se=np.nan, df=5)).all()


def test_the_standard_error_is_the_interval_over_twice_its_quantile() -> None:
    low, high, se = woodruff(np.arange(1.0, 101.0), np.ones(100), level=0.5, se=0.05, df=np.inf)
    assert (low, high) == (41, 60) and se == pytest.approx((60 - 41) / (2 * 1.959963984540054))
