"""`rga releases` and `rga export`: what has been published, and the live release in other formats.

Belongs here: arguments, exit codes, which message goes where. Not here: any work, commands on surveys (``cli``).
"""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.cli_options import (
    DONE,
    FOLDER,
    NOTHING_DONE,
    SOME_FAILED,
    debug_option,
    fail,
    raw_data_option,
    survey_ids,
    survey_option,
    warehouse_of,
    warehouse_option,
)
from rga.errors import InputError

if TYPE_CHECKING:
    from assets.corrections import Decision
    from rga.privacy.research_file import Format


@click.group("releases")
def releases_group() -> None:
    """What has been published: the last ten releases."""


@releases_group.command("list")
@warehouse_option
def list_releases(warehouse: Path | None) -> None:
    """Releases that are kept, oldest first; `*` marks the live one."""
    from rga.warehouse import release

    folder = warehouse_of(warehouse)
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

    folder = _holding(warehouse, release_id)
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
    from rga.warehouse.disclosure_audit import differences_of_few, exposed_by
    from rga.warehouse.published_states import differences_between
    from rga.warehouse.staging import Staging

    folder = _holding(warehouse, older, newer)
    one, other = (release.release_path(folder, release_id) for release_id in (older, newer))
    few = differences_between(Staging(folder), older, newer)
    if few is None:  # respondents of one of them are gone: what the files tell
        few = dict(differences_of_few(one, other)[["survey_id", "cells"]].itertuples(index=False, name=None))
    tables, why = release_diff.table_differences(one, other), release_diff.reasons(one, other)
    report.difference(tables, why, len(exposed_by(one, other)), few)


@releases_group.command("remove")
@click.argument("release_id", metavar="ID")
@warehouse_option
def remove(release_id: str, warehouse: Path | None) -> None:
    """Delete a release that is not the live one, such as one that a correction of few respondents has replaced."""
    from assets.corrections import compare_again
    from rga.warehouse import release
    from rga.warehouse.published_states import forget_unused
    from rga.warehouse.staging import Staging

    folder = _holding(warehouse, release_id)
    with Staging(folder).lock():
        release.remove(folder, release_id)
        forget_unused(Staging(folder))
        compare_again(Staging(folder))
    click.echo(f"Release {release_id} is gone from {folder}; copies of it elsewhere are not.")


@releases_group.command("rollback")
@click.argument("release_id", metavar="ID")
@warehouse_option
def rollback(release_id: str, warehouse: Path | None) -> None:
    """Make an older release the live one, until the next build."""
    from rga.warehouse import release
    from rga.warehouse.staging import Staging

    folder = _holding(warehouse, release_id)
    with Staging(folder).lock():
        release.switch(folder, release_id)
    click.echo(f"{folder / 'rga.duckdb'} is release {release_id}, until the next build publishes another.")


@releases_group.command("held")
@warehouse_option
def held(warehouse: Path | None) -> None:
    """Surveys of which 1 to 4 respondents differ from what was published, and what can be done."""
    from assets.corrections import commands, held_surveys, in_words
    from rga.warehouse.staging import Staging

    surveys = held_surveys(Staging(warehouse_of(warehouse)).manifest())
    if not surveys:
        click.echo("No survey is held.")
    for key, one in surveys.items():
        click.echo("\n".join([in_words(key, one), *(f"  {command}" for command in commands(key))]))


def _deciding(decision: Decision, does: str) -> None:
    """The command `rga releases` ``decision``, which ``does`` that at the next build."""

    @releases_group.command(decision, help=f"Of surveys that are held: {does}.")
    @click.argument("surveys", metavar="KEY...", nargs=-1, required=True)
    @warehouse_option
    def decided(surveys: tuple[str, ...], warehouse: Path | None) -> None:
        from assets.corrections import decide
        from rga.warehouse.staging import Staging

        staging = Staging(warehouse_of(warehouse))
        with staging.lock():
            for key in surveys:
                decide(staging, key.replace("/", "_"), decision)
        click.echo(f"Noted for {', '.join(surveys)}: {does}. `rga build` acts on it.")


_deciding("publish", "at the next build, publish the correction all the same, beside the older releases")
_deciding("withdraw", "at the next build, publish the correction and remove the older releases that would give respondents away")
_deciding("wait", "keep what is published until more respondents have changed; an earlier decision is taken back")


@click.group()
def export() -> None:
    """The live release in other formats."""


@export.command()
@click.option("--to", "target", type=FOLDER, metavar="DIR", help="Folder to write; <warehouse>/exports/parquet by default.")
@warehouse_option
def parquet(target: Path | None, warehouse: Path | None) -> None:
    """One Parquet file per table."""
    from rga.publish.parquet import export_parquet

    folder = warehouse_of(warehouse)
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
    keys = survey_ids(root, surveys) or root.survey_ids()
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


def _holding(given: Path | None, *release_ids: str) -> Path:
    """The warehouse, which has these releases; ends with exit code 2 where it lacks one."""
    from rga.warehouse import release

    folder = warehouse_of(given)
    known = release.list_releases(folder)
    for release_id in release_ids:
        if release_id not in known:
            near = get_close_matches(release_id, known, n=3) or known[-3:]
            fail(f"There is no release {release_id} in {folder}. There are: {', '.join(near) or 'none'}")
    return folder
