"""Nonresponse adjustment: weighting classes by hand, propensities against a second way to compute them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey.nonresponse import propensity_classes, weighting_classes


def column(*values: str | None, name: str = "region") -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(values, dtype="string")})


def test_respondents_of_a_class_carry_the_weight_of_its_sample() -> None:
    weights = np.array([1.0, 2.0, 3.0, 4.0, 6.0])
    responded = np.array([True, True, False, True, False])
    found = weighting_classes(weights, responded, column("N", "N", "N", "S", "S"), min_n=1)
    assert found.weights == pytest.approx([1 * 6 / 3, 2 * 6 / 3, 0, 4 * 10 / 4, 0])
    assert found.weights.sum() == pytest.approx(weights.sum())
    assert found.response_rate == pytest.approx(7 / 16)
    table = found.classes.set_index("class")
    assert table.loc["N"].tolist() == pytest.approx([3, 2, 0.5, 2.0]) and table.loc["S", "factor"] == pytest.approx(2.5)
    assert found.notes == ["2 classes, of which 40.0 to 50.0 % responded"]


def test_not_known_is_a_class_of_its_own() -> None:
    responded = np.array([True, False, True, False])
    found = weighting_classes(np.ones(4), responded, column("N", "N", None, None), min_n=1)
    assert set(found.classes["class"]) == {"N", "_U"}


def test_a_class_with_too_few_respondents_is_pooled_with_those_that_differ_in_the_last_cell_only() -> None:
    cells = pd.DataFrame({"region": list("NNNNSSSS"), "place": list("UURRUURR")})
    responded = np.array([True, True, False, False, True, False, True, False])
    found = weighting_classes(np.ones(8), responded, cells, min_n=1)
    assert set(found.classes["class"]) == {"N", "S*U", "S*R"}  # nobody of N*R answered: the two of N*U speak for all of N
    assert found.weights == pytest.approx([2, 2, 0, 0, 2, 0, 2, 0])
    assert "too few respondents in N*R: pooled into N" in found.notes
    pooled = weighting_classes(np.ones(8), responded, cells, min_n=3)
    assert set(pooled.classes["class"]) == {"all"} and pooled.weights.sum() == pytest.approx(8)


def test_a_sample_with_too_few_respondents_is_an_error_that_says_how_many() -> None:
    with pytest.raises(InputError, match="1 respondents for 4 members of the sample, fewer than 20"):
        weighting_classes(np.ones(4), np.array([True, False, False, False]), column("N", "N", "S", "S"))


@pytest.fixture
def approached() -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    rng = np.random.default_rng(11)
    n = 4000
    frame = pd.DataFrame({"operator": pd.Series(rng.choice(list("ABC"), n), dtype="string"), "calls": rng.integers(1, 6, n) * 1.0})
    operator = [(frame["operator"] == code).to_numpy(dtype=float) for code in "ABC"]
    score = -1.0 + 0.8 * operator[1] - 0.5 * operator[2] + 0.25 * frame["calls"].to_numpy()
    responded = rng.random(n) < 1 / (1 + np.exp(-score))
    return rng.uniform(0.5, 2.0, n), responded, frame


def test_propensity_classes_order_the_sample_by_its_fitted_propensity(
    approached: tuple[np.ndarray, np.ndarray, pd.DataFrame],
) -> None:
    weights, responded, predictors = approached
    found = propensity_classes(weights, responded, predictors, classes=4)
    assert found.weights.sum() == pytest.approx(weights.sum(), rel=1e-12)
    assert (found.weights[~responded] == 0).all()
    rates = found.classes.sort_values("class")["response_rate"].to_numpy()
    assert len(rates) == 4 and (np.diff(rates) > 0).all()
    # The weighted respondents look like the sample they stand for, which they did not before.
    is_b = (predictors["operator"] == "B").to_numpy(dtype=float)
    sample, before, after = (np.average(is_b, weights=w) for w in (weights, weights * responded, found.weights))
    assert abs(after - sample) < 0.25 * abs(before - sample)


def test_fitted_propensities_solve_the_weighted_likelihood_equations(
    approached: tuple[np.ndarray, np.ndarray, pd.DataFrame],
) -> None:
    from rga.survey.nonresponse import _design_matrix, _fitted

    weights, responded, predictors = approached
    design, problems = _design_matrix(predictors, responded, weights)
    assert not problems and design.shape[1] == 4
    score = design.T @ (weights * (responded - _fitted(design, responded, weights)))
    assert np.abs(score / weights.sum()).max() < 1e-9


def test_with_one_categorical_predictor_propensity_classes_are_its_weighting_classes(
    approached: tuple[np.ndarray, np.ndarray, pd.DataFrame],
) -> None:
    weights, responded, predictors = approached
    operator = predictors[["operator"]]
    by_class = weighting_classes(weights, responded, operator)
    assert propensity_classes(weights, responded, operator, classes=3).weights == pytest.approx(by_class.weights, rel=1e-9)


def test_a_category_of_which_nobody_responded_is_named(approached: tuple[np.ndarray, np.ndarray, pd.DataFrame]) -> None:
    weights, responded, predictors = approached
    silent = responded & (predictors["operator"] != "C").to_numpy()
    with pytest.raises(InputError, match="variable operator, code C") as caught:
        propensity_classes(weights, silent, predictors)
    assert "none of its" in str(caught.value) and "merge it with another category" in str(caught.value)


def test_a_predictor_that_says_what_another_said_is_named(approached: tuple[np.ndarray, np.ndarray, pd.DataFrame]) -> None:
    weights, responded, predictors = approached
    twice = predictors.assign(network=predictors["operator"].replace({"A": "one", "B": "two", "C": "three"}))
    with pytest.raises(InputError, match="variable network: says nothing that the predictors before it do not"):
        propensity_classes(weights, responded, twice)


def test_predictors_that_separate_together_are_an_error_and_not_a_weight_of_infinity() -> None:
    number = np.arange(200.0)
    with pytest.raises(InputError, match="separation"):
        propensity_classes(np.ones(200), number >= 100, pd.DataFrame({"number": number}))


def test_a_number_that_is_not_known_is_taken_at_the_mean_with_an_indicator(
    approached: tuple[np.ndarray, np.ndarray, pd.DataFrame],
) -> None:
    weights, responded, predictors = approached
    gaps = predictors.assign(calls=predictors["calls"].mask(np.arange(len(predictors)) % 7 == 0))
    assert propensity_classes(weights, responded, gaps).weights.sum() == pytest.approx(weights.sum())


def test_classes_of_few_respondents_are_joined(approached: tuple[np.ndarray, np.ndarray, pd.DataFrame]) -> None:
    weights, responded, predictors = approached
    found = propensity_classes(weights[:60], responded[:60], predictors[:60], classes=10, min_n=8)
    assert (found.classes["n_responded"] >= 8).all() and len(found.classes) < 10
    assert any("joined with the next" in note for note in found.notes)
