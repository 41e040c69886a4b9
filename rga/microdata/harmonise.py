"""One source column into one harmonised variable, nothing lost on the way.

Belongs here: codes, missing kinds, numbers. Not here: files, designs, who is in the population.
"""

from __future__ import annotations

import pandas as pd

from rga.errors import Problem
from rga.microdata.catalogue import Catalogue, Variable
from rga.microdata.specification import Source, SurveySpecification, canonical_code

ANSWERED = "answered"
BLANK = "blank"


def harmonise(
    source: pd.DataFrame, catalogue: Catalogue, specification: SurveySpecification, file: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[Problem]]:
    """Harmonised columns, for each the kind of every answer (`answered`, `refused`, ...), and all that is wrong.

    Both frames have a row per row of ``source``. Columns that no source is given for are null, and left out of
    the second frame.
    """
    values: dict[str, pd.Series] = {}
    kinds: dict[str, pd.Series] = {}
    problems: list[Problem] = []
    for name, variable in catalogue.variables.items():
        mapping = specification.variables.get(name)
        if variable.derived:
            continue
        for harmonised, column in _columns(name, variable, mapping):
            if column is None or mapping is None:
                dtype = "string" if variable.codes else "float64"
                values[harmonised] = pd.Series(pd.NA if variable.codes else float("nan"), source.index, dtype=dtype)
                continue
            recode = _categorical if variable.codes else _numeric
            values[harmonised], kinds[harmonised], found = recode(source[column], variable, mapping)
            problems += [Problem(p.what, p.remedy, file, f"{harmonised} (column {column})", p.code, p.rows) for p in found]
    return pd.DataFrame(values, index=source.index), pd.DataFrame(kinds, index=source.index), problems


def _columns(name: str, variable: Variable, mapping: Source | None) -> list[tuple[str, str | None]]:
    if not variable.items:
        return [(name, mapping.column if mapping else None)]
    return [(f"{name}_{item}", mapping.columns.get(item) if mapping else None) for item in variable.items]


def _blank(values: pd.Series) -> pd.Series:
    return values.isna() | (values.astype("string").str.strip() == "").fillna(True).astype(bool)


def _categorical(values: pd.Series, variable: Variable, mapping: Source) -> tuple[pd.Series, pd.Series, list[Problem]]:
    blank = _blank(values)
    codes = values.where(~blank).map(canonical_code, na_action="ignore").astype("string")
    result = codes.map(mapping.codes).astype("string")
    kinds = codes.map(mapping.missing).astype("string").mask(result.notna(), ANSWERED).mask(blank, BLANK)
    problems = []
    for code, rows in codes[kinds.isna()].value_counts(sort=False).sort_index().items():
        problems.append(
            Problem(
                "is neither mapped nor declared missing",
                f"map it under `codes:` (to {', '.join(variable.codes)}) or list it under `missing:`",
                code=str(code),
                rows=int(rows),
            )
        )
    return result, kinds, problems


def _numeric(values: pd.Series, variable: Variable, mapping: Source) -> tuple[pd.Series, pd.Series, list[Problem]]:
    blank = _blank(values)
    codes = values.where(~blank).map(canonical_code, na_action="ignore").astype("string")
    kinds = codes.map(mapping.missing).astype("string").mask(blank, BLANK)
    numbers, unread = as_number(values.where(kinds.isna()))
    problems = []
    if unread.any():
        examples = ", ".join(repr(v) for v in codes[unread].unique()[:3])
        problems.append(Problem(f"not numbers: {examples}", "list such codes under `missing:`", rows=int(unread.sum())))
    low = -float("inf") if variable.minimum is None else variable.minimum
    high = float("inf") if variable.maximum is None else variable.maximum
    outside = (numbers < low) | (numbers > high)
    if outside.any():
        examples = ", ".join(f"{v:g}" for v in numbers[outside].unique()[:3])
        problems.append(
            Problem(
                f"outside {low:g} to {high:g}: {examples}",
                "list codes that mean missing under `missing:`, or have the file corrected",
                rows=int(outside.sum()),
            )
        )
    return numbers, kinds.mask(numbers.notna(), ANSWERED), problems


def as_number(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """``values`` as floats, and where one is neither blank nor a finite number."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    numbers = numbers.mask(numbers.abs() == float("inf"))
    return numbers, numbers.isna() & ~_blank(values)
