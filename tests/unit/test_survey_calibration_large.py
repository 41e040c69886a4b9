"""Margins of very many categories: what can be met is met, what cannot be is refused, and both in seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey import calibrate

PEOPLE = 20_000


def problem(categories: int, apart: float = 0.5) -> tuple[dict[str, Any], np.ndarray]:
    """Two margins, and the weights that raking finds: base weights times factors of both categories, ``apart`` on the log scale."""
    rng = np.random.default_rng(0)
    codes = {name: np.concatenate([np.arange(categories), rng.integers(0, categories, PEOPLE - categories)]) for name in "ab"}
    codes["b"] = rng.permutation(codes["b"])
    frame = pd.DataFrame({n: pd.Categorical.from_codes(c, [f"{n}{i}" for i in range(categories)]) for n, c in codes.items()})
    base = rng.lognormal(0, 0.5, PEOPLE)
    people = pd.Series(1000 * base * np.prod([rng.lognormal(0, apart, categories)[c] for c in codes.values()], axis=0))
    totals = {name: people.groupby(frame[name], observed=True).sum().to_dict() for name in codes}
    return {"categories": frame, "base_weight": base, "targets": totals}, people.to_numpy()


@pytest.fixture
def within_seconds() -> Iterator[None]:
    start = time.process_time()
    yield
    assert time.process_time() - start < 15


@pytest.mark.usefixtures("within_seconds")
def test_two_margins_of_fifteen_hundred_categories_are_met() -> None:
    asked, weights = problem(1500)
    assert calibrate(**asked).weights == pytest.approx(weights, rel=1e-9)


def test_totals_that_ask_for_weights_millions_of_times_apart_are_met_exactly() -> None:
    asked, weights = problem(500, apart=2.5)
    assert weights.max() / weights.min() > 1e7
    assert calibrate(**asked).weights == pytest.approx(weights, rel=1e-9)


@pytest.mark.usefixtures("within_seconds")
@pytest.mark.parametrize("method", ["logit", "linear", "raking"])
def test_bounds_that_no_weights_keep_are_refused(method: str) -> None:
    with pytest.raises(InputError, match=r"(?s)after \d iterations .* what to do: widen the bounds"):
        calibrate(**problem(1500)[0], method=method, bounds=(0.9, 1.1))  # type: ignore[arg-type]


@pytest.mark.usefixtures("within_seconds")
def test_the_same_categories_twice_with_other_totals_are_refused() -> None:
    asked, _ = problem(1500)
    asked["targets"]["again"] = asked["targets"]["b"] | {"b7": 1.001 * asked["targets"]["b"]["b7"]}
    asked["categories"] = asked["categories"].assign(again=asked["categories"]["b"])
    with pytest.raises(InputError, match=r"did not converge: after \d iterations"):
        calibrate(**asked)


@pytest.mark.usefixtures("within_seconds")
def test_fifteen_hundred_small_categories_are_merged() -> None:
    asked, _ = problem(1500)
    found = calibrate(**asked, collapse={name: list(target) for name, target in asked["targets"].items()}, collapse_below=10)
    assert found.margins.n.min() >= 10 and found.margins.after.to_numpy() == pytest.approx(found.margins.benchmark, rel=1e-12)
