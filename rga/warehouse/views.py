"""Views and table macros of a release: what researchers ask for first, with titles and in words.

Belongs here: which there are, and what their columns mean. Not here: their SQL (``headline_views``, ``comparison_views``,
``macros``), or any number that no table has.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from rga.warehouse.comparison_views import COMPARISONS
from rga.warehouse.descriptive_tables import SURVEY_STATUS
from rga.warehouse.headline_views import HEADLINE, LONG, wide
from rga.warehouse.macros import MACROS
from rga.warehouse.schema import Table, View, literal, quoted

ABOUT = {  # columns that mean the same in every view and macro
    "country_name": "Common name of the country, in English",
    "module": "Module of the questionnaire",
    "title": "Title of the indicator",
    "direction": "more_is_worse, more_is_better or neutral",
    "everybody": "Share of everybody, per cent; null where suppressed",
    "women": "Share of women, per cent; null where suppressed",
    "men": "Share of men, per cent; null where suppressed",
    "gap": "women - men, percentage points; null where verdict says why",
    "gap_low": "Lower 95 % limit of gap",
    "gap_high": "Upper 95 % limit of gap",
    "rounded_to": "The largest protective rounding of the row's shares, percentage points; null: none",
    "obs_status": "Of the gap or share (SDMX): A normal, U low reliability, Q suppressed",
    "adjusted_gap": "Gap between women and men who are alike in age, education and so on, percentage points (table adjusted_gaps)",
    "adjusted_low": "Lower 95 % limit of adjusted_gap",
    "adjusted_high": "Upper 95 % limit of adjusted_gap",
    "adjusted_status": "obs_status of adjusted_gap: A normal, U low reliability, Q suppressed",
    "caution": "Why the survey's estimates are to be read with care, whatever their errors say; null where nothing is known",
    "survey_status": SURVEY_STATUS,
}


def views(indicators: Sequence[str]) -> list[View]:
    """All of them, in the order in which they build on each other; ``indicators`` are the codes that `v_wide` has as columns."""
    return [HEADLINE, LONG, wide(indicators), *COMPARISONS, *MACROS]


def create_views(connection: duckdb.DuckDBPyConnection, indicators: Sequence[str], schema: Sequence[Table]) -> None:
    """Create all of them over the tables of ``schema``, with comments on the columns of views (DuckDB has none for macros')."""
    connection.execute("BEGIN").fetchall()  # one commit for hundreds of comments
    for view in views(indicators):
        for statement in view.ddl():
            connection.execute(statement).fetchall()
        if not view.parameters:
            for name, _, comment in columns_of(connection, view, schema):
                connection.execute(f"COMMENT ON COLUMN {view.name}.{quoted(name)} IS {literal(comment)}").fetchall()
    connection.execute("COMMIT").fetchall()


def columns_of(connection: duckdb.DuckDBPyConnection, view: View, schema: Sequence[Table]) -> list[tuple[str, str, str]]:
    """Name, type and comment of each column of a view or macro that ``connection`` has."""
    arguments = f"({', '.join(['NULL'] * len(view.parameters))})" if view.parameters else ""
    found = connection.execute(f"DESCRIBE FROM {view.name}{arguments}").fetchall()
    inherited = next((table.comments for table in schema if table.name == view.of), {})
    comments = {**inherited, **ABOUT, **view.about}
    return [(name, "ENUM" if kind.startswith("ENUM") else kind, comments.get(name, "")) for name, kind, *_ in found]
