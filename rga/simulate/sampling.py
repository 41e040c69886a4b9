"""Who of a population is asked and answers: more men, more young, urban and educated people.

Belongs here: selection, unit and item nonresponse. Not here: the population, or how a file spells an answer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.simulate.population import SIZE

# log odds of owning a phone and answering: additive in the margins that weighting knows, so that raking can repair it
SEX_AGE = {
    "F": {"Y18T24": 0.1, "Y25T34": 0.0, "Y35T44": -0.3, "Y45T54": -0.7, "Y55T64": -1.1, "Y_GE65": -1.6},
    "M": {"Y18T24": 1.0, "Y25T34": 0.9, "Y35T44": 0.6, "Y45T54": 0.2, "Y55T64": -0.2, "Y_GE65": -0.7},
}
EDUCATION = {"below_primary": -1.2, "primary": -0.4, "secondary": 0.4, "tertiary": 0.9}

ITEM_NONRESPONSE = (0.01, 0.05)  # don't know and refused together, by question


def propensity(people: pd.DataFrame, unobserved: float = 0.0) -> np.ndarray:
    """Relative chance of taking part; ``unobserved`` is the effect of frailty, which no margin knows."""
    by_age = np.array([SEX_AGE[sex][age] for sex, age in zip(people["sex"], people["age_group"], strict=True)])
    return np.exp(by_age + people["education"].map(EDUCATION).to_numpy() + unobserved * people["frailty"].to_numpy())


def draw(people: pd.DataFrame, n: int, clustered: bool, rng: np.random.Generator, unobserved: float = 0.0) -> pd.DataFrame:
    """About ``n`` respondents; a clustered sample has stratum, psu and base_weight (inverse of its selection chance)."""
    chance = propensity(people, unobserved)
    if not clustered:
        chosen = rng.choice(SIZE, size=n, replace=False, p=chance / chance.sum())
        return people.iloc[np.sort(chosen)].reset_index(drop=True)
    strata = people.groupby(["region", "residence"], sort=True)
    per_stratum, samples = 15, []
    take = n / (per_stratum * strata.ngroups)
    for key, stratum in strata:
        region, residence = str(key[0]), str(key[1])
        areas = np.sort(stratum["area"].unique())
        drawn = rng.choice(areas, size=per_stratum, replace=False)
        for area in np.sort(drawn):
            members = stratum.index[stratum["area"] == area].to_numpy()
            weight = chance[members]
            size = min(len(members), int(rng.poisson(take)) + 2)
            chosen = rng.choice(members, size=size, replace=False, p=weight / weight.sum())
            sample = people.loc[np.sort(chosen)].copy()
            sample["stratum"] = f"{region}{residence}"
            sample["psu"] = 1000 * int(region) + 100 * int(residence == "U") + int(area) + 1
            sample["base_weight"] = len(areas) / per_stratum * len(members) / size
            samples.append(sample)
    return pd.concat(samples, ignore_index=True)


def answers(sample: pd.DataFrame, questions: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """The sample's answers with item nonresponse: `!dont_know` and `!refused`; a question that did not apply stays empty."""
    said = sample.copy()
    said["sex"] = np.where(rng.random(len(said)) < 0.004, "O", said["sex"])
    for question in questions:
        rate = rng.uniform(*ITEM_NONRESPONSE) if question != "sex" else 0.0
        silent = (rng.random(len(said)) < rate) & said[question].notna().to_numpy()
        kind = np.where(rng.random(len(said)) < 0.6, "!dont_know", "!refused")
        said[question] = said[question].astype(object).mask(silent, pd.Series(kind, index=said.index))
    return said
