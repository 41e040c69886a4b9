"""What is measured: harmonised variables, indicators and breakdowns, as `catalogue/*.yaml` says.

Belongs here: the models of the three files and the checks between them. Not here: any one survey's coding.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from rga.errors import InputError, Problem
from rga.microdata.bases import told_by_bases
from rga.microdata.expressions import check_expression
from rga.microdata.texts import Sql
from rga.microdata.yaml_file import StrictModel, load_yaml

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)]
Code = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]+$", max_length=30)]

CODE = re.compile(r"^[A-Za-z][A-Za-z0-9_]{0,39}$")
PLACEHOLDER = re.compile(r"\{\w*\}")

RESERVED = {"survey_id", "respondent_id", "panel_id", "stratum", "psu", "fpc", "base_weight", "weight"}


class Variable(StrictModel):
    """A harmonised variable: categorical (``codes``), numeric (neither), a battery (``items``) or derived by SQL.

    ``sdmx`` gives the published spelling of a code where it differs from ours; ``asked_of`` is an SQL condition: whom the question
    is for (everybody without it).
    """

    label: str
    module: str
    question: str = ""
    codes: dict[Code, str] = {}
    items: dict[Name, str] = {}
    minimum: float | None = None
    maximum: float | None = None
    derived: Sql | None = None
    asked_of: Sql | None = None
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
        if self.derived and self.asked_of:
            raise ValueError("what is `derived` is asked of nobody: give `asked_of` to what it is derived from")
        if unknown := sorted(set(self.sdmx) - set(self.codes)):
            raise ValueError(f"`sdmx` renames codes that do not exist: {', '.join(unknown)}")
        return self


class Indicator(StrictModel):
    """A share: those for whom ``numerator`` is true among those who are in the ``universe`` and answered."""

    title: str
    module: str
    universe: Sql = "TRUE"
    numerator: Sql
    unit: Literal["percent"] = "percent"
    direction: Literal["more_is_worse", "more_is_better", "neutral"] = "neutral"
    sdg: str = ""
    notes: str = ""


class _Variables(StrictModel):
    variables: dict[Name, Variable]


class _Entry(Indicator):
    """An indicator as written: with ``each``, one for every item of that battery (or for ``items`` of it)."""

    each: Name | None = None
    items: list[Name] = []


class _Indicators(StrictModel):
    indicators: dict[Annotated[str, StringConstraints(pattern=r"^(\{item\}|[A-Za-z0-9_])+$")], _Entry]


class _Breakdowns(StrictModel):
    breakdowns: list[str] = Field(min_length=1)


Words = dict[str, list[str]]  # language -> words or phrases


class VariableSynonyms(StrictModel):
    """Other words for a variable: for its label, its battery's items, its codes."""

    label: Words = {}
    items: dict[Name, Words] = {}
    codes: dict[Code, Words] = {}


class Synonyms(StrictModel):
    """`synonyms.yaml`: what else the catalogue's variables and codes are called, by language. It serves drafts only."""

    codes: dict[Code, Words] = {}
    variables: dict[Name, VariableSynonyms] = {}


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
        return self.sources(self.reads(indicator), given)

    def reads(self, indicator: str) -> set[str]:
        """Harmonised columns that an indicator's expressions name."""
        definition = self.indicators[indicator]
        return self.check(definition.universe) | self.check(definition.numerator)

    def sources(self, columns: set[str], given: Collection[str] = ()) -> set[str]:
        """``columns`` with derived ones, but for those a survey has ``given``, replaced by what they are derived from."""
        found: set[str] = set()
        for name in columns:
            derived = self.columns[name].derived
            found |= self.sources(self.check(derived), given) if derived and name not in given else {name}
        return found

    def check(self, expression: str) -> set[str]:
        """Columns an expression reads. Raises ValueError saying what is wrong with it."""
        if expression not in self._read:  # parsing is slow, and every survey asks anew
            self._read[expression] = check_expression(expression, {n: set(v.codes) or None for n, v in self.columns.items()})
        return self._read[expression]

    @cached_property
    def _read(self) -> dict[str, set[str]]:
        return {}


