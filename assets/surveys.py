"""Survey files into respondents and weights, one partition per survey, and the manifest of what is current.

Belongs here: which surveys to work on, and telling Dagster the truth about each. Not here: the work (``rga.microdata``,
``weights``, ``survey_tables``).
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import dagster as dg
import pandas as pd

from assets.corrections import HELD, held_fact, review, staged_facts
from assets.metadata import column_schema, picture
from assets.processes import each
from assets.quality import OWN, thresholds, verdict
from assets.repeats import copies_of, sizes
from assets.survey_tables import CORRECTION, LAST, is_staged, stage_survey
from assets.workspace import NEVER_BUILT, SURVEYS, Progress, Workspace, failed, inputs, now, succeeded
from assets.workspace import surveys as survey_partitions
from rga.errors import InputError
from rga.microdata.data_root import DataRoot, one_hash
from rga.quality import finding_rows
from rga.quality.same_respondents import twice
from rga.warehouse.staging import Staging

STAGE = "surveys"
DATA_VERSION = "dagster/data_version"
FILE_CHECK = "file_gives_no_cause_for_doubt"


class SurveysConfig(dg.Config):
    """Narrows a run below its partitions, which Dagster can only give as a range."""

    surveys: list[str] = []
    force: bool = False


@dataclass
class Outcome:
    """What became of one survey in this run; ``metadata`` by asset."""

    status: Literal["built", "unchanged", "held", "failed"]
    message: str = ""
    version: str = ""
    metadata: Mapping[str, dict[str, Any]] | None = None


@dg.multi_asset(
    name="surveys",
    can_subset=True,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[
        dg.AssetCheckSpec(
            FILE_CHECK,
            asset="respondents",
            partitions_def=survey_partitions,
            description="Nothing in the survey's file deserves a look. Stops nothing: flags are published (table data_quality).",
        )
    ],
    specs=[
        dg.AssetSpec(
            "respondents",
            partitions_def=survey_partitions,
            skippable=True,
            group_name=SURVEYS,
            kinds={"parquet"},
            owners=["team:data"],
            description=(
                "**One harmonised row per respondent.** Read from the survey's file as its `survey.yaml` says: every code mapped, "
                "declared missing, or an error. Columns that are neither mapped nor part of the design are never read.\n\n"
                "Restricted: the rows stay under `warehouse/restricted/` and are shown nowhere."
            ),
        ),
        dg.AssetSpec(
            "weights",
            deps=["respondents"],
            partitions_def=survey_partitions,
            skippable=True,
            group_name=SURVEYS,
            kinds={"parquet"},
            owners=["team:data"],
            description=(
                "**One weight per respondent**, by the steps that the survey's `weighting:` lists: base weight, nonresponse, "
                "calibration to the population benchmark, trimming. Diagnostics are published as `weighting`, `weighting_effects`, "
                "`weighting_sensitivity` and `margins`; the picture shows margins and the spread of the weights."
            ),
        ),
        dg.AssetSpec(
            "manifest",
            # Which surveys are read is for the manifest to say: with every partition required, one broken survey would hold
            # back all the others in a backfill.
            deps=[dg.AssetDep("weights", partition_mapping=dg.SpecificPartitionsPartitionMapping([]))],
            group_name=SURVEYS,
            kinds={"json"},
            owners=["team:data"],
            description=(
                "**Which surveys are current.** For each survey the fingerprint of everything it was made from (file, "
                "specification, catalogue, benchmark, code), when it was built, and the error if it could not be read.\n\n"
                "What has not changed is not computed again."
            ),
        ),
    ],
)
def survey_files(
    context: dg.AssetExecutionContext, config: SurveysConfig, workspace: Workspace, progress: dg.ResourceParam[Progress]
) -> Iterator[dg.MaterializeResult]:
    root, staging = workspace.paths.data_root(), workspace.paths.staging()
    try:
        root.catalogue(), thresholds(root)
    except InputError as error:
        raise dg.Failure(f"The catalogue cannot be used; nothing was built.\n{error}", allow_retries=False) from None
    try:
        staging.protect()
    except InputError as error:
        raise dg.Failure(
            f"Respondents of earlier builds cannot be opened; nothing was built.\n{error}", allow_retries=False
        ) from None
    _forget_removed(root, staging, context)
    spanned = _spanned(context, root)
    keys = [key for key in spanned if not config.surveys or key in config.surveys]
    outcomes = _bring_up_to_date(root, staging, keys, config.force, progress, context.log)
    bad = {key: outcome for key, outcome in outcomes.items() if outcome.status == "failed"}
    labels = {name: variable.label for name, variable in root.catalogue().columns.items()}
    _report(context, staging, {key: outcomes.get(key) or _left_alone(staging, key) for key in spanned}, labels)
    if dg.AssetKey("manifest") in context.selected_asset_keys:
        yield dg.MaterializeResult("manifest", metadata=_manifest_metadata(outcomes, staging))
    elif bad:  # nothing after this step could say so
        told = "\n".join(f"{key}:\n{outcome.message}" for key, outcome in bad.items())
        raise dg.Failure(f"{len(bad)} of {len(keys)} surveys failed.\n{told}", allow_retries=False)


def _spanned(context: dg.AssetExecutionContext, root: DataRoot) -> list[str]:
    """Survey ids among this run's partitions, or all where it was started without."""
    on_disk = root.survey_ids()
    if context.has_partition_key or context.has_partition_key_range:
        return [key for key in context.partition_keys if key in on_disk]
    return on_disk


