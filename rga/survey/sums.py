"""Sums over groups of respondents, from which estimates and variances follow.

Belongs here: what the sums are. Not here: how they are made (``aggregation``), what is computed from them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from rga.survey.statistics import Distribution, Share, Statistic, Total
from rga.survey.summands import Summands


@dataclass(frozen=True)
class Crossing:
    """Sums over the respondents of a PSU who are in one cell of a breakdown, PSU after PSU; those without one, by stratum.

    ``psu`` numbers the PSU, ``codes`` the category of each dimension. The matrices are groups x columns of `Summands`:
    ``weighted`` are sums times w, ``squared`` times w^2 (where some have no PSU or a negative weight). ``counted`` are sums over
    respondents of weight other than 0 who share stratum and cell, and all have a PSU or none has, which ``stratum_cell`` gives for
    each group. ``by_margin``: see
    there.
    """

    psu: np.ndarray
    codes: dict[str, np.ndarray]
    stratum_cell: np.ndarray
    weighted: np.ndarray
    squared: np.ndarray | None
    counted: np.ndarray
    by_margin: ByMargin | None


@dataclass(frozen=True)
class ByMargin:
    """Sums over the respondents of a stratum who are in one cell of a breakdown and in one joint cell of the margins; those who
    have a PSU and those who have none (``alone``) apart.

    ``joint`` numbers the joint cell (a row of `Margins.cells`); ``based`` are sums times the weight before calibration, ``squared``
    times w^2.
    """

    stratum: np.ndarray
    alone: np.ndarray
    joint: np.ndarray
    codes: dict[str, np.ndarray]
    based: np.ndarray
    squared: np.ndarray | None


@dataclass(frozen=True)
class Margins:
    """Joint cells of the calibration margins, whatever was answered.

    ``cells`` are joint cells x (survey, and the category's code on each margin), sorted; ``categories`` are the
    names of each margin's codes. ``psu``, ``joint`` and ``weights`` are of
    each PSU in each joint cell: sums of w, of w^2 and of the weight before calibration.
    """

    cells: np.ndarray
    categories: tuple[np.ndarray, ...]
    psu: np.ndarray
    joint: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Sums:
    """Sums over groups of respondents. Everything else follows from these.

    ``crossings`` has those of each breakdown. ``psus`` has one row per PSU: ``survey`` and ``stratum`` (numbers), ``alone`` (not a
    PSU: all respondents of the stratum who have none, ``respondents`` in number, each one of its own). ``strata`` has one row per
    stratum: survey_id, name, ``psus``, the number of PSUs in the whole sample, and ``fraction``, their share of the population's
    PSUs (0: drawn with replacement). Both are sorted by survey. ``cases`` (respondents of weight other than 0) and ``total_weight``
    are by survey.
    ``categories`` are the names of each dimension's codes (`_U` where not known), sorted.
    """

    statistics: tuple[Statistic, ...]
    names: tuple[tuple[str, str], ...]
    summands: Summands
    surveys: tuple[str, ...]
    categories: dict[str, np.ndarray]
    psus: dict[str, np.ndarray]
    strata: pd.DataFrame
    cases: np.ndarray
    total_weight: np.ndarray
    crossings: dict[tuple[str, ...], Crossing]
    margins: Margins | None

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(self.categories)

    @cached_property
    def is_share(self) -> np.ndarray:
        """Which statistics are between 0 and 1."""
        return np.array([isinstance(statistic, Share | Distribution) for statistic in self.statistics])

    @cached_property
    def is_total(self) -> np.ndarray:
        return np.array([isinstance(statistic, Total) for statistic in self.statistics])
