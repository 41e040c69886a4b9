"""What commands of `rga` share: options, exit codes, and the surveys and folders that a call means.

Not here: commands (``cli``, ``cli_releases``).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from rga.microdata.data_root import DataRoot

REPOSITORY = Path(__file__).resolve().parent.parent
DONE, SOME_FAILED, NOTHING_DONE = 0, 1, 2

FOLDER = click.Path(file_okay=False, path_type=Path)


def _folder(name: str, env: str, what: str) -> Callable[[Any], Any]:
    return click.option(name, type=FOLDER, envvar=env, show_envvar=True, metavar="DIR", help=what)


survey_option = click.option(
    "--survey", "surveys", multiple=True, metavar="KEY", help="Only this survey, e.g. 2020-r1/BGD; repeatable."
)
raw_data_option = _folder("--raw-data", "RGA_RAW_DATA", "Data root to read; the repository's own by default.")
warehouse_option = _folder("--warehouse", "RGA_WAREHOUSE", "Warehouse to write; the repository's own by default.")
debug_option = click.option("--debug", is_flag=True, help="Full log, and tracebacks.")


def fail(message: str) -> NoReturn:
    """Say on stderr why nothing could be done, and end with exit code 2."""
    click.echo(message, err=True)
    sys.exit(NOTHING_DONE)


def survey_ids(root: DataRoot, given: tuple[str, ...]) -> list[str]:
    """``given`` keys as survey ids; ends with exit code 2 where the root has none, or does not know one."""
    known = root.survey_ids()
    if not known:
        todo = "put a file in <round>/<ISO3>/, and a survey.yaml beside it; `rga init` makes one to fill in"
        fail(f"{root.path} holds no survey yet: {todo}")
    keys = [key.strip().strip("/").replace("/", "_") for key in given]
    for written, key in zip(given, keys, strict=True):
        if key not in known:
            near = get_close_matches(key, known, n=3, cutoff=0.5)
            hint = f"Did you mean {', '.join(near)}?" if near else f"There are: {', '.join(known[:12])}"
            fail(f"There is no survey {written} in {root.path}. {hint}")
    return list(dict.fromkeys(keys))


def raw_data_of(given: Path | None) -> Path:
    """The data root as `pipelines.resources` has it, without waiting for Dagster to load."""
    return Path(given or REPOSITORY / "raw_data").absolute()


def warehouse_of(given: Path | None) -> Path:
    return Path(given or REPOSITORY / "warehouse").absolute()
