"""A finite population whose margins are the benchmark's and whose answers hit known levels.

Belongs here: people and their answers. Not here: who of them is asked (``sampling``), how a file spells it (``files``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.simulate.levels import DOES, SOURCES, level

SIZE = 200_000
AGE = {"Y18T24": (18, 24), "Y25T34": (25, 34), "Y35T44": (35, 44), "Y45T54": (45, 54), "Y55T64": (55, 64), "Y_GE65": (65, 90)}
EDUCATION = ["below_primary", "primary", "secondary", "tertiary"]
REGIONS, AREAS = 5, 40


def simulate_population(
    country: str, year: int, sex_age: pd.DataFrame, sex_education: pd.DataFrame, urban: float, rng: np.random.Generator
) -> pd.DataFrame:
    """``SIZE`` people, one harmonised row each, with `region`, `area` and `frailty` besides.

    ``sex_age`` and ``sex_education`` are benchmark margins (columns sex, age_group or education, and total); ``urban`` is the
    urban share. Shares of the margins equal the benchmark's but for rounding to whole people.
    """
    people = _people(sex_age, sex_education)
    size = len(people)
    low, high = (people["age_group"].map({k: v[i] for k, v in AGE.items()}).to_numpy() for i in (0, 1))
    people["age"] = rng.integers(low, high + 1).astype(float)
    educated = people["education"].map({name: i for i, name in enumerate(EDUCATION)}).to_numpy() - 1.5
    years = (people["age"].to_numpy() - 40) / 15
    people["residence"] = np.where(_exceeds(0.7 * educated + rng.logistic(size=size), urban), "U", "R")
    people["region"] = rng.integers(1, REGIONS + 1, size)
    people["area"] = rng.integers(0, AREAS, size)
    place = people["region"].to_numpy() * 2 + (people["residence"] == "U").to_numpy()
    area = rng.normal(0, 0.35, (2 * REGIONS + 3, AREAS))[place, people["area"].to_numpy()]
    frailty = rng.normal(0, 1, size)
    people["frailty"] = frailty
    base = 0.15 * years - 0.2 * educated + 0.2 * (people["residence"] == "U").to_numpy() + area
    women = (people["sex"] == "F").to_numpy()

    def says(question: str, among: np.ndarray, own: float = 0.5) -> np.ndarray:
        """Who says yes among ``among``, by sex at exactly the target level; ``own`` is the weight of personal frailty."""
        latent = base + own * frailty + rng.logistic(size=size)
        yes = np.zeros(size, dtype=bool)
        for group, target in zip((women, ~women), level(country, year, question), strict=True):
            here = among & group
            yes[here] = _exceeds(latent[here], target)
        return yes

    everybody = np.ones(size, dtype=bool)
    people["marital_status"] = np.select(
        [years + rng.normal(0, 0.5, size) < -1.1, years + rng.normal(0, 0.9, size) > 2.1, rng.random(size) < 0.03],
        ["single", "widowed", "divorced"],
        "married",
    )
    people["children"] = rng.poisson(
        np.where(people["marital_status"] == "single", 0.8, np.exp(0.8 - 0.25 * np.abs(years)))
    ).astype(float)
    works = rng.random(size) < np.where(women, 0.34, 0.81) - 0.08 * np.maximum(years - 1, 0)
    kind = rng.choice(["employee", "employer", "own_account", "family_worker"], size, p=[0.42, 0.05, 0.38, 0.15])
    people["job_before"] = np.where(works, kind, "not_working")
    lost = says("lost_job", works)
    decreased = says("hours_decreased", works & ~lost)
    change = np.where(rng.random(size) < 0.08, "increased", "same")
    people["hours_change"] = pd.Series(np.select([lost, decreased], ["lost_job", "decreased"], change)).where(works)
    rest = rng.choice(["late", "confusing", "none"], size, p=[0.4, 0.4, 0.2])
    people["information"] = np.where(says("information", everybody, own=0.2), "clear", rest)
    for item, (of_women, of_men) in SOURCES.items():
        uses = rng.random(size) < np.where(women, of_women, of_men) / 100
        down = says(f"income_{item}", uses)
        other = np.where(rng.random(size) < 0.1, "increased", "same")
        people[f"income_{item}"] = np.where(uses, np.where(down, "decreased", other), "not_a_source")
    for battery, items in (("domestic", list(DOES)[:5]), ("care", list(DOES)[5:])):
        _battery(people, battery, items, level(country, year, battery), base + 1.6 * frailty, women, rng)
    for question in ("government_support", "health_insurance", "mental_health", "physical_illness", "violence_heard", "knows_help"):
        people[question] = np.where(says(question, everybody), "yes", "no")
    needed = rng.random(size) < 0.55
    people["doctor_wait"] = np.where(needed, np.where(says("doctor_wait", needed), "yes", "no"), "not_needed")
    if year >= 2021:
        people["food_hardship"] = np.where(says("food_hardship", everybody), "yes", "no")
        twice = says("vaccinated_twice", everybody)
        once = says("vaccinated_once", ~twice)
        people["vaccine_doses"] = np.where(twice, "two", np.where(once, "one", "none"))
    return people


def _exceeds(latent: np.ndarray, target: float) -> np.ndarray:
    """True for the share ``target`` with the highest latent values: the level is hit to the person."""
    count = round(target * len(latent))
    yes = np.zeros(len(latent), dtype=bool)
    yes[np.argsort(-latent, kind="stable")[:count]] = True
    return yes


def _battery(
    people: pd.DataFrame, battery: str, items: list[str], target: tuple[float, float], base: np.ndarray, women: np.ndarray,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Items that increased together: among those who do some, the target share has at least one that increased."""
    size = len(people)
    does = np.column_stack([rng.random(size) < np.where(women, DOES[item][0], DOES[item][1]) / 100 for item in items])
    latent = np.where(does, base[:, None] + rng.logistic(size=(size, len(items))), -np.inf)
    most = latent.max(axis=1)
    up = np.zeros_like(does)
    for group, share in zip((women, ~women), target, strict=True):
        here = group & does.any(axis=1)
        threshold = np.sort(most[here])[::-1][round(share * int(here.sum()))]
        up[here] = latent[here] > threshold
    other = np.where(rng.random((size, len(items))) < 0.15, "decreased", "same")
    answers = np.where(does, np.where(up, "increased", other), "not_done")
    for position, item in enumerate(items):
        people[f"{battery}_{item}"] = answers[:, position]


