"""How people answer: shares of women and of men in each simulated population.

Belongs here: target levels, in per cent of the question's own base. Not here: who the people are (``population``).
Figures printed in reports are used where there are some (shared facts, published figures); the others lie in the ranges seen.
"""

from __future__ import annotations

# share who say yes (or clear, decreased, increased ...): women, men
LEVELS: dict[str, tuple[float, float]] = {
    "information": (52, 55),
    "lost_job": (24, 17),
    "hours_decreased": (38, 34),
    "income_farm": (56, 50),
    "income_business": (66, 62),
    "income_job": (54, 48),
    "income_property": (66, 54),
    "income_remittances": (52, 47),
    "income_relatives": (49, 45),
    "government_support": (14, 17),
    "health_insurance": (9, 11),
    "domestic": (63, 55),
    "domestic_3plus": (27, 14),
    "care": (70, 62),
    "care_3plus": (31, 20),
    "mental_health": (64, 58),
    "physical_illness": (27, 23),
    "doctor_wait": (60, 53),
    "violence_heard": (31, 25),
    "knows_help": (41, 47),
    "food_hardship": (34, 29),
    "vaccinated_twice": (22, 28),
    "vaccinated_once": (20, 19),
}

# where a country differs: published levels, or gaps that are reversed
COUNTRY_LEVELS: dict[tuple[str, str], tuple[float, float]] = {
    ("BGD", "mental_health"): (62, 66),
    ("BGD", "information"): (42, 47),
    ("PAK", "information"): (39, 46),
    ("PAK", "domestic"): (60, 47),
    ("PAK", "domestic_3plus"): (24, 10),
    ("PAK", "knows_help"): (29, 40),
}

# points by which the second round differs from the first
CHANGE: dict[str, float] = {
    "lost_job": -7,
    "hours_decreased": -9,
    "domestic": -6,
    "domestic_3plus": -4,
    "care": -5,
    "care_3plus": -3,
    "mental_health": -4,
    "information": 9,
}

# share of people for whom each livelihood resource is one: women, men
SOURCES = {
    "farm": (34, 44), "business": (30, 48), "job": (28, 58), "property": (22, 31), "remittances": (21, 18), "relatives": (38, 33),
}  # fmt: skip
# share who usually do each activity: women, men; and how readily it is the one that grew (teaching, while schools were closed)
DOES: dict[str, dict[str, tuple[float, float, float]]] = {
    "domestic": {
        "cooking": (92, 38, 0.4),
        "cleaning": (90, 42, 0.8),
        "managing": (72, 66, 0),
        "shopping": (58, 84, 0),
        "water": (55, 41, -0.4),
    },
    "care": {
        "minding": (74, 58, 0.4),
        "physical": (68, 34, 0),
        "teaching": (52, 44, 1.8),
        "adults": (47, 36, -0.4),
        "emotional": (71, 62, 0),
    },
}


def level(country: str, year: int, question: str) -> tuple[float, float]:
    """Target share (0 to 1) of women and of men."""
    women, men = COUNTRY_LEVELS.get((country, question), LEVELS[question])
    change = CHANGE.get(question, 0) if year >= 2021 else 0
    return (women + change) / 100, (men + change) / 100
