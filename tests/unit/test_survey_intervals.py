"""Limits of proportions against scipy.stats, and verdicts on reliability."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy import stats

from rga.survey import korn_graubard, logit_interval, obs_status
from rga.survey.intervals import t_interval, wilson


def test_korn_graubard_under_simple_random_sampling_is_clopper_pearson() -> None:
    for successes, n in [(0, 1), (0, 40), (40, 40), (3, 40), (20, 40), (39, 40)]:
        p = successes / n
        se = np.sqrt(p * (1 - p) / n)
        low, high = korn_graubard(np.array(p), np.array(se), np.array(n), np.array(max(n - 1, 1)))
        exact = stats.binomtest(successes, n).proportion_ci(method="exact")
        assert (float(low), float(high)) == pytest.approx((exact.low, exact.high), rel=1e-9)


def test_korn_graubard_never_takes_more_cases_than_there_are() -> None:
    p, n, df = np.array([0.3]), np.array([100]), np.array([20])
    tiny_error = korn_graubard(p, np.array([0.001]), n, df)
    exact = stats.binomtest(30, 100).proportion_ci(method="exact")
    assert (tiny_error[0][0], tiny_error[1][0]) == pytest.approx((exact.low, exact.high))
    wide = korn_graubard(p, np.array([0.1]), n, df)
    assert wide[0] < tiny_error[0] and wide[1] > tiny_error[1]


def test_there_are_no_limits_without_degrees_of_freedom_or_error() -> None:
    p, se, n = np.array([0.0, 0.5, 0.5]), np.array([0.0, 0.1, np.nan]), np.array([10, 10, 10])
    df = np.array([0, 0, 5])
    for low, high in (logit_interval(p, se, df), korn_graubard(p, se, n, df)):
        assert np.isnan(low).all() and np.isnan(high).all()


def test_logit_limits_stay_inside_and_are_symmetric_on_the_logit_scale() -> None:
    p, se, df = np.array([0.001, 0.5, 0.97]), np.array([0.002, 0.05, 0.02]), np.array([1, 30, 8])
    low, high = logit_interval(p, se, df)
    assert ((low > 0) & (low < p) & (p < high) & (high < 1)).all()
    logit = lambda x: np.log(x / (1 - x))  # noqa: E731
    assert logit(high) - logit(p) == pytest.approx(logit(p) - logit(low))
    assert logit(high[1]) == pytest.approx(stats.t.ppf(0.975, 30) * 0.05 / 0.25)
    assert logit_interval(np.array([0.0, 1.0]), np.zeros(2), np.full(2, 9))[0] == pytest.approx([np.nan] * 2, nan_ok=True)


def test_estimates_are_suppressed_below_25_cases_and_flagged_below_50() -> None:
    n, df = np.array([0, 24, 25, 49, 50, 500]), np.array([9, 9, 9, 9, 9, 0])
    assert obs_status(n, df).tolist() == ["Q", "Q", "U", "U", "A", "U"]


def test_wilson_limits_are_defined_at_both_ends_and_for_one_respondent() -> None:
    p, n = np.array([0.0, 1.0, 0.0, 0.5]), np.array([30, 30, 1, 30])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = wilson(p, np.array([0, 0, 0, np.nan]), n, np.array([29, 29, 5, 29]))
        nobody = wilson(np.array([np.nan, 0.4]), np.array([np.nan, 0.1]), np.array([0, 5]), np.array([0, 0]))
    z = 1.959963984540054
    np.testing.assert_allclose(high[[0, 2]], [z**2 / (30 + z**2), z**2 / (1 + z**2)], rtol=1e-12)
    assert low[0] == low[2] == 0 and high[1] == 1 and low[1] == pytest.approx(1 - high[0])
    assert np.isnan([low[3], high[3], *np.ravel(nobody)]).all()


def test_wilson_limits_take_the_effective_sample_size_and_never_more_than_the_sample() -> None:
    one, df = np.ones(1), np.array([1e9])
    wide = wilson(0.3 * one, np.sqrt(0.21 / 50) * one, 1e9 * one, df)
    assert np.ravel(wide) == pytest.approx(np.ravel(wilson(0.3 * one, 1e-6 * one, 50 * one, np.array([49]))), rel=1e-6)
    assert 0 < wide[0][0] < 0.3 < wide[1][0] < 1


def test_t_limits_are_symmetric_and_need_degrees_of_freedom() -> None:
    low, high = t_interval(np.array([10.0, 10.0, 10.0]), np.array([2.0, 2.0, np.nan]), np.array([np.inf, 0, 5]))
    assert (low[0] + high[0]) / 2 == pytest.approx(10) and high[0] == pytest.approx(10 + 2 * 1.959963984540054)
    assert np.isnan(low[1:]).all() and np.isnan(high[1:]).all()
