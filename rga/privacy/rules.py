"""How research files are anonymised: `catalogue/privacy.yaml`.

Belongs here: the model, and its check against the catalogue. Not here: carrying it out.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from rga.errors import InputError, Problem
from rga.microdata.catalogue import Catalogue, Code
from rga.microdata.yaml_file import StrictModel, load_yaml

FILE = "privacy.yaml"


class Numeric(StrictModel):
    """How a number is released: in bands from each of ``cuts`` to the next, the last open; or as it is between ``bottom`` and
    ``top``, what lies beyond being set to that limit."""

    cuts: list[float] = []
    bottom: float | None = None
    top: float | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Numeric:
        if bool(self.cuts) == (self.top is not None):
            raise ValueError("give either `cuts` or `top` (with `bottom` if there is a lowest value)")
        if any(a >= b for a, b in pairwise(self.cuts)):
            raise ValueError("`cuts` must increase")
        return self


class Recode(StrictModel):
    """A coarsening to fall back on: ``codes`` gives each new code the old ones it takes in; ``drop`` leaves the variable out."""

    variable: str
    codes: dict[Code, Annotated[list[Code], Field(min_length=1)]] = {}
    labels: dict[Code, str] = {}
    cuts: list[float] = []
    drop: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Recode:
        if sum(map(bool, (self.codes, self.cuts, self.drop))) != 1:
            raise ValueError("give one of `codes`, `cuts` and `drop: true`")
        return self


class PrivacyRules(StrictModel):
    """``quasi_identifiers`` are what an acquaintance may know, the most useful first: answers are suppressed from the last on.

    ``recodes`` are made in order until no more than ``suppress_at_most`` per cent of respondents lose an answer to reach ``k``.
    ``sensitive`` variables are those whose diversity within a class is reported. A number without ``numeric`` rule is left out.
    """

    k: int = Field(ge=2, le=100)
    quasi_identifiers: list[str] = Field(min_length=1)
    suppress_at_most: float = Field(ge=0, le=50)
    numeric: dict[str, Numeric] = {}
    recodes: list[Recode] = []
    sensitive: list[str] = []
    drop: dict[str, str] = {}


def load_rules(folder: Path, catalogue: Catalogue) -> PrivacyRules:
    """The rules of the catalogue in ``folder``. Raises InputError where there are none, or they do not fit the catalogue."""
    where, path = f"{folder.name}/{FILE}", folder / FILE
    if not path.is_file():
        raise InputError(
            Problem("there is none, so nobody said what may identify people", "declare `quasi_identifiers:` in it", where)
        )
    rules = load_yaml(path, PrivacyRules, where)
    if problems := _misfits(rules, catalogue, where):
        raise InputError(problems)
    return rules


def _misfits(rules: PrivacyRules, catalogue: Catalogue, where: str) -> list[Problem]:
    named = [
        *rules.quasi_identifiers, *rules.numeric, *(r.variable for r in rules.recodes), *rules.drop,
        *(name for name in rules.sensitive if not catalogue.variables.get(name)),
    ]  # fmt: skip
    unknown = dict.fromkeys(name for name in named if name not in catalogue.columns)
    problems = [Problem("is not in the catalogue", "correct the name", where, name) for name in unknown]
    known = {name: set(variable.codes) for name, variable in catalogue.columns.items()}
    for name in rules.quasi_identifiers:
        if name in known and not known[name] and not rules.numeric.get(name, Numeric(top=0)).cuts:
            problems.append(
                Problem("is a number, and identifies", f"give it bands: `numeric: {{{name}: {{cuts: [...]}}}}`", where, name)
            )
    for recode in rules.recodes:
        if recode.variable in rules.quasi_identifiers and recode.codes:
            old = [code for codes in recode.codes.values() for code in codes]
            for code in sorted(set(old) - known[recode.variable]):
                problems.append(
                    Problem("is recoded, and the catalogue has no such code", "correct it", where, recode.variable, code)
                )
            known[recode.variable] = set(recode.codes) | (known[recode.variable] - set(old))
        elif recode.variable in known and recode.variable not in rules.quasi_identifiers:
            problems.append(Problem("is recoded, and no quasi-identifier", "list it, or remove it", where, recode.variable))
    return problems
