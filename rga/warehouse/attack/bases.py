"""What the bases of cells are made of, as far as an attacker knows.

Belongs here: how much so many respondents of a cell weigh at least and at most, and how many they are by what they weigh. Not here:
how classes become known (``model``), which cells add up (``limits``, ``numerators``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLOSE = 1e-7  # of a mean weight: what sums side by side leave
Made = tuple[np.ndarray, np.ndarray]  # weights by class, and number of respondents of each


@dataclass(frozen=True)
class Bases:
    """By cell: ``n`` respondents who weigh ``low`` to ``high`` together, each ``lightest`` to ``heaviest``. ``known`` cells are
    known by class: ``light`` and ``heavy`` are, one cell after the other from ``start`` on, what their 0 to n lightest and heaviest
    weigh.
    """

    n: np.ndarray
    low: np.ndarray
    high: np.ndarray
    lightest: np.ndarray
    heaviest: np.ndarray
    known: np.ndarray
    start: np.ndarray
    light: np.ndarray
    heavy: np.ndarray

    @classmethod
    def of(
        cls, n: np.ndarray, low: np.ndarray, high: np.ndarray, lightest: np.ndarray, heaviest: np.ndarray, made: dict[int, Made]
    ) -> Bases:
        cells = np.array(sorted(made), dtype=np.int64)
        sizes = np.array([int(made[cell][1].sum()) + 1 for cell in cells.tolist()], dtype=np.int64)
        light, heavy = [np.zeros(0)], [np.zeros(0)]
        for cell in cells.tolist():
            each = np.sort(np.repeat(*made[cell]))
            light.append(np.append(0.0, np.cumsum(each)))
            heavy.append(np.append(0.0, np.cumsum(each[::-1])))
        start = np.full(len(n), -1)
        start[cells] = np.cumsum(sizes) - sizes
        return cls(n, low, high, lightest, heaviest, start >= 0, start, np.concatenate(light), np.concatenate(heavy))

    def counts(self, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Fewest and most respondents of each cell who can weigh ``low`` to ``high``."""
        a, b = np.maximum(self.lightest, 1e-12), np.maximum(self.heaviest, 1e-12)
        fewest = np.maximum(low / b, self.n - np.maximum(self.high - low, 0) / a)
        most = np.minimum(high / a, self.n - np.maximum(self.low - high, 0) / b)
        positive = self.lightest > 0
        fewest = np.where(positive, np.clip(np.ceil(fewest - 1e-6), 0, self.n), 0)
        most = np.where(positive, np.clip(np.floor(most + 1e-6), 0, self.n), self.n)
        cells = np.flatnonzero(self.known)
        if len(cells):
            size = self.n[cells].astype(np.int64) + 1
            apart = np.repeat(np.arange(len(cells)), size) * (self.light.max() + 2.0)  # each cell's sums above all of those before
            shift = np.arange(len(cells)) * (self.light.max() + 2.0)
            reach = np.searchsorted(self.heavy + apart, np.clip(low[cells], 0, self.light.max()) + shift - CLOSE)
            stay = np.searchsorted(self.light + apart, np.clip(high[cells], 0, self.light.max() + 1) + shift + CLOSE, side="right")
            fewest[cells] = np.clip(reach - self.start[cells], 0, self.n[cells])
            most[cells] = np.clip(stay - 1 - self.start[cells], 0, self.n[cells])
        return fewest, most

    def weights(self, fewest: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What ``fewest`` to ``most`` respondents of each cell weigh at least and at most."""
        a, b = self.lightest, self.heaviest
        least = np.maximum(fewest * a, self.low - (self.n - fewest) * b)
        greatest = np.minimum(most * b, self.high - (self.n - most) * a)
        cells = np.flatnonzero(self.known)
        if len(cells):
            least[cells] = self.light[self.start[cells] + np.clip(fewest[cells], 0, self.n[cells]).astype(np.int64)]
            greatest[cells] = self.heavy[self.start[cells] + np.clip(most[cells], 0, self.n[cells]).astype(np.int64)]
        return least, greatest
