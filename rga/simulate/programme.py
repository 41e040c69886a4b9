"""Which surveys are simulated: one entry each.

Belongs here: country, round, size, mode, file format and design of every survey. Not here: how people answer (``levels``), how a
file spells it (``coding``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

SEED = 20200423
SMALLEST = 100_000  # people in a simulated population, and at least so many per respondent:
PER_RESPONDENT = 35

# share of people in towns, World Factbook 2020, all ages
URBAN = {
    "AFG": 0.26, "BGD": 0.382, "IDN": 0.566, "KHM": 0.242, "KIR": 0.556, "MDV": 0.407, "NPL": 0.206, "PAK": 0.372, "PHL": 0.474,
    "PNG": 0.133, "SLB": 0.247, "THA": 0.514, "WSM": 0.179,
}  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """``n`` is the number of respondents aimed at; a clustered survey is drawn in two stages within strata.

    ``invited``: text messages sent, people shown a link, numbers dialled, or numbers drawn from a list; None where it is
    everybody of the earlier round. ``unobserved``: how strongly taking part depends on what no margin knows (0: weighting repairs
    all of the selection; negative: those whom the crisis hit harder take part less). ``panel``: all took part in the survey of that
    round too. ``linear``: calibrated by linear factors instead of raking. ``trim``: the largest weight, in medians. ``absent`` and
    ``altered`` give reasons by variable (or battery_item). ``identifiers``: what the file gives away of who answered.
    """

    round: str
    country: str
    name: str
    n: int
    mode: Literal["sms", "cati", "web"]
    file: str
    coding: str
    fieldwork: tuple[str, str]
    invited: int | None
    language: Literal["en", "id", "bn", "ne", "th"] = "en"
    clustered: bool = False
    unobserved: float = 0.0
    panel: str | None = None
    linear: bool = False
    trim: float | None = None
    minors: bool = False
    age: Literal["years", "bands"] = "years"
    disability: Literal["functioning", "yes_no"] = "functioning"
    identifiers: bool = True
    absent: dict[str, str] = field(default_factory=dict, hash=False)
    altered: dict[str, str] = field(default_factory=dict, hash=False)
    notes: str = ""

    @property
    def year(self) -> int:
        return int(self.round[:4])

    @property
    def key(self) -> str:
        return f"{self.round}_{self.country}"

    @property
    def sampling(self) -> Literal["operators", "web", "areas", "panel", "dialling"]:
        """How people are drawn: it decides what weighting can know and do."""
        if self.panel:
            return "panel"
        if self.clustered:
            return "areas"
        return "operators" if self.mode == "sms" else "web" if self.mode == "web" else "dialling"

    @property
    def drawn(self) -> int:
        """People drawn whom the file knows of: all numbers of a list, or respondents where nobody else has a row."""
        return self.invited if self.sampling == "areas" and self.invited else self.n

    @property
    def size(self) -> int:
        return max(SMALLEST, PER_RESPONDENT * self.drawn)


SHORT = "left out to keep the questionnaire short"
UNSAFE = "not asked: answers could not be given in safety"

ROUNDS = {
    "2020-r1": (
        "Rapid gender assessment surveys, first round (simulated)",
        "Unlocking the lockdown: the gendered effects of COVID-19 on achieving the SDGs in Asia and the Pacific (UN Women, 2020)",
        "Stands for the eleven countries of the first round. SIMULATED: no finding about any country, not the survey published.",
    ),
    "2021-r2": (
        "Rapid gender assessment surveys, second round (simulated)",
        "Two Years On: the lingering gendered effects of the COVID-19 pandemic in Asia and the Pacific (UN Women and ADB, 2022)",
        "Stands for the seven countries of the second round. The published list of seven could not be confirmed: Indonesia and "
        "Papua New Guinea are, the others are likely ones. SIMULATED: no finding about any country, not the survey published.",
    ),
}

PROGRAMME = [
    Survey(
        "2020-r1", "AFG", "Afghanistan", 2000, "cati", "microdata.zsav", "sequence", ("2020-05-04", "2020-05-21"), 3_700,
        clustered=True, unobserved=-0.5, absent={"violence_heard": UNSAFE, "discrimination_heard": UNSAFE, "functioning": SHORT},
    ),
    Survey(
        "2020-r1", "BGD", "Bangladesh", 2296, "sms", "microdata.sav", "numbers", ("2020-04-23", "2020-05-08"), 1_500_000,
        language="bn",
    ),
    Survey(
        "2020-r1", "KHM", "Cambodia", 1153, "sms", "microdata.csv", "letters", ("2020-05-06", "2020-05-20"), 1_000_000,
        age="bands", absent={"functioning": SHORT, "access": SHORT, "charity_support": SHORT, "unemployment_insurance": SHORT},
    ),
    Survey(
        "2020-r1", "IDN", "Indonesia", 2400, "sms", "microdata.sav", "modules", ("2020-04-29", "2020-05-12"), 2_000_000,
        language="id", absent={"functioning": SHORT, "help": SHORT},
    ),
    Survey(
        "2020-r1", "MDV", "Maldives", 4754, "sms", "microdata.dta", "stata", ("2020-04-23", "2020-05-05"), 190_000,
        disability="yes_no", absent={"n_children": SHORT, "school_closed": SHORT, "access_srh": SHORT},
        notes="The benchmark counts residents, migrant workers included: only a third of adult residents are women.",
    ),
    Survey(
        "2020-r1", "NPL", "Nepal", 8028, "sms", "microdata.zsav", "sequence", ("2020-04-24", "2020-05-10"), 3_000_000,
        language="ne", identifiers=False, trim=28, absent={"functioning": SHORT, "access": SHORT},
        notes="The benchmark counts residents: many men work abroad, and most adult residents are women.",
    ),
    Survey(
        "2020-r1", "PAK", "Pakistan", 2512, "sms", "microdata.dta", "stata", ("2020-04-27", "2020-05-15"), 2_000_000,
        disability="yes_no", absent={"violence_heard": UNSAFE},
    ),
    Survey(
        "2020-r1", "PHL", "Philippines", 1883, "sms", "microdata.xlsx", "labels", ("2020-04-25", "2020-05-09"), 1_200_000,
        altered={"hours_change": "asked about hours of all work, paid or not"},
    ),
    Survey(
        "2020-r1", "WSM", "Samoa", 2010, "web", "microdata.csv", "odk", ("2020-05-11", "2020-06-02"), 31_000,
        minors=True, absent={"functioning": SHORT},
        notes="Schooling below primary is unknown in the benchmark and counted as primary.",
    ),
    Survey(
        "2020-r1", "SLB", "Solomon Islands", 2000, "cati", "microdata.xlsx", "tens", ("2020-05-18", "2020-06-05"), 7_600,
        unobserved=-0.35, disability="yes_no",
    ),
    Survey(
        "2020-r1", "THA", "Thailand", 4080, "web", "microdata.sav", "numbers", ("2020-04-28", "2020-05-15"), 1_000_000,
        language="th", linear=True, minors=True, age="bands", disability="yes_no",
        altered={"information": "asked about the past seven days only"},
    ),
    Survey(
        "2021-r2", "BGD", "Bangladesh", 1780, "cati", "microdata.csv", "labels", ("2021-08-02", "2021-09-10"), None,
        language="bn", panel="2020-r1",
    ),
    Survey(
        "2021-r2", "IDN", "Indonesia", 1940, "cati", "microdata.dta", "tens", ("2021-08-09", "2021-09-17"), None,
        language="id", panel="2020-r1",
    ),
    Survey(
        "2021-r2", "KIR", "Kiribati", 1790, "cati", "microdata.xlsx", "modules", ("2021-09-06", "2021-10-01"), 5_900,
        linear=True, identifiers=False, absent={"income_pension": "no such item", "help": SHORT},
    ),
    Survey(
        "2021-r2", "PAK", "Pakistan", 2100, "cati", "microdata.csv", "tens", ("2021-08-16", "2021-09-24"), 3_800, clustered=True,
        absent={"functioning": SHORT},
    ),
    Survey(
        "2021-r2", "PNG", "Papua New Guinea", 2000, "cati", "microdata.sav", "modules", ("2021-08-23", "2021-10-08"), 3_430,
        clustered=True, unobserved=-0.5, altered={"doctor": "asked about any health worker"},
    ),
    Survey(
        "2021-r2", "SLB", "Solomon Islands", 2000, "cati", "microdata.dta", "sequence", ("2021-09-01", "2021-10-05"), 7_200,
        unobserved=-0.35, disability="yes_no",
    ),
    Survey(
        "2021-r2", "WSM", "Samoa", 1560, "cati", "microdata.zsav", "numbers", ("2021-08-30", "2021-09-28"), None, panel="2020-r1",
        disability="yes_no", notes="Schooling below primary is unknown in the benchmark and counted as primary.",
    ),
]  # fmt: skip
