"""Source columns into harmonised variables, nothing lost on the way.

Belongs here: codes, missing kinds, numbers, answers that hold several choices. Not here: files, designs, who is in the population.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from rga.errors import Problem
from rga.microdata.catalogue import Catalogue, Variable
from rga.microdata.codes import canonical_code
from rga.microdata.specification import ShownTo, Source, SurveySpecification
from rga.microdata.telling import can_be_told

ANSWERED = "answered"
BLANK = "blank"
NOT_ASKED = "not_asked"  # by plan: each respondent saw some of the questions
MOST_CODES = 20  # different values that an error shows


Recoded = tuple[pd.Series, pd.Series]  # harmonised values, and the kind of each answer


def harmonise(
    source: pd.DataFrame, catalogue: Catalogue, specification: SurveySpecification, file: str
) -> tuple[pd.DataFrame, pd.DataFrame, list[Problem]]:
    """Harmonised columns, for each the kind of every answer (`answered`, `refused`, ...), and all that is wrong.

    Both frames have a row per row of ``source``. Columns that no source is given for are null, and left out of
    the second frame; derived ones are left out of both.
    """
    recoded: dict[str, Recoded] = {}
    problems: list[Problem] = []
    for name, variable in catalogue.variables.items():
        if mapping := specification.variables.get(name):
            columns, found = recode(source, name, variable, mapping)
            recoded |= columns
            problems += [replace(problem, file=file) for problem in found]
    values = {name: column for name, (column, _) in recoded.items()}
    for name, variable in catalogue.columns.items():
        if name not in values and not variable.derived:
            dtype = "string" if variable.codes else "float64"
            values[name] = pd.Series(pd.NA if variable.codes else float("nan"), source.index, dtype=dtype)
    kinds = {name: kind for name, (_, kind) in recoded.items()}
    return pd.DataFrame(values, index=source.index), pd.DataFrame(kinds, index=source.index), problems


def recode(source: pd.DataFrame, name: str, variable: Variable, mapping: Source) -> tuple[dict[str, Recoded], list[Problem]]:
    """The columns of one variable, blanks given their meaning, and what is wrong with its answers."""
    if mapping.value is not None:
        return {name: _constant(mapping.value, variable, source.index)}, []
    columns, problems = _recode(source, name, variable, mapping)
    columns = _with_blanks(columns, variable, mapping)
    if mapping.shown_to:
        columns, found = _planned(columns, source[mapping.shown_to.column], mapping.shown_to)
        problems += found
    return columns, problems


def _constant(value: str, variable: Variable, index: pd.Index) -> Recoded:
    """What is the same for everybody, such as the residence in a survey of cities."""
    kinds = pd.Series(ANSWERED, index, dtype="string")
    return pd.Series(value if variable.codes else float(value), index, dtype="string" if variable.codes else "float64"), kinds


def _planned(columns: dict[str, Recoded], form: pd.Series, shown_to: ShownTo) -> tuple[dict[str, Recoded], list[Problem]]:
    """``columns`` in which those who were not shown the question are `not_asked` rather than blank."""
    place, codes = numbered(form)
    shown = np.isin(np.array(codes, dtype=object), shown_to.codes)[place % len(codes)]
    planned, problems = {}, []
    for name, (values, kinds) in columns.items():
        if rows := int(((kinds == ANSWERED) & values.notna() & ~shown).sum()):
            what = f"answers of people whom `shown_to` ({shown_to.column}) leaves out"
            problems.append(Problem(what, "correct `shown_to:`, or have the file corrected", variable=name, rows=rows))
        planned[name] = values.mask(~shown), kinds.mask(~shown, NOT_ASKED)
    return planned, problems


def _recode(source: pd.DataFrame, name: str, variable: Variable, mapping: Source) -> tuple[dict[str, Recoded], list[Problem]]:
    if mapping.separator:
        columns, found = _chosen(source[mapping.column], variable, mapping, mapping.separator)
        where = f"{name} (column {mapping.column})"
        return {f"{name}_{item}": column for item, column in columns.items()}, [replace(p, variable=where) for p in found]
    recode_one = _categorical if variable.codes else _numeric
    recoded, problems = {}, []
    for harmonised, column in _columns(name, mapping).items():
        values, kinds, found = recode_one(source[column], variable, mapping)
        recoded[harmonised] = values, kinds
        problems += [replace(problem, variable=f"{harmonised} (column {column})") for problem in found]
    return recoded, problems


def _columns(name: str, mapping: Source) -> dict[str, str]:
    return {name: mapping.column} if mapping.column else {f"{name}_{item}": c for item, c in mapping.columns.items()}


def _with_blanks(columns: dict[str, Recoded], variable: Variable, mapping: Source) -> dict[str, Recoded]:
    """``columns`` with empty answers given the meaning that ``mapping.blank`` says they have.

    Where a battery has a column per item, an empty one says "not chosen" only of somebody who chose another: who left all
    of them empty may have seen none.
    """
    if mapping.blank is None:
        return columns
    is_code = mapping.blank in variable.codes
    answered = pd.DataFrame({name: kinds == ANSWERED for name, (_, kinds) in columns.items()}).any(axis=1)
    filled = {}
    for name, (values, kinds) in columns.items():
        blank = kinds == BLANK
        if not is_code:
            filled[name] = values, kinds.mask(blank, mapping.blank)
            continue
        if mapping.columns:
            blank &= answered
        filled[name] = values.mask(blank, mapping.blank), kinds.mask(blank, ANSWERED)
    return filled


def _chosen(values: pd.Series, variable: Variable, mapping: Source, separator: str) -> tuple[dict[str, Recoded], list[Problem]]:
    """Answers such as `1 3 6` into a column per item: chosen, or not."""
    answers = values.mask(is_blank(values)).map(_as_written, na_action="ignore").astype("string")
    kinds: dict[str, str] = {}
    items: dict[str, set[str]] = {}
    unknown: Counter[str] = Counter()
    for answer, rows in Counter(answers.dropna()).items():
        whole = canonical_code(answer)
        codes = {whole} if whole in mapping.missing else {canonical_code(part) for part in answer.split(separator) if part.strip()}
        if len(codes) == 1 and codes <= set(mapping.missing):
            kinds[answer] = mapping.missing[codes.pop()]
        elif codes:
            kinds[answer] = ANSWERED
            items[answer] = {mapping.codes[code] for code in codes if code in mapping.codes}
            unknown.update(dict.fromkeys(codes - set(mapping.codes), rows))
    mixed = {code: rows for code, rows in unknown.items() if code in mapping.missing}
    problems = [
        Problem(
            "means missing, and yet stands beside other answers",
            "have the file corrected, or map it to an item under `codes:`",
            code=code,
            rows=rows,
        )
        for code, rows in sorted(mixed.items())
    ]
    problems += _unknown(
        {code: rows for code, rows in unknown.items() if code not in mixed}, list(mapping.items), _known(variable, mapping)
    )
    kind = answers.map(kinds).astype("string").fillna(BLANK)
    chosen, not_chosen = variable.codes
    return {
        item: (answers.map({a: chosen if item in of else not_chosen for a, of in items.items()}).astype("string"), kind)
        for item in mapping.items
    }, problems


def _as_written(value: object) -> str:
    return value.strip() if isinstance(value, str) else canonical_code(value)


def code_counts(source: pd.DataFrame, variables: Mapping[str, Source]) -> pd.DataFrame:
    """How many rows of ``source`` have each code that ``variables`` speak of: column, code, n; codes in no row are left out."""
    rows: dict[tuple[str, str], int] = {}
    for mapping in variables.values():
        known = {*mapping.codes, *mapping.missing}
        for column in [mapping.column] if mapping.column else mapping.columns.values():
            place, codes = numbered(source[column])
            numbers = np.bincount(place[place >= 0], minlength=len(codes))
            counted: Counter[str] = Counter()
            for code, n in zip(codes, numbers, strict=True):
                parts = code.split(mapping.separator) if mapping.separator and code not in known else [code]
                counted.update({part: int(n) for part in {canonical_code(part) for part in parts} & known})
            rows |= {(column, code): counted[code] for code in known if counted[code]}
    return pd.DataFrame([(*key, n) for key, n in rows.items()], columns=["column", "code", "n"])


def is_blank(values: pd.Series) -> pd.Series:
    """Where nothing is written: null, or only spaces."""
    return values.isna() | (values.astype("string").str.strip() == "").fillna(True).astype(bool)


def _categorical(values: pd.Series, variable: Variable, mapping: Source) -> tuple[pd.Series, pd.Series, list[Problem]]:
    place, codes = numbered(values)
    kinds = [BLANK if not code else ANSWERED if code in mapping.codes else mapping.missing.get(code) for code in codes]
    rows = Counter({code: 0 for code, kind in zip(codes, kinds, strict=True) if kind is None})
    for at, count in zip(*np.unique(place, return_counts=True), strict=True):
        if kinds[at] is None:
            rows[codes[at]] += int(count)
    problems = _unknown(rows, list(variable.codes), _known(variable, mapping))
    return _spread([mapping.codes.get(code) for code in codes], place, values), _spread(kinds, place, values), problems


def numbered(values: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Where each answer stands among the distinct ones, and these as codes, the last of them blank: answers repeat, and to look
    at each once is many times as fast."""
    if values.dtype == object and any(isinstance(value, bool) for value in values):  # to pandas True and 1 are equal, not to us
        values = values.map(canonical_code, na_action="ignore")
    place, distinct = pd.factorize(values)
    return place, [*map(canonical_code, distinct), ""]


