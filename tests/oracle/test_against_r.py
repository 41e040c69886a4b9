"""Every number against R's survey package, whose answers are checked in (golden/, made by make_golden.R).

Belongs here: comparisons with R on awkward designs. Not here: anything that needs R installed, or real surveys.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.survey import (
    Share,
    Sums,
    aggregate,
    benjamini_hochberg,
    calibrate,
    estimate,
    gender_gaps,
    joint_categories,
    korn_graubard,
)

GOLDEN = Path(__file__).parent / "golden"
SHARES = [
    Share("common", "", "common = 'yes'"),
    Share("rare", "TRUE", "rare = 'yes'"),
    Share("lost", "worked = 'yes'", "lost = 'yes'"),
]
BREAKDOWNS: list[tuple[str, ...]] = [(), ("sex",), ("sex", "age_group")]
RUNS = [("clustered", rule) for rule in ("adjust", "remove", "average", "certainty")] + [
    (name, "adjust") for name in ("small", "normalised", "raked")
]
IDS = [f"{name}-{rule}" for name, rule in RUNS]
RELATIVE = 1e-9


def read(name: str) -> pd.DataFrame:
    texts = ["stratum", "psu", "worked", "common", "rare", "lost"]
    return pd.read_csv(GOLDEN / f"{name}.csv", dtype=dict.fromkeys(texts, "str"))


def sums_of(name: str) -> Sums:
    data = read(name).assign(survey_id=name)
    for column in ("sex", "age_group"):
        data[column] = data[column].mask(data[column] == "_U")
    con = duckdb.connect()
    con.register("respondents", data)
    return aggregate(con, "respondents", SHARES, BREAKDOWNS)


def golden(table: str, name: str, rule: str, keys: list[str]) -> pd.DataFrame:
    frame = read(table)
    return frame[(frame.scenario == name) & (frame.rule == rule)].set_index(keys).sort_index()


def assert_equal(ours: pd.Series, theirs: pd.Series, absolute: float = 0.0) -> None:
    ours, theirs = ours.astype(float), theirs.astype(float)
    off = (ours - theirs).abs() - absolute > RELATIVE * theirs.abs()
    wrong = off | (ours.isna() != theirs.isna())
    assert not wrong.any(), pd.DataFrame({"ours": ours, "R": theirs})[wrong]


@pytest.mark.parametrize(("name", "rule"), RUNS, ids=IDS)
def test_shares_equal_r(name: str, rule: str) -> None:
    keys = ["indicator", "breakdown", "sex", "age_group"]
    ours = estimate(sums_of(name), BREAKDOWNS, {name: rule}).set_index(keys).sort_index()
    theirs = golden("estimates", name, rule, keys)
    assert list(ours.index) == list(theirs.index)
    # One PSU with all the answers: R calls the standard error 0 (to rounding), we call it unknown.
    unknown = (theirs.psus == 1) & theirs.value.between(0, 1, inclusive="neither")
    assert (theirs.se[unknown] < 1e-12).all()
    theirs.loc[unknown, ["se", "deff"]] = np.nan
    for column in ("n", "numerator_n", "df"):
        assert (ours[column] == theirs[column]).all(), column
    for column in ("value", "se", "ci_low", "ci_high", "population", "deff"):
        assert_equal(ours[column], theirs[column])
    assert_equal(ours["cv"], (theirs.se / theirs.value).where(theirs.value > 0))
    assert_equal(ours["n_effective"], theirs.n / theirs.deff)


@pytest.mark.parametrize(("name", "rule"), RUNS, ids=IDS)
def test_korn_graubard_limits_equal_r_where_neither_cap_nor_bound_applies(name: str, rule: str) -> None:
    theirs = golden("estimates", name, rule, ["indicator", "breakdown", "sex", "age_group"])
    theirs = theirs[theirs.beta_low.notna() & (theirs.psus > 1)]
    low, high = korn_graubard(theirs.value, theirs.se, theirs.n, theirs.df, capped=False)
    assert_equal(pd.Series(low, theirs.index), theirs.beta_low)
    assert_equal(pd.Series(high, theirs.index), theirs.beta_high)


@pytest.mark.parametrize(("name", "rule"), RUNS, ids=IDS)
def test_gaps_and_ratios_equal_r(name: str, rule: str) -> None:
    keys = ["indicator", "breakdown", "age_group"]
    sums = sums_of(name)
    ours = gender_gaps(sums, BREAKDOWNS, {name: rule}).set_index(keys).sort_index()
    theirs = golden("gaps", name, rule, keys)
    assert list(ours.index) == list(theirs.index)
    shares = estimate(sums, BREAKDOWNS, {name: rule})
    unknown = pd.Series([tuple(key) in _unknown(shares) for key in theirs.index], theirs.index)
    theirs.loc[unknown, ["se", "ci_low", "ci_high", "p_value", "p_adjusted", "ratio_low", "ratio_high"]] = np.nan
    bound = theirs[["women", "men"]].isin([0, 1]).any(axis=1) & (theirs.women != theirs.men) & ~unknown
    of_error = ["se", "ci_low", "ci_high", "p_value", "p_adjusted"]
    if bound.any():  # R has the error of the other side alone: ours is the larger, and with it go limits and p-values
        women, men = (golden("estimates", name, rule, ["sex", *keys]).loc[sex].reindex(theirs.index[bound]) for sex in ("F", "M"))
        assert_equal(ours.se[bound], _if_alike(women, men).clip(lower=theirs.se[bound]))
        assert not (ours.p_value[bound] < theirs.p_value[bound]).any()
        tested = bound & (ours.n_women >= 25) & (ours.n_men >= 25)
        with_them = tested.groupby("breakdown").transform("any")  # p-values adjusted for theirs, below
        theirs.loc[with_them, "p_adjusted"] = ours.loc[with_them, "p_adjusted"]
        theirs.loc[bound, of_error] = ours.loc[bound, of_error]
    for column in ("n_women", "n_men", "df"):
        assert (ours[column] == theirs[column]).all(), column
    for column in ("women", "men", "gap", "se", "ci_low", "ci_high", "ratio", "ratio_low", "ratio_high"):
        assert_equal(ours[column], theirs[column], absolute=1e-15)
    assert_equal(ours["p_value"], theirs.p_value)
    assert_equal(ours["p_adjusted"], theirs.p_adjusted)
    for _, group in ours.groupby("breakdown"):
        tested = group[(group.n_women >= 25) & (group.n_men >= 25)]
        assert_equal(tested.p_adjusted, pd.Series(benjamini_hochberg(tested.p_value.to_numpy()), tested.index))


def _if_alike(women: pd.DataFrame, men: pd.DataFrame) -> pd.Series:
    """Standard error of a gap if both shares were their common one, from R's numbers, with the design effect of the side that has
    one."""
    n = women.n + men.n
    p = (women.n * women.value + men.n * men.value) / n
    effect = [
        (side.se**2 * side.n / (side.value * (1 - side.value))).where(side.value.between(0, 1, "neither"), 1)
        for side in (women, men)
    ]
    return np.sqrt(effect[0].combine(effect[1], max) * p * (1 - p) * (1 / women.n + 1 / men.n))


def _unknown(shares: pd.DataFrame) -> set[tuple[str, str, str]]:
    rows = shares[shares.se.isna()]
    return set(zip(rows.indicator, rows.breakdown, rows.age_group, strict=True))


def test_raked_weights_equal_r_rake_and_calibrate() -> None:
    data, targets = read("raked"), read("targets")
    margins = {margin: dict(zip(t.category, t.total, strict=True)) for margin, t in targets.groupby("margin", sort=False)}
    categories = pd.DataFrame({margin: joint_categories(data, margin.split("*")) for margin in margins})
    raking = calibrate(categories, data.base_weight.to_numpy(), margins)
    ours = pd.Series(raking.weights)
    assert_equal(ours, data.weight)
    assert_equal(ours, data.calibrated)
    assert raking.converged and raking.error < 1e-12
    assert raking.missing == {
        "sex*age_group": int(data.age_margin.str.endswith("_U").sum()),
        "sex*education": int(data.education_margin.str.endswith("_U").sum()),
    }
    assert raking.scaled["sex*age_group"] == 1 and raking.scaled["sex*education"] == pytest.approx(1000 / 1003)


def test_the_golden_data_are_as_awkward_as_they_claim() -> None:
    clustered, estimates = read("clustered"), read("estimates")
    psus = clustered.groupby("stratum").psu.nunique()
    assert (psus == 1).sum() == 2 and clustered.psu.nunique() < psus.sum()
    assert (clustered.weight == 0).any() and (clustered.sex == "_U").any()
    assert read("normalised").weight.sum() == pytest.approx(300)
    for bound in (0, 1):
        assert (estimates.value == bound).any()
    assert (estimates.df == 0).any() and ((estimates.psus == 1) & (estimates.n > 1)).any()
    spread = estimates[(estimates.scenario == "clustered") & (estimates.breakdown == "total")]
    assert spread.groupby("rule").se.sum().round(9).nunique() == 3  # remove and certainty are alike
