"""Gaps between women and men: covariance, pairs of cells, multiple testing."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from rga.survey import Design, Result, Share, Sums, aggregate, benjamini_hochberg, estimate, gender_gaps, jointly
from rga.survey.gaps import verdicts

KEYS = ["survey_id", "indicator", "breakdown", "age_group"]
BY_SEX = [("sex",)]
BREAKDOWNS: list[tuple[str, ...]] = [(), ("sex",), ("age_group",), ("sex", "age_group")]


def survey(seed: int, n: int = 400, clustered: bool = True, indicators: int = 2) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "survey_id": "s",
            "respondent_id": [f"r{i}" for i in range(n)],
            "stratum": pd.Series([None] * n, dtype="str"),
            "psu": pd.Series(rng.integers(0, 25, n).astype(str) if clustered else [None] * n, dtype="str"),
            "weight": rng.lognormal(0, 0.5, n) * 1000,
            "sex": rng.choice(["F", "M", "O", None], n, p=[0.5, 0.4, 0.05, 0.05]),
            "age_group": rng.choice(["Y18T34", "Y_GE35", None], n, p=[0.5, 0.4, 0.1]),
        }
    )
    for k in range(indicators):
        frame[f"i{k}"] = rng.choice(["yes", "no", None], n, p=[0.3, 0.6, 0.1])
    return frame


def sums(frame: pd.DataFrame) -> Sums:
    con = duckdb.connect()
    con.register("frame", frame)
    codes = [name for name in frame if name[0] == "i" and name[1:].isdigit()]
    return aggregate(con, "frame", [Share(code, "", f"{code} = 'yes'") for code in codes], BREAKDOWNS)


@pytest.mark.parametrize("seed", range(5))
def test_a_gap_is_the_difference_of_the_published_shares(seed: int) -> None:
    found = sums(survey(seed))
    shares = estimate(found, [("sex", "age_group")]).set_index(["indicator", "sex", "age_group"])
    gaps = gender_gaps(found, [("sex", "age_group")])
    assert len(gaps) == 4
    for row in gaps.itertuples():
        women, men = (shares.loc[(row.indicator, sex, row.age_group)] for sex in "FM")
        assert (row.women, row.men, row.n_women, row.n_men) == (women.value, men.value, women.n, men.n)
        assert row.gap == women.value - men.value and row.ratio == women.value / men.value


@pytest.mark.parametrize("seed", range(5))
def test_without_clusters_or_strata_the_variance_of_a_gap_is_the_sum_of_variances(seed: int) -> None:
    found = sums(survey(seed, clustered=False))
    shares = estimate(found, [("sex",)]).set_index(["indicator", "sex"])
    for row in gender_gaps(found, [("sex",)]).itertuples():
        women, men = (shares.loc[(row.indicator, sex)] for sex in "FM")
        assert row.se == pytest.approx(np.hypot(women.se, men.se), rel=1e-12)
        assert row.df == women.df + men.df + 1
        log_se = np.hypot(women.cv, men.cv)
        assert np.log(row.ratio_high / row.ratio_low) / np.log(row.ratio_high / row.ratio) == pytest.approx(2)
        assert np.log(row.ratio_high / row.ratio) / log_se == pytest.approx((row.ci_high - row.gap) / row.se)


def test_people_who_share_a_psu_bring_their_covariance() -> None:
    frame = survey(1)
    frame["i0"] = np.where(frame.psu.astype(int) % 2 == 0, "yes", frame["i0"])  # alike within PSUs, women and men
    found = sums(frame)
    shares = estimate(found, [("sex",)]).set_index(["indicator", "sex"])
    gap = gender_gaps(found, [("sex",)]).set_index("indicator").loc["i0"]
    assert gap.se < 0.9 * np.hypot(shares.loc[("i0", "F")].se, shares.loc[("i0", "M")].se)


def test_cells_unknown_or_other_in_another_dimension_get_no_gap() -> None:
    frame = survey(2)
    frame.loc[frame.age_group == "Y_GE35", "age_group"] = "_O"
    gaps = gender_gaps(sums(frame), [(), ("age_group",), ("sex",), ("sex", "age_group")])
    assert set(zip(gaps.breakdown, gaps.age_group, strict=True)) == {("sex", "_T"), ("sex*age_group", "Y18T34")}


def test_a_gap_needs_women_and_men() -> None:
    frame = survey(3)
    frame.loc[(frame.sex == "M") & (frame.age_group == "Y18T34"), "i1"] = None
    gaps = gender_gaps(sums(frame), [("sex", "age_group")])
    assert set(zip(gaps.indicator, gaps.age_group, strict=True)) == {("i0", "Y18T34"), ("i0", "Y_GE35"), ("i1", "Y_GE35")}
    nobody = gender_gaps(sums(frame[frame.sex != "M"]), [("sex",)])
    assert nobody.empty and list(nobody.columns) == list(gaps.columns)


def test_what_is_not_defined_is_null() -> None:
    frame = survey(4)
    frame["i0"] = np.where(frame.sex == "F", "no", frame["i0"])
    frame["i1"] = np.where(frame.sex == "F", "yes", "no")
    some, none = (row for _, row in gender_gaps(sums(frame), [("sex",)]).iterrows())
    assert some.ratio == 0 and np.isnan(some.ratio_low) and some.se > 0 and some.p_value < 0.001
    assert none.gap == 1 and 0 < none.se < 0.1 and none.p_value < 0.001, "nobody and everybody: as if both were the common share"
    assert none[["ratio", "ratio_low", "ratio_high"]].isna().all()
    frame["i1"] = "no"
    alike = gender_gaps(sums(frame), [("sex",)]).iloc[1]
    assert alike.gap == alike.se == 0 and alike[["ratio", "p_value"]].isna().all() and alike.ci_low < 0 < alike.ci_high
    one_psu = gender_gaps(sums(survey(4).assign(psu="1")), [("sex",)])
    assert (one_psu.df == 0).all() and one_psu[["se", "ci_low", "p_value"]].isna().all(axis=None)


def test_nobody_of_a_few_women_is_no_evidence_against_chance() -> None:
    rng, surveys, women, men = np.random.default_rng(20), 1500, 40, 280
    frame = pd.DataFrame(
        {
            "survey_id": np.repeat([f"s{k:04}" for k in range(surveys)], women + men),
            "respondent_id": [f"r{k}" for k in range(surveys * (women + men))],
            "stratum": None, "psu": None, "weight": 1.0,
            "sex": np.tile(["F"] * women + ["M"] * men, surveys), "age_group": "Y_GE35",
            "i0": rng.choice(["yes", "no"], surveys * (women + men), p=[0.05, 0.95]),
        }
    )  # fmt: skip
    found = gender_gaps(sums(frame), [("sex",)])
    nobody = found["women"] == 0
    assert 0.1 < nobody.mean() < 0.16, "as often as 0.95 to the 40th"
    assert (found["p_value"] < 0.001).mean() < 0.01 and (found["p_value"] < 0.05).mean() < 0.07
    # without clusters and weights it is Pearson's chi-squared, but for n - 1
    row = found[nobody].iloc[0]
    common = row["men"] * men / (women + men)
    pearson = row["gap"] ** 2 / (common * (1 - common) * (1 / women + 1 / men))
    assert (row["gap"] / row["se"]) ** 2 == pytest.approx(pearson, rel=0.01)


def test_nobody_against_nobody_is_as_far_off_as_either_may_be_by_its_own() -> None:
    frame = survey(4, clustered=False).assign(i0="no", weight=1.0)
    sides = upper_limits(frame)
    gap = gender_gaps(sums(frame), [("sex",)]).iloc[0]
    assert (gap.ci_low, gap.ci_high) == (pytest.approx(-sides["M"]), pytest.approx(sides["F"]))
    joint = jointly(frame, Design("weight"), [Result(Share("i0", "", "i0 = 'yes'"), {"sex": sex}) for sex in "FM"])
    contrast = joint.contrast({0: 1, 1: -1}).iloc[0]
    assert (contrast.ci_low, contrast.ci_high) == (pytest.approx(gap.ci_low), pytest.approx(gap.ci_high))
    of_women = joint.contrast({0: 2}).iloc[0]
    assert (of_women.ci_low, of_women.ci_high) == (0, pytest.approx(2 * sides["F"]))
    frame["i0"] = "yes"
    everybody = gender_gaps(sums(frame), [("sex",)]).iloc[0]
    assert (everybody.ci_low, everybody.ci_high) == (pytest.approx(-sides["F"]), pytest.approx(sides["M"]))


def upper_limits(frame: pd.DataFrame) -> dict[str, float]:
    """Upper limits of Clopper and Pearson's for nobody."""
    return {str(sex): 1 - 0.025 ** (1 / n) for sex, n in frame[frame["i0"].notna()].groupby("sex").size().items()}


