"""Weights by class of respondents, from some that were seen and the calibration model.

Belongs here: with equal base weights d a calibrated weight is d F(u + v), u of the first margin's category within sex, v of the
second's (Deville and Särndal 1992), F by `weighting`: offsets between categories of one margin are the same in all categories of
the other. Not here: how single weights are seen (``observed``), what classes add up to (``sums``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import cast

import numpy as np
import pandas as pd

from rga.survey.calibration_methods import Distance, Method, distance_of
from rga.warehouse.attack.observed import differences
from rga.warehouse.attack.offsets import fitted
from rga.warehouse.attack.published import DOUBLE
from rga.warehouse.attack.sums import compositions

ERROR = 3e-12  # of a weight, relative: what differences of populations leave
NUMBER = re.compile(r"\d+(?:\.\d+)?")
LOW, HIGH = (0.1, 0.2, 0.25, 0.3, 0.5), (2.0, 3.0, 4.0, 5.0, 10.0, 20.0)


@dataclass(frozen=True)
class Classes:
    """Of one sex, by category of two margins' ``dimensions`` (``rows``, ``columns``): ``weight`` and number of respondents,
    ``most``, arrays of len(rows) x len(columns)."""

    dimensions: tuple[str, str]
    rows: list[str]
    columns: list[str]
    weight: np.ndarray
    most: np.ndarray

    def of(self, cell: dict[str, str]) -> tuple[np.ndarray, np.ndarray]:
        """Weights, and most respondents of each, in a cell of other categories (by dimension): classes of one weight together."""
        weight, most = self.weight, self.most
        first, second = (cell.get(name, "_T") for name in self.dimensions)
        if first != "_T":
            weight, most = (array[[row == first for row in self.rows]] for array in (weight, most))
        if second != "_T":
            weight, most = (array[:, [column == second for column in self.columns]] for array in (weight, most))
        some = most.ravel() > 0
        return together(weight.ravel()[some], most.ravel()[some])


def together(weight: np.ndarray, most: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Classes of the same weight as one."""
    order = np.argsort(weight)
    weight, most = weight[order], most[order]
    if not len(weight):
        return weight, most
    number = np.cumsum(np.append(0, np.diff(weight) > 1e-9 * weight[-1]))
    size = np.bincount(number, most).astype(np.int64)
    return np.bincount(number, weight) / np.bincount(number), size


def learned(cells: pd.DataFrame, margins: pd.DataFrame, steps: pd.DataFrame, work: int) -> dict[str, Classes]:
    """By sex, the classes of a survey, where populations and the calibration model give all their weights, and the margins agree.

    ``cells``, ``margins`` and ``steps`` are its rows of `estimates` (shares), `margins` and `weighting`, exactly printed; ``work``
    is how many counts by class are tried.
    """
    model = _calibrated(margins, steps)
    if model is None:
        return {}
    step, dimensions, scale = model
    found = {}
    for sex in sorted(set(cells["sex"]) - {"_T"}):
        sides = [_margin(margins, name, sex) for name in dimensions]
        if any(side.empty for side in sides):
            continue
        seen = [differences(cells, name, sex, step["min_weight"], step["max_weight"]) for name in dimensions]
        for curve in curves(step, scale):
            if classes := _of_sex(dimensions, sides, seen, curve, scale, work):
                found[sex] = classes
                break
    return found


def _calibrated(margins: pd.DataFrame, steps: pd.DataFrame) -> tuple[pd.Series, tuple[str, str], float] | None:
    """The calibration, its two margins' dimensions beside sex, and the base weight; None of surveys weighted otherwise."""
    names = list(margins["margin"].unique())
    constant = len(steps) == 2 and steps["method"].iloc[0] == "constant" and steps["action"].iloc[1] == "calibrate"
    if not constant or len(names) != 2 or any(name.count("*") != 1 or not name.startswith("sex*") for name in names):
        return None
    scale = steps["sum_of_weights"].iloc[1] / steps["n"].iloc[1]
    return steps.iloc[1], (names[0].removeprefix("sex*"), names[1].removeprefix("sex*")), float(scale)


def _margin(margins: pd.DataFrame, dimension: str, sex: str) -> pd.DataFrame:
    rows = margins[(margins["margin"] == f"sex*{dimension}") & margins["category"].str.startswith(f"{sex}*") & (margins["n"] > 0)]
    return rows.assign(category=rows["category"].str.removeprefix(f"{sex}*")).set_index("category")[["n", "after"]]


