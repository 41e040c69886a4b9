"""Which numbers a hidden numerator may be at all, as who knows the rules knows.

Belongs here: the values that rules and statuses leave before any sums. Not here: what sums leave of them (``limits``,
``numerators``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLACK = 1e-6  # of a respondent
FEW = 4  # values that must be left: `possible_values` of publication_rules.yaml
SMALL = 4  # respondents: `small_count`


@dataclass(frozen=True)
class Possible:
    """By cell: one of ``first`` to ``last``, or of n - last to n - first. ``wanted``: how many of them must be left; 0 where there
    is nothing to keep secret."""

    n: np.ndarray
    first: np.ndarray
    last: np.ndarray
    wanted: np.ndarray

    @classmethod
    def unknown(cls, n: np.ndarray, hidden: np.ndarray) -> Possible:
        """All numbers, to who cannot tell which of the ``hidden`` are secret."""
        return cls(n, np.zeros(len(n)), n.astype(np.float64), np.where(hidden, np.minimum(FEW, n + 1), 0))

    @classmethod
    def told(cls, n: np.ndarray, hidden: np.ndarray, secret: np.ndarray, confidential: np.ndarray) -> Possible:
        """To who is told which of the ``hidden`` are ``secret``: the others have ``SMALL`` + 1 or more, and as many have not.
        ``confidential``: by status, of which 0 and n are not hidden."""
        whole = ~hidden | (n <= 3 * SMALL)
        first = np.where(whole, 0, np.where(secret, np.where(confidential, 1, 0), SMALL + 1))
        last = np.where(whole, n, np.where(secret, SMALL, n - SMALL - 1))
        return cls(n, first.astype(np.float64), last.astype(np.float64), np.where(hidden & secret, np.minimum(FEW, n + 1), 0))

    def left(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """How many of the values are in ``low``..``high``."""
        low, high = np.ceil(low - SLACK), np.floor(high + SLACK)

        def length(first: np.ndarray, last: np.ndarray) -> np.ndarray:
            return np.maximum(np.minimum(high, last) - np.maximum(low, first) + 1, 0)

        return (
            length(self.first, self.last)
            + length(self.n - self.last, self.n - self.first)
            - length(np.maximum(self.first, self.n - self.last), np.minimum(self.last, self.n - self.first))
        )

    def within(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest of the values in ``low``..``high``; these themselves where there is none."""
        low, high = np.ceil(low - SLACK), np.floor(high + SLACK)
        lowest = np.where(low > self.last, np.maximum(low, self.n - self.last), np.maximum(low, self.first))
        highest = np.where(high < self.n - self.last, np.minimum(high, self.last), np.minimum(high, self.n - self.first))
        some = lowest <= highest
        return np.where(some, lowest, low), np.where(some, highest, high)

    def holds(self, cell: int, value: int) -> bool:
        """Whether ``value`` is one of the values of ``cell``."""
        first, last, n = self.first[cell], self.last[cell], self.n[cell]
        return bool(first <= value <= last or n - last <= value <= n - first)
