"""A cap on the largest weight, kept while the margins are met.

Belongs here: the cycle of trimming and calibrating. Not here: calibrating itself, what to say where both cannot be had.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from rga.survey.calibration_solver import Fit

CYCLES = 50
CLOSE = 1e-9  # a weight this little above the cap, relatively, is at it


def trim_and_calibrate(refit: Callable[[np.ndarray], Fit], base: np.ndarray, fit: Fit, ratio: float) -> tuple[Fit, float, bool]:
    """Weights of at most ``ratio`` times their median that meet the margins: (fit, cap, whether both hold).

    ``fit`` is the calibration without a cap, ``refit(highest)`` the one with g at most ``highest`` (per unit), ``base`` the base
    weights. The ratio is to the *median* positive weight, the reference that the trimmed weights do not move (Potter 1990 and Van
    de Kerckhove, Mohadjer and Krenzke 2014 trim at a multiple of it; a mean rises with the outliers it should reveal). Trimming
    and calibrating in turn until neither changes anything (Izrael, Battaglia and Frankel 2009) ends where w = min(d F(x'b), cap)
    and the margins are met; that is solved at once, as calibration with an upper bound of cap/d on g. As the median moves with
    the weights the cap is set again, at most 50 times, until it holds.
    """
    present = base > 0
    for _ in range(CYCLES):
        weight = (base * fit.factor)[present]
        cap = ratio * float(np.median(weight[weight > 0]))
        if weight.max() <= cap * (1 + CLOSE):
            return fit, cap, True
        again = refit(np.divide(cap, base, out=np.full(len(base), np.inf), where=present))
        fit = replace(again, iterations=fit.iterations + again.iterations)
        if not fit.converged:
            return fit, cap, False
    return fit, cap, False
