"""k-anonymity: classes of respondents who look alike, and the answers that are suppressed until nobody stands out.

Belongs here: class sizes and local suppression. Not here: coarsening (``anonymise``), what risk is left (``risk``).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

UNKNOWN = "?"  # a missing or suppressed answer is a value of its own: it is taken for no other


def classes(frame: pd.DataFrame) -> np.ndarray:
    """The class of each row, 0, 1, ...: rows that agree in every column, missing answers included."""
    if frame.shape[1] == 0:
        return np.zeros(len(frame), dtype=np.intp)
    known = frame.astype("object").where(frame.notna(), UNKNOWN).astype(str)
    return pd.factorize(pd.MultiIndex.from_frame(known))[0]


def class_sizes(frame: pd.DataFrame) -> np.ndarray:
    """How many rows look like each row, itself included."""
    found = classes(frame)
    return np.bincount(found, minlength=1)[found] if len(found) else found


def suppress(frame: pd.DataFrame, k: int) -> pd.DataFrame:
    """``frame`` with answers removed until every class has ``k`` rows or more.

    Rows that stand out lose as few answers as will do, of the later columns first: each set of columns is tried, the smaller
    first, and removed from those rows that then are ``k`` alike, with others that lost or lack the same. What is left over loses
    every answer, together with the smallest class that makes up ``k`` (local suppression; Hundepool et al. 2012, section 3.6, by
    greedy search). Raises ValueError with fewer than ``k`` rows.
    """
    if len(frame) < k:
        raise ValueError(f"{len(frame)} rows cannot be {k} alike")
    done = frame.astype("object").where(frame.notna(), None)
    names = list(frame.columns)
    for size in range(1, len(names) + 1):
        for chosen in combinations(reversed(names), size):
            small = class_sizes(done) < k
            if not small.any():
                return done
            tried = done.copy()
            tried.loc[small, list(chosen)] = None
            enough = small & (class_sizes(tried) >= k)
            done.loc[enough, list(chosen)] = None
    while (small := class_sizes(done) < k).any():
        others = pd.Series(classes(done))[~small].value_counts()
        joined = small | (classes(done) == others.idxmin()) if len(others) else np.ones(len(done), dtype=bool)
        done.loc[joined, names] = None
    return done
