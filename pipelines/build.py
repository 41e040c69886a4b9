"""The `build` job in one process: what `rga build` does.

Belongs here: running the very definitions that the Dagster UI shows, and reading what became of them. Not here: words for people
(``cli``), or any step of the work itself.
"""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from assets.workspace import Paths, Progress, Workspace
from pipelines import STARTED
from pipelines.definitions import build_defs
from pipelines.partitions import register
from rga.errors import InputError, Problem

COMMAND = {"rga/command": "build"}


@dataclass(frozen=True)
class SurveyOutcome:
    """What became of one survey; ``message`` says why it failed."""

    survey_id: str
    status: Literal["built", "unchanged", "failed"]
    message: str = ""


@dataclass(frozen=True)
class BuildOutcome:
    """What a build did: per survey, per stage, and the release it left live.

    ``seconds`` are those of each stage, of the `start` of the process until the first of them, and the `total`.
    ``other_problems`` are those of input that is no survey, by file; with ``error`` there is no release.
    """

    surveys: list[SurveyOutcome]
    estimates: int = 0
    gaps: int = 0
    release: str | None = None
    link: Path | None = None
    new_release: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    other_problems: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def count(self, status: str) -> int:
        return sum(survey.status == status for survey in self.surveys)


def open_instance(warehouse: Path) -> dg.DagsterInstance:
    """Dagster's state of one warehouse, the same that `make ui` shows."""
    state = warehouse / "dagster"
    state.mkdir(parents=True, exist_ok=True)
    (state / "dagster.yaml").touch()  # without one Dagster remarks on it at every start
    os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(state), overrides={"telemetry": {"enabled": False}}))


def close_killed_runs(instance: dg.DagsterInstance, of_anyone: bool = False) -> int:
    """Mark builds that a kill left behind as failed. Only for one who holds the warehouse's lock, so that none is alive.

    Without it such a run stays "started" for ever, and the UI's queue, which lets one run at a time through, waits for it.
    By default runs of `rga build` only: one that the UI is just starting does not hold the lock yet. Returns how many.
    """
    unfinished = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    dead = instance.get_runs(dg.RunsFilter(statuses=unfinished, tags={} if of_anyone else COMMAND))
    for run in dead:
        instance.report_run_failed(run, "The build was killed before it ended; the next one takes up where it stopped.")
    return len(dead)


def build(
    paths: Paths, surveys: list[str] | None = None, force: bool = False, progress: Progress | None = None, debug: bool = False
) -> BuildOutcome:
    """Build ``surveys`` (all by default) into the warehouse, and a release of everything there.

    ``force`` computes what did not change as well; ``debug`` writes Dagster's whole log to the terminal. Raises InputError where
    nothing can be done: no data root, a broken catalogue, no survey, or another build at work in this warehouse.
    """
    root = paths.data_root()
    root.catalogue()
    if not root.survey_ids():
        raise InputError(
            Problem("holds no survey", "add <round>/<ISO3>/survey.yaml, or name another with --raw-data", file=str(root.path))
        )
    with ExitStack() as stack:
        stack.enter_context(paths.staging().lock())
        instance = stack.enter_context(open_instance(Path(paths.warehouse)))
        close_killed_runs(instance)
        partitions = register(instance, root)
        wanted = [partitions.index(key) for key in surveys] if surveys else range(len(partitions))
        definitions = build_defs(
            resource_overrides={
                "paths": paths,
                "workspace": Workspace(paths=paths, lock=False),
                "progress": progress or Progress(),
            }
        )
        job = definitions.resolve_job_def("build")
        start = time.monotonic() - STARTED
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={
                **COMMAND,
                "dagster/asset_partition_range_start": partitions[min(wanted)],
                "dagster/asset_partition_range_end": partitions[max(wanted)],
            },
            run_config={
                "ops": {"surveys": {"config": {"surveys": surveys or [], "force": force}}},
                "loggers": {"console": {"config": {"log_level": "DEBUG" if debug else "CRITICAL"}}},
            },
        )
        return _outcome(result, paths, start)


def _outcome(result: dg.ExecuteInProcessResult, paths: Paths, start: float) -> BuildOutcome:
    told: dict[str, dict[str, Any]] = {
        event.asset_key.to_user_string(): {
            name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        for event in result.all_events
        if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key and event.partition is None
    }
    failures = {event.step_key: event for event in result.all_events if event.is_step_failure}
    last = failures.pop("survey_outcomes", None)
    seconds = {
        str(event.step_key): event.step_success_data.duration_ms / 1000 for event in result.all_events if event.is_step_success
    }
    manifest, estimates, gaps, release = (told.get(name, {}) for name in ("manifest", "estimates", "gender_gaps", "release"))
    errors = {key: entry.get("error") for key, entry in paths.staging().manifest().items()}
    statuses: dict[str, Any] = manifest["surveys"] if manifest else {}
    all_failed = _failed(last) if last else {}
    return BuildOutcome(
        surveys=[
            SurveyOutcome(key, "failed" if errors.get(key) else status, str(errors.get(key) or ""))
            for key, status in sorted(statuses.items())
        ],
        estimates=estimates.get("dagster/row_count", 0),
        gaps=gaps.get("dagster/row_count", 0),
        release=release.get("release_id"),
        link=Path(release["link"]) if release else None,
        new_release=release.get("new", False),
        seconds={"start": start, **seconds, "total": time.monotonic() - STARTED},
        other_problems={name: message for name, message in all_failed.items() if name not in errors},
        error="\n".join(map(_message, failures.values())) or (None if release else "The build stopped before its first step."),
    )


def _failed(event: dg.DagsterEvent) -> dict[str, str]:
    """What the last asset says has failed, by name."""
    failure = event.step_failure_data.user_failure_data
    said = failure.metadata.get("failed") if failure else None
    return dict(said.value) if said else {"survey_outcomes": _message(event)}  # type: ignore[arg-type]


def _message(event: dg.DagsterEvent) -> str:
    """What the step's innermost exception says, without Dagster's name for its class."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None:
        error = error.cause
    text = error.message.strip() if error else "unknown error"
    return text.removeprefix("dagster._core.definitions.events.Failure: ")
