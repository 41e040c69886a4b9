"""Which folders a run reads and writes, and how it tells people its progress.

Belongs here: settings from the environment, the progress bar. Not here: what assets expect of them (``assets.workspace``).
"""

from __future__ import annotations

import os
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from assets.workspace import Paths, Progress

REPOSITORY = Path(__file__).resolve().parent.parent


def paths(raw_data: Path | str | None = None, warehouse: Path | str | None = None) -> Paths:
    """The folders given, else RGA_RAW_DATA and RGA_WAREHOUSE, else ``raw_data`` and ``warehouse`` of this repository."""
    raw_data = raw_data or os.environ.get("RGA_RAW_DATA") or REPOSITORY / "raw_data"
    warehouse = warehouse or os.environ.get("RGA_WAREHOUSE") or REPOSITORY / "warehouse"
    return Paths(raw_data=str(Path(raw_data).absolute()), warehouse=str(Path(warehouse).absolute()))


class ProgressBar(Progress):
    """One bar per stage on the terminal."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = RichProgress(
            TextColumn("{task.fields[stage]:<12}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bars.add_task("", stage="starting", total=None)

    def __enter__(self) -> ProgressBar:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.remove_task(self._task)
        self._bars.stop()

    def begin(self, stage: str, steps: int) -> None:
        self._bars.reset(self._task, description="", stage=stage, total=steps, completed=-1 if steps else 0)

    def step(self, label: str) -> None:
        self._bars.update(self._task, advance=1, description=label)
