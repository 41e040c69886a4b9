"""Respondents as arrays: one table, wherever it is kept, with its weights and the codes of its design.

Belongs here: opening a table of respondents for what is computed from each of them. Not here: estimates; nor the one pass over all
surveys, which never sees a respondent in Python (``aggregation``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Number
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.data import Data, literal, opened, quoted, require
from rga.survey.design import MISSING, TOTAL, Design
from rga.survey.held_shares import HeldShares, of_margins
from rga.survey.multistage import Stages, stages_of
from rga.survey.statistics import Statistic, Values, values_of

Domain = Mapping[str, Any]

TABLE = "rga_respondents"
ROW = "rga_row"  # its column that numbers the respondents: `rowid` may be one of the data's


@dataclass(frozen=True)
class Sample:
    """Respondents who have a weight, in a fixed order: the table ``TABLE`` of ``con``, ``weight`` and the design's ``stages``.

    Where weights were calibrated, ``base`` are those before, and ``margins`` says to what; linear calibration may then have made
    some of ``weight`` negative.
    """

    con: duckdb.DuckDBPyConnection
    weight: np.ndarray
    stages: Stages
    base: np.ndarray
    margins: Basis

    def residuals(self, z: np.ndarray) -> np.ndarray:
        """Influence values less what the calibration margins explain of them, summed by ultimate unit: units x results, from
        respondents x results.

        e_i = z_i - w_i x_i' B, B = (sum d x x')^+ sum d x z / w, by the weights d before calibration (Deville and Särndal 1992,
        eq. 3.4; R ``calibrate``); plus d_i c_i, what respondent i adds to the shares of missing categories that the margins take
        from the sample, times what these add to the result (`rga.survey.held_shares`).
        """
        units = self.stages.by_unit(z)
        if not self.margins.orthonormal.shape[1]:
            return units
        onto, explained = self.projection
        return units - explained @ (onto.T @ z)

    @cached_property
    def projection(self) -> tuple[np.ndarray, np.ndarray]:
        """``onto``, respondents x basis, and ``explained``, ultimate units x basis: of the sums by unit of influence values z the
        margins explain explained (onto' z)."""
        root, weight, margins = np.sqrt(self.base)[:, None], self.weight[:, None], self.margins.orthonormal
        known = (root > 0) & (weight != 0)
        onto = np.divide(margins * root, weight, out=np.zeros_like(margins), where=known)
        explained = np.divide(margins * weight, root, out=np.zeros_like(margins), where=known)
        varying = np.where(known, self.base[:, None] * self.margins.held.influence, 0.0)
        return onto, self.stages.by_unit(explained - varying @ self.margins.held.slope)

    def values(self, statistics: Sequence[Statistic]) -> Values:
        """Every statistic for every respondent. Raises InputError where an expression does not fit the table."""
        return values_of(self.con, TABLE, list(statistics), order=ROW)

    def domains(self, domains: Sequence[Domain]) -> np.ndarray:
        """Who is in which domain: respondents x domains, boolean.

        A domain gives a category for each of its columns, and a respondent is in it who has them all: `_T` is anybody, `_U` those
        whose category is missing. Text is compared with the column's text, a number with its number. Raises InputError for a column
        that is not there.
        """
        require(self.con, TABLE, [name for domain in domains for name in domain])
        terms = [" AND ".join(_term(name, category) for name, category in domain.items()) or "TRUE" for domain in domains]
        query = ", ".join(f"COALESCE({term}, FALSE)::TINYINT AS d{k}" for k, term in enumerate(terms))
        frame = self.con.execute(f"SELECT {query} FROM {TABLE} ORDER BY {ROW}").df()
        return frame.to_numpy(dtype=bool)


@contextmanager
def sample_of(data: Data, design: Design) -> Iterator[Sample]:
    """The respondents of ``data`` (as `rga.survey.data.opened` takes it).

    Those without a weight are not in the sample. Raises InputError where a column of the design is missing, nobody has a weight, a
    weight is not finite, or negative and not made so by calibration, or the design contradicts itself
    (`rga.survey.multistage.stages_of`); ValueError for replicate weights, whose variance takes no influence values.
    """
    if design.replicates is not None:
        raise ValueError("replicate weights give variances without influence values: leave `replicates` out of the design here")
    with opened(data) as (con, source):
        parts = {name: getattr(design, name) for name in ("weight", "stratum", "psu", "ssu", "fpc", "ssu_fpc", "base_weight")}
        require(con, source, (*parts.values(), *design.margins, *design.numbers))
        present = f"WHERE {quoted(design.weight)} IS NOT NULL" if design.weight else ""
        con.execute(f"CREATE OR REPLACE TEMP TABLE {TABLE} AS SELECT *, row_number() OVER () AS {ROW} FROM {source} {present}")
        try:
            columns = ", ".join(f"{_design_sql(name, column)} AS {name}" for name, column in parts.items())
            frame = con.execute(f"SELECT {columns} FROM {TABLE} ORDER BY {ROW}").df()
            weight = frame["weight"].to_numpy(dtype=np.float64, na_value=np.nan)
            base = np.nan_to_num(frame["base_weight"].to_numpy(dtype=np.float64, na_value=np.nan))
            _check(weight, base, design)
            yield Sample(con, weight, stages_of(frame, design), base, _basis(con, design, weight, base))
        finally:
            con.execute(f"DROP TABLE IF EXISTS temp.{TABLE}")


@dataclass(frozen=True)
class Basis:
    """The margins of a calibration. ``orthonormal``, respondents x basis, spans their columns times the root of the weights before;
    ``held`` are the shares of missing categories, its ``slope`` in the basis rather than in the columns."""

    orthonormal: np.ndarray
    held: HeldShares


def _basis(con: duckdb.DuckDBPyConnection, design: Design, weight: np.ndarray, base: np.ndarray) -> Basis:
    """A number that is not known is taken as the population's mean, as `calibrate` does: by ``weight``, that of the others after
    calibration."""
    rows = len(base)
    if not design.base_weight or not (design.margins or design.numbers):
        return Basis(np.zeros((rows, 0)), HeldShares(np.zeros((rows, 0)), np.zeros((0, 0))))
    texts = [f"COALESCE(CAST({quoted(name)} AS VARCHAR), '{MISSING}') AS m{k}" for k, name in enumerate(design.margins)]
    numbers = [f"CAST({quoted(name)} AS DOUBLE) AS x{k}" for k, name in enumerate(design.numbers)]
    frame = con.execute(f"SELECT {', '.join([*texts, *numbers])} FROM {TABLE} ORDER BY {ROW}").df()
    coded = [pd.factorize(frame[f"m{k}"]) for k in range(len(design.margins))]
    codes = np.column_stack([np.zeros((rows, 0), dtype=np.intp), *(code for code, _ in coded)])
    categories = [np.asarray(names, dtype=object) for _, names in coded]
    columns = [np.eye(len(names))[code] for code, names in zip(codes.T, categories, strict=True)]
    for k in range(len(design.numbers)):
        value = frame[f"x{k}"].to_numpy(dtype=np.float64, na_value=np.nan)
        known = ~np.isnan(value) & (base > 0)
        # `calibrate` without a margin of categories has no other population than the weights before.
        people = weight[known].sum() if design.margins else base.sum() - weight[np.isnan(value)].sum()
        mean = weight[known] @ value[known] / people if people else 0.0
        # Centred, numbers are not nearly collinear with the categories, whose columns add up to one of ones.
        columns.append((np.where(np.isnan(value), mean, value) - (mean if design.margins else 0.0))[:, None])
    x = np.concatenate(columns, axis=1) * np.sqrt(base)[:, None]
    size = np.sqrt((x**2).sum(axis=0))
    used = size > 0
    left, singular, right = np.linalg.svd(x[:, used] / size[used], full_matrices=False)
    kept = singular > 1e-10 * singular.max(initial=0.0)
    held = of_margins(codes, categories, base, weight)
    slope = np.pad(held.slope, ((0, 0), (0, x.shape[1] - held.slope.shape[1])))[:, used] / size[used]  # numbers are not held
    return Basis(left[:, kept], replace(held, slope=slope @ (right[kept].T / singular[kept])))


def _design_sql(part: str, column: str | None) -> str:
    kind = "VARCHAR" if part in ("stratum", "psu", "ssu") else "DOUBLE"
    return f"CAST({quoted(column) if column else ('1' if part == 'weight' else 'NULL')} AS {kind})"


def _term(name: str, category: object) -> str:
    column = quoted(name)
    if category is None or category is pd.NA or category != category or category == MISSING:
        return f"({column} IS NULL OR CAST({column} AS VARCHAR) = '{MISSING}')"
    if category == TOTAL:
        return "TRUE"
    if isinstance(category, str):
        return f"CAST({column} AS VARCHAR) = {literal(category)}"
    is_number = isinstance(category, Number | np.bool_)
    return f"{column} = {category if is_number else literal(str(category))}"


def not_a_weight(weight: np.ndarray, base: np.ndarray) -> np.ndarray:
    """Which of ``weight`` cannot be one: infinite, not a number, or negative. Linear calibration makes negative weights of positive
    ``base`` weights (0 where there are none), and variances are those of any others (Deville and Särndal 1992, section 2)."""
    return ~np.isfinite(weight) | ((weight < 0) & ~(base > 0))


NEGATIVE = (
    "a weight is negative, infinite or not a number",
    "correct the weight, or leave it empty for people who are not part of the sample; if linear calibration made it negative, "
    "name the weight before in the design's `base_weight`",
)


def _check(weight: np.ndarray, base: np.ndarray, design: Design) -> None:
    if not len(weight):
        raise InputError(
            Problem("nobody has a weight", "give respondents a weight, or a design without one", variable=design.weight)
        )
    if (base < 0).any():
        what = "a weight before calibration is negative"
        raise InputError(Problem(what, "correct it", variable=design.base_weight, rows=int((base < 0).sum())))
    if (wrong := not_a_weight(weight, base)).any():
        raise InputError(Problem(*NEGATIVE, variable=design.weight, rows=int(wrong.sum())))
