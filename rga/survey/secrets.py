"""Which hidden counts are secrets, and how many values a reader who knows the rules holds possible.

Belongs here: the promise, in numbers. Not here: what is hidden or rounded to keep it (``disclosure``), sums between cells
(``margins``).

A hidden count k of n respondents is a secret where k or n - k is 1 to 4, and where n is so small that the rules would give it
away: of other hidden cells k and n - k are 0 or at least 5, which leaves fewer than four values of n up to 12. What is no secret
costs its neighbours nothing. The reader knows these rules. A secret has at least four possible values in what the sums between
cells leave (all that its n allows, where these are fewer); so a hidden cell of which they leave fewer is none, and k and n - k
are 0 or at least 5. Of a cell that only confidentiality hides he takes k or n - k to be 1 to 4."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from rga.survey.margins import SLACK


class SecrecyThresholds(Protocol):
    """Of `publication_rules.yaml`, in respondents and values."""

    @property
    def small_count(self) -> int: ...
    @property
    def possible_values(self) -> int: ...


@dataclass(frozen=True)
class Values:
    """Arrays by cell. ``n`` respondents; whether their count is a ``secret``, if hidden, and whether it is ``labelled`` as such:
    hidden by confidentiality alone; how many values a secret must have (``wanted``), and what is ``small``; ``least``, which
    counts of other hidden cells are at least, if not 0: a respondent more than that."""

    n: np.ndarray
    secret: np.ndarray
    labelled: np.ndarray
    wanted: np.ndarray
    least: np.ndarray
    small: int

    def part(self, chosen: np.ndarray) -> Values:
        """Those of the cells ``chosen`` (their numbers)."""
        by_cell = {name: array[chosen] for name, array in vars(self).items() if name != "small"}
        return replace(self, **by_cell)

    def reaching(self, worth: np.ndarray) -> Values:
        """For weighted sums, in which few respondents can weigh as much as many: ``worth`` is what those who have the
        characteristic weigh, in respondents' worth."""
        return replace(self, least=np.minimum(self.least, np.maximum(np.minimum(worth, self.n - worth), 0)))

    def left(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """How many counts lie in ``low``..``high`` (respondents, not always whole) and can be a hidden cell's."""
        low, high = np.maximum(np.ceil(low - SLACK), 0), np.minimum(np.floor(high + SLACK), self.n)
        few = _length(np.maximum(low, 1), np.minimum(high, self.small))
        many = _length(np.maximum(low, self.n - self.small), np.minimum(high, self.n - 1))
        return np.where(self.labelled, few + many, _length(low, high))

    def too_few(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Secrets of which ``low``..``high`` leave fewer values than are wanted."""
        return self.secret & (self.left(low, high) < self.wanted)

    def concluded(self, low: np.ndarray, high: np.ndarray, hidden: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Limits of ``hidden`` counts that a reader has from them being so narrow that they are no secrets."""
        found = hidden & ~self.secret & (self.left(low, high) < self.wanted)
        low, high = np.where(found, np.clip(low, 0, self.n), low), np.where(found, np.clip(high, 0, self.n), high)
        nobody, everybody = low <= SLACK, high >= self.n - SLACK
        lowest = np.where(nobody, low, np.maximum(low, self.least))
        highest = np.where(everybody, high, np.minimum(high, self.n - self.least))
        highest = np.where(nobody & (high < self.least - SLACK), 0.0, highest)
        lowest = np.where(everybody & (low > self.n - self.least + SLACK), self.n, lowest)
        found &= lowest <= highest + SLACK
        return np.where(found, lowest, low), np.where(found, highest, high)


def small_counts(count: np.ndarray, n: np.ndarray, small: int) -> np.ndarray:
    """Whether 1 to ``small`` respondents have the characteristic, or do not have it."""
    return ((count >= 1) & (count <= small)) | ((n - count >= 1) & (n - count <= small))


def values_of(
    count: np.ndarray,
    n: np.ndarray,
    withheld: np.ndarray,
    published: np.ndarray,
    rules: SecrecyThresholds,
    told: np.ndarray | bool = False,
) -> Values:
    """What is promised of each ``count`` of ``n``, and known of it, where it is hidden. ``withheld`` are those that the rules on
    precision hide; of cells that are not ``published`` nothing is promised. ``told``: secrets as the rule that hid them gives
    them away."""
    small, values = rules.small_count, rules.possible_values
    few = small_counts(count, n, small)
    secret = published & (few | told | (withheld & (n > 0) & (n < 2 * small + 1 + values)))
    wanted = np.minimum(values, n + 1)
    return Values(n, secret, published & few & ~withheld, wanted, np.full(len(n), small + 1.0), small)


def _length(first: np.ndarray, last: np.ndarray) -> np.ndarray:
    return np.maximum(last - first + 1, 0)
