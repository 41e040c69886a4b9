"""Taylor-linearised variance with ultimate clusters, for every cell of a breakdown of every survey and every statistic at once.

Belongs here: sums of linearised values over PSUs and strata, degrees of freedom, lonely PSUs, covariance of two cells. Not here:
what is linearised.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_array

from rga.errors import InputError, Problem
from rga.survey.aggregation import Sums, changes


@dataclass(frozen=True)
class Units:
    """The distinct (cell, PSU) pairs of a breakdown, sorted by cell, stratum and PSU, as far as there is anybody in them.

    Long form, because most PSUs are in few cells. PSUs of a cell's strata that have nobody in the cell enter the variance as
    zeros, without being stored. Respondents of a stratum who have no PSU are one unit of ``psu`` -1. A block is a cell's share
    of a stratum.
    """

    cell: np.ndarray  # unit -> cell
    psu: np.ndarray  # unit -> PSU, -1: one PSU for each respondent
    block: np.ndarray  # unit -> block
    first_unit: np.ndarray  # block -> first unit
    stratum: np.ndarray  # block -> stratum
    first_block: np.ndarray  # cell -> first block
    of_groups: csr_array  # units x groups of the sums

    @classmethod
    def of(cls, sums: Sums, cell: np.ndarray) -> Units:
        """From the cell of each group of ``sums``, -1 for none: 0..C-1, all present."""
        kept = np.flatnonzero(cell >= 0)
        order = kept[np.lexsort((sums.psu[kept], sums.stratum[kept], cell[kept]))]
        c, h, psu = cell[order], sums.stratum[order], sums.psu[order]
        new_block = changes(c) | changes(h)
        new_unit = new_block | changes(psu)
        first = np.flatnonzero(new_unit)
        c, h, psu, new_block = c[first], h[first], psu[first], new_block[first]
        first_unit = np.flatnonzero(new_block)
        pointers = np.append(first, len(order))
        of_groups = csr_array((np.ones(len(order)), order, pointers), shape=(len(first), len(cell)))
        return cls(c, psu, np.cumsum(new_block) - 1, first_unit, h[first_unit], np.flatnonzero(changes(c[first_unit])), of_groups)

    def by_block(self, units: np.ndarray) -> np.ndarray:
        """Sum units x statistics over blocks."""
        return np.add.reduceat(units, self.first_unit, axis=0)

    def by_cell(self, units: np.ndarray) -> np.ndarray:
        """Sum units x statistics over cells."""
        return np.add.reduceat(units, self.first_unit[self.first_block], axis=0)

    def blocks_by_cell(self, blocks: np.ndarray) -> np.ndarray:
        return np.add.reduceat(blocks, self.first_block, axis=0)


@dataclass(frozen=True)
class Taylor:
    """Variance of each cell x statistic, and what differences of cells need besides.

    ``z`` are the units' linearised values, ``z_block`` their sums over blocks. ``raw`` is the variance before the rule `average`;
    ``psus``, ``strata`` and ``counted`` count those with answers (``counted``: strata that contribute).
    """

    units: Units
    z: np.ndarray
    z_block: np.ndarray
    answered: np.ndarray  # units x statistics: respondents who answered
    n_h: np.ndarray  # block -> PSUs of its stratum; infinite where it is alone, which has no mean of its own
    informs: np.ndarray  # block -> whether its stratum says anything of the variance
    scale: np.ndarray  # block -> (1 - f_h) n_h / (n_h - 1), or what the rule for lonely PSUs puts in its place
    raw: np.ndarray
    psus: np.ndarray
    strata: np.ndarray
    counted: np.ndarray


def taylor(
    units: Units, z: np.ndarray, own: np.ndarray | None, answered: np.ndarray, strata: pd.DataFrame, survey: np.ndarray
) -> Taylor:
    """Variance of sums of linearised values, PSUs taken as drawn with replacement within strata, or a fraction f_h without.

    ``z`` (units x statistics) are sums of linearised values, ``own`` the sums of their squares in units of psu -1, whose
    respondents are PSUs themselves; ``answered`` counts respondents of positive weight who answered. ``strata`` has ``psus``, the
    number of PSUs in the whole sample, n_h, ``fraction``, f_h, and ``lonely_psu``. With zeros for PSUs without anybody in the cell,

        V = sum_h (1 - f_h) n_h / (n_h - 1) * sum_c (z_hc - mean_h z)^2,          (Wolter 2007, ch. 6; R survey::svyrecvar)

    A stratum with one PSU in the whole sample adds its square around the mean over all PSUs of its survey (`adjust`; 0 for a ratio)
    or nothing (`remove`, `certainty`); `average` adds the mean of the domain's other strata, as R does. ``survey`` numbers each
    cell's survey, by the order of ``strata``.
    """
    n_h = strata["psus"].to_numpy()[units.stratum]
    rule = strata["lonely_psu"].to_numpy()[units.stratum]
    alone = n_h == 1
    is_psu = units.psu >= 0
    present = np.add.reduceat(is_psu.astype(np.int64), units.first_unit)
    z_block = units.by_block(z)
    centred = np.where(alone, np.inf, n_h)
    whole, lonely = _over_the_sample(units, z_block, strata, survey)
    of_block = units.cell[units.first_unit]
    mean = np.where(alone[:, None], whole[of_block], z_block / centred[:, None])
    # The two-pass form: the sum of squares minus the squared sum would lose digits and can turn negative.
    deviations = np.where(is_psu[:, None], (z - mean[units.block]) ** 2, 0.0)
    if own is not None:
        deviations += np.where(is_psu[:, None], 0.0, own - 2 * mean[units.block] * z)
    squares = units.by_block(deviations) + (n_h - present)[:, None] * mean**2
    informs = ~alone | (rule == "adjust")
    scale = np.where(informs, n_h / np.maximum(n_h - 1, 1), 0.0) * (1 - strata["fraction"].to_numpy()[units.stratum])
    raw = units.blocks_by_cell(scale[:, None] * np.maximum(squares, 0.0))
    # Lonely strata in which the cell has nobody are at 0, and so off the mean too.
    seen = units.blocks_by_cell(np.where(alone, scale, 0.0))
    raw += whole**2 * (lonely[survey] - seen)[:, None]

    in_block = units.by_block(np.where(is_psu[:, None], answered > 0, answered))
    has = in_block > 0
    return Taylor(
        units,
        z,
        z_block,
        answered,
        centred,
        informs,
        scale,
        raw,
        psus=units.blocks_by_cell(in_block).astype(np.int64),
        strata=units.blocks_by_cell(has.astype(np.int64)),
        counted=units.blocks_by_cell((has & informs[:, None]).astype(np.int64)),
    )


def _over_the_sample(units: Units, z_block: np.ndarray, strata: pd.DataFrame, survey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of z over all PSUs of each cell's survey, and by survey what its lonely strata under `adjust` count for.

    A linearised ratio's mean is 0 but for rounding, and is set to 0."""
    of_stratum = pd.factorize(strata["survey_id"])[0]
    psus = np.bincount(of_stratum, weights=strata["psus"])
    total, size = units.blocks_by_cell(z_block), units.blocks_by_cell(np.abs(z_block))
    adjusted = (strata["psus"] == 1) & (strata["lonely_psu"] == "adjust")
    lonely = np.bincount(of_stratum, weights=np.where(adjusted, 1 - strata["fraction"], 0.0))
    return np.where(np.abs(total) > 1e-12 * size, total, 0.0) / psus[survey][:, None], lonely