def _people(sex_age: pd.DataFrame, sex_education: pd.DataFrame) -> pd.DataFrame:
    """Whole people per sex, age group and education; younger people have more schooling, margins as given."""
    rows = []
    total = sex_age["total"].sum()
    for sex in ("F", "M"):
        ages = sex_age[sex_age.sex == sex].set_index("age_group")["total"].reindex(list(AGE)).to_numpy() / total * SIZE
        schooling = sex_education[sex_education.sex == sex].set_index("education")["total"].reindex(EDUCATION).fillna(0).to_numpy()
        schooling = schooling / schooling.sum() * ages.sum()
        table = np.exp(-0.25 * np.outer(np.arange(len(AGE)) - 2.5, np.arange(len(EDUCATION)) - 1.5))
        for _ in range(500):
            table *= (ages / table.sum(axis=1))[:, None]
            table *= np.divide(schooling, table.sum(axis=0), out=np.zeros(len(EDUCATION)), where=schooling > 0)
        rows += [(sex, age, education, table[i, j]) for i, age in enumerate(AGE) for j, education in enumerate(EDUCATION)]
    cells = pd.DataFrame(rows, columns=["sex", "age_group", "education", "expected"])
    cells["people"] = np.floor(cells["expected"]).astype(int)
    missing = SIZE - int(cells["people"].sum())
    largest = (cells["expected"] - cells["people"]).sort_values(ascending=False, kind="stable").index[:missing]
    cells.loc[largest, "people"] += 1
    return cells.loc[cells.index.repeat(cells["people"]), ["sex", "age_group", "education"]].reset_index(drop=True)
