"""Covariance of totals of influence values under a design: strata, PSUs, a second stage, finite populations, lonely PSUs.

Belongs here: how the sample was drawn, as codes of units, and the variance that follows. Not here: what is linearised, or where
respondents are kept; nor the sums of the one pass (``variance``), which hold no second stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.design import WHOLE, Design, LonelyPsu, shown
from rga.survey.fpc import extremes, fractions


@dataclass(frozen=True)
class Stage:
    """One stage of sampling: units within groups (PSUs within strata, or second-stage units within PSUs).

    ``group`` is the group of each unit, ascending; ``first`` the first unit of each group; ``fraction`` the share of each group's
    units that was sampled (0 with replacement).
    """

    group: np.ndarray
    first: np.ndarray
    fraction: np.ndarray

    @property
    def size(self) -> np.ndarray:
        """Units per group in the whole sample, whoever answered."""
        return np.diff(self.first, append=len(self.group))

    @property
    def whole(self) -> np.ndarray:
        """Groups of which every unit of the population is in the sample."""
        return self.fraction > WHOLE

    def covariance(self, z: np.ndarray, inside: np.ndarray, rule: LonelyPsu, outer: np.ndarray) -> np.ndarray:
        """Sum over groups g of outer_g (1 - f_g) n_g/(n_g - 1) sum_u (z_u - mean_g z)(z_u - mean_g z)', results x results."""
        off, scale = self._deviations(z, rule, outer)
        v = off.T @ (off * scale[:, None])
        stretch = self._stretch(inside, rule)
        return v if stretch is None else v * np.outer(stretch, stretch)

    def variance(self, z: np.ndarray, inside: np.ndarray, rule: LonelyPsu, outer: np.ndarray) -> np.ndarray:
        """The diagonal of `covariance`."""
        off, scale = self._deviations(z, rule, outer)
        v = scale @ np.square(off, out=off)
        stretch = self._stretch(inside, rule)
        return v if stretch is None else v * stretch**2

    def _deviations(self, z: np.ndarray, rule: LonelyPsu, outer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What units differ by from the mean of their group, and what its square counts."""
        size = self.size
        lonely = self._lonely
        scale = np.where(self.whole, 0.0, (1 - self.fraction) * size / np.maximum(size - 1, 1))
        centre = np.add.reduceat(z, self.first, axis=0) / size[:, None]
        if rule == "adjust" and lonely.any():
            centre[lonely] = z.mean(axis=0)  # under the other rules a lonely unit is its own mean, and adds nothing
        off = centre[self.group]
        return np.subtract(z, off, out=off), (outer * scale)[self.group]

    def _stretch(self, inside: np.ndarray, rule: LonelyPsu) -> np.ndarray | None:
        """Per result, under the rule `average`: the root of strata by strata with a variance."""
        lonely = self._lonely
        if rule != "average" or not lonely.any():
            return None
        present = self.any(inside)
        known = (present & ~lonely[:, None]).sum(axis=0)
        return np.sqrt(present.sum(axis=0) / np.maximum(known, 1))

    @property
    def _lonely(self) -> np.ndarray:
        return (self.size == 1) & ~self.whole

    def any(self, inside: np.ndarray) -> np.ndarray:
        """Groups x results from units x results: is any unit of the group inside?"""
        return np.logical_or.reduceat(inside, self.first, axis=0)


@dataclass(frozen=True)
class Stages:
    """A sample as nested codes. ``psus``: PSUs in strata; ``ssus``: second-stage units in PSUs where a second stage counts (the
    first has an fpc), else None. The ultimate units are the last of these; respondents in ``order`` are sorted by them, each unit's
    beginning at ``first``."""

    order: np.ndarray
    first: np.ndarray
    psus: Stage
    ssus: Stage | None
    lonely_psu: LonelyPsu

    def by_unit(self, rows: np.ndarray) -> np.ndarray:
        """Sums over ultimate units (of booleans: whether any), units x results, from respondents x results."""
        if len(self.first) == len(rows):
            return rows[self.order]
        add = np.logical_or if rows.dtype == bool else np.add
        return add.reduceat(rows[self.order], self.first, axis=0)

    def covariance(self, z: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Covariance matrix (results x results) of the column sums of ``z``, influence values summed by ultimate unit.

        ``inside`` (units x results): has the unit an answer of weight other than 0 in the result's domain? With n_h of N_h PSUs of
        stratum h, f_h = n_h/N_h, and m_i, f_i the same of second-stage units in PSU i,

            V = sum_h (1 - f_h) n_h/(n_h - 1) sum_i (z_hi - mean)^2 + sum_h f_h sum_i (1 - f_i) m_i/(m_i - 1) sum_j (z_hij - mean)^2

        (Särndal, Swensson and Wretman 1992, section 4.3; R ``svyrecvar``). A stratum of one PSU that is not the
        whole stratum adds, by ``lonely_psu``: ``adjust``, its square around the mean over all PSUs of the sample; ``remove`` and
        ``certainty``, nothing; ``average``, the mean of the other strata in the domain: row and column of a result are stretched by
        sqrt(strata / strata with a variance), which keeps the matrix positive semidefinite. A lonely second-stage unit is treated
        likewise.

        Where R survey 4.1-1 is not followed: under ``adjust`` it takes totals around 0 instead of the sample's mean (mended in its
        4.3); under ``average`` it has NaN where any PSU has one second-stage unit.
        """
        v = self._over_stages(Stage.covariance, z, inside)
        return (v + v.T) / 2

    def variance(self, z: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """The diagonal of `covariance`, without the rest."""
        return self._over_stages(Stage.variance, z, inside)

    def _over_stages(self, of_stage: Callable[..., np.ndarray], z: np.ndarray, inside: np.ndarray) -> np.ndarray:
        psu, psu_inside = z, inside
        if self.ssus is not None:
            psu, psu_inside = np.add.reduceat(z, self.ssus.first, axis=0), self.ssus.any(inside)
        v = of_stage(self.psus, psu, psu_inside, self.lonely_psu, np.ones(len(self.psus.first)))
        if self.ssus is not None:
            sampled = self.psus.fraction[self.psus.group]
            v = v + of_stage(self.ssus, z, inside & (sampled > 0)[self.ssus.group][:, None], self.lonely_psu, sampled)
        return v

    @property
    def unit(self) -> np.ndarray:
        """The ultimate unit of each respondent, numbered as `by_unit` has them."""
        number = np.zeros(len(self.order), dtype=np.int64)
        number[self.first[1:]] = 1
        unit = np.empty_like(number)
        unit[self.order] = np.cumsum(number)
        return unit

    def df(self, inside: np.ndarray) -> np.ndarray:
        """Degrees of freedom per result: PSUs minus strata, counting those with an answer of weight other than 0 in the domain."""
        psus = inside if self.ssus is None else self.ssus.any(inside)
        return psus.sum(axis=0) - self.psus.any(psus).sum(axis=0)

    def silent(self, inside: np.ndarray, of_ratios: np.ndarray) -> np.ndarray:
        """Results of whose variance the sample says nothing.

        Nobody answered; or every stratum of the domain was left out as lonely, or the whole sample is one PSU; or, for a ratio, one
        PSU holds all answers, so that its influence values add up to 0 whatever the truth (unless it stands in a stratum sampled
        whole).
        """
        psus = inside if self.ssus is None else self.ssus.any(inside)
        strata, size, whole = self.psus.any(psus), self.psus.size, self.psus.whole
        left_out = (size == 1) & ~whole & (self.lonely_psu != "adjust" or len(self.psus.group) == 1)
        alone = (psus.sum(axis=0) == 1) & of_ratios
        alone[alone] = (psus[:, alone] & ~whole[self.psus.group][:, None]).any(axis=0)
        return ~(strata & ~left_out[:, None]).any(axis=0) | alone


def stages_of(frame: pd.DataFrame, design: Design) -> Stages:
    """The codes of respondents' strata, PSUs and second-stage units.

    ``frame`` has the columns stratum, psu, ssu, fpc and ssu_fpc (missing throughout where the design has none). A missing PSU (or
    second-stage unit) makes the respondent one; missing strata are one stratum; ids are nested, so that an id which returns in
    another stratum (or PSU) is another; a missing fpc means with replacement. Raises InputError where an fpc is not positive, is
    less than what was sampled or varies within its stratum (PSU), and under ``fail`` naming every stratum of one PSU.
    """
    stratum_of, stratum = _codes(frame["stratum"])
    psu_of = _nested(stratum_of, frame["psu"])
    psus = _stage(psu_of, stratum_of, frame["fpc"], design.fpc or "fpc", frame["stratum"], "stratum")
    if design.lonely_psu == "fail":
        _refuse_lonely(psus, stratum)
    if not (psus.fraction > 0).any() or (design.ssu is None and design.ssu_fpc is None):
        return Stages(*_sorted(psu_of), psus, None, design.lonely_psu)
    ssu_of = _nested(psu_of, frame["ssu"])
    ssus = _stage(ssu_of, psu_of, frame["ssu_fpc"], design.ssu_fpc or "ssu_fpc", frame["psu"], "PSU")
    return Stages(*_sorted(ssu_of), psus, ssus, design.lonely_psu)


def _sorted(unit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(unit, kind="stable")
    return order, np.flatnonzero(np.diff(unit[order], prepend=-1))


def _codes(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    code, names = pd.factorize(column, sort=False, use_na_sentinel=False)
    return code, np.asarray(names)


def _nested(outer: np.ndarray, column: pd.Series) -> np.ndarray:
    """Codes of the distinct pairs of ``outer`` and ``column``, ascending with ``outer``; a missing id is one of its own."""
    code, names = pd.factorize(column)
    own = code < 0
    code = np.where(own, len(names) + np.cumsum(own), code)
    _, nested = np.unique(outer.astype(np.int64) * (int(code.max()) + 1) + code, return_inverse=True)
    return nested


def _stage(unit: np.ndarray, group: np.ndarray, fpc: pd.Series, variable: str, labels: pd.Series, called: str) -> Stage:
    _, row = np.unique(unit, return_index=True)
    of_unit = group[row]
    first = np.flatnonzero(np.diff(of_unit, prepend=-1))
    size = np.diff(first, append=len(of_unit))
    given = fpc.to_numpy(dtype=np.float64, na_value=np.nan)
    least, most = extremes(group, len(first), given)
    names = labels.to_numpy()[row[first]]
    return Stage(of_unit, first, fractions(size, least, most, variable, lambda place: shown(names[place]), called))


def _refuse_lonely(psus: Stage, names: np.ndarray) -> None:
    lonely = (psus.size == 1) & ~psus.whole
    if lonely.any():
        raise InputError(
            [
                Problem(
                    f"stratum {shown(name)} has only one PSU, which leaves no variance",
                    "merge it with a similar stratum, or choose `lonely_psu: adjust`",
                    variable="stratum",
                )
                for name in names[lonely]
            ]
        )
