"""The `rga` command.

Belongs here: arguments, exit codes, which message goes where. Not here: any work. What a command needs is imported when it runs, so
that `rga --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from rga.errors import InputError, ReleaseError

if TYPE_CHECKING:
    from rga.microdata.data_root import DataRoot

DONE, SOME_FAILED, NOTHING_DONE = 0, 1, 2

FOLDER = click.Path(file_okay=False, path_type=Path)


def _folder(name: str, env: str, what: str) -> Callable[[Any], Any]:
    return click.option(name, type=FOLDER, envvar=env, show_envvar=True, metavar="DIR", help=what)


raw_data_option = _folder("--raw-data", "RGA_RAW_DATA", "Data root to read; the repository's own by default.")
warehouse_option = _folder("--warehouse", "RGA_WAREHOUSE", "Warehouse to write; the repository's own by default.")
debug_option = click.option("--debug", is_flag=True, help="Full log, and tracebacks.")


def fail(message: str) -> NoReturn:
    """Say on stderr why nothing could be done, and end with exit code 2."""
    click.echo(message, err=True)
    sys.exit(NOTHING_DONE)


class Cli(click.Group):
    """Turns errors people can act on into one screen without traceback, and any other into one line."""

    def invoke(self, ctx: click.Context) -> Any:
        debug = "--debug" in sys.argv
        try:
            return super().invoke(ctx)
        except InputError as error:
            if debug:
                raise
            fail(f"Nothing was done:\n{error}")
        except ReleaseError as error:
            if debug:
                raise
            fail(f"No release was made; the live one stands.\n  {error}")
        except (click.ClickException, click.exceptions.Exit, click.Abort, KeyboardInterrupt):
            raise
        except Exception as error:
            if debug:
                raise
            fail(f"Nothing was done: {type(error).__name__}: {error}\n  Run it again with --debug for the full story.")


@click.group(cls=Cli, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rga")
def main() -> None:
    """Rapid gender assessment surveys: from microdata to published estimates.

    Exit codes: 0 all done; 1 some surveys failed and the others were published; 2 nothing could be done.
    """


@main.command()
@click.option("--survey", "surveys", multiple=True, metavar="KEY", help="Only this survey, e.g. 2020-r1/BGD; repeatable.")
@raw_data_option
@warehouse_option
@click.option("--force", is_flag=True, help="Compute surveys that did not change as well.")
@debug_option
def build(surveys: tuple[str, ...], raw_data: Path | None, warehouse: Path | None, force: bool, debug: bool) -> None:
    """Build surveys and publish a release.

    Surveys whose files, specification, catalogue and code did not change are kept as they are.
    """
    from pipelines.resources import paths

    where = paths(raw_data, warehouse)
    keys = _survey_ids(where.data_root(), surveys)
    click.echo(f"Reading {where.raw_data}, building in {where.warehouse}", err=True)
    from pipelines import report
    from pipelines.build import build as run
    from pipelines.resources import ProgressBar

    with ProgressBar() as progress:
        outcome = run(where, keys or None, force, progress, debug)
    report.summary(outcome)
    if outcome.error or not outcome.release:
        sys.exit(NOTHING_DONE)
    sys.exit(SOME_FAILED if outcome.count("failed") else DONE)


@main.command()
@raw_data_option
@debug_option
def check(raw_data: Path | None, debug: bool) -> None:
    """Check every specification against its file. Nothing is written."""
    from assets.weights import weigh
    from pipelines.resources import paths
    from rga.microdata.respondents import prepare

    root = paths(raw_data).data_root()
    root.catalogue()
    keys, failed = root.survey_ids(), 0
    if not keys:
        fail(f"{root.path} holds no survey: add <round>/<ISO3>/survey.yaml")
    for key in keys:
        try:
            respondents = prepare(root, key)
            weigh(root, key, respondents)
        except InputError as error:
            failed += 1
            click.echo(f"{key}  failed\n{error}")
        else:
            click.echo(f"{key}  good, {len(respondents.frame):,} respondents")
    sys.exit(DONE if not failed else SOME_FAILED if failed < len(keys) else NOTHING_DONE)


@main.command()
@raw_data_option
@warehouse_option
@click.option("--port", default=3000, show_default=True, help="Where on 127.0.0.1.")
@debug_option
def ui(raw_data: Path | None, warehouse: Path | None, port: int, debug: bool) -> None:
    """Open the Dagster UI of a warehouse on 127.0.0.1."""
    from pipelines.resources import paths
    from pipelines.ui import serve

    serve(paths(raw_data, warehouse), port)


def _survey_ids(root: DataRoot, given: tuple[str, ...]) -> list[str]:
    """``given`` keys as survey ids; ends with exit code 2 and close matches where one is unknown."""
    known = root.survey_ids()
    keys = [key.strip().strip("/").replace("/", "_") for key in given]
    for written, key in zip(given, keys, strict=True):
        if key not in known:
            near = get_close_matches(key, known, n=3, cutoff=0.5)
            hint = f"Did you mean {', '.join(near)}?" if near else f"There are: {', '.join(known[:12])}"
            fail(f"There is no survey {written} in {root.path}. {hint}")
    return list(dict.fromkeys(keys))
