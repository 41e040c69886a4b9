"""Weights of single respondents, seen as differences.

Belongs here: two indicators whose bases in a cell differ by one respondent differ in `population` by that respondent's weight. Not
here: whose weight it is (``model``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

SAME = 1e-9  # of the largest weight: differences this close are one


def differences(survey: pd.DataFrame, dimension: str, sex: str, lightest: float, heaviest: float) -> dict[str, np.ndarray]:
    """By category of ``dimension``, candidates for weights of respondents of ``sex`` in it, ascending: differences of population
    between bases that differ by one respondent, in any breakdown by the dimension. Most are weights; some are of bases that differ
    by more than one respondent, some of whom are in the one and some in the other."""
    found: dict[str, list[np.ndarray]] = {}
    for breakdown, rows in survey[survey["sex"] == sex].groupby("breakdown"):
        dimensions = [name for name in str(breakdown).split("*") if name != "sex"]
        if dimension in dimensions:
            for key, cell in rows.groupby(dimensions):
                category = str(dict(zip(dimensions, key, strict=True))[dimension])
                found.setdefault(category, []).append(_of_cell(cell, lightest, heaviest))
    return {category: _distinct(np.concatenate(several), heaviest) for category, several in found.items()}


def _of_cell(cell: pd.DataFrame, lightest: float, heaviest: float) -> np.ndarray:
    n, population = cell["n"].to_numpy(), cell["population"].to_numpy(np.float64)
    _, first = np.unique(np.column_stack([n, np.round(population / heaviest, 9)]), axis=0, return_index=True)
    n, population = n[first], population[first]
    found = (population[:, None] - population[None, :])[n[:, None] - n[None, :] == 1]
    return found[(found >= lightest * (1 - SAME)) & (found <= heaviest * (1 + SAME))]


def _distinct(values: np.ndarray, heaviest: float) -> np.ndarray:
    values = np.sort(values)
    if not len(values):
        return values
    groups = np.split(values, np.flatnonzero(np.diff(values) > SAME * heaviest) + 1)
    return np.array([np.median(group) for group in groups])
