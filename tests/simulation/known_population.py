"""Populations whose every figure is known, and samples from them: people in no clusters, people in PSUs, and rare domains.

Belongs here: who the people are and how a sample of them is drawn. Not here: weights, estimates, or what is made of them
(``coverage``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit

AGES = ["18-24", "25-34", "35-44", "45-54", "55+"]
SCHOOLING = ["primary", "secondary", "tertiary"]
MARGINS = {"sex_age": ["sex", "age_group"], "sex_education": ["sex", "education"]}
RARE = {"p03": 0.03, "p50": 0.50, "p97": 0.97}
DOMAINS = (10, 20, 30, 45, 60)  # respondents expected of each rare domain

# How much of a characteristic goes along with age, schooling, sex and the PSU, on the logit or log scale.
FEMALE, YOUNG, SCHOOLED, PLACE = 0, 1, 2, 3
EFFECTS = {
    "works": (-0.50, 0.10, 0.15, 0.50),
    "rare": (0.55, -0.10, 0.10, 0.60),
    "mobile_money": (-0.60, 0.90, 2.60, 0.40),
    "hours": (0.60, 0.05, -0.15, 0.25),
    "income": (-0.40, 0.05, 0.50, 0.30),
}


def people(n: int, rng: np.random.Generator, place: np.ndarray | float = 0.0) -> pd.DataFrame:
    """``n`` people: sex, age_group, education, residence, and what they answer. ``place``: standard normal effect of their PSU.

    About 40 % work, 7 to 10 % have the characteristic `rare`, and `mobile_money` follows age and schooling closely; `hours` of
    unpaid care a day and monthly `income` are skewed, `fees` are spent on `children`.
    """
    sex = rng.choice(["F", "M"], n, p=[0.51, 0.49])
    age = rng.choice(5, n, p=[0.24, 0.26, 0.20, 0.15, 0.15])
    latent = rng.normal(size=n) - 0.25 * (age - 2) - 0.3 * (sex == "F") + 0.4 * place
    education = np.digitize(latent, [0.1, 1.3])
    urban = rng.random(n) < expit(-0.6 + 0.6 * education + place)
    drivers = np.column_stack([sex == "F", 2 - age, education - 0.6, np.full(n, place)]).astype(float)
    linear = {name: drivers @ np.array(effects) for name, effects in EFFECTS.items()}
    children = rng.poisson(np.exp(0.5 + 0.1 * (age - 2)))
    return pd.DataFrame(
        {
            "sex": sex,
            "age_group": np.array(AGES)[age],
            "education": np.array(SCHOOLING)[education],
            "residence": np.where(urban, "urban", "rural"),
            "works": rng.random(n) < expit(-0.15 + linear["works"]),
            "rare": rng.random(n) < expit(-2.95 + linear["rare"]),
            "mobile_money": rng.random(n) < expit(-1.0 + linear["mobile_money"]),
            "hours": np.minimum(rng.gamma(1.5, np.exp(0.6 + linear["hours"])), 18.0),
            "income": np.exp(4.5 + linear["income"] + 0.6 * rng.normal(size=n)),
            "children": children,
            "fees": children * rng.gamma(2.0, 5.0, n) * np.exp(0.3 * education),
        }
    )


def unclustered(n: int, seed: int) -> pd.DataFrame:
    """People with the chance that each has of being called and answering, relative to others: `operator_chance`, which is known
    because it depends on the telephone operator alone, and `answers`, which is not and depends on sex, age and schooling."""
    rng = np.random.default_rng(seed)
    found = people(n, rng)
    operator = rng.random(n) < np.where(found["residence"] == "urban", 0.7, 0.35)
    older, schooled = found["age_group"].map(AGES.index), found["education"].map(SCHOOLING.index)
    answers = np.exp(-0.3 * (found["sex"] == "F") - 0.15 * older + 0.35 * schooled)
    return found.assign(operator_chance=np.where(operator, 3.0, 1.0), answers=answers)


def clustered(strata: int, psus: int, size: float, seed: int) -> pd.DataFrame:
    """People in ``psus`` PSUs of about ``size`` people (unequal) in each of ``strata`` strata, sorted by them.

    PSUs and, less so, strata differ in all that people answer.
    """
    rng = np.random.default_rng(seed)
    sizes = np.maximum(rng.gamma(6.0, size / 6.0, strata * psus).astype(int), 8)
    stratum = np.repeat(np.arange(strata), psus)
    place = 0.7 * rng.normal(size=strata)[stratum] + rng.normal(size=strata * psus)
    psu = np.repeat(np.arange(strata * psus), sizes)
    found = people(len(psu), rng, place[psu])
    return found.assign(stratum=stratum[psu], psu=psu)


def with_rare_domains(population: pd.DataFrame, respondents: int, seed: int, places: bool = False) -> pd.DataFrame:
    """``population`` with `domain`: d10 for the people of whom a sample of ``respondents`` expects 10, and so on; `rest` for most.

    In each domain 3 % have `p03`, 50 % `p50` and 97 % `p97`, to the nearest person. ``places``: domains are a third of the people
    of a few PSUs, those of one domain in PSUs of their own, and who has the characteristic goes along with the PSU.
    """
    rng = np.random.default_rng(seed)
    n = len(population)
    domain = np.full(n, "rest", dtype=object)
    order = rng.permutation(population["psu"].nunique())[population["psu"]] if places else rng.permutation(n)
    eligible = rng.random(n) < (1 / 3 if places else 1.0)
    ranked = np.flatnonzero(eligible)[np.argsort(order[eligible], kind="stable")]
    tendency = rng.normal(size=n) + (0.6 * rng.normal(size=order.max() + 1)[order] if places else 0.0)
    yes = {name: np.zeros(n, dtype=bool) for name in RARE}
    start = 0
    for expected in DOMAINS:
        members = ranked[start : start + round(n * expected / respondents)]
        start += len(members)
        domain[members] = f"d{expected}"
        by_tendency = members[np.argsort(-tendency[members], kind="stable")]
        for name, share in RARE.items():
            yes[name][by_tendency[: round(share * len(members))]] = True
    return population.assign(domain=domain.astype(str), **yes)


@dataclass(frozen=True)
class Sampled:
    """Rows of the population, with what is known of how they were drawn; NULL-able columns are None where there is none."""

    row: np.ndarray
    base_weight: np.ndarray
    stratum: np.ndarray | None = None
    psu: np.ndarray | None = None
    fpc: np.ndarray | None = None


def simple_random(population: pd.DataFrame, n: int, rng: np.random.Generator) -> Sampled:
    return Sampled(rng.choice(len(population), n, replace=False), np.full(n, len(population) / n))


def by_operator(population: pd.DataFrame, n: int, rng: np.random.Generator, answering: bool = True) -> Sampled:
    """Drawn with replacement by the chance of being called, times (``answering``) that of answering, of which the base weight knows
    nothing."""
    called = population["operator_chance"].to_numpy()
    chance = np.cumsum(called * population["answers"].to_numpy() if answering else called)
    row = np.searchsorted(chance, rng.random(n) * chance[-1], side="right")
    return Sampled(row, called.sum() / called[row] / n)


def two_stage(population: pd.DataFrame, psus: np.ndarray, take: int, rng: np.random.Generator, pps: bool = True) -> Sampled:
    """``psus[h]`` PSUs of stratum h, and ``take`` people (or all there are) of each.

    ``pps``: systematic from a list in random order, with probability proportional to size; otherwise a simple random sample of
    PSUs, with the number of PSUs there are as `fpc`.
    """
    size = np.bincount(population["psu"])
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    stratum_of = population["stratum"].to_numpy()[first]
    rows, weights, drawn, strata, counts = [], [], [], [], []
    for h, wanted in enumerate(psus):
        inside = rng.permutation(np.flatnonzero(stratum_of == h))
        if pps:
            reach = np.cumsum(size[inside])
            step = reach[-1] / wanted
            chosen = inside[np.searchsorted(reach, step * (rng.random() + np.arange(wanted)), side="right")]
            inverse = step / size[chosen]
        else:
            chosen, inverse = inside[:wanted], np.full(wanted, len(inside) / wanted)
        for order, (psu, first_stage) in enumerate(zip(chosen, inverse, strict=True)):
            taken = min(take, int(size[psu]))
            rows.append(first[psu] + rng.choice(size[psu], taken, replace=False))
            weights.append(np.full(taken, first_stage * size[psu] / taken))
            drawn.append(np.full(taken, order))
            strata.append(np.full(taken, h))
            counts.append(np.full(taken, len(inside)))
    fpc = None if pps else np.concatenate(counts).astype(float)
    return Sampled(np.concatenate(rows), np.concatenate(weights), np.concatenate(strata), np.concatenate(drawn), fpc)