def _left_alone(staging: Staging, key: str) -> Outcome:
    """What stands of a survey that lies between those this run was asked for."""
    entry = staging.manifest().get(key, NEVER_BUILT)
    good = entry["fingerprint"] and not entry["error"]
    return Outcome("unchanged", version=entry["fingerprint"]) if good else Outcome("failed")


def _forget_removed(root: DataRoot, staging: Staging, context: dg.AssetExecutionContext) -> None:
    for key in sorted(set(staging.manifest()) - set(root.survey_ids())):
        context.log.info(f"{key} is no longer in the data root: it leaves the release")
        staging.remove(key)


def _bring_up_to_date(
    root: DataRoot, staging: Staging, keys: list[str], force: bool, progress: Progress, log: logging.Logger
) -> dict[str, Outcome]:
    """Build those surveys that changed, several at a time."""
    made_from = {key: inputs(root, key) for key in keys}
    versions = {key: one_hash(hashes) for key, hashes in made_from.items()}
    before = staging.manifest()
    outcomes = {}
    for key in keys:
        if not force and before.get(key, {}).get("fingerprint") == versions[key] and is_staged(staging, key):
            # the file may be again as it was when it was good, or was published
            succeeded(staging, key, STAGE, tried=versions[key], **({HELD: None} if before[key].get(HELD) else {}))
            outcomes[key] = Outcome("unchanged", version=versions[key])
    due = [key for key in keys if key not in outcomes]
    progress.begin("surveys", len(due))
    others = sizes(staging, [key for key in before if key not in due])
    reviewed = review(root, staging, {key: versions[key] for key in due})
    for key, found in zip(due, each(partial(stage_survey, root, staging, reviewed), due), strict=True):
        progress.step(key)
        version = versions[key]
        held = not isinstance(found, Exception) and LAST not in found
        if (
            not isinstance(found, Exception)
            and not held
            and (twins := copies_of(staging, key, others, root.catalogue(), thresholds(root)))
        ):
            rows = found["respondents"]["rows"]
            for twin in [twin for twin in twins if twin in outcomes and outcomes[twin].status == "built"]:
                # Nobody knows which of two is the wrong one. This one was taken over a moment ago: no earlier one of it is left.
                error = InputError(twice(twin, key, rows))
                outcomes[twin] = Outcome("failed", message=failed(staging, twin, STAGE, error, log, fingerprint=""))
            found = InputError([twice(key, twin, rows) for twin in twins])
        if not isinstance(found, Exception) and not held:
            try:
                staging.table(LAST, key).unlink(missing_ok=True)
                staging.take_over(key)
            except OSError as error:
                found = error
        if isinstance(found, Exception):
            torn = {} if is_staged(staging, key) else {"fingerprint": ""}  # in part what it was, in part what it should be
            message = failed(staging, key, STAGE, found, log, tried=version, **torn)
            outcomes[key] = Outcome("failed", message=message)
            others |= sizes(staging, [key])  # its last good ones
            continue
        entry, correction = before.get(key, NEVER_BUILT), found[CORRECTION]["conflict"]
        if held:
            log.warning(f"{key}: held; it keeps its last published numbers, as 1 to 4 respondents differ from them")
            succeeded(staging, key, STAGE, tried=version, **{HELD: held_fact(entry, version, correction)})
            outcomes[key] = Outcome("held", version=entry["fingerprint"])
            others |= sizes(staging, [key])  # its last published ones
            continue
        others |= sizes(staging, [key])
        log.info(f"{key}: built")
        made = {"tried": version, "fingerprint": version, "inputs": made_from[key], "built": now()}
        made |= staged_facts(entry, version, correction)
        succeeded(staging, key, STAGE, **made, error=None, error_since=None)
        staging.write(found[LAST]["rows"], staging.table(LAST, key))
        outcomes[key] = Outcome("built", version=version, metadata=found)
    staging.forget_pending()
    return {key: outcomes[key] for key in keys}


