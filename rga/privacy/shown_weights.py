"""Weights that tell no more than the columns of a research file show.

Belongs here: margins of the columns as released, and weights fitted to them. Not here: replicates (``replicate_weights``), risk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.privacy.anonymise import Column
from rga.survey import calibrate

FEWEST = 30  # respondents: a total of fewer weights would tell what these weights were


@dataclass(frozen=True)
class Difference:
    """The share of ``answer`` among those who answered ``variable`` moves by ``points`` (percentage points)."""

    variable: str
    answer: str
    points: float


def shown_margins(columns: dict[str, Column], crossings: Iterable[str], k: int) -> pd.DataFrame:
    """The category of each respondent on each of ``crossings`` (`sex*age_group`), by the answers as released.

    Variables that are not released are left out of a crossing. No answer (given or suppressed) is a category like others;
    categories of fewer than ``FEWEST`` or ``k`` respondents are put together, with the next smallest if they are still too few.
    """
    found: dict[str, np.ndarray] = {}
    for variables in dict.fromkeys(tuple(n for n in c.split("*") if n in columns and columns[n].codes) for c in crossings):
        if not variables:
            continue
        shown = pd.DataFrame({name: columns[name].values.astype("object") for name in variables})
        place = shown.groupby(list(variables), dropna=False, sort=False).ngroup().to_numpy()
        sizes = np.bincount(place)
        order = np.argsort(sizes, kind="stable")
        few = int((sizes < max(FEWEST, k)).sum())
        while 0 < few < len(order) and sizes[order[:few]].sum() < max(FEWEST, k):
            few += 1
        place = np.where(np.isin(place, order[:few]), len(sizes), place)
        found["x".join(variables)] = np.char.add("c", place.astype(str))
    return pd.DataFrame(found)


def totals(margins: pd.DataFrame, weight: np.ndarray) -> dict[str, dict[str, float]]:
    """What ``weight`` adds up to in each category of ``margins``."""
    found: dict[str, dict[str, float]] = {}
    for name in margins:
        sums = pd.Series(weight).groupby(margins[name].to_numpy()).sum()
        found[str(name)] = {str(category): float(total) for category, total in sums.items()}
    return found


def shown_weights(weight: np.ndarray, columns: dict[str, Column], crossings: Sequence[str], k: int, survey: str) -> np.ndarray:
    """Weights from the released ``columns`` alone: equal ones, raked to what ``weight`` adds up to on ``crossings`` and on every
    variable with codes.

    So the shares of all respondents stay as published, while within those who look alike nothing is left of a weight that would
    tell a suppressed or coarsened answer. Where answers to opinions are too many to be met, only ``crossings`` are. Raises
    InputError where not even these can be met.
    """
    for also in (list(columns), []):
        margins = shown_margins(columns, [*crossings, *also], k)
        if margins.empty:
            break
        try:
            return calibrate(margins, np.full(len(weight), weight.mean()), totals(margins, weight), "raking").weights
        except InputError:
            continue
    raise InputError(Problem("is not released: no weights can be made of the released columns alone", "use fewer margins", survey))


def largest_difference(columns: dict[str, Column], published: np.ndarray, shown: np.ndarray) -> Difference:
    """Of all answers to variables with codes, the one whose share ``shown`` weights move most from ``published`` ones."""
    found = [Difference("", "", 0.0)]
    for name, column in columns.items():
        answered = column.values.notna().to_numpy()
        if not column.codes or not answered.any():
            continue
        answers = pd.get_dummies(column.values[answered].astype("object"))
        moved = pd.Series(
            100 * (np.average(answers, axis=0, weights=shown[answered]) - np.average(answers, axis=0, weights=published[answered])),
            answers.columns,
        ).abs()
        found.append(Difference(name, str(moved.idxmax()), float(moved.max())))
    return max(found, key=lambda difference: difference.points)
