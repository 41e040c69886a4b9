"""Under which design a sample was drawn, and the names that results share: lonely PSUs, replicate weights, SDMX codes.

Belongs here: small types that every other module of the room uses. Not here: what is estimated (``statistics``), arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import pandas as pd

from rga.errors import SHORT_CODE

LonelyPsu = Literal["adjust", "fail", "remove", "average", "certainty"]
ReplicateMethod = Literal["BRR", "Fay", "JK1", "JKn", "bootstrap", "other"]

# SDMX codes of a dimension: not broken down, not known, other.
TOTAL = "_T"
MISSING = "_U"
OTHER = "_O"

# A stratum sampled up to this is sampled whole, as in R: its first stage has no variance.
WHOLE = 1 - 1e-7

SEX = "sex"
WOMEN = "F"
MEN = "M"


@dataclass(frozen=True)
class Replicates:
    """Replicate weights that came with a file: their ``columns``, and how deviations add up to a variance.

    ``rho`` is Fay's coefficient; ``scale`` and ``rscales`` as the producer gives them (by default those of the method);
    ``combined``: the columns hold whole weights rather than factors of the weight; ``mse``: deviations are taken from the estimate
    itself instead of the replicates' mean. As R ``svrepdesign``.
    """

    columns: tuple[str, ...]
    method: ReplicateMethod
    rho: float = 0.0
    scale: float | None = None
    rscales: tuple[float, ...] | None = None
    combined: bool = True
    mse: bool = False


@dataclass(frozen=True)
class Design:
    """Columns that describe how the sample was drawn.

    Without ``psu`` each respondent is one; without ``weight`` everybody counts 1. ``fpc`` is the number of PSUs in the population
    of the stratum, or the sampling fraction where it is at most 1. ``ssu`` and ``ssu_fpc`` are the same of a second stage, within
    PSUs. With ``replicates`` variances come from them, and the other columns serve degrees of freedom only.

    Weights that were calibrated are to be given with the weights before, ``base_weight`` (NULL for respondents of surveys that were
    not), and with each respondent's category on the ``margins`` and value of the continuous ``numbers``: what these explain does
    not vary from sample to sample, but for the shares of missing categories (`_U`, `F*_U`, empty), which `calibrate` takes from the
    sample.
    """

    weight: str | None = "weight"
    stratum: str | None = None
    psu: str | None = None
    fpc: str | None = None
    ssu: str | None = None
    ssu_fpc: str | None = None
    lonely_psu: LonelyPsu = "adjust"
    replicates: Replicates | None = None
    base_weight: str | None = None
    margins: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        lonely_psu_of("the design", self.lonely_psu)


def shown(name: object) -> str:
    """A stratum or PSU as errors may show it, which are printed and kept: by its codes. Other words may be a stray cell that names
    somebody."""
    text = "" if name is None or name is pd.NA or name != name else str(name)
    codes = text.split("*")
    if not text:
        return "(none)"
    return text if all(SHORT_CODE.match(code) or code == "(blank)" for code in codes) else "(not shown: no short code)"


def lonely_psu_of(survey_id: str, rule: Mapping[str, LonelyPsu] | LonelyPsu) -> LonelyPsu:
    """The rule for one survey: ``rule`` itself, or its entry for the survey (``adjust`` where it has none)."""
    chosen = rule if isinstance(rule, str) else rule.get(survey_id, "adjust")
    if chosen not in get_args(LonelyPsu):
        raise ValueError(f"lonely_psu of {survey_id} is {chosen!r}, not one of {', '.join(get_args(LonelyPsu))}")
    return chosen


def breakdown_name(breakdown: tuple[str, ...]) -> str:
    """``total`` for no dimension, otherwise the dimensions joined by ``*``."""
    return "*".join(breakdown) or "total"
