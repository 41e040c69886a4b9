"""What one survey is and how its file is coded: `survey.yaml` and `round.yaml`.

Belongs here: the models. Not here: reading the microdata they describe.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from rga.microdata.yaml_file import StrictModel

LonelyPsu = Literal["adjust", "fail", "remove", "average", "certainty"]
MissingKind = Literal["dont_know", "refused", "not_applicable", "missing"]
Column = Annotated[str, StringConstraints(min_length=1, max_length=128)]


def canonical_code(value: Any) -> str:
    """How a code is compared between YAML and file: `1`, `1.0` and `"1"` are the same code."""
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value).strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else text


def _canonical_keys(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    keys = [canonical_code(key) for key in value]
    if len(set(keys)) < len(keys):
        raise ValueError(f"the same code is given twice: {sorted(k for k in keys if keys.count(k) > 1)[0]}")
    return dict(zip(keys, value.values(), strict=True))


def _missing_kinds(value: Any) -> Any:
    return {code: "missing" for code in value} if isinstance(value, list) else value


Codes = Annotated[dict[str, str], BeforeValidator(_canonical_keys)]
Missing = Annotated[dict[str, MissingKind], BeforeValidator(_canonical_keys), BeforeValidator(_missing_kinds)]


def _text_values(value: Any) -> Any:
    return {k: canonical_code(v) for k, v in value.items()} if isinstance(value, dict) else value


class Source(StrictModel):
    """Where a harmonised variable comes from: one ``column``, or a battery's ``columns`` by item.

    With ``separator`` one column holds all that was chosen, and ``codes`` leads to the battery's items. ``blank`` is what an
    empty answer means: a code of the variable or a kind of missing.
    """

    column: Column | None = None
    columns: dict[str, Column] = {}
    separator: Annotated[str, StringConstraints(min_length=1)] | None = None
    codes: Annotated[Codes, BeforeValidator(_text_values)] = {}
    missing: Missing = {}
    blank: Annotated[str, BeforeValidator(canonical_code)] | None = None

    @model_validator(mode="after")
    def _one_or_many(self) -> Source:
        if (self.column is None) == (not self.columns):
            raise ValueError("give either `column` or, for a battery, `columns`")
        if self.separator and not self.column:
            raise ValueError("`separator` splits the answers of one `column`; `columns` are split already")
        if both := sorted(set(self.codes) & set(self.missing)):
            raise ValueError(f"code {both[0]} is both mapped and declared missing")
        return self

    @property
    def items(self) -> list[str]:
        """Items of a battery that the survey asked."""
        return list(dict.fromkeys(self.codes.values() if self.separator else self.columns))


class Fieldwork(StrictModel):
    start: date
    end: date

    @model_validator(mode="after")
    def _in_order(self) -> Fieldwork:
        if self.end < self.start:
            raise ValueError("fieldwork ends before it starts")
        return self


class Population(StrictModel):
    """Who the estimates speak for; respondents younger than ``age_min`` are left out, and counted."""

    description: str
    age_min: int | None = None
    benchmark: str | None = None


class DataFile(StrictModel):
    path: str
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None


class Design(StrictModel):
    """Columns that describe the sample; without ``psu`` each respondent is one."""

    weight: Column | None = None
    stratum: list[Column] = []
    psu: Column | None = None
    lonely_psu: LonelyPsu = "adjust"


class Calibrate(StrictModel):
    """Calibration to benchmark margins, each a crossing such as `sex*age_group`."""

    step: Literal["calibrate"]
    method: Literal["raking"] = "raking"
    margins: list[str] = Field(min_length=1)


class SurveySpecification(StrictModel):
    """One `survey.yaml`. ``weighting: []`` keeps the weight that came with the file."""

    title: str
    producer: str
    citation: str
    licence: str
    simulated: bool
    fieldwork: Fieldwork
    mode: Literal["sms", "web", "cati", "ivr", "capi", "mixed"]
    invited: int | None = Field(default=None, gt=0)
    population: Population
    files: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")], DataFile] = Field(min_length=1)
    respondents: str | None = None
    id: Column
    panel_id: Column | None = None
    design: Design = Design()
    weighting: list[Calibrate]
    variables: dict[str, Source]
    unused: dict[Column, str] = {}
    absent: dict[str, str] = {}
    altered: dict[str, str] = {}
    notes: str = ""
    caution: str = ""

    @model_validator(mode="after")
    def _consistent(self) -> SurveySpecification:
        if self.respondents is None and len(self.files) > 1:
            raise ValueError("several files need `respondents: |` with the SELECT that joins them")
        if self.weighting and not self.population.benchmark:
            raise ValueError("`weighting` calibrates, so `population.benchmark` must name the benchmark")
        if not self.weighting and self.design.weight is None:
            raise ValueError("`weighting: []` keeps the file's weight, so `design.weight` must name its column")
        if both := sorted(set(self.variables) & set(self.absent)):
            raise ValueError(f"`{both[0]}` is both mapped and declared absent")
        if unmapped := sorted(set(self.altered) - set(self.variables)):
            raise ValueError(f"`{unmapped[0]}` is declared altered, but not mapped under `variables`")
        if read := sorted(set(self.unused) & set(self.columns_read)):
            raise ValueError(f"column `{read[0]}` is listed under `unused`, and yet read")
        return self

    @property
    def harmonised_columns(self) -> set[str]:
        """Columns of the catalogue that the survey gives; a battery's are `battery_item`."""
        return {f"{name}_{item}" if item else name for name, source in self.variables.items() for item in source.items or [""]}

    @property
    def columns_read(self) -> list[str]:
        """Source columns that are read: design and mapped; every other column stays in the file."""
        return list(dict.fromkeys(self.design_columns + self.mapped_columns))

    @property
    def design_columns(self) -> list[str]:
        """Identifiers and the columns that describe the sample."""
        design = [self.id, self.panel_id, self.design.weight, self.design.psu, *self.design.stratum]
        return [column for column in design if column]

    @property
    def mapped_columns(self) -> list[str]:
        return [c for source in self.variables.values() for c in (source.column, *source.columns.values()) if c]


class RoundSpecification(StrictModel):
    title: str
    year: int = Field(ge=1990, le=2100)
    publication: str = ""
    notes: str = ""
