"""k-anonymity: classes of respondents who look alike, and the answers that are suppressed until nobody stands out.

Belongs here: class sizes and local suppression. Not here: coarsening (``anonymise``), what risk is left (``risk``).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

UNKNOWN = 0  # the number of a missing or suppressed answer: a value of its own, which is taken for no other


def classes(frame: pd.DataFrame) -> np.ndarray:
    """The class of each row, 0, 1, ...: rows that agree in every column, missing answers included."""
    return _classes(_numbers(frame))


def class_sizes(frame: pd.DataFrame) -> np.ndarray:
    """How many rows look like each row, itself included."""
    return _sizes(_numbers(frame))


def suppress(frame: pd.DataFrame, k: int) -> pd.DataFrame:
    """``frame`` with answers removed until every class has ``k`` rows or more.

    Rows that stand out lose as few answers as will do, of the later columns first: each set of columns is tried, the smaller
    first, and removed from those rows that then are ``k`` alike, with others that lost or lack the same. What is left over loses
    every answer, together with the smallest class that makes up ``k`` (local suppression; Hundepool et al. 2012, section 3.6, by
    greedy search). Raises ValueError with fewer than ``k`` rows.
    """
    if len(frame) < k:
        raise ValueError(f"{len(frame)} rows cannot be {k} alike")
    numbers = _numbers(frame)
    columns = range(numbers.shape[1])
    for chosen in (np.array(some) for size in columns for some in combinations(reversed(columns), size + 1)):
        small = _sizes(numbers) < k
        if not small.any():
            break
        tried = numbers.copy()
        tried[np.ix_(np.flatnonzero(small), chosen)] = UNKNOWN
        numbers[np.ix_(np.flatnonzero(small & (_sizes(tried) >= k)), chosen)] = UNKNOWN
    while (small := _sizes(numbers) < k).any():
        others = pd.Series(_classes(numbers)[~small]).value_counts()
        numbers[small | (_classes(numbers) == others.idxmin()) if len(others) else slice(None)] = UNKNOWN
    return frame.astype("object").where(frame.notna() & (numbers != UNKNOWN), None)


def _numbers(frame: pd.DataFrame) -> np.ndarray:
    """Rows x columns: answers as numbers from 1 on."""
    numbers = [pd.factorize(frame[name].astype("object"))[0] + 1 for name in frame]
    return np.column_stack(numbers) if numbers else np.zeros((len(frame), 0), dtype=np.int64)


def _classes(numbers: np.ndarray) -> np.ndarray:
    found = np.zeros(len(numbers), dtype=np.int64)
    for column in numbers.T:
        found = pd.factorize(found * (column.max(initial=0) + 1) + column)[0]
    return found


def _sizes(numbers: np.ndarray) -> np.ndarray:
    found = _classes(numbers)
    return np.bincount(found, minlength=1)[found] if len(found) else found
