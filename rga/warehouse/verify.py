"""What must be true of a release before anybody sees it.

Belongs here: checks on the finished file. Not here: building it, or what to do when a check fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from rga.warehouse.attack.findings import Findings, findings
from rga.warehouse.schema import Table

FORBIDDEN = ("respondent_id", "respid", "panel_id", "weight", "base_weight", "psu", "stratum")


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    detail: str = ""


def verify(path: Path, tables: list[Table], rows: dict[str, int], attacked: Findings | None = None) -> list[Check]:
    """Open ``path`` read-only and check it; ``rows`` is how many rows each table was given, ``attacked`` what the attack found
    already."""
    with duckdb.connect(str(path), read_only=True) as connection:

        def column(query: str) -> list[str]:
            return [" ".join(str(part) for part in row) for row in connection.execute(query).fetchall()]

        def none(name: str, query: str) -> Check:
            found = column(query)
            return Check(name, not found, "; ".join(found[:5]))

        present = set(column("SELECT table_name FROM duckdb_tables() WHERE NOT internal"))
        checks = [Check("tables are those of the schema", present == {t.name for t in tables}, str(sorted(present)))]
        if not checks[0].passed:
            return checks
        wrong = [
            f"{table.name} has {found} of {rows[table.name]}"
            for table in tables
            if (found := int(column(f"SELECT count(*) FROM {table.name}")[0])) != rows[table.name]
        ]
        checks.append(_views_answer(connection))
        checks.append(Check("every row arrived", not wrong, "; ".join(wrong)))
        names = ", ".join(f"'{name}'" for name in FORBIDDEN)
        checks += [
            none("every table has a comment", "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND comment IS NULL"),
            none(
                "every column has a comment",
                "SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_tables() USING (database_name, table_name) "
                "WHERE NOT duckdb_columns.internal AND duckdb_columns.comment IS NULL",
            ),
            none(
                "no respondent-level column",
                f"SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal AND column_name IN ({names})",
            ),
            none(
                "what is shown has its error",
                "SELECT survey_id, indicator, breakdown FROM estimates WHERE obs_status <> 'Q' "
                "AND (se IS NULL OR n IS NULL OR df IS NULL OR isnan(se) OR isnan(value))",
            ),
            none(
                "estimates are of surveys of this release, and simulated as they are",
                "SELECT DISTINCT e.survey_id FROM estimates e LEFT JOIN surveys s USING (survey_id) "
                "WHERE s.survey_id IS NULL OR s.simulated <> e.simulated",
            ),
            none("gaps are the difference of the estimates", _gaps_disagree(tables)),
            none(
                "countries taken together have a survey of the round, and are simulated as it is",
                "SELECT DISTINCT c.round, c.country FROM regional_contributions c LEFT JOIN surveys s USING (round, country) "
                "WHERE s.survey_id IS NULL OR s.simulated <> c.simulated",
            ),
            none("changes are between numbers that are published", _changes_disagree(tables)),
            _hidden(attacked or findings(connection)),
        ]
        for table in tables:
            key = ", ".join(f'"{name}"' for name in table.key)
            checks.append(
                none(f"{table.name}: keys are unique", f"SELECT {key} FROM {table.name} GROUP BY {key} HAVING count(*) > 1")
            )
        return checks


def _hidden(found: Findings) -> Check:
    """What the attacker could compute; sums that are too much work for him are told, and fail nothing."""
    said = [" ".join(row) for row in found.cells[["survey_id", "indicator", "breakdown"]].head(5).to_numpy()]
    said += [f"{found.unfinished:,} sums were too much work to look at"] * bool(found.unfinished)
    return Check("no hidden count can be narrowed to fewer than four values", found.cells.empty, "; ".join(said))


def _gaps_disagree(tables: list[Table]) -> str:
    gaps = next(table for table in tables if table.name == "gender_gaps")
    estimates = next(table for table in tables if table.name == "estimates")
    shared = [name for name in gaps.key if name in estimates.key]
    return f"""
        SELECT g.survey_id, g.indicator, g.breakdown FROM gender_gaps g
        JOIN estimates w USING ({", ".join(shared)}) JOIN estimates m USING ({", ".join(shared)})
        WHERE w.sex = 'F' AND m.sex = 'M' AND abs(g.gap - (w.value - m.value)) > 1e-9"""


def _changes_disagree(tables: list[Table]) -> str:
    """Also where a number that its own table withholds is shown."""
    changes = next(table for table in tables if table.name == "changes")
    pairs = []
    for name, value, measure, side in [
        (name, value, measure, side)
        for name, value, measure in (("estimates", "value", "level"), ("gender_gaps", "gap", "gap"))
        for side in ("earlier", "later")
    ]:
        table = next(table for table in tables if table.name == name)
        shared = [key for key in changes.key if key in table.key]
        pairs.append(
            f"SELECT c.country, c.indicator, c.breakdown FROM changes c LEFT JOIN {name} t ON t.round = c.{side}_round "
            f"AND t.country = c.country AND {' AND '.join(f't.{key} = c.{key}' for key in shared)} "
            f"WHERE c.measure = '{measure}' AND c.{side} IS NOT NULL AND (t.{value} IS NULL OR abs(t.{value} - c.{side}) > 1e-9)"
        )
    return " UNION ALL ".join(pairs)


def _views_answer(connection: duckdb.DuckDBPyConnection) -> Check:
    """Views are bound when they are asked, not when they are made."""
    wrong = []
    for (name,) in connection.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").fetchall():
        try:
            connection.execute(f"FROM {name} LIMIT 1").fetchall()
        except duckdb.Error as error:
            wrong.append(f"{name}: {str(error).splitlines()[0]}")
    return Check("every view answers", not wrong, "; ".join(wrong))
