"""What is noticed without anybody asking: survey folders that come and go.

Belongs here: sensors. Not here: how folders become partitions (``partitions``).
"""

import dagster as dg

from assets.workspace import Paths, surveys
from pipelines.partitions import differences
from rga.errors import InputError


@dg.sensor(
    name="raw_data",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Registers a partition for each survey folder of the data root and removes those that are gone.",
)
def raw_data(context: dg.SensorEvaluationContext, paths: Paths) -> dg.SensorResult | dg.SkipReason:
    try:
        changes = differences(context.instance, paths.data_root())
    except InputError as error:
        return dg.SkipReason(str(error).strip())
    if not changes.new and not changes.gone:
        return dg.SkipReason("The survey folders are those already registered.")
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if changes.new:
        requests.append(surveys.build_add_request(changes.new))
    if changes.gone:
        requests.append(surveys.build_delete_request(changes.gone))
    return dg.SensorResult(dynamic_partitions_requests=requests)
