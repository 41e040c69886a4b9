"""What is drawn, and which figures of it are held against the truth.

Belongs here: the designs of docs/coverage.md and their quantities. Not here: populations (``known_population``), estimation
(``coverage``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pandas as pd

from rga.survey import LonelyPsu, Mean, Quantile, Ratio, Share, Total
from rga.survey.statistics import Statistic
from tests.simulation import known_population as known

SURVEY_N = 1_500
GAP, RATIO_OF_SHARES = "gap", "ratio"
EVEN = np.full(8, 15)
PAIRS = np.full(8, 2)
UNEVEN = np.array([1, 1, 2, 2, 4, 4, 8, 8])


@dataclass(frozen=True)
class Quantity:
    """A statistic among the people of ``domain``; ``contrast``: of women less (`gap`) or over (`ratio`) that of men."""

    statistic: Statistic
    domain: Mapping[str, str] = field(default_factory=dict)
    contrast: str = ""

    @property
    def breakdown(self) -> tuple[str, ...]:
        return (*self.domain, *(["sex"] if self.contrast else []))

    @property
    def label(self) -> str:
        kind = type(self.statistic).__name__.lower()
        what = {"quantile": "median"}.get(kind, kind)
        contrast = {GAP: ", women minus men", RATIO_OF_SHARES: ", women / men"}.get(self.contrast, "")
        domain = "".join(f", {category}" for category in self.domain.values())
        return f"{what} {self.statistic.code}{contrast}{domain}"

    @property
    def percent(self) -> bool:
        return isinstance(self.statistic, Share) and self.contrast != RATIO_OF_SHARES

    def truth(self, population: pd.DataFrame) -> float:
        """Of the whole population, by plain arithmetic."""
        those = np.ones(len(population), dtype=bool)
        for name, category in self.domain.items():
            those &= (population[name] == category).to_numpy()
        if not self.contrast:
            return self._of(population[those])
        women, men = (self._of(population[those & (population["sex"] == sex).to_numpy()]) for sex in "FM")
        return women - men if self.contrast == GAP else women / men

    def influence(self, population: pd.DataFrame) -> np.ndarray:
        """What each person adds to the estimate, linearised; not of a median."""
        if not self.contrast:
            return self._influence(population, np.ones(len(population), dtype=bool))
        sides = [self._influence(population, (population["sex"] == sex).to_numpy()) for sex in "FM"]
        if self.contrast == GAP:
            return sides[0] - sides[1]
        women, men = (self._of(population[population["sex"] == sex]) for sex in "FM")
        return sides[0] / women - sides[1] / men

    def _influence(self, population: pd.DataFrame, those: np.ndarray) -> np.ndarray:
        for name, category in self.domain.items():
            those = those & (population[name] == category).to_numpy()
        match self.statistic:
            case Share():
                y, x = population[self.statistic.numerator], pd.Series(1.0, population.index)
            case Ratio():
                y, x = population[self.statistic.numerator], population[self.statistic.denominator]
            case Mean() | Total():
                y, x = population[self.statistic.value], pd.Series(1.0, population.index)
            case _:
                raise TypeError(self.statistic)
        top, base = those * y.to_numpy(dtype=float), those * x.to_numpy(dtype=float)
        return top if isinstance(self.statistic, Total) else (top - top.sum() / base.sum() * base) / base.sum()

    def _of(self, people: pd.DataFrame) -> float:
        match self.statistic:
            case Share():
                return float(people[self.statistic.numerator].mean())
            case Mean():
                return float(people[self.statistic.value].mean())
            case Total():
                return float(people[self.statistic.value].sum())
            case Ratio():
                return float(people[self.statistic.numerator].sum() / people[self.statistic.denominator].sum())
            case Quantile():
                return float(np.quantile(people[self.statistic.value], self.statistic.q, method="inverted_cdf"))
            case _:
                raise TypeError(self.statistic)


WORKS, RARE, MONEY = (Share(name, "", name) for name in ("works", "rare", "mobile_money"))
HOURS, INCOME = Mean("hours", "", "hours"), Mean("income", "", "income")
MEDIAN = Quantile("hours", "", "hours")
FEES = Ratio("fees / children", "", "fees", "children")
TOTAL_INCOME, TOTAL_RARE = Total("income", "", "income"), Total("rare", "", "rare")

CORE = (
    Quantity(WORKS), Quantity(RARE), Quantity(MONEY),
    Quantity(WORKS, {"residence": "rural"}), Quantity(RARE, {"age_group": "18-24"}),
    Quantity(HOURS), Quantity(INCOME), Quantity(TOTAL_INCOME), Quantity(FEES),
    Quantity(WORKS, contrast=GAP), Quantity(RARE, contrast=GAP), Quantity(HOURS, contrast=GAP),
    Quantity(WORKS, {"residence": "rural"}, GAP), Quantity(RARE, contrast=RATIO_OF_SHARES),
)  # fmt: skip
WITH_MEDIAN = (*CORE, Quantity(MEDIAN))
SHORT = (Quantity(WORKS), Quantity(RARE), Quantity(HOURS), Quantity(TOTAL_INCOME), Quantity(WORKS, contrast=GAP))
DOMAIN_SHARES = tuple(Quantity(Share(name, "", name), {"domain": f"d{size}"}) for size in known.DOMAINS for name in known.RARE)

Draw = Callable[[pd.DataFrame, np.random.Generator], known.Sampled]


@dataclass(frozen=True)
class SampleDesign:
    """One way to draw samples of one population. ``seed`` is that of the samples: designs that share it share samples."""

    key: str
    title: str
    population: Callable[[], pd.DataFrame]
    draw: Draw
    seed: int
    quantities: tuple[Quantity, ...]
    raked: bool = False
    lonely_psu: LonelyPsu = "adjust"


@cache
def _city() -> pd.DataFrame:
    return known.unclustered(200_000, seed=1)


@cache
def _country() -> pd.DataFrame:
    return known.clustered(8, 400, 100, seed=2)


@cache
def _villages() -> pd.DataFrame:
    return known.clustered(8, 45, 20, seed=3)


def _srs(population: pd.DataFrame, rng: np.random.Generator) -> known.Sampled:
    return known.simple_random(population, SURVEY_N, rng)


def _operator(population: pd.DataFrame, rng: np.random.Generator) -> known.Sampled:
    return known.by_operator(population, SURVEY_N, rng)


def _called(population: pd.DataFrame, rng: np.random.Generator) -> known.Sampled:
    return known.by_operator(population, SURVEY_N, rng, answering=False)


def _staged(psus: np.ndarray, take: int, pps: bool = True) -> Draw:
    return lambda population, rng: known.two_stage(population, psus, take, rng, pps)


DESIGNS = (
    SampleDesign("A0", "simple random sample of 1,500, not calibrated", _city, _srs, 10, WITH_MEDIAN),
    SampleDesign("A1", "the same samples, raked to sex × age and sex × schooling", _city, _srs, 10, WITH_MEDIAN, raked=True),
    SampleDesign(
        "A2", "1,500 drawn by telephone operator (chances 1 : 3), answering by sex, age and schooling, raked to these",
        _city, _operator, 12, WITH_MEDIAN, raked=True,
    ),
    SampleDesign("B1", "8 strata × 15 PSUs (PPS) × 12 people", _country, _staged(EVEN, 12), 20, WITH_MEDIAN),
    SampleDesign("B2", "the same samples, raked", _country, _staged(EVEN, 12), 20, CORE, raked=True),
    SampleDesign(
        "B3", "8 strata × 15 PSUs (simple random sample of PSUs) × 12 people",
        _country, _staged(EVEN, 12, pps=False), 21, CORE,
    ),
    SampleDesign(
        "B4", "8 strata × 15 of 45 PSUs (simple random sample), everybody in them, with fpc",
        _villages, _staged(EVEN, 1_000, pps=False), 22, CORE,
    ),
    SampleDesign("B5", "8 strata × 2 PSUs (PPS) × 40 people: 8 degrees of freedom", _country, _staged(PAIRS, 40), 23, CORE),
    SampleDesign(
        "B6", "strata of 1, 1, 2, 2, 4, 4, 8, 8 PSUs (PPS) × 20 people; lonely PSUs: `adjust`",
        _country, _staged(UNEVEN, 20), 24, SHORT,
    ),
    SampleDesign("B7", "the same samples; lonely PSUs: `average`", _country, _staged(UNEVEN, 20), 24, SHORT, lonely_psu="average"),
    SampleDesign("B8", "the same samples; lonely PSUs: `remove`", _country, _staged(UNEVEN, 20), 24, SHORT, lonely_psu="remove"),
    SampleDesign(
        "C1", "simple random sample of 1,500",
        lambda: known.with_rare_domains(_city(), SURVEY_N, seed=4), _srs, 30, DOMAIN_SHARES,
    ),
    SampleDesign(
        "C2", "1,500 drawn by telephone operator, weights 1 : 3",
        lambda: known.with_rare_domains(_city(), SURVEY_N, seed=4), _called, 31, DOMAIN_SHARES,
    ),
    SampleDesign(
        "C3", "8 strata × 15 PSUs (PPS) × 12 people; a domain lives in few PSUs, and is a third of the people there",
        lambda: known.with_rare_domains(_country(), 8 * 15 * 12, seed=5, places=True), _staged(EVEN, 12), 32, DOMAIN_SHARES,
    ),
)  # fmt: skip
