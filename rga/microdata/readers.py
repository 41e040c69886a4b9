"""Microdata files of several formats, read column by column, as they are.

Belongs here: opening .sav .dta .csv .xlsx .parquet and the SQL over several of them. Not here: what their codes mean.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

import duckdb
import pandas as pd
import pyreadstat

from rga.errors import InputError, Problem
from rga.microdata.expressions import check_select

FORMATS = {".sav", ".zsav", ".dta", ".csv", ".xlsx", ".parquet"}


_UNREADABLE = (
    pyreadstat.ReadstatError,
    pyreadstat.PyreadstatError,
    duckdb.Error,
    zipfile.BadZipFile,
    ValueError,
    KeyError,
    OSError,
)


def sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def column_names(path: Path) -> list[str]:
    """Names of the columns of a microdata file, without its rows. Raises InputError."""
    return list(_read(path, None).columns)


def read_columns(path: Path, wanted: Iterable[str]) -> pd.DataFrame:
    """Those of the ``wanted`` columns that ``path`` has, in the file's own codes; the others are never loaded.

    User-missing codes of SPSS and extended missing values of Stata (`.a` to `.z`) are kept as codes; blank is null.
    Raises InputError.
    """
    names = set(wanted)
    return _read(path, [name for name in column_names(path) if name in names])


def _read(path: Path, columns: list[str] | None) -> pd.DataFrame:
    """``columns`` of a file; None: no rows, all names."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(Problem(f"format {suffix or '(no ending)'} is not read", f"use {', '.join(sorted(FORMATS))}", path.name))
    if columns is not None and not columns:
        return pd.DataFrame()
    try:
        if suffix in {".sav", ".zsav"}:
            return _statistical(pyreadstat.read_sav, path, columns)
        if suffix == ".dta":
            return _statistical(pyreadstat.read_dta, path, columns)
        if suffix == ".xlsx":
            return pd.read_excel(path, dtype=object, usecols=columns, nrows=0 if columns is None else None)
        return _with_duckdb(path, columns)
    except _UNREADABLE as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise InputError(
            Problem(
                f"cannot be read as {suffix}: {reason}",
                "open it in the program that made it and save it again, or ask the producer for a whole copy",
                file=path.name,
            )
        ) from None


def _statistical(reader, path: Path, columns: list[str] | None) -> pd.DataFrame:  # type: ignore[no-untyped-def]
    frame, meta = reader(
        str(path), usecols=columns, metadataonly=columns is None, user_missing=True, disable_datetime_conversion=True
    )
    if columns is None:
        return pd.DataFrame(columns=meta.column_names)
    if path.suffix.lower() == ".dta":
        letters = {name: set(values) for name, values in (meta.missing_user_values or {}).items()}
        for name, values in letters.items():
            if name in frame:
                frame[name] = frame[name].map(lambda v, values=values: f".{v}" if v in values else v)
    return frame


def _with_duckdb(path: Path, columns: list[str] | None) -> pd.DataFrame:
    with duckdb.connect() as connection:
        if path.suffix.lower() == ".csv":
            source = connection.read_csv(str(path), all_varchar=True, header=True, sample_size=-1)
        else:
            source = connection.read_parquet(str(path))
        if columns is None:
            return pd.DataFrame(columns=source.columns)
        quoted = ['"' + name.replace('"', '""') + '"' for name in columns]
        return source.project(", ".join(quoted)).df()


def one_row_per_respondent(files: dict[str, Path], statement: str | None, wanted: list[str]) -> pd.DataFrame:
    """``wanted`` columns of the only file, or of what ``statement`` selects from several.

    ``statement`` runs in a DuckDB without file or network access, over tables that hold only the columns it names
    and the wanted ones. Raises InputError naming columns that are nowhere.
    """
    if statement is None:
        (path,) = files.values()
        frame = read_columns(path, wanted)
        _complain_of_missing(wanted, column_names(path), path.name)
        return frame[wanted]
    try:
        named, _ = check_select(statement, set(files))
    except ValueError as error:
        raise InputError(Problem(f"respondents: {error}", "correct `respondents:`", file="survey.yaml")) from None
    needed = set(wanted) | named
    with duckdb.connect(config={"enable_external_access": "false", "lock_configuration": "true"}) as connection:
        for name, path in files.items():
            connection.register(name, read_columns(path, needed))
        try:
            frame = connection.execute(statement).df()
        except duckdb.Error as error:
            reason = str(error).splitlines()[0]
            raise InputError(Problem(f"respondents: {reason}", "correct the SQL in `respondents:`", file="survey.yaml")) from None
    _complain_of_missing(wanted, list(frame.columns), "the result of `respondents:`")
    return frame[wanted]


def _complain_of_missing(wanted: list[str], present: list[str], where: str) -> None:
    problems = []
    for name in (name for name in wanted if name not in present):
        near = get_close_matches(name, present, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "correct the column's name in survey.yaml"
        problems.append(Problem("there is no such column", hint, file=where, variable=name))
    if problems:
        raise InputError(problems)
