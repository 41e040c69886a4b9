"""What is estimated and under which design: shares as SQL, the rule for lonely PSUs, the codes of totals and gaps in
answers.

Belongs here: small types and names that every other module of the room shares. Not here: arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

LonelyPsu = Literal["adjust", "fail", "remove", "average", "certainty"]

# SDMX codes of a dimension: not broken down, not known, other.
TOTAL = "_T"
MISSING = "_U"
OTHER = "_O"

SEX = "sex"
WOMEN = "F"
MEN = "M"


@dataclass(frozen=True)
class Share:
    """The share of those with ``numerator`` true among those with ``universe`` true who answered.

    Both are SQL boolean expressions over the columns of the respondents' table, under three-valued logic: where either
    is NULL the respondent is not in the base. An empty ``universe`` is everybody.
    """

    code: str
    universe: str
    numerator: str


def lonely_psu_of(survey_id: str, rule: Mapping[str, LonelyPsu] | LonelyPsu) -> LonelyPsu:
    """The rule for one survey: ``rule`` itself, or its entry for the survey (``adjust`` where it has none)."""
    chosen = rule if isinstance(rule, str) else rule.get(survey_id, "adjust")
    if chosen not in get_args(LonelyPsu):
        raise ValueError(f"lonely_psu of {survey_id} is {chosen!r}, not one of {', '.join(get_args(LonelyPsu))}")
    return chosen


def breakdown_name(breakdown: tuple[str, ...]) -> str:
    """``total`` for no dimension, otherwise the dimensions joined by ``*``."""
    return "*".join(breakdown) or "total"
