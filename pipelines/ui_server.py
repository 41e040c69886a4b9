"""The processes behind the Dagster UI: its web server behind a guard, the daemon of sensors and schedules, one server of our code.

Belongs here: what `dagster dev` does, but with the web server guarded and in this process. Not here: what ends them all (``ui``,
which starts this module in a process group of its own); who is let in (``guard``).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import socket
from tempfile import mkdtemp

import uvicorn
import yaml
from dagster import DagsterInstance
from dagster._cli.proxy_server_manager import ProxyServerManager
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget, WorkspaceFileTarget
from dagster._utils.interrupts import setup_interrupt_handlers
from dagster._utils.log import configure_loggers
from dagster_webserver.app import create_app_from_workspace_process_context
from dagster_webserver.version import __version__

from assets.workspace import Paths
from pipelines.cli_options import fail
from pipelines.guard import Guard
from pipelines.instance import close_killed_runs, open_instance
from pipelines.partitions import register
from pipelines.resources import REPOSITORY, paths
from pipelines.ui import end_with_parent
from rga.errors import InputError

POLL = 2000  # milliseconds between two looks of a page at what changed
LOG_LEVEL = "warning"  # what a person has to know stands in the UI; the link is not to drown


def main(handles: str, *origins: str) -> None:
    """Serve on the listening sockets ``handles``, numbers with commas between, for pages of ``origins``."""
    threading.Thread(target=end_with_parent, daemon=True).start()
    os.environ["DAGSTER_IS_DEV_CLI"] = "1"  # an error in our code is logged once, where it happens
    configure_loggers(log_level=LOG_LEVEL.upper())
    setup_interrupt_handlers()
    try:
        _prepare(paths())
    except InputError as error:
        fail(f"Nothing was done:\n{error}")
    with suppress(KeyboardInterrupt), ExitStack() as stack:
        instance = stack.enter_context(DagsterInstance.get())
        instance.optimize_for_webserver(statement_timeout=15_000, pool_recycle=3600, max_overflow=20)
        code = ModuleTarget("pipelines.definitions", None, str(REPOSITORY), None)
        servers = stack.enter_context(ProxyServerManager(instance, code, LOG_LEVEL))
        workspace = Path(mkdtemp()) / "workspace.yaml"
        workspace.write_text(yaml.safe_dump({"load_from": list(servers.get_code_server_specs())}))
        daemon = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "--log-level", LOG_LEVEL, "--workspace", str(workspace)],
            stdin=subprocess.DEVNULL,
        )
        stack.callback(daemon.terminate)
        target = WorkspaceFileTarget([str(workspace)])
        context = stack.enter_context(WorkspaceProcessContext(instance, target, version=__version__))
        app = create_app_from_workspace_process_context(context, live_data_poll_rate=POLL)
        sockets = [socket(fileno=int(handle)) for handle in handles.split(",")]
        guard = Guard(app, origins, f"rga_ui_{sockets[0].getsockname()[1]}", _print_link)
        server = _Server(guard)
        threading.Thread(target=_end_with_daemon, args=(server, daemon), daemon=True).start()
        server.run(sockets=sockets)
        if daemon.poll() is not None:
            sys.exit(f"Dagster's daemon, which runs sensors and schedules, ended with code {daemon.returncode}.")


def _prepare(where: Paths) -> None:
    """Register every survey folder, so that the first click works, and close runs that nobody works on any more.

    Raises InputError where the data root is none.
    """
    root = where.data_root()
    with open_instance(Path(where.warehouse)) as instance:
        register(instance, root)
        try:
            with where.staging().lock():
                close_killed_runs(instance, of_anyone=True)
        except InputError:
            pass  # a build is at work: its run is alive


class _Server(uvicorn.Server):
    """Announces the guard's link once it answers. Headers that a proxy may set are not believed; addresses are not logged."""

    def __init__(self, guard: Guard) -> None:
        config = uvicorn.Config(guard, log_level=LOG_LEVEL, access_log=False, proxy_headers=False, server_header=False)
        config.timeout_graceful_shutdown = 1  # second
        super().__init__(config)
        self.guard = guard

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.guard.announce_link()


def _end_with_daemon(server: _Server, daemon: subprocess.Popen[bytes]) -> None:
    daemon.wait()
    server.should_exit = True


def _print_link(link: str) -> None:
    print(f"Open the Dagster UI with this link, which works once:\n\n    {link}\n", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
