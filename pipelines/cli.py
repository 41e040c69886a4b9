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

from rga.errors import InputError, Problem, ReleaseError

if TYPE_CHECKING:
    from rga.microdata.data_root import DataRoot
    from rga.privacy.research_file import Format

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
    keys = _survey_ids(where.data_root(), surveys)
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
    keys = _survey_ids(root, surveys) or root.survey_ids()
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

    root = DataRoot(_raw_data(raw_data))
    path, draft = write_draft(root, Request(files, country, round_id, form, like))
    click.echo(summary(path, draft))


def _told(problems: list[Problem]) -> int:
    """Print problems that belong to no survey; how many there are."""
    for problem in problems:
        click.echo(f"\n{problem}", err=True)
    return len(problems)


@main.group("releases")
def releases_group() -> None:
    """What has been published: the last ten releases."""


@releases_group.command("list")
@warehouse_option
def list_releases(warehouse: Path | None) -> None:
    """Releases that are kept, oldest first; `*` marks the live one."""
    from rga.warehouse import release

    folder = _warehouse(warehouse)
    live = release.live_release(folder)
    known = release.list_releases(folder)
    if not known:
        fail(f"There is no release in {folder}; `rga build` makes one.")
    for release_id in known:
        facts = release.release_facts(folder, release_id)
        told = f"{facts['surveys']} surveys, {facts['estimates']:,} estimates, simulated: {facts['simulated']}"
        click.echo(f"{'*' if release_id == live else ' '} {release_id}  {told}")


@releases_group.command("show")
@click.argument("release_id", metavar="ID")
@warehouse_option
def show_release(release_id: str, warehouse: Path | None) -> None:
    """What one release holds."""
    from rga.warehouse import release

    folder = _warehouse(warehouse)
    _require_release(folder, release_id)
    for name, value in release.release_facts(folder, release_id).items():
        click.echo(f"{name:<14} {value}")
    click.echo(f"{'path':<14} {release.release_path(folder, release_id)}")
    click.echo(f"{'live':<14} {'yes' if release.live_release(folder) == release_id else 'no'}")


@releases_group.command("diff")
@click.argument("older", metavar="A")
@click.argument("newer", metavar="B")
@warehouse_option
def diff(older: str, newer: str, warehouse: Path | None) -> None:
    """What changed from release A to release B, why, and what the two give away together."""
    from pipelines import report
    from rga.warehouse import release, release_diff
    from rga.warehouse.disclosure_audit import given_away

    folder = _warehouse(warehouse)
    for release_id in (older, newer):
        _require_release(folder, release_id)
    one, other = (release.release_path(folder, release_id) for release_id in (older, newer))
    report.difference(release_diff.table_differences(one, other), release_diff.reasons(one, other), *given_away(one, other))


@releases_group.command("remove")
@click.argument("release_id", metavar="ID")
@warehouse_option
def remove(release_id: str, warehouse: Path | None) -> None:
    """Delete a release that is not the live one, such as one that a correction of few respondents has replaced."""
    from rga.warehouse import release
    from rga.warehouse.staging import Staging

    folder = _warehouse(warehouse)
    _require_release(folder, release_id)
    with Staging(folder).lock():
        release.remove(folder, release_id)
    click.echo(f"Release {release_id} is gone from {folder}; copies of it elsewhere are not.")


@releases_group.command("rollback")
@click.argument("release_id", metavar="ID")
@warehouse_option
def rollback(release_id: str, warehouse: Path | None) -> None:
    """Make an older release the live one, until the next build."""
    from rga.warehouse import release
    from rga.warehouse.staging import Staging

    folder = _warehouse(warehouse)
    _require_release(folder, release_id)
    with Staging(folder).lock():
        release.switch(folder, release_id)
    click.echo(f"{folder / 'rga.duckdb'} is release {release_id}, until the next build publishes another.")


@main.group()
def export() -> None:
    """The live release in other formats."""


@export.command()
@click.option("--to", "target", type=FOLDER, metavar="DIR", help="Folder to write; <warehouse>/exports/parquet by default.")
@warehouse_option
def parquet(target: Path | None, warehouse: Path | None) -> None:
    """One Parquet file per table."""
    from rga.publish.parquet import export_parquet

    folder = _warehouse(warehouse)
    if not (folder / "rga.duckdb").exists():
        fail(f"There is no release in {folder}; `rga build` makes one.")
    written = export_parquet(folder / "rga.duckdb", target or folder / "exports" / "parquet")
    click.echo(f"{len(written)} tables in {written[0].parent}")


@export.command()
@survey_option
@click.option("--format", "form", type=click.Choice(["sav", "dta", "parquet"]), default="sav", show_default=True)
@click.option("--out", "target", type=FOLDER, required=True, metavar="DIR", help="Folder to write.")
@click.option("--replicates", type=click.IntRange(20, 2000), default=200, show_default=True, help="Replicate weights.")
@raw_data_option
@warehouse_option
@debug_option
def microdata(
    surveys: tuple[str, ...],
    form: Format,
    target: Path,
    replicates: int,
    raw_data: Path | None,
    warehouse: Path | None,
    debug: bool,
) -> None:
    """Anonymised research files, k-anonymous, with weights, replicate weights and a risk report.

    From respondents that are built; a survey that cannot be made safe is refused, and says what to coarsen.
    """
    from pipelines.resources import paths

    where = paths(raw_data, warehouse)
    root, staging = where.data_root(), where.staging()
    keys = _survey_ids(root, surveys) or root.survey_ids()
    from assets.research_files import export_survey

    failed = 0
    staging.protect()
    for key in keys:
        try:
            made = export_survey(root, staging, key, target, form, replicates)
        except InputError as error:
            failed += 1
            click.echo(f"{key} is not released:\n{error}", err=True)
            continue
        share = 100 * made.affected / made.respondents
        told = f"{made.respondents:,} respondents, k = {made.k}, {made.recoded} recodes, answers of {share:.1f} % suppressed"
        click.echo(f"{made.path}  {told}")
    sys.exit(DONE if not failed else SOME_FAILED if failed < len(keys) else NOTHING_DONE)


@main.command()
@raw_data_option
@click.option("--to", "target", type=FOLDER, metavar="DIR", help="Folder to write the surveys to; the data root itself by default.")
def simulate(raw_data: Path | None, target: Path | None) -> None:
    """Write simulated surveys with known truth, the same at every call."""
    from rga.simulate.simulate import simulate as run

    root = _raw_data(raw_data)
    for folder in run(root, target):
        click.echo(f"wrote {folder} (simulated)")


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


def _raw_data(given: Path | None) -> Path:
    """The data root as `pipelines.resources` has it, without waiting for Dagster to load."""
    return Path(given or REPOSITORY / "raw_data").absolute()


def _warehouse(given: Path | None) -> Path:
    return Path(given or REPOSITORY / "warehouse").absolute()


def _require_release(folder: Path, release_id: str) -> None:
    from rga.warehouse import release

    known = release.list_releases(folder)
    if release_id not in known:
        near = get_close_matches(release_id, known, n=3) or known[-3:]
        fail(f"There is no release {release_id} in {folder}. There are: {', '.join(near) or 'none'}")
