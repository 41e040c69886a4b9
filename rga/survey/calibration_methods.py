"""How far a calibrated weight may be from its base weight: the distances of Deville and Särndal (1992), as functions of x'b.

Belongs here: g = F(u), its slope and integral by method, and bounds on g. Not here: solving for b, margins, respondents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
from scipy.special import expit

Method = Literal["raking", "linear", "logit", "poststratification"]
FAR = 100.0  # exp(-100): a solution that asks for this has none


class Curve(NamedTuple):
    """At each u: ``factor`` g = F(u), ``slope`` F'(u), and ``integral`` of F from 0 to u (the conjugate of the distance)."""

    factor: np.ndarray
    slope: np.ndarray
    integral: np.ndarray


class Distance(Protocol):
    """g is between ``low`` and ``high``, each a number or an element per unit; ``step`` is how far u may move at once, ``far`` a u
    that no problem with a solution reaches."""

    @property
    def low(self) -> float | np.ndarray: ...

    @property
    def high(self) -> float | np.ndarray: ...

    @property
    def step(self) -> float: ...

    @property
    def far(self) -> float: ...

    def at(self, u: np.ndarray) -> Curve: ...

    def inverse(self, factor: np.ndarray) -> np.ndarray: ...


class Linear:
    """F(u) = 1 + u: generalised regression (Deville and Särndal 1992, case 1)."""

    low, high, step, far = -np.inf, np.inf, np.inf, np.inf

    def at(self, u: np.ndarray) -> Curve:
        return Curve(1 + u, np.ones_like(u), u + u * u / 2)

    def inverse(self, factor: np.ndarray) -> np.ndarray:
        return factor - 1


class Raking:
    """F(u) = exp(u) (case 2): weights stay positive."""

    low, high, step, far = 0.0, np.inf, 5.0, FAR

    def at(self, u: np.ndarray) -> Curve:
        with np.errstate(over="ignore"):
            factor, integral = np.exp(u), np.expm1(u)
        return Curve(factor, factor, integral)

    def inverse(self, factor: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            return np.log(factor)


class Logit:
    """F(u) = (L(U-1) + U(1-L) e^(Au)) / (U-1 + (1-L) e^(Au)), A = (U-L) / ((1-L)(U-1)) (case 6): between L and U."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high
        self.rate = (high - low) / ((1 - low) * (high - 1))
        self.shift = float(np.log((1 - low) / (high - 1)))
        self.step, self.far = np.inf, np.inf  # bounded: a respondent far out rests at a bound

    def at(self, u: np.ndarray) -> Curve:
        width, place = self.high - self.low, self.rate * u + self.shift
        share = expit(place)
        slope = self.rate * width * share * expit(-place)
        integral = self.low * u + width / self.rate * (np.logaddexp(0, place) - np.logaddexp(0, self.shift))
        return Curve(self.low + width * share, slope, integral)

    def inverse(self, factor: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            odds = np.clip(factor - self.low, 0, None) / np.clip(self.high - factor, 0, None)
            return (np.log(odds) - self.shift) / self.rate


@dataclass(frozen=True)
class Bounded:
    """A distance with g cut off at ``low`` and ``high`` (case 7 for the linear one)."""

    distance: Distance
    low: float | np.ndarray
    high: float | np.ndarray

    @property
    def step(self) -> float:
        return self.distance.step

    @property
    def far(self) -> float:
        return self.distance.far

    def at(self, u: np.ndarray) -> Curve:
        least, most = self.inverse(np.asarray(self.low)), self.inverse(np.asarray(self.high))
        cut = np.clip(u, least, most)
        factor, slope, integral = self.distance.at(cut)
        factor = np.clip(factor, self.low, self.high)  # F(inverse) is off by a rounding
        return Curve(factor, np.where(cut == u, slope, 0.0), integral + factor * (u - cut))

    def inverse(self, factor: np.ndarray) -> np.ndarray:
        return self.distance.inverse(factor)


def distance_of(method: Method, bounds: tuple[float, float] | None, highest: np.ndarray | None = None) -> Distance:
    """The distance of ``method`` within ``bounds``, with g at most ``highest`` (per unit, from trimming)."""
    if method == "logit":
        assert bounds is not None
        inner: Distance = Logit(*bounds)
        low, high = bounds
    else:
        inner = Linear() if method == "linear" else Raking()
        low, high = bounds or (-np.inf if method == "linear" else 0.0, np.inf)
        if highest is None and bounds is None:
            return inner
    if highest is None:
        return inner if method == "logit" else Bounded(inner, low, high)
    return Bounded(inner, low, np.minimum(highest, high))
