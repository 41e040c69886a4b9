"""Weighted respondents into published estimates and gender gaps.

Belongs here: which surveys to compute. Not here: estimators (``rga.survey``), what of them is printed (``publication``), how groups
are compared (``furthest_behind``).
"""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from assets.furthest_behind import furthest_behind_rows
from assets.metadata import of_table
from assets.processes import each
from assets.publication import published
from assets.workspace import ESTIMATES, Progress, Workspace, begun, failed, succeeded
from rga.microdata.catalogue import Catalogue
from rga.microdata.data_root import DataRoot, split_survey_id
from rga.survey import Design, Share, Sums, aggregate, estimates_and_gaps
from rga.survey.aggregation import STAGED
from rga.survey.data import quoted
from rga.warehouse.schema import Table
from rga.warehouse.staging import Staging
from rga.warehouse.tables import table

STAGE = "estimates"
TABLES = ("estimates", "gender_gaps", "furthest_behind")
# In a pass, of which there are two at least. More have costs of their own; and whatever the processors: last digits depend on what
# is summed together, and should not on the machine.
SURVEYS = 9


def sums_of(staging: Staging, survey_ids: list[str], catalogue: Catalogue) -> Sums:
    """The one pass over the staged respondents and weights of ``survey_ids``."""
    shares = [Share(code, item.universe, item.numerator) for code, item in catalogue.indicators.items()]
    with duckdb.connect() as connection:
        design = weighted_respondents(connection, staging, survey_ids)
        return aggregate(connection, "weighted", shares, catalogue.breakdowns, design)


def weighted_respondents(
    connection: duckdb.DuckDBPyConnection, staging: Staging, survey_ids: list[str], unread: Collection[str] = ()
) -> Design:
    """The staged respondents of ``survey_ids`` with their weights, as the view `weighted`, and the design that describes them.
    Columns that nobody reads (``unread``) may be left out, so that no copy is made of them."""
    staging.restricted_views(connection, survey_ids)
    joined(connection, "weighted", "respondents", "weights", unread)
    margins = [name for name, *_ in connection.execute("DESCRIBE weights").fetchall() if name.startswith("margin_")]
    return replace(STAGED, fpc="fpc", base_weight="weight_before_calibration" if margins else None, margins=tuple(sorted(margins)))


def joined(connection: duckdb.DuckDBPyConnection, name: str, respondents: str, weights: str, unread: Collection[str] = ()) -> None:
    """The view ``name`` of ``respondents``, without the columns that are ``unread``, and their ``weights``."""
    columns = [c for c, *_ in connection.execute(f"DESCRIBE {respondents}").fetchall() if c in unread] if unread else []
    without = f"EXCLUDE ({', '.join(map(quoted, columns))})" if columns else ""
    connection.execute(
        f"CREATE VIEW {name} AS SELECT r.* {without}, w.* EXCLUDE (survey_id, respondent_id) "
        f"FROM {respondents} r JOIN {weights} w USING (survey_id, respondent_id)"
    ).fetchall()


def tables_of(root: DataRoot, staging: Staging, survey_ids: list[str]) -> dict[str, pd.DataFrame]:
    """Published rows of `estimates`, `gender_gaps` and `furthest_behind` for ``survey_ids``. Raises InputError where a design
    forbids them."""
    catalogue = root.catalogue()
    sums = sums_of(staging, survey_ids, catalogue)
    lonely_psu = {key: root.specification(key).design.lonely_psu for key in survey_ids}
    facts = pd.DataFrame([_facts(root, key) for key in survey_ids])
    rules = root.publication_rules
    computed = estimates_and_gaps(sums, catalogue.breakdowns, lonely_psu, rules.dhs.suppress_below, from_total=True)
    coverage = staging.read("coverage", survey_ids).set_index(["survey_id", "indicator"])
    questions = [coverage.loc[pd.MultiIndex.from_frame(frame[["survey_id", "indicator"]])] for frame in computed]
    estimates, gaps = (
        frame.assign(comparability=question["reason"].astype("string").array)[(question["status"] != "not_asked").to_numpy()]
        for frame, question in zip(computed, questions, strict=True)
        # An expression may be true or false of people who were never asked, where it speaks of missing answers (COALESCE).
    )
    surveys = staging.read("surveys", survey_ids, ["survey_id", "population_rounded_to"])
    steps = dict(zip(surveys["survey_id"], surveys["population_rounded_to"], strict=True))
    tables = published(estimates, gaps, catalogue, rules, steps)
    tables = {name: frame.merge(facts, on="survey_id") for name, frame in tables.items()}
    return tables | {"furthest_behind": furthest_behind_rows(tables["estimates"], catalogue)}


