"""Calibration by method: bounds, numbers, trimming and collapsing do what they say, and the record of it is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey import calibrate, joint_categories
from rga.survey.calibration_methods import Bounded, Distance, Linear, Logit, Raking

SEX = {"F": 520.0, "M": 480.0}
AREA = {"U": 300.0, "R": 700.0}


def sample(n: int = 400, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"sex": rng.choice(["F", "M"], n), "area": rng.choice(["U", "R"], n)})
    return frame, rng.lognormal(0, 0.6, n)


def sums(values: pd.Series, weights: np.ndarray) -> dict[str, float]:
    return pd.Series(weights).groupby(values).sum().to_dict()


@pytest.mark.parametrize(
    "distance", [Linear(), Raking(), Logit(0.3, 3), Logit(0, 1.5), Bounded(Linear(), 0.4, 2), Bounded(Raking(), 0, 2)]
)
def test_slopes_integrals_and_inverses_belong_to_the_same_function(distance: Distance) -> None:
    u = np.array([-1.3, -0.4, -1e-9, 0.2, 0.8, 1.7])
    step = 1e-6
    at, above, below = distance.at(u), distance.at(u + step), distance.at(u - step)
    assert (above.factor - below.factor) / (2 * step) == pytest.approx(at.slope, rel=1e-6, abs=1e-9)
    assert (above.integral - below.integral) / (2 * step) == pytest.approx(at.factor, rel=1e-6)
    zero = distance.at(np.zeros(1))
    assert zero.factor == pytest.approx(1) and zero.slope == pytest.approx(1) and zero.integral == pytest.approx(0)
    inside = at.slope > 0
    assert distance.inverse(at.factor[inside]) == pytest.approx(u[inside])


def test_linear_calibration_is_generalised_regression() -> None:
    frame, base = sample()
    found = calibrate(frame, base, {"sex": SEX, "area": AREA}, "linear")
    x = np.column_stack([frame.sex == "F", frame.sex == "M", frame.area == "U"]).astype(float)
    scaled = base * 1000 / base.sum()
    b = np.linalg.solve(x.T @ (x * scaled[:, None]), np.array([520, 480, 300]) - x.T @ scaled)
    assert found.weights == pytest.approx(scaled * (1 + x @ b), rel=1e-12)


def test_linear_calibration_reports_negative_weights_and_bounds_prevent_them() -> None:
    frame, base = sample()
    targets = {"sex": {"F": 120.0, "M": 880.0}, "area": {"U": 900.0, "R": 100.0}}
    found = calibrate(frame, base, targets, "linear")
    assert found.negative == (found.weights < 0).sum() > 0 and any("negative" in note for note in found.notes)
    bounded = calibrate(frame, base, targets, "linear", (0.0, 8.0))
    assert bounded.negative == 0 and bounded.weights.min() >= 0 and not any("negative" in note for note in bounded.notes)
    assert bounded.bounds_hit["low"] == (bounded.factor < 1e-6).sum() > 0
    assert sums(frame.area, bounded.weights) == pytest.approx(targets["area"], rel=1e-12)


def test_without_an_upper_bound_only_those_at_the_lower_one_are_at_a_bound() -> None:
    frame, base = sample()
    targets = {"sex": {"F": 120.0, "M": 880.0}, "area": {"U": 900.0, "R": 100.0}}
    found = calibrate(frame, base, targets, "linear", (0.0, np.inf))
    assert found.bounds_hit == {"low": int((found.factor < 1e-6).sum()), "high": 0} and found.bounds_hit["low"] > 0


def test_logit_stays_within_its_bounds_of_the_base_weight_brought_to_the_population() -> None:
    frame, base = sample()
    found = calibrate(frame, base, {"sex": {"F": 570.0, "M": 430.0}, "area": AREA}, "logit", (0.4, 1.7))
    ratio = found.weights / (base * 1000 / base.sum())
    assert ratio == pytest.approx(found.factor) and ratio.min() > 0.4 and ratio.max() < 1.7
    assert found.base_scale == pytest.approx(1000 / base.sum())


def test_poststratification_shares_out_each_total_in_proportion_to_the_base_weights() -> None:
    frame, base = sample()
    found = calibrate(frame[["sex"]], base, {"sex": SEX}, "poststratification")
    for category, total in SEX.items():
        inside = (frame.sex == category).to_numpy()
        assert found.weights[inside] == pytest.approx(base[inside] * total / base[inside].sum(), rel=1e-14)
    assert (
        found.iterations == 0
        and found.converged
        and found.weights == pytest.approx(calibrate(frame[["sex"]], base, {"sex": SEX}).weights)
    )


def test_a_number_meets_its_total_and_those_who_lack_it_are_held_at_the_population_mean() -> None:
    frame, base = sample()
    age = np.random.default_rng(5).integers(18, 80, 400).astype(float)
    age[:25] = np.nan
    frame.loc[20:29, "area"] = None
    found = calibrate(frame, base, {"sex": SEX, "area": AREA}, numbers=pd.DataFrame({"age": age}), totals={"age": 41_000.0})
    known = ~np.isnan(age)
    assert np.average(age[known], weights=found.weights[known]) == pytest.approx(41, rel=1e-12)
    assert sums(frame.sex, found.weights) == pytest.approx(SEX, rel=1e-12)
    assert found.missing == {"sex": 0, "area": 10, "age": 25} and found.missing_any == 30
    row = found.margins.set_index("margin").loc["age"]
    assert (row.category, row.n, row.benchmark) == ("_T", 375, 41_000.0) and row.after == pytest.approx(41_000, rel=1e-12)
    assert pd.Series(found.factor).groupby(found.cell).nunique().max() > 1


def test_numbers_alone_can_be_calibrated_to() -> None:
    frame, base = sample()
    x = np.random.default_rng(6).lognormal(2, 0.5, 400)
    totals = {"x": 1.1 * base @ x, "one": base.sum()}
    found = calibrate(frame[[]], base, {}, "linear", numbers=pd.DataFrame({"x": x, "one": 1.0}), totals=totals)
    assert found.weights @ x == pytest.approx(totals["x"], rel=1e-12) and found.weights.sum() == pytest.approx(
        base.sum(), rel=1e-12
    )
    assert found.base_scale == 1


@pytest.mark.parametrize("method", ["raking", "linear", "logit", "poststratification"])
def test_trimmed_weights_meet_the_margins_and_the_cap(method: str) -> None:
    frame, base = sample()
    targets = {"sex": SEX} if method == "poststratification" else {"sex": SEX, "area": AREA}
    bounds = (0.1, 5.0) if method == "logit" else None
    free = calibrate(frame, base, targets, method, bounds)  # type: ignore[arg-type]
    assert free.weights.max() > 2.5 * np.median(free.weights) and free.cap is None
    found = calibrate(frame, base, targets, method, bounds, trim=2.5)  # type: ignore[arg-type]
    assert found.cap is not None and found.weights.max() <= found.cap * (1 + 1e-9)
    assert found.weights.max() <= 2.5 * np.median(found.weights) * (1 + 1e-9)
    for margin, target in targets.items():
        assert sums(frame[margin], found.weights) == pytest.approx(target, rel=1e-12)
    at_cap = found.weights > found.cap * (1 - 1e-9)
    assert found.trimmed == at_cap.sum() > 0
    # Those below the cap are calibrated as ever: one g in a cell.
    below = pd.Series(found.factor[~at_cap]).groupby(found.cell[~at_cap])
    assert (below.max() - below.min()).max() < 1e-9


def test_a_cap_nobody_reaches_changes_nothing() -> None:
    frame, base = sample()
    free, found = (calibrate(frame, base, {"sex": SEX, "area": AREA}, trim=trim) for trim in (None, 50.0))
    assert found.trimmed == 0 and found.weights == pytest.approx(free.weights, rel=1e-14)


ORDER = {"age": ["young", "middle", "old", "oldest"]}


def aged() -> tuple[pd.DataFrame, np.ndarray, dict[str, dict[str, float]]]:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame(
        {"sex": rng.choice(["F", "M"], 300), "age": rng.choice(["young", "middle", "old"], 300, p=[0.5, 0.4, 0.1])}
    )
    frame.loc[(frame.sex == "F") & (frame.age == "old"), "age"] = "middle"
    frame.loc[3, "age"] = None
    margins = {"sex": SEX, "sex*age": {}}
    for sex, people in SEX.items():
        margins["sex*age"] |= {
            f"{sex}*{age}": people * share for age, share in zip(ORDER["age"], (0.4, 0.3, 0.2, 0.1), strict=True)
        }
    return pd.DataFrame({m: joint_categories(frame, m.split("*")) for m in margins}), rng.lognormal(0, 0.3, 300), margins


def test_categories_nobody_carries_are_merged_with_their_neighbours_and_recorded() -> None:
    categories, base, targets = aged()
    with pytest.raises(InputError, match=r"no respondent is in category F\*old"):
        calibrate(categories, base, targets)
    found = calibrate(categories, base, targets, collapse=ORDER, survey="2020-r1_BGD")
    (record,) = found.collapsed
    assert (record.survey, record.margin, record.variable) == ("2020-r1_BGD", "sex*age", "age")
    assert record.categories == ("middle", "old", "oldest") and record.into == "middle+old+oldest"
    n = categories["sex*age"].str.split("*").str[1].value_counts()
    assert record.n == (n["middle"], n["old"], 0)
    after = found.margins.set_index("category").after
    assert after["F*middle+old+oldest"] / (after["F*middle+old+oldest"] + after["F*young"]) == pytest.approx(0.6)
    assert str(record) in found.notes


def test_a_minimum_of_respondents_merges_small_categories_too() -> None:
    categories, base, targets = aged()
    smallest = (categories["sex*age"] == "M*young").sum()
    once = calibrate(categories, base, targets, collapse=ORDER, collapse_below=5)
    all_one = calibrate(categories, base, targets, collapse=ORDER, collapse_below=int(smallest) * 10)
    assert len(once.collapsed[0].categories) == 3 and all_one.collapsed[0].categories == tuple(ORDER["age"])


def test_a_category_the_benchmark_lacks_is_merged_with_its_neighbour() -> None:
    frame = pd.DataFrame({"age": ["young"] * 40 + ["middle"] * 30 + ["old"] * 20})
    base = np.ones(90)
    for target in ({"young": 600.0, "middle": 400.0}, {"young": 600.0, "middle": 400.0, "old": 0.0}):
        with pytest.raises(InputError):
            calibrate(frame, base, {"age": target})
        found = calibrate(frame, base, {"age": target}, collapse=ORDER)
        assert found.weights[40:] == pytest.approx(400 / 50) and found.collapsed[0].n == (30, 20)


def test_collapsing_needs_a_variable_of_a_margin_and_all_its_categories() -> None:
    categories, base, targets = aged()
    with pytest.raises(InputError, match="lacks oldest"):
        calibrate(categories, base, targets, collapse={"age": ["young", "middle", "old"]})
    with pytest.raises(InputError, match="is on no margin"):
        calibrate(categories, base, targets, collapse={"income": ["low", "high"]})


def test_categories_of_any_type_give_the_same_weights() -> None:
    frame, base = sample()
    frame = frame.astype(object)
    frame.loc[:4, "area"] = None
    frame.loc[5:8, "area"] = "_U"
    targets = {"sex": SEX, "area": AREA}
    expected = calibrate(frame, base, targets)
    for kind in ("str", "category"):
        assert calibrate(frame.astype(kind), base, targets).weights == pytest.approx(expected.weights, rel=1e-14)
    coded = frame.assign(sex=frame.sex.map({"F": 1, "M": 2}))
    assert calibrate(coded, base, {"sex": {1: 520.0, 2: 480.0}, "area": AREA}).weights == pytest.approx(expected.weights, rel=1e-14)


def test_more_combinations_of_categories_than_people_are_no_obstacle() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({f"m{number}": rng.choice(list("abcdefgh"), 2000) for number in range(20)})  # 8 ** 20 cells
    base = rng.lognormal(0, 0.3, 2000)
    targets = {m: pd.Series(base * rng.lognormal(0, 0.1, 2000)).groupby(frame[m]).sum().to_dict() for m in frame}
    found = calibrate(frame, base, {m: {c: t / sum(target.values()) for c, t in target.items()} for m, target in targets.items()})
    assert found.converged and found.cell.max() < 2000
