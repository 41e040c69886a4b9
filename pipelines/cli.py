"""The `rga` command: what is done with surveys.

Belongs here: arguments, exit codes, which message goes where. Not here: any work; releases and exports (``cli_releases``); what
commands share (``cli_options``). What a command needs is imported when it runs, so that `rga --help` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pipelines.cli_options import (
    DONE,
    FOLDER,
    NOTHING_DONE,
    REPOSITORY,
    SOME_FAILED,
    debug_option,
    fail,
    raw_data_of,
    raw_data_option,
    survey_ids,
    survey_option,
    warehouse_of,
    warehouse_option,
)
from pipelines.cli_releases import export, releases_group
from rga.errors import InputError, Problem, ReleaseError


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
@survey_option
@raw_data_option
@warehouse_option
@click.option("--force", is_flag=True, help="Compute surveys that did not change as well.")
@debug_option
def build(surveys: tuple[str, ...], raw_data: Path | None, warehouse: Path | None, force: bool, debug: bool) -> None:
    """Build surveys and publish a release.

    Surveys whose files, specification, catalogue and code did not change are kept as they are.
    """
    from assets.processes import load_beforehand
    from pipelines.resources import paths

    where = paths(raw_data, warehouse)
    keys = survey_ids(where.data_root(), surveys)
    load_beforehand()
    click.echo(f"Reading {where.raw_data}, building in {where.warehouse}", err=True)
    from pipelines import report
    from pipelines.build import build as run
    from pipelines.resources import ProgressBar

    with ProgressBar() as progress:
        outcome = run(where, keys or None, force, progress, debug)
    report.summary(outcome)
    misnamed = _told(where.data_root().misnamed())
    if outcome.error or not outcome.release:
        sys.exit(NOTHING_DONE)
    sys.exit(SOME_FAILED if outcome.count("failed") or outcome.other_problems or misnamed else DONE)


@main.command()
@click.argument("folder", metavar="[DIR]", type=FOLDER, default=Path("."))
@debug_option
def init(folder: Path, debug: bool) -> None:
    """Make an empty data root in DIR, by default the current folder.

    It gets this repository's catalogue and benchmarks, a template of a survey's specification, and a README that says what to do
    next. What is in DIR already is never overwritten.
    """
    from rga.microdata.new_root import README, create

    create(folder, REPOSITORY / "raw_data")
    click.echo(f"{folder.resolve()} is ready for its first survey: {folder / README} says how to add it.")


@main.command()
@survey_option
@raw_data_option
@click.option("--html", type=FOLDER, metavar="DIR", help="Write one HTML page per survey here: findings only, no respondents.")
@debug_option
def check(surveys: tuple[str, ...], raw_data: Path | None, html: Path | None, debug: bool) -> None:
    """Check every specification against its file, and every file for what deserves a look.

    Nothing is written but, with --html, a page per survey to send to whoever made the file.
    """
    from pipelines.resources import ProgressBar, paths

    root = paths(raw_data).data_root()
    root.catalogue()
    keys = survey_ids(root, surveys) or root.survey_ids()
    from assets.survey_check import check_surveys
    from pipelines.check_report import report, write_pages
    from rga.microdata.benchmark_use import unused_benchmarks

    with ProgressBar() as progress:
        progress.begin("checking", len(keys))
        checks = check_surveys(root, keys, progress.step)
    report(checks, unused_benchmarks(root) if not surveys else [])
    if html:
        click.echo(f"\n{write_pages(root, checks, html)} pages in {html}")
    misnamed = _told(root.misnamed())
    failed = sum(check.facts is None for check in checks)
    sys.exit(DONE if not failed and not misnamed else SOME_FAILED if failed < len(keys) else NOTHING_DONE)


@main.command("new-survey")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--country", required=True, metavar="ISO3", help="Three-letter code, such as BGD.")
@click.option("--round", "round_id", required=True, metavar="ID", help="Such as 2021-r2.")
@click.option("--like", metavar="KEY", help="Start from this survey, such as last round's: 2020-r1/BGD.")
@click.option(
    "--form", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="XLSForm that the answers were collected with."
)
@raw_data_option
@debug_option
def new_survey(
    files: tuple[Path, ...], country: str, round_id: str, like: str | None, form: Path | None, raw_data: Path | None, debug: bool
) -> None:
    """Draft survey.yaml for FILE from its own labels, matched to the catalogue.

    Several files: the one with a row per respondent or household first. Files are copied beside the page; nothing is overwritten.
    """
    from rga.microdata.data_root import DataRoot
    from rga.onboarding.draft import Request, write_draft
    from rga.onboarding.summary import summary

    root = DataRoot(raw_data_of(raw_data))
    path, draft = write_draft(root, Request(files, country, round_id, form, like))
    click.echo(summary(path, draft))


def _told(problems: list[Problem]) -> int:
    """Print problems that belong to no survey; how many there are."""
    for problem in problems:
        click.echo(f"\n{problem}", err=True)
    return len(problems)


@main.command()
@raw_data_option
@click.option("--to", "target", type=FOLDER, metavar="DIR", help="Folder to write the surveys to; the data root itself by default.")
def simulate(raw_data: Path | None, target: Path | None) -> None:
    """Write simulated surveys with known truth, the same at every call."""
    from rga.simulate.simulate import simulate as run

    root = raw_data_of(raw_data)
    for folder in run(root, target):
        click.echo(f"wrote {folder} (simulated)")


@main.command()
@raw_data_option
@warehouse_option
@click.option("--port", default=3000, show_default=True, help="Where on 127.0.0.1; 0 for any that is free.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    envvar="RGA_UI_ORIGINS",
    show_envvar=True,
    help="An address besides 127.0.0.1 and localhost that browsers know the UI by, as with a tunnel or a proxy; repeatable.",
)
@debug_option
def ui(raw_data: Path | None, warehouse: Path | None, port: int, origins: tuple[str, ...], debug: bool) -> None:
    """Serve the Dagster UI of a warehouse on 127.0.0.1, to whoever opens the link that is printed."""
    from pipelines.ui import serve

    if serve(raw_data_of(raw_data), warehouse_of(warehouse), port, origins):
        sys.exit(NOTHING_DONE)


main.add_command(releases_group)
main.add_command(export)
