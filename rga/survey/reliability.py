"""When a number is too thin to publish: verdicts on estimates that are already computed.

Belongs here: rules from counts and precision to an observation status. Not here: hiding the value, or disclosure
control.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rga.survey.intervals import korn_graubard

SUPPRESS_BELOW = 25
FLAG_BELOW = 50
INTERVAL = ("wide", "relative")  # rules on the width of the interval
_LARGEST_EDGE = 400  # respondents: of more, all weighing alike, the usual thresholds hide nothing by the interval


class NchsThresholds(Protocol):
    """Of `publication_rules.yaml`: ``n_effective``, ``df``, and interval widths as proportions of 1."""

    @property
    def n_effective(self) -> float: ...
    @property
    def narrow(self) -> float: ...
    @property
    def wide(self) -> float: ...
    @property
    def relative(self) -> float: ...
    @property
    def df(self) -> int: ...


def obs_status(n: np.ndarray, df: np.ndarray, suppress_below: int = SUPPRESS_BELOW, flag_below: int = FLAG_BELOW) -> np.ndarray:
    """SDMX observation status of each estimate from its unweighted cases ``n`` and its ``df``.

    `Q` (suppressed) where n < 25, `U` (low reliability) where n < 50 or no degree of freedom is left for an interval,
    else `A`: the rule of the Demographic and Health Surveys (Guide to DHS Statistics: under 25 not shown, 25-49 in
    parentheses). A gap takes the smaller of its two counts.
    """
    n, df = np.asarray(n), np.asarray(df)
    return np.select([n < suppress_below, (n < flag_below) | (df < 1)], ["Q", "U"], default="A")


@dataclass(frozen=True)
class Nchs:
    """Verdicts by share: ``step`` is the rule that decided, and what follows is true of shown shares only.

    ``step``: `n_effective` (suppressed), `narrow` (shown), `wide` (suppressed), `relative` (suppressed), `passed` (shown), or
    `undefined` (no standard error, or no degree of freedom: suppressed).
    """

    step: np.ndarray
    complement: np.ndarray
    few_df: np.ndarray
    bound: np.ndarray

    @property
    def suppressed(self) -> np.ndarray:
        return ~np.isin(self.step, ["narrow", "passed"])

    @property
    def flagged(self) -> np.ndarray:
        return self.complement | self.few_df | self.bound


def told_by_name(step: np.ndarray, n: np.ndarray, rules: NchsThresholds, values: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the name of the rule on the interval that hides a share of ``n`` respondents would leave fewer than ``values``
    counts, if all weigh alike; and where both names together would.

    Of 260 respondents, 10 is too wide for its size, 9 and 11 are not; of 228, only 8, 9 and 10 are hidden by the interval at all.
    """
    unnamed, known = np.zeros((2, *np.shape(n)), dtype=bool)
    interval = np.isin(step, INTERVAL)
    for size in np.unique(np.asarray(n)[interval & (n <= _LARGEST_EDGE)]).astype(int):
        p, degrees = np.arange(1, size) / size, np.full(size - 1, size - 1)
        of_count = nchs(p, np.sqrt(p * (1 - p) / size), np.full(size - 1, size), degrees, rules).step
        counts = [(of_count == name).sum() for name in INTERVAL]
        here = interval & (n == size)
        unnamed |= here & any(0 < count < values for count in counts)
        known |= here & (sum(counts) < values)
    return unnamed & ~known, known


def nchs(p: np.ndarray, se: np.ndarray, n: np.ndarray, df: np.ndarray, rules: NchsThresholds) -> Nchs:
    """Data presentation standards for proportions (Parker et al. 2017), in the order of CDC surveytable's ``.lpe_percents``.

    ``p`` and ``se`` are shares of 1. Effective n is p(1-p)/se^2, at most ``n``, and ``n`` where ``p`` is 0 or 1, where the width
    of the interval counts as 0; so that such a share is shown, for review, from 30 respondents on. The interval is Korn and
    Graubard's at 95 %, df in its effective n, which is capped at n (``korn_graubard``; surveytable: `adj = "nchs"`).
    """
    p, se, n, df = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (p, se, n, df)))
    bound = (p == 0) | (p == 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        n_effective = np.where(bound, n, np.minimum(p * (1 - p) / se**2, n))
        undefined, few = np.isnan(p) | np.isnan(se) | (df < 1), n_effective < rules.n_effective
        width, judged = np.zeros(p.shape), ~(undefined | few | bound)  # of the others the interval decides nothing, and takes long
        low, high = korn_graubard(p[judged], se[judged], n[judged], df[judged])
        width[judged] = high - low
        relative, of_complement = width / p, width / (1 - p)
    conditions = [
        undefined,
        few,
        width <= rules.narrow,
        width >= rules.wide,
        ~bound & (relative > rules.relative),
    ]
    step = np.select(conditions, ["undefined", "n_effective", "narrow", "wide", "relative"], default="passed")
    shown = np.isin(step, ["narrow", "passed"])
    return Nchs(step, (step == "passed") & (of_complement > rules.relative), shown & (df < rules.df), shown & bound)
