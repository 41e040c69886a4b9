"""How weights are spread, in bins that hold enough respondents to be shown.

Belongs here: counts of respondents by size of weight. Not here: one-number summaries (``diagnostics``), pictures.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

FEWEST = 5  # respondents in a bin: fewer are not shown on their own


def weight_bins(weights: np.ndarray, bins: int = 24) -> pd.DataFrame:
    """Positive ``weights`` over their mean, in bins of equal width on a log scale: low, high, n.

    A bin of fewer than 5 respondents is merged with the next, the last ones with the one before: fewer bins where few are.
    """
    weights = np.asarray(weights, dtype=np.float64)
    relative = weights[weights > 0] / weights[weights > 0].mean()
    low, high = float(relative.min()), float(relative.max())
    if high / low < 1 + 1e-9:
        return pd.DataFrame({"low": [low], "high": [high], "n": [len(relative)]})
    edges = np.geomspace(low, high, bins + 1)
    counts, _ = np.histogram(np.clip(relative, low, high), bins=np.r_[edges[:-1], np.inf])
    kept, held = [float(edges[0])], 0
    n: list[int] = []
    for edge, count in zip(edges[1:], counts, strict=True):
        held += int(count)
        if held >= FEWEST:
            kept.append(float(edge))
            n.append(held)
            held = 0
    if held and n:
        n[-1] += held
    elif held:
        n.append(held)
        kept.append(high)
    kept[-1] = high
    return pd.DataFrame({"low": kept[:-1], "high": kept[1:], "n": n})
