"""What `rga ui` starts ends with it, in whatever way that ends. A few sleepers stand for Dagster's processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.ui import _listen
from rga.errors import InputError

# A server that does not end when asked to, with a child and a grandchild that do not either.
STUBBORN = """
import os, signal, sys, threading, time
from pipelines.ui import end_with_parent
threading.Thread(target=end_with_parent, daemon=True).start()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
generation = 0
while generation < 2 and not os.fork():
    generation += 1
open(f"{sys.argv[1]}/{generation}", "w").write(str(os.getpid()))
time.sleep(300)
"""
PATIENCE = 0.5  # seconds; in earnest `pipelines.ui.PATIENCE`
FRONT = f"""
import os, sys
from pipelines import ui
ui.PATIENCE = {PATIENCE}
sys.exit(ui._run([sys.executable, *sys.argv[1:]], dict(os.environ), []))
"""


def start(folder: Path, server: str = STUBBORN) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", FRONT, "-c", server, str(folder)])


def pids(folder: Path) -> list[int]:
    """Those of the server, its child and its grandchild, as soon as all are there."""
    files = [folder / str(generation) for generation in range(3)]
    until(lambda: all(file.exists() and file.read_text() for file in files), 30)
    return [int(file.read_text()) for file in files]


def until(condition, seconds: float) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.parametrize("sign, code", [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129), (signal.SIGKILL, -9)])
def test_nothing_is_left_when_a_signal_ends_it(sign: signal.Signals, code: int, tmp_path: Path) -> None:
    front = start(tmp_path)
    started = pids(tmp_path)
    front.send_signal(sign)
    asked = time.monotonic()
    assert front.wait(timeout=10) == code
    until(lambda: not any(map(alive, started)), 2)
    assert time.monotonic() - asked < PATIENCE + 1.5


def test_nothing_is_left_when_the_server_ends_or_is_killed(tmp_path: Path) -> None:
    front = start(tmp_path)
    started = pids(tmp_path)
    os.kill(started[0], signal.SIGKILL)
    assert front.wait(timeout=10) != 0
    until(lambda: not any(map(alive, started)), 2)


def test_a_second_signal_changes_nothing(tmp_path: Path) -> None:
    front = start(tmp_path)
    started = pids(tmp_path)
    front.send_signal(signal.SIGINT)
    until(lambda: _ignores(front.pid, signal.SIGINT), 5)
    front.send_signal(signal.SIGINT)
    assert front.wait(timeout=10) == 130
    until(lambda: not any(map(alive, started)), 2)


def _ignores(pid: int, sign: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = next(line for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(ignored.split()[1], 16) >> (sign - 1) & 1)


def test_the_exit_code_is_the_servers(tmp_path: Path) -> None:
    watched = STUBBORN.partition("signal.signal")[0]
    assert start(tmp_path, f"{watched}\nraise SystemExit(7)").wait(timeout=30) == 7


def test_a_port_in_use_is_an_error_that_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(InputError, match="in use"):
        _listen(other.getsockname()[1])
    with pytest.raises(InputError, match="no port 70000"):
        _listen(70_000)


def test_both_loopback_addresses_are_taken_with_one_port_and_no_other_address() -> None:
    taken = _listen(0)
    addresses = [one.getsockname()[:2] for one in taken]
    for one in taken:
        one.close()
    assert addresses[0][0] == "127.0.0.1" and {address for address, _ in addresses} <= {"127.0.0.1", "::1"}
    assert len({port for _, port in addresses}) == 1
