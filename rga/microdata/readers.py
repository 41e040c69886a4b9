"""Microdata files of several formats, read column by column, as they are.

Belongs here: opening SPSS, Stata, SAS, Excel, CSV and Parquet files. Not here: the SQL over several of them (``joins``), what their
codes mean.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyreadstat
from pyreadstat.pyreadstat import parser_entry_point
from python_calamine import CalamineError

from rga.errors import InputError, Problem
from rga.microdata.codes import canonical_code

_STATISTICAL: dict[str, Callable] = {
    ".sav": pyreadstat.read_sav,
    ".zsav": pyreadstat.read_sav,
    ".dta": pyreadstat.read_dta,
    ".sas7bdat": pyreadstat.read_sas7bdat,
    # read_por and read_xport have no `user_missing`: they turn declared missing codes into blanks.
    ".por": partial(parser_entry_point, parser_format="por"),
    ".xpt": partial(parser_entry_point, parser_format="xport"),
}
_LETTERS = {".dta", ".sas7bdat", ".xpt"}  # formats whose missing values are letters
WIDE = 1_000  # columns of a text file
FORMATS = {*_STATISTICAL, ".csv", ".xlsx", ".parquet"}

_UNREADABLE = (
    pyreadstat.ReadstatError,
    pyreadstat.PyreadstatError,
    duckdb.Error,
    CalamineError,
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
    return list(_names(path, *_state(path)))


def _state(path: Path) -> tuple[int, int, int]:
    """What changes when a file does: which it is, its size and when it was written."""
    try:
        found = path.stat()
    except OSError:  # reading it says why
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(maxsize=64)
def _names(path: Path, *_: int) -> tuple[str, ...]:
    return tuple(_read(path, None).columns)


@lru_cache(maxsize=16)
def _metadata(path: Path, *_: int) -> Any:
    """What a statistical file says of itself; a wide one takes seconds, and is asked many times."""
    return _opened(path, None)[1]


def read_columns(path: Path, wanted: Iterable[str]) -> pd.DataFrame:
    """Those of the ``wanted`` columns that ``path`` has, in the file's own codes; the others are never loaded.

    User-missing codes of SPSS and missing values of Stata and SAS (`.a` to `.z`) are kept as codes; blank is null.
    Raises InputError.
    """
    names = set(wanted)
    found = _read(path, [name for name in column_names(path) if name in names])
    _complain_of_twice(path, names)
    return found


def _complain_of_twice(path: Path, wanted: set[str]) -> None:
    """Raises InputError for a wanted name that several columns bear: in text and Parquet, capitals make no difference."""
    suffix = path.suffix.lower()
    written = _header(path)
    fold = str.lower if suffix in (".csv", ".parquet") else str
    counts = Counter(map(fold, written))
    if twice := [name for name in sorted(wanted) if counts[fold(name)] > 1]:
        remedy = "have one of them renamed, or taken out"
        raise InputError([Problem("is the name of two columns, or stands there twice", remedy, path.name, name) for name in twice])


def _header(path: Path) -> list[str]:
    """Names of columns as they are written, where a reader would rename those that repeat; else none."""
    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        top = pd.read_excel(path, header=None, nrows=1, dtype=object, engine="calamine")
        return [str(name) for name in top.iloc[0]] if len(top) else []
    if suffix == ".csv":
        return _first_line(path)[1]
    return []


def _first_line(path: Path) -> tuple[str, list[str]]:
    """The mark that parts the first line of a text file into most names, and the names."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(1 << 22)
    parted = {mark: next(csv.reader([line], delimiter=mark), []) for mark in ",;\t|"}
    return max(parted.items(), key=lambda item: len(item[1]))


def _wide(path: Path) -> dict[str, Any]:
    """How a text file of very many columns is written, for DuckDB, whose own search for it takes longer than reading: as RFC 4180
    has it, with the mark of its header."""
    mark, names = _first_line(path)
    if len(names) < WIDE:
        return {}
    first = {name.lower(): place for place, name in reversed([*enumerate(names)])}
    once = [name if first[name.lower()] == place else f"{name}_{place}" for place, name in enumerate(names)]
    return {"auto_detect": False, "delimiter": mark, "quotechar": '"', "escapechar": '"', "columns": dict.fromkeys(once, "VARCHAR")}


def read_head(path: Path, wanted: Iterable[str], rows: int) -> pd.DataFrame:
    """As ``read_columns``, of the first ``rows`` rows only."""
    names = set(wanted)
    return _read(path, [name for name in column_names(path) if name in names], rows)


