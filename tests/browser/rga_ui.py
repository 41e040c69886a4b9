"""`rga ui` as a process, and what it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.place import Place

RGA = [sys.executable, "-c", "from pipelines.cli import main; main()"]
SERVER_STARTS = 120  # seconds


@dataclass
class Server:
    """`rga ui`: its process, and what it prints."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def links(self) -> list[str]:
        return re.findall(r"http://\S+/enter\?key=\S+", self.log.read_text())

    def ends(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=10)

    @property
    def address(self) -> str:
        return self.links[0].partition("/enter")[0]


def start_ui(place: Place) -> Server:
    """On a free port; returns once it prints its link."""
    where = os.environ | {"RGA_RAW_DATA": str(place.raw_data), "RGA_WAREHOUSE": str(place.warehouse)}
    log = place.folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen([*RGA, "ui", "--port", "0"], env=where, stdout=output, stderr=subprocess.STDOUT)
    server = Server(process, log)
    wait_for(lambda: bool(server.links) or process.poll() is not None, SERVER_STARTS, log.read_text)
    assert process.poll() is None, log.read_text()
    return server


def wait_for(condition: Callable[[], bool], seconds: float, said: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not after {seconds} s; last seen:\n{said()[-3000:]}"
        time.sleep(1)
