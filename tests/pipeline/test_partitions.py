"""What the Dagster UI shows of each survey after a build: the truth."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from assets.workspace import surveys
from pipelines.build import BuildOutcome
from pipelines.definitions import build_defs
from pipelines.instance import close_killed_runs, open_instance
from tests.pipeline.place import SURVEYS, Place

PAK = "2020-r1_PAK"


def shown(warehouse: Path, asset: str) -> dict[str, str]:
    """Status of each partition of ``asset`` as the UI computes it."""
    with open_instance(warehouse) as instance:
        cache = get_and_update_asset_status_cache_value(instance, dg.AssetKey(asset), surveys)
        assert cache is not None
        good = set(cache.deserialize_materialized_partition_subsets(surveys).get_partition_keys())
        bad = set(cache.deserialize_failed_partition_subsets(surveys).get_partition_keys())
        keys = instance.get_dynamic_partitions("survey")
    return {key: "failed" if key in bad else "materialized" if key in good else "missing" for key in keys}


def versions(warehouse: Path, asset: str) -> dict[str, str | None]:
    with open_instance(warehouse) as instance:
        found = {}
        for key in instance.get_dynamic_partitions("survey"):
            records = instance.fetch_materializations(dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[key]), limit=1)
            event = records.records[0].asset_materialization if records.records else None
            found[key] = (event.tags or {}).get("dagster/data_version") if event else None
    return found


@pytest.mark.parametrize("asset", ["respondents", "weights"])
def test_every_survey_of_a_good_build_is_materialized(first_build: tuple[Place, BuildOutcome], asset: str) -> None:
    assert shown(first_build[0].warehouse, asset) == dict.fromkeys(SURVEYS, "materialized")


def test_a_failed_survey_reads_as_failed_and_the_others_as_materialized_run_after_run(built: Place) -> None:
    before = versions(built.warehouse, "weights")
    built.drop_a_code(PAK)
    for _ in range(2):
        built.build()
        for asset in ("respondents", "weights"):
            assert shown(built.warehouse, asset) == dict.fromkeys(SURVEYS, "materialized") | {PAK: "failed"}
    assert versions(built.warehouse, "weights") == before, "unchanged surveys keep their data version"


def test_a_run_that_fails_for_something_else_leaves_the_surveys_materialized(built: Place) -> None:
    with (built.raw_data / "evidence" / "search_interest.csv").open("a", encoding="utf-8") as file:
        file.write("nonsense,,,,,,\n")
    assert built.build().other_problems
    assert shown(built.warehouse, "weights") == dict.fromkeys(SURVEYS, "materialized")


def test_surveys_between_those_a_failing_run_was_asked_for_stay_materialized(built: Place) -> None:
    first, _, third, _ = SURVEYS
    built.drop_a_code(first)
    built.edit(third, r"^mode: \w+", "mode: web")
    built.build([first, third])
    assert shown(built.warehouse, "weights") == dict.fromkeys(SURVEYS, "materialized") | {first: "failed"}


def test_a_repaired_survey_no_longer_reads_as_failed(built: Place) -> None:
    good = built.survey_yaml(PAK).read_text(encoding="utf-8")
    built.drop_a_code(PAK)
    built.build()
    built.survey_yaml(PAK).write_text(good, encoding="utf-8")
    built.build()
    assert shown(built.warehouse, "weights") == dict.fromkeys(SURVEYS, "materialized")


def test_a_removed_survey_has_no_partition(built: Place) -> None:
    shutil.rmtree(built.survey_yaml(PAK).parent)
    built.build()
    assert PAK not in shown(built.warehouse, "weights")


def test_a_run_without_partitions_takes_every_survey(built: Place) -> None:
    """The UI's asset graph starts the unpartitioned assets in a run of their own."""
    definitions = build_defs(resource_overrides={"paths": built.paths})
    built.edit(PAK, r"^mode: sms", "mode: web")
    with open_instance(built.warehouse) as instance:
        job = definitions.resolve_implicit_job_def_def_for_assets([dg.AssetKey("manifest")])
        assert job is not None
        assert job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey("manifest")]).success
    assert built.paths.staging().manifest()[PAK].get("estimated") != built.paths.staging().manifest()[PAK]["fingerprint"]


def test_a_run_that_a_kill_left_unfinished_is_closed(built: Place) -> None:
    with open_instance(built.warehouse) as instance:
        run = instance.create_run_for_job(
            build_defs().resolve_job_def("build"), tags={"rga/command": "build"}, status=dg.DagsterRunStatus.STARTED
        )
        assert close_killed_runs(instance) == 1
        closed = instance.get_run_by_id(run.run_id)
        assert closed is not None and closed.status == dg.DagsterRunStatus.FAILURE
