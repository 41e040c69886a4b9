"""The Dagster UI of one warehouse: what `rga ui` does.

Belongs here: the port, the environment, starting the server and ending it with all it started. Not here: what is started
(``ui_server``), or who is let in (``guard``). Dagster is not loaded, so that this process is gone as soon as it is asked to go.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

from pipelines.cli_options import REPOSITORY
from pipelines.guard import origin_of
from rga.errors import InputError, Problem

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 3  # seconds between asking the server to end and killing what is left of it
LOOPBACK = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def serve(raw_data: Path, warehouse: Path, port: int, origins: Sequence[str] = ()) -> int:
    """Serve Dagster's UI on ``port`` of this machine until it ends by itself; its exit code. A signal ends both.

    The UI answers to 127.0.0.1 and localhost with the port, and to ``origins`` besides, such as that of a proxy in front. Raises
    InputError where the port is taken or an origin is none.
    """
    known = [origin_of(origin) for origin in origins]
    listening = _listen(port)
    port = listening[0].getsockname()[1]
    known += [origin_of(f"http://{host}:{port}") for host in ("127.0.0.1", "localhost")]
    with tempfile.TemporaryDirectory(prefix="rga-ui-", ignore_cleanup_errors=True) as private:
        environment = os.environ | {
            "DAGSTER_HOME": str(REPOSITORY),
            "RGA_DAGSTER_STATE": str(warehouse / "dagster"),
            "RGA_RAW_DATA": str(raw_data),
            "RGA_WAREHOUSE": str(warehouse),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "PYTHONWARNINGS": "ignore::UserWarning",
            "TMPDIR": private,  # sockets between Dagster's processes: only their owner may enter this folder
        }
        handles = ",".join(str(one.fileno()) for one in listening)
        return _run([sys.executable, "-m", "pipelines.ui_server", handles, *known], environment, listening)


def _listen(port: int) -> list[socket.socket]:
    """Sockets on both loopback addresses, for browsers try either for localhost, and nobody else is to answer there."""
    sockets: list[socket.socket] = []
    with ExitStack() as opened:
        for family, address in LOOPBACK:
            port = sockets[0].getsockname()[1] if sockets else port  # for 0, the one that was free
            try:
                one = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                one.bind((address, port))
                one.listen(128)
            except OverflowError as error:
                raise InputError(Problem(f"there is no port {port}", "name one from 1 to 65535 with --port")) from error
            except OSError as error:
                if family == socket.AF_INET6 and error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    continue  # a machine without IPv6
                what = f"port {port} of {address} cannot be used: {os.strerror(error.errno or 0)}"
                raise InputError(Problem(what, "end what uses it, or name another one with --port")) from error
            sockets.append(one)
        opened.pop_all()
    return sockets


def _run(command: list[str], environment: dict[str, str], listening: list[socket.socket]) -> int:
    """Run ``command`` until it ends or a signal ends this process, and leave no process behind that it started; its exit code.

    They are a process group of their own: signals of the terminal reach this process only, and one signal reaches all of them. The
    command's stdin ends with this process, so that it can tell when this one was killed.
    """

    def end(number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    for number in SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup
            signal.signal(number, end)
    handles = [one.fileno() for one in listening]
    server = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, start_new_session=True, cwd=REPOSITORY, pass_fds=handles
    )
    try:
        for one in listening:
            one.close()
        return server.wait()
    except SystemExit:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(PATIENCE)
        raise
    finally:
        with suppress(ProcessLookupError, PermissionError):  # macOS has the second for a group that has ended
            os.killpg(server.pid, signal.SIGKILL)


def end_with_parent() -> None:
    """For a thread of what `_run` starts: stdin ends when the process does that started it, and the group is killed."""
    os.read(sys.stdin.fileno(), 1)  # sys.stdin itself must not be in use when the interpreter ends
    os.killpg(os.getpgrp(), signal.SIGKILL)
