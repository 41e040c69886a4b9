"""What is built without anybody asking: the `raw_data` sensor's looks at the folders, and the nightly run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from assets.workspace import Paths
from pipelines.definitions import build_defs
from pipelines.instance import COMMAND, open_instance
from pipelines.schedules import nightly
from pipelines.sensors import ASK_AGAIN, raw_data
from tests.pipeline.place import SURVEYS, Place

PAK, BGD, NEW = "2020-r1_PAK", "2021-r2_BGD", "2021-r2_WSM"
SOURCE = Path(__file__).resolve().parents[2] / "raw_data" / "2021-r2" / "WSM"  # a survey that no place has yet
CODE = LoadableTargetOrigin(module_name="pipelines.definitions")
SERVED = RemoteJobOrigin(RemoteRepositoryOrigin(InProcessCodeLocationOrigin(CODE), "__repository__"), "build")


@dataclass
class Watch:
    """The sensor at work on one place: looks that remember, and the runs it requests."""

    place: Place
    instance: dg.DagsterInstance
    cursor: str | None = None

    def look(self) -> dg.RunRequest | dg.SkipReason:
        context = dg.build_sensor_context(self.instance, self.cursor, resources={"paths": self.place.paths})
        tick = raw_data(context)
        assert isinstance(tick, dg.RunRequest | dg.SkipReason)
        self.cursor = context.cursor
        return tick

    def requests(self) -> dg.RunRequest:
        """A change is left alone at the first look, and requested at the second."""
        self.skips("until the next look")
        tick = self.look()
        assert isinstance(tick, dg.RunRequest), tick
        return tick

    def skips(self, because: str) -> None:
        tick = self.look()
        assert isinstance(tick, dg.SkipReason) and because in str(tick.skip_message), tick

    def runs(self, request: dg.RunRequest) -> bool:
        """Do what Dagster does with a request; whether the run was green."""
        job = build_defs(resource_overrides={"paths": self.place.paths}).resolve_job_def("build")
        result = job.execute_in_process(request.run_config, self.instance, tags=request.tags, raise_on_error=False)
        return result.success

    def published(self) -> list[str]:
        return self.place.ask("SELECT survey_id FROM surveys ORDER BY 1").survey_id.tolist()

    def drops_a_new_survey(self) -> None:
        shutil.copytree(SOURCE, self.place.survey_yaml(NEW).parent)


def named(request: dg.RunRequest) -> list[str]:
    return request.run_config["ops"]["surveys"]["config"]["surveys"]


@pytest.fixture
def watch(built: Place) -> Iterator[Watch]:
    with open_instance(built.warehouse) as instance:
        yield Watch(built, instance)


def test_sensor_and_schedule_are_on_without_a_click() -> None:
    definitions = build_defs()
    assert definitions.resolve_sensor_def("raw_data").default_status == dg.DefaultSensorStatus.RUNNING
    assert definitions.resolve_schedule_def("nightly").default_status == dg.DefaultScheduleStatus.RUNNING


def test_where_nothing_changed_nothing_is_requested(watch: Watch) -> None:
    for _ in range(3):
        watch.skips("No survey has changed")


def test_a_new_folder_is_registered_and_requested_and_its_run_publishes_it(watch: Watch) -> None:
    watch.drops_a_new_survey()
    request = watch.requests()
    assert named(request) == [NEW]
    assert watch.runs(request)
    assert watch.published() == sorted([*SURVEYS, NEW])
    assert set(watch.instance.get_dynamic_partitions("survey")) == {*SURVEYS, NEW}
    watch.skips("No survey has changed")


def test_a_fresh_data_root_is_requested_as_one_run_of_all(unbuilt: Callable[..., Place]) -> None:
    place = unbuilt(*SURVEYS)
    with open_instance(place.warehouse) as instance:
        watch = Watch(place, instance)
        request = watch.requests()
        assert named(request) == SURVEYS
        assert watch.runs(request) and watch.published() == SURVEYS


def test_a_folder_that_is_still_being_copied_is_left_alone(watch: Watch) -> None:
    folder = watch.place.survey_yaml(NEW).parent
    folder.mkdir()
    for name in ("survey.yaml", "microdata.zsav"):
        content = (SOURCE / name).read_bytes()
        for part in (content[: len(content) // 2], content):
            (folder / name).write_bytes(part)
            watch.skips(f"until the next look: {NEW}")
    assert isinstance(watch.look(), dg.RunRequest)


def test_surveys_that_changed_together_are_requested_as_one_run_that_leaves_the_others_alone(watch: Watch) -> None:
    before = watch.place.paths.staging().manifest()
    for key in ("2020-r1_BGD", BGD):
        watch.place.edit(key, r"^mode: \w+", "mode: web")
    request = watch.requests()
    assert named(request) == ["2020-r1_BGD", BGD]
    watch.skips("Requested already")
    assert watch.runs(request)
    after = watch.place.paths.staging().manifest()
    assert [key for key in SURVEYS if after[key] != before[key]] == ["2020-r1_BGD", BGD]
    assert watch.place.ask(f"SELECT mode FROM surveys WHERE survey_id = '{BGD}'")["mode"][0] == "web"


def test_content_that_failed_is_not_tried_again_until_it_changes(watch: Watch) -> None:
    watch.place.drop_a_code(PAK)
    assert not watch.runs(watch.requests())
    watch.cursor = None
    for _ in range(3):
        watch.skips("No survey has changed")
    watch.place.edit(PAK, r"^mode: \w+", "mode: web")
    assert named(watch.requests()) == [PAK]


def test_estimates_that_failed_are_not_tried_again_until_the_survey_changes(watch: Watch) -> None:
    clustered = "2021-r2_PAK"
    watch.place.edit(clustered, r"stratum: \[stratum\]", "stratum: [psu]")
    watch.place.edit(clustered, r"lonely_psu: \w+", "lonely_psu: fail")
    assert not watch.runs(watch.requests())
    assert watch.place.paths.staging().manifest()[clustered]["failed_in"] == "estimates"
    for _ in range(2):
        watch.skips("No survey has changed")


def test_a_survey_that_goes_back_to_what_it_was_is_requested_each_time(watch: Watch) -> None:
    file = watch.place.survey_yaml(PAK)
    good = file.read_text(encoding="utf-8")
    watch.place.drop_a_code(PAK)
    bad = file.read_text(encoding="utf-8")
    for content in (bad, good, bad, good):
        file.write_text(content, encoding="utf-8")
        assert watch.runs(watch.requests()) == (content == good)
    assert (watch.place.ask("SELECT status FROM surveys").status == "current").all()


def test_a_removed_survey_leaves_the_release(watch: Watch) -> None:
    shutil.rmtree(watch.place.survey_yaml(PAK).parent)
    assert watch.runs(watch.requests())
    assert PAK not in watch.published() and PAK not in watch.instance.get_dynamic_partitions("survey")
    watch.skips("No survey has changed")


def test_while_a_build_holds_the_warehouse_nothing_is_requested_and_afterwards_it_is(watch: Watch) -> None:
    watch.drops_a_new_survey()
    with watch.place.paths.staging().lock():
        watch.skips("until the next look")
        for _ in range(2):
            watch.skips("another build")
    assert isinstance(watch.look(), dg.RunRequest)


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED])
def test_while_a_run_waits_or_works_nothing_is_requested_and_afterwards_it_is(watch: Watch, status: dg.DagsterRunStatus) -> None:
    job = build_defs().resolve_job_def("build")
    run = watch.instance.create_run_for_job(job, status=status, remote_job_origin=SERVED)
    watch.drops_a_new_survey()
    watch.skips("until the next look")
    watch.skips("A run is queued or at work")
    watch.instance.report_run_canceled(run)
    assert isinstance(watch.look(), dg.RunRequest)


def test_a_killed_rga_build_is_not_waited_for(watch: Watch) -> None:
    job = build_defs().resolve_job_def("build")
    watch.instance.create_run_for_job(job, tags=COMMAND, status=dg.DagsterRunStatus.STARTED)
    watch.drops_a_new_survey()
    assert named(watch.requests()) == [NEW]


def test_a_request_whose_run_came_to_nothing_is_made_again_but_not_at_once(watch: Watch) -> None:
    watch.drops_a_new_survey()
    watch.requests()
    for _ in range(3):
        watch.skips("Requested already")
    remembered = json.loads(watch.cursor or "")
    watch.cursor = json.dumps(remembered | {"asked_at": remembered["asked_at"] - ASK_AGAIN})
    tick = watch.look()
    assert isinstance(tick, dg.RunRequest) and named(tick) == [NEW]


def test_a_survey_made_by_hand_without_its_estimates_is_published(watch: Watch) -> None:
    """The UI's asset graph lets one materialise the first assets only."""
    entry = watch.place.paths.staging().manifest()[PAK]
    watch.place.paths.staging().update_manifest(PAK, entry | {"estimated": "older"})
    request = watch.requests()
    assert named(request) == [PAK] and watch.runs(request)
    watch.skips("No survey has changed")


