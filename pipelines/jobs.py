"""Which assets are made together, and how a run of them is asked for.

Belongs here: the job, and the one way to say which surveys a run of it is about. Not here: when it runs (``sensors``,
``schedules``, ``build``), or the assets themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import dagster as dg

build = dg.define_asset_job(
    "build",
    selection=dg.AssetSelection.all(),
    description=(
        "Everything, from survey files to a published release. Surveys that did not change are not computed again; "
        "one that cannot be read is named, and the others are published."
    ),
)


def request(partitions: Sequence[str], surveys: Collection[str] | None = None, force: bool = False) -> dg.RunRequest:
    """One run of `build` for ``surveys`` (all by default) among the instance's ``partitions``, in the instance's order.

    Dagster's tags can only say a range of partitions; the configuration leaves out what lies between.
    """
    places = [partitions.index(key) for key in surveys or partitions]
    return dg.RunRequest(
        tags={
            "dagster/asset_partition_range_start": partitions[min(places)],
            "dagster/asset_partition_range_end": partitions[max(places)],
        },
        run_config={"ops": {"surveys": {"config": {"surveys": sorted(surveys or []), "force": force}}}},
    )
