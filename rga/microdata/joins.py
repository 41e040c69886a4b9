"""A survey's one row per respondent: of its only file, or by the SQL of `respondents:` over several.

Belongs here: running that SQL, shut in and within bounds. Not here: opening files (``readers``), which SQL is allowed
(``expressions``).
"""

from __future__ import annotations

import re
import threading
from difflib import get_close_matches
from pathlib import Path

import duckdb
import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.expressions import check_select
from rga.microdata.readers import column_names, read_columns
from rga.microdata.telling import can_be_told

_SHUT_IN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "lock_configuration": "true",
    "memory_limit": "4GB",
}
LONGEST_STATEMENT = 120  # seconds: a join of a million rows takes one
MOST_ROWS = 20_000_000
MOST_TIMES = 50  # rows of the result for each of the largest file


def one_row_per_respondent(files: dict[str, Path], statement: str | None, wanted: list[str]) -> pd.DataFrame:
    """``wanted`` columns of the only file, or of what ``statement`` selects from several.

    ``statement`` runs in a DuckDB without file or network access, over tables that hold only the columns it names
    and the wanted ones; its rows are counted before any is fetched. Raises InputError naming columns that are nowhere.
    """
    if statement is None:
        (path,) = files.values()
        frame = read_columns(path, wanted)
        if not set(wanted) <= set(frame.columns):
            _complain_of_missing(wanted, column_names(path), path.name)
        return frame[wanted]
    try:
        named, _ = check_select(statement, set(files))
    except ValueError as error:
        raise InputError(Problem(f"respondents: {error}", "correct `respondents:`", file="survey.yaml")) from None
    frame = _selected(files, statement, set(wanted) | named)
    _complain_of_missing(wanted, list(frame.columns), "the result of `respondents:`")
    return frame[wanted]


def _selected(files: dict[str, Path], statement: str, needed: set[str]) -> pd.DataFrame:
    """What ``statement`` selects from the ``needed`` columns of ``files``, or an InputError that quotes nothing of any row."""
    with duckdb.connect(config=_SHUT_IN) as connection:
        largest = 0
        for name, path in files.items():
            table = read_columns(path, needed)
            largest = max(largest, len(table))
            connection.register(name, table)
        most = min(MOST_ROWS, MOST_TIMES * largest)
        clock = threading.Timer(LONGEST_STATEMENT, connection.interrupt)
        clock.start()
        try:
            selected = connection.sql(statement)
            (rows,) = selected.limit(most + 1).aggregate("count(*)").fetchone() or (0,)
            if rows <= most:
                return selected.df()
            what, remedy = f"selects more than {most:,} rows", "does it join every row with every other?"
        except duckdb.InterruptException:
            what, remedy = f"was stopped after {LONGEST_STATEMENT} seconds", "does it join every row with every other?"
        except (MemoryError, duckdb.OutOfMemoryException):
            what, remedy = "needs more memory than it may take", "does it join every row with every other?"
        except duckdb.Error as error:
            what, remedy = _without_values(error, needed), "correct the SQL in `respondents:`"
        finally:
            clock.cancel()
    raise InputError(Problem(f"respondents: {what}", remedy, file="survey.yaml"))


def _without_values(error: duckdb.Error, columns: set[str]) -> str:
    """What DuckDB says of a statement; where it speaks of a row, only what kind of error it is and in which of ``columns``."""
    reason = str(error).splitlines()[0]
    if isinstance(error, duckdb.BinderException | duckdb.CatalogException | duckdb.ParserException):
        return reason
    column = re.search(r'source column "?(.+?)"?$', reason)
    where = f" in column {column[1]}" if column and column[1] in columns else ""
    return f"a row has a value that it cannot compute with{where} ({type(error).__name__}); TRY_CAST gives null instead of an error"


def _complain_of_missing(wanted: list[str], present: list[str], where: str) -> None:
    problems = []
    for name in (name for name in wanted if name not in present):
        near = [other for other in present if other.lower() == name.lower()] or get_close_matches(name, present, n=1)
        near = [other for other in near if can_be_told(other, [name])]
        hint = f"did you mean `{near[0]}`?" if near else "correct the column's name in survey.yaml"
        problems.append(Problem("there is no such column", hint, file=where, variable=name))
    if problems:
        raise InputError(problems)
