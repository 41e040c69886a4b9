"""Respondents with replicate weights, read in pieces that fit in memory.

Belongs here: the SELECT over the respondents and the checks of their weights. Not here: what is computed from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb
import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.data import quoted, require
from rga.survey.design import MISSING, Design, Replicates
from rga.survey.statistics import Quantile, Statistic, check, columns_of

CHUNK_VALUES = 30_000_000  # numbers held at once: a quarter of a gigabyte
ROWS_A_VECTOR = 2048  # of DuckDB


@dataclass(frozen=True)
class Piece:
    """Some respondents: weights is respondents x (1 + replicates), the full weight first; codes has a column per dimension."""

    weights: np.ndarray
    factors: np.ndarray
    codes: dict[str, np.ndarray]
    y: np.ndarray
    x: np.ndarray
    known: np.ndarray
    stratum: np.ndarray | None
    psu: np.ndarray | None


class Reader:
    """The one SELECT over the respondents, and what must be known before: categories, cells, quantiles' values."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        relation: str,
        design: Design,
        replicates: Replicates,
        statistics: Sequence[Statistic],
        by: Sequence[tuple[str, ...]],
    ) -> None:
        self.con, self.design, self.replicates = con, design, replicates
        self.dimensions = list(dict.fromkeys(d for breakdown in by for d in breakdown))
        design_columns = [c for c in (design.weight, design.stratum, design.psu) if c is not None]
        require(con, relation, [*design_columns, *replicates.columns, *self.dimensions])
        check(con, relation, statistics)
        weight = f"CAST({quoted(design.weight)} AS DOUBLE)" if design.weight else "1.0"
        self.source = f"{relation} WHERE {weight} IS NOT NULL" if design.weight else relation
        self.names: list[tuple[str, str]] = []
        self.statistics: list[Statistic] = []
        self.selected = [f"{weight} AS w"]
        self.y: list[str] = []
        self.x: list[str] = []
        for statistic in statistics:
            universe = statistic.universe.strip() or "TRUE"
            for category, y, x in columns_of(con, relation, statistic):
                self.names.append((statistic.code, category))
                self.statistics.append(statistic)
                self.y.append(f"CASE WHEN ({universe}) AND ({x}) IS NOT NULL THEN CAST(({y}) AS DOUBLE) END")
                self.x.append(f"CASE WHEN ({universe}) AND ({y}) IS NOT NULL THEN CAST(({x}) AS DOUBLE) END")
        keys = [f"COALESCE(CAST({quoted(d)} AS VARCHAR), '{MISSING}') AS d{j}" for j, d in enumerate(self.dimensions)]
        self.selected += keys
        self.present = pd.DataFrame(index=[0])
        if self.dimensions:
            self.present = con.execute(f"SELECT DISTINCT {', '.join(keys)} FROM {self.source}").df()
            self.present.columns = pd.Index(self.dimensions)
        self.levels = {d: sorted(self.present[d].unique()) for d in self.dimensions}
        counted = con.execute(f"SELECT COUNT(*) FROM {self.source}").fetchone()
        self.rows = int(counted[0]) if counted else 0

    def key(self, codes: dict[str, np.ndarray], breakdown: tuple[str, ...], rows: int) -> np.ndarray:
        """One integer per row for its cell in ``breakdown``."""
        key = np.zeros(rows, dtype=np.int64)
        for dimension in breakdown:
            key = key * len(self.levels[dimension]) + codes[dimension]
        return key

    def codes(self, frame: pd.DataFrame) -> dict[str, np.ndarray]:
        """The position of each row's category among the sorted categories of each dimension."""
        return {d: pd.Categorical(frame.iloc[:, j], categories=self.levels[d]).codes for j, d in enumerate(self.dimensions)}

    @cached_property
    def quantile_values(self) -> tuple[dict[int, np.ndarray], np.ndarray, dict[str, np.ndarray]]:
        """Values of each quantile's column (NaN where not known), weights, and codes of the dimensions; all respondents."""
        wanted = [k for k, statistic in enumerate(self.statistics) if isinstance(statistic, Quantile)]
        if not wanted:
            return {}, np.empty(0), {}
        selected = ", ".join([*self.selected, *(f"{self.y[k]} AS y{k}" for k in wanted)])
        frame = self.con.execute(f"SELECT {selected} FROM {self.source}").df()
        values = {k: frame[f"y{k}"].to_numpy(dtype=np.float64, na_value=np.nan) for k in wanted}
        return values, frame["w"].to_numpy(dtype=np.float64), self.codes(frame.iloc[:, 1 : 1 + len(self.dimensions)])

    def pieces(self) -> Iterator[Piece]:
        """The respondents, so many at a time that CHUNK_VALUES holds. Raises InputError for a weight that is none."""
        replicates, design = self.replicates, self.design
        factor = [f"CAST({quoted(c)} AS DOUBLE) AS r{j}" for j, c in enumerate(replicates.columns)]
        values = [f"{sql} AS {side}{k}" for side, column in (("y", self.y), ("x", self.x)) for k, sql in enumerate(column)]
        places = [f"CAST({quoted(c)} AS VARCHAR) AS {name}" for name, c in (("stratum", design.stratum), ("psu", design.psu)) if c]
        selected = ", ".join([*self.selected, *factor, *values, *places])
        result = self.con.execute(f"SELECT {selected} FROM {self.source}")
        vectors = max(1, CHUNK_VALUES // (ROWS_A_VECTOR * (3 * len(factor) + 4 * len(values) + 1)))
        while len(frame := result.fetch_df_chunk(vectors)):
            first = 1 + len(self.dimensions)
            numbers = frame.iloc[:, first : first + len(factor) + len(values)].to_numpy(dtype=np.float64, na_value=np.nan)
            factors, y, x = np.split(numbers, [len(factor), len(factor) + len(self.y)], axis=1)
            weight = frame["w"].to_numpy(dtype=np.float64)
            self._check(weight, factors)
            known = ~np.isnan(y) & ~np.isnan(x)
            yield Piece(
                np.column_stack([weight, factors if replicates.combined else factors * weight[:, None]]),
                factors,
                self.codes(frame.iloc[:, 1:first]),
                np.where(known, y, 0.0),
                np.where(known, x, 0.0),
                known,
                frame["stratum"].to_numpy() if design.stratum else None,
                frame["psu"].to_numpy() if design.psu else None,
            )

    def _check(self, weight: np.ndarray, factors: np.ndarray) -> None:
        problems = []
        if rows := int((~np.isfinite(weight) | (weight < 0)).sum()):
            what = "a weight is negative, infinite or not a number"
            problems.append(Problem(what, "correct it, or leave it empty", variable=self.design.weight, rows=rows))
        for column, rows in zip(self.replicates.columns, (~np.isfinite(factors)).sum(axis=0), strict=True):
            if rows:
                what = "a replicate weight is missing or infinite"
                problems.append(Problem(what, "correct it: everybody with a weight has them all", variable=column, rows=int(rows)))
        if problems:
            raise InputError(problems)
