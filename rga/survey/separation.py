"""Whether a logistic regression has an estimate at all.

Belongs here: complete and quasi-complete separation. Not here: fitting (``glm``).
"""

from __future__ import annotations

import numpy as np


def separating_columns(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Columns of ``x`` (respondents x p) by which a linear combination tells y = 1 from y = 0; none where there is an estimate.

    The likelihood of a logistic regression has a maximum unless some b, X b not 0, has x'b >= 0 wherever y = 1 and x'b <= 0
    wherever y = 0 (Albert and Anderson 1984); found by maximising the sum of +-x'b over -1 <= b <= 1 (Konis 2007, section 4.3).
    Returns the positions where that b is not 0. Weights do not matter, but for being positive.
    """
    from scipy.optimize import linprog  # slow to import, and seldom needed

    rows = np.unique(np.column_stack([np.where(y[:, None] > 0.5, x, -x)]), axis=0)
    # What would separate a row and its opposite cannot be other than 0 on it: both stay, as two inequalities.
    solved = linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1), method="highs")
    found = solved.x if solved.status == 0 else np.zeros(x.shape[1])
    return np.flatnonzero(np.abs(found) > 1e-6) if -solved.fun > 1e-6 else np.array([], dtype=int)
