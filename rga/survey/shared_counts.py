"""Indicators of which one's count is another's, or the sum of two others': what one table hides, another then gives away.

Belongs here: finding them in the counts themselves, so that nobody has to declare them. Not here: sums between the cells of one
indicator (``margins``), what is hidden (``disclosure``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

CERTAIN = 5  # cells with somebody in them; fewer may agree by chance


def shared_counts(frame: pd.DataFrame, group: np.ndarray, dimensions: Sequence[str]) -> list[tuple[int, tuple[int, ...]]]:
    """Each ``group`` (numbers, a survey's indicator each) whose count is, in every cell, that of one other, or the sum of two.

    ``frame`` has survey_id, breakdown, ``dimensions`` and numerator_n. A group's counts are multiplied by a random number for each
    cell and added up: two groups have the same sum only where they have the same counts, but for a chance of 2^-31.
    """
    if not frame["numerator_n"].any():  # an attacker, who knows shares only
        return []
    cell = frame.groupby(["survey_id", "breakdown", *dimensions], sort=False).ngroup().to_numpy()
    count = frame["numerator_n"].to_numpy(np.float64).astype(np.int64)
    random = np.random.default_rng(0).integers(1, 2**31, int(cell.max(initial=0)) + 1)
    mark = np.zeros(int(group.max(initial=-1)) + 1, dtype=np.int64)
    np.add.at(mark, group, count * random[cell])
    cells = np.bincount(group, count > 0, len(mark))
    survey = np.zeros(len(mark), dtype=np.int64)
    survey[group] = pd.factorize(frame["survey_id"])[0]
    found: list[tuple[int, tuple[int, ...]]] = []
    for number in range(int(survey.max(initial=-1)) + 1):
        found += _equal_or_added(np.flatnonzero((survey == number) & (cells >= CERTAIN)), mark)
    return found


def _equal_or_added(groups: np.ndarray, mark: np.ndarray) -> Iterator[tuple[int, tuple[int, ...]]]:
    with_mark: dict[int, list[int]] = defaultdict(list)
    for one in groups.tolist():
        with_mark[int(mark[one])].append(one)
    for first, *others in with_mark.values():
        yield from ((first, (other,)) for other in others)
    for one, other in combinations((same[0] for same in with_mark.values()), 2):
        if together := with_mark.get(int(mark[one]) + int(mark[other])):
            yield together[0], (one, other)


def families(links: list[tuple[int, tuple[int, ...]]], groups: int) -> np.ndarray:
    """By group, the number of the family that ``links`` make of it and others."""
    family = np.arange(groups)
    for one, others in links:
        for other in others:
            family[family == family[other]] = family[one]
    return family