def load_catalogue(folder: Path) -> Catalogue:
    """Read ``folder``/variables.yaml, indicators.yaml and breakdowns.yaml. Raises InputError."""
    where = f"{folder.name}/"
    variables = load_yaml(folder / "variables.yaml", _Variables, where + "variables.yaml").variables
    entries = load_yaml(folder / "indicators.yaml", _Indicators, where + "indicators.yaml").indicators
    indicators, problems = _expanded(entries, variables)
    if problems:
        raise InputError([replace(problem, file=where + "indicators.yaml") for problem in problems])
    listed = load_yaml(folder / "breakdowns.yaml", _Breakdowns, where + "breakdowns.yaml").breakdowns
    breakdowns = [() if text == "total" else tuple(text.split("*")) for text in listed]
    catalogue = Catalogue(variables=variables, indicators=indicators, breakdowns=breakdowns)
    if clash := sorted(RESERVED & set(catalogue.columns)):
        problems.append(Problem(f"reserved names: {', '.join(clash)}", "rename them", file=where + "variables.yaml"))
    for name, variable in variables.items():
        if variable.derived:
            problems += _checked(catalogue, variable.derived, where + "variables.yaml", f"{name}.derived")
        if variable.asked_of:
            problems += _checked(catalogue, variable.asked_of, where + "variables.yaml", f"{name}.asked_of")
    for code, indicator in indicators.items():
        for part in ("universe", "numerator"):
            problems += _checked(catalogue, getattr(indicator, part), where + "indicators.yaml", f"{code}.{part}")
    if not problems:
        reads = {code: (catalogue.check(item.universe), catalogue.check(item.numerator)) for code, item in indicators.items()}
        told = told_by_bases(indicators, reads, {name: variable.codes for name, variable in catalogue.columns.items()})
        problems += [replace(problem, file=where + "indicators.yaml") for problem in told]
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


def load_synonyms(folder: Path, catalogue: Catalogue) -> Synonyms:
    """Read ``folder``/synonyms.yaml; none without that file. Raises InputError where it names what ``catalogue`` lacks."""
    path, where = folder / "synonyms.yaml", f"{folder.name}/synonyms.yaml"
    if not path.is_file():
        return Synonyms()
    synonyms = load_yaml(path, Synonyms, where)
    problems = []
    for name, given in synonyms.variables.items():
        variable = catalogue.variables.get(name)
        known: set[str] = {*variable.codes, *variable.items} if variable else set()
        if unknown := sorted({*given.codes, *given.items} - known) if variable else [name]:
            problems.append(Problem(f"`{unknown[0]}` is not in variables.yaml", "correct the name, or remove it", where, name))
    if problems:
        raise InputError(problems)
    return synonyms


def _expanded(entries: dict[str, _Entry], variables: dict[str, Variable]) -> tuple[dict[str, Indicator], list[Problem]]:
    """Indicators by code, and what is wrong with the entries they come from."""
    indicators: dict[str, Indicator] = {}
    problems = []
    for template, entry in entries.items():
        definition = Indicator.model_validate(entry.model_dump(exclude={"each", "items"}))
        expanded: list[tuple[str, Indicator]] = [(template, definition)]
        if found := _misuse(template, entry, variables):
            problems.append(replace(found, variable=template))
            continue
        if entry.each:
            battery = variables[entry.each].items
            wanted = sorted(entry.items or battery, key=list(battery).index)
            expanded = [_for_item(template, definition, entry.each, item, battery[item]) for item in wanted]
        for code, indicator in expanded:
            if code in indicators:
                problems.append(Problem(f"gives `{code}`, which another entry has too", "rename one of them", variable=template))
            elif not CODE.match(code):
                remedy = "begin with a letter and use at most 40 letters, digits and underscores"
                problems.append(Problem(f"`{code}` is no code of an indicator", remedy, variable=template))
            elif entry.each and (left := PLACEHOLDER.search(f"{indicator.title} {indicator.notes} {indicator.sdg}")):
                remedy = "use {item}, {label} and {column}"
                problems.append(Problem(f"`{left[0]}` stands for nothing", remedy, variable=template))
                break
            indicators[code] = indicator
    return indicators, problems


def _misuse(template: str, entry: _Entry, variables: dict[str, Variable]) -> Problem | None:
    """What keeps an entry from being expanded."""
    if entry.each is None:
        if entry.items or "{item}" in template:
            return Problem("speaks of items, but not of which battery", "add `each: <battery>`")
        return None
    battery = variables[entry.each].items if entry.each in variables else {}
    if not battery:
        batteries = ", ".join(name for name, variable in variables.items() if variable.items)
        return Problem(f"`each: {entry.each}` is no battery of the catalogue", f"batteries: {batteries}")
    if unknown := [item for item in entry.items if item not in battery]:
        return Problem(f"{entry.each} has no item `{unknown[0]}`", f"items: {', '.join(battery)}")
    if "{item}" not in template:
        return Problem("would give every item the same code", "put {item} into the code")
    return None


def _for_item(template: str, definition: Indicator, battery: str, item: str, label: str) -> tuple[str, Indicator]:
    words = {"{item}": item, "{label}": label[:1].lower() + label[1:], "{column}": f"{battery}_{item}"}

    def filled(text: str) -> str:
        return PLACEHOLDER.sub(lambda found: words.get(found[0], found[0]), text)

    texts = {name: filled(getattr(definition, name)) for name in ("title", "universe", "numerator", "notes", "sdg")}
    return filled(template), definition.model_copy(update=texts)


def _checked(catalogue: Catalogue, expression: str, file: str, variable: str) -> list[Problem]:
    try:
        catalogue.check(expression)
    except ValueError as error:
        return [Problem(str(error), f"the expression is: {expression.strip()}", file=file, variable=variable)]
    return []