def _report(context: dg.AssetExecutionContext, staging: Staging, outcomes: dict[str, Outcome], labels: dict[str, str]) -> None:
    """One materialisation per good partition, none for a failed one: so the partition reads as what it is.

    Unchanged ones are logged again, with the data version they have: when the run fails, for whatever reason and however late,
    Dagster takes every partition of it without materialisation for failed.
    """
    manifest = staging.manifest()
    for key, outcome in outcomes.items():
        context.log_event(_file_check(staging, key, outcome, manifest))
        if outcome.status == "failed" or not manifest[key]["built"]:
            continue
        for asset in ("respondents", "weights"):
            facts = dict(outcome.metadata[asset]) if outcome.metadata else {"unchanged": True, "held": outcome.status == "held"}
            metadata: dict[str, Any] = facts | {"built": manifest[key]["built"]}
            if rows := metadata.pop("rows", None):
                metadata["dagster/row_count"] = rows
            if (columns := metadata.pop("columns", None)) is not None:
                metadata["dagster/column_schema"] = column_schema(columns, labels)
            if svg := metadata.pop("svg", None):
                metadata["margins and weights"] = picture(svg, f"Margins before and after weighting, and weights, of {key}")
            context.log_event(
                dg.AssetMaterialization(asset, partition=key, metadata=metadata, tags={DATA_VERSION: outcome.version})
            )


def _file_check(staging: Staging, key: str, outcome: Outcome, manifest: dict[str, dict[str, Any]]) -> dg.AssetCheckEvaluation:
    """Flags of the survey's own file, or the error that keeps it from being read."""
    if outcome.status == "failed":
        facts = {"problem": outcome.message or manifest.get(key, NEVER_BUILT)["error"] or "not built yet"}
        said: dict[str, Any] = {"passed": False, "severity": dg.AssetCheckSeverity.ERROR, "metadata": facts}
    else:
        found = staging.read(OWN, [key])  # of one that is held: of what is published
        said = verdict(found if len(found) else finding_rows(key, []))
    return dg.AssetCheckEvaluation(dg.AssetKey("respondents"), FILE_CHECK, partition=key, **said)


def _manifest_metadata(outcomes: dict[str, Outcome], staging: Staging) -> dict[str, Any]:
    counts = pd.Series([outcome.status for outcome in outcomes.values()]).value_counts()
    return {status: int(counts.get(status, 0)) for status in ("built", "unchanged", "held", "failed")} | {
        "surveys": dg.MetadataValue.json({key: outcome.status for key, outcome in outcomes.items()}),
        "path": dg.MetadataValue.path(str(staging.manifest_path)),
    }