@pytest.mark.parametrize(("of_women", "of_men"), [(0.02, 0.02), (0.085, 0.0), (0.0, 0.06), (0.08, 0.01)])
def test_limits_of_nobody_against_nobody_miss_the_truth_in_few_samples(of_women: float, of_men: float) -> None:
    """Of 40 women and 60 men; without limits such samples said that there is no gap at all."""
    rng, draws = np.random.default_rng(8), 1500
    sex = np.tile(np.repeat(["F", "M"], [40, 60]), draws)
    frame = pd.DataFrame({"sex": sex, "survey_id": np.repeat(np.arange(draws), 100).astype(str), "weight": 1.0})
    frame["y"] = rng.random(len(frame)) < np.where(sex == "F", of_women, of_men)
    with duckdb.connect() as con:
        con.register("people", frame)
        found = gender_gaps(aggregate(con, "people", [Share("y", "", "y")], BY_SEX, Design("weight")), BY_SEX)
    nobody = found[(found["women"] == 0) & (found["men"] == 0)]
    assert len(nobody) > 10 and nobody["ci_low"].notna().all()
    missed = (nobody["ci_low"] > of_women - of_men) | (nobody["ci_high"] < of_women - of_men)
    assert missed.sum() <= draws * 0.025 + 3 * np.sqrt(draws * 0.025 * 0.975)


