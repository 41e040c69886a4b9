"""How people can be reached: their telephones and operators, adults who share these, what a list of numbers says of them.

Belongs here: traits that decide how often a person could be drawn, and how many an operator invites. Not here: drawing
(``sampling``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.simulate.population import choose
from rga.simulate.programme import Survey

# operators of a country: share of people whose first line is theirs, how far they are one of towns, the young and the schooled, and
# invitations per line for one per line of the first
OPERATORS: dict[str, dict[str, tuple[float, float, float]]] = {
    "BGD": {"A": (0.46, 0.0, 1.0), "B": (0.29, 0.8, 1.8), "C": (0.21, -0.6, 1.2), "D": (0.04, -0.9, 0.8)},
    "IDN": {"A": (0.45, -0.4, 1.0), "B": (0.25, 0.4, 1.4), "C": (0.18, 0.9, 1.7), "D": (0.12, 0.2, 1.4)},
    "KHM": {"A": (0.44, 0.6, 1.0), "B": (0.41, -0.5, 0.55), "C": (0.15, 0.1, 0.7)},
    "MDV": {"A": (0.55, 0.7, 1.0), "B": (0.45, -0.5, 0.4)},
    "NPL": {"A": (0.52, -0.5, 1.0), "B": (0.48, 0.8, 2.2)},
    "PAK": {"A": (0.38, 0.3, 1.0), "B": (0.28, -0.5, 0.5), "C": (0.21, 0.7, 1.9), "D": (0.13, -0.4, 0.6)},
    "PHL": {"A": (0.53, 0.6, 1.0), "B": (0.47, -0.6, 0.4)},
}
NUMBERS_SHARED = {"F": 0.6, "M": 0.35}  # of the numbers on a household list, by sex


def with_frame(people: pd.DataFrame, survey: Survey, rng: np.random.Generator) -> pd.DataFrame:
    """``people`` with `phones` (lines they answer), `adults` (who share these, themselves included), `listed` (whether the number
    that a list has of them is their own or one they share) and, where the country has some, `operator` of the first line and
    `other_operator` of the second.

    All follow from sex, age, schooling and place, and from chance: nothing that is asked depends on them otherwise.
    """
    size = len(people)
    urban = (people["residence"] == "U").to_numpy()
    educated = people["education"].cat.codes.to_numpy() - 1.5
    years = (people["age"].to_numpy() - 40) / 15
    standing = 1.3 * urban + 0.2 * educated - 0.1 * years
    two = rng.random(size) < 1 / (1 + np.exp(1.4 - standing))
    adults = 1 + rng.poisson(np.where(urban, 1.1, 1.9) + 0.2 * (np.abs(years) > 1))
    shared = rng.random(size) < people["sex"].astype(object).map(NUMBERS_SHARED).to_numpy(float) * np.exp(
        -0.25 * educated - 0.4 * urban
    )
    reached = {"phones": 1.0 + two, "adults": adults.astype(float), "listed": choose(shared, "shared", "own")}
    if survey.country in OPERATORS:
        names = pd.Index(list(OPERATORS[survey.country]))
        share, towns, _ = np.array(list(OPERATORS[survey.country].values())).T
        # utility of each operator to each person; the highest is taken, the next highest for the second line
        utility = np.log(share) + towns * standing[:, None] + rng.gumbel(size=(size, len(names)))
        order = np.argsort(-utility, axis=1)
        reached["operator"] = pd.Categorical.from_codes(order[:, 0], categories=names)
        reached["other_operator"] = pd.Categorical.from_codes(order[:, 1], categories=names)
    return people.assign(**reached)


def invitations(people: pd.DataFrame, survey: Survey, sent: int, adults: float) -> pd.DataFrame:
    """Lines (`population`) and invitations (`invited`) of each operator, as the country's ``adults`` were ``people``.

    The invitations add up to ``sent``; they are rounded as an operator would report them.
    """
    lines = people["operator"].value_counts(sort=False)
    lines = lines.add(people.loc[people["phones"] == 2, "other_operator"].value_counts(sort=False))
    unit = 10_000 if adults > 5_000_000 else 1_000
    population = (lines * adults / len(people) / unit).round() * unit
    rate = pd.Series({name: rate for name, (_, _, rate) in OPERATORS[survey.country].items()})
    invited = (population * rate / (population * rate).sum() * sent / 1_000).round() * 1_000
    invited.iloc[0] += sent - invited.sum()
    return pd.DataFrame({"population": population.astype(int), "invited": invited.astype(int)})
