"""Taylor-linearised variance with ultimate clusters, for many domains and indicators at once.

Belongs here: sums of linearised values over PSUs and strata, degrees of freedom, lonely PSUs. Not here: what is
linearised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.design import LonelyPsu


@dataclass(frozen=True)
class Clusters:
    """The distinct (cell, PSU) pairs of a table in long form, sorted by cell, then stratum, then PSU.

    Long form, because a survey without PSUs has one PSU per respondent, in one cell each: a PSU x cell matrix would be
    almost all zeros. PSUs of a cell's strata that have nobody in the cell enter the variance as zeros, without being
    stored.
    """

    order: np.ndarray  # rows in sorted order
    first_row: np.ndarray  # cluster -> first sorted row
    psu: np.ndarray  # cluster -> PSU
    cell: np.ndarray  # cluster -> cell
    block: np.ndarray  # cluster -> (cell, stratum)
    first_cluster: np.ndarray  # block -> first cluster
    stratum: np.ndarray  # block -> stratum
    first_block: np.ndarray  # cell -> first block

    @classmethod
    def of(cls, cell: np.ndarray, stratum: np.ndarray, psu: np.ndarray) -> Clusters:
        """From rows: ``cell`` codes 0..C-1, all present; ``psu`` codes ascend with ``stratum`` codes, in which they
        are nested."""
        order = np.lexsort((psu, cell))
        cell, stratum, psu = cell[order], stratum[order], psu[order]
        first_row = np.flatnonzero(_changes(cell) | _changes(psu))
        cell, stratum, psu = cell[first_row], stratum[first_row], psu[first_row]
        new_block = _changes(cell) | _changes(stratum)
        first_cluster = np.flatnonzero(new_block)
        first_block = np.flatnonzero(_changes(cell[first_cluster]))
        return cls(order, first_row, psu, cell, np.cumsum(new_block) - 1, first_cluster, stratum[first_cluster], first_block)

    def by_cluster(self, rows: np.ndarray) -> np.ndarray:
        """Sum a rows x indicators matrix over each (cell, PSU)."""
        ordered = rows[self.order]
        return ordered if len(self.first_row) == len(ordered) else np.add.reduceat(ordered, self.first_row, axis=0)

    def by_block(self, clusters: np.ndarray) -> np.ndarray:
        """Sum clusters x indicators over each (cell, stratum)."""
        return np.add.reduceat(clusters, self.first_cluster, axis=0)

    def by_cell(self, clusters: np.ndarray) -> np.ndarray:
        """Sum clusters x indicators over each cell."""
        return np.add.reduceat(clusters, self.first_cluster[self.first_block], axis=0)


@dataclass(frozen=True)
class Taylor:
    """Per cell x indicator: ``variance`` (NaN where the sample holds no information on it) and ``df``, PSUs minus
    strata."""

    variance: np.ndarray
    df: np.ndarray


def taylor_variance(z: np.ndarray, n: np.ndarray, clusters: Clusters, psus: np.ndarray, lonely: LonelyPsu) -> Taylor:
    """Variance of a sum of linearised values, PSUs taken as drawn with replacement within strata.

    ``z`` (clusters x indicators) are PSU sums of linearised values, ``n`` the respondents of positive weight in them
    who answered, ``psus`` the number of PSUs per stratum in the whole sample, n_h. With zeros for PSUs that have
    nobody in the cell,

        V = sum_h n_h / (n_h - 1) * sum_c (z_hc - mean_h z)^2,          (Wolter 2007, ch. 6; R survey::svyrecvar)

    A stratum with one PSU in the whole sample adds z^2 (`adjust`; the mean over the sample of a linearised ratio is 0)
    or nothing (`remove`, `certainty`); `average` adds the mean of the domain's other strata, as R does. `fail` is for
    `check_lonely`. Where one PSU holds all answers of a cell, or every stratum is left out, z says nothing of the
    variance: NaN (R says 0).
    """
    n_h = psus[clusters.stratum]
    present = np.diff(clusters.first_cluster, append=len(clusters.cell))
    alone = n_h == 1
    centre = np.where(alone[:, None], 0.0, clusters.by_block(z) / n_h[:, None])
    # The two-pass form: the sum of squares minus the squared sum would lose digits and can turn negative.
    squares = clusters.by_block((z - centre[clusters.block]) ** 2) + (n_h - present)[:, None] * centre**2
    scale = np.where(alone, 1.0 if lonely == "adjust" else 0.0, n_h / np.maximum(n_h - 1, 1))
    variance = np.add.reduceat(scale[:, None] * squares, clusters.first_block, axis=0)

    answered = clusters.by_block((n > 0).astype(np.int64))
    strata = np.add.reduceat((answered > 0).astype(np.int64), clusters.first_block, axis=0)
    counted = np.add.reduceat((answered > 0) & (scale > 0)[:, None], clusters.first_block, axis=0, dtype=np.int64)
    n_psus = np.add.reduceat(answered, clusters.first_block, axis=0)
    if lonely == "average":
        variance = variance * strata / np.maximum(counted, 1)
    variance[(n_psus <= 1) | (counted == 0)] = np.nan
    return Taylor(variance, n_psus - strata)


def check_lonely(strata: pd.DataFrame) -> None:
    """Raise InputError naming every stratum of ``strata`` (survey_id, name, psus) that has one PSU only: the rule
    `fail`."""
    lonely = strata[strata["psus"] == 1]
    if len(lonely):
        raise InputError(
            [
                Problem(
                    f"{survey_id}: stratum {name or '(none)'} has only one PSU, which leaves no variance",
                    "merge it with a similar stratum, or choose `lonely_psu: adjust` under `design`",
                    file="survey.yaml",
                    variable="design.stratum",
                    code=name,
                )
                for survey_id, name in zip(lonely["survey_id"], lonely["name"], strict=True)
            ]
        )


def _changes(codes: np.ndarray) -> np.ndarray:
    changed = np.ones(len(codes), dtype=bool)
    changed[1:] = codes[1:] != codes[:-1]
    return changed
