"""How simulated samples are drawn: each chance of selection is one that a step of weighting undoes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.simulate.frames import OPERATORS
from rga.simulate.programme import PROGRAMME, Survey
from rga.simulate.sampling import (
    LISTED,
    NOT_KNOWN,
    PSUS_PER_STRATUM,
    RECORDED,
    RURAL_RATE,
    answers,
    draw,
    propensity,
    proportional,
    recorded,
)
from rga.simulate.simulate import invitations_of, population_of, rates_of
from rga.survey.base_weights import multiplicity, selection
from rga.survey.nonresponse import propensity_classes, weighting_classes

BY_KEY = {survey.key: survey for survey in PROGRAMME}
MESSAGES, DIALLED, LISTS, PANEL = (BY_KEY[key] for key in ("2020-r1_BGD", "2021-r2_KIR", "2021-r2_PAK", "2021-r2_BGD"))
TRAITS = ["urban", "educated", "shared"]  # that chances of selection depend on


@pytest.fixture(scope="module")
def raw_data(repository: Path) -> Path:
    return repository / "raw_data"


@pytest.fixture(scope="module")
def populations(raw_data: Path) -> dict[str, pd.DataFrame]:
    found = {}
    for survey in (MESSAGES, DIALLED, LISTS, PANEL):
        people = population_of(survey, raw_data)
        found[survey.key] = people.assign(
            urban=people["residence"] == "U", educated=people["education"] == "tertiary", shared=people["listed"] == "shared"
        )
    return found


def estimates(people: pd.DataFrame, weights: np.ndarray, of_people: np.ndarray) -> np.ndarray:
    """Weighted shares of the traits, once what taking part did is undone: ``of_people`` are relative chances of that."""
    return np.array([np.average(people[trait], weights=weights / of_people) for trait in TRAITS])


def test_chances_are_exactly_proportional_and_nobody_is_drawn_twice() -> None:
    size = np.random.default_rng(1).gamma(2, size=400)
    drawn = np.zeros(400)
    rng = np.random.default_rng(2)
    for _ in range(2_000):
        rows = proportional(size, 60, rng)
        assert len(set(rows)) == 60
        drawn[rows] += 1
    expected = 2_000 * 60 * size / size.sum()
    assert (np.abs(drawn - expected) < 4.5 * np.sqrt(expected) + 1).all()


def test_who_would_be_drawn_more_than_once_is_drawn_for_sure() -> None:
    size = np.array([50.0, 1, 1, 1, 1])
    samples = [proportional(size, 2, np.random.default_rng(seed)) for seed in range(50)]
    assert all(len(set(rows)) == 2 and 0 in rows for rows in samples)
    assert {int(row) for rows in samples for row in rows} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("country", list(OPERATORS))
def test_invitations_add_up_and_no_operator_sends_more_than_it_has_lines(country: str, raw_data: Path) -> None:
    survey = BY_KEY[f"2020-r1_{country}"]
    found = invitations_of(survey, raw_data)
    assert found is not None and found["invited"].sum() == survey.invited
    rate = found["invited"] / found["population"]
    assert (rate < 1).all() and rate.max() > 1.4 * rate.min(), "operators invite different shares of their lines"


def test_weights_by_operator_and_lines_undo_how_messages_were_sent(raw_data: Path, populations: dict[str, pd.DataFrame]) -> None:
    people, invited = populations[MESSAGES.key], invitations_of(MESSAGES, raw_data)
    assert invited is not None
    truth, found = people[TRAITS].mean().to_numpy(), []
    for seed in range(12):
        sample = draw(people, MESSAGES, np.random.default_rng([6, seed]), rates_of(invited))
        one, chance = np.ones(len(sample)), propensity(sample)
        by_operator = selection(one, sample["operator"], invited["population"].to_dict(), invited["invited"].to_dict()).weights
        by_line = multiplicity(by_operator, sample["phones"]).weights
        found.append([estimates(sample, w, chance) for w in (one, by_operator, by_line)])
    bias = np.abs(np.mean(found, axis=0) - truth)
    assert bias[0, 0] > 0.05 and bias[1, 0] > 0.02, "towns are over-represented until both steps are done"
    assert (bias[2] < 0.012).all(), bias[2]


def test_weights_by_phones_and_adults_undo_random_dialling(populations: dict[str, pd.DataFrame]) -> None:
    people = populations[DIALLED.key]
    truth, found = people[TRAITS].mean().to_numpy(), []
    for seed in range(12):
        sample = draw(people, DIALLED, np.random.default_rng([7, seed]))
        one, chance = np.ones(len(sample)), propensity(sample)
        found.append([estimates(sample, w, chance) for w in (one, multiplicity(one, sample["phones"], sample["adults"]).weights)])
    bias = np.abs(np.mean(found, axis=0) - truth)
    assert bias[0, 0] > 0.05, "towns have more phones and fewer adults to share them"
    assert (bias[1] < 0.012).all(), bias[1]


def test_a_clustered_sample_has_areas_within_strata_and_weights_that_undo_the_drawing(populations: dict[str, pd.DataFrame]) -> None:
    sample = draw(populations[LISTS.key], LISTS, np.random.default_rng(2))
    assert sample["stratum"].nunique() == 8
    assert (sample.groupby("psu")["stratum"].nunique() == 1).all()
    assert (sample.groupby("stratum")["psu"].nunique() == PSUS_PER_STRATUM).all()
    assert abs(len(sample) - LISTS.drawn) < 5 * LISTS.drawn**0.5
    assert abs(sample["answered"].sum() - LISTS.n) < 5 * LISTS.n**0.5
    rural, urban = (sample.loc[sample["residence"] == r, "base_weight"].unique() for r in "RU")
    assert urban == pytest.approx(RURAL_RATE * rural)


def test_classes_of_what_a_list_knows_undo_who_answered_the_call(populations: dict[str, pd.DataFrame]) -> None:
    people = populations[LISTS.key]
    found = []
    for seed in range(12):
        sample = draw(people, LISTS, np.random.default_rng([8, seed]))
        base, answered = sample["base_weight"].to_numpy(), sample["answered"].to_numpy()
        adjusted = weighting_classes(base, answered, sample[["stratum", "listed"]]).weights
        one = np.ones(len(sample))
        found.append([estimates(sample, w, one) for w in (base, base * answered, adjusted)])
    drawn, before, after = np.mean(found, axis=0)
    by_number = sample.groupby("listed", observed=True)["answered"].mean()
    assert by_number["own"] / by_number["shared"] == pytest.approx(LISTED["own"] / LISTED["shared"], rel=0.2)
    assert abs(before[2] - drawn[2]) > 0.04 and np.abs(after - drawn).max() < 0.006


def test_all_of_a_first_round_are_called_again_and_propensities_undo_who_was_lost(
    raw_data: Path, populations: dict[str, pd.DataFrame]
) -> None:
    people, before = populations[PANEL.key], populations[MESSAGES.key]
    assert people["person"].is_unique
    rates, names = rates_of(invitations_of(MESSAGES, raw_data)), list(RECORDED)
    lost: list[list[np.ndarray]] = []
    for seed in range(8):
        rng = np.random.default_rng([5, seed])
        first = draw(before, MESSAGES, rng, rates)
        told = recorded(answers(first, ["age", "education", "residence", "job_before", "mental_health"], rng))
        sample = draw(people, PANEL, rng, earlier=told)
        assert sample["person"].tolist() == first["person"].tolist() == told["person"].tolist()
        assert sample["answered"].sum() == pytest.approx(PANEL.n, abs=5 * PANEL.n**0.5)
        here = sample[sample["answered"]]
        assert (here["sex"].astype(str) == here["r1_sex"].astype(str)).mean() > 0.98
        answered, one = sample["answered"].to_numpy(), np.ones(len(sample))
        predictors = sample[names].replace({"r1_sex": {"O": "M"}})
        adjusted = propensity_classes(one, answered, predictors).weights
        traits = np.column_stack([sample["r1_mental_health"] == "yes", sample["r1_residence"] == "R"])
        lost.append([np.average(traits, axis=0, weights=w) for w in (one, answered, adjusted)])
    called, without, adjusted_for = np.mean(lost, axis=0)
    assert (np.abs(without - called) > 0.02).all()
    assert (np.abs(adjusted_for - called) < 0.3 * np.abs(without - called)).all()


def test_what_the_first_round_did_not_learn_is_not_known_in_the_second(populations: dict[str, pd.DataFrame]) -> None:
    said = populations[MESSAGES.key].head(4).assign(person=[7, -1, 8, 9])
    for name in ("age", "job_before", "education"):
        said[name] = said[name].astype(object)
    said.loc[0, "age"], said.loc[2, "job_before"], said.loc[3, "education"] = "!refused", "!dont_know", "!refused"
    told = recorded(said).set_index("person")
    assert list(told.index) == [7, 8, 9], "people under age are not in the panel"
    assert told.loc[7, "r1_age_group"] == told.loc[8, "r1_job"] == told.loc[9, "r1_education"] == NOT_KNOWN
    assert told.loc[9, "r1_job"] in ("works", "works_not")


@pytest.mark.parametrize("survey", [MESSAGES, PANEL], ids=lambda survey: survey.key)
def test_a_sample_cannot_be_drawn_without_what_it_is_drawn_from(survey: Survey, populations: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(ValueError, match=survey.key):
        draw(populations[survey.key], survey, np.random.default_rng(1))
