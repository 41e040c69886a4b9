"""Surveys in which some do not tell their education, to which weights are calibrated: are the published errors those of repeated
samples, and of replicates that are held and calibrated again?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Share, aggregate, calibrate, estimates_and_gaps, joint_categories

N, DRAWS, BATCH, REPLICATES = 1000, 5000, 500, 10_000
RATES = [0.0, 0.08, 0.27, 0.5]
MARGINS = {"apart": ["sex", "education"], "within sex": ["sex*age_group", "sex*education"]}
OUTCOMES = ["rare", "even", "common", "schooled", "silent"]
BY: list[tuple[str, ...]] = [(), ("sex",)]


@dataclass(frozen=True)
class Population:
    """``cells`` of sex, age group and education with their shares, the chance that education is not told, which depends on sex,
    and of saying yes. Who does not tell says yes to `silent` more often; education makes most of `schooled`."""

    cells: pd.DataFrame

    @classmethod
    def of(cls, rate: float) -> Population:
        codes = [["F", "M"], ["Y18T34", "Y35T54", "Y_GE55"], ["primary", "secondary", "tertiary"]]
        cells = pd.MultiIndex.from_product(codes, names=["sex", "age_group", "education"]).to_frame(index=False)
        women, old = (cells["sex"] == "F").astype(float), (cells["age_group"] == "Y_GE55").astype(float)
        level = cells["education"].map({"primary": 0.0, "secondary": 1.0, "tertiary": 2.0})
        share = 0.3 * (0.5 + 0.2 * old) * np.exp(-0.4 * level)
        cells["share"] = share / share.sum()
        missing = np.where(women == 1, 1.4, 0.6)
        cells["missing"] = rate * missing / (cells["share"] @ missing)
        for name, at in {"rare": -2.2, "even": 0.0, "common": 2.0, "silent": -0.6}.items():
            cells[name] = 1 / (1 + np.exp(-(at + 0.5 * women - 0.4 * old)))
        cells["schooled"] = 0.15 + 0.35 * level
        return cls(cells)

    def chance(self, outcome: str, missing: np.ndarray, cell: np.ndarray) -> np.ndarray:
        p = self.cells[outcome].to_numpy()[cell]
        return np.where(missing, p + 0.7 * (1 - p), p) if outcome == "silent" else p

    def truth(self, outcome: str, sex: str) -> float:
        cells, every = self.cells, np.arange(len(self.cells))
        told, silent = (self.chance(outcome, np.full(len(every), is_missing), every) for is_missing in (False, True))
        p = np.where(outcome == "missing", 1.0, silent) * cells["missing"] + (outcome != "missing") * told * (1 - cells["missing"])
        inside = cells["share"] * ((cells["sex"] == sex) | (sex == "_T"))
        return float(p @ inside / inside.sum())

    def drawn(self, rng: np.random.Generator) -> pd.DataFrame:
        cell = rng.choice(len(self.cells), N, p=self.cells["share"])
        sample = self.cells.loc[cell, ["sex", "age_group", "education"]].reset_index(drop=True)
        missing = rng.random(N) < self.cells["missing"].to_numpy()[cell]
        answers = {name: (rng.random(N) < self.chance(name, missing, cell)).astype(np.int8) for name in OUTCOMES[:-1]}
        answers["silent"] = (rng.random(N) < self.chance("silent", missing, cell)).astype(np.int8)
        return sample.assign(education=sample["education"].astype(object).where(~missing, None), **answers)

    def targets(self, margins: list[str]) -> dict[str, dict[str, float]]:
        codes = {margin: joint_categories(self.cells, margin.split("*")) for margin in margins}
        return {margin: (1e6 * self.cells["share"]).groupby(code).sum().to_dict() for margin, code in codes.items()}


def weighed(sample: pd.DataFrame, targets: dict[str, dict[str, float]]) -> pd.DataFrame:
    margins = pd.DataFrame({margin: joint_categories(sample, margin.split("*")) for margin in targets})
    weight = calibrate(margins, np.ones(N), targets).weights
    return sample.assign(base=1.0, weight=weight, **margins.set_axis([f"margin_{k}" for k in range(len(targets))], axis=1))


def estimated(samples: pd.DataFrame, margins: int) -> pd.DataFrame:
    design = Design(base_weight="base", margins=tuple(f"margin_{k}" for k in range(margins)))
    statistics = [Share("missing", "", "education IS NULL"), *(Share(name, "", f"{name} = 1") for name in OUTCOMES)]
    with duckdb.connect() as con:
        con.register("samples", samples)
        return estimates_and_gaps(aggregate(con, "samples", statistics, BY, design), BY)[0]


def draws(population: Population, margins: list[str], count: int, seed: int) -> Iterator[pd.DataFrame]:
    rng, targets = np.random.default_rng(seed), population.targets(margins)
    for first in range(0, count, BATCH):
        numbers = range(first, min(first + BATCH, count))
        samples = [weighed(population.drawn(rng), targets).assign(survey_id=f"{number:05d}") for number in numbers]
        yield estimated(pd.concat(samples, ignore_index=True), len(margins))


@pytest.mark.long
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("margins", MARGINS.values(), ids=MARGINS)
def test_limits_hold_the_truth_as_often_as_they_say_and_errors_are_those_of_repeated_samples(
    margins: list[str], rate: float
) -> None:
    population = Population.of(rate)
    found = pd.concat(draws(population, margins, DRAWS, 20 + int(100 * rate)))
    for (outcome, sex), rows in found.groupby(["indicator", "sex"]):
        truth = population.truth(outcome, sex)
        if outcome == "missing" and rate == 0:
            assert (rows["value"] == 0).all()
            continue
        covered = 100 * ((rows["ci_low"] <= truth) & (truth <= rows["ci_high"])).mean()
        # Promised of 1,000 respondents and shares of 10 to 90 %; half as many are women.
        inside = 0 if sex == "_T" and 0.1 <= truth <= 0.9 else 0.5
        assert 94 - inside <= covered <= 96 + inside, (outcome, sex, truth, covered)
        ratio = np.sqrt((rows["se"] ** 2).mean()) / rows["value"].std()
        assert abs(ratio - 1) < 0.04, (outcome, sex, ratio)  # each is known within 1 / sqrt(2 * DRAWS), 1 %


@pytest.mark.long
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("margins", MARGINS.values(), ids=MARGINS)
def test_errors_are_those_of_bootstrap_replicates_that_are_held_and_calibrated_again(margins: list[str], rate: float) -> None:
    population, rng = Population.of(rate), np.random.default_rng(7)
    targets, sample = population.targets(margins), population.drawn(rng)
    data = weighed(sample, targets).assign(survey_id="s")
    linearised = estimated(data, len(margins)).set_index(["indicator", "sex"])["se"]
    categories = data[[f"margin_{k}" for k in range(len(margins))]].set_axis(margins, axis=1).astype("category")
    y = np.column_stack([sample["education"].isna(), sample[OUTCOMES]]).astype(float)
    sexes = {"_T": np.ones(N), "F": (sample["sex"] == "F").to_numpy(float), "M": (sample["sex"] == "M").to_numpy(float)}
    replicates = []
    for _ in range(REPLICATES):
        drawn = rng.multinomial(N - 1, np.full(N, 1 / N)) * N / (N - 1)  # Rao and Wu 1988
        weight = calibrate(categories, drawn, targets).weights
        replicates.append([(weight * inside) @ y / (weight @ inside) for inside in sexes.values()])
    again = pd.DataFrame(np.std(replicates, axis=0), index=list(sexes), columns=["missing", *OUTCOMES])
    for (outcome, sex), se in linearised.items():
        if rate or outcome != "missing":
            assert abs(se / again.loc[sex, outcome] - 1) < 0.03, (outcome, sex, se, again.loc[sex, outcome])
