"""Replicate weights that go into a research file.

Belongs here: replicates whose spread is the published standard error of every headline share. Not here: which respondents vary
together (``variance_groups``), the weights themselves (``shown_weights``), files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.privacy.headlines import GAP, GROUPS, Answers, compared
from rga.privacy.shown_weights import NEAR, dummies
from rga.privacy.soft_calibration import calibrated_softly
from rga.survey import TOTAL
from rga.survey.blas import one_blas_thread
from rga.survey.design import MEN, WOMEN

EXACT = 0.002  # standard errors of a category's size: how near margins are met
LEAST, MOST = 0.5, 4.0  # variance of a multiplier
CLOSE = 0.05  # ratio of standard errors less 1
INSIDE = 0.1  # of a share and of its complement, which every replicate keeps
CORRELATIONS = np.linspace(-0.95, 0.95, 191)


@one_blas_thread
def replicate_weights(
    weight: np.ndarray,
    group: np.ndarray | None,
    margins: pd.DataFrame,
    count: int,
    seed: int,
    given: Answers,
    figures: pd.DataFrame,
) -> np.ndarray:
    """``count`` whole replicate weights, respondents x replicates; variance is that of their spread, over R - 1.

    A generalised bootstrap (Beaumont and Patak 2012): every variance ``group`` (respondent, without) has a gamma multiplier of mean
    1, so that no category is ever empty. The variance of multipliers is such that the median headline share has its published
    standard error, as ``weight`` varies less than the published weights do. Replicates are then raked to what ``weight`` adds up to
    on ``margins``, and to headline shares that vary by as much as the published ones (replicates of estimated control totals:
    Fuller 1998; Opsomer and Erciulescu 2021).

    With ``weight`` and ``margins`` made of released columns, a replicate is a function of these, of published ``figures``, of the
    groups and of chance.
    """
    base, (in_category, sizes) = weight / weight.mean(), dummies(margins)
    on_margins = _Constraints(in_category, in_category.T @ base, EXACT * np.sqrt(sizes))
    unit = np.arange(len(weight)) if group is None else group
    made = on_margins.met_by(_multiplied(base, unit, 1.0, count, seed))
    if len(compared(figures, given, base, made)):
        ratio = compared(figures, given, base, made)["ratio"].median()
        drawn = _multiplied(base, unit, float(np.clip(ratio**-2, LEAST, MOST)), count, seed)
        varying = _varying(figures, given, base, on_margins.met_by(drawn))
        made = on_margins.met_with(varying, given, drawn)
        if also := _also_varying(figures, given, base, made, varying):
            made = on_margins.met_with([*varying, *also], given, drawn)
    return made * weight.mean()


@dataclass(frozen=True)
class _Constraints:
    """What ``calibrated_softly`` takes: columns, sums and tolerances."""

    columns: np.ndarray
    sums: np.ndarray
    tolerance: np.ndarray

    def met_by(self, drawn: np.ndarray) -> np.ndarray:
        """Each column of ``drawn``, calibrated."""
        return np.column_stack([calibrated_softly(one, self.columns, self.sums, self.tolerance) for one in drawn.T])

    def met_with(self, varying: list[_Varying], given: Answers, drawn: np.ndarray) -> np.ndarray:
        """Each column of ``drawn``, calibrated also to ``varying`` shares."""
        made = []
        for r in range(drawn.shape[1]):
            columns, tolerance = _columns(varying, given, r)
            sums = np.concatenate([self.sums, np.zeros(len(tolerance))])
            tolerances = np.concatenate([self.tolerance, tolerance])
            made.append(calibrated_softly(drawn[:, r], np.hstack([self.columns, columns]), sums, tolerances))
        return np.column_stack(made)


@dataclass(frozen=True)
class _Varying:
    """A share of a ``group`` in every replicate, which has the published standard error ``se``."""

    group: str
    indicator: int
    replicates: np.ndarray
    se: float


def _multiplied(base: np.ndarray, unit: np.ndarray, variance: float, count: int, seed: int) -> np.ndarray:
    """``base`` times multipliers of units, respondents x ``count``. As between PSUs of a stratum, n / (n - 1) is for the mean."""
    units = int(unit.max()) + 1
    variance *= units / (units - 1)
    return base[:, None] * np.random.default_rng(seed).gamma(1 / variance, variance, (units, count))[unit]


def _varying(figures: pd.DataFrame, given: Answers, base: np.ndarray, made: np.ndarray) -> list[_Varying]:
    """Shares of women and men (of everybody, where one is not printed) in the replicates ``made``, their deviations made to have
    the published standard errors, and such a correlation that those of everybody and of the gap fit best."""
    se = {(code, of): error for code, of, error in zip(figures["indicator"], figures["of"], figures["se"], strict=True)}
    shares = {group: given.shares(group, np.column_stack([base, made])) for group in GROUPS}
    sizes = {group: given.sums(group, base)[1] for group in GROUPS}
    found = []
    for k, code in enumerate(given.indicators):
        sides = [of for of in (WOMEN, MEN, TOTAL) if (code, of) in se][:2]  # where both are, everybody follows from them
        full, every = (np.array([shares[of][k][part] for of in sides]) for part in (0, slice(1, None)))
        if not sides or np.any(every.std(axis=1) < 1e-12):
            continue
        deviation, wanted = every - every.mean(axis=1, keepdims=True), np.array([se[code, of] for of in sides])
        covariance = np.atleast_2d(np.cov(deviation))
        correlation = np.eye(len(sides))
        if len(sides) == 2:
            part = np.array([sizes[of][k] for of in sides]) / sizes[TOTAL][k]
            between = None if TOTAL in sides else _correlation(wanted, part, se.get((code, TOTAL)), se.get((code, GAP)))
            if between is None:
                between = float(np.clip(np.corrcoef(deviation)[0, 1], CORRELATIONS[0], CORRELATIONS[-1]))
            correlation[0, 1] = correlation[1, 0] = between
        moved = np.linalg.solve(np.linalg.cholesky(covariance + 1e-12 * np.diag(np.diag(covariance))), deviation)
        moved = np.linalg.cholesky(correlation * np.outer(wanted, wanted)) @ moved
        for side, p, row, error in zip(sides, full, moved, wanted, strict=True):
            found.append(_Varying(side, k, _inside(p, row), float(error)))
    return found


def _also_varying(
    figures: pd.DataFrame, given: Answers, base: np.ndarray, made: np.ndarray, varying: list[_Varying]
) -> list[_Varying]:
    """Shares of everybody whose standard error in the replicates ``made`` is not yet the published one: of surveys in which the
    sex of many is not known, or suppressed."""
    found, place = [], {code: k for k, code in enumerate(given.indicators)}
    done = {one.indicator for one in varying if one.group == TOTAL}
    full, every = given.shares(TOTAL, base), given.shares(TOTAL, made)
    ratios = compared(figures, given, base, made)
    for code, se, ratio in ratios.loc[ratios["of"] == TOTAL, ["indicator", "se", "ratio"]].itertuples(index=False):
        k = place[code]
        if abs(ratio - 1) > CLOSE and ratio > 0 and k not in done:
            found.append(_Varying(TOTAL, k, _inside(full[k], (every[k] - every[k].mean()) / ratio), se))
    return found


def _inside(share: float, deviation: np.ndarray) -> np.ndarray:
    return np.clip(share + deviation, INSIDE * share, 1 - INSIDE * (1 - share))


def _correlation(se: np.ndarray, part: np.ndarray, of_total: float | None, of_gap: float | None) -> float | None:
    """The correlation of women's and men's shares, of standard errors ``se``, by which those of everybody, where they are ``part``
    of the base, and of the gap are nearest to the published ones; None where neither is printed."""
    far = np.zeros(len(CORRELATIONS))
    for wanted, sign in ((of_total, part), (of_gap, np.array([1.0, -1.0]))):
        if wanted is not None:
            variance = ((sign * se) ** 2).sum() + 2 * CORRELATIONS * (sign * se).prod()
            far = np.maximum(far, np.abs(np.log(np.sqrt(variance) / wanted)))
    return None if of_total is None and of_gap is None else float(CORRELATIONS[far.argmin()])


def _columns(varying: list[_Varying], given: Answers, replicate: int) -> tuple[np.ndarray, np.ndarray]:
    """A column per share that is 0 in sum where weights give its value in ``replicate``; and tolerances."""
    if not varying:
        return np.zeros((len(given.known), 0)), np.zeros(0)
    at = [one.indicator for one in varying]
    within = np.column_stack([given.group[one.group] for one in varying])
    wanted = np.array([one.replicates[replicate] for one in varying])
    known = within * given.known[:, at]
    return within * given.yes[:, at] - known * wanted, known.sum(axis=0) * NEAR * np.array([one.se for one in varying])
