"""Tables of respondents, wherever they are kept.

Belongs here: opening one for a query, naming its columns. Not here: what is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd

from rga.errors import InputError, Problem

Data = pd.DataFrame | duckdb.DuckDBPyRelation | Path | str | tuple[duckdb.DuckDBPyConnection, str]

VIEW = "rga_data"
FLOATS = ("FLOAT", "DOUBLE")


@contextmanager
def opened(data: Data) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A connection, and the name under which it knows ``data``.

    ``data`` is a pandas frame, the path of a Parquet file, a DuckDB relation (read into memory: a relation does not give its
    connection away), or a connection with the name of a table or view in it, which is left open. A number that is NaN is missing,
    but in tables of a connection, where it is as DuckDB has it: larger than any other. Raises InputError where there is no such
    file, and whatever DuckDB has to say of a query that does not fit the data.
    """
    if isinstance(data, tuple):
        with telling():
            yield data
        return
    with telling(), duckdb.connect() as con:
        if isinstance(data, pd.DataFrame):
            con.register(VIEW, _with_types(data))  # reads NaN as NULL
        else:
            if isinstance(data, duckdb.DuckDBPyRelation):
                relation = con.from_arrow(data.to_arrow_table())
            elif Path(data).is_file():
                relation = con.read_parquet(str(data))
            else:
                raise InputError(Problem("no such file", "give the path of a Parquet file", file=str(data)))
            columns = zip(relation.columns, relation.types, strict=True)
            numbers = [f"{known(name)} AS {quoted(name)}" for name, kind in columns if str(kind) in FLOATS]
            relation.select(f"* REPLACE ({', '.join(numbers)})" if numbers else "*").create_view(VIEW)
        yield con, VIEW


def _with_types(frame: pd.DataFrame) -> pd.DataFrame:
    """``frame`` with text for a category of which there are none: no ENUM can be empty."""
    empty = [k for k, kind in enumerate(frame.dtypes) if isinstance(kind, pd.CategoricalDtype) and not len(kind.categories)]
    return frame.astype({frame.columns[k]: "str" for k in empty}) if empty else frame


@contextmanager
def telling(variable: str | None = None) -> Iterator[None]:
    """Raise InputError with DuckDB's words, without its query, where the data or what is asked of them are at fault."""
    try:
        yield
    except (duckdb.ProgrammingError, duckdb.DataError) as error:
        what = str(error).split("\n\nLINE")[0].split(": ", 1)[-1]
        raise InputError(Problem(what, "correct the expression or the data", variable=variable)) from error


def require(con: duckdb.DuckDBPyConnection, relation: str, columns: Iterable[str | None]) -> dict[str, str]:
    """The type of each of ``columns`` (None is no column). Raises InputError naming those that ``relation`` does not have, in
    whatever case."""
    types = {name.lower(): kind for name, kind, *_ in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    names = [name for name in dict.fromkeys(columns) if name is not None]
    if missing := [name for name in names if name.lower() not in types]:
        what, remedy = "no such column in the data", "correct the design, the crossing or the domain that names it"
        raise InputError([Problem(what, remedy, variable=name) for name in missing])
    return {name: types[name.lower()] for name in names}


def refuse_names(dimensions: Iterable[str], columns: Iterable[str]) -> None:
    """Raise InputError naming the ``dimensions`` called like one of the table's own ``columns``."""
    if clash := [name for name in dimensions if name in set(columns)]:
        what = "the table has a column of this name"
        raise InputError([Problem(what, "rename the column of the data", variable=name) for name in clash])


def known(number: str) -> str:
    """The column ``number`` (FLOAT or DOUBLE) with NULL for NaN."""
    return f"CASE WHEN NOT isnan({quoted(number)}) THEN {quoted(number)} END"


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"
