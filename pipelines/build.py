"""The `build` job in one process: what `rga build` does.

Belongs here: running the very definitions that the Dagster UI shows, and reading what became of them. Not here: words for people
(``cli``), or any step of the work itself.
"""

from __future__ import annotations

import gc
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import dagster as dg

from assets.corrections import held_surveys, in_words
from assets.workspace import Paths, Progress, Workspace
from pipelines import STARTED
from pipelines.definitions import build_defs
from pipelines.instance import COMMAND, close_killed_runs, open_instance
from pipelines.jobs import request
from pipelines.partitions import register
from rga.errors import InputError, Problem


@dataclass(frozen=True)
class SurveyOutcome:
    """What became of one survey; ``message`` says why it failed, or is held."""

    survey_id: str
    status: Literal["built", "unchanged", "held", "failed"]
    message: str = ""


@dataclass(frozen=True)
class BuildOutcome:
    """What a build did: per survey, per stage, and the release it left live.

    ``seconds`` are those of each stage, of the `start` of the process until the first of them, and the `total`.
    ``exposed`` cells that it hides, the release before gives away; ``differences``: by survey that is new in it, in how many
    indicators and variables 1 to 4 respondents differ from an older release. ``undecided`` surveys are held without a decision;
    ``withdrawn`` releases were removed. ``other_problems`` are those of input that is no survey, by file. With ``error`` there is
    no release.
    """

    surveys: list[SurveyOutcome]
    estimates: int = 0
    suppressed: int = 0
    gaps: int = 0
    release: str | None = None
    link: Path | None = None
    new_release: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    exposed: int = 0
    differences: dict[str, int] = field(default_factory=dict)
    undecided: list[str] = field(default_factory=list)
    withdrawn: list[str] = field(default_factory=list)
    other_problems: dict[str, str] = field(default_factory=dict)
    error: str | None = None

    def count(self, status: str) -> int:
        return sum(survey.status == status for survey in self.surveys)


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
        asked = request(partitions, surveys, force)
        definitions = build_defs(
            resource_overrides={
                "paths": paths,
                "workspace": Workspace(paths=paths, lock=False),
                "progress": progress or Progress(),
            }
        )
        job = definitions.resolve_job_def("build")
        gc.freeze()  # libraries and definitions stay: no collection of garbage need look through them
        stack.callback(gc.unfreeze)
        start = time.monotonic() - STARTED
        result = job.execute_in_process(
            instance=instance,
            raise_on_error=False,
            tags={**COMMAND, **asked.tags},
            run_config={
                **asked.run_config,
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
    entries = paths.staging().manifest()
    errors, held = {key: entry.get("error") for key, entry in entries.items()}, held_surveys(entries)
    statuses: dict[str, Any] = manifest["surveys"] if manifest else {}
    all_failed = _failed(last) if last else {}
    return BuildOutcome(
        surveys=[
            SurveyOutcome(key, "failed", str(errors[key]))
            if errors.get(key)
            else SurveyOutcome(key, status, in_words(key, held[key]) if key in held else "")
            for key, status in sorted(statuses.items())
        ],
        estimates=estimates.get("shown", 0),
        suppressed=estimates.get("suppressed", 0),
        gaps=gaps.get("shown", 0),
        release=release.get("release_id"),
        link=Path(release["link"]) if release else None,
        new_release=release.get("new", False),
        seconds={"start": start, **seconds, "total": time.monotonic() - STARTED},
        exposed=release.get("exposed_by_the_release_before", 0),
        differences=dict(release.get("differs_by_few", {})),
        undecided=[key for key, one in held.items() if one["decision"] is None],
        withdrawn=list(release.get("withdrawn", [])),
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
