"""When a number is too thin to publish: verdicts on estimates that are already computed.

Belongs here: rules from counts and precision to an observation status. Not here: hiding the value, or disclosure
control.
"""

from __future__ import annotations

import numpy as np

SUPPRESS_BELOW = 25
FLAG_BELOW = 50


def obs_status(n: np.ndarray, df: np.ndarray, suppress_below: int = SUPPRESS_BELOW, flag_below: int = FLAG_BELOW) -> np.ndarray:
    """SDMX observation status of each estimate from its unweighted cases ``n`` and its ``df``.

    `Q` (suppressed) where n < 25, `U` (low reliability) where n < 50 or no degree of freedom is left for an interval,
    else `A`: the rule of the Demographic and Health Surveys (Guide to DHS Statistics: under 25 not shown, 25-49 in
    parentheses). A gap takes the smaller of its two counts.
    """
    n, df = np.asarray(n), np.asarray(df)
    return np.select([n < suppress_below, (n < flag_below) | (df < 1)], ["Q", "U"], default="A")