def _spread(distinct: Sequence[str | None], place: np.ndarray, like: pd.Series) -> pd.Series:
    return pd.Series(pd.array(list(distinct), dtype="string").take(place % len(distinct)), index=like.index)


def _unknown(rows: Mapping[str, int], targets: list[str], known: list[str]) -> list[Problem]:
    """One problem for each unknown code; one for all that do not look like codes, and may be people's own words."""
    told = [] if are_private(rows) else sorted(code for code in rows if can_be_told(code, known))
    problems = [_unmapped(code, rows[code], targets) for code in told]
    if kept := [code for code in rows if code not in told]:
        what = f"{len(kept):,} different values are" if len(kept) > 1 else "a value is"
        problems.append(
            Problem(
                f"{what} neither mapped nor declared missing",
                "is this the right column? Such values are not shown, as they may identify people: look for them in the file",
                rows=sum(rows[code] for code in kept),
                check="unknown_codes",
            )
        )
    return problems


def _known(variable: Variable, mapping: Source) -> list[str]:
    """What codes and their labels look like, in the catalogue and in the survey."""
    words = {**variable.codes, **variable.items}
    return [*words, *words.values(), *mapping.codes, *mapping.missing]


def are_private(rows: Mapping[str, int]) -> bool:
    """Whether values with their numbers of rows are too many, or too nearly one a row, to be answer codes: they are not shown."""
    return len(rows) > MOST_CODES or (len(rows) > 3 and 2 * len(rows) > sum(rows.values()))


