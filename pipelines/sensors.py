"""What is noticed without anybody asking: survey folders that come, change and go.

Belongs here: sensors, and when a change is ripe for a run. Not here: how folders become partitions (``partitions``), or what a run
is given (``jobs``).
"""

import json
import time

import dagster as dg

from assets.estimates import is_due
from assets.workspace import Paths, fingerprint
from pipelines import jobs
from pipelines.instance import close_killed_runs, has_unfinished_runs
from pipelines.partitions import register
from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.warehouse.staging import Staging

ASK_AGAIN = 300  # seconds after which a change is requested once more whose run was killed before it came to it
FIRST_LOOK = '{"seen": {}, "asked": {}, "asked_at": 0}'


@dg.sensor(
    name="raw_data",
    job=jobs.build,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Keeps the partitions equal to the survey folders, and requests one run for all surveys that are new, changed or gone once "
        "they look the same twice. A survey that failed is tried again when it has changed."
    ),
)
def raw_data(context: dg.SensorEvaluationContext, paths: Paths) -> dg.RunRequest | dg.SkipReason:
    try:
        root = paths.data_root()
        partitions = register(context.instance, root)
        root.catalogue()
    except InputError as error:
        return dg.SkipReason(str(error).strip())
    last, now = json.loads(context.cursor or FIRST_LOOK), outstanding(root, paths.staging())
    at_rest = dict(now.items() & last["seen"].items())
    asked = dict(now.items() & last["asked"].items())
    if not now:
        unread = "; ".join(f"{problem.file} {problem.what}: {problem.remedy}" for problem in root.misnamed())
        wait = f"No survey has changed. {unread}".strip()
    elif not at_rest:
        wait = f"Changing, so left until the next look: {', '.join(now)}"
    elif at_rest == asked and time.time() < last["asked_at"] + ASK_AGAIN:
        wait = f"Requested already: {', '.join(asked)}"
    elif not partitions:
        wait = "The data root holds no survey any more; the last release stands."
    else:
        wait = _work_under_way(context.instance, paths.staging())
    if wait:
        context.update_cursor(json.dumps({"seen": now, "asked": asked, "asked_at": last["asked_at"]}))
        return dg.SkipReason(wait)
    context.update_cursor(json.dumps({"seen": now, "asked": at_rest, "asked_at": time.time()}))
    return jobs.request(partitions, [key for key in partitions if key in at_rest])


def outstanding(root: DataRoot, staging: Staging) -> dict[str, str | None]:
    """Surveys that a run would bring up to date, and the fingerprint each has now; None where its folder is gone."""
    manifest = staging.manifest()
    found: dict[str, str | None] = dict.fromkeys(manifest)
    for key in root.survey_ids():
        found[key] = fingerprint(root, key)
        entry = manifest.get(key, {})
        if entry.get("tried") == found[key] and (entry["error"] or not is_due(staging, key, entry)):
            del found[key]
    return found


def _work_under_way(instance: dg.DagsterInstance, staging: Staging) -> str:
    """Why a run requested now would have to wait, or would be refused; empty where nothing is in its way."""
    try:
        with staging.lock():
            close_killed_runs(instance)
    except InputError as error:
        return str(error).strip()
    return "A run is queued or at work." if has_unfinished_runs(instance) else ""
