"""Problems without a solution, or nearly: each ends in an error that says what to do, or in a named compromise, and soon."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey import calibrate

SEX = {"F": 520.0, "M": 480.0}
AREA = {"U": 300.0, "R": 700.0}


def people(**columns: str) -> pd.DataFrame:
    """A letter per respondent and column."""
    return pd.DataFrame({name: list(letters) for name, letters in columns.items()})


def refusal(frame: pd.DataFrame, targets: dict[str, dict[str, float]], base: np.ndarray | None = None, **others: Any) -> str:
    with pytest.raises(InputError) as caught:
        calibrate(frame, np.ones(len(frame)) if base is None else base, targets, **others)
    assert all(problem.remedy for problem in caught.value.problems)
    return str(caught.value)


def test_an_empty_cell_that_leaves_no_solution_is_named_with_what_would_help() -> None:
    frame = people(sex="FFFMMM", area="UUUURR")  # no rural woman: urban people are at least as many as women
    text = refusal(frame, {"sex": SEX, "area": AREA}, survey="2020-r1_BGD")
    assert "2020-r1_BGD" in text and "contradict each other" in text
    assert "F of sex (520 in the benchmark, 3 respondents)" in text and "U of area (300 in the benchmark, 4 respondents)" in text
    assert "every category comes within 26.829% of its benchmark" in text  # 520 (1 - e) = 300 (1 + e)
    assert "merge U and R of area" in text and "leave out margin area" in text


def test_margins_that_count_a_shared_variable_differently_are_refused() -> None:
    rng = np.random.default_rng(1)
    sex, area, age = rng.choice(["F", "M"], 200), rng.choice(["U", "R"], 200), rng.choice(["y", "o"], 200)
    frame = pd.DataFrame({"sex*area": np.char.add(np.char.add(sex, "*"), area), "sex*age": np.char.add(np.char.add(sex, "*"), age)})
    by_area = {"F*U": 200.0, "F*R": 320.0, "M*U": 180.0, "M*R": 300.0}
    text = refusal(frame, {"sex*area": by_area, "sex*age": {"F*y": 300.0, "F*o": 190.0, "M*y": 300.0, "M*o": 210.0}})
    assert "margins contradict each other: M of sex is 510 by margin sex*age, 480 by sex*area" in text
    # A difference that rounding explains is taken out, and told.
    close = {"F*y": 300.0, "F*o": 221.0, "M*y": 300.0, "M*o": 179.0}
    found = calibrate(frame, np.ones(200), {"sex*area": by_area, "sex*age": close})
    assert found.weights[sex == "F"].sum() == pytest.approx(520, rel=1e-12)
    assert any("margin sex*age was scaled to the latter within sex" in note for note in found.notes)


def test_bounds_too_tight_are_refused_with_the_narrowest_that_do() -> None:
    frame = people(sex="F" * 20 + "M" * 80, area="UR" * 50)
    targets = {"sex": {"F": 500.0, "M": 500.0}, "area": {"U": 500.0, "R": 500.0}}
    for method in ("logit", "linear", "raking"):
        text = refusal(frame, targets, method=method, bounds=(0.5, 2.0))
        assert "bounds of 0.5 to 2 times the base weight are too tight" in text and "F of sex (500 in the benchmark" in text
        wider = text.split("widen the bounds to (")[1].split(")")[0].split(",")
        low, high = float(wider[0]), float(wider[1])
        assert 2.5 < high < 2.55  # women have 20 of 100 and need 50
        found = calibrate(frame, np.ones(100), targets, method, (low, high))  # type: ignore[arg-type]
        assert found.converged and found.factor.max() <= high


def test_a_cap_too_low_is_refused_with_one_that_does() -> None:
    frame = people(sex="F" * 10 + "M" * 90)
    text = refusal(frame, {"sex": {"F": 500.0, "M": 500.0}}, trim=3)
    assert "the cap from trimming" in text and "F of sex (500 in the benchmark, 10 respondents)" in text
    assert "smallest cap that they can be met with is 50" in text
    ratio = float(text.split("trim at ")[1].split(" ")[0])
    assert calibrate(frame, np.ones(100), {"sex": {"F": 500.0, "M": 500.0}}, trim=ratio).weights.max() == pytest.approx(50)


@pytest.mark.parametrize("seed", range(6))
def test_the_ratio_that_a_refusal_of_trimming_names_can_be_followed(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"age": rng.choice([*"xyz"], 120, p=[0.08, 0.3, 0.62]), "area": rng.choice([*"pqr"], 120, p=[0.1, 0.3, 0.6])}
    )
    base = rng.lognormal(0, 0.7, 120)  # the median moves with the cap
    targets = {"age": {"x": 400.0, "y": 300.0, "z": 300.0}, "area": {"p": 300.0, "q": 400.0, "r": 300.0}}
    ratio = float(refusal(frame, targets, base, trim=3).split("trim at ")[1].split(" or more")[0])
    found = calibrate(frame, base, targets, trim=ratio)
    assert found.error < 1e-9 and found.weights.max() <= ratio * np.median(found.weights) * (1 + 1e-8)


def test_one_respondent_who_carries_a_category_is_named() -> None:
    frame = people(sex="F" + "M" * 49, area="UR" * 25)
    found = calibrate(frame, np.ones(50), {"sex": {"F": 100.0, "M": 900.0}, "area": AREA})
    assert found.weights[0] == pytest.approx(100)
    assert found.notes == ["margin sex: category F is carried by one respondent, who stands for 100"]


@pytest.mark.parametrize(("total", "whole"), [(0.97, 1), (97.0, 100)])
def test_shares_that_do_not_add_up_are_named(total: float, whole: float) -> None:
    frame = people(sex="FMFM", area="UURR")
    text = refusal(frame, {"sex": SEX, "area": {"U": 0.3 * total, "R": 0.7 * total}})
    assert f"shares of margin area add up to {total:g}, not {whole:g}" in text
    assert "shares of margin area" in refusal(frame[["area"]], {"area": {"U": 0.3 * total, "R": 0.7 * total}})


def test_shares_beside_counts_are_brought_to_the_population() -> None:
    frame = people(sex="FMFM", area="UURR")
    found = calibrate(frame, np.ones(4), {"sex": SEX, "area": {"U": 30.0, "R": 70.0}})
    assert found.scaled == {"sex": 1.0, "area": 10.0} and found.weights[:2].sum() == pytest.approx(300)


def test_collinear_margins_have_one_solution() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"sex": rng.choice(["F", "M"], 300), "area": rng.choice(["U", "R"], 300)})
    frame = frame.assign(
        again=frame.sex.map({"F": "women", "M": "men"}), region=frame.area.where(frame.index % 2 == 0, "X" + frame.area)
    )
    base = rng.lognormal(0, 0.5, 300)
    plain = {"sex": SEX, "area": AREA}
    more = plain | {"again": {"women": 520.0, "men": 480.0}}
    for method, bounds in (("raking", None), ("linear", None), ("logit", (0.2, 4)), ("linear", (0.5, 2))):
        one, other = (calibrate(frame, base, t, method, bounds) for t in (plain, more))  # type: ignore[arg-type]
        assert other.weights == pytest.approx(one.weights, rel=1e-10)
    nearly = plain | {"again": {"women": 530.0, "men": 470.0}}
    text = refusal(frame, nearly, base)
    assert "contradict" in text and "leave out margin again" in text and "leave out margin sex" in text
    hardly = plain | {"again": {"women": 520.000005, "men": 479.999995}}
    text = refusal(frame, hardly, base, method="logit", bounds=(0.2, 4))
    assert "meet the margins to 1e-07" in text and "the same totals to the last digit" in text


def test_categories_that_only_one_side_knows_are_named() -> None:
    frame = people(sex="FFMMX", area="URURU")
    text = refusal(frame, {"sex": SEX, "area": AREA | {"S": 10.0}})
    assert "category X of margin sex is not in the benchmark" in text and "variable sex, code X, 1 row" in text
    assert "no respondent is in category S of margin area, which has 10 people" in text


def test_a_margin_on_which_nobody_is_known_is_to_be_left_out_and_nothing_else() -> None:
    text = refusal(people(sex="UFMF", area="UURR").assign(sex=None), {"sex": SEX, "area": AREA})
    assert text.count("what to do") == 1 and "nobody's category of margin sex is known" in text and "leave the margin out" in text


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("weight", [5e-324, 1e-310, 1e308])
def test_base_weights_beyond_arithmetic_are_refused(weight: float) -> None:
    assert "the base weights add up to" in refusal(people(sex="FMFM"), {"sex": SEX}, np.full(4, weight))


@pytest.mark.filterwarnings("error")
def test_amounts_beyond_arithmetic_are_refused_where_they_are() -> None:
    frame, x = people(sex="FMFM", area="UURR"), pd.DataFrame({"x": [1.0, 2, 3, 4]})
    assert "the smallest base weight, 4.9e-324, is nothing beside the largest, 1" in refusal(
        frame, {"sex": SEX}, np.array([1, 5e-324, 1, 1]), trim=1.5
    )
    assert "1e+300 people in category F" in refusal(frame, {"sex": {"F": 1e300, "M": 1e300}})
    assert "1e-300 people in category M" in refusal(frame, {"sex": SEX | {"M": 1e-300}, "area": AREA})
    for size in (1e-200, 1e200):
        text = refusal(frame, {"sex": SEX}, numbers=x * size, totals={"x": 2500 * size})
        assert f"x goes up to {4 * size:.2g}" in text and "in another unit" in text


def test_one_base_weight_a_billion_times_the_others_is_no_contradiction_of_the_margins() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"sex": rng.choice(["F", "M"], 100), "area": rng.choice(["U", "R"], 100)})
    text = refusal(frame, {"sex": SEX, "area": AREA}, np.where(np.arange(100) == 3, 1e12, 1.0), bounds=(0.2, 4))
    assert "bounds of 0.2 to 4 times the base weight are too tight" in text and "contradict" not in text


def test_one_base_weight_beside_which_the_others_are_lost_is_named_and_no_margin() -> None:
    base = np.where(np.arange(100) == 3, 1e300, 1.0)
    text = refusal(people(sex="FM" * 50, area="UURR" * 25), {"sex": SEX, "area": AREA}, base)
    assert "the largest base weight, 1e+300, leaves the other 99 next to nothing" in text and "contradict" not in text


def test_a_total_of_a_number_that_only_a_few_respondents_reach_is_named_and_no_category() -> None:
    rng = np.random.default_rng(0)
    frame = people(sex="FM" * 10_000, age="aabbccdd" * 2500)
    totals = {"sex": {"F": 5e5, "M": 5e5}, "age": dict.fromkeys("abcd", 2.5e5)}
    text = refusal(frame, totals, numbers=pd.DataFrame({"x": rng.normal(10, 2, 20_000)}), totals={"x": 17e6})
    assert "the total of x can only be met by giving no weight" in text and "population is 17" in text and "merge" not in text
    few = refusal(frame[:40], totals, numbers=pd.DataFrame({"x": rng.normal(10, 2, 40)}), totals={"x": 13.5e6})
    assert "variable x" in few


def test_a_problem_too_large_for_linear_programs_is_refused_at_once_with_remedies() -> None:
    rng = np.random.default_rng(0)
    frame, x = people(sex="FM" * 10_000), pd.DataFrame({"x": rng.normal(10, 2, 20_000)})
    start = time.process_time()
    text = refusal(frame, {"sex": SEX}, method="logit", bounds=(0.5, 2.0), numbers=x, totals={"x": 13e3})
    assert time.process_time() - start < 5
    assert "widen the bounds" in text and "leave out x" in text


def test_women_and_men_are_never_to_be_merged() -> None:
    text = refusal(people(sex="FFMM", area="UURR"), {"sex": SEX, "area": AREA})
    assert "contradict" in text and "merge U and R of area" in text and "merge F and M" not in text
    assert "merge" not in refusal(people(sex="FFFF"), {"sex": SEX})


def test_margins_that_share_their_second_variable_are_told_to_put_it_first_where_the_first_is_missing() -> None:
    rng = np.random.default_rng(4)
    sex, area, age = rng.choice(["F", "M"], 90), rng.choice(["U", "R"], 90), rng.choice(["y", "m", "o"], 90)
    area_age, area_sex = (pd.Series(area) + "*" + pd.Series(other) for other in (age, sex))
    frame = pd.DataFrame({"sex*area": pd.Series(sex) + "*" + pd.Series(area), "area*age": area_age})
    targets = {margin: (counts / 90 * 1000).to_dict() for margin, counts in frame.apply(pd.Series.value_counts).items()}
    targets = {margin: {c: people for c, people in target.items() if people > 0} for margin, target in targets.items()}
    missing = area == "U"
    missing[np.flatnonzero(missing)[5:]] = False  # five people of the town, and nobody else, did not tell their sex
    assert "write the variables that margins share first" in refusal(
        frame.assign(**{"sex*area": frame["sex*area"].mask(missing)}), targets
    )
    shared = {"area*sex": (area_sex.value_counts() / 90 * 1000).to_dict(), "area*age": targets["area*age"]}
    held = pd.DataFrame({"area*sex": area_sex.mask(missing, "U*_U"), "area*age": area_age})
    assert calibrate(held, np.ones(90), shared).weights.max() < 15


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"method": "logit"}, "logit needs bounds"),
        ({"method": "logit", "bounds": (0.3, float("inf"))}, "logit needs an upper bound"),
        ({"method": "ranking"}, "no method `ranking`"),
        ({"bounds": (1.2, 3)}, "do not have 1 between them"),
        ({"bounds": (0.5, float("nan"))}, "do not have 1 between them"),
        ({"method": "poststratification"}, "takes one margin"),
        ({"trim": 0.5}, "at most 0.5 times the median"),
        ({"totals": {"age": 1.0}}, "age has a total and no column"),
        ({"numbers": pd.DataFrame({"age": [1.0] * 4})}, "age has numbers and no total"),
        ({"numbers": pd.DataFrame({"age": [1, 2, 3, np.inf]}), "totals": {"age": 2000.0}}, "age is infinite"),
        ({"numbers": pd.DataFrame({"age": [np.nan] * 4}), "totals": {"age": 2000.0}}, "nobody's age is known"),
        ({"numbers": pd.DataFrame({"age": [1.0, 2, 3, 4]}), "totals": {"age": np.nan}}, "the total of age is nan"),
        (
            {"numbers": pd.DataFrame({"age": [1.0, 2, 3, 4]}), "totals": {"age": 9e6}},
            "over the population is 9,000, respondents have 1 to 4",
        ),
    ],
)
def test_a_call_that_cannot_be_is_refused(others: dict[str, Any], message: str) -> None:
    assert message in refusal(people(sex="FMFM", area="UURR"), {"sex": SEX, "area": AREA}, **others)


def test_a_margin_without_a_column_and_no_margin_at_all_are_refused() -> None:
    frame = people(sex="FM")
    assert "margin area has a benchmark and no column" in refusal(frame, {"sex": SEX, "area": AREA})
    assert "no margin to calibrate to" in refusal(frame, {})


def problem(rng: np.random.Generator) -> dict[str, Any]:
    """Anything: few or many people, wild base weights, missing answers, benchmarks near the sample, far from it or apart."""
    n = int(rng.choice([3, 8, 30, 200]))
    frame = pd.DataFrame({f"m{m}": rng.choice(list("abcdef")[: rng.integers(1, 7)], n) for m in range(rng.integers(1, 5))})
    base = rng.lognormal(0, rng.choice([0, 0.4, 2]), n)
    true = base * rng.lognormal(0, rng.choice([0.1, 1, 3]), n) * 1000
    targets = {}
    for margin in frame:
        total = pd.Series(true).groupby(frame[margin]).sum()
        if rng.random() < 0.3:
            total *= rng.lognormal(0, 0.7, len(total))
            total *= true.sum() / total.sum()
        targets[margin] = total.to_dict()
    if rng.random() < 0.3:
        base[rng.random(n) < 0.2] = rng.choice([0, np.nan])
    if rng.random() < 0.3:
        frame[frame.columns[0]] = frame.iloc[:, 0].mask(rng.random(n) < 0.1)
    method = rng.choice(["raking", "linear", "logit"])
    bounds = (rng.choice([0, 0.2, 0.7]), rng.choice([1.3, 3, 20])) if method == "logit" or rng.random() < 0.4 else None
    asked = {"categories": frame, "base_weight": base, "targets": targets, "method": method, "bounds": bounds}
    asked["trim"] = rng.choice([None, None, 1.5, 3])  # type: ignore[arg-type]
    if rng.random() < 0.3:
        x = rng.lognormal(3, 1, n)
        asked |= {"numbers": pd.DataFrame({"x": x}).mask(rng.random((n, 1)) < 0.05), "totals": {"x": float(true @ x)}}
    return asked


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(8))
def test_whatever_is_asked_ends_soon_in_weights_that_keep_every_promise_or_in_an_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    solved = 0
    for number in range(40):
        asked = problem(rng)
        start = time.process_time()
        try:
            found = calibrate(**asked)
        except InputError as error:
            assert all(p.what and p.remedy and "nan" not in p.what for p in error.problems), str(error)
            continue
        finally:
            assert time.process_time() - start < 30, number
        solved += 1
        base, known = asked["base_weight"], ~np.isnan(asked["base_weight"])
        assert found.converged and found.error < 1e-12
        assert np.isfinite(found.weights[known]).all() and np.isnan(found.weights[~known]).all()
        assert (found.cell >= 0).tolist() == known.tolist()
        assert found.negative == (found.weights[known] < 0).sum()
        assert found.negative == 0 or (asked["method"] == "linear" and asked["bounds"] is None)
        rows = found.margins[found.margins.benchmark > 0]
        assert (rows.after / rows.benchmark).to_numpy() == pytest.approx(1, rel=1e-10)
        if asked["bounds"]:
            g = found.factor[base > 0]
            assert asked["bounds"][0] - 1e-9 <= g.min() and g.max() <= asked["bounds"][1] + 1e-9
        if asked["trim"]:
            positive = found.weights[found.weights > 0]
            assert positive.max() <= asked["trim"] * np.median(positive) * (1 + 1e-8)
    assert solved >= 5
