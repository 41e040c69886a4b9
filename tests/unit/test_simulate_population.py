"""The simulated populations: margins as benchmarked, truth as counted, selection as intended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.microdata.benchmark_scaling import country_margins
from rga.microdata.catalogue import load_catalogue
from rga.simulate.levels import level
from rga.simulate.programme import PROGRAMME, Survey
from rga.simulate.sampling import draw, propensity
from rga.simulate.simulate import MARGINS, invitations_of, population_of, rates_of, truth
from rga.survey import calibrate

BY_KEY = {survey.key: survey for survey in PROGRAMME}
SIMPLE, CLUSTERED = BY_KEY["2020-r1_BGD"], BY_KEY["2021-r2_PAK"]
BOTH = [SIMPLE, CLUSTERED]
RAW_DATA = Path(__file__).resolve().parents[2] / "raw_data"


def respondents(survey: Survey, people: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Those who answered of one draw of ``survey``."""
    sample = draw(people, survey, np.random.default_rng(seed), rates_of(invitations_of(survey, RAW_DATA)))
    return sample[sample["answered"]].reset_index(drop=True)


@pytest.fixture(scope="module")
def raw_data(repository: Path) -> Path:
    return repository / "raw_data"


@pytest.fixture(scope="module")
def populations(raw_data: Path) -> dict[str, pd.DataFrame]:
    return {survey.key: population_of(survey, raw_data) for survey in BOTH}


def benchmark(survey: Survey, raw_data: Path) -> dict[str, pd.Series]:
    margins = country_margins(raw_data / "benchmarks" / f"wpp2019-{survey.year}", survey.country, MARGINS)
    return {name: table.set_index(name.split("*"))["total"] for name, table in margins.items()}


@pytest.mark.parametrize("survey", BOTH, ids=lambda survey: survey.key)
def test_the_population_has_the_benchmark_s_margins(survey: Survey, populations: dict[str, pd.DataFrame], raw_data: Path) -> None:
    people = populations[survey.key]
    assert len(people) == survey.size
    for name, total in benchmark(survey, raw_data).items():
        ours = people.groupby(name.split("*"), observed=True).size().reindex(total.index).fillna(0)
        assert (ours / survey.size - total / total.sum()).abs().max() < 10 / survey.size


def test_truth_equals_a_recount_without_sql(populations: dict[str, pd.DataFrame], raw_data: Path) -> None:
    people = populations[CLUSTERED.key]
    true = truth(people, load_catalogue(raw_data / "catalogue")).set_index(["indicator", "sex"])["share"]
    women = people[people["sex"] == "F"]
    items = ["cooking", "cleaning", "managing", "shopping", "water", "repairs"]
    answers = women[[f"domestic_{item}" for item in items]].astype(object)
    does, up = (answers != "not_done").any(axis=1), (answers == "increased").sum(axis=1)
    recounted = {
        ("UDW_INC_ANY", "F"): (up[does] >= 1).mean(),
        ("UDW_INC_3PLUS", "F"): (up[does] >= 3).mean(),
        ("UDW_INC_ANY_ALL", "F"): (up >= 1).mean(),
        ("VAX_2DOSE", "_T"): (people["vaccine_doses"] == "two").mean(),
        ("EMP_JOB_LOST", "F"): (women.loc[women["job_before"] != "not_working", "hours_change"] == "lost_job").mean(),
        ("EDU_CLOSED", "F"): (women.loc[women["n_children"] > 0, "school_closed"] == "yes").mean(),
        ("INC_DOWN_farm", "F"): (women.loc[women["income_farm"] != "not_a_source", "income_farm"] == "decreased").mean(),
        ("HELP_nobody", "F"): (women["help_nobody"] == "yes").mean(),
    }
    for key, share in recounted.items():
        assert true[key] == pytest.approx(100 * share, abs=1e-3), key


def test_published_levels_are_hit_to_the_person(populations: dict[str, pd.DataFrame]) -> None:
    people = populations[SIMPLE.key]
    for sex, published in (("F", 0.62), ("M", 0.66)):  # the gap that Bangladesh published is reversed
        of_sex = people.loc[people["sex"] == sex, "mental_health"]
        assert abs((of_sex == "yes").mean() - published) < 1 / len(of_sex)
    assert level("BGD", 2020, "mental_health") == (0.62, 0.66)


