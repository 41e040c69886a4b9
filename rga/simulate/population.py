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
YES_NO = ["government_support", "health_insurance", "mental_health", "physical_illness", "violence_heard", "knows_help"]


def simulate_population(
    country: str, year: int, sex_age: pd.DataFrame, sex_education: pd.DataFrame, urban: float, rng: np.random.Generator
) -> pd.DataFrame:
    """``SIZE`` people, one harmonised row each, with `region`, `area` and `frailty` besides.

    ``sex_age`` and ``sex_education`` are benchmark margins (columns sex, age_group or education, and total); ``urban`` is the
    urban share. Shares of the margins equal the benchmark's but for rounding to whole people.
    """
    people = _people(sex_age, sex_education)
    size = len(people)
    low, high = np.array(list(AGE.values()))[people["age_group"].cat.codes].T
    people["age"] = rng.integers(low, high + 1).astype(float)
    educated = people["education"].cat.codes.to_numpy() - 1.5
    years = (people["age"].to_numpy() - 40) / 15
    urbane = _exceeds(0.7 * educated + rng.logistic(size=size), urban)
    people["residence"] = _choose(urbane, "U", "R")
    people["region"] = rng.integers(1, REGIONS + 1, size)
    people["area"] = rng.integers(0, AREAS, size)
    place = people["region"].to_numpy() * 2 + urbane
    area = rng.normal(0, 0.35, (2 * REGIONS + 3, AREAS))[place, people["area"].to_numpy()]
    frailty = rng.normal(0, 1, size)
    people["frailty"] = frailty
    base = 0.15 * years - 0.2 * educated + 0.2 * urbane + area
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
    single, widowed = years + rng.normal(0, 0.5, size) < -1.1, years + rng.normal(0, 0.9, size) > 2.1
    divorced = _choose(rng.random(size) < 0.03, "divorced", "married")
    people["marital_status"] = _choose(single, "single", _choose(widowed, "widowed", divorced))
    people["children"] = rng.poisson(np.where(single, 0.8, np.exp(0.8 - 0.25 * np.abs(years)))).astype(float)

    works = rng.random(size) < np.where(women, 0.34, 0.81) - 0.08 * np.maximum(years - 1, 0)
    kind = _draw(["employee", "employer", "own_account", "family_worker"], [0.42, 0.05, 0.38, 0.15], size, rng)
    people["job_before"] = _choose(works, kind, "not_working")
    lost = says("lost_job", works)
    decreased = says("hours_decreased", works & ~lost)
    change = _choose(decreased, "decreased", _choose(rng.random(size) < 0.08, "increased", "same"))
    people["hours_change"] = _choose(works, _choose(lost, "lost_job", change), None)

    rest = _draw(["late", "confusing", "none"], [0.4, 0.4, 0.2], size, rng)
    people["information"] = _choose(says("information", everybody, own=0.2), "clear", rest)
    for item, (of_women, of_men) in SOURCES.items():
        uses = rng.random(size) < np.where(women, of_women, of_men) / 100
        down = says(f"income_{item}", uses)
        other = _choose(rng.random(size) < 0.1, "increased", "same")
        people[f"income_{item}"] = _choose(uses, _choose(down, "decreased", other), "not_a_source")
    for battery, does in DOES.items():
        some, three = level(country, year, battery), level(country, year, f"{battery}_3plus")
        burden = base + 1.6 * frailty + rng.logistic(size=size)
        answers = _battery(does, some, three, burden, women, rng)
        people[[f"{battery}_{item}" for item in does]] = pd.DataFrame(answers)
    for question in YES_NO:
        people[question] = _choose(says(question, everybody), "yes", "no")
    needed = rng.random(size) < 0.55
    people["doctor_wait"] = _choose(needed, _choose(says("doctor_wait", needed), "yes", "no"), "not_needed")
    if year >= 2021:
        people["food_hardship"] = _choose(says("food_hardship", everybody), "yes", "no")
        twice = says("vaccinated_twice", everybody)
        once = says("vaccinated_once", ~twice)
        people["vaccine_doses"] = _choose(twice, "two", _choose(once, "one", "none"))
    return people


def _exceeds(latent: np.ndarray, target: float) -> np.ndarray:
    """True for the share ``target`` with the highest latent values: the level is hit to the person."""
    count = round(target * len(latent))
    yes = np.zeros(len(latent), dtype=bool)
    yes[np.argsort(-latent, kind="stable")[:count]] = True
    return yes


def _battery(
    does: dict[str, tuple[float, float, float]],
    some: tuple[float, float],
    three: tuple[float, float],
    burden: np.ndarray,
    women: np.ndarray,
    rng: np.random.Generator,
) -> dict[str, pd.Categorical[str]]:
    """Answers by item. Among those who do any, the shares ``some`` and ``three`` have at least one and three increased.

    ``does`` gives for each item the percentage of women and of men who do it, and how readily it is the one that increases;
    the people with the greatest ``burden`` come first.
    """
    size = len(burden)
    doing = np.column_stack([rng.random(size) < np.where(women, f, m) / 100 for f, m, _ in does.values()])
    count = doing.sum(axis=1)
    many, any_ = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    for group, least, most in zip((women, ~women), some, three, strict=True):
        here = group & (count > 0)
        any_[here] = _exceeds(burden[here], least)
        able = any_ & group & (count >= 3)
        many[able] = _exceeds(burden[able], most * here.sum() / able.sum())
    number = np.where(many, 3 + rng.binomial(np.maximum(count - 3, 0), 0.3), np.minimum(count, 1 + (rng.random(size) < 0.4)))
    ready = rng.logistic(size=doing.shape) + np.array([readiness for *_, readiness in does.values()])
    order = np.argsort(np.where(doing, -ready, np.inf), axis=1)
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(does))[None, :], axis=1)
    up = rank < np.where(any_, number, 0)[:, None]
    down = rng.random(doing.shape) < 0.15
    return {
        item: _choose(doing[:, i], _choose(up[:, i], "increased", _choose(down[:, i], "decreased", "same")), "not_done")
        for i, item in enumerate(does)
    }


def _choose(condition: np.ndarray, yes: pd.Categorical[str] | str, no: pd.Categorical[str] | str | None) -> pd.Categorical[str]:
    """``yes`` where ``condition``, else ``no`` (None: no answer). Categories, because text of 200,000 people is slow."""
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


def _draw(labels: list[str], shares: list[float], size: int, rng: np.random.Generator) -> pd.Categorical[str]:
    return pd.Categorical.from_codes(rng.choice(len(labels), size, p=shares), categories=pd.Index(labels))


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
    for name, order in (("sex", ["F", "M"]), ("age_group", list(AGE)), ("education", EDUCATION)):
        cells[name] = pd.Categorical(cells[name], categories=order)
    return cells.loc[cells.index.repeat(cells["people"]), ["sex", "age_group", "education"]].reset_index(drop=True)
