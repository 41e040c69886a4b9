"""Replicate weights that go into a research file.

Belongs here: multipliers of variance units, calibrated on the margins as released and on published standard errors. Not here: which
respondents vary together (``variance_groups``), files.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.privacy.headlines import GAP, GROUPS, Answers, compared
from rga.privacy.shown_weights import NEAR, dummies
from rga.privacy.soft_calibration import calibrated_softly
from rga.survey import TOTAL
from rga.survey.design import MEN, WOMEN

EXACT = 0.002  # standard errors: how near the margins are met
LEAST, MOST = 0.5, 4.0  # variance of a multiplier
NEAREST = 0.1  # of a share, and of its complement: a replicate's share goes no nearer to 0 and 1


def replicate_weights(
    weight: np.ndarray,
    group: np.ndarray | None,
    margins: pd.DataFrame,
    count: int,
    seed: int,
    given: Answers,
    figures: pd.DataFrame,
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    unit = np.arange(len(weight)) if group is None else group
    units = int(unit.max()) + 1
    in_category, sizes = dummies(margins)
    exact, sums = EXACT * np.sqrt(sizes), in_category.T @ weight / weight.mean()
    base = weight / weight.mean()

    def drawn(variance: float) -> np.ndarray:
        variance *= units / (units - 1)
        return base[:, None] * rng.gamma(1 / variance, variance, (units, count))[unit]

    def raked(before: np.ndarray) -> np.ndarray:
        return np.column_stack([calibrated_softly(before[:, r], in_category, sums, exact) for r in range(count)])

    def ratios(made: np.ndarray) -> pd.Series:
        return compared(figures, given, base, made)["ratio"]

    made = raked(drawn(1.0))
    print('   ratios v=1', ratios(made).quantile([0,.25,.5,.75,1]).round(2).tolist())
    if len(figures):
        variance = float(np.clip(1 / np.median(ratios(made)) ** 2, LEAST, MOST))
        before = drawn(variance)
        made = raked(before)
        print('   v',round(variance,2), ratios(made).quantile([0,.25,.5,.75,1]).round(2).tolist())
        wanted = wanted_shares(figures, given, base, made)
        made = np.column_stack([_onto(wanted, r, before[:, r], in_category, sums, exact, given) for r in range(count)])
        print('   final', ratios(made).quantile([0,.25,.5,.75,1]).round(2).tolist())
    return made * weight.mean()


def wanted_shares(figures, given, base, made):
    """list of (group, indicator place, theta*(R), se)"""
    of = {(i, g): (v, s, t) for i, g, v, s, t in figures[["indicator", "of", "value", "se", "step"]].itertuples(index=False)}
    found = []
    shares = {g: given.shares(g, made) for g in GROUPS}
    full = {g: given.shares(g, base) for g in GROUPS}
    for k, code in enumerate(given.indicators):
        sides = [g for g in (WOMEN, MEN) if (code, g) in of] or [g for g in (TOTAL,) if (code, g) in of]
        if not sides:
            continue
        d = np.array([shares[g][k] for g in sides])
        d = d - d.mean(axis=1, keepdims=True)
        se = np.array([of[code, g][1] for g in sides])
        C = np.atleast_2d(np.cov(d))
        if (np.diag(C) <= 0).any():
            continue
        corr = C[0, 1] / np.sqrt(C[0, 0] * C[1, 1]) if len(sides) == 2 else 0
        if len(sides) == 2 and (code, GAP) in of:
            corr = (se @ se - of[code, GAP][1] ** 2) / (2 * se.prod())
        P = np.outer(se, se) * (np.array([[1, corr], [corr, 1]]) if len(sides) == 2 else 1)
        if len(sides) == 2:
            c = np.clip(corr, -0.95, 0.95); P[0, 1] = P[1, 0] = c * se.prod()
        d = np.linalg.cholesky(P) @ np.linalg.solve(np.linalg.cholesky(C), d)
        for g, row in zip(sides, d):
            p = full[g][k][()] if np.ndim(full[g][k])==0 else full[g][k]
            found.append((g, k, np.clip(p + row, NEAREST * p, 1 - NEAREST * (1 - p)), of[code, g][1]))
    return found


def _onto(wanted, r, before, in_category, sums, exact, given):
    at = [k for _, k, *_ in wanted]
    within = np.column_stack([given.group[g] for g, *_ in wanted])
    theta = np.array([t[r] for _, _, t, _ in wanted]); se = np.array([s for *_, s in wanted])
    cols = within * (given.yes[:, at] - given.known[:, at] * theta)
    D = (within * given.known[:, at]).sum(axis=0)
    return calibrated_softly(before, np.hstack([in_category, cols]), np.concatenate([sums, np.zeros(len(se))]), np.concatenate([exact, NEAR * se * D]))
