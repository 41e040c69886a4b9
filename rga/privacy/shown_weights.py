"""Weights that tell no more than the columns of a research file show.

Belongs here: margins of the columns as released, and weights fitted to them. Not here: replicates (``replicate_weights``), risk.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.privacy.anonymise import Column
from rga.privacy.headlines import GROUPS, Answers
from rga.privacy.soft_calibration import calibrated_softly

NEAR, LESS_NEAR = 0.05, 0.1  # standard errors: how near a figure is sought, and one that is rounded to protect an answer
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
    size = max((len(column.values) for column in columns.values()), default=0)
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
    return pd.DataFrame(found, index=range(size))


def dummies(margins: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Respondents x categories of all ``margins``, 0 or 1; and how many respondents each category has."""
    parts = [pd.get_dummies(margins[name], dtype=np.float64).to_numpy() for name in margins]
    made = np.hstack(parts) if parts else np.zeros((len(margins), 0))
    return made, made.sum(axis=0)


def shown_weights(
    weight: np.ndarray,
    columns: dict[str, Column],
    crossings: Mapping[str, np.ndarray | None],
    k: int,
    given: Answers,
    figures: pd.DataFrame,
) -> np.ndarray:
    """Weights from the released ``columns`` and published ``figures`` alone: equal ones, raked softly to the figures and to what
    ``weight`` adds up to on ``crossings`` (of one variable or several).

    Within those who look alike nothing is left of a weight that would tell a suppressed or coarsened answer. ``crossings`` has,
    where sums by the category of a crossing are published, the published mean weight of each respondent's category: these take the
    place of ``weight``, as a published sum less the file's would be the weight of who lost the answer. Other sums are rounded to
    the largest weight. All weights add up to what ``weight`` does.
    """
    mean, largest = weight.mean(), weight.max()
    parts: list[np.ndarray] = []
    sums: list[np.ndarray] = []
    tolerance: list[np.ndarray] = []
    for crossing, public in crossings.items():
        in_category, sizes = dummies(shown_margins(columns, [crossing], k))
        step = 0.0 if public is not None else largest
        added = in_category.T @ (weight if public is None else public)
        parts.append(in_category)
        sums.append((np.round(added / step) * step if step else added) / mean)
        tolerance.append(np.hypot(NEAR * np.sqrt(sizes), step / mean / np.sqrt(12)))
    of_figures, near = figure_columns(given, figures)
    targets = np.concatenate([*sums, np.zeros(len(near))])
    made = calibrated_softly(np.ones(len(weight)), np.hstack([*parts, of_figures]), targets, np.concatenate([*tolerance, near]))
    return made * weight.sum() / made.sum()


def figure_columns(given: Answers, figures: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """A column per share of ``figures`` (of ``headlines.published``) that the file gives, which weights make 0 in sum where they
    give that share; and tolerances: ``NEAR`` standard errors, and of a share that is rounded the error of rounding."""
    place = {code: k for k, code in enumerate(given.indicators)}
    shares = figures[figures["of"].isin(GROUPS) & figures["indicator"].isin(place)]
    at = shares["indicator"].map(place).to_numpy(dtype=np.int64)
    within = np.column_stack([given.group[of] for of in shares["of"]]) if len(shares) else np.zeros((len(given.known), 0))
    columns = within * (given.yes[:, at] - given.known[:, at] * shares["value"].to_numpy())
    base = (within * given.known[:, at]).sum(axis=0)
    return columns, base * shares["se"].to_numpy() * np.where(shares["step"] > 0, LESS_NEAR, NEAR)


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
