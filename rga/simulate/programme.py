"""Which surveys are simulated: one line each.

Belongs here: country, round, size, mode, file format and design of every survey. Not here: how people answer (``levels``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SEED = 20200423


@dataclass(frozen=True)
class Survey:
    """``n`` is the number of respondents aimed at; a clustered survey is drawn in two stages within strata.

    ``unobserved``: how strongly taking part depends on what no margin knows (0: weighting repairs all of the selection).
    """

    round: str
    country: str
    name: str
    n: int
    mode: Literal["sms", "cati"]
    file: str
    coding: str
    fieldwork: tuple[str, str]
    invited: int | None = None
    clustered: bool = False
    unobserved: float = 0.0

    @property
    def year(self) -> int:
        return int(self.round[:4])

    @property
    def key(self) -> str:
        return f"{self.round}_{self.country}"


ROUNDS = {
    "2020-r1": (
        "Rapid gender assessment surveys, first round (simulated)",
        "Two of the eleven countries of the first round. SIMULATED: no finding about any country.",
    ),
    "2021-r2": (
        "Rapid gender assessment surveys, second round (simulated)",
        "Two of the countries of the second round, whose published list of seven could not be confirmed. SIMULATED: no finding "
        "about any country.",
    ),
}

PROGRAMME = [
    Survey("2020-r1", "BGD", "Bangladesh", 2296, "sms", "microdata.sav", "numbers", ("2020-04-23", "2020-05-08"), 1_500_000),
    Survey("2020-r1", "PAK", "Pakistan", 2512, "sms", "microdata.dta", "stata", ("2020-04-27", "2020-05-15"), 2_000_000),
    Survey("2021-r2", "BGD", "Bangladesh", 2000, "cati", "microdata.csv", "labels", ("2021-08-02", "2021-09-10"), 9_400),
    Survey(
        "2021-r2", "PAK", "Pakistan", 2100, "cati", "microdata.csv", "tens", ("2021-08-16", "2021-09-24"), 8_800, clustered=True
    ),
]