def test_levels_and_gaps_lie_in_the_range_of_the_published_figures(raw_data: Path) -> None:
    parts = [pd.read_csv(raw_data / s.round / s.country / "truth.csv").assign(survey=s.key) for s in PROGRAMME]
    true = pd.concat(parts).pivot_table(index=["indicator", "survey"], columns="sex", values="share")
    true["gap"] = true["F"] - true["M"]
    for indicator, (low, high) in {
        "HLT_MENTAL": (45, 72), "UDW_INC_ANY": (40, 70), "UDW_INC_3PLUS": (5, 33), "INFO_CLEAR": (35, 85), "INC_ANY_DOWN": (65, 95),
    }.items():  # fmt: skip
        shares = true.loc[indicator, ["F", "M"]]
        assert low <= shares.min().min() and shares.max().max() <= high, f"{indicator}\n{shares}"
    first = true[true.index.get_level_values("survey").str.startswith("2020")].groupby("indicator").mean()
    for indicator, women, men in (("UDW_INC_ANY", 63, 55), ("UDW_INC_3PLUS", 27, 14), ("INC_DOWN_property", 66, 54)):
        assert first.loc[indicator, ["F", "M"]].to_list() == pytest.approx([women, men], abs=3), indicator
    assert true["gap"].between(-30, 25).all() and (true["gap"] < 0).mean() > 0.1
    assert true.loc[("HLT_MENTAL", "2020-r1_BGD"), "gap"] < 0


def test_who_was_not_asked_has_no_answer(populations: dict[str, pd.DataFrame]) -> None:
    for people in populations.values():
        assert (people["hours_change"].isna() == (people["job_before"] == "not_working")).all()
        assert (people["school_closed"].isna() == (people["n_children"] == 0)).all()
    later = populations[CLUSTERED.key]
    assert "vaccine_doses" not in populations[SIMPLE.key] and later["vaccine_doses"].notna().all()
    assert (later["vaccine_reason"].notna() == (later["vaccine_doses"] == "none")).all()


def test_men_the_young_the_urban_and_the_educated_are_over_represented(populations: dict[str, pd.DataFrame]) -> None:
    for survey in BOTH:
        people = populations[survey.key]
        sample, least = respondents(survey, people, 1), 0.02 if survey.clustered else 0.04
        for column, codes in (
            ("sex", ["M"]),
            ("age_group", ["Y18T24", "Y25T34"]),
            ("residence", ["U"]),  # less so where rural areas were drawn at a higher rate and answer more calls
            ("education", ["tertiary"]),
        ):
            assert sample[column].isin(codes).mean() > people[column].isin(codes).mean() + least, f"{survey.key} {column}"


def test_selection_is_explained_by_the_margins_unless_asked_otherwise(populations: dict[str, pd.DataFrame]) -> None:
    people = populations[SIMPLE.key]
    cells = [people[name].astype(str) for name in ("sex", "age_group", "education")]
    assert pd.Series(propensity(people)).groupby(cells).nunique().max() == 1
    assert pd.Series(propensity(people, unobserved=0.4)).groupby(cells).nunique().max() > 1
    assert 2 <= sum(survey.unobserved != 0 for survey in PROGRAMME) <= 5


def test_raking_repairs_what_taking_part_did_to_an_open_link(populations: dict[str, pd.DataFrame], raw_data: Path) -> None:
    """Over 12 draws; residence is no margin, so it shows whether sampling and margins work together."""
    people = populations[SIMPLE.key]
    link = replace(SIMPLE, mode="web")
    totals = {name: {"*".join(k): float(v) for k, v in table.items()} for name, table in benchmark(link, raw_data).items()}
    traits = {
        "mental health": people["mental_health"] == "yes",
        "urban": people["residence"] == "U",
        "married": people["marital_status"] == "married",
    }
    bias = []
    for seed in range(12):
        sample = draw(people.assign(**traits), link, np.random.default_rng([3, seed]))
        base = np.ones(len(sample))
        categories = pd.DataFrame({n: sample[n.split("*")].astype(str).agg("*".join, axis=1) for n in totals})
        weights = calibrate(categories, base, totals).weights
        bias.append([[np.average(sample[t], weights=w) - traits[t].mean() for t in traits] for w in (base, weights)])
    before, after = np.abs(np.mean(bias, axis=0))
    assert (before > 0.02).all()
    assert (after < 0.012).all(), dict(zip(traits, after, strict=True))


def test_what_no_margin_knows_leaves_a_bias_that_raking_does_not_repair(populations: dict[str, pd.DataFrame]) -> None:
    people = populations[SIMPLE.key]
    for unobserved, worse in ((0.0, False), (-0.5, True)):
        sample = draw(people, replace(SIMPLE, mode="web", n=20_000, unobserved=unobserved), np.random.default_rng(4))
        assert (abs(sample["frailty"].mean() - people["frailty"].mean()) > 0.3) == worse
