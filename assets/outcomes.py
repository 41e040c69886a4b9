"""The last word of a run: whether every survey could be read.

Belongs here: making a run red for failed surveys once the others are published. Not here: reading them, or their remedy.
"""

import dagster as dg
import pandas as pd

from assets.metadata import preview
from assets.workspace import RELEASE, Workspace
from rga.errors import InputError
from rga.evidence.search_interest import read_search_interest
from rga.microdata.texts import publishable_message

EVIDENCE_FILE = "evidence/search_interest.csv"


@dg.asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    deps=["release"],
    group_name=RELEASE,
    owners=["team:data"],
    description=(
        "**Whether every survey is in the release as it stands in the data root.** Comes last and fails when a survey failed, "
        "so that the run is red and that survey reads as failed; the release with all the others was published before."
    ),
)
def survey_outcomes(context: dg.AssetExecutionContext, workspace: Workspace) -> dg.MaterializeResult:
    manifest = workspace.paths.staging().manifest()
    failed = {key: str(entry["error"]) for key, entry in sorted(manifest.items()) if entry.get("error")}
    try:
        read_search_interest(workspace.paths.data_root().path)
    except InputError as error:
        failed[EVIDENCE_FILE] = publishable_message(str(error))
    for key, entry in sorted(manifest.items()):
        failed |= {f"{key} since {earlier}": message for earlier, message in entry.get("changes_failed", {}).items()}
    if failed:
        told = "\n\n".join(f"{key}\n{message}" for key, message in failed.items())
        raise dg.Failure(
            f"Failed: {', '.join(failed)}. Everything else is published.\n\n{told}",
            metadata={"failed": dg.MetadataValue.json(failed)},
            allow_retries=False,
        )
    return dg.MaterializeResult(metadata={"surveys": len(manifest)})


@dg.asset_check(
    asset="manifest",
    additional_deps=["estimates", "gender_gaps", "adjusted_gaps"],
    description="Every survey could be read and estimated. Does not stop the others: what failed keeps its last good estimates.",
)
def surveys_readable(workspace: Workspace) -> dg.AssetCheckResult:
    manifest = workspace.paths.staging().manifest()
    failed = [
        {"survey": key, "since": entry["error_since"], "what and remedy": entry["error"]}
        for key, entry in sorted(manifest.items())
        if entry.get("error")
    ]
    facts = {"failures": preview(pd.DataFrame(failed))} if failed else {}
    return dg.AssetCheckResult(passed=not failed, metadata={"surveys": len(manifest), "failed": len(failed), **facts})
