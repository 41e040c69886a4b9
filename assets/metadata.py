"""Facts about an asset in the form in which the Dagster UI shows them.

Belongs here: schemas, pictures, and previews of aggregates. Not here: a row of any respondent.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from rga.warehouse.schema import Table

SHOWN = 12


def of_table(table: Table, rows: int, first: pd.DataFrame) -> dict[str, Any]:
    """How many ``rows`` a published table has, what its columns are, and its ``first`` rows; where it has none, only that."""
    facts: dict[str, Any] = {"dagster/row_count": rows}
    if not rows:
        return facts
    return facts | {"dagster/column_schema": column_schema(first, table.comments), "preview": preview(first)}


def column_schema(frame: pd.DataFrame, comments: Mapping[str, str]) -> dg.TableSchema:
    """Names and types of the columns of ``frame``, whose rows stay where they are, with the ``comments`` there are on them."""
    described = [dg.TableColumn(str(name), str(dtype), comments.get(str(name))) for name, dtype in frame.dtypes.items()]
    return dg.TableSchema(columns=described)


def preview(aggregates: pd.DataFrame, shown: int = SHOWN) -> dg.TableMetadataValue:
    """The first rows of a table of aggregates."""
    names = [str(name) for name in aggregates.columns]
    rows = aggregates.head(shown).itertuples(index=False, name=None)
    records = [dg.TableRecord(dict(zip(names, map(_shown, row), strict=True))) for row in rows]
    return dg.MetadataValue.table(records, schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in names]))


def _shown(value: Any) -> str | None:
    """As text: the UI cannot read a row with NaN in it."""
    if pd.isna(value):
        return None
    return f"{value:,.2f}" if isinstance(value, float) else str(value)


def picture(svg: str, alternative: str) -> dg.MarkdownMetadataValue:
    """An SVG inside the page, so that it stays with the materialisation; ``alternative`` is the text for who cannot see it."""
    return dg.MetadataValue.md(f"![{alternative}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})")
