"""Who of a population is asked and answers: more men, more young, urban and educated people.

Belongs here: selection, panels, unit and item nonresponse. Not here: the population, or how a file spells an answer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# log odds of owning a phone and answering: additive in the margins that weighting knows, so that raking can repair it
SEX_AGE = {
    "F": {"Y18T24": 0.1, "Y25T34": 0.0, "Y35T44": -0.25, "Y45T54": -0.5, "Y55T64": -0.8, "Y_GE65": -1.2},
    "M": {"Y18T24": 0.8, "Y25T34": 0.7, "Y35T44": 0.45, "Y45T54": 0.15, "Y55T64": -0.15, "Y_GE65": -0.55},
}
EDUCATION = {"below_primary": -0.9, "primary": -0.3, "secondary": 0.3, "tertiary": 0.7}

PSUS_PER_STRATUM = 15
RURAL_RATE = 1.25  # invitations per person in a rural area for one in an urban area
PANEL_RATE = 0.3  # of the respondents of a year before take part again
MINORS = 0.02  # respondents under 18, where the operator's list has them, for each adult
OTHER_SEX = 0.004
ITEM_NONRESPONSE = (0.01, 0.05)  # don't know and refused together, by question


def propensity(people: pd.DataFrame, unobserved: float = 0.0) -> np.ndarray:
    """Relative chance of taking part; ``unobserved`` is the effect of frailty, which no margin knows."""
    by_age = np.zeros(len(people))
    for sex, effects in SEX_AGE.items():
        of_sex = (people["sex"] == sex).to_numpy()
        by_age[of_sex] = people["age_group"].astype(object).map(effects).to_numpy(dtype=float)[of_sex]
    by_education = people["education"].astype(object).map(EDUCATION).to_numpy(dtype=float)
    return np.exp(by_age + by_education + unobserved * people["frailty"].to_numpy())


def draw(
    people: pd.DataFrame,
    n: int,
    clustered: bool,
    rng: np.random.Generator,
    unobserved: float = 0.0,
    earlier: np.ndarray | None = None,
) -> pd.DataFrame:
    """``n`` respondents; a clustered sample is of about ``n`` and has stratum, psu and base_weight besides.

    ``earlier`` are the `person`s who took part a year before: some take part again, the rest of the sample is fresh. As people
    take part again whoever they are, both kinds are selected alike. The sample has `panel`: true for those.
    """
    chance = propensity(people, unobserved)
    if clustered:
        return _two_stages(people, n, chance, rng).assign(panel=False)
    again = np.zeros(len(people), dtype=bool)
    if earlier is not None:
        again = np.isin(people["person"].to_numpy(), earlier) & (rng.random(len(people)) < PANEL_RATE)
    chance[again] = 0
    chosen = rng.choice(len(people), size=n - int(again.sum()), replace=False, p=chance / chance.sum())
    rows = np.sort(np.concatenate([np.flatnonzero(again), chosen]))
    return people.iloc[rows].assign(panel=again[rows]).reset_index(drop=True)


def _two_stages(people: pd.DataFrame, n: int, chance: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Areas drawn within strata (region by residence), then people invited in each area, at a higher rate in rural ones.

    `base_weight` undoes the sampling: the drawing of areas and the rates of invitation. Who answers an invitation is ``chance``
    alone, everywhere alike, so that weighting to the margins can undo it.
    """
    size = len(people)
    urban = (people["residence"] == "U").to_numpy()
    stratum = 2 * people["region"].to_numpy() + urban
    area = people["area"].to_numpy()
    drawn = np.zeros(size, dtype=bool)
    inverse = np.zeros(size)
    for number in np.unique(stratum):
        here = stratum == number
        areas = np.unique(area[here])
        drawn[here] = np.isin(area[here], rng.choice(areas, size=PSUS_PER_STRATUM, replace=False))
        inverse[here] = len(areas) / PSUS_PER_STRATUM
    invited = np.where(urban, 1.0, RURAL_RATE)
    rate = n / (chance * invited)[drawn].sum()
    chosen = np.flatnonzero(drawn & (rng.random(size) < rate * chance * invited))
    sample = people.iloc[chosen].reset_index(drop=True)
    sample["stratum"] = [f"{region}{place}" for region, place in zip(sample["region"], sample["residence"], strict=True)]
    sample["psu"] = 100 * stratum[chosen] + area[chosen] + 1
    sample["base_weight"] = (inverse / invited)[chosen].round(6)
    return sample.sort_values(["psu"], kind="stable").reset_index(drop=True)


def with_minors(sample: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """``sample`` and some people of 15 to 17 besides, who answer as the youngest adults do."""
    youngest = sample[sample["age_group"] == "Y18T24"].sample(round(MINORS * len(sample)), replace=True, random_state=rng)
    minors = youngest.assign(age=rng.integers(15, 18, len(youngest)).astype(float), panel=False, person=-1)
    return pd.concat([sample, minors], ignore_index=True)


def answers(sample: pd.DataFrame, questions: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """The sample's answers with item nonresponse: `!dont_know` and `!refused`; a question that did not apply stays empty."""
    said = sample.copy()
    said["sex"] = said["sex"].astype(object).mask(rng.random(len(said)) < OTHER_SEX, "O")
    for question in questions:
        rate = rng.uniform(*ITEM_NONRESPONSE) if question != "sex" else 0.0
        silent = (rng.random(len(said)) < rate) & said[question].notna().to_numpy()
        kind = np.where(rng.random(len(said)) < 0.6, "!dont_know", "!refused")
        said[question] = said[question].astype(object).mask(silent, pd.Series(kind, index=said.index))
    return said
