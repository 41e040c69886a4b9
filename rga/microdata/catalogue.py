"""What is measured: harmonised variables, indicators and breakdowns, as `catalogue/*.yaml` says.

Belongs here: the models of the three files and the checks between them. Not here: any one survey's coding.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from rga.errors import InputError, Problem
from rga.microdata.expressions import check_expression
from rga.microdata.yaml_file import StrictModel, load_yaml

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", max_length=30)]

RESERVED = {"survey_id", "respondent_id", "panel_id", "stratum", "psu", "base_weight", "weight"}


class Variable(StrictModel):
    """A harmonised variable: categorical (``codes``), numeric (neither), a battery (``items``) or derived by SQL.

    ``sdmx`` gives the published spelling of a code where it differs from ours.
    """

    label: str
    module: str
    question: str = ""
    codes: dict[Code, str] = {}
    items: dict[Name, str] = {}
    minimum: float | None = None
    maximum: float | None = None
    derived: str | None = None
    sdmx: dict[str, str] = {}

    @property
    def kind(self) -> Literal["categorical", "numeric"]:
        return "categorical" if self.codes else "numeric"

    @model_validator(mode="after")
    def _consistent(self) -> Variable:
        if self.items and not self.codes:
            raise ValueError("a battery (`items`) needs `codes` that its items share")
        if self.items and self.derived:
            raise ValueError("a battery cannot be `derived`")
        if unknown := sorted(set(self.sdmx) - set(self.codes)):
            raise ValueError(f"`sdmx` renames codes that do not exist: {', '.join(unknown)}")
        return self


class Indicator(StrictModel):
    """A share: those for whom ``numerator`` is true among those who are in the ``universe`` and answered."""

    title: str
    module: str
    universe: str = "TRUE"
    numerator: str
    unit: Literal["percent"] = "percent"
    direction: Literal["more_is_worse", "more_is_better", "neutral"] = "neutral"
    sdg: str = ""
    notes: str = ""


class _Variables(StrictModel):
    variables: dict[Name, Variable]


class _Indicators(StrictModel):
    indicators: dict[Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)], Indicator]


class _Breakdowns(StrictModel):
    breakdowns: list[str] = Field(min_length=1)


class Catalogue(StrictModel):
    """The three files, checked against each other."""

    variables: dict[str, Variable]
    indicators: dict[str, Indicator]
    breakdowns: list[tuple[str, ...]]

    @cached_property
    def dimensions(self) -> list[str]:
        """Variables that some breakdown crosses, in order of first appearance."""
        return list(dict.fromkeys(name for breakdown in self.breakdowns for name in breakdown))

    @cached_property
    def columns(self) -> dict[str, Variable]:
        """Every harmonised column: variables, and a battery's items as `battery_item`."""
        columns: dict[str, Variable] = {}
        for name, variable in self.variables.items():
            if variable.items:
                columns |= {f"{name}_{item}": variable for item in variable.items}
            else:
                columns[name] = variable
        return columns

    def uses(self, indicator: str, given: Collection[str] = ()) -> set[str]:
        """Harmonised columns that an indicator's expressions read, derived ones replaced by their ``sources``."""
        definition = self.indicators[indicator]
        return self.sources(self.check(definition.universe) | self.check(definition.numerator), given)

    def sources(self, columns: set[str], given: Collection[str] = ()) -> set[str]:
        """``columns`` with derived ones, but for those a survey has ``given``, replaced by what they are derived from."""
        found: set[str] = set()
        for name in columns:
            derived = self.columns[name].derived
            found |= self.sources(self.check(derived), given) if derived and name not in given else {name}
        return found

    def check(self, expression: str) -> set[str]:
        """Columns an expression reads. Raises ValueError saying what is wrong with it."""
        return check_expression(expression, {n: set(v.codes) or None for n, v in self.columns.items()})


def load_catalogue(folder: Path) -> Catalogue:
    """Read ``folder``/variables.yaml, indicators.yaml and breakdowns.yaml. Raises InputError."""
    where = f"{folder.name}/"
    variables = load_yaml(folder / "variables.yaml", _Variables, where + "variables.yaml").variables
    indicators = load_yaml(folder / "indicators.yaml", _Indicators, where + "indicators.yaml").indicators
    listed = load_yaml(folder / "breakdowns.yaml", _Breakdowns, where + "breakdowns.yaml").breakdowns
    breakdowns = [() if text == "total" else tuple(text.split("*")) for text in listed]
    catalogue = Catalogue(variables=variables, indicators=indicators, breakdowns=breakdowns)
    problems = []
    if clash := sorted(RESERVED & set(catalogue.columns)):
        problems.append(Problem(f"reserved names: {', '.join(clash)}", "rename them", file=where + "variables.yaml"))
    for name, variable in variables.items():
        if variable.derived:
            problems += _checked(catalogue, variable.derived, where + "variables.yaml", f"{name}.derived")
    for code, indicator in indicators.items():
        for part in ("universe", "numerator"):
            problems += _checked(catalogue, getattr(indicator, part), where + "indicators.yaml", f"{code}.{part}")
    for name in catalogue.dimensions:
        if name not in catalogue.columns or not catalogue.columns[name].codes:
            problems.append(
                Problem(
                    "a breakdown needs a categorical variable of the catalogue",
                    "add it to variables.yaml with its codes, or correct the name",
                    file=where + "breakdowns.yaml",
                    variable=name,
                )
            )
    if problems:
        raise InputError(problems)
    return catalogue


def _checked(catalogue: Catalogue, expression: str, file: str, variable: str) -> list[Problem]:
    try:
        catalogue.check(expression)
    except ValueError as error:
        return [Problem(str(error), f"the expression is: {expression.strip()}", file=file, variable=variable)]
    return []
