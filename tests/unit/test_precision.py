"""To how many digits numbers are printed: steps, digits, limits, errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rga.survey.precision import (
    of_printed_share,
    outward,
    step_above,
    step_below,
    to_digits,
    to_step,
    with_rounding,
)
from rga.warehouse.schema import Column, Table


@pytest.mark.parametrize(
    ("limit", "below", "above"),
    [(0.1, 0.1, 0.1), (0.38, 0.3, 0.5), (1.9, 1.0, 2.0), (4.0, 3.0, 5.0), (77923, 50000, 100000), (6e-5, 5e-5, 1e-4)],
)
def test_steps_are_one_two_three_and_five_times_a_power_of_ten(limit: float, below: float, above: float) -> None:
    assert step_below(np.array([limit])).tolist() == [below] and step_above(limit) == above


def test_a_step_that_cannot_be_known_is_none() -> None:
    assert step_below(np.array([0.0, -1.0, np.nan, np.inf])).tolist() == [0, 0, 0, 0]
    assert to_step(np.array([1.2345, np.nan]), np.array([0.0, 0.1]))[0] == 1.2345


def test_numbers_are_the_nearest_doubles_of_short_decimals() -> None:
    """Not 7.000000000000001."""
    rng = np.random.default_rng(1)
    values, steps = rng.uniform(1, 99, 20000), rng.choice([0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 2, 3, 5, 7], 20000)
    rounded = to_step(values, steps)
    assert all(len(f"{x!r}") <= 5 for x in rounded.tolist()) and (np.abs(rounded - values) <= steps / 2 + 1e-9).all()
    assert all(len(f"{x!r}".replace(".", "").lstrip("0")) <= 2 for x in to_digits(values / 1000).tolist())


def test_limits_are_never_narrower_than_they_were() -> None:
    rng = np.random.default_rng(2)
    low, width = rng.normal(0, 30, 5000), rng.uniform(0.01, 20, 5000)
    down, up = outward(low, low + width, 4)
    assert (down <= low + 1e-6).all() and (up >= low + width - 1e-6).all() and (up - down - width <= 2 * 0.1).all()
    assert [x.tolist() for x in outward(np.array([69.53, 0.0]), np.array([73.22, 100.0]), 4)] == [[69.53, 0.0], [73.22, 100.0]]


def test_the_error_of_a_printed_share_is_that_of_a_simple_sample_times_the_printed_design_effect() -> None:
    share, n, deff = np.array([0.2345]), 500, np.array([1.4321])
    simple = np.sqrt(share * (1 - share) / (n - 1))
    found = of_printed_share(np.array([0.235]), share, simple * np.sqrt(deff), deff)
    assert found == pytest.approx(np.sqrt(1.4 * 0.235 * 0.765 / (n - 1)))
    assert of_printed_share(np.zeros(1), np.zeros(1), np.zeros(1), np.full(1, np.nan)).tolist() == [0.0]


def test_errors_with_roundings_in_them_cover_what_rounding_adds() -> None:
    """The limits of a rounded number reach the true one as often as they say."""
    rng = np.random.default_rng(3)
    se, step = 1.0, 1.0
    truth = rng.uniform(30, 60, 40000)
    printed = to_step(truth + rng.normal(0, se, 40000), step)
    covered = [np.mean(np.abs(printed - truth) <= 1.96 * error) for error in (se, with_rounding(np.array(se), np.array(step)))]
    assert covered[0] < 0.945 and covered[1] == pytest.approx(0.95, abs=0.004)


def test_a_table_prints_no_number_with_more_digits_than_its_column_declares() -> None:
    columns = [Column("a", "DOUBLE", "four"), Column("b", "DOUBLE", "two", digits=2), Column("n", "BIGINT", "as it is")]
    frame = pd.DataFrame({"a": [1.23456, np.nan], "b": [0.0123456, 7.0], "n": [1234567, 3]})
    found = Table("t", "of a test", columns, ["n"]).as_printed(frame)
    assert found["a"][0] == 1.235 and np.isnan(found["a"][1]) and found["b"].tolist() == [0.012, 7.0] and found["n"][0] == 1234567
