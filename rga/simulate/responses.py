"""What every person of a simulated population would answer, at exactly the levels that were set.

Belongs here: true answers. Not here: the levels (``levels``), who is asked, what they do not tell (``sampling``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.simulate.levels import DOES, FUNCTIONING, HELPERS, SERVICES, SLOPES, SOURCES, USUAL_SLOPES, level
from rga.simulate.population import AREAS, REGIONS, choose, highest

YES_NO = [
    "government_support", "charity_support", "health_insurance", "unemployment_insurance", "mental_health", "physical_illness",
    "family_illness", "discrimination_heard", "violence_heard", "knows_help",
]  # fmt: skip


class Responses:
    """Answers of ``people`` of a country and year, question by question, drawn with ``rng``."""

    def __init__(self, people: pd.DataFrame, country: str, year: int, rng: np.random.Generator) -> None:
        self.size, self.rng, self.country, self.year = len(people), rng, country, year
        self.women = (people["sex"] == "F").to_numpy()
        self.years = (people["age"].to_numpy() - 40) / 15
        self.educated = people["education"].cat.codes.to_numpy() - 1.5
        self.urban = (people["residence"] == "U").to_numpy()
        self.frailty = people["frailty"].to_numpy()
        self.parent = (people["n_children"] > 0).to_numpy()
        place = people["region"].to_numpy() * 2 + self.urban
        self.of_area = rng.normal(0, 0.35, (2 * REGIONS + 3, AREAS))[place, people["area"].to_numpy()]

    def latent(self, slopes: tuple[float, float, float] = USUAL_SLOPES, own: float = 0.5) -> np.ndarray:
        """How readily each person says yes: by age, schooling, place, area, and ``own`` times a frailty that nothing else tells."""
        age, schooling, town = slopes
        known = age * self.years + schooling * self.educated + town * self.urban + self.of_area
        return known + own * self.frailty + self.rng.logistic(size=self.size)

    def says(
        self, question: str, among: np.ndarray | None = None, own: float = 0.5, base: tuple[float, float] | None = None
    ) -> np.ndarray:
        """Who of ``among`` (everybody by default) says yes, by sex at exactly the target level."""
        latent = self.latent(SLOPES.get(question, USUAL_SLOPES), own)
        yes = np.zeros(self.size, dtype=bool)
        for group, target in zip((self.women, ~self.women), self.level(question, base), strict=True):
            here = group if among is None else among & group
            yes[here] = highest(latent[here], target)
        return yes

    def chance(self, shares: tuple[float, float]) -> np.ndarray:
        """Who, by sex at about these shares and by nothing else."""
        return self.rng.random(self.size) < np.where(self.women, *shares)

    def level(self, question: str, base: tuple[float, float] | None = None) -> tuple[float, float]:
        return level(self.country, self.year, question, base)

    def draw(self, labels: list[str], shares: list[float]) -> pd.Categorical[str]:
        return pd.Categorical.from_codes(self.rng.choice(len(labels), self.size, p=shares), categories=pd.Index(labels))

    def battery(self, name: str) -> dict[str, pd.Categorical[str]]:
        """Answers by item. Among those who do any, exactly the set shares have at least one and at least three that increased.

        The people with the greatest burden come first.
        """
        does = DOES[name]
        some, three = self.level(name), self.level(f"{name}_3plus")
        burden = self.latent(own=0.8)
        doing = np.column_stack([self.chance((f / 100, m / 100)) for f, m, _ in does.values()])
        count = doing.sum(axis=1)
        many, any_ = np.zeros(self.size, dtype=bool), np.zeros(self.size, dtype=bool)
        for group, least, most in zip((self.women, ~self.women), some, three, strict=True):
            here = group & (count > 0)
            any_[here] = highest(burden[here], least)
            able = any_ & group & (count >= 3)
            many[able] = highest(burden[able], min(1, most * here.sum() / able.sum()))
        more = 3 + self.rng.binomial(np.maximum(count - 3, 0), 0.3)
        number = np.where(many, more, np.minimum(np.minimum(count, 2), 1 + (self.rng.random(self.size) < 0.4)))
        ready = self.rng.logistic(size=doing.shape) + np.array([readiness for *_, readiness in does.values()])
        order = np.argsort(np.where(doing, -ready, np.inf), axis=1)
        rank = np.empty_like(order)
        np.put_along_axis(rank, order, np.arange(len(does))[None, :], axis=1)
        up = rank < np.where(any_, number, 0)[:, None]
        down = self.rng.random(doing.shape) < 0.15
        return {
            item: choose(doing[:, i], choose(up[:, i], "increased", choose(down[:, i], "decreased", "same")), "not_done")
            for i, item in enumerate(does)
        }


def respond(people: pd.DataFrame, country: str, year: int, rng: np.random.Generator) -> pd.DataFrame:
    """``people`` with a column for every question that the catalogue knows and the ``year``'s round asked."""
    r = Responses(people, country, year, rng)
    said: dict[str, object] = {}
    for item, share in FUNCTIONING.items():
        odds = share / 100 * 2**r.years * np.exp(0.4 * r.frailty)
        severe, some = rng.random(r.size) < odds, rng.random(r.size) < 5 * odds
        worst = choose(rng.random(r.size) < 0.15, "cannot", "a_lot")
        said[f"functioning_{item}"] = choose(severe, worst, choose(some, "some", "none"))

    clear = r.says("information_clear", own=0.2)
    none = r.says("information_none", among=~clear)
    said["information"] = choose(clear, "clear", choose(none, "none", r.draw(["late", "confusing"], [0.5, 0.5])))
    others = r.draw(["media", "official", "phone", "community", "health_worker", "other"], [0.42, 0.13, 0.1, 0.22, 0.09, 0.04])
    said["info_source"] = choose(r.says("internet", own=0.1), "internet", others)

    works = rng.random(r.size) < np.where(r.women, 0.36, 0.81) - 0.08 * np.maximum(r.years - 1, 0)
    kind = r.draw(["employee", "employer", "own_account", "family_worker"], [0.44, 0.05, 0.37, 0.14])
    job = choose(works, kind, "not_working")
    said["job_before"] = job
    employee = np.asarray(job == "employee")
    said["formal_job"] = choose(employee, choose(r.says("formal_job", among=employee), "yes", "no"), None)
    lost = r.says("lost_job", among=works)
    decreased = r.says("hours_decreased", among=works & ~lost)
    change = choose(decreased, "decreased", choose(rng.random(r.size) < 0.08, "increased", "same"))
    said["hours_change"] = choose(works, choose(lost, "lost_job", change), None)
    still = works & ~lost
    elsewhere = r.draw(["same", "home_always", "other"], [0.72, 0.2, 0.08])
    said["workplace"] = choose(still, choose(r.says("home_now", among=still), "home_now", elsewhere), None)

    for item, (users, town, fell, rose) in SOURCES.items():
        of_women, of_men = r.level(f"income_{item}", users)
        odds = np.log(np.where(r.women, of_women / (1 - of_women), of_men / (1 - of_men))) + town * (r.urban - 0.4)
        uses = rng.random(r.size) < 1 / (1 + np.exp(-odds))
        down = r.says(f"income_{item}_down", among=uses, base=fell)
        up = r.says(f"income_{item}_up", among=uses & ~down, own=-0.2, base=rose)
        said[f"income_{item}"] = choose(uses, choose(down, "decreased", choose(up, "increased", "same")), "not_a_source")
    for battery in DOES:
        said |= {f"{battery}_{item}": answers for item, answers in r.battery(battery).items()}
    nobody = np.ones(r.size, dtype=bool)
    for item, shares in HELPERS.items():
        helps = r.chance(r.level(f"help_{item}", shares))
        nobody &= ~helps
        said[f"help_{item}"] = choose(helps, "yes", "no")
    said["help_nobody"] = choose(nobody, "yes", "no")
    for question in YES_NO:
        said[question] = choose(r.says(question), "yes", "no")
    needed = rng.random(r.size) < 0.55
    longer = r.says("doctor_longer", among=needed)
    unable = r.says("doctor_unable", among=needed & ~longer)
    doctor = choose(longer, "longer", choose(unable, "unable", "same"))
    said["doctor"] = choose(needed, doctor, "not_needed")
    for item, (need, difficulty) in SERVICES.items():
        needs = rng.random(r.size) < need / 100
        hard = choose(rng.random(r.size) < 0.35, "major", "some")
        difficult = r.says(f"access_{item}", among=needs, base=difficulty)
        said[f"access_{item}"] = choose(needs, choose(difficult, hard, "none"), "not_needed")
    said["school_closed"] = choose(r.parent, choose(r.says("school_closed", among=r.parent), "yes", "no"), None)

    if year >= 2021:
        said["left_job_for_care"] = choose(works, choose(r.says("left_job_for_care", among=works), "yes", "no"), None)
        said["back_at_school"] = choose(r.parent, choose(r.says("back_at_school", among=r.parent), "yes", "no"), None)
        said["food_hardship"] = choose(r.says("food_hardship"), "yes", "no")
        twice = r.says("vaccinated_twice", own=-0.2)
        once = r.says("vaccinated_once", among=~twice)
        doses = choose(twice, "two", choose(once, "one", "none"))
        said["vaccine_doses"] = doses
        why = r.draw(["side_effects", "not_available", "not_wanted", "other"], [0.4, 0.27, 0.27, 0.06])
        expecting = r.women & (r.years < 0.3) & (rng.random(r.size) < 0.25)
        said["vaccine_reason"] = choose(np.asarray(doses == "none"), choose(expecting, "pregnancy", why), None)
    return pd.concat([people, pd.DataFrame(said, index=people.index)], axis=1)
