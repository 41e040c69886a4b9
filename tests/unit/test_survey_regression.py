"""Survey regression: the same fit as statsmodels, and a status in place of nonsense."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from rga.survey.adjustment import Limits, model, results
from rga.survey.decomposition import NONLINEAR
from rga.survey.design import Design
from rga.survey.gaps import benjamini_hochberg
from rga.survey.model_matrix import columns_of, model_matrix
from rga.survey.regression import Regression, regress
from rga.survey.sample import sample_of
from rga.survey.separation import separating_columns
from rga.survey.statistics import Mean, Share

COVARIATES = ["age", "education", "children"]


def respondents(n: int = 600, seed: int = 1) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    frame = pd.DataFrame({"sex": random.choice(["F", "M"], n), "age": random.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2])})
    frame["education"] = np.where(random.random(n) < np.where(frame.sex == "F", 0.3, 0.6), "high", "low")
    frame["children"] = random.poisson(1.5, n).astype(float)
    eta = -0.5 + 0.7 * (frame.sex == "F") - 0.9 * (frame.education == "high") + 0.2 * frame.children
    frame["y"] = (random.random(n) < 1 / (1 + np.exp(-eta))).astype(int)
    frame["rare"] = (random.random(n) < 0.04).astype(int)
    frame["hours"] = 20 + 5 * eta + random.normal(0, 4, n)
    frame["psu"] = random.integers(0, 60, n).astype(str)
    frame["weight"] = np.exp(random.normal(0, 0.6, n))
    return frame


def fitted(frame: pd.DataFrame, outcome: str = "y", covariates: list[str] = COVARIATES, **limits: float) -> Regression:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        more = {"limits": Limits(**limits)} if limits else {}  # type: ignore[arg-type]
        return regress(frame, Design(psu="psu"), Share(outcome, "", f"{outcome} = 1"), covariates, **more)  # type: ignore[arg-type]


def test_many_outcomes_with_their_own_bases_and_columns_are_fitted_as_statsmodels_fits_each() -> None:
    import statsmodels.api as sm

    frame = respondents(900)
    random = np.random.default_rng(2)
    frame["age"] = frame["age"].mask(random.random(900) < 0.04)
    shares = []
    for k in range(12):
        frame[f"y{k}"] = (random.random(900) < 0.1 + 0.06 * k).astype(float)
        frame.loc[random.random(900) < 0.05 * k, f"y{k}"] = np.nan
        shares.append(Share(f"y{k}", "education = 'high'" if k % 3 == 0 else "", f"y{k} = 1"))
    with sample_of(frame, Design(psu="psu")) as sample:
        found = model(sample, shares, COVARIATES, limits=Limits(per_coefficient=1))
    assert found.adjustment.fitted == list(range(12)) and found.fits.converged.all()
    assert len({tuple(row) for row in found.fits.used}) > 1  # outcomes differ in the columns they take
    for k in range(12):
        own, base = np.flatnonzero(found.fits.used[k]), found.base[:, k]
        x = (found.matrix.x @ found.columns.basis[k])[base][:, own]
        theirs = sm.GLM(found.fits.y[base, k], x, family=sm.families.Binomial(), freq_weights=frame["weight"].to_numpy()[base])
        expected = theirs.fit(tol=1e-13, maxiter=100).params
        np.testing.assert_allclose(found.fits.coefficients[k, own], expected, rtol=1e-9, atol=1e-9)


def test_the_gap_is_composition_and_rest_and_the_parts_add_up_to_the_composition() -> None:
    gaps = fitted(respondents()).gaps["value"]
    assert gaps["gap"] == pytest.approx(gaps["composition"] + gaps["adjusted_gap"], abs=1e-12)
    assert gaps[[*COVARIATES, NONLINEAR]].sum() == pytest.approx(gaps["composition"], abs=1e-12)
    assert abs(gaps["composition"]) > 0.03 and gaps["education"] == pytest.approx(gaps["composition"], abs=0.02)


def test_in_the_linear_model_the_rest_is_the_coefficient_of_sex_and_nothing_is_left_to_curvature() -> None:
    found = regress(respondents(), Design(psu="psu"), Mean("hours", "", "hours"), COVARIATES)
    assert found.gaps.loc["adjusted_gap", "value"] == pytest.approx(found.coefficients.loc["woman", "value"], rel=1e-12)
    assert found.gaps.loc["adjusted_gap", "se"] == pytest.approx(found.coefficients.loc["woman", "se"], rel=1e-9)
    assert abs(found.gaps.loc[NONLINEAR, "value"]) < 1e-10


def test_with_nothing_to_adjust_for_the_adjusted_gap_is_the_gap() -> None:
    found = fitted(respondents(), covariates=[])
    for column in ("value", "se"):
        assert found.gaps.loc["adjusted_gap", column] == pytest.approx(found.gaps.loc["gap", column], rel=1e-9)
    assert abs(found.gaps.loc["composition", "value"]) < 1e-12


def test_the_error_of_the_adjusted_gap_is_that_of_repeated_samples() -> None:
    values, errors = [], []
    for seed in range(200):
        gaps = fitted(respondents(400, seed)).gaps.loc["adjusted_gap"]
        values.append(gaps["value"])
        errors.append(gaps["se"])
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.12)


def test_the_largest_category_is_the_reference_and_which_it_is_changes_no_gap() -> None:
    frame = respondents()
    renamed = frame.assign(age=frame["age"].map({"a": "z", "b": "y", "c": "x"}))
    assert "age=a" not in fitted(frame).coefficients.index
    pd.testing.assert_frame_equal(fitted(frame).gaps, fitted(renamed).gaps, rtol=1e-10)


def test_a_category_where_all_have_the_outcome_ends_in_a_status_that_names_it() -> None:
    frame = respondents()
    frame.loc[frame["age"] == "c", "y"] = 1
    found = fitted(frame)
    assert (found.status, len(found.gaps)) == ("separation", 0) and "age=c" in found.reason


def test_separation_that_takes_two_covariates_together_is_found() -> None:
    frame = respondents()
    index = (frame["age"] == "c").astype(int) + (frame["education"] == "high").astype(int)
    frame["y"] = np.where(index == 2, 1, np.where(index == 0, 0, frame["y"]))
    for age in ("a", "c"):  # no category is one-sided by itself
        assert frame.loc[frame["age"] == age, "y"].nunique() == 2
    found = fitted(frame, covariates=["age", "education"])
    assert found.status == "separation" and len(found.gaps) == 0
    assert "age=c" in found.reason or "education" in found.reason


def test_separation_by_a_number_is_found() -> None:
    frame = respondents()
    frame["y"] = (frame["children"] > 2).astype(int)
    found = fitted(frame)
    assert found.status == "separation" and "children" in found.reason


def test_no_separation_is_claimed_where_there_is_an_estimate() -> None:
    frame = respondents(80)
    x = np.column_stack([np.ones(80), frame["sex"] == "F", frame["children"]])
    assert len(separating_columns(x, frame["y"].to_numpy(float))) == 0


def test_a_covariate_that_follows_from_another_is_dropped_and_named() -> None:
    frame = respondents()
    frame["school"] = frame["education"].map({"high": "yes", "low": "no"})
    found, plain = fitted(frame, covariates=["age", "education", "school"]), fitted(frame, covariates=["age", "education"])
    assert found.status == "collinear" and "school=" in found.reason
    for name in ("gap", "adjusted_gap", "composition"):
        assert found.gaps.loc[name, "value"] == pytest.approx(plain.gaps.loc[name, "value"], rel=1e-9)


def test_where_sex_follows_from_the_covariates_there_is_no_number() -> None:
    frame = respondents()
    frame["work"] = frame["sex"].map({"F": "home", "M": "field"})
    found = fitted(frame, covariates=["age", "work"])
    assert (found.status, len(found.gaps)) == ("collinear", 0) and "sex" in found.reason


def test_a_fit_that_does_not_settle_is_not_published(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rga.survey.glm.ITERATIONS", 2)
    assert fitted(respondents()).status == "not_converged"


@pytest.mark.parametrize("constant", [0, 1])
def test_an_outcome_that_nobody_or_everybody_has_gets_a_status(constant: int) -> None:
    assert fitted(respondents().assign(y=constant)).status == "separation"
    assert fitted(respondents().assign(y=constant), per_coefficient=5).status == "too_few"


def test_too_few_says_of_what() -> None:
    frame = respondents()
    assert "for each of 6 coefficients" in fitted(frame, "rare", per_coefficient=5).reason
    few = frame[(frame["sex"] == "M") | (frame.index < 20)]
    assert "women and" in fitted(few, per_coefficient=0).reason
    frame["psu"] = (frame.index % 5).astype(str)
    assert "4 degrees of freedom for 6 coefficients" in fitted(frame).reason


def test_nobody_answered_is_too_few() -> None:
    assert fitted(respondents().assign(y=np.nan), per_coefficient=5).status == "too_few"


def test_where_no_outcome_can_be_fitted_the_tables_are_empty() -> None:
    with sample_of(respondents().assign(y=1), Design(psu="psu")) as sample:
        found = model(sample, [Share("y", "", "y = 1")], COVARIATES)
        assert results(found).empty
    assert found.adjustment.status == ["too_few"]


def test_thin_categories_are_pooled_and_where_they_stay_thin_join_the_largest() -> None:
    values = ["a"] * 60 + ["b"] * 40 + ["c"] * 15 + ["d"] * 15 + ["e"] * 3
    matrix = model_matrix(np.zeros(len(values)), pd.DataFrame({"v": values}))

    def used(least: int, gone: str = "") -> tuple[int, list[str]]:
        counts = matrix.x.sum(axis=0)[None, :].copy()
        for name in gone:
            counts[0, matrix.names.index(f"v={name}")] = 0
        found = columns_of(matrix, counts, [["v"]], least)
        return int(found.used[0, 2:].sum()), found.pooled[0].get("v", [])

    assert used(1) == (4, [])
    assert used(25) == (2, ["c", "d", "e"])  # together 33: a category of their own
    assert used(25, "d") == (1, ["c", "e"])  # together 18: with a
    assert used(25, "bcd") == (0, [])  # one category is left, and no covariate


def test_missing_is_a_category_up_to_a_limit_beyond_which_the_covariate_is_left_out() -> None:
    frame = respondents()
    for part, kept in ((0.08, True), (0.2, False)):
        gone = frame.assign(age=frame["age"].mask(np.random.default_rng(3).random(len(frame)) < part))
        with sample_of(gone, Design(psu="psu")) as sample:
            found = model(sample, [Share("y", "", "y = 1")], ["age", "education"], limits=Limits(per_coefficient=1))
        assert found.adjustment.n[0] == len(frame)
        assert ("age" in found.adjustment.adjusted_for[0]) == kept
        assert bool(found.adjustment.left_out[0]) != kept


def test_one_bad_outcome_does_not_disturb_the_others() -> None:
    frame = respondents()
    frame["split"] = (frame["age"] == "c").astype(int)
    shares = [Share(name, "", f"{name} = 1") for name in ("split", "y", "rare")]
    with sample_of(frame, Design(psu="psu")) as sample:
        found = model(sample, shares, COVARIATES, limits=Limits(per_coefficient=0.5, women_or_men=1))
        every = results(found)
    assert found.adjustment.status == ["separation", "ok", "ok"] and found.adjustment.fitted == [1, 2]
    alone = fitted(frame).gaps.loc["adjusted_gap"]
    adjusted = every[every["effect"] == "adjusted_gap"]
    assert list(adjusted["outcome"]) == [1, 2] and adjusted["value"].iloc[0] == pytest.approx(alone["value"], rel=1e-10)
    assert np.isfinite(benjamini_hochberg(adjusted["p_value"].to_numpy())).all()


@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_numbers_far_from_zero_are_adjusted_for_as_those_around_it(offset: float) -> None:
    frame = respondents()
    frame["near"] = np.random.default_rng(3).normal(0, 1, len(frame)).round(6) + 0.7 * (frame.sex == "F")
    frame["far"] = frame["near"] + offset
    near, far = (fitted(frame, covariates=[name, "education"]) for name in ("near", "far"))
    assert far.status == "ok"
    pd.testing.assert_frame_equal(far.gaps.rename(index={"far": "near"}), near.gaps, rtol=1e-6)
    terms = ["woman", "near"]
    slopes = far.coefficients.rename(index={"far": "near"}).loc[terms]
    pd.testing.assert_frame_equal(slopes, near.coefficients.loc[terms], rtol=1e-6)
    assert far.coefficients.loc["(intercept)", "value"] == pytest.approx(
        near.coefficients.loc["(intercept)", "value"] - offset * near.coefficients.loc["near", "value"], rel=1e-6
    )


def test_what_is_nothing_is_not_tested() -> None:
    composition = fitted(respondents(), covariates=[]).gaps.loc["composition"]
    assert composition["value"] == composition["se"] == 0 and np.isnan(composition["p_value"])
    same = regress(respondents().assign(hours=0.1), Design(psu="psu"), Mean("hours", "", "hours"), ["education"])
    assert (same.gaps["value"] == 0).all() and same.gaps["p_value"].isna().all()
    assert same.coefficients.loc["woman", "value"] == 0 and same.coefficients["p_value"].isna().all()


def test_infinite_numbers_and_covariates_named_twice_are_refused() -> None:
    frame = respondents()
    with pytest.raises(ValueError, match="education: named twice"):
        fitted(frame, covariates=["education", "age", "education"])
    frame.loc[3, ["children", "hours"]] = np.inf
    with pytest.raises(ValueError, match="children: infinite"):
        fitted(frame)
    with pytest.raises(ValueError, match="hours: infinite"):
        regress(frame, Design(psu="psu"), Mean("hours", "", "hours"), ["education"])
