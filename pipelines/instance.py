"""Dagster's own state of one warehouse, and the runs in it that nobody works on any more.

Belongs here: opening it, telling live runs from dead ones. Not here: starting runs (``build``, ``sensors``, ``schedules``).
"""

from __future__ import annotations

import os
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

COMMAND = {"rga/command": "build"}
STARTED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


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
    dead = instance.get_runs(dg.RunsFilter(statuses=STARTED, tags={} if of_anyone else COMMAND))
    for run in dead:
        instance.report_run_failed(run, "The build was killed before it ended; the next one takes up where it stopped.")
    return len(dead)


def has_unfinished_runs(instance: dg.DagsterInstance) -> bool:
    """Whether a run waits in the queue or is at work."""
    return bool(instance.get_runs_count(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED, *STARTED])))
