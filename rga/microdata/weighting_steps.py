"""The steps from base weight to published weight, as `weighting:` in survey.yaml lists them.

Belongs here: what a step may say, and whether it is consistent with itself. Not here: carrying it out (``rga.survey``).
"""

from __future__ import annotations

from math import isinf
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from rga.microdata.codes import canonical_keys
from rga.microdata.yaml_file import StrictModel

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Ratio = Annotated[float, Field(gt=1, allow_inf_nan=False)]
Counts = Annotated[dict[str, Positive], BeforeValidator(canonical_keys), Field(min_length=1)]
CALIBRATIONS = Literal["raking", "linear", "logit", "poststratification"]


class Step(StrictModel):
    """``why`` is one line that is published beside the step's diagnostics."""

    why: str = Field(default="", max_length=300)

    @property
    def categorical(self) -> list[str]:
        """Names that must be categorical: an auxiliary variable, a harmonised one, `stratum` or `psu`."""
        return []

    @property
    def numeric(self) -> list[str]:
        """Names that must be numbers."""
        return []

    @property
    def either(self) -> list[str]:
        """Names that may be categorical or numbers."""
        return []


class Selection(Step):
    """Weight times people over invitations of its category of ``by``, such as the mobile operator."""

    step: Literal["selection"]
    by: str
    population: Counts
    invited: Counts

    @model_validator(mode="after")
    def _same_categories(self) -> Selection:
        if one_sided := sorted(set(self.population) ^ set(self.invited)):
            raise ValueError(f"`population` and `invited` need the same categories; {one_sided[0]} is in one of them only")
        return self

    @property
    def categorical(self) -> list[str]:
        return [self.by]


class Multiplicity(Step):
    """Chances of selection per person: weight divided by a count (such as phones), times another (such as eligible adults).

    Counts above ``cap`` are taken as ``cap``.
    """

    step: Literal["multiplicity"]
    divide: str | None = None
    multiply: str | None = None
    cap: Annotated[float, Field(ge=1, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _something_to_do(self) -> Multiplicity:
        if not self.numeric:
            raise ValueError("give `divide` (such as the number of phones) or `multiply` (such as eligible adults), or both")
        return self

    @property
    def numeric(self) -> list[str]:
        return [name for name in (self.divide, self.multiply) if name]


class Nonresponse(Step):
    """Those who answered stand for those who did not: within classes given (``cells``), or of estimated response propensity.

    A class of fewer than ``min_n`` respondents is pooled with its neighbours.
    """

    step: Literal["nonresponse"]
    method: Literal["classes", "propensity"] = "classes"
    cells: list[str] = []
    predictors: list[str] = []
    classes: int = Field(default=5, ge=2, le=50)
    min_n: int = Field(default=20, ge=1)

    @model_validator(mode="after")
    def _belongs_to_method(self) -> Nonresponse:
        wanted, other = ("cells", "predictors") if self.method == "classes" else ("predictors", "cells")
        if not getattr(self, wanted):
            raise ValueError(f"`method: {self.method}` needs `{wanted}: [...]`")
        if getattr(self, other):
            raise ValueError(f"`{other}` belongs to the other method than `{self.method}`")
        if self.method == "classes" and "classes" in self.model_fields_set:
            raise ValueError("`classes: N` belongs to `method: propensity`; here `cells` are the classes")
        return self

    @property
    def categorical(self) -> list[str]:
        return self.cells

    @property
    def either(self) -> list[str]:
        return self.predictors


class Calibrate(Step):
    """Calibration to benchmark ``margins``, each a crossing such as `sex*age_group`, and to totals of ``numbers``.

    ``bounds`` limit the factor of each weight (`linear` and `raking` are cut off there; `logit` needs them); ``trim`` limits the
    final weight, in multiples of the median, inside the calibration; ``collapse`` names variables of which neighbouring
    categories are merged where one has fewer than ``collapse_below`` respondents in some margin.
    """

    step: Literal["calibrate"]
    method: CALIBRATIONS = "raking"
    margins: list[str] = Field(min_length=1)
    numbers: list[str] = []
    bounds: tuple[float, float] | None = None
    trim: Ratio | None = None
    collapse: list[str] = []
    collapse_below: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _belongs_to_method(self) -> Calibrate:
        if self.bounds and not 0 <= self.bounds[0] < 1 < self.bounds[1]:
            raise ValueError("`bounds: [low, high]` limit the factor on each weight: 0 <= low < 1 < high")
        if self.method == "logit" and not self.bounds:
            raise ValueError("`method: logit` needs `bounds: [low, high]`, such as [0.3, 3]")
        if self.method == "logit" and self.bounds and isinf(self.bounds[1]):
            raise ValueError("`method: logit` needs an upper bound; use `raking` without one")
        if self.method == "poststratification" and (len(self.margins) > 1 or self.numbers):
            raise ValueError("post-stratification takes one margin and no `numbers`; use `raking` for several")
        if self.method == "poststratification" and (self.bounds or self.trim):
            raise ValueError("`method: poststratification` takes no `bounds` or `trim`; use `raking` or `linear` with them")
        crossed = [frozenset(margin.split("*")) for margin in self.margins]
        if twice := [name for name, variables in zip(self.margins, crossed, strict=True) if crossed.count(variables) > 1]:
            raise ValueError(f"margin {twice[0]} is listed twice" + (f", as {twice[1]} too" if twice[0] != twice[1] else ""))
        if odd := [margin for margin, variables in zip(self.margins, crossed, strict=True) if len(variables) <= margin.count("*")]:
            raise ValueError(f"margin {odd[0]} crosses a variable with itself")
        if "sex" in self.collapse:
            raise ValueError("`collapse` cannot name `sex`: women and men are not to be merged; take a coarser margin instead")
        if stray := [name for name in self.collapse if name not in self.categorical]:
            raise ValueError(f"`collapse` names `{stray[0]}`, which no margin has")
        return self

    @property
    def categorical(self) -> list[str]:
        return list(dict.fromkeys(name for margin in self.margins for name in margin.split("*")))

    @property
    def numeric(self) -> list[str]:
        return self.numbers


class Trim(Step):
    """Weights above ``max_ratio`` times the median are cut to it, the rest scaled up to the same sum; margins are not met again."""

    step: Literal["trim"]
    max_ratio: Ratio


class Normalise(Step):
    """Weights scaled to add up to the benchmark's population, or to the number of respondents."""

    step: Literal["normalise"]
    to: Literal["population", "n"]


class Equal(Step):
    """Nobody counts for more than anybody else: said, because a weight that was overlooked looks the same. The only step."""

    step: Literal["equal"]


WeightingStep = Annotated[
    Selection | Multiplicity | Nonresponse | Calibrate | Trim | Normalise | Equal,
    Field(discriminator="step"),
]
