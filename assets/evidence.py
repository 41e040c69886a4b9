"""Evidence that is not a survey, as published by others.

Belongs here: staging it beside the surveys' tables. Not here: reading and checking it (``rga.evidence``).
"""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from assets.metadata import of_table
from assets.workspace import EVIDENCE, Workspace
from rga.errors import InputError
from rga.evidence.search_interest import read_search_interest
from rga.warehouse.staging import Staging
from rga.warehouse.tables import SEARCH_INTEREST

ALL = "all"  # where staging has a file per survey, evidence has one


@dg.asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    group_name=EVIDENCE,
    kinds={"csv"},
    owners=["team:data"],
    check_specs=[dg.AssetCheckSpec("search_interest_readable", asset="search_interest", description="Every line could be used.")],
    description=(
        "**Searches related to violence against women**, as published. A search is neither an incident nor a person: these figures "
        "stand beside the estimates and enter none. Where the file has errors, the last good figures stay."
    ),
)
def search_interest(workspace: Workspace) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    root, staging = workspace.paths.data_root(), workspace.paths.staging()
    problem = None
    try:
        staging.write(read_search_interest(root.path), staging.table("search_interest", ALL))
    except InputError as error:
        problem = str(error)
    frame = staged_search_interest(staging)
    yield dg.MaterializeResult(metadata=of_table(SEARCH_INTEREST, len(frame), frame))
    yield dg.AssetCheckResult(passed=problem is None, metadata={"problem": problem} if problem else {})


def staged_search_interest(staging: Staging) -> pd.DataFrame:
    """The last figures that could be read."""
    return staging.read("search_interest", [ALL])
