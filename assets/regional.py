"""Countries of a round taken together, and the groups furthest behind in each survey: comparisons of published estimates.

Belongs here: which staged rows they are made from, and what Dagster is told. Not here: how (``rga.survey``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from assets.evidence import ALL
from assets.metadata import column_schema, preview
from assets.workspace import ESTIMATES, Workspace
from rga.microdata.catalogue import Catalogue
from rga.survey.design import MISSING, TOTAL
from rga.survey.furthest_behind import furthest_behind
from rga.survey.regional_tables import regional_tables
from rga.warehouse.staging import Staging

TABLES = ("regional_estimates", "regional_gaps", "regional_contributions", "gap_heterogeneity")
FACTS = ["survey_id", "country", "round", "year", "simulated"]
DESCRIBED = {
    "regional_estimates": (
        "**Surveyed countries of a round together**: shares by sex, by population and as a simple mean of countries, each named as "
        "such, with the countries counted and named and the range when one is left out. Never representative of a region."
    ),
    "regional_gaps": (
        "**Women minus men over the surveyed countries of a round**, with the covariance of people in shared PSUs, and the part of "
        "the gap that lies within countries."
    ),
    "regional_contributions": (
        "**Each country's part in each aggregate**: its weight, what it adds, and the value of the others without it."
    ),
    "gap_heterogeneity": (
        "**How much the gap differs from country to country**: Q, I2, tau2 by three estimators, and a random-effects mean with its "
        "Hartung-Knapp and prediction intervals."
    ),
}


def estimated(staging: Staging) -> list[str]:
    """Surveys with estimates, be they of today or the last good ones."""
    return [key for key in sorted(staging.manifest()) if staging.table("estimates", key).is_file()]


def staged(staging: Staging, survey_ids: list[str], name: str, condition: str) -> pd.DataFrame:
    """Rows of a staged table that meet an SQL ``condition``; all columns."""
    files = [str(path) for key in survey_ids if (path := staging.table(name, key)).is_file()]
    with duckdb.connect() as connection:
        rows = connection.read_parquet(files, union_by_name=True)
        return rows.filter(condition).df()


@dg.multi_asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    name="regional",
    specs=[
        dg.AssetSpec(
            name,
            deps=["estimates", "gender_gaps"],
            group_name=ESTIMATES,
            kinds={"numpy"},
            owners=["team:statistics"],
            description=text,
        )
        for name, text in DESCRIBED.items()
    ],
)
def regional(workspace: Workspace) -> Iterator[dg.MaterializeResult]:
    staging = workspace.paths.staging()
    made = regional_rows(staging, estimated(staging))
    for name in TABLES:
        staging.write(made[name], staging.table(name, ALL))
        yield dg.MaterializeResult(name, metadata=_metadata(made[name]))


def regional_rows(staging: Staging, survey_ids: list[str]) -> Mapping[str, pd.DataFrame]:
    """The four tables of ``survey_ids`` together; none has rows where there is no survey."""
    if not survey_ids:
        return {name: pd.DataFrame() for name in TABLES}
    estimates = staged(staging, survey_ids, "estimates", "breakdown IN ('total', 'sex') AND obs_status <> 'Q'")
    gaps = staged(staging, survey_ids, "gender_gaps", "breakdown = 'sex' AND obs_status <> 'Q'")
    return regional_tables(estimates, gaps, staging.read("coverage", survey_ids), staging.read("surveys", survey_ids))


@dg.asset(
    name="furthest_behind",
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    deps=["estimates"],
    group_name=ESTIMATES,
    kinds={"numpy"},
    owners=["team:statistics"],
    description=(
        "**The ten groups furthest behind per survey and indicator**, of every cell that is shown, three-way crossings included: "
        "how far they are from everybody, with limits that hold for all groups at once, and between which ranks they may be."
    ),
)
def groups_furthest_behind(workspace: Workspace) -> dg.MaterializeResult:
    root, staging = workspace.paths.data_root(), workspace.paths.staging()
    table = furthest_behind_rows(staging, estimated(staging), root.catalogue())
    staging.write(table, staging.table("furthest_behind", ALL))
    return dg.MaterializeResult(metadata=_metadata(table))


def furthest_behind_rows(staging: Staging, survey_ids: list[str], catalogue: Catalogue) -> pd.DataFrame:
    """The table of ``survey_ids``, with a label for people on each group."""
    if not survey_ids:
        return pd.DataFrame()
    directions = {code: item.direction for code, item in catalogue.indicators.items() if item.direction != "neutral"}
    known = " AND ".join(f"{name} <> '{MISSING}'" for name in catalogue.dimensions)
    wanted = ", ".join(f"'{code}'" for code in directions) or "''"
    estimates = staged(staging, survey_ids, "estimates", f"obs_status <> 'Q' AND {known} AND indicator IN ({wanted})")
    facts = estimates[FACTS].drop_duplicates()
    table = furthest_behind(estimates, directions, catalogue.dimensions).merge(facts, on="survey_id")
    words = {
        name: {item.sdmx.get(code, code): label for code, label in item.codes.items()}
        for name in catalogue.dimensions
        for item in [catalogue.columns[name]]
    }
    parts = [table[name].map(words[name] | {TOTAL: ""}).fillna(table[name]) for name in catalogue.dimensions]
    labels = [", ".join(part for part in row if part) for row in zip(*parts, strict=True)]
    return table.assign(group_label=pd.array(labels, dtype="str"))


def _metadata(frame: pd.DataFrame) -> dict[str, Any]:
    if frame.empty:
        return {"dagster/row_count": 0}
    return {"dagster/row_count": len(frame), "dagster/column_schema": column_schema(frame), "preview": preview(frame)}