def _facts(root: DataRoot, survey_id: str) -> dict[str, object]:
    round_id, country = split_survey_id(survey_id)
    specification = root.specification(survey_id)
    return {
        "survey_id": survey_id,
        "country": country,
        "round": round_id,
        "year": root.round(round_id).year,
        "mode": specification.mode,
        "sample_type": specification.sample_type,
        "simulated": specification.simulated,
    }


@dg.multi_asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    name="estimation",
    specs=[
        dg.AssetSpec(
            "estimates",
            deps=["manifest"],
            group_name=ESTIMATES,
            kinds={"duckdb"},
            owners=["team:statistics"],
            description=(
                "**Weighted shares with their uncertainty**, for every indicator in every cell of every breakdown: Taylor "
                "linearised standard error, 95 % logit interval, cases, population, design effect, degrees of freedom.\n\n"
                "Cells too thin, or that would tell on a respondent, keep their count and lose their number; `reason` says why."
            ),
        ),
        dg.AssetSpec(
            "gender_gaps",
            deps=["manifest"],
            group_name=ESTIMATES,
            kinds={"duckdb"},
            owners=["team:statistics"],
            description=(
                "**Women minus men, in percentage points**, with the covariance of people in shared PSUs; the ratio; p-values, "
                "also adjusted for the number of comparisons (Benjamini-Hochberg within survey and breakdown)."
            ),
        ),
        dg.AssetSpec(
            "furthest_behind",
            deps=["manifest"],  # not its sibling: a backfill would come to what needs `estimates` too early, and leave it out
            group_name=ESTIMATES,
            kinds={"numpy"},
            owners=["team:statistics"],
            description=(
                "**The ten groups furthest behind per survey and indicator**, of every cell that is shown, three-way crossings "
                "included: how far they are from everybody, with limits that hold for all groups at once, and between which ranks "
                "they may be."
            ),
        ),
    ],
)
def estimation(
    context: dg.AssetExecutionContext, workspace: Workspace, progress: dg.ResourceParam[Progress]
) -> Iterator[dg.MaterializeResult]:
    root, staging = workspace.paths.data_root(), workspace.paths.staging()
    due = [key for key, entry in staging.manifest().items() if is_due(staging, key, entry)]
    progress.begin("estimates", len(due))
    before = begun(staging, due, "estimated")
    number = max(2, math.ceil(len(due) / SURVEYS))
    passes = [survey_ids for first in range(number) if (survey_ids := due[first::number])]
    for key, error in _staged(root, staging, passes):
        progress.step(key)
        if error:
            failed(staging, key, STAGE, error, context.log, estimated=before[key])
        else:
            succeeded(staging, key, STAGE, estimated=staging.manifest()[key]["fingerprint"])
    for name in TABLES:
        yield dg.MaterializeResult(name, metadata=_metadata(staging, table(name, root.catalogue().dimensions), due))


def is_due(staging: Staging, survey_id: str, entry: Mapping[str, Any]) -> bool:
    """Whether respondents and weights are newer than the estimates made from them."""
    if not entry["fingerprint"]:
        return False
    made = all(staging.table(name, survey_id).is_file() for name in TABLES)
    return not made or entry.get("estimated") != entry["fingerprint"]


def _staged(root: DataRoot, staging: Staging, passes: list[list[str]]) -> Iterator[tuple[str, Exception | None]]:
    """Stage the tables of each of ``passes`` over several surveys; where there is an error, of each of those by itself."""
    for survey_ids, error in zip(passes, each(partial(stage_tables, root, staging), passes), strict=True):
        if error and len(survey_ids) > 1:
            yield from _staged(root, staging, [[key] for key in survey_ids])
        else:
            yield from ((key, error) for key in survey_ids)


def stage_tables(root: DataRoot, staging: Staging, survey_ids: list[str]) -> None:
    """Compute and write the published rows of ``survey_ids`` in one pass over them. Raises InputError."""
    for name, frame in tables_of(root, staging, survey_ids).items():
        of_survey = dict(list(frame.groupby("survey_id")))
        for key in survey_ids:
            staging.write(of_survey.get(key, frame.iloc[:0]), staging.table(name, key))


def _metadata(staging: Staging, schema: Table, computed: list[str]) -> dict[str, Any]:
    frame = staging.read(schema.name, sorted(staging.manifest()), ["survey_id", "obs_status", "reason"])
    first = staging.read(schema.name, frame["survey_id"].head(1).tolist()) if len(frame) else frame
    if schema.name != "furthest_behind" and len(first):
        first = first[first["breakdown"] == first["breakdown"].iloc[0]]
    facts = of_table(schema, len(frame), first) | {"computed": computed}
    if frame.empty:
        return facts
    if "reason" in frame:
        facts |= {
            "shown": int((frame["obs_status"] != "Q").sum()),
            "suppressed": int((frame["obs_status"] == "Q").sum()),
            "reasons": {name: int(count) for name, count in frame["reason"].value_counts().items()},
        }
    return facts | {"surveys": int(frame["survey_id"].nunique())}
