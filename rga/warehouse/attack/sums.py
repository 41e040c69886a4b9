"""What classes of respondents, each of one weight, can add up to.

Belongs here: the counts by class that make a base of known size and population up, and the sums that parts of a base can have. Not
here: where the weights come from (``model``), which cells add up (``numerators``).
"""

from __future__ import annotations

from math import comb

import numpy as np


def compositions(weights: np.ndarray, most: np.ndarray, n: int, low: float, high: float, work: int) -> np.ndarray | None:
    """Every vector of counts by class, at most ``most``, that adds up to ``n`` respondents who weigh between ``low`` and ``high``;
    None where that would take more than ``work`` vectors to try.

    All classes but the two largest are tried; two equations in two unknowns have the others.
    """
    order = np.argsort(np.minimum(most, n), kind="stable")
    weights, most = weights[order], np.minimum(most, n)[order]
    back = np.argsort(order)
    if len(weights) == 1:
        fits = n <= most[0] and low <= n * weights[0] <= high
        return np.full((int(fits), 1), n)
    if not _few(most[:-2], n, work):
        return None
    tried, (first, second) = np.zeros((1, 0), dtype=np.int64), weights[-2:]
    for place in range(len(weights) - 2):
        counts = np.arange(int(most[place]) + 1)
        if len(tried) * len(counts) > 4 * work:
            return None
        total = np.add.outer(tried.sum(axis=1), counts)
        row, more = np.nonzero(total <= n)
        tried = np.column_stack([tried[row], more])
    left = n - tried.sum(axis=1)
    rest = tried @ weights[:-2]
    edges = ((low - rest - left * first) / (second - first), (high - rest - left * first) / (second - first))
    least, greatest = np.ceil(np.minimum(*edges)), np.floor(np.maximum(*edges))
    least, greatest = np.maximum(least, np.maximum(0, left - most[-2])), np.minimum(greatest, np.minimum(left, most[-1]))
    span = np.maximum(greatest - least + 1, 0).astype(np.int64)
    if span.sum() > work:
        return None
    row = np.repeat(np.arange(len(tried)), span)
    last = (least[row] + np.arange(len(row)) - np.repeat(np.cumsum(span) - span, span)).astype(np.int64)
    return np.column_stack([tried[row], left[row] - last, last])[:, back]


def _few(most: np.ndarray, n: int, work: int) -> bool:
    """Whether vectors of counts, at most ``most`` and ``n`` together, are no more than ``work``, or may be."""
    if float(np.prod(most + 1.0)) <= work:
        return True
    # Of classes whose `most` is no limit there are (n + k over k); the others only add to these.
    free = int((most >= n).sum())
    return bool(comb(n + free, free) <= work and np.prod(most + 1.0) <= 100.0 * work)


def parts(weights: np.ndarray, most: np.ndarray, size: int, high: float, work: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Numbers of respondents (at most ``size``) and their weight, of every vector of counts by class, at most ``most``, that weighs
    ``high`` or less; None where there are more than ``work``."""
    count, weight = np.zeros(1, dtype=np.int64), np.zeros(1)
    for place in np.argsort(-weights, kind="stable"):
        room = int(min(most[place], size, np.floor(high / weights[place]) if weights[place] > 0 else size))
        if len(count) * (room + 1) > 2 * work:
            return None
        more = np.arange(room + 1)
        count, weight = (count[:, None] + more).ravel(), (weight[:, None] + more * weights[place]).ravel()
        kept = (weight <= high) & (count <= size)
        count, weight = count[kept], weight[kept]
        if len(count) > work:
            return None
    return count, weight


def sample(weights: np.ndarray, most: np.ndarray, high: float, size: int) -> tuple[np.ndarray, np.ndarray]:
    """About ``size`` of the `parts` of a base of ``most`` respondents by class: those who come first in some random orders."""
    each = np.repeat(weights, most)
    orders = np.random.default_rng(0).permuted(np.tile(each, (size // (len(each) + 1) + 2, 1)), axis=1)
    sums = np.column_stack([np.zeros(len(orders)), np.cumsum(orders, axis=1)])
    count = np.tile(np.arange(len(each) + 1), (len(orders), 1))
    kept = sums <= high
    return count[kept], sums[kept]


def meet(
    left: tuple[np.ndarray, np.ndarray],
    right: tuple[np.ndarray, np.ndarray],
    low: float,
    high: float,
    enough: np.ndarray,
    pairs: int,
) -> tuple[list[set[int]], bool]:
    """Values that each column of counts has where a row of ``left`` and one of ``right`` together weigh ``low`` to ``high``.

    Each side is (counts, one column for each cell; weight). Stops, as seen enough, once every column has as many values as
    ``enough`` says; false where ``pairs`` were looked at before that or the end.
    """
    counts, weight = right
    order = np.argsort(weight, kind="stable")
    counts, weight = counts[order], weight[order]
    first = np.searchsorted(weight, low - left[1], side="left")
    span = np.searchsorted(weight, high - left[1], side="right") - first
    rows = np.random.default_rng(0).permutation(np.flatnonzero(span > 0))  # whatever there is, is soon seen
    seen = [np.zeros(int(column.max(initial=0)) + 1, dtype=bool) for column in (*left[0].T, *counts.T)]
    looked, size = 0, 4096
    while len(rows):
        taken = max(int(np.searchsorted(np.cumsum(span[rows]), size)), 1)
        chunk, rows, size = rows[:taken], rows[taken:], min(4 * size, pairs)
        at = np.repeat(chunk, span[chunk])
        other = (
            np.arange(len(at)) - np.repeat(np.cumsum(span[chunk]) - span[chunk], span[chunk]) + np.repeat(first[chunk], span[chunk])
        )
        for place, values in enumerate(seen):
            values[left[0][at, place] if place < left[0].shape[1] else counts[other, place - left[0].shape[1]]] = True
        looked += len(at)
        if looked > pairs or all(values.sum() >= few for values, few in zip(seen, enough, strict=True)):
            break
    enough_seen = all(values.sum() >= few for values, few in zip(seen, enough, strict=True))
    return [set(np.flatnonzero(values).tolist()) for values in seen], enough_seen or not len(rows)
