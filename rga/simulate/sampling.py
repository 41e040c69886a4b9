"""Who of a population is drawn and who answers: more men, more young, urban and educated people.

Belongs here: selection by each kind of sample, unit and item nonresponse. Not here: the population, what frames know of it
(``frames``), or how a file spells an answer.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.simulate.programme import Survey

# log odds of owning a phone and answering: additive in the margins that weighting knows, so that raking can repair it
SEX_AGE = {
    "F": {"Y18T24": 0.1, "Y25T34": 0.0, "Y35T44": -0.25, "Y45T54": -0.5, "Y55T64": -0.65, "Y_GE65": -0.85},
    "M": {"Y18T24": 0.8, "Y25T34": 0.7, "Y35T44": 0.45, "Y45T54": 0.15, "Y55T64": -0.15, "Y_GE65": -0.45},
}
EDUCATION = {"below_primary": -0.75, "primary": -0.3, "secondary": 0.3, "tertiary": 0.7}

PSUS_PER_STRATUM = 15
RURAL_RATE = 1.25  # numbers drawn per person in a rural area for one in an urban area

# who answers a call, of the numbers on a list: by what the list knows, which weighting classes repair
LISTED = {"own": 0.72, "shared": 0.4}
PLACE = {"U": 0.82, "R": 1.05}
REGION = {1: 1.1, 2: 0.95, 3: 1.0, 4: 0.8}

# who answers again a year later: log odds by what was recorded in the first round, which response propensities repair
AGAIN = 2.2
UNTOLD = -1.2  # for each of these that a person had not told
RECORDED: dict[str, dict[str, float]] = {
    "r1_sex": {"F": -0.15},
    "r1_age_group": {"Y18T24": -0.4, "Y25T34": -0.15, "Y_GE65": -0.2},
    "r1_education": {"below_primary": -0.35, "tertiary": 0.3},
    "r1_residence": {"R": -0.5},
    "r1_job": {"works": 0.3},
    "r1_mental_health": {"yes": -0.7},
}
SILENT = ("!dont_know", "!refused")
NOT_KNOWN = "not_known"  # who did not tell in the first round

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
    survey: Survey,
    rng: np.random.Generator,
    rates: pd.Series | None = None,
    earlier: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Everybody whom ``survey`` drew and knows of, one row each; `answered` is true for its respondents, about ``survey.n``.

    By kind of sample (``survey.sampling``): of `operators`, ``rates`` are invitations per line, and `operator` in the sample is
    that of the line invited; of `areas`, the sample has stratum, psu and base_weight besides; of a `panel`, ``earlier`` are the
    respondents of a year before as ``recorded`` tells of them, and all of them are called again. Nobody knows who did not answer
    a text message, a link on the web or a number dialled at random: such people have no row.
    """
    match survey.sampling:
        case "panel":
            if earlier is None:
                raise ValueError(f"{survey.key} is a panel: the respondents of a year before are needed")
            return _again(people, earlier, rng)
        case "areas":
            return _areas(people, survey.drawn, propensity(people, survey.unobserved), rng)
    size = propensity(people, survey.unobserved)
    lines: pd.DataFrame | None = None
    if survey.sampling == "operators":
        if rates is None:
            raise ValueError(f"{survey.key} is drawn by operators: rates of invitation are needed")
        lines = pd.DataFrame(
            {name: people[name].astype(object).map(rates).astype(float) for name in ("operator", "other_operator")}
        )
        lines["other_operator"] *= people["phones"] == 2
        size = size * lines.sum(axis=1).to_numpy()
    elif survey.sampling == "dialling":
        size = size * (people["phones"] / people["adults"]).to_numpy()
    rows = proportional(size, survey.n, rng)
    sample = people.iloc[rows].reset_index(drop=True).assign(answered=True)
    if lines is not None:
        first = lines["operator"].to_numpy()[rows] / lines.sum(axis=1).to_numpy()[rows]
        sample["operator"] = sample["operator"].where(rng.random(len(rows)) < first, sample["other_operator"])
    return sample


