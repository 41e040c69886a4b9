"""How people answer: shares of women and of men in each simulated population, and how age, schooling and place move them.

Belongs here: target levels, in per cent of the question's own base. Not here: who the people are (``population``).
Figures printed in reports are used where there are some (shared facts, published figures); the others lie in the ranges seen.
"""

from __future__ import annotations

import zlib

import numpy as np

# share who say yes (or clear, decreased, increased ...): women, men
LEVELS: dict[str, tuple[float, float]] = {
    "information_clear": (58, 57),
    "information_none": (24, 20),
    "internet": (40, 47),
    "formal_job": (44, 41),
    "lost_job": (24, 17),
    "hours_decreased": (38, 34),
    "home_now": (26, 18),
    "government_support": (24, 27),
    "charity_support": (9, 8),
    "health_insurance": (29, 32),
    "unemployment_insurance": (7, 11),
    "domestic": (63, 55),
    "domestic_3plus": (27, 14),
    "care": (64, 57),
    "care_3plus": (29, 19),
    "mental_health": (61, 55),
    "physical_illness": (27, 23),
    "family_illness": (24, 22),
    "doctor_longer": (58, 52),
    "doctor_unable": (36, 31),
    "school_closed": (87, 87),
    "discrimination_heard": (27, 24),
    "violence_heard": (31, 25),
    "knows_help": (41, 47),
    "left_job_for_care": (19, 8),
    "back_at_school": (46, 45),
    "food_hardship": (37, 32),
    "vaccinated_twice": (34, 41),
    "vaccinated_once": (24, 25),
}

# where a country differs: published levels, or gaps that are reversed
COUNTRY_LEVELS: dict[tuple[str, str], tuple[float, float]] = {
    ("BGD", "mental_health"): (62, 66),
    ("BGD", "information_clear"): (42, 47),
    ("PAK", "information_clear"): (39, 46),
    ("PAK", "domestic"): (60, 47),
    ("PAK", "domestic_3plus"): (24, 10),
    ("PAK", "knows_help"): (29, 40),
    ("MDV", "information_clear"): (83, 76),
    ("MDV", "mental_health"): (68, 56),
    ("MDV", "health_insurance"): (28, 30),
    ("MDV", "lost_job"): (26, 21),
    ("MDV", "income_job_down"): (54, 40),
    ("PHL", "information_clear"): (79, 57),
    ("PHL", "mental_health"): (68, 61),
    ("SLB", "physical_illness"): (22, 25),
    ("WSM", "violence_heard"): (22, 24),
    ("THA", "hours_decreased"): (36, 39),
}

COUNTRY_SPREAD, GAP_SPREAD = 8.0, 5.0  # points by which countries differ: in level, and in the gap

# points by which the second round differs from the first
CHANGE: dict[str, float] = {
    "lost_job": -7,
    "hours_decreased": -9,
    "home_now": -8,
    "domestic": -6,
    "domestic_3plus": -4,
    "care": -5,
    "care_3plus": -3,
    "mental_health": -4,
    "information_clear": 9,
    "doctor_longer": -6,
    "school_closed": -15,
}

INCOME_CHANGE = -8.0  # the same for the share whose income decreased

# log odds per 15 years of age, per step of schooling, and of living in a town
USUAL_SLOPES = (0.15, -0.2, 0.2)
SLOPES: dict[str, tuple[float, float, float]] = {
    "information_clear": (0.05, 0.3, 0.15),
    "information_none": (0.15, -0.3, -0.2),
    "internet": (-0.5, 0.6, 0.4),
    "formal_job": (0.0, 0.7, 0.4),
    "home_now": (-0.1, 0.7, 0.5),
    "health_insurance": (0.2, 0.4, 0.2),
    "unemployment_insurance": (0.0, 0.4, 0.3),
    "government_support": (0.2, -0.35, -0.2),
    "charity_support": (0.1, -0.35, -0.1),
    "physical_illness": (0.35, -0.2, 0.0),
    "knows_help": (-0.1, 0.35, 0.25),
    "discrimination_heard": (-0.15, 0.1, 0.25),
    "food_hardship": (0.05, -0.45, -0.2),
    "vaccinated_twice": (0.3, 0.35, 0.3),
    "vaccinated_once": (0.1, 0.2, 0.1),
}

