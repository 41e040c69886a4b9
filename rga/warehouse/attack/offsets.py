"""Two sets of offsets, from sums of one of each that were seen.

Belongs here: with candidates for u_a + v_b by category a of one margin, and by category b of the other, most of them right: which u
and v agree with so many that it cannot be chance. Not here: where candidates come from, what u + v means (``model``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

CLOSE = 1e-8  # of the range of all candidates
AGREE = 2  # candidates, beyond which agreement is not by chance
SEEDS = 6
OPEN = 2  # rows of which too little was seen, for ``model`` to try

Seen = dict[str, np.ndarray]


@dataclass
class Offsets:
    """``rows``: u by category; ``columns``: pairs of category (None where no candidate says which) and v."""

    rows: dict[str, float]
    columns: list[tuple[str | None, float]]


def fitted(rows: Seen, columns: Seen, sizes: tuple[int, int]) -> Iterator[Offsets]:
    """Offsets of all categories, or nearly, that agree with candidates enough; ``sizes`` is how many the two margins have."""
    values = np.concatenate([*rows.values(), *columns.values(), np.zeros(0)])
    if not len(values):
        return
    close = CLOSE * max(np.ptp(values), 1e-12)
    for seed in _seeds(rows, columns, close):
        offsets = grown(seed, rows, columns, sizes, close)
        if len(offsets.rows) >= sizes[0] - OPEN and len(offsets.columns) == sizes[1]:
            yield offsets


def _seeds(rows: Seen, columns: Seen, close: float) -> Iterator[Offsets]:
    """A sum seen on both sides is of both categories; else, two rows whose candidates coincide when one is shifted."""
    matched = [(a, b, x) for a, xs in rows.items() for b, ys in columns.items() for x in xs[_hits(ys, xs, close)]]
    for a, b, x in matched[:SEEDS]:
        yield Offsets({a: 0.0}, [(b, x)])
    shifts = []
    names = list(rows)
    for at, a in enumerate(names):
        for b in names[at + 1 :]:
            between = np.subtract.outer(rows[b], rows[a]).ravel()
            count = np.array([_hits(rows[b], rows[a] + one, close).sum() for one in between])
            if len(count) and count.max() >= AGREE:
                best = float(between[count.argmax()])
                shifts.append((int(count.max()), a, b, best))
    for _, a, b, shift in sorted(shifts, reverse=True)[:SEEDS]:
        common = rows[a][_hits(rows[b], rows[a] + shift, close)]
        distinct = common[np.append(True, np.diff(common) > close)]
        yield Offsets({a: 0.0, b: shift}, [(None, float(v)) for v in distinct])


def grown(offsets: Offsets, rows: Seen, columns: Seen, sizes: tuple[int, int], close: float) -> Offsets:
    """``offsets`` with every other category whose own `AGREE` candidates, or more, put it in one place: the surest first."""
    while True:
        _name(offsets, columns, close)
        known = np.array([v for _, v in offsets.columns])
        named = {b for b, _ in offsets.columns}
        options: list[tuple[int, bool, str | None, float]] = []
        us = np.array(list(offsets.rows.values()))
        for a in sorted(set(rows) - set(offsets.rows)):
            of_columns = [columns[b] - v for b, v in offsets.columns if b in columns]
            guesses = _new(np.concatenate([np.subtract.outer(rows[a], known).ravel(), *of_columns]), us, close)
            options += [(_votes_of_row(a, u, offsets, rows, columns, close), True, a, u) for u in guesses]
        for b in sorted(set(columns) - named):
            guesses = _new(np.subtract.outer(columns[b], us).ravel(), known, close)
            options += [(_votes_of_column(b, v, offsets, rows, columns, close), False, b, v) for v in guesses]
        guesses = _new(np.concatenate([rows[a] - u for a, u in offsets.rows.items() if a in rows]), known, close)
        options += [(_votes_of_column(None, v, offsets, rows, columns, close), False, None, v) for v in guesses]
        full = len(offsets.columns) >= sizes[1]
        options = [option for option in options if option[0] >= AGREE and (option[1] or not full)]
        if not options:
            return _refined(offsets, rows, columns, close)
        _, is_row, name, value = max(options, key=lambda option: (option[0], option[2] is not None))
        if is_row:
            offsets.rows[str(name)] = value
        else:
            offsets.columns.append((name, value))


def _new(guesses: np.ndarray, known: np.ndarray, close: float) -> list[float]:
    """Those that are none of the ``known``."""
    found: list[float] = guesses[np.abs(guesses[:, None] - known).min(axis=1, initial=np.inf) > close].tolist()
    return found


def _name(offsets: Offsets, columns: Seen, close: float) -> None:
    """Give columns without a category that of the one candidates for which agree."""
    for place, (b, v) in enumerate(offsets.columns):
        if b is None:
            left = sorted(set(columns) - {name for name, _ in offsets.columns})
            fits = [name for name in left if _hits(columns[name], v + np.array(list(offsets.rows.values())), close).any()]
            if len(fits) == 1:
                offsets.columns[place] = fits[0], v


def _votes_of_row(a: str, u: float, offsets: Offsets, rows: Seen, columns: Seen, close: float) -> int:
    sums = np.array([u + v for _, v in offsets.columns])
    own = _hits(rows[a], sums, close)
    other = [b is not None and b in columns and bool(_hits(columns[b], np.array([u + v]), close)[0]) for b, v in offsets.columns]
    return int(own.sum()) + sum(other)


def _votes_of_column(b: str | None, v: float, offsets: Offsets, rows: Seen, columns: Seen, close: float) -> int:
    sums = np.array([u + v for u in offsets.rows.values()])
    own = _hits(columns[b], sums, close) if b is not None else np.zeros(len(sums), dtype=bool)
    other = [bool(_hits(rows[a], np.array([u + v]), close)[0]) for a, u in offsets.rows.items()]
    return int(own.sum()) + sum(other)


def _hits(seen: np.ndarray, sums: np.ndarray, close: float) -> np.ndarray:
    """Which of ``sums`` are among the ascending candidates ``seen``."""
    if not len(seen):
        return np.zeros(len(sums), dtype=bool)
    at = np.searchsorted(seen, sums)
    below, above = seen[np.maximum(at - 1, 0)], seen[np.minimum(at, len(seen) - 1)]
    return np.minimum(np.abs(below - sums), np.abs(above - sums)) <= close


def _refined(offsets: Offsets, rows: Seen, columns: Seen, close: float) -> Offsets:
    """The same by least squares over all candidates that agree."""
    names, equations, values = list(offsets.rows), [], []
    for i, (a, u) in enumerate(offsets.rows.items()):
        for j, (b, v) in enumerate(offsets.columns):
            for seen in (rows.get(a), columns.get(b) if b is not None else None):
                if seen is not None and _hits(seen, np.array([u + v]), close)[0]:
                    line = np.zeros(len(names) + len(offsets.columns))
                    line[i] = line[len(names) + j] = 1
                    equations.append(line)
                    values.append(seen[np.abs(seen - u - v).argmin()])
    solved = np.linalg.lstsq(np.array(equations), np.array(values), rcond=None)[0]
    kept = [(b, float(v)) for (b, _), v in zip(offsets.columns, solved[len(names) :], strict=True)]
    return Offsets(dict(zip(names, solved[: len(names)].tolist(), strict=True)), kept)
