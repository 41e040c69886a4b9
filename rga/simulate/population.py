"""A finite population whose margins are the benchmark's: who people are and where they live.

Belongs here: people, and who of them lived there a year before. Not here: what they answer (``responses``), who of them is asked
(``sampling``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

AGE = {"Y18T24": (18, 24), "Y25T34": (25, 34), "Y35T44": (35, 44), "Y45T54": (45, 54), "Y55T64": (55, 64), "Y_GE65": (65, 90)}
EDUCATION = ["below_primary", "primary", "secondary", "tertiary"]
REGIONS, AREAS = 4, 60
KEPT = ["residence", "region", "area", "frailty", "marital_status", "n_children"]  # what the same person has a year later


def population(
    size: int,
    sex_age: pd.DataFrame,
    sex_education: pd.DataFrame,
    urban: float,
    rng: np.random.Generator,
    earlier: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """``size`` people, one row each: demography, `region`, `area`, `frailty` and `person`.

    ``sex_age`` and ``sex_education`` are benchmark margins (columns sex, age_group or education, and total); ``urban`` is the
    urban share. Shares of the margins equal the benchmark's but for rounding to whole people. With ``earlier``, the population of
    a year before, people are the same wherever both have one of that sex, age group and schooling: same `person`, one year older
    within the age group.
    """
    people = _people(size, sex_age, sex_education)
    low, high = np.array(list(AGE.values()))[people["age_group"].cat.codes].T
    people["age"] = rng.integers(low, high + 1).astype(float)
    educated = people["education"].cat.codes.to_numpy() - 1.5
    years = (people["age"].to_numpy() - 40) / 15
    people["residence"] = choose(highest(0.7 * educated + rng.logistic(size=size), urban), "U", "R")
    people["region"] = rng.integers(1, REGIONS + 1, size)
    people["area"] = rng.integers(0, AREAS, size)
    people["frailty"] = rng.normal(0, 1, size)
    single, widowed = years + rng.normal(0, 0.5, size) < -1.1, years + rng.normal(0, 0.9, size) > 2.1
    divorced = choose(rng.random(size) < 0.03, "divorced", "married")
    people["marital_status"] = choose(single, "single", choose(widowed, "widowed", divorced))
    people["n_children"] = rng.poisson(np.where(single, 0.8, np.exp(0.8 - 0.25 * np.abs(years)))).astype(float)
    people["person"] = np.arange(size)
    return people if earlier is None else _a_year_later(people, earlier, high)


def _a_year_later(people: pd.DataFrame, earlier: pd.DataFrame, oldest: np.ndarray) -> pd.DataFrame:
    cell = ["sex", "age_group", "education"]
    left = people[cell].assign(place=people.groupby(cell, observed=True).cumcount(), row=np.arange(len(people)))
    right = earlier[cell].assign(place=earlier.groupby(cell, observed=True).cumcount(), before=np.arange(len(earlier)))
    pairs = left.merge(right, on=[*cell, "place"])
    now, before = pairs["row"].to_numpy(), pairs["before"].to_numpy()
    for name in KEPT:
        people.loc[now, name] = earlier[name].to_numpy()[before]
    people.loc[now, "age"] = np.minimum(earlier["age"].to_numpy()[before] + 1, oldest[now])
    # people who were not there before get numbers that nobody had
    person = len(earlier) + np.arange(len(people))
    person[now] = earlier["person"].to_numpy()[before]
    people["person"] = person
    return people


def highest(latent: np.ndarray, share: float) -> np.ndarray:
    """True for the ``share`` with the highest latent values: a level is hit to the person."""
    count = round(share * len(latent))
    yes = np.zeros(len(latent), dtype=bool)
    if count:
        yes[np.argpartition(-latent, count - 1)[:count]] = True
    return yes


def choose(condition: np.ndarray, yes: pd.Categorical[str] | str, no: pd.Categorical[str] | str | None) -> pd.Categorical[str]:
    """``yes`` where ``condition``, else ``no`` (None: no answer). Categories, because text of so many people is slow."""
    categories: list[str] = []
    codes = []
    for side in (yes, no):
        labels = list(side.categories) if isinstance(side, pd.Categorical) else [side] if side else []
        places = np.array([_place(categories, label) for label in labels] + [-1])
        codes.append(places[side.codes] if isinstance(side, pd.Categorical) else places[0])
    return pd.Categorical.from_codes(np.where(condition, *codes), categories=pd.Index(categories))


def _place(categories: list[str], label: str) -> int:
    if label not in categories:
        categories.append(label)
    return categories.index(label)


def _people(size: int, sex_age: pd.DataFrame, sex_education: pd.DataFrame) -> pd.DataFrame:
    """Whole people per sex, age group and education; younger people have more schooling, margins as given."""
    rows = []
    total = sex_age["total"].sum()
    for sex in ("F", "M"):
        ages = sex_age[sex_age.sex == sex].set_index("age_group")["total"].reindex(list(AGE)).to_numpy() / total * size
        schooling = sex_education[sex_education.sex == sex].set_index("education")["total"].reindex(EDUCATION).fillna(0).to_numpy()
        schooling = schooling / schooling.sum() * ages.sum()
        table = np.exp(-0.25 * np.outer(np.arange(len(AGE)) - 2.5, np.arange(len(EDUCATION)) - 1.5))
        for _ in range(500):
            table *= (ages / table.sum(axis=1))[:, None]
            table *= np.divide(schooling, table.sum(axis=0), out=np.zeros(len(EDUCATION)), where=schooling > 0)
        rows += [(sex, age, education, table[i, j]) for i, age in enumerate(AGE) for j, education in enumerate(EDUCATION)]
    cells = pd.DataFrame(rows, columns=["sex", "age_group", "education", "expected"])
    cells["people"] = np.floor(cells["expected"]).astype(int)
    missing = size - int(cells["people"].sum())
    largest = (cells["expected"] - cells["people"]).sort_values(ascending=False, kind="stable").index[:missing]
    cells.loc[largest, "people"] += 1
    for name, order in (("sex", ["F", "M"]), ("age_group", list(AGE)), ("education", EDUCATION)):
        cells[name] = pd.Categorical(cells[name], categories=order)
    return cells.loc[cells.index.repeat(cells["people"]), ["sex", "age_group", "education"]].reset_index(drop=True)
