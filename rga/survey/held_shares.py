"""What calibration holds at the sample's own shares: the respondents whose category of a margin is missing.

Belongs here: how these shares vary, and what calibrated totals owe to them. Not here: holding them (``fitted_margins``), variances.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rga.survey.design import MISSING


@dataclass(frozen=True)
class HeldShares:
    """The shares s = sum d m / sum d k of missing categories, d being the weights before calibration, m whether a respondent is
    in the category, and k whether within the part of the margin that it belongs to (everybody for `_U`, F for `F*_U`).

    ``influence`` is (m - s k) / sum d k of each category, categories x shares: the sum of d times it has the error of s.
    ``slope`` is what the calibrated totals of the categories change by with s, shares x categories.
    """

    influence: np.ndarray
    slope: np.ndarray


def is_missing(category: str) -> bool:
    """`_U`, or a crossing that ends with it."""
    return category == MISSING or category.endswith(f"*{MISSING}")


def part_of(category: str) -> str:
    """What all categories begin with that a missing one is held within: `` of `_U`, `F*` of `F*_U`."""
    return category.removesuffix(MISSING)


def held_shares(categories: Sequence[str], base: np.ndarray, weight: np.ndarray) -> HeldShares:
    """Those of one margin: sums of weights before (``base``) and after calibration (``weight``) by category.

    With T_c the benchmark of a category known within the part, the margin is met at T_c (1 - s), and the missing one at s times
    the part's total N: the derivatives are -T_c = -(sum w) / (1 - s), and N. A share of everybody, or of nobody, does not vary.
    """
    influence, slope = [], []
    for number, category in enumerate(categories):
        if not is_missing(category):
            continue
        within = np.array([other.startswith(part_of(category)) for other in categories])
        people = float(base[within].sum())
        share = base[number] / people if people > 0 else 0.0
        if not 0 < share < 1 - 1e-12:
            continue
        own = np.arange(len(categories)) == number
        influence.append((own - share * within) / people)
        slope.append(np.where(own, weight[within].sum(), np.where(within, -weight / (1 - share), 0.0)))
    empty = np.zeros((0, len(categories)))
    return HeldShares(np.array(influence).reshape(-1, len(categories)).T, np.array(slope) if slope else empty)


def of_margins(codes: np.ndarray, categories: Sequence[np.ndarray], base: np.ndarray, weight: np.ndarray) -> HeldShares:
    """Those of all margins. ``codes`` (cells, or respondents, x margins) say which of ``categories``, a margin's names of codes 0,
    1, ..., each is in; ``base`` and ``weight`` are theirs.

    ``influence`` is of cells x shares, ``slope`` of shares x columns, a column for each of every margin's categories.
    """
    found = [
        held_shares(list(names), *(np.bincount(code, of, len(names)) for of in (base, weight)))
        for code, names in zip(codes.T, categories, strict=True)
    ]
    influence = [of_margin.influence[code] for of_margin, code in zip(found, codes.T, strict=True)]
    width, before, slopes = sum(map(len, categories)), 0, []
    for of_margin, names in zip(found, categories, strict=True):
        slope = np.zeros((len(of_margin.slope), width))
        slope[:, before : before + len(names)] = of_margin.slope
        slopes.append(slope)
        before += len(names)
    return HeldShares(np.hstack([np.zeros((len(codes), 0)), *influence]), np.vstack([np.zeros((0, width)), *slopes]))