def proportional(size: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of a sample of ``n``, drawn with chances proportional to ``size`` exactly; who would be drawn twice is in it for sure.

    Systematic sampling from a list in random order (Hartley and Rao, Annals of Mathematical Statistics 33, 1962).
    """
    chance = n * size / size.sum()
    while (chance > 1 + 1e-9).any():
        sure = chance >= 1
        chance = np.where(sure, 1.0, size * (n - sure.sum()) / size[~sure].sum())
    order = rng.permutation(len(size))
    reached = np.cumsum(chance[order])
    at = np.searchsorted(reached, np.arange(n) + rng.random(), side="right")
    return np.sort(order[np.minimum(at, len(size) - 1)])


def _areas(people: pd.DataFrame, drawn: int, chance: np.ndarray, rng: np.random.Generator) -> pd.DataFrame:
    """Areas drawn within strata (region by residence), then numbers on each area's list, at a higher rate in rural ones.

    `base_weight` undoes the sampling: the drawing of areas and the rates. Whether a person has a number on the list is ``chance``
    alone, everywhere alike, so that weighting to the margins can undo it; whether the call is answered depends on what the list
    knows alone: place, and whether the number is the person's own.
    """
    size = len(people)
    urban = (people["residence"] == "U").to_numpy()
    stratum = 2 * people["region"].to_numpy() + urban
    area = people["area"].to_numpy()
    selected = np.zeros(size, dtype=bool)
    inverse = np.zeros(size)
    for number in np.unique(stratum):
        here = stratum == number
        areas = np.unique(area[here])
        selected[here] = np.isin(area[here], rng.choice(areas, size=PSUS_PER_STRATUM, replace=False))
        inverse[here] = len(areas) / PSUS_PER_STRATUM
    invited = np.where(urban, 1.0, RURAL_RATE)
    rate = drawn / (chance * invited)[selected].sum()
    chosen = np.flatnonzero(selected & (rng.random(size) < rate * chance * invited))
    sample = people.iloc[chosen].reset_index(drop=True)
    sample["stratum"] = [f"{region}{place}" for region, place in zip(sample["region"], sample["residence"], strict=True)]
    sample["psu"] = 100 * stratum[chosen] + area[chosen] + 1
    sample["base_weight"] = (inverse / invited)[chosen].round(6)
    by = (("listed", LISTED), ("residence", PLACE), ("region", REGION))
    answers_call = np.prod([sample[name].astype(object).map(shares).to_numpy(float) for name, shares in by], axis=0)
    sample["answered"] = rng.random(len(sample)) < answers_call
    return sample.sort_values(["psu"], kind="stable").reset_index(drop=True)


def _again(people: pd.DataFrame, earlier: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """All of ``earlier`` as they are a year later; who is not among ``people`` any more, or does not want to, does not answer."""
    place = pd.Index(people["person"]).get_indexer(pd.Index(earlier["person"]))
    now = people.iloc[np.maximum(place, 0)].reset_index(drop=True)  # the answers of those who are gone are nobody's, and not used
    sample = now.assign(**{str(name): earlier[name].to_numpy() for name in earlier})
    known = [sample[name].astype(object).map(effects | {NOT_KNOWN: UNTOLD}) for name, effects in RECORDED.items()]
    odds = AGAIN + sum(effect.fillna(0.0).to_numpy(float) for effect in known)
    sample["answered"] = (place >= 0) & (rng.random(len(sample)) < 1 / (1 + np.exp(-odds)))
    return sample


def recorded(said: pd.DataFrame) -> pd.DataFrame:
    """What the first round tells of its adult respondents, from their answers: `person` and one column for each of ``RECORDED``,
    with `operator` and `phones` where it was drawn by operators."""
    adults = said[said["person"] >= 0]
    told = {name: adults[name].astype(object) for name in ("sex", "age_group", "education", "residence", "mental_health")}
    told["age_group"] = told["age_group"].mask(adults["age"].map(lambda age: isinstance(age, str)), NOT_KNOWN)
    told["job"] = adults["job_before"].astype(object).map(lambda job: job if job in SILENT else _works(job))
    known = {f"r1_{name}": values.replace(dict.fromkeys(SILENT, NOT_KNOWN)) for name, values in told.items()}
    listed = [name for name in ("operator", "phones") if name in adults]
    return pd.concat([adults[["person", *listed]], pd.DataFrame(known)], axis=1).reset_index(drop=True)


def _works(job: str) -> str:
    return "works_not" if job == "not_working" else "works"


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
