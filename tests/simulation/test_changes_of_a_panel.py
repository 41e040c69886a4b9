"""Changes of a panel against the truth: a known population at two times, sampled again and again, calibrated as surveys are.

Belongs here: coverage of the intervals of changes, linked and not. Not here: agreement with R (``tests/oracle``).
"""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.survey import Share, calibrate
from rga.survey.changes import independent_change, inference, linked_changes
from rga.survey.linked import linked_rounds

PEOPLE, SAMPLE = 20_000, 600
MARGINS = ["sex", "age_group"]
SHARE = [Share("poor", "", "poor = 1")]
BREAKDOWNS: list[tuple[str, ...]] = [(), ("sex",), ("age_group",), ("sex", "age_group")]


def population() -> list[pd.DataFrame]:
    """Everybody at both times: most of the poor stay poor, and women fall into it more often than men."""
    draw = np.random.default_rng(2020)
    people = pd.DataFrame({"panel_id": [f"p{k}" for k in range(PEOPLE)], "sex": draw.choice(["F", "M"], PEOPLE)})
    people["age_group"] = draw.choice(["young", "middle", "old"], PEOPLE, p=[0.4, 0.35, 0.25])
    ill = 0.25 + 0.1 * (people["sex"] == "F") + 0.1 * (people["age_group"] == "old")
    poor = draw.random(PEOPLE) < ill
    falls, rises = draw.random(PEOPLE) < 0.05 + 0.12 * (people["sex"] == "F"), draw.random(PEOPLE) < 0.15
    return [people.assign(poor=poor.astype(int)), people.assign(poor=np.where(poor, ~rises, falls).astype(int))]


def truth(rounds: list[pd.DataFrame]) -> pd.Series:
    """Change by measure, sex and age group."""
    found = {}
    for sex in ("_T", "F", "M"):
        for age in ("_T", "young", "middle", "old"):
            first, second = (
                frame.loc[((frame["sex"] == sex) | (sex == "_T")) & ((frame["age_group"] == age) | (age == "_T")), "poor"].mean()
                for frame in rounds
            )
            found[("level", sex, age)] = second - first
    for age in ("_T", "young", "middle", "old"):
        found[("gap", "_T", age)] = found[("level", "F", age)] - found[("level", "M", age)]
    return pd.Series(found)


def weighted(sample: pd.DataFrame, everybody: pd.DataFrame) -> pd.DataFrame:
    targets = {margin: everybody[margin].value_counts().to_dict() for margin in MARGINS}
    base = np.full(len(sample), PEOPLE / len(sample))
    weights = calibrate(sample[MARGINS], base, targets).weights
    margins = {f"margin_{k}": sample[margin] for k, margin in enumerate(MARGINS, 1)}
    missing = pd.Series(None, sample.index, dtype="str")
    return sample.assign(weight=weights, weight_before_calibration=base, stratum=missing, psu=missing, **margins)


def samples(rounds: list[pd.DataFrame], draws: int, people: bool, seed: int) -> pd.DataFrame:
    """Changes in every draw: young people are drawn more often; three quarters of the first round take part in the second, in which
    as many are new."""
    draw = np.random.default_rng(seed)
    chance = np.where(rounds[0]["age_group"] == "young", 1.6, 1.0)
    found = []
    for _ in range(draws):
        drawn = draw.choice(PEOPLE, SAMPLE + SAMPLE // 4, replace=False, p=chance / chance.sum())
        both, new = drawn[:SAMPLE], drawn[SAMPLE:]
        stay = both[draw.random(SAMPLE) < 0.75]
        first, second = weighted(rounds[0].iloc[both], rounds[0]), weighted(rounds[1].iloc[[*stay, *new]], rounds[1])
        with duckdb.connect() as con:
            con.register("first_round", first)
            con.register("second_round", second)
            design = linked_rounds(con, "first_round", "second_round", "stacked", people=people, psus=False)
            found.append(linked_changes((con, "stacked"), design, SHARE, BREAKDOWNS))
    return pd.concat(found, ignore_index=True)


def covered(found: pd.DataFrame, true: pd.Series) -> pd.Series:
    change = (found["later"] - found["earlier"]).to_numpy()
    limits = inference(change, found["se"].to_numpy(), found["df"].to_numpy())
    at = true.loc[pd.MultiIndex.from_frame(found[["measure", "sex", "age_group"]])].to_numpy()
    held = (limits["ci_low"] <= at) & (at <= limits["ci_high"])
    return pd.Series(held).groupby([found["measure"], found["sex"], found["age_group"]]).mean()


def check(draws: int, seed: int) -> None:
    rounds = population()
    true = truth(rounds)
    assert abs(true["gap", "_T", "_T"]) > 0.02 and true["level", "F", "_T"] > true["level", "M", "_T"]
    linked, apart = (samples(rounds, draws, people, seed) for people in (True, False))
    held, without = covered(linked, true), covered(apart, true)
    assert len(held) == len(true) == 16
    noise = np.sqrt(0.95 * 0.05 / draws)
    assert (np.abs(held - 0.95) < 3.5 * noise + 0.01).all(), held  # intervals that are logit or t of few are not exact: 1 point
    assert abs(held.mean() - 0.95) < 2.5 * noise + 0.005
    # What the link is worth: without it intervals are too long and nearly always hold the truth.
    total = linked["breakdown"] == "total"
    assert linked.loc[total, "se"].mean() < 0.8 * apart.loc[total, "se"].mean()
    assert without.mean() > 0.975
    spread = (linked["later"] - linked["earlier"])[total].std()
    assert linked.loc[total, "se"].mean() == pytest.approx(spread, rel=3.5 / np.sqrt(2 * draws))


def test_intervals_of_a_panel_s_changes_hold_the_truth_as_often_as_they_promise() -> None:
    check(draws=30, seed=7)


@pytest.mark.long
def test_intervals_of_a_panel_s_changes_hold_the_truth_in_six_hundred_draws() -> None:
    check(draws=600, seed=8)


def test_welch_satterthwaite_holds_where_the_sum_of_degrees_of_freedom_does_not() -> None:
    """Six PSUs in one round, hundreds of people in the other: normal means, so that the variances are all there is to estimate."""
    draw = np.random.default_rng(3)
    few, many = draw.normal(0, 1, (20_000, 6)), draw.normal(0, 1, (20_000, 300)).mean(axis=1)
    change = many - few.mean(axis=1)
    se, df = independent_change(few.std(axis=1, ddof=1) / np.sqrt(6), 5, np.full(20_000, 1 / np.sqrt(300)), 299)
    of_welch, of_sum = inference(change, se, df), inference(change, se, np.full(20_000, 304.0))
    held = [np.mean((found["ci_low"] <= 0) & (found["ci_high"] >= 0)) for found in (of_welch, of_sum)]
    assert held[0] == pytest.approx(0.95, abs=0.006) and held[1] < 0.91
