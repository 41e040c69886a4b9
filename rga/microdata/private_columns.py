"""Columns that identify people: an error where a survey reads them, a line in `rga check` where it does not.

Belongs here: which columns of a survey are asked, and what is said of them. Not here: how an identifier is recognised
(``identifiers``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from rga.errors import Problem
from rga.microdata.data_root import DataRoot
from rga.microdata.expressions import check_select
from rga.microdata.identifiers import LOOKED_AT, Identifier, by_name, identifier
from rga.microdata.readers import column_names, file_labels, read_columns, read_head
from rga.microdata.specification import SurveySpecification

UNLABELLED = {".csv", ".xlsx", ".parquet"}
AT_ONCE = 2_500  # columns in memory


def read_identifiers(
    source: pd.DataFrame, specification: SurveySpecification, paths: Mapping[str, Path], file: str
) -> list[Problem]:
    """One problem for each column that is mapped or serves the design, and looks like a direct identifier.

    ``source`` has the columns that are read. The respondent's id may be one: it stays in the restricted folder. So may columns that
    `not_identifiers:` gives a reason for.
    """
    labels = {name: label for path in paths.values() for name, label in _labels(path).items()}
    allowed = {specification.id, *specification.not_identifiers}
    found = {c: identifier(c, labels.get(c, ""), source[c]) for c in specification.columns_read if c not in allowed}
    for column, path in _only_in_the_statement(specification, paths, {*found, *allowed}).items():
        if by_name(column, labels.get(column, "")):
            found[column] = identifier(column, labels.get(column, ""), read_columns(path, [column])[column])
    users = _users(specification)
    return [
        Problem(
            f"looks like a direct identifier ({one})",
            f"read another column; if nobody can be known by this one, say why: `not_identifiers: {{{column}: <reason>}}`",
            file,
            f"{users.get(column, 'respondents')} (column {column})",
            rows=int(source[column].notna().sum()) if column in source else None,
        )
        for column, one in found.items()
        if one
    ]


def unread_identifiers(root: DataRoot, survey_id: str) -> list[Identifier]:
    """Columns of the survey's files that stay there because, or although, they identify people. Raises InputError.

    The first rows of columns that nothing reads are looked at here, to count what has the form of an identifier, and forgotten.
    """
    specification, paths = root.specification(survey_id), root.files(survey_id)
    read = {*specification.columns_read, *specification.not_identifiers, *_only_in_the_statement(specification, paths, set())}
    found: dict[str, Identifier] = {}
    for path in paths.values():
        labels, names = _labels(path), [name for name in column_names(path) if name not in read]
        for start in range(0, len(names), AT_ONCE):
            head = read_head(path, names[start : start + AT_ONCE], LOOKED_AT)
            for column in map(str, head):
                if one := identifier(column, labels.get(column, ""), head[column]):
                    found[column] = one
    return list(found.values())


def _labels(path: Path) -> dict[str, str]:
    return {} if path.suffix.lower() in UNLABELLED else file_labels(path)[1]


def _only_in_the_statement(specification: SurveySpecification, paths: Mapping[str, Path], but: set[str]) -> dict[str, Path]:
    """Columns that `respondents:` names and the file that has each, without those of ``but``."""
    if not specification.respondents:
        return {}
    named, _ = check_select(specification.respondents, set(paths))
    return {name: path for path in paths.values() for name in column_names(path) if name in named - but}


def _users(specification: SurveySpecification) -> dict[str, str]:
    """What each column is read for: a harmonised variable, or the design."""
    users = dict.fromkeys(specification.design_columns, "design")
    for name, source in specification.variables.items():
        for item, column in (("", source.column), *source.columns.items()):
            if column:
                users[column] = f"{name}_{item}" if item else name
    return users
