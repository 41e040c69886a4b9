"""What sums leave of each cell's number, by limits alone.

Belongs here: sums between cells of weights and of counts, and what the one says of the other. Not here: the sums that whole numbers
of respondents can have (``numerators``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rga.survey.margins import Cells, narrowed
from rga.warehouse.attack.bases import Bases
from rga.warehouse.attack.possible import Possible

ROUNDS = 8
MOVED = 1e-6  # respondents' worth


@dataclass(frozen=True)
class Known:
    """By cell, limits of what those who have the characteristic weigh (``low``, ``high``, in mean weights) and of their number."""

    low: np.ndarray
    high: np.ndarray
    fewest: np.ndarray
    most: np.ndarray


def between(cells: Cells, known: Known, bases: Bases, possible: Possible, error: np.ndarray) -> Known:
    """All that sums say of ``known`` limits, each weight being known within ``error``: of weights, hence of counts, whose sums are
    whole numbers, hence of weights again, until nothing moves."""
    low, high, fewest, most = known.low, known.high, known.fewest, known.most
    for _ in range(ROUNDS):
        least, greatest = _apart(*narrowed(cells, low, high), low, high, error)
        few, many = bases.counts(least - error, greatest + error)
        few, many = possible.within(np.maximum(few, fewest), np.minimum(many, most))
        few, many = _apart(*narrowed(cells, few, many), few, many, np.zeros(len(few)))
        few, many = possible.within(few, many)
        light, heavy = bases.weights(few, many)
        least, greatest = _apart(np.maximum(least, light - error), np.minimum(greatest, heavy + error), least, greatest, error)
        moved = max(np.abs(few - fewest).max(initial=0), np.abs(many - most).max(initial=0))
        moved = max(moved, np.abs(least - low).max(initial=0), np.abs(greatest - high).max(initial=0))
        low, high, fewest, most = least, greatest, few, many
        if moved < MOVED:
            break
    return Known(low, high, fewest, most)


def _apart(
    low: np.ndarray, high: np.ndarray, before_low: np.ndarray, before_high: np.ndarray, error: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Limits, as they were ``before`` where they contradict each other by more than roundings: what was assumed was wrong."""
    wrong = low > high + error + 1e-9
    return np.where(wrong, before_low, np.minimum(low, high)), np.where(wrong, before_high, np.maximum(low, high))
