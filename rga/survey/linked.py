"""Two rounds that share people or PSUs, stacked into one table in which these have one name.

Belongs here: who is the same unit in both rounds. Not here: what changed between them (``changes``).
"""

from __future__ import annotations

from typing import Literal

import duckdb

from rga.survey.data import quoted
from rga.survey.design import MISSING, Design

ROUND = "round"
ROUNDS = ("earlier", "later")
Link = Literal["panel", "shared_psu"]

BEFORE = "weight_before_calibration"


def shared(con: duckdb.DuckDBPyConnection, earlier: str, later: str, link: Link) -> int:
    """How many people (`panel`), or PSUs within their stratum (`shared_psu`), both relations have among those with a weight."""
    columns = "panel_id" if link == "panel" else "stratum, psu"
    one, other = (
        f"SELECT {columns} FROM {quoted(name)} WHERE weight IS NOT NULL AND {columns.split(', ')[-1]} IS NOT NULL"
        for name in (earlier, later)
    )
    return int(con.execute(f"SELECT count(*) FROM (({one}) INTERSECT ({other}))").fetchall()[0][0])


def linked_rounds(con: duckdb.DuckDBPyConnection, earlier: str, later: str, name: str, people: bool, psus: bool) -> Design:
    """Make the view ``name`` of both relations' respondents, and give the design under which it is one sample.

    Both relations have weight, stratum, psu and panel_id (NULL where there is none) and, where weights were calibrated,
    weight_before_calibration and margin_1 ...; both have the same other columns, or lack them (NULL). The view has `round`,
    `earlier` or `later`, in place of whatever was called so; categories of the margins begin with it, as in `earlier*F`.

    ``people``: who has a panel_id in both is the same person, and keeps the stratum and PSU in which she or he was sampled: those
    of the earlier round; where that knows no PSUs those of the later; where neither does the person is the PSU. ``psus``: PSUs of
    one name in strata of one name are the same in both rounds; otherwise names are taken to agree by accident.
    """
    columns = {side: [row[0] for row in con.execute(f"DESCRIBE {quoted(side)}").fetchall()] for side in (earlier, later)}
    for side in (earlier, later) if people else ():
        query = f"SELECT count(panel_id), count(DISTINCT panel_id) FROM {quoted(side)} WHERE weight IS NOT NULL"
        ((rows, distinct),) = con.execute(query).fetchall()
        if rows > distinct:
            raise ValueError(
                f"{side}: {rows - distinct:,} of {rows:,} respondents have the panel_id of another: it must tell people apart"
            )
    margins = sorted({c for side in columns.values() for c in side if c.startswith("margin_")})
    before = any(BEFORE in side for side in columns.values())

    def half(this: str, other: str, label: str) -> str:
        tags = {side: "" if psus else f"{rank}:" for side, rank in zip((earlier, later), ROUNDS, strict=True)}
        same = f"{'TRUE' if people else 'FALSE'} AND other.panel_id IS NOT NULL"
        here = ("this.stratum", f"'{tags[this]}psu ' || this.psu")
        there = ("other.stratum", f"'{tags[other]}psu ' || other.psu")
        first, second, of_first = (here, there, "this") if this == earlier else (there, here, "other")
        of_second = "other" if of_first == "this" else "this"
        unit = [
            f"CASE WHEN NOT ({same}) THEN {here[k]} WHEN {of_first}.psu IS NOT NULL THEN {first[k]} "
            f"WHEN {of_second}.psu IS NOT NULL THEN {second[k]} ELSE {person} END"
            for k, person in ((0, first[0]), (1, "'person ' || this.panel_id"))
        ]
        kept = [c for c in columns[this] if c not in {"stratum", "psu", ROUND, *margins}]
        coded = [
            f"'{label}*' || COALESCE(this.{quoted(m)}, '{MISSING}') AS {quoted(m)}"
            if m in columns[this]
            else f"'{label}*{MISSING}' AS {quoted(m)}"
            for m in margins
        ]
        selected = [f"this.{quoted(c)}" for c in kept] + [f"{unit[0]} AS stratum", f"{unit[1]} AS psu", f"'{label}' AS {ROUND}"]
        return (
            f"SELECT {', '.join([*selected, *coded])} FROM {quoted(this)} AS this "
            f"LEFT JOIN (SELECT panel_id, stratum, psu FROM {quoted(other)} WHERE weight IS NOT NULL) AS other "
            "ON this.panel_id = other.panel_id"
        )

    halves = half(earlier, later, ROUNDS[0]), half(later, earlier, ROUNDS[1])
    con.execute(f"CREATE OR REPLACE VIEW {quoted(name)} AS {halves[0]} UNION ALL BY NAME {halves[1]}").fetchall()
    base_weight = BEFORE if before and margins else None
    return Design(stratum="stratum", psu="psu", base_weight=base_weight, margins=tuple(margins) if base_weight else ())