# livelihood resources. Share of people for whom it is one: women, men; log odds of it of living in a town; share of users for whom
# it decreased, and for how many of the others it increased: women, men
SOURCES: dict[str, tuple[tuple[float, float], float, tuple[float, float], tuple[float, float]]] = {
    "farm": ((38, 46), -1.2, (56, 50), (11, 14)),
    "business": ((34, 46), 0.2, (66, 60), (8, 11)),
    "job": ((36, 58), 0.5, (54, 48), (7, 9)),
    "foodprod": ((44, 50), -1.0, (43, 40), (14, 15)),
    "property": ((26, 33), 0.4, (66, 54), (6, 8)),
    "pension": ((22, 21), 0.2, (21, 19), (9, 9)),
    "govt": ((31, 28), -0.2, (27, 25), (24, 22)),
    "remit": ((27, 23), -0.1, (52, 47), (8, 8)),
    "relatives": ((41, 35), 0.0, (49, 45), (13, 11)),
    "charity": ((17, 15), -0.1, (42, 39), (19, 18)),
}

# share who usually do each activity: women, men; and how readily it is the one that grew (teaching, while schools were closed)
DOES: dict[str, dict[str, tuple[float, float, float]]] = {
    "domestic": {
        "cooking": (92, 38, 0.4),
        "cleaning": (90, 42, 0.8),
        "managing": (72, 66, 0),
        "shopping": (58, 84, 0),
        "water": (55, 41, -0.4),
        "repairs": (34, 62, -0.6),
    },
    "care": {
        "minding": (74, 58, 0.4),
        "physical": (68, 34, 0),
        "teaching": (52, 44, 1.8),
        "adults": (47, 36, -0.4),
        "emotional": (71, 62, 0),
    },
}

# share who name each person as helping more: women, men (nobody is named where none of them is)
HELPERS = {"partner": (31, 49), "sons": (17, 20), "daughters": (28, 30), "relatives": (21, 19), "paid": (8, 7)}

# share who need each service, and share of those with some or major difficulty in reaching it: women, men
SERVICES: dict[str, tuple[float, tuple[float, float]]] = {
    "medsup": (75, (44, 41)),
    "food": (96, (38, 35)),
    "hygiene": (88, (41, 31)),
    "care": (72, (47, 43)),
    "srh": (46, (37, 27)),
    "transport": (81, (55, 51)),
    "water": (95, (24, 22)),
}

# a lot of difficulty or worse, share at the age of 40: doubles every 15 years
FUNCTIONING = {"seeing": 2.2, "hearing": 1.1, "walking": 2.4, "remembering": 1.4, "selfcare": 0.7, "communicating": 0.6}


def level(country: str, year: int, question: str, base: tuple[float, float] | None = None) -> tuple[float, float]:
    """Target share (0 to 1) of women and of men; ``base`` in per cent, by default that of ``LEVELS``."""
    if (country, question) in COUNTRY_LEVELS:
        women, men = COUNTRY_LEVELS[country, question]
    else:
        women, men = base or LEVELS[question]
        of_country = np.random.default_rng(zlib.crc32(f"{country} {question}".encode()))
        scale = min(women, men, 100 - max(women, men)) / 50  # small shares differ by less
        both, half_gap = of_country.uniform(-COUNTRY_SPREAD, COUNTRY_SPREAD), of_country.uniform(-GAP_SPREAD, GAP_SPREAD) / 2
        women, men = women + scale * (both + half_gap), men + scale * (both - half_gap)
    usual = INCOME_CHANGE if question.startswith("income_") and question.endswith("_down") else 0.0
    change = CHANGE.get(question, usual) if year >= 2021 else 0
    return (women + change) / 100, (men + change) / 100
