"""Which numbers a hidden numerator may be at all, as who knows the rules knows.

Belongs here: the values that rules and statuses leave, and what follows from a cell being no secret. Not here: what sums leave of
them (``limits``, ``numerators``); the rules (``rga.survey.secrets``), which the attacker reads in docs/publication-rules.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SLACK = 1e-6  # of a respondent
FEW = 4  # values that must be left of a secret: `possible_values` of publication_rules.yaml
SMALL = 4  # respondents: `small_count`


@dataclass(frozen=True)
class Possible:
    """By cell of ``n`` respondents: ``small``, known to be 1 to 4, or n less that; ``large``, known to be 0, n, or 5 to n - 5;
    ``target``, of which a finding is one: hidden cells that are secrets, as far as is known."""

    n: np.ndarray
    small: np.ndarray
    large: np.ndarray
    target: np.ndarray
    sure: bool  # which hidden cells are secrets is known to whoever judges the attack

    @classmethod
    def unknown(cls, n: np.ndarray, hidden: np.ndarray) -> Possible:
        """All numbers, to who cannot tell which of the ``hidden`` are secrets."""
        nothing = np.zeros(len(n), dtype=bool)
        return cls(n, nothing, nothing, hidden, False)

    @classmethod
    def told(cls, n: np.ndarray, hidden: np.ndarray, secret: np.ndarray, labelled: np.ndarray, knows: bool) -> Possible:
        """Where it is known which of the ``hidden`` are ``secret``, and which are ``labelled`` as secret: hidden by confidentiality
        alone. The attacker ``knows`` which are secret, or concludes only from a cell being narrowed too far that it is none."""
        return cls(n, hidden & labelled & (n > 2 * SMALL), hidden & ~secret & knows, hidden & secret, True)

    @property
    def wanted(self) -> np.ndarray:
        """How many values must be left."""
        found: np.ndarray = np.where(self.target, np.minimum(FEW, self.n + 1), 0)
        return found

    def left(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """How many of the values are in ``low``..``high``."""
        low, high = np.ceil(low - SLACK), np.floor(high + SLACK)

        def length(first: np.ndarray | float, last: np.ndarray | float) -> np.ndarray:
            found: np.ndarray = np.maximum(np.minimum(high, last) - np.maximum(low, first) + 1, 0)
            return found

        few = length(1, SMALL) + length(self.n - SMALL, self.n - 1)
        many = length(0, 0) + length(SMALL + 1, self.n - SMALL - 1) + length(self.n, self.n)
        return np.where(self.small, few, np.where(self.large, many, length(0, self.n)))

    def within(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lowest and the highest of the values in ``low``..``high``; these themselves where there is none."""
        low, high, n = np.ceil(low - SLACK), np.floor(high + SLACK), self.n
        lowest, highest = np.maximum(low, 0), np.minimum(high, n)
        few = np.where(low > SMALL, np.maximum(low, n - SMALL), np.maximum(low, 1))
        few_high = np.where(high < n - SMALL, np.minimum(high, SMALL), np.minimum(high, n - 1))
        many = np.where(low <= 0, 0, np.where(low > n - SMALL - 1, n, np.maximum(low, SMALL + 1)))
        many_high = np.where(high >= n, n, np.where(high < SMALL + 1, 0, np.minimum(high, n - SMALL - 1)))
        large = self.large | (
            self.sure & ~self.target & (n > 0) & (highest - lowest + 1 < np.minimum(FEW, n + 1)) & (lowest < highest)
        )
        lowest = np.where(self.small, few, np.where(large, many, lowest))
        highest = np.where(self.small, few_high, np.where(large, many_high, highest))
        some = lowest <= highest
        return np.where(some, lowest, low), np.where(some, highest, high)

    def may_be(self, cell: int, count: np.ndarray) -> np.ndarray:
        """Which of the numbers ``count`` the ``cell`` may have."""
        n = self.n[cell]
        least = np.minimum(count, n - count)
        if self.small[cell]:
            return (least >= 1) & (least <= SMALL)
        if self.large[cell]:
            return (least == 0) | (least > SMALL)
        return (count >= 0) & (count <= n)