def test_small_groups_stay_out_of_the_adjustment() -> None:
    frame = pd.concat([survey(5, indicators=6), survey(6, indicators=6).assign(survey_id="t")])
    gaps = gender_gaps(sums(frame), [("sex",), ("sex", "age_group")], n_min=75)
    small = (gaps.n_women < 75) | (gaps.n_men < 75)
    assert 0 < small.sum() < len(gaps)
    assert gaps.p_adjusted.isna().equals(small) and gaps.p_value.notna().all()
    for _, group in gaps[~small].groupby(["survey_id", "breakdown"]):
        assert group.p_adjusted.to_numpy() == pytest.approx(multipletests(group.p_value, method="fdr_bh")[1])


@pytest.mark.parametrize("size", [1, 2, 7, 200])
def test_adjusted_p_values_equal_those_of_statsmodels(size: int) -> None:
    rng = np.random.default_rng(size)
    p = np.round(rng.random(size) ** 2, 2)  # with ties
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], rel=1e-12)
    with_gap = np.append(p, np.nan)
    assert benjamini_hochberg(with_gap)[:-1] == pytest.approx(benjamini_hochberg(p))
    assert np.isnan(benjamini_hochberg(with_gap)[-1])
    assert len(benjamini_hochberg(np.array([]))) == 0


def test_a_verdict_says_who_is_worse_off_only_where_the_gap_is_clear_and_shown() -> None:
    rows = [
        (5.0, 0.01, "more_is_worse", True, "women worse"),
        (-5.0, 0.01, "more_is_worse", True, "men worse"),
        (5.0, 0.05, "more_is_better", True, "men worse"),
        (-5.0, 0.01, "more_is_better", True, "women worse"),
        (5.0, 0.01, "neutral", True, "women higher"),
        (-5.0, 0.01, "neutral", True, "men higher"),
        (5.0, 0.0501, "more_is_worse", True, "no clear gap"),
        (0.0, np.nan, "more_is_worse", True, "no clear gap"),
        (np.nan, np.nan, "more_is_worse", False, "too few cases"),
        (5.0, 0.01, "more_is_worse", False, "too few cases"),
    ]
    gap, p, direction, shown, expected = map(np.array, zip(*rows, strict=True))
    assert verdicts(gap, p, direction, shown).tolist() == expected.tolist()
