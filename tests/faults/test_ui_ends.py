"""`rga ui` in earnest, ended in the midst of a run: nothing is left of it, and the next build takes up where it stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pipelines.instance import open_instance
from tests.browser.rga_ui import RGA, Server, start_ui, wait_for
from tests.pipeline.place import Place, fresh

pytestmark = pytest.mark.long


def processes(group: int) -> list[str]:
    """What is at work in a process group, by its command line."""
    listed = subprocess.run(["ps", "-e", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=2) for line in listed.splitlines()]
    return [row[2] for row in rows if int(row[0]) == group and not row[1].startswith("Z")]


def group_of(server: Server) -> int:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=True)
    return int(found.stdout)


@pytest.mark.parametrize("sign, to", [("TERM", "front"), ("INT", "front"), ("KILL", "front"), ("KILL", "server")])
def test_nothing_is_left_of_the_ui_and_its_run(sign: str, to: str, repository: Path, tmp_path: Path) -> None:
    place = fresh(repository, tmp_path)
    server = start_ui(place)
    group = group_of(server)
    wait_for(lambda: is_building(place), 180, server.log.read_text)
    assert len(processes(group)) >= 5, "web server, daemon, two servers of our code, and the run"
    asked = time.monotonic()
    os.kill(server.process.pid if to == "front" else group, getattr(signal, f"SIG{sign}"))
    code = server.process.wait(timeout=10)
    wait_for(lambda: not processes(group), 5, lambda: str(processes(group)))
    assert time.monotonic() - asked < 5
    assert code == {"TERM": 143, "INT": 130}.get(sign, -9 if to == "front" else 2)

    where = os.environ | {"RGA_RAW_DATA": str(place.raw_data), "RGA_WAREHOUSE": str(place.warehouse)}
    subprocess.run([*RGA, "build"], env=where, check=True, capture_output=True, timeout=300)
    assert place.ask("SELECT count(*) AS n FROM surveys").n[0] == 4


def is_building(place: Place) -> bool:
    with open_instance(place.warehouse) as instance:
        return any(run.status.value == "STARTED" for run in instance.get_runs())