def curves(step: pd.Series, scale: float) -> Iterator[Distance]:
    """Factors that the published step may have used: bounds are numbers in its reason, or else usual ones."""
    method = cast(Method, step["method"])
    if method != "logit":
        held = step["min_weight"] / scale if step["bounds_hit"] else 0.0
        yield distance_of(method, (held, np.inf) if method == "linear" and held else None)
        return
    told = [float(number) for number in NUMBER.findall(str(step["why"]))]
    pairs = [(low, high) for low, high in product(told, told) if low < 1 < high]
    for bounds in dict.fromkeys([*pairs, *product(LOW, HIGH)]):
        yield distance_of("logit", bounds)


def _of_sex(
    dimensions: tuple[str, str],
    sides: list[pd.DataFrame],
    seen: list[dict[str, np.ndarray]],
    curve: Distance,
    scale: float,
    work: int,
) -> Classes | None:
    inverse = [{name: _finite(curve.inverse(values / scale)) for name, values in side.items()} for side in seen]
    for offsets in fitted(inverse[0], inverse[1], (len(sides[0]), len(sides[1]))):
        v = np.array([value for _, value in offsets.columns])
        guesses = [
            np.array([offsets.rows[name]]) if name in offsets.rows
            else np.subtract.outer(inverse[0].get(name, np.zeros(0)), v).ravel()
            for name in sides[0].index
        ]  # fmt: skip
        weights = [scale * curve.at(np.add.outer(some, v).ravel())[0].reshape(-1, len(v)) for some in guesses]
        names = [name for name, _ in offsets.columns]
        if classes := _agreeing(dimensions, sides, names, weights, work):
            return classes
    return None


def _finite(values: np.ndarray) -> np.ndarray:
    return np.sort(values[np.isfinite(values)])


def _agreeing(
    dimensions: tuple[str, str], sides: list[pd.DataFrame], names: list[str | None], weights: list[np.ndarray], work: int
) -> Classes | None:
    """Classes, if the margins have one table of whole numbers: of each row, one of its ``weights`` (lines of a weight for each
    column); the margin names those columns that have no name."""
    rows, columns = (list(side.index) for side in sides)
    n = sides[1]["n"].to_numpy()
    sizes = dict(zip(columns, n.tolist(), strict=True))
    largest = np.array([sizes.get(str(name), n.max()) for name in names]).astype(np.int64)
    tables = np.zeros((1, 0, 2, len(names)))
    for (size, after), lines in zip(sides[0][["n", "after"]].itertuples(index=False), weights, strict=True):
        error, options = (DOUBLE + ERROR) * after, []
        for line in lines:
            if np.diff(np.sort(line)).min(initial=np.inf) <= 1e-9 * line.max():
                return None
            found = compositions(line, largest, int(size), after - error, after + error, work)
            if found is None:
                return None
            options += [np.stack([one, line]) for one in found]
        if not options or len(tables) * len(options) > work // 100:
            return None
        grown = np.tile(np.array(options), (len(tables), 1, 1))[:, None]
        tables = np.concatenate([np.repeat(tables, len(options), axis=0), grown], axis=1)
        tables = tables[(tables[:, :, 0].sum(axis=1) <= largest).all(axis=1)]
    right = [(table, order) for table in tables if (order := _columns(table, names, sides[1]))]
    if len(right) != 1:
        return None
    table, order = right[0]
    place = [order.index(name) for name in columns]
    return Classes(dimensions, rows, columns, table[:, 1][:, place], table[:, 0][:, place].astype(np.int64))


def _columns(table: np.ndarray, names: list[str | None], margin: pd.DataFrame) -> list[str]:
    """The margin's category of each column of a ``table`` (rows x number and weight x columns); nothing where they do not fit."""
    size, total = table[:, 0].sum(axis=0), (table[:, 0] * table[:, 1]).sum(axis=0)
    fits = [
        [name for name, row in margin.iterrows() if own in (None, name) and row["n"] == n and abs(row["after"] - t) <= 1e-9 * t]
        for own, n, t in zip(names, size, total, strict=True)
    ]
    found = [str(names[0]) for names in fits if len(names) == 1]
    return found if sorted(found) == sorted(margin.index) else []
