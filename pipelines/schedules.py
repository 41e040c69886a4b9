"""What happens at its hour, changed or not.

Belongs here: schedules. Not here: what a run is given (``jobs``), or what is noticed in between (``sensors``).
"""

import dagster as dg

from assets.workspace import Paths
from pipelines import jobs
from pipelines.partitions import register
from rga.errors import InputError


@dg.schedule(
    name="nightly",
    job=jobs.build,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Builds every survey that is not current, those that failed included, and a release where anything has changed.",
)
def nightly(context: dg.ScheduleEvaluationContext, paths: Paths) -> dg.RunRequest | dg.SkipReason:
    try:
        partitions = register(context.instance, paths.data_root())
    except InputError as error:
        return dg.SkipReason(str(error).strip())
    return jobs.request(partitions) if partitions else dg.SkipReason("The data root holds no survey.")
