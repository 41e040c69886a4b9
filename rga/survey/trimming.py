"""A cap on the largest weight, kept while the margins are met.

Belongs here: the cycle of trimming and calibrating. Not here: calibrating itself, what to say where both cannot be had.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rga.survey.calibration_solver import Fit

CYCLES = 50
TRIED = 6  # ratios that are tried for a remedy
CLOSE = 1e-9  # a weight this little above the cap, relatively, is at it


def trim_and_calibrate(refit: Callable[[np.ndarray], Fit], base: np.ndarray, fit: Fit, ratio: float) -> tuple[Fit, float, bool]:
    """Weights of at most ``ratio`` times their median that meet the margins: (fit, cap, whether both hold).

    ``fit`` is the calibration without a cap, ``refit(highest)`` the one with g at most ``highest`` (per unit), ``base`` the base
    weights. The ratio is to the *median* positive weight, which trimmed weights do not move, unlike a mean that rises with the
    outliers it should reveal (PISA cuts student weights at four times the median: OECD, PISA technical reports). Trimming
    and calibrating in turn until neither changes anything (Izrael, Battaglia and Frankel 2009) ends where w = min(d F(x'b), cap)
    and the margins are met; that is solved at once, as calibration with an upper bound of cap/d on g. As the median moves with
    the weights the cap is set again, at most 50 times, until it is ``ratio`` times the median it leads to.
    """
    present = base > 0

    def cap_of(fit: Fit) -> tuple[float, float]:
        weight = (base * fit.factor)[present]
        return ratio * float(np.median(weight[weight > 0])), float(weight.max())

    cap, largest = cap_of(fit)
    if largest <= cap:
        return fit, cap, True
    held: tuple[Fit, float] | None = None
    for _ in range(CYCLES):
        again = refit(np.divide(cap, base, out=np.full(len(base), np.inf), where=present))
        fit = replace(again, iterations=fit.iterations + again.iterations)
        if not fit.converged:
            break
        following, largest = cap_of(fit)
        if largest <= following * (1 + CLOSE):
            held = fit, cap
            if abs(following / cap - 1) <= CLOSE:
                break
        cap = following
    return (*held, True) if held else (fit, cap, False)


def smallest_ratio(refit: Callable[[np.ndarray], Fit], base: np.ndarray, fit: Fit, least: float) -> float:
    """A ratio, written with two decimals, that weights can be trimmed at: the first of a few between ``least`` and the ratio that
    weights have without trimming, tried in turn, as the median moves with the cap."""
    weight = (base * fit.factor)[base > 0]
    loosest = max(float(weight.max() / np.median(weight[weight > 0])), least)
    ratios = [np.ceil(101 * ratio) / 100 for ratio in np.geomspace(least, loosest, TRIED)]
    return next((float(r) for r in ratios[:-1] if trim_and_calibrate(refit, base, fit, r)[2]), float(ratios[-1]))
