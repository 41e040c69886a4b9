"""The columns of a regression: categories and numbers of respondents, and which of them an outcome can take.

Belongs here: coding covariates, pooling thin categories, finding aliased columns. Not here: fitting (``glm``), which covariates
make sense for an indicator (the pipeline).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

INTERCEPT, WOMAN = 0, 1
ALIASED = 1e-11  # part of a column's variance that the columns before it leave unexplained: less is none
ROUNDING = 1e-14


@dataclass(frozen=True)
class ModelMatrix:
    """``x``: respondents x P, namely 1, being a woman, then for each covariate a column per category (or the number itself).

    ``names`` of the columns; ``blocks``: the columns of each covariate; ``numeric``: the covariates that are numbers. ``units``
    (P x P) leads from coefficients of ``x`` to those of the columns as they were given.
    """

    x: np.ndarray
    names: list[str]
    blocks: dict[str, np.ndarray]
    numeric: frozenset[str]
    units: np.ndarray

    @property
    def numbers(self) -> np.ndarray:
        """The columns that are numbers."""
        return np.array([column for name in self.numeric for column in self.blocks[name]], dtype=np.int64)

    def standardised(self, rows: np.ndarray) -> ModelMatrix:
        """Numbers less their mean over ``rows``, by their standard deviation, 0 in other rows: squares of a year, or of an income,
        drown what varies in it."""
        x, units = np.where(rows[:, None], self.x, 0.0), np.eye(self.x.shape[1])
        for column in self.numbers:
            values = self.x[rows, column]
            middle, spread = (values.mean(), values.std()) if len(values) else (0.0, 1.0)
            spread = spread if spread > ROUNDING * abs(middle) else 1.0
            x[rows, column] = (values - middle) / spread
            units[column, column], units[INTERCEPT, column] = 1 / spread, -middle / spread
        return replace(self, x=x, units=units)


def model_matrix(woman: np.ndarray, covariates: pd.DataFrame) -> ModelMatrix:
    """Code ``covariates``, one row per respondent: columns of numbers as they are (not missing), others by category (missing is
    one, named `_U`). ``woman``: 1 or 0."""
    columns, names, blocks = [np.ones(len(woman)), woman.astype(np.float64)], ["(intercept)", "woman"], {}
    numeric = []
    for name in covariates:
        values = covariates[name]
        if pd.api.types.is_numeric_dtype(values):
            numeric.append(str(name))
            coded, found = [values.to_numpy(dtype=np.float64)], [str(name)]
        else:
            code, levels = pd.factorize(values.astype(object).where(values.notna(), "_U"), sort=True)
            coded = list(np.eye(len(levels))[code].T)
            found = [f"{name}={level}" for level in levels]
        blocks[str(name)] = np.arange(len(names), len(names) + len(found))
        columns += coded
        names += found
    return ModelMatrix(np.column_stack(columns), names, blocks, frozenset(numeric), np.eye(len(names)))


@dataclass(frozen=True)
class Columns:
    """What each outcome takes of a `ModelMatrix`: ``basis`` (K x P x P) and ``used`` (K x P) as `rga.survey.glm.fit` takes them;
    ``pooled``: per outcome, by covariate, the categories that were pooled; ``constant``: covariates without a second category."""

    basis: np.ndarray
    used: np.ndarray
    pooled: list[dict[str, list[str]]]
    constant: list[list[str]]


def columns_of(matrix: ModelMatrix, counts: np.ndarray, taken: Sequence[Sequence[str]], least: int = 1) -> Columns:
    """Columns of K outcomes: ``counts`` (K x P) respondents per category in the outcome's base, ``taken`` its covariates.

    Categories with fewer than ``least`` respondents are taken as one; where they are fewer than that together, they join the
    largest. The largest category is the reference: its column is left out. A covariate with one category left is left out too.
    """
    outcomes, width = counts.shape
    basis, used = np.zeros((outcomes, width, width)), np.zeros((outcomes, width), dtype=bool)
    basis[:, [INTERCEPT, WOMAN], [INTERCEPT, WOMAN]] = 1.0
    used[:, [INTERCEPT, WOMAN]] = True
    pooled: list[dict[str, list[str]]] = [{} for _ in range(outcomes)]
    constant: list[list[str]] = [[] for _ in range(outcomes)]
    for k in range(outcomes):
        for name in taken[k]:
            block = matrix.blocks[name]
            if name in matrix.numeric:
                basis[k, block, block], used[k, block] = 1.0, True
                continue
            groups, together = _groups(dict(zip(block.tolist(), counts[k, block].tolist(), strict=True)), least)
            if len(groups) < 2:
                constant[k].append(name)
                continue
            if together:
                pooled[k][name] = [matrix.names[column].partition("=")[2] for column in together]
            for group in groups[1:]:
                basis[k, group, group[0]] = 1.0
                used[k, group[0]] = True
    return Columns(basis, used, pooled, constant)


def _groups(counts: dict[int, float], least: int) -> tuple[list[list[int]], list[int]]:
    """Columns of categories that are taken as one, the largest group first, and which were pooled for being thin."""
    present = [column for column, n in counts.items() if n > 0]
    thin = [column for column in present if counts[column] < least]
    groups = [[column] for column in present if counts[column] >= least]
    if thin and groups and sum(counts[column] for column in thin) < least:
        max(groups, key=lambda group: counts[group[0]]).extend(thin)
    elif thin:
        groups.append(thin)
        thin = thin if len(thin) > 1 else []
    return sorted(groups, key=lambda group: -sum(counts[column] for column in group)), thin


def aliased(gram: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Columns that are a linear combination of others, K x P, from the outcomes' Gram matrices (K x P x P, intercept first).

    Columns are taken in order, being a woman last: where it is aliased, covariates and sex cannot be told apart. Of the others the
    later ones are found, as R's ``lm`` does.
    """
    left = np.where(used[:, :, None] & used[:, None, :], gram, 0.0)
    order = [INTERCEPT, *range(WOMAN + 1, gram.shape[1]), WOMAN]
    found = np.zeros_like(used)
    spread = np.zeros(used.shape)
    for column in order:
        pivot = left[:, column, column].copy()
        if column != INTERCEPT:
            found[:, column] = used[:, column] & (pivot <= ALIASED * spread[:, column] + ROUNDING * gram[:, column, column])
        pivot = np.where(used[:, column] & ~found[:, column] & (pivot > 0), pivot, np.inf)
        row = left[:, column, :]
        left = left - row[:, :, None] * row[:, None, :] / pivot[:, None, None]
        if column == INTERCEPT:
            spread = np.diagonal(left, axis1=1, axis2=2).copy()  # variances: what is explained is measured in these
    return found
