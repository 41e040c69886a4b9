"""Countries together: who takes part, what each adds, and how much they differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rga.survey.heterogeneity import heterogeneity
from rga.survey.regional import pool, pool_gaps, range_without
from rga.survey.regional_tables import regional_tables

COUNTRIES = ["AAA", "BBB", "CCC", "DDD"]
FACTS = {"round": "2020-r1", "year": 2020, "indicator": "ill", "statistic": "share", "category": "_T", "conf_status": "F"}
WOMEN, MEN = {"AAA": 60.0, "BBB": 40.0, "CCC": 30.0, "DDD": 80.0}, {"AAA": 50.0, "BBB": 45.0, "CCC": 10.0, "DDD": 20.0}
PEOPLE = {"AAA": 1_000_000.0, "BBB": 3_000_000.0, "CCC": 500.0, "DDD": 2_000_000.0}
Frames = dict[str, pd.DataFrame]


def frames(simulated: dict[str, bool] | None = None, hidden: tuple[str, ...] = (), **status: str) -> Frames:
    """Four countries, of which CCC's weights count respondents."""
    rows, gaps, surveys, coverage = [], [], [], []
    for country in COUNTRIES:
        key = {"survey_id": f"2020-r1_{country}", "country": country, "simulated": (simulated or {}).get(country, True)}
        surveys.append(key | {"round": "2020-r1"})
        asked = status.get(country, "asked")
        coverage.append({"survey_id": key["survey_id"], "indicator": "ill", "status": asked, "reason": None})
        women, men = WOMEN[country], MEN[country]
        shown = {"obs_status": "A"} if country not in hidden else {"obs_status": "Q", "se": np.nan}
        for sex, value, times in (("F", women, 1), ("M", men, 2), ("_T", (women + men) / 2, 1)):
            cell = {"breakdown": "total" if sex == "_T" else "sex", "sex": sex, "value": value, "se": 2.0, "n": 500, "df": 100}
            rows.append(FACTS | key | cell | {"population": times * PEOPLE[country]} | shown)
        gap = {"breakdown": "sex", "women": women, "men": men, "gap": women - men, "se": 3.0, "df": 200}
        gaps.append(FACTS | key | gap | {"n_women": 500, "n_men": 500} | shown)
    names = ("estimates", "gaps", "coverage", "surveys")
    return {name: pd.DataFrame(found) for name, found in zip(names, (rows, gaps, coverage, surveys), strict=True)}


def made(**changes: str) -> Frames:
    return regional_tables(**frames(**changes))


def test_each_rule_weighs_as_its_name_says_and_names_who_is_left_out() -> None:
    table = made()["regional_estimates"].set_index(["aggregation", "sex"])
    people, simple = table.loc[("population_weighted", "F")], table.loc[("simple_mean", "F")]
    assert simple["value"] == pytest.approx((60 + 40 + 30 + 80) / 4) and simple["countries"] == 4
    assert people["value"] == pytest.approx((60 * 1 + 40 * 3 + 80 * 2) / 6) and people["country_list"] == "AAA, BBB, DDD"
    assert people["left_out"] == 1 and people["left_out_list"] == "CCC (weights do not add up to people)"
    assert simple["left_out"] == 0 and pd.isna(simple["left_out_list"])
    assert simple["se"] == pytest.approx(2 / np.sqrt(4)) and simple["n"] == 2000 and simple["df"] == pytest.approx(400)


def test_only_surveys_that_asked_the_question_as_it_stands_and_show_a_number_take_part() -> None:
    table = made(AAA="altered", BBB="not_asked")["regional_estimates"]
    row = table.query("sex == 'F' and aggregation == 'simple_mean'").iloc[0]
    assert row["country_list"] == "CCC, DDD"
    assert row["left_out_list"] == "AAA (question altered); BBB (not asked)"
    row = regional_tables(**frames(hidden=("DDD",)))["regional_gaps"].query("aggregation == 'simple_mean'").iloc[0]
    assert row["country_list"] == "AAA, BBB, CCC" and row["left_out_list"] == "DDD (not shown: too few cases or confidential)"


