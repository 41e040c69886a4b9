"""Which surveys there are: the folders of the data root, as partitions of Dagster's instance.

Belongs here: keeping the two equal. Not here: what a survey's partition is made of (``assets``).
"""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from assets.workspace import surveys
from rga.microdata.data_root import DataRoot

NAME = str(surveys.name)


@dataclass(frozen=True)
class Differences:
    """Survey keys on disk that Dagster does not know, and the reverse."""

    new: list[str]
    gone: list[str]


def differences(instance: dg.DagsterInstance, root: DataRoot) -> Differences:
    """Compare the data root's folders with the instance's partitions."""
    on_disk, known = root.survey_ids(), instance.get_dynamic_partitions(NAME)
    return Differences(sorted(set(on_disk) - set(known)), sorted(set(known) - set(on_disk)))


def register(instance: dg.DagsterInstance, root: DataRoot) -> list[str]:
    """Make the instance's partitions those of the data root; returns them in the instance's order."""
    changes = differences(instance, root)
    for key in changes.gone:
        instance.delete_dynamic_partition(NAME, key)
    if changes.new:
        instance.add_dynamic_partitions(NAME, changes.new)
    return list(instance.get_dynamic_partitions(NAME))
