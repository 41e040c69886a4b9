"""What is summed of each respondent: every statistic's y, x and their products, as SQL, and their sums by group.

Belongs here: the columns that sums are made of. Not here: by what they are weighted and grouped (``aggregation``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from rga.survey.grouping import sum_by
from rga.survey.statistics import Distribution, Ratio, Share, Statistic

STATES = 3  # of an answer: no, yes, unknown


def _unpacked(answers: int) -> tuple[np.ndarray, np.ndarray]:
    """Which of several answers together are yes, and which known, in each of their joint states."""
    state = np.arange(STATES**answers)[:, None] // STATES ** np.arange(answers)[::-1] % STATES
    return (state == 1).astype(np.float64), (state < 2).astype(np.float64)


TWO, FOUR = _unpacked(2), _unpacked(4)
Columns = slice | np.ndarray
MANY = 4  # groups with fewer respondents than this are many


@dataclass(frozen=True)
class Summands:
    """Columns of a matrix of sums, groups x ``width``; a respondent not in a statistic's base counts 0.

    ``y``, ``x`` and ``known`` say in which column each statistic has its own, ``yy``, ``yx`` and ``xx`` its products; as y is 0 or
    1 for a share, and x is 1 but for a ratio, several are often one. ``select`` are the SQL expressions that ``values`` reads: a
    truth value for each of ``shares``, numbers for the other statistics.
    """

    select: tuple[str, ...]
    width: int
    shares: int
    numbers: tuple[tuple[int, bool], ...]
    y: Columns
    x: Columns
    known: Columns
    yy: Columns
    yx: Columns
    xx: Columns

    @classmethod
    def of(cls, columns: Sequence[tuple[Statistic, str, str]]) -> Summands:
        """From each column's statistic, y and x (SQL). A respondent is known where universe, y and x all are."""
        shares = [k for k, (statistic, *_) in enumerate(columns) if isinstance(statistic, Share | Distribution)]
        half = -(-len(shares) // 4) * 4
        at = np.zeros((6, len(columns)), dtype=np.int64)
        at[0, shares] = np.arange(len(shares))
        at[1, shares] = at[0, shares] + half
        at[2:, shares] = at[[1, 0, 0, 1]][:, shares]
        select = [f"{_answer(*columns[k][:2])} AS a{i}" for i, k in enumerate(shares)]
        width, numbers = 2 * half, []
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
        return cls(tuple(select), width, len(shares), tuple(numbers), *map(_columns, at))

    def values(self, batch: pa.RecordBatch) -> Values:
        """Those of a batch of respondents, which has the columns of ``select``."""
        numbers = []
        for k, ratio in self.numbers:
            y = batch.column(f"y{k}").to_numpy()
            x = batch.column(f"x{k}").to_numpy() if ratio else np.ones(len(y))
            known = ~(np.isnan(y) | np.isnan(x))
            y, x = np.where(known, y, 0.0), np.where(known, x, 0.0)
            numbers += [known, y, y * y, x, y * x, x * x] if ratio else [known, y, y * y]
        answers = [_state(batch.column(f"a{i}")) for i in range(self.shares)]
        answers += [np.full(batch.num_rows, 2, dtype=np.uint8)] * (-self.shares % 4)
        return Values(self, [STATES * one + other for one, other in zip(answers[::2], answers[1::2], strict=True)], numbers)


@dataclass(frozen=True)
class Values:
    """Summands of some respondents: two ``answers`` a byte, and columns of ``numbers``."""

    summands: Summands
    answers: list[np.ndarray]
    numbers: list[np.ndarray]

    @cached_property
    def matrix(self) -> np.ndarray:
        """Respondents x width."""
        rows = len((self.answers or self.numbers)[0])
        parts = [state.take(np.stack(self.answers, axis=1), axis=0).reshape(rows, -1) for state in TWO] if self.answers else []
        return np.concatenate([*parts, *(number[:, None] for number in self.numbers)], axis=1, dtype=np.float64)

    def sums(self, code: np.ndarray, size: int, scale: np.ndarray | None = None) -> np.ndarray:
        """Sums (each respondent's times ``scale``) over those of each ``code``, 0..size-1: ``size`` x width.

        Answers are counted by their joint states, so that four columns of sums, or eight where there are few groups, take one look
        at each respondent; but not where groups are nearly as many as respondents.
        """
        if size * MANY > len(code):
            return sum_by(code, size, self.matrix, scale)
        made = np.empty((size, self.summands.width))
        half, (yes, known), packed = 2 * len(self.answers), TWO, self.answers
        if size * len(FOUR[0]) < len(code):
            (yes, known), packed = FOUR, [len(TWO[0]) * one + other for one, other in zip(packed[::2], packed[1::2], strict=True)]
        states, answers = yes.shape
        by_state = code * states
        for i, together in enumerate(packed):
            counts = np.bincount(by_state + together, weights=scale, minlength=size * states).reshape(size, states)
            made[:, i * answers : (i + 1) * answers] = counts @ yes
            made[:, half + i * answers : half + (i + 1) * answers] = counts @ known
        for column, numbers in enumerate(self.numbers, 2 * half):
            made[:, column] = np.bincount(code, weights=numbers if scale is None else numbers * scale, minlength=size)
        return made


def _columns(which: np.ndarray) -> Columns:
    """A slice where they follow one another: it copies nothing."""
    return slice(int(which[0]), int(which[-1]) + 1) if len(which) and (np.diff(which) == 1).all() else which


def _answer(statistic: Statistic, y: str) -> str:
    """True, false, or NULL where the respondent is not in the base."""
    universe = statistic.universe.strip()
    answer = f"CAST(({y}) AS BOOLEAN)"
    return f"CASE WHEN ({universe}) THEN {answer} END" if universe and universe != "TRUE" else answer


def _state(answers: pa.BooleanArray) -> np.ndarray:
    """0, 1, or 2 for NULL, from Arrow's bits."""
    validity, truth = answers.buffers()
    yes = _bits(truth, answers)
    if validity is None:
        return yes
    known = _bits(validity, answers)
    return np.uint8(2) - 2 * known + (yes & known)


def _bits(buffer: pa.Buffer, array: pa.Array) -> np.ndarray:
    bits = np.unpackbits(np.frombuffer(buffer, dtype=np.uint8), count=array.offset + len(array), bitorder="little")
    return bits[array.offset :]
