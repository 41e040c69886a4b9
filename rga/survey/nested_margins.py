"""Margins that share a variable and do not agree on it: women by age and women by education add up to different numbers.

Belongs here: bringing them together where rounding explains it, and naming the conflict where it does not. Not here: margins and
respondents.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from rga.errors import Problem

TOTALS_TOLERANCE = 0.005  # relative difference of two margins' totals that rounding explains
EQUAL = 1e-12


def reconcile(
    margin: str, target: dict[str, float], earlier: Mapping[str, Mapping[str, float]]
) -> tuple[dict[str, float], list[str], list[Problem]]:
    """``target`` of ``margin`` (variables joined by `*`) with the totals of the ``earlier`` margins on the variables they share.

    Where such totals are up to 0.5 % apart the categories of ``margin`` are scaled to those of the earlier one, and a note says so;
    further apart they are a Problem. Without that, no weights could meet both.
    """
    notes, problems = [], []
    for other, theirs in earlier.items():
        shared = [variable for variable in margin.split("*") if variable in other.split("*")]
        for variables in [tuple(shared), *(c for size in range(len(shared) - 1, 0, -1) for c in combinations(shared, size))]:
            ours, yours = _sums(margin, target, variables), _sums(other, theirs, variables)
            if not variables or ours is None or yours is None or set(ours) != set(yours):
                continue
            apart = {level: ours[level] / yours[level] - 1 for level in yours if yours[level] > 0 and ours[level] > 0}
            worst = max(apart, key=lambda level: abs(apart[level]), default=None)
            if worst is None or abs(apart[worst]) <= EQUAL:
                break
            said = f"{worst} of {'*'.join(variables)} is {ours[worst]:,.0f} by margin {margin}, {yours[worst]:,.0f} by {other}"
            if abs(apart[worst]) > TOTALS_TOLERANCE:
                remedy = "take both from one source, or scale one to the other within their common categories"
                problems.append(Problem(f"margins contradict each other: {said}", remedy, variable=margin, code=worst))
                break
            notes.append(f"{said}: margin {margin} was scaled to the latter within {'*'.join(variables)}")
            target = {c: people / (1 + apart.get(_level(margin, c, variables), 0.0)) for c, people in target.items()}
            break
    return target, notes, problems


def _level(margin: str, category: str, variables: tuple[str, ...]) -> str:
    parts = dict(zip(margin.split("*"), category.split("*"), strict=True))
    return "*".join(parts[name] for name in variables)


def _sums(margin: str, target: Mapping[str, float], variables: tuple[str, ...]) -> dict[str, float] | None:
    """Totals by category of ``variables``; None where a category has other parts than the margin's name."""
    if any(len(category.split("*")) != len(margin.split("*")) for category in target):
        return None
    sums: dict[str, float] = {}
    for category, people in target.items():
        level = _level(margin, category, variables)
        sums[level] = sums.get(level, 0.0) + people
    return sums
