"""The sample behind the respondents, for weighting: who answered, and what is known of those who did not.

Belongs here: response, auxiliary variables, whether the names that weighting steps use exist. Not here: weights themselves
(``rga.survey``), harmonised answers (``harmonise``).
"""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from typing import Literal

import pandas as pd

from rga.errors import Problem
from rga.microdata.catalogue import Catalogue, Variable
from rga.microdata.codes import canonical_code
from rga.microdata.harmonise import is_blank, recode
from rga.microdata.specification import Source, SurveySpecification

Kind = Literal["categorical", "numeric"]
RESPONDED, ELIGIBLE = "responded", "eligible"  # columns of the sample


def responded(source: pd.DataFrame, specification: SurveySpecification, file: str) -> tuple[pd.Series, list[Problem]]:
    """Whether each row of ``source`` answered: all of them without `response:`."""
    response = specification.response
    if response is None:
        return pd.Series(True, index=source.index), []
    column, problems = source[response.column], []
    if rows := int(is_blank(column).sum()):
        what, remedy = "neither complete nor not: no disposition is written", "complete the column, or leave such rows out"
        problems.append(Problem(what, remedy, file, response.column, rows=rows))
    answered = column.map(canonical_code, na_action="ignore").isin(response.complete)
    if not answered.any():
        what = f"no row has a `complete` code ({', '.join(response.complete)})"
        problems.append(Problem(what, "correct `response:`", file, response.column, rows=len(source)))
    return answered, problems


def auxiliary(source: pd.DataFrame, specification: SurveySpecification, file: str) -> tuple[pd.DataFrame, list[Problem]]:
    """The survey's auxiliary variables, coded as it says, and what is wrong with them."""
    values: dict[str, pd.Series] = {}
    problems: list[Problem] = []
    for name, given in specification.auxiliary.items():
        codes = dict.fromkeys(given.codes.values(), "")
        variable = Variable(label=name, module="weighting", codes=codes)
        mapping = Source(column=given.column, codes=given.codes, missing=given.missing, blank=given.blank)
        columns, found = recode(source, name, variable, mapping)
        values[name] = columns[name][0]
        problems += [replace(problem, file=file) for problem in found]
    return pd.DataFrame(values, index=source.index), problems


def names_used(specification: SurveySpecification) -> list[str]:
    """What the weighting steps speak of: auxiliary and harmonised variables, `stratum`, `psu`."""
    steps = specification.weighting
    return list(dict.fromkeys(name for step in steps for name in [*step.categorical, *step.numeric, *step.either]))


def misused_names(catalogue: Catalogue, specification: SurveySpecification, file: str) -> list[Problem]:
    """Names in weighting steps that nothing bears, or that are of the wrong kind."""
    kinds = _kinds(catalogue, specification)
    problems = []
    for number, step in enumerate(specification.weighting, 1):
        where = f"step {number} ({step.step})"
        wanted: list[tuple[str, Kind | None]] = [(name, "categorical") for name in step.categorical]
        wanted += [(name, "numeric") for name in step.numeric] + [(name, None) for name in step.either]
        for name, kind in wanted:
            if name not in kinds:
                near = get_close_matches(name, list(kinds), n=1)
                hint = f"did you mean `{near[0]}`?" if near else "map it under `variables:` or, for weighting only, `auxiliary:`"
                what = "is in the catalogue, but this survey does not give it" if name in catalogue.columns else "is not known"
                problems.append(Problem(f"weighting {where}: {what}", hint, file, name))
            elif kind and kinds[name] != kind:
                remedy = "give it `codes:`" if kind == "categorical" else "name a variable without `codes:`"
                problems.append(Problem(f"weighting {where}: must be {kind}, and is {kinds[name]}", remedy, file, name))
    return problems


def _kinds(catalogue: Catalogue, specification: SurveySpecification) -> dict[str, Kind]:
    """Every name that a weighting step of this survey may use."""
    given = specification.harmonised_columns
    kinds: dict[str, Kind] = {name: "categorical" if item.codes else "numeric" for name, item in specification.auxiliary.items()}
    kinds |= {name: item.kind for name, item in catalogue.columns.items() if catalogue.sources({name}, given) <= given}
    kinds |= {"stratum": "categorical"} if specification.design.stratum else {}
    return kinds | ({"psu": "categorical"} if specification.design.psu else {})
