"""Base weights: one over the chance of being asked, as far as the sample says.

Belongs here: weights that follow from how people were chosen. Not here: who answered (``nonresponse``), benchmarks
(``calibration``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem


@dataclass(frozen=True)
class Adjusted:
    """Weights after a step (one per row, NaN where there was none) and what there is to report, in words."""

    weights: np.ndarray
    notes: list[str]


def selection(weights: np.ndarray, category: pd.Series, population: Mapping[str, float], invited: Mapping[str, float]) -> Adjusted:
    """``weights`` times people over invitations of each one's ``category``, such as the mobile operator.

    N_h / n_h is one over the chance of selection under equal chances within h (Horvitz and Thompson 1952; Valliant, Dever and
    Kreuter 2018, chapter 13). Raises InputError for rows without a category or with one that is not in ``population`` and
    ``invited``. A category of the population from which nobody is in the file is reported: its people are represented by none.
    """
    problems = []
    if rows := int(category.isna().sum()):
        remedy = "complete the column, or map its empty answers with `blank:`"
        problems.append(Problem("rows without a category to take invitations of", remedy, variable=str(category.name), rows=rows))
    counts = category.value_counts()
    known = f"it has {', '.join(population)}"
    for code in sorted(set(map(str, counts.index)) - (set(population) & set(invited))):
        what = "has no `population` and `invited` in step `selection`"
        problems.append(Problem(what, f"add it; {known}", variable=str(category.name), code=code, rows=int(counts[code])))
    if problems:
        raise InputError(problems)
    rates = {code: population[code] / invited[code] for code in population}
    notes = [
        f"nobody of {category.name} {code}, {people:,.0f} people, is in the file: the others speak for them"
        for code, people in population.items()
        if code not in counts.index
    ]
    if few := sorted(code for code in counts.index if counts[code] > invited[code]):
        notes.append(f"more rows than invitations of {category.name} {', '.join(few)}")
    return Adjusted(weights * category.map(rates).to_numpy(dtype=np.float64), notes)


def multiplicity(
    weights: np.ndarray, divide: pd.Series | None = None, multiply: pd.Series | None = None, cap: float | None = None
) -> Adjusted:
    """``weights`` divided by the count ``divide`` (phones by which a person can be reached) and times ``multiply`` (adults of whom
    one was asked).

    A person with k phones has k chances (Sirken 1970), one of m adults 1/m of the household's (Kish 1949). Counts above ``cap``
    are taken as ``cap``: a few people with many phones or adults would otherwise rule the variance. Who did not
    say one count gets the weighted mean factor of those who did, and so keeps their share of the weight, times the factor of the
    other. Raises InputError for counts below 1, and where nobody said.
    """
    factor, notes, problems = np.ones(len(weights)), [], []
    silent = np.ones(len(weights), dtype=bool)
    for counts, power in ((divide, -1.0), (multiply, 1.0)):
        if counts is None:
            continue
        values = counts.to_numpy(dtype=np.float64, na_value=np.nan)
        if rows := int(np.sum(values < 1)):
            what, remedy = "counts below 1: whoever was reached has at least one", "declare such codes under `missing:`"
            problems.append(Problem(what, remedy, variable=str(counts.name), rows=rows))
            continue
        if cap is not None and (rows := int(np.sum(values > cap))):
            notes.append(f"{rows:,} with more than {cap:g} {counts.name} taken as {cap:g}")
            values = np.minimum(values, cap)
        part, unknown = values**power, np.isnan(values)
        said = ~unknown & (weights > 0)
        if not said.any():
            what, remedy = "nobody has a count", "check the column and `missing:`"
            problems.append(Problem(what, remedy, variable=str(counts.name), rows=len(weights)))
            continue
        if rows := int(unknown.sum()):
            part[unknown] = np.average(part[said], weights=weights[said])
            notes.append(f"{rows:,} without {counts.name} got the mean factor {part[unknown][0]:.3f}")
        factor, silent = factor * part, silent & unknown
    if problems:
        raise InputError(problems)
    if (told := ~silent & (weights > 0)).any():  # who gave neither count: the mean of both together, as the two may go together
        factor[silent] = np.average(factor[told], weights=weights[told])
    return Adjusted(weights * factor, notes)
