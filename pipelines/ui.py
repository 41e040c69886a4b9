"""The Dagster UI of one warehouse: what `rga ui` does.

Belongs here: getting Dagster's own server ready and starting it. Not here: anything it shows.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from assets.workspace import Paths
from pipelines.instance import close_killed_runs, open_instance
from pipelines.partitions import register
from pipelines.resources import REPOSITORY
from rga.errors import InputError


def serve(paths: Paths, port: int) -> NoReturn:
    """Become `dagster dev` on 127.0.0.1, with every survey folder registered so that the first click works.

    Raises InputError where the data root is none.
    """
    root = paths.data_root()
    with open_instance(Path(paths.warehouse)) as instance:
        register(instance, root)
        try:
            with paths.staging().lock():
                close_killed_runs(instance, of_anyone=True)
        except InputError:
            pass  # a build is at work: its run is alive
    os.environ |= {
        "DAGSTER_HOME": str(REPOSITORY),
        "RGA_DAGSTER_STATE": str(Path(paths.warehouse) / "dagster"),
        "RGA_RAW_DATA": paths.raw_data,
        "RGA_WAREHOUSE": paths.warehouse,
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONWARNINGS": "ignore::UserWarning",
    }
    server = ["-m", "dagster", "dev", "-m", "pipelines.definitions", "-d", str(REPOSITORY), "-h", "127.0.0.1", "-p", str(port)]
    os.execv(sys.executable, [sys.executable, *server])
