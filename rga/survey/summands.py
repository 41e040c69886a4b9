"""What is summed of each respondent: every statistic's y, x and their products, as SQL, and their sums by group.

Belongs here: the columns that sums are made of. Not here: by what they are weighted and grouped (``aggregation``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pyarrow as pa

from rga.survey.grouping import Places, as_slice, sum_by
from rga.survey.statistics import Distribution, Ratio, Share, Statistic

MOST = 8  # answers that are packed into a byte


@cache
def _unpacked(base: int, answers: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of several answers are yes, and which known, in each joint state: of each 0, 1 and, where ``base`` is 3, unknown."""
    state = np.arange(base**answers)[:, None] // base ** np.arange(answers)[::-1] % base
    return (state == 1).astype(np.float64), (state < 2).astype(np.float64)


CACHED = 512  # respondents
MANY = 4  # groups with fewer respondents than this are many


@dataclass(frozen=True)
class Summands:
    """Places of a matrix of sums, groups x ``width``; a respondent not in a statistic's base counts 0.

    ``y``, ``x`` and ``known`` say in which column each statistic has its own, ``yy``, ``yx`` and ``xx`` its products; as y is 0 or
    1 for a share, and x is 1 but for a ratio, several are often one. ``select`` are the SQL expressions that ``values`` reads: a
    byte for each of ``shares``, numbers for the other statistics.
    """

    select: tuple[str, ...]
    width: int
    shares: int
    numbers: tuple[tuple[int, bool], ...]
    y: Places
    x: Places
    known: Places
    yy: Places
    yx: Places
    xx: Places

    @classmethod
    def of(cls, columns: Sequence[tuple[Statistic, str, str]]) -> Summands:
        """From each column's statistic, y and x (SQL). A respondent is known where universe, y and x all are."""
        shares = [k for k, (statistic, *_) in enumerate(columns) if isinstance(statistic, Share | Distribution)]
        at = np.zeros((6, len(columns)), dtype=np.int64)
        at[0, shares] = np.arange(len(shares))
        at[1, shares] = at[0, shares] + len(shares)
        at[2:, shares] = at[[1, 0, 0, 1]][:, shares]
        select = [f"{_answer(*columns[k][:2])} AS a{i}" for i, k in enumerate(shares)]
        width, numbers = 2 * len(shares), []
        for k, (statistic, y, x) in enumerate(columns):
            if isinstance(statistic, Share | Distribution):
                continue
            ratio = isinstance(statistic, Ratio)
            base = f"({y}) IS NOT NULL AND ({x}) IS NOT NULL AND ({statistic.universe.strip() or 'TRUE'})"
            for name, value in {"y": y, "x": x}.items() if ratio else {"y": y}.items():
                select.append(f"COALESCE(CASE WHEN {base} THEN CAST(({value}) AS DOUBLE) END, CAST('NaN' AS DOUBLE)) AS {name}{k}")
            numbers.append((k, ratio))
            # known, y, y^2; of a ratio also x, yx, x^2
            at[:, k] = width + np.array([1, 3, 0, 2, 4, 5] if ratio else [1, 0, 0, 2, 1, 0])
            width += 6 if ratio else 3
        return cls(tuple(select), width, len(shares), tuple(numbers), *map(as_slice, at))

    @np.errstate(over="ignore")
    def values(self, batch: pa.RecordBatch) -> Values:
        """Those of a batch of respondents, which has the columns of ``select``."""
        numbers = []
        for k, ratio in self.numbers:
            y = batch.column(f"y{k}").to_numpy()
            x = batch.column(f"x{k}").to_numpy() if ratio else np.ones(len(y))
            known = ~(np.isnan(y) | np.isnan(x))
            y, x = np.where(known, y, 0.0), np.where(known, x, 0.0)
            numbers += [known, y, y * y, x, y * x, x * x] if ratio else [known, y, y * y]
        columns = [batch.column(f"a{i}") for i in range(self.shares)]
        return Values(self, batch.num_rows, [_state(column) for column in columns], any(c.null_count for c in columns), numbers)


