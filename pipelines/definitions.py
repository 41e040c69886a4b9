"""Everything Dagster is told: assets, their checks, the job, when it runs, and the resources.

Belongs here: the one list of it all. Not here: any of the things listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets import adjusted_gaps, changes, corrections, estimates, evidence, outcomes, quality, regional, release
from assets import surveys as survey_assets
from assets.workspace import Progress, Workspace
from pipelines import jobs, schedules, sensors
from pipelines.resources import paths


def build_defs(*, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """The definitions, with ``resource_overrides`` (`paths`, `workspace`, `progress`) in place of the usual resources."""
    overrides = dict(resource_overrides or {})
    where = overrides.get("paths") or paths()
    return dg.Definitions(
        assets=dg.load_assets_from_modules(
            [survey_assets, estimates, changes, adjusted_gaps, regional, quality, evidence, release, outcomes]
        ),
        asset_checks=[outcomes.surveys_readable, corrections.corrections_decided],
        jobs=[jobs.build],
        schedules=[schedules.nightly],
        sensors=[sensors.raw_data],
        resources={"paths": where, "workspace": Workspace(paths=where), "progress": Progress()} | overrides,
        # One process per run: the survey files are read once, and the lock is held from the first step to the last.
        executor=dg.in_process_executor,
    )


defs = build_defs()
