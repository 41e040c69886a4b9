"""Groups of rows that have the same codes, and sums over them.

Belongs here: numbering values, finding groups, adding up partial sums. Not here: what is summed or why.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy.sparse import csc_array, csr_array

from rga.survey.data import literal

LIMIT = 2**62
Places = slice | np.ndarray
FEW = 25_000  # rows that are not worth adding up before the end


class Coder:
    """Numbers the texts of a column in the order in which they come; NULL counts as ``missing``.

    ``few``: every text of the column where they are few. The engine then gives their places: it looks at a text once for as
    long as the column is kept as a dictionary, and numbers travel faster.
    """

    def __init__(self, missing: str | None = None, few: Sequence[str] = ()) -> None:
        self.missing = missing
        self.few = list(few)
        self._codes: dict[str | None, int] = {}
        self._places = np.array([0, *map(self._code, self.few)], dtype=np.int64)

    def sql(self, column: str) -> str:
        """What ``codes`` reads of ``column`` (quoted)."""
        return f"list_position([{', '.join(map(literal, self.few))}], {column})" if self.few else column

    def codes(self, column: pa.Array) -> np.ndarray:
        """A number for each value of ``column``."""
        if self.few:
            if column.null_count:
                self._places[0] = self._code(self.missing)
                column = column.fill_null(0)
            return self._places.take(column.to_numpy())
        encoded = column.dictionary_encode(null_encoding="encode")
        texts = [self.missing if value is None or value != value else str(value) for value in encoded.dictionary.to_pylist()]
        numbers = np.array([self._code(text) for text in texts], dtype=np.int64)
        return numbers[encoded.indices.to_numpy()]

    def _code(self, text: str | None) -> int:
        return self._codes.setdefault(text, len(self._codes))

    def sorted(self) -> tuple[np.ndarray, list[str | None]]:
        """The place of each number when texts are sorted (NULL first), and the sorted texts."""
        texts = sorted(self._codes, key=lambda text: (text is not None, text or ""))
        place = np.zeros(len(texts), dtype=np.int64)
        place[[self._codes[text] for text in texts]] = np.arange(len(texts))
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
    """The group of each row, and one row of each group: rows are together where all ``codes`` (numbers from 0) agree."""
    code, distinct = pd.factorize(keys(codes))
    row = np.zeros(len(distinct), dtype=np.int64)
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