@dataclass(frozen=True)
class Values:
    """Summands of some respondents: ``answers`` 0, 1 or, if ``unknown`` there are, 2, and columns of ``numbers``."""

    summands: Summands
    respondents: int
    answers: list[np.ndarray]
    unknown: bool
    numbers: list[np.ndarray]

    @cached_property
    def matrix(self) -> np.ndarray:
        """Respondents x width, without the columns of who is in a share's base where everybody is."""
        known = [answer < 2 for answer in self.answers] if self.unknown else []
        columns = [*(answer == 1 for answer in self.answers), *known, *self.numbers]
        made = np.empty((self.respondents, len(columns)))
        for first in range(0, self.respondents, CACHED):  # columns become rows, which is slow where it leaves the cache
            some = slice(first, first + CACHED)
            np.stack([column[some] for column in columns], axis=1, out=made[some])
        return made

    def sums(self, code: np.ndarray, size: int, scale: np.ndarray | None = None) -> np.ndarray:
        """Sums (each respondent's times ``scale``) over those of each ``code``, 0..size-1: ``size`` x width.

        Answers are counted by the joint states of as many as the groups allow, so that one look at each respondent sums several
        columns; but not where groups are nearly as many as respondents.
        """
        shares = len(self.answers)
        made = np.empty((size, self.summands.width))
        yes, known, numbers = np.split(made, [shares, 2 * shares], axis=1)
        if size * MANY > self.respondents:
            found = sum_by(code, size, self.matrix, scale)
            yes[:], numbers[:] = found[:, :shares], found[:, found.shape[1] - numbers.shape[1] :]
            if self.unknown:
                known[:] = found[:, shares : 2 * shares]
        else:
            self._count(code, scale, yes, known)
            for column, values in enumerate(self.numbers):
                numbers[:, column] = np.bincount(code, weights=values if scale is None else values * scale, minlength=size)
        if not self.unknown:
            known[:] = np.bincount(code, weights=scale, minlength=size)[:, None]
        return made

    def _count(self, code: np.ndarray, scale: np.ndarray | None, yes: np.ndarray, known: np.ndarray) -> None:
        """Sums of answers into ``yes`` and, where some are unknown, ``known``."""
        (size, shares), base = yes.shape, 3 if self.unknown else 2
        most = self.respondents if scale is not None else self.respondents // 2  # whole numbers become floats: twice the memory
        together = max(g for g in range(1, MOST + 1) if base**g <= 256 and (g == 1 or size * base**g <= most))
        states = base**together
        of_yes, of_known = _unpacked(base, together)
        begins, place = code * states, np.empty_like(code)
        for first, packed in self._packed(together):
            last = min(first + together, shares)  # those that are left stand last in the state
            np.add(begins, packed, out=place)
            counts = np.bincount(place, weights=scale, minlength=size * states).reshape(size, states)
            np.matmul(counts, of_yes[:, first - last :], out=yes[:, first:last])
            if self.unknown:
                np.matmul(counts, of_known[:, first - last :], out=known[:, first:last])

    def _packed(self, together: int) -> Iterator[tuple[int, np.ndarray]]:
        """Joint states of each ``together`` answers, and which is the first of these."""
        base = np.uint8(3 if self.unknown else 2)
        for first in range(0, len(self.answers), together):
            packed, *others = self.answers[first : first + together]
            for answer in others:
                packed = base * packed + answer
            yield first, packed


def _answer(statistic: Statistic, y: str) -> str:
    """1, 0, or NULL where the respondent is not in the base. A byte travels faster than a bit, which has to be packed."""
    universe = statistic.universe.strip()
    answer = f"CAST(({y}) AS TINYINT)"
    return f"CASE WHEN ({universe}) THEN {answer} END" if universe and universe != "TRUE" else answer


def _state(answers: pa.Int8Array) -> np.ndarray:
    """0, 1, or 2 for NULL, from Arrow's buffers: what a byte holds under NULL is anybody's guess."""
    validity, bytes_ = answers.buffers()
    yes = np.frombuffer(bytes_, dtype=np.uint8)[answers.offset : answers.offset + len(answers)]
    if answers.null_count == 0:
        return yes
    known = np.unpackbits(np.frombuffer(validity, dtype=np.uint8), count=answers.offset + len(answers), bitorder="little")
    return np.where(known[answers.offset :], yes, np.uint8(2))