def _unmapped(code: str, rows: int, targets: list[str]) -> Problem:
    return Problem(
        "is neither mapped nor declared missing",
        f"map it under `codes:` (to {', '.join(targets)}) or list it under `missing:`",
        code=code,
        rows=rows,
        check="unknown_codes",
    )


def _numeric(values: pd.Series, variable: Variable, mapping: Source) -> tuple[pd.Series, pd.Series, list[Problem]]:
    place, distinct = numbered(values)
    codes = _spread(distinct, place, values)
    kinds = _spread([mapping.missing.get(code) if code else BLANK for code in distinct], place, values)
    numbers, unread = as_number(values.where(kinds.isna()))
    problems = []
    if unread.any():
        examples = _examples(codes[unread], _known(variable, mapping))
        problems.append(
            Problem(f"not numbers{examples}", "list such codes under `missing:`", rows=int(unread.sum()), check="unknown_codes")
        )
    low = -float("inf") if variable.minimum is None else variable.minimum
    high = float("inf") if variable.maximum is None else variable.maximum
    outside = (numbers < low) | (numbers > high)
    if outside.any():
        problems.append(
            Problem(
                f"outside {low:g} to {high:g}{_examples(codes[outside], _known(variable, mapping))}",
                "list codes that mean missing under `missing:`, or have the file corrected",
                rows=int(outside.sum()),
                check="impossible_values",
            )
        )
    return numbers, kinds.mask(numbers.notna(), ANSWERED), problems


def _examples(codes: pd.Series, known: list[str]) -> str:
    """Up to three of ``codes`` that name nobody, and how many others there are."""
    counts = Counter(codes)
    told = [] if are_private(counts) else [code for code in counts if can_be_told(code, known)][:3]
    others = len(counts) - len(told)
    said = [*told, *([f"{others:,} {'other ' if told else ''}value{'s' if others > 1 else ''} not shown"] if others else [])]
    return f": {', '.join(said)}"


def as_number(values: pd.Series) -> tuple[pd.Series, pd.Series]:
    """``values`` as floats, and where one is neither blank nor a finite number."""
    numbers = pd.to_numeric(values, errors="coerce").astype("float64")
    numbers = numbers.mask(numbers.abs() == float("inf"))
    return numbers, numbers.isna() & ~is_blank(values)


def is_number(text: str) -> bool:
    """Whether ``text`` reads as a finite number."""
    return bool(as_number(pd.Series([text]))[0].notna().all())
