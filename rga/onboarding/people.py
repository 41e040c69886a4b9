"""Counts of respondents rather than of a file's rows: a household's members are no evidence, nor are people of another round.

Belongs here: counting again over the rows that `respondents:` and `response:` leave. Not here: writing that SQL (``joins``).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from rga.errors import InputError
from rga.microdata.codes import canonical_code
from rga.microdata.joins import one_row_per_respondent
from rga.onboarding.design import DesignGuess
from rga.onboarding.file_facts import Column, counted


def of_respondents(
    files: dict[str, Path], statement: str | None, design: DesignGuess, columns: Sequence[Column], wanted: Collection[str]
) -> tuple[dict[str, Column], str]:
    """Facts of the ``wanted`` columns over respondents only, by name; and why, in words, where they cannot be counted.

    Nothing is counted again where every row of the only file is a respondent's.
    """
    if not wanted or (statement is None and design.response is None):
        return {}, ""
    by_name = {column.name: column for column in columns}
    response = [design.response.column] if design.response else []
    try:
        frame = one_row_per_respondent(files, statement, list(dict.fromkeys([*wanted, *response])))
    except InputError:
        return {}, "complete `respondents:`: until then counts below are of the file's rows, not of respondents"
    if response:
        frame = frame[frame[response[0]].map(canonical_code, na_action="ignore").isin(design.complete)]
    return {name: counted(replace(by_name[name], rows=len(frame)), frame[name]) for name in wanted}, ""
