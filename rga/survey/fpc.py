"""Finite populations: from the size that a file gives to the fraction that was sampled.

Belongs here: what an fpc may be. Not here: the variance that it makes smaller (``multistage``, ``variance``).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from rga.errors import InputError, Problem
from rga.survey.grouping import group


class Sizes:
    """The smallest and largest fpc of each stratum of each survey, taken in batch by batch; a missing one is infinite."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, int], tuple[float, float]] = {}

    def add(self, survey: np.ndarray, stratum: np.ndarray, fpc: np.ndarray) -> None:
        """Respondents' numbers of survey and stratum, and their fpc."""
        code, row = group([survey, stratum])
        least, most = extremes(code, len(row), fpc)
        for key, low, high in zip(zip(survey[row], stratum[row], strict=True), least, most, strict=True):
            before = self._found.get(key, (low, high))
            self._found[key] = min(before[0], low), max(before[1], high)

    def of(self, strata: np.ndarray, survey: np.ndarray, stratum: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Smallest and largest of ``strata`` (survey, stratum), by the numbers that ``survey`` and ``stratum`` give those added."""
        least = dict.fromkeys(map(tuple, strata.tolist()), np.inf)
        most = dict.fromkeys(least, -np.inf)
        for (s, h), (low, high) in self._found.items():
            key = int(survey[s]), int(stratum[h])
            least[key], most[key] = min(least[key], low), max(most[key], high)
        return np.array(list(least.values())), np.array(list(most.values()))


def extremes(code: np.ndarray, size: int, fpc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest fpc on the rows of each ``code``, 0..size-1; a missing one is infinite."""
    known = np.where(np.isnan(fpc), np.inf, fpc)
    least, most = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(least, code, known)
    np.maximum.at(most, code, known)
    return least, most


def fractions(
    sampled: np.ndarray, least: np.ndarray, most: np.ndarray, variable: str, label: Callable[[int], str], group: str = "stratum"
) -> np.ndarray:
    """The share of each group's units that is in the sample: 0, with replacement, where the fpc is infinite.

    ``sampled`` units of each group (PSUs of a stratum, or second-stage units of a PSU: ``group``) are in the sample; ``least`` and
    ``most`` are the smallest and largest fpc on its rows, a number of units or, up to 1, the fraction itself. Raises InputError
    naming (``label``, of its place) every group where it varies, is not positive, or is less than ``sampled``.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        fraction = np.where(least <= 1, least, sampled / least)
    remedy = "give the number of units in the population, or the fraction sampled, the same on every row"
    wrong = {
        f"varies within one {group}": most != least,
        "is not a positive number": least <= 0,
        "is less than the number of units sampled": fraction > 1 + 1e-12,
    }
    problems = [
        Problem(f"the fpc {what}", remedy, variable=variable, code=label(place))
        for what, at in wrong.items()
        for place in np.flatnonzero(at).tolist()
    ]
    if problems:
        raise InputError(problems)
    return np.minimum(fraction, 1.0)