def test_without_a_usable_data_root_nothing_is_requested_and_it_is_said_why(watch: Watch) -> None:
    watch.place.edit(PAK, r"^mode: \w+", "mode: web")
    with (watch.place.raw_data / "catalogue" / "indicators.yaml").open("a", encoding="utf-8") as file:
        file.write("  BROKEN: {title: x, module: y, numerator: \"no_such_variable = 'yes'\"}\n")
    for _ in range(2):
        watch.skips("no_such_variable")
    shutil.rmtree(watch.place.raw_data / "catalogue")
    watch.skips("not a data root")


def nightly_tick(paths: Paths, instance: dg.DagsterInstance) -> dg.RunRequest | dg.SkipReason:
    tick = nightly(dg.build_schedule_context(instance=instance, resources={"paths": paths}))
    assert isinstance(tick, dg.RunRequest | dg.SkipReason)
    return tick


def test_the_nightly_run_builds_what_changed_and_publishes_it(watch: Watch) -> None:
    watch.drops_a_new_survey()
    request = nightly_tick(watch.place.paths, watch.instance)
    assert isinstance(request, dg.RunRequest) and watch.runs(request)
    assert watch.published() == sorted([*SURVEYS, NEW])


def test_a_night_without_a_survey_or_a_data_root_is_skipped(unbuilt: Callable[..., Place]) -> None:
    place = unbuilt()
    with open_instance(place.warehouse) as instance:
        assert isinstance(nightly_tick(place.paths, instance), dg.SkipReason)
        shutil.rmtree(place.raw_data / "catalogue")
        assert isinstance(nightly_tick(place.paths, instance), dg.SkipReason)