def finished(
    raw: np.ndarray, psus: np.ndarray, strata: np.ndarray, counted: np.ndarray, average: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Variance and degrees of freedom (PSUs minus strata), from what ``taylor`` counts; ``average``: rows under that rule.

    Where one PSU holds all answers of a cell, or every stratum is left out, z says nothing of the variance: NaN (R says 0).
    """
    variance = np.where(average[:, None], raw * strata / np.maximum(counted, 1), raw)
    variance[(psus <= 1) | (counted == 0)] = np.nan
    return variance, psus - strata


@dataclass(frozen=True)
class Shared:
    """Of pairs of cells: their ``covariance``, and the PSUs and strata in which both have answers."""

    covariance: np.ndarray
    psus: np.ndarray
    strata: np.ndarray
    counted: np.ndarray


def shared(found: Taylor, left: np.ndarray, right: np.ndarray) -> Shared:
    """Covariance of the cells ``left[i]`` and ``right[i]``, which have no respondent in common but may have PSUs and strata."""
    units, size = found.units, len(left)
    partner = np.full(len(units.first_block), -1)
    partner[left] = right
    pair = np.full(len(units.first_block), -1)
    pair[left] = np.arange(size)
    # PSUs in both cells
    psus = int(units.psu.max(initial=0)) + 2
    key = units.cell * psus + units.psu + 1
    mine = np.flatnonzero((partner[units.cell] >= 0) & (units.psu >= 0))
    other = np.searchsorted(key, partner[units.cell[mine]] * psus + units.psu[mine] + 1)
    both = (other < len(key)) & (key[np.minimum(other, len(key) - 1)] == partner[units.cell[mine]] * psus + units.psu[mine] + 1)
    mine, other = mine[both], other[both]
    # strata in both cells
    block_cell = units.cell[units.first_unit]
    strata = int(units.stratum.max(initial=0)) + 1
    block_key = block_cell * strata + units.stratum
    here = np.flatnonzero(partner[block_cell] >= 0)
    wanted = partner[block_cell[here]] * strata + units.stratum[here]
    there = np.minimum(np.searchsorted(block_key, wanted), len(block_key) - 1)
    match = block_key[there] == wanted
    here, there = here[match], there[match]

    place = np.full(len(block_key), -1)
    place[here] = np.arange(len(here))
    of_blocks = found.z_block[here] * found.z_block[there] / found.n_h[here][:, None]
    products = _sum_by(place[units.block[mine]], found.z[mine] * found.z[other], len(here)) - of_blocks
    of_pair = pair[block_cell[here]]
    covariance = _sum_by(of_pair, found.scale[here][:, None] * products, size)

    n_psus = _sum_by(pair[units.cell[mine]], (found.answered[mine] > 0) & (found.answered[other] > 0), size)
    in_block = units.by_block(found.answered)
    has = (in_block[here] > 0) & (in_block[there] > 0)
    n_strata, counted = (_sum_by(of_pair, which, size) for which in (has, has & found.informs[here][:, None]))
    return Shared(covariance, n_psus.astype(np.int64), n_strata.astype(np.int64), counted.astype(np.int64))


def _sum_by(code: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """Sum ``rows`` over those of each ``code``, 0..size-1."""
    return csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape=(size, len(code))) @ rows.astype(np.float64)


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
