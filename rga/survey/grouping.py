"""Groups of rows that have the same codes, and sums over them.

Belongs here: numbering values, finding groups, adding up partial sums. Not here: what is summed or why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import csc_array, csr_array

from rga.survey.data import literal

LIMIT = 2**62
Places = slice | np.ndarray
DENSE = 8  # times as many possible groups as rows
FEW = 25_000  # rows that are not worth adding up before the end


class Known(NamedTuple):
    """Every text of a column, and whether they are those of its type (ENUM, a category of pandas); ``cast``: what the engine writes
    for a value that is no text (`true`, 0.1) is to be the text."""

    texts: Sequence[str] = ()
    enum: bool = False
    cast: bool = False


class Coder:
    """Numbers the texts of a column; NULL counts as ``missing``.

    Where every text is ``known``, the engine gives their places: those of a type it has already, and at each of a few others it
    looks once for as long as the column is kept as a dictionary; and numbers travel faster. Other texts are numbered as they come.
    """

    def __init__(self, missing: str | None = None, known: Known | None = None) -> None:
        self.missing, self.known = missing, known or Known()
        self._place = len(self.known.texts) if self.known.enum else 0  # a list's places begin with 1, an ENUM's with 0
        self.texts: list[str | None] = [*self.known.texts]
        if self.texts:
            self.texts.insert(self._place, missing)
        self._codes: dict[str | None, int] = {}
        self._seen = np.zeros(len(self.texts), dtype=bool)

    @property
    def null(self) -> int:
        """The number of NULL, -1 if there was none."""
        return self._place if self.known.texts else self._codes.get(self.missing, -1)

    def sql(self, column: str) -> str:
        """What ``codes`` reads of ``column`` (quoted)."""
        if self.known.enum:
            return f"CAST(enum_code({column}) AS INTEGER)"
        if self.known.cast:
            return f"CAST({column} AS VARCHAR)"
        return f"list_position([{', '.join(map(literal, self.known.texts))}], {column})" if self.known.texts else column

    def codes(self, column: pa.Array) -> np.ndarray:
        """A number for each value of ``column``: its place in ``texts``."""
        if self.known.texts:
            return (column.fill_null(self._place) if column.null_count else column).to_numpy()
        encoded = column.dictionary_encode(null_encoding="encode")
        texts = [self.missing if value is None or value != value else str(value) for value in encoded.dictionary.to_pylist()]
        numbers = np.array([self._codes.setdefault(text, len(self._codes)) for text in texts], dtype=np.int64)
        self.texts += list(self._codes)[len(self.texts) :]
        return numbers[encoded.indices.to_numpy()]

    def saw(self, codes: np.ndarray) -> None:
        """These numbers there are: a known text may be nobody's."""
        self._seen = np.append(self._seen, np.zeros(len(self.texts) - len(self._seen), dtype=bool))
        self._seen[codes] = True

    def sorted(self) -> tuple[np.ndarray, list[str | None]]:
        """The place of each number when the texts that were seen are sorted (NULL first), and the sorted texts."""
        seen = np.flatnonzero(self._seen)
        texts = sorted({self.texts[code] for code in seen}, key=lambda text: (text is not None, text or ""))
        at = {text: place for place, text in enumerate(texts)}
        place = np.zeros(len(self.texts), dtype=np.int64)
        place[seen] = [at[self.texts[code]] for code in seen]
        return place, texts


def keys(codes: Sequence[np.ndarray]) -> np.ndarray:
    """One number per row, in the order of ``codes`` (numbers from 0), the first of them first."""
    first, *others = codes
    key, size = first.astype(np.int64), int(first.max(initial=0)) + 1
    for column in others:
        values = int(column.max(initial=0)) + 1
        if size * values > LIMIT:
            distinct, key = np.unique(key, return_inverse=True)
            size = len(distinct)
        if values > 1:
            key *= values
            key += column
            size *= values
    return key


def group(codes: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The group of each row, and one row of each group: rows are together where all ``codes`` (numbers from 0) agree. Groups are
    sorted by their codes."""
    key = keys(codes)
    key -= key.min(initial=LIMIT)
    if (size := int(key.max(initial=-1)) + 1) <= DENSE * len(key):  # to look a number up is faster than to hash it
        there = np.zeros(size, dtype=bool)
        there[key] = True
        code = (np.cumsum(there) - 1)[key]
        groups = int(np.count_nonzero(there))
    else:
        code, distinct = pd.factorize(key, sort=True)
        groups = len(distinct)
    row = np.zeros(groups, dtype=np.int64)
    row[code] = np.arange(len(code))
    return code, row


def as_slice(places: np.ndarray) -> Places:
    """A slice where they follow one another: it copies nothing."""
    return slice(int(places[0]), int(places[-1]) + 1) if len(places) and (np.diff(places) == 1).all() else places


def sum_by(code: np.ndarray, size: int, rows: np.ndarray, scale: np.ndarray | None = None) -> np.ndarray:
    """Sum ``rows`` (each times its ``scale``) over those of each ``code``, 0..size-1."""
    values = np.ones(len(code)) if scale is None else scale
    return csc_array((values, code, np.arange(len(code) + 1)), shape=(size, len(code))) @ rows


@dataclass
class Table:
    """Sums by group, added to piece by piece: ``codes`` (groups x columns) and ``sums``, groups x whatever is summed."""

    pieces: list[tuple[np.ndarray, list[np.ndarray]]] = field(default_factory=list)
    compact_rows: int = 0

    def add(self, codes: np.ndarray, sums: list[np.ndarray]) -> None:
        self.pieces.append((codes, sums))
        rows = sum(len(piece) for piece, _ in self.pieces)
        if len(self.pieces) > 1 and rows > 4 * max(self.compact_rows, FEW):
            self.compact()
            self.compact_rows = len(self.pieces[0][0])

    def compact(self, remap: Sequence[np.ndarray] | None = None) -> tuple[np.ndarray, list[np.ndarray]]:
        """One row per group, sorted by its codes, which ``remap`` gives new numbers first."""
        codes = np.concatenate([piece for piece, _ in self.pieces])
        if remap is not None:
            codes = np.column_stack([place[column] for place, column in zip(remap, codes.T, strict=True)])
        key = keys(list(codes.T))
        if len(self.pieces) == 1 and (key[1:] > key[:-1]).all():
            self.pieces = [(codes, self.pieces[0][1])]
            return self.pieces[0]
        order = np.argsort(key, kind="stable")
        codes, key = codes[order], key[order]
        starts = np.flatnonzero(np.append(True, key[1:] != key[:-1])[: len(key)])
        sums = []
        for i in range(len(self.pieces[0][1])):
            rows = np.concatenate([piece[i] for _, piece in self.pieces])
            for _, piece in self.pieces:  # freed as we go
                piece[i] = rows[:0]
            if len(starts) == len(order):
                sums.append(rows[order])
                continue
            shape = (len(starts), len(order))
            sums.append(csr_array((np.ones(len(order)), order, np.append(starts, len(order))), shape=shape) @ rows)
        self.pieces = [(codes[starts], sums)]
        return self.pieces[0]
