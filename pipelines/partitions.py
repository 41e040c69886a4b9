"""Which surveys there are: the folders of the data root, as partitions of Dagster's instance.

Belongs here: keeping the two equal. Not here: what a survey's partition is made of (``assets``).
"""

from __future__ import annotations

import dagster as dg

from assets.workspace import surveys
from rga.microdata.data_root import DataRoot

NAME = str(surveys.name)


def register(instance: dg.DagsterInstance, root: DataRoot) -> list[str]:
    """Make the instance's partitions those of the data root; returns them in the instance's order."""
    on_disk, known = root.survey_ids(), instance.get_dynamic_partitions(NAME)
    for key in sorted(set(known) - set(on_disk)):
        instance.delete_dynamic_partition(NAME, key)
    if new := sorted(set(on_disk) - set(known)):
        instance.add_dynamic_partitions(NAME, new)
    return list(instance.get_dynamic_partitions(NAME))