def _read(path: Path, columns: list[str] | None, rows: int | None = None) -> pd.DataFrame:
    """``columns`` of a file, all or its first ``rows``; None: no rows, all names."""
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        raise InputError(Problem(f"format {suffix or '(no ending)'} is not read", f"use {', '.join(sorted(FORMATS))}", path.name))
    if columns is not None and not columns:
        return pd.DataFrame()
    try:
        if suffix in _STATISTICAL:
            return _statistical(path, columns, rows)
        if suffix == ".xlsx":
            rows = 0 if columns is None else rows
            # An answer that reads None or NA is an answer; only an empty cell is blank.
            return pd.read_excel(
                path, dtype=object, usecols=columns, nrows=rows, engine="calamine", keep_default_na=False, na_values=[""]
            )
        return _with_duckdb(path, columns, rows)
    except _UNREADABLE as error:
        if suffix == ".csv" and not _is_utf8(path):
            what, remedy = "is not UTF-8 text", "open it in the program that made it and save it as CSV in UTF-8"
            raise InputError(Problem(what, remedy, file=path.name)) from None
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise InputError(
            Problem(
                f"cannot be read as {suffix}: {reason}",
                "open it in the program that made it and save it again, or ask the producer for a whole copy",
                file=path.name,
            )
        ) from None


def _is_utf8(path: Path) -> bool:
    """Whether a file is text in UTF-8, read piece by piece."""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                if b"\0" in piece:
                    return False
                decode(piece)
            decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _statistical(path: Path, columns: list[str] | None, rows: int | None) -> pd.DataFrame:
    suffix = path.suffix.lower()
    if columns is None:
        return pd.DataFrame(columns=_metadata(path, *_state(path)).column_names)
    frame, meta = _opened(path, columns, rows)
    if suffix in _LETTERS:
        for name, letters in (meta.missing_user_values or {}).items():
            frame[name] = frame[name].map(lambda v, known=set(letters): f".{v.lower()}" if v in known else v)
    return frame


def _opened(path: Path, columns: list[str] | None, rows: int | None = None) -> tuple[pd.DataFrame, Any]:
    """A statistical file and its metadata; None: no rows."""
    suffix = path.suffix.lower()
    if suffix == ".xpt" and path.stat().st_size % 80:  # the format has no count of rows, but a fixed length of records
        raise ValueError("it ends in the middle of a record")
    read = partial(
        _STATISTICAL[suffix],
        str(path),
        usecols=columns,
        metadataonly=columns is None,
        row_limit=rows or 0,
        user_missing=True,
        disable_datetime_conversion=True,
    )
    try:
        return read()
    except (pyreadstat.ReadstatError, UnicodeDecodeError) as error:
        if "encoding" not in str(error) and not isinstance(error, UnicodeDecodeError):
            raise
        # Programs older than UTF-8 often declare no encoding or a wrong one; Windows' is what nearly all of them wrote.
        return read(encoding="WINDOWS-1252")


def file_labels(path: Path) -> tuple[str, dict[str, str], dict[str, dict[str, str]]]:
    """The file's own title, labels of columns, and of their values by code, as far as the format holds any. Raises InputError."""
    column_names(path)  # says why a file cannot be read
    if path.suffix.lower() not in _STATISTICAL:
        return "", {}, {}
    meta = _metadata(path, *_state(path))
    letters = path.suffix.lower() in _LETTERS
    values = {
        name: {
            f".{code.lower()}" if letters and isinstance(code, str) and len(code) == 1 else canonical_code(code): str(label)
            for code, label in given.items()
        }
        for name, given in meta.variable_value_labels.items()
    }
    return meta.file_label or "", {name: str(label) for name, label in meta.column_names_to_labels.items() if label}, values


def _with_duckdb(path: Path, columns: list[str] | None, rows: int | None) -> pd.DataFrame:
    with duckdb.connect() as connection:
        if path.suffix.lower() == ".csv":
            wide = _wide(path)
            if wide:
                connection.execute("SET threads = 1")  # each holds some 2,000 rows of all columns
            source = connection.read_csv(str(path), **(wide or {"all_varchar": True, "sample_size": -1}), header=True)
            if len(source.columns) == 1 < len(_header(path)):  # no mark parts every row, so none was found
                raise ValueError(
                    "rows have other numbers of fields than the header: is it cut short, or a quotation mark left open?"
                )
        else:
            source = connection.read_parquet(str(path))
        if columns is None:
            return pd.DataFrame(columns=source.columns)
        quoted = ['"' + name.replace('"', '""') + '"' for name in columns]
        source = source.project(", ".join(quoted))
        return (source if rows is None else source.limit(rows)).df()