def test_real_and_simulated_surveys_never_meet() -> None:
    tables = regional_tables(**frames(simulated={"AAA": False, "BBB": False}))
    for name in ("regional_estimates", "regional_gaps", "gap_heterogeneity"):
        lists = tables[name].groupby("simulated")["country_list"].unique()
        assert all(not set(entry.split(", ")) & {"CCC", "DDD"} for entry in lists[False]), name
        assert all(not set(entry.split(", ")) & {"AAA", "BBB"} for entry in lists.get(True, [])), name
    out = tables["regional_estimates"]["left_out_list"].dropna()
    assert not out.str.contains("AAA|BBB").any(), "a survey of the other kind is not one that was left out"


def test_one_country_is_no_aggregate() -> None:
    tables = made(BBB="not_asked", CCC="not_asked", DDD="altered")
    assert all(table.empty for table in tables.values())
    assert all(len(table.columns) > 10 for table in tables.values())


def test_a_gap_is_the_difference_of_its_sides_and_says_what_lies_within_countries() -> None:
    table = made()["regional_gaps"].set_index("aggregation")
    np.testing.assert_allclose(table["women"] - table["men"], table["gap"], atol=1e-12)
    simple = table.loc["simple_mean"]
    assert simple["gap_within_countries"] == pytest.approx(simple["gap"])
    frame = frames()
    men = frame["estimates"]["sex"] == "M"
    frame["estimates"].loc[men & (frame["estimates"]["country"] == "BBB"), "population"] *= 10  # men live where shares are others
    weighted = regional_tables(**frame)["regional_gaps"].set_index("aggregation").loc["population_weighted"]
    a, b = np.array([1, 3, 2]) / 6, np.array([2, 60, 4]) / 66
    f, m = np.array([60, 40, 80]), np.array([50, 45, 20])
    assert weighted["gap"] == pytest.approx(a @ f - b @ m)
    assert weighted["gap_within_countries"] == pytest.approx((a + b) / 2 @ (f - m))


def test_parts_add_up_and_what_is_left_without_a_country_is_the_mean_of_the_others() -> None:
    tables = made()
    parts = tables["regional_contributions"]
    keys = ["aggregation", "sex"]
    sums = parts.groupby(keys)[["part", "weight_share", "variance_share"]].sum()
    whole = tables["regional_estimates"].set_index(keys)
    np.testing.assert_allclose(sums.loc[whole.index, "part"], whole["value"])
    gap = tables["regional_gaps"].set_index("aggregation")["gap"]
    np.testing.assert_allclose(sums.xs("F-M", level="sex").loc[gap.index, "part"], gap)
    np.testing.assert_allclose(sums[["weight_share", "variance_share"]], 1)
    without = parts.set_index([*keys, "country"])["without"]
    assert without[("simple_mean", "F", "DDD")] == pytest.approx((60 + 40 + 30) / 3)
    assert without[("simple_mean", "F-M", "CCC")] == pytest.approx((10 - 5 + 60) / 3)
    row = whole.loc[("simple_mean", "F")]
    assert (row["without_low_country"], row["without_high_country"]) == ("DDD", "CCC")
    assert row["without_low"] == pytest.approx(130 / 3) and row["without_high"] == pytest.approx(180 / 3)


def test_aggregates_of_equal_countries_have_the_value_of_each_and_less_error() -> None:
    one = np.full((1, 5), 40.0)
    pooled = pool(one, np.full((1, 5), 3.0), np.full((1, 5), 20.0), np.arange(1.0, 6)[None])
    assert pooled.value[0] == pytest.approx(40) and pooled.se[0] < 3 and 20 < pooled.df[0] < 100
    assert pool(one[:, :1], one[:, :1], one[:, :1], one[:, :1]).df[0] == pytest.approx(40)
    assert np.isnan(pool(one[:, :1], one[:, :1], one[:, :1], one[:, :1]).without).all()


def test_covariance_of_women_and_men_within_countries_counts() -> None:
    value, se = (np.array([[60.0, 40]]), np.array([[50.0, 45]])), np.array([[2.0, 2]])
    weight = (np.ones((1, 2)), np.ones((1, 2)))
    apart, together = (
        pool_gaps(value, (se, se, gap * np.ones((1, 2))), np.full((1, 2), 50.0), weight)[0] for gap in (np.sqrt(8), 1.0)
    )
    assert apart.se[0] == pytest.approx(np.sqrt(8 / 2)) and together.se[0] == pytest.approx(np.sqrt(1 / 2))


