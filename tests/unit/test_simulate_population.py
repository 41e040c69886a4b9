"""The simulated populations: margins as benchmarked, truth as counted, selection as intended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.microdata.benchmarks import country_margins
from rga.microdata.catalogue import load_catalogue
from rga.simulate.levels import level
from rga.simulate.programme import PROGRAMME
from rga.simulate.sampling import RURAL_RATE, draw, propensity
from rga.simulate.simulate import MARGINS, population_of, truth
from rga.survey import rake

SIMPLE, CLUSTERED = PROGRAMME[0], PROGRAMME[3]


@pytest.fixture(scope="module")
def raw_data(repository: Path) -> Path:
    return repository / "raw_data"


@pytest.fixture(scope="module")
def populations(raw_data: Path) -> dict[str, pd.DataFrame]:
    return {survey.key: population_of(survey, raw_data) for survey in (SIMPLE, CLUSTERED)}


def benchmark(survey_index: int, raw_data: Path) -> dict[str, pd.Series]:
    survey = PROGRAMME[survey_index]
    margins = country_margins(raw_data / "benchmarks" / f"wpp2019-{survey.year}", survey.country, MARGINS)
    return {name: table.set_index(name.split("*"))["total"] for name, table in margins.items()}


def test_truth_equals_a_recount_without_sql(populations: dict[str, pd.DataFrame], raw_data: Path) -> None:
    people = populations[CLUSTERED.key]
    true = truth(people, load_catalogue(raw_data / "catalogue")).set_index(["indicator", "sex"])["share"]
    women = people[people["sex"] == "F"]
    items = ["cooking", "cleaning", "managing", "shopping", "water"]
    answers = women[[f"domestic_{item}" for item in items]].astype(object)
    does, up = (answers != "not_done").any(axis=1), (answers == "increased").sum(axis=1)
    assert true["UDW_INC_ANY", "F"] == pytest.approx(100 * (up[does] >= 1).mean(), abs=1e-3)
    assert true["UDW_INC_3PLUS", "F"] == pytest.approx(100 * (up[does] >= 3).mean(), abs=1e-3)
    worked = women[women["job_before"] != "not_working"]
    assert true["EMP_HOURS_DOWN", "F"] == pytest.approx(
        100 * worked["hours_change"].isin(["decreased", "lost_job"]).mean(), abs=1e-3
    )
    assert true["VAX_2DOSE", "_T"] == pytest.approx(100 * (people["vaccine_doses"] == "two").mean(), abs=1e-3)


def test_published_levels_are_hit_to_the_person(populations: dict[str, pd.DataFrame], raw_data: Path) -> None:
    true = truth(populations[SIMPLE.key], load_catalogue(raw_data / "catalogue")).set_index(["indicator", "sex"])["share"]
    published = {
        ("HLT_MENTAL", "F"): 62,
        ("HLT_MENTAL", "M"): 66,
        ("UDW_INC_ANY", "F"): 63,
        ("UDW_INC_ANY", "M"): 55,
        ("UDW_INC_3PLUS", "F"): 27,
        ("UDW_INC_3PLUS", "M"): 14,
        ("INC_DOWN_property", "F"): 66,
        ("INC_DOWN_property", "M"): 54,
    }
    for key, share in published.items():
        assert true[key] == pytest.approx(share, abs=0.01), key
    assert true["INFO_CLEAR", "_T"] < 50
    assert true["UCW_TEACH_INC", "F"] == pytest.approx(59, abs=3)
    assert level("BGD", 2020, "mental_health") == (0.62, 0.66)


def test_who_was_not_asked_has_no_answer(populations: dict[str, pd.DataFrame]) -> None:
    for people in populations.values():
        assert (people["hours_change"].isna() == (people["job_before"] == "not_working")).all()
    assert "vaccine_doses" not in populations[SIMPLE.key]
    assert people["vaccine_doses"].notna().all()


def test_men_the_young_the_urban_and_the_educated_are_over_represented(populations: dict[str, pd.DataFrame]) -> None:
    for survey in (SIMPLE, CLUSTERED):
        people = populations[survey.key]
        sample = draw(people, survey.n, survey.clustered, np.random.default_rng(1))
        over = [
            (sample["sex"] == "M").mean() - (people["sex"] == "M").mean(),
            (sample["age"] < 35).mean() - (people["age"] < 35).mean(),
            (sample["residence"] == "U").mean() - (people["residence"] == "U").mean(),
            (sample["education"] == "tertiary").mean() - (people["education"] == "tertiary").mean(),
        ]
        assert min(over) > 0.05, f"{survey.key}: {over}"


def test_selection_is_explained_by_the_margins_unless_asked_otherwise(populations: dict[str, pd.DataFrame]) -> None:
    people = populations[SIMPLE.key]
    cells = [people[name].astype(str) for name in ("sex", "age_group", "education")]
    assert pd.Series(propensity(people)).groupby(cells).nunique().max() == 1
    assert pd.Series(propensity(people, unobserved=0.6)).groupby(cells).nunique().max() > 1


def test_a_clustered_sample_has_150_areas_in_ten_strata_and_weights_that_undo_the_sampling(
    populations: dict[str, pd.DataFrame],
) -> None:
    people = populations[CLUSTERED.key]
    sample = draw(people, CLUSTERED.n, True, np.random.default_rng(2))
    assert sample["stratum"].nunique() == 10
    assert sample["psu"].nunique() == 150
    assert (sample.groupby("psu")["stratum"].nunique() == 1).all()
    assert (sample.groupby("stratum")["psu"].nunique() == 15).all()
    assert abs(len(sample) - CLUSTERED.n) < 5 * CLUSTERED.n**0.5
    rural, urban = (sample.loc[sample["residence"] == r, "base_weight"].unique() for r in "RU")
    assert urban == pytest.approx(RURAL_RATE * rural)


@pytest.mark.parametrize("index", [0, 3], ids=["simple", "clustered"])
def test_raking_repairs_what_the_selection_did(populations: dict[str, pd.DataFrame], raw_data: Path, index: int) -> None:
    """Over 12 draws; residence is no margin, so it shows whether sampling and margins work together."""
    survey = PROGRAMME[index]
    people = populations[survey.key]
    totals = {name: {"*".join(k): float(v) for k, v in table.items()} for name, table in benchmark(index, raw_data).items()}
    traits = {
        "mental health": people["mental_health"] == "yes",
        "urban": people["residence"] == "U",
        "married": people["marital_status"] == "married",
    }
    bias = []
    for seed in range(12):
        sample = draw(people.assign(**traits), survey.n, survey.clustered, np.random.default_rng([3, seed]))
        base = sample["base_weight"].to_numpy() if survey.clustered else np.ones(len(sample))
        categories = pd.DataFrame({n: sample[n.split("*")].astype(str).agg("*".join, axis=1) for n in totals})
        weights = rake(categories, base, totals).weights
        bias.append([[np.average(sample[t], weights=w) - traits[t].mean() for t in traits] for w in (base, weights)])
    before, after = np.abs(np.mean(bias, axis=0))
    assert (before > 0.02).all()
    assert (after < 0.012).all(), dict(zip(traits, after, strict=True))


def test_what_no_margin_knows_leaves_a_bias_that_raking_does_not_repair(populations: dict[str, pd.DataFrame]) -> None:
    people = populations[SIMPLE.key]
    hidden = replace(SIMPLE, unobserved=0.6)
    for draws, worse in ((SIMPLE, False), (hidden, True)):
        sample = draw(people, 20_000, False, np.random.default_rng(4), draws.unobserved)
        assert (abs(sample["frailty"].mean() - people["frailty"].mean()) > 0.3) == worse
