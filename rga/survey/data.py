"""Tables of respondents, wherever they are kept.

Belongs here: opening one for a query, naming its columns. Not here: what is asked of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd

from rga.errors import InputError, Problem

Data = pd.DataFrame | duckdb.DuckDBPyRelation | Path | str | tuple[duckdb.DuckDBPyConnection, str]

VIEW = "rga_data"


@contextmanager
def opened(data: Data) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
    """A connection, and the name under which it knows ``data``.

    ``data`` is a pandas frame, the path of a Parquet file, a DuckDB relation (read into memory: a relation does not give its
    connection away), or a connection with the name of a table or view in it, which is left open. Raises InputError where there is
    no such file.
    """
    if isinstance(data, tuple):
        yield data
        return
    with duckdb.connect() as con:
        if isinstance(data, pd.DataFrame):
            con.register(VIEW, data)
        elif isinstance(data, duckdb.DuckDBPyRelation):
            con.register(VIEW, data.to_arrow_table())
        elif Path(data).is_file():
            con.read_parquet(str(data)).create_view(VIEW)
        else:
            raise InputError(Problem("no such file", "give the path of a Parquet file", file=str(data)))
        yield con, VIEW


def quoted(name: str) -> str:
    """An SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"
