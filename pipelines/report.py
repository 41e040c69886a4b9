"""What a build says on the terminal when it is done.

Belongs here: words and layout for people. Not here: finding out what happened (``build``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from assets.corrections import DECIDE
from pipelines.build import BuildOutcome

if TYPE_CHECKING:
    import pandas as pd

STAGES = {
    "start": "start",
    "surveys": "surveys",
    "estimation": "estimates and gaps",
    "changes": "changes",
    "adjustment": "adjusted gaps",
    "release": "release",
}
SHOWN = 6  # failed surveys told in full: an error is one screen at most


def summary(outcome: BuildOutcome) -> None:
    """Print surveys built, unchanged and failed, the numbers made, the time it took, where the release is, how to ask it."""
    counts = [f"{outcome.count(status)} {status}" for status in ("built", "unchanged", "failed")]
    counts += [f"{held} held"] if (held := outcome.count("held")) else []
    click.echo(f"Surveys    {', '.join(counts)}")
    if not outcome.error and outcome.release and outcome.link:
        stands = "" if outcome.new_release else "; nothing changed, it stands as it is"
        click.echo(f"Estimates  {outcome.estimates:,}, and {outcome.gaps:,} gaps between women and men")
        click.echo(f"Withheld   {outcome.suppressed:,} cells, too thin or too telling; they keep their counts")
        click.echo(f"Release    {outcome.release}{stands}")
    if outcome.seconds:
        click.echo(f"Time       {_time(outcome.seconds)}")
    failed = {survey.survey_id: survey.message for survey in outcome.surveys if survey.status == "failed"} | outcome.other_problems
    for name, message in list(failed.items())[:SHOWN]:
        click.secho(f"\n{name} failed; its last good numbers, if any, are kept:", fg="red", err=True)
        click.echo(message, err=True)
    if len(failed) > SHOWN:
        click.echo(f"\n... and {len(failed) - SHOWN} more: {', '.join(list(failed)[SHOWN:])}", err=True)
    if outcome.undecided:
        click.secho(f"\n{undecided(outcome.undecided)}", fg="yellow", err=True)
    if outcome.withdrawn:
        click.echo(
            f"\nRemoved, as a correction replaces them: {', '.join(outcome.withdrawn)}. Copies elsewhere are not removed.", err=True
        )
    if told := disclosed(outcome.exposed, outcome.differences):
        click.secho(f"\n{told}", fg="yellow", err=True)
    if outcome.error:
        click.secho(f"\nNo release was made; the live one, if any, stands.\n{outcome.error}", fg="red", err=True)
    elif outcome.link:
        query = f"duckdb.connect('{_near(outcome.link)}', read_only=True).sql('FROM gender_gaps').show()"
        click.echo(f'\nAsk it: {_near(Path(sys.executable))} -c "import duckdb; {query}"')


def undecided(surveys: list[str]) -> str:
    """That surveys are held, and what can be done."""
    more = f" and {len(surveys) - SHOWN} more" if len(surveys) > SHOWN else ""
    return "\n".join(
        [
            f"Held, with the numbers published last: {', '.join(surveys[:SHOWN])}{more}.",
            "In their newest input 1 to 4 respondents differ from what was published. Decide, then build again:",
            *(f"  rga releases {decision} KEY   to {what}" for decision, what in DECIDE.items()),
        ]
    )


def disclosed(exposed: int, differences: dict[str, int]) -> str:
    """What two releases give away together, and what to do; empty where nothing."""
    told = [f"  {exposed:,} cells that the new release hides can be had with the help of the one before"] if exposed else []
    told += [
        f"  {key}: 1 to 4 respondents differ, in {questions:,} indicators and variables"
        for key, questions in list(differences.items())[:SHOWN]
    ]
    if len(differences) > SHOWN:
        told.append(f"  ... and {len(differences) - SHOWN} more surveys")
    if not told:
        return ""
    todo = "Do not publish both: `rga releases remove` the older one, or wait for more changes (docs/publication-rules.md)."
    return "\n".join(["This release and an older one, side by side, give answers away:", *told, todo])


def difference(tables: pd.DataFrame, reasons: dict[str, list[str]], exposed: int, differences: dict[str, int]) -> None:
    """Print what differs between two releases: why, by survey; rows by table; what the two give away."""
    if tables.empty and not reasons:
        click.echo("The two releases hold the same.")
    for key, why in reasons.items():
        rows = tables.loc[tables["survey_id"] == key, ["added", "gone", "changed"]].sum()
        told = f" ({rows['added']:,} rows added, {rows['gone']:,} gone, {rows['changed']:,} changed)" if key else ""
        told = " (1 to 4 respondents differ: no number is printed)" if key in differences else told
        click.echo(f"{key or 'the release':<14} {', '.join(why)}{told}")
    click.echo()
    if differences:  # rows of tables over several surveys follow from theirs
        tables = tables[~tables["survey_id"].isin(["", *differences])]
    for name, part in tables.groupby("table"):
        rows = part[["added", "gone", "changed"]].sum()
        click.echo(f"{name:<24} {rows['added']:>8,} added {rows['gone']:>8,} gone {rows['changed']:>8,} changed")
    if told := disclosed(exposed, differences):
        click.secho(f"\n{told}", fg="yellow")


def _time(seconds: dict[str, float]) -> str:
    """Where the time went, the loading of libraries included; `rest` is Dagster's own and what takes no time worth a name."""
    named = {label: seconds[step] for step, label in STAGES.items() if step in seconds}
    named["rest"] = seconds["total"] - sum(named.values())
    return f"{seconds['total']:.1f} s: " + ", ".join(f"{label} {value:.1f}" for label, value in named.items())


def _near(path: Path) -> str:
    """The path as one would type it from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("..") else str(path)
