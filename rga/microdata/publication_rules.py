"""What may be printed, as `catalogue/publication_rules.yaml` says: the thresholds of reliability and of disclosure.

Belongs here: the model of that file. Not here: the rules themselves (``rga.survey.reliability``, ``rga.survey.disclosure``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from rga.errors import InputError, Problem
from rga.microdata.yaml_file import StrictModel, load_yaml

FILE = "publication_rules.yaml"
Proportion = Annotated[float, Field(gt=0, lt=10)]


class Dhs(StrictModel):
    """Rule of the Demographic and Health Surveys, on respondents in the base."""

    source: str
    suppress_below: int = Field(ge=1)
    flag_below: int = Field(ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Dhs:
        if self.flag_below < self.suppress_below:
            raise ValueError("`flag_below` is less than `suppress_below`: no case would be flagged")
        return self


class Nchs(StrictModel):
    """Standards of the US National Center for Health Statistics for proportions (Parker et al. 2017)."""

    source: str
    n_effective: float = Field(ge=1)
    narrow: Proportion
    wide: Proportion
    relative: Proportion
    df: int = Field(ge=1)


class Disclosure(StrictModel):
    """Which counts are small, how many values of a hidden count must remain possible, and to what cells may be rounded."""

    source: str
    small_count: int = Field(ge=1)
    possible_values: int = Field(ge=2)
    round_to: list[Annotated[float, Field(gt=0, le=10)]] = []


class PublicationRules(StrictModel):
    """``corrections``: what becomes of a survey of which few respondents differ from what was published."""

    dhs: Dhs
    nchs: Nchs
    disclosure: Disclosure
    corrections: Literal["hold", "warn"] = "hold"


def load_publication_rules(catalogue: Path) -> PublicationRules:
    """Read ``catalogue``/publication_rules.yaml. Raises InputError, also where there is none: what is not ruled is not printed."""
    path, shown = catalogue / FILE, f"{catalogue.name}/{FILE}"
    if not path.is_file():
        remedy = "copy the one of raw_data/catalogue/, which has the rules of DHS and NCHS, and change what you must"
        raise InputError(Problem("there is no such file, so nothing says what may be printed", remedy, file=shown))
    return load_yaml(path, PublicationRules, shown)