def test_a_country_without_an_error_or_degrees_of_freedom_leaves_no_interval_in_silence() -> None:
    value, one = np.array([[10.0, 20, np.nan]]), np.ones((1, 3))
    assert np.isnan(pool(value, np.array([[1.0, np.nan, 1]]), 10 * one, one).se[0])
    assert np.isnan(pool(value, one, np.array([[10.0, 0, 1]]), one).df[0])
    assert pool(value, one, 10 * one, one).weight[0].tolist()[:2] == [0.5, 0.5]
    with pytest.raises(ValueError, match="negative"):
        pool(value, one, one, -one)
    low, high, *at = range_without(np.full((1, 2), np.nan))
    assert np.isnan(low[0]) and np.isnan(high[0]) and [place[0] for place in at] == [-1, -1]


def restricted(y: np.ndarray, v: np.ndarray, tau2: np.ndarray) -> np.ndarray:
    w = 1 / (v[None, :] + tau2[:, None])
    mean = (w @ y) / w.sum(axis=1)
    return -0.5 * (-np.log(w).sum(axis=1) + np.log(w.sum(axis=1)) + (w * (y - mean[:, None]) ** 2).sum(axis=1))


@pytest.mark.parametrize("k", [2, 3, 4, 7, 11])
def test_no_other_tau2_is_more_likely_than_the_one_found(k: int) -> None:
    draw = np.random.default_rng(k)
    v = 10 ** draw.uniform(-2, 4, (200, k))
    y = draw.normal(3, np.sqrt(v + 10 ** draw.uniform(-3, 4, (200, 1))))
    found = heterogeneity(y, v)
    assert np.isfinite(found.tau2).all() and (found.tau2 >= 0).all()
    grid = np.append(0.0, np.geomspace(1e-6, 1e7, 3000))
    for i in range(200):
        best = restricted(y[i], v[i], grid).max()
        assert restricted(y[i], v[i], found.tau2[i : i + 1])[0] > best - 1e-6, (i, found.tau2[i])


def test_units_change_nothing_but_units() -> None:
    draw = np.random.default_rng(1)
    y, v = draw.normal(0, 3, (20, 6)), draw.uniform(0.5, 3, (20, 6))
    points, parts = heterogeneity(y, v), heterogeneity(y / 100, v / 1e4)
    powers = {"q": 0, "i2": 0, "p_value": 0, "mean": 1, "se": 1, "prediction_low": 1, "tau2": 2, "tau2_pm": 2, "tau2_dl": 2}
    for name, power in powers.items():
        np.testing.assert_allclose(getattr(points, name), getattr(parts, name) * 100**power, rtol=1e-9, atol=1e-9, err_msg=name)


def test_countries_that_agree_by_chance_do_not_make_the_interval_shorter_than_their_errors_allow() -> None:
    found = heterogeneity(np.array([[5.0, 5.001, 4.999]]), np.ones((1, 3)))
    assert found.tau2[0] == 0 and found.i2[0] == 0 and found.se[0] == pytest.approx(1 / np.sqrt(3))
    assert found.prediction_low[0] == pytest.approx(found.ci_low[0])


def test_a_country_without_a_standard_error_takes_no_part_and_one_alone_says_nothing() -> None:
    y = np.array([[1.0, 2, 9, 4], [1, np.nan, 9, np.nan], [1, np.nan, np.nan, np.nan]])
    v = np.array([[1.0, 1, 0, 2], [1, 1, 0, 1], [1, 1, 1, 1]])
    found = heterogeneity(y, v)
    assert found.k.tolist() == [3, 1, 1]
    expected = heterogeneity(y[:1, [0, 1, 3]], v[:1, [0, 1, 3]])
    assert found.mean[0] == pytest.approx(expected.mean[0]) and found.tau2[0] == pytest.approx(expected.tau2[0])
    assert np.isnan([found.q[1:], found.tau2[1:], found.mean[1:], found.ci_low[1:], found.i2[1:]]).all()
