"""To how many digits numbers are printed: what a digit adds, and what it would give away.

Belongs here: steps and significant digits, and errors that contain a rounding. Not here: which numbers are hidden or rounded for
protection (``disclosure``), tables.

Notation: a number printed to a step s is the nearest multiple of s. A design effect has two significant digits, and the standard
error of a share follows from it and from the printed share, so that the error says no more of the share than the share itself does.
"""

from __future__ import annotations

import numpy as np

OF_ERROR = 0.2  # a step is at most this part of the standard error: the loss is at most half of it
DIGITS = 2  # of errors and design effects
_MANTISSAS = np.array([1.0, 2.0, 3.0, 5.0, 10.0])


def step_below(limit: np.ndarray) -> np.ndarray:
    """The largest of ..., 0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, ... that is at most ``limit``; 0 where that is 0, negative or unknown."""
    limit = np.asarray(limit, dtype=np.float64)
    known = np.isfinite(limit) & (limit > 0)
    safe = np.where(known, limit, 1.0) * (1 + 1e-12)  # 0.2 of 0.5 is 0.1, whatever the last bit says
    power = 10.0 ** np.floor(np.log10(safe))
    mantissa = _MANTISSAS[np.clip(np.searchsorted(_MANTISSAS, safe / power, side="right") - 1, 0, len(_MANTISSAS) - 1)]
    return np.where(known, _clean(mantissa * power, -np.floor(np.log10(safe))), 0.0)


def step_above(limit: float) -> float:
    """The smallest of ..., 1, 2, 3, 5, 10, ... that is at least ``limit`` (positive)."""
    power = float(step_below(np.array(limit / 10)))
    while power < limit:
        power = float(step_below(np.array(power * 2.01)))
    return power


def to_step(values: np.ndarray, step: np.ndarray | float) -> np.ndarray:
    """``values`` to the nearest multiple of ``step``; as they are where the step is 0."""
    values = np.asarray(values, dtype=np.float64)
    step = np.broadcast_to(np.asarray(step, dtype=np.float64), values.shape)
    coarse = np.isfinite(step) & (step > 0)
    safe = np.where(coarse, step, 1.0)
    return np.where(coarse, _clean(np.round(values / safe) * safe, 1 - np.floor(np.log10(safe))), values)


def to_digits(values: np.ndarray, digits: int = DIGITS) -> np.ndarray:
    """``values`` to so many significant digits."""
    values = np.asarray(values, dtype=np.float64)
    known = np.isfinite(values) & (values != 0)
    places = digits - 1 - np.floor(np.log10(np.abs(np.where(known, values, 1.0))))
    return np.where(known, _clean(values, places), values)


def outward(low: np.ndarray, high: np.ndarray, digits: int) -> tuple[np.ndarray, np.ndarray]:
    """Limits to so many significant digits of the larger of the two, never narrower than they were."""
    larger = np.fmax(np.abs(low), np.abs(high))
    known = np.isfinite(larger) & (larger > 0)
    places = digits - 1 - np.floor(np.log10(np.where(known, larger, 1.0)))
    unit = 10.0**-places
    down, up = (
        np.where(known, _clean(turn(v / unit + sign * 1e-7) * unit, places), v)
        for turn, v, sign in ((np.floor, low, 1), (np.ceil, high, -1))
    )
    return down, up


def with_rounding(se: np.ndarray, *steps: np.ndarray) -> np.ndarray:
    """Standard errors of numbers that are made of numbers rounded to ``steps``: as of any number in its place, a rounding adds a
    step's square by 12 to the variance (Sheppard 1898)."""
    variance = np.asarray(se, dtype=np.float64) ** 2
    for step in steps:
        variance = variance + np.nan_to_num(np.asarray(step, dtype=np.float64)) ** 2 / 12
    return np.sqrt(variance)


def of_printed_share(printed: np.ndarray, share: np.ndarray, se: np.ndarray, deff: np.ndarray) -> np.ndarray:
    """Standard errors of shares (of 1) from the ``printed`` share and the design effect to two digits.

    With V = se² / deff the variance of a simple random sample, which is p(1-p) times a function of sample and population size:
    sqrt(deff' V p'(1-p') / (p(1-p))), p' the printed share and deff' the printed design effect. ``se`` itself, to two digits, where
    there is no design effect (at 0 and 1).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = to_digits(deff) / deff * (printed * (1 - printed)) / (share * (1 - share))
    return np.where(np.isfinite(ratio) & (ratio > 0), se * np.sqrt(np.where(ratio > 0, ratio, 1.0)), to_digits(se))


def _clean(values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """``values`` to so many decimal places each, as the nearest double of the decimal number."""
    values, places = np.broadcast_arrays(np.asarray(values, dtype=np.float64), np.asarray(places, dtype=np.float64))
    found = np.array(values)
    for place in np.unique(places):
        at = places == place
        found[at] = np.round(values[at], int(np.clip(place, -300, 300)))
    return found
