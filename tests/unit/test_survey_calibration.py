"""Raking: that it meets its margins, keeps people it knows little of, and says what stands in the way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey import Calibration, calibrate, diagnose, joint_categories

SEX = {"F": 520.0, "M": 480.0}
AREA = {"U": 300.0, "R": 700.0}


def people(**columns: list[str | None]) -> pd.DataFrame:
    return pd.DataFrame(columns, dtype="str")


def crossing(n: int = 400, seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    frame = people(sex=list(rng.choice(["F", "M"], n)), area=list(rng.choice(["U", "R"], n)))
    return frame, rng.lognormal(0, 0.4, n)


def sums(frame: pd.DataFrame, margin: str, weights: np.ndarray) -> dict[str, float]:
    return pd.Series(weights).groupby(frame[margin].fillna("_U")).sum().to_dict()


def test_every_margin_is_met() -> None:
    frame, base = crossing()
    raking = calibrate(frame, base, {"sex": SEX, "area": AREA})
    assert sums(frame, "sex", raking.weights) == pytest.approx(SEX, rel=1e-12)
    assert sums(frame, "area", raking.weights) == pytest.approx(AREA, rel=1e-12)
    table = raking.margins.set_index(["margin", "category"])
    assert table.loc[("sex", "F"), "before"] == pytest.approx(base[frame.sex == "F"].sum())
    assert table.loc[("sex", "F"), "after"] == pytest.approx(520) == table.loc[("sex", "F"), "benchmark"]
    assert table.loc[("area", "U"), "n"] == (frame.area == "U").sum()


def test_one_margin_is_poststratification() -> None:
    frame, base = crossing()
    raking = calibrate(frame[["sex"]], base, {"sex": SEX})
    for category, total in SEX.items():
        inside = (frame.sex == category).to_numpy()
        assert raking.weights[inside] == pytest.approx(base[inside] * total / base[inside].sum())


def test_odds_ratios_of_the_base_weights_are_kept() -> None:
    frame, base = crossing()

    def odds_ratio(weights: np.ndarray) -> float:
        cell = pd.Series(weights).groupby([frame.sex, frame.area]).sum()
        return cell["F", "U"] * cell["M", "R"] / (cell["F", "R"] * cell["M", "U"])

    assert odds_ratio(calibrate(frame, base, {"sex": SEX, "area": AREA}).weights) == pytest.approx(odds_ratio(base))


def test_the_missing_keep_their_share_of_the_base_weight() -> None:
    frame, base = crossing()
    frame.loc[:19, "area"] = None
    frame.loc[20:29, "area"] = "_U"
    raking = calibrate(frame, base, {"sex": SEX, "area": AREA})
    share = base[:30].sum() / base.sum()
    after = sums(frame, "area", raking.weights)
    assert after == pytest.approx({"_U": 1000 * share, "U": 300 * (1 - share), "R": 700 * (1 - share)})
    assert raking.missing == {"sex": 0, "area": 30} and raking.missing_any == 30
    assert raking.weights.sum() == pytest.approx(1000)


def test_one_person_missing_on_one_of_two_margins_that_share_a_variable_does_not_stop_it() -> None:
    frame, base = crossing(n=3000)
    frame["age"] = np.random.default_rng(2).choice(["young", "old"], len(frame))
    frame.loc[0, "age"] = None
    categories = pd.DataFrame({m: joint_categories(frame, m.split("*")) for m in ("sex*area", "sex*age")})
    targets = {
        "sex*area": {"F*U": 160.0, "F*R": 360.0, "M*U": 140.0, "M*R": 340.0},
        "sex*age": {"F*young": 200.0, "F*old": 320.0, "M*young": 210.0, "M*old": 270.0},
    }
    raking = calibrate(categories, base, targets)
    assert raking.converged and raking.iterations < 60
    women = (frame.sex == "F").to_numpy()
    assert raking.weights[women].sum() == pytest.approx(520)  # the benchmark of women is met, whatever their age
    assert raking.missing == {"sex*area": 0, "sex*age": 1}
    held = raking.margins.set_index(["margin", "category"]).after["sex*age", f"{frame.sex[0]}*_U"]
    assert held == pytest.approx((520 if women[0] else 480) * base[0] / base[women == women[0]].sum())


def test_a_respondent_without_base_weight_gets_none_and_one_of_zero_keeps_it() -> None:
    frame, base = crossing()
    base[:5], base[5:9] = np.nan, 0.0
    raking = calibrate(frame, base, {"sex": SEX, "area": AREA})
    assert np.isnan(raking.weights[:5]).all() and (raking.weights[5:9] == 0).all()
    assert np.nansum(raking.weights) == pytest.approx(1000)
    assert raking.margins.groupby("margin").n.sum().eq(395).all()


def test_totals_a_little_apart_are_brought_to_the_first_margin_and_reported() -> None:
    frame, base = crossing()
    raking = calibrate(frame, base, {"sex": SEX, "area": {"U": 301.0, "R": 701.0}})
    assert raking.scaled == pytest.approx({"sex": 1.0, "area": 1000 / 1002})
    assert raking.weights.sum() == pytest.approx(1000)


Targets = Mapping[str, Mapping[str, float]]


def refusal(frame: pd.DataFrame, base: np.ndarray, targets: Targets) -> str:
    with pytest.raises(InputError) as caught:
        calibrate(frame, base, targets)
    assert all(problem.remedy for problem in caught.value.problems)
    return str(caught.value)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"sex": SEX | {"O": 10.0}}, "no respondent is in category O of margin sex, which has 10 people"),
        ({"sex": {"F": 1000.0}}, "category M of margin sex is not in the benchmark"),
        ({"sex": {"F": 1000.0, "M": 0.0}}, "the benchmark has nobody in category M of margin sex"),
        ({"sex": {"F": 1000.0, "M": -1.0}}, "benchmark of margin sex has -1.0 people in category M"),
        ({"sex": {"F": 1000.0, "M": np.nan}}, "benchmark of margin sex has nan people in category M"),
        ({"sex": SEX | {"_U": 10.0}}, "has 10.0 people in category _U"),
        ({"sex": {"F": 0.0, "M": 0.0}, "area": AREA}, "the benchmark has nobody in category F"),
        ({"sex": SEX, "area": {"U": 310.0, "R": 700.0}}, "adds up to 1,010, that of sex to 1,000"),
    ],
)
def test_a_benchmark_that_does_not_fit_is_refused_by_margin_and_category(targets: Targets, message: str) -> None:
    assert message in refusal(*crossing(), targets)


def test_all_problems_are_told_at_once_with_the_rows_they_touch() -> None:
    frame, base = crossing()
    text = refusal(frame, base, {"sex": {"F": 520.0, "X": 480.0}, "area": {"U": 300.0, "S": 700.0}})
    assert all(f"category {category} of margin" in text for category in ("X", "M", "S", "R"))
    assert f"variable sex, code M, {(frame.sex == 'M').sum()} rows" in text


def test_negative_or_absent_base_weights_are_refused() -> None:
    frame, base = crossing()
    assert "negative" in refusal(frame, np.where(frame.index == 3, -1.0, base), {"sex": SEX})
    assert "no respondent has a positive base weight" in refusal(frame, base * 0, {"sex": SEX})
    zero = np.where(frame.sex == "M", 0.0, base)
    assert "no respondent with a positive base weight is in category M" in refusal(frame, zero, {"sex": SEX})


def test_nobody_known_on_a_margin_is_refused() -> None:
    frame, base = crossing()
    assert "nobody's category of margin area is known" in refusal(frame.assign(area=None), base, {"sex": SEX, "area": AREA})


def test_margins_that_contradict_each_other_are_refused_with_how_far_it_got() -> None:
    frame = people(sex=["F", "F", "M", "M"], area=["U", "U", "R", "R"])  # women urban, men rural, without exception
    text = refusal(frame, np.ones(4), {"sex": SEX, "area": AREA})
    assert "margins contradict each other" in text and "of its benchmark" in text and "merge" in text


def test_margins_met_only_by_dropping_respondents_are_refused() -> None:
    frame = people(sex=["F", "F", "M", "M"], area=["U", "R", "R", "R"])
    assert "no weight" in refusal(frame, np.ones(4), {"sex": {"F": 500.0, "M": 500.0}, "area": {"U": 500.0, "R": 500.0}})


def test_joint_categories_are_missing_where_any_variable_is() -> None:
    frame = people(sex=["F", None, "M", "_U"], area=["U", "U", None, "R"])
    assert joint_categories(frame, ["sex", "area"]).tolist() == ["F*U", "_U", "M*_U", "_U"]
    assert joint_categories(frame, ["sex"]).tolist() == ["F", "_U", "M", "_U"]


def test_weight_diagnostics_follow_kish() -> None:
    rng = np.random.default_rng(3)
    positive = rng.lognormal(0, 0.7, 250)
    found = diagnose(np.concatenate([positive, [0.0, 0.0, np.nan]]))
    assert (found.n, found.zero, found.missing) == (250, 2, 1)
    assert found.kish_deff == pytest.approx(1 + (positive.std() / positive.mean()) ** 2)
    assert found.n_effective == pytest.approx(positive.sum() ** 2 / (positive**2).sum())
    assert found.max_to_median == pytest.approx(positive.max() / np.median(positive))
    assert found.top_share == pytest.approx(np.sort(positive)[-3:].sum() / positive.sum())
    equal = diagnose(np.full(10, 7.0))
    assert equal.kish_deff == pytest.approx(1) and equal.top_share == pytest.approx(0.1)
    with pytest.raises(ValueError, match="add up to 0 or less"):
        diagnose(np.zeros(3))


def test_negative_weights_are_counted_and_take_part() -> None:
    weights = np.array([3.0, 2.0, -1.0, 4.0, 0.0, np.nan])
    found = diagnose(weights)
    assert (found.n, found.negative, found.zero, found.missing, found.minimum) == (4, 1, 1, 1, -1)
    assert found.total == 8 and found.kish_deff == pytest.approx(1 + (weights[:4].std() / 2) ** 2)


def test_the_answer_is_a_plain_record() -> None:
    assert isinstance(calibrate(*crossing(), {"sex": SEX}), Calibration)
