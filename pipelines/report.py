"""What a build says on the terminal when it is done.

Belongs here: words and layout for people. Not here: finding out what happened (``build``).
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from pipelines.build import BuildOutcome

NAMES = {"surveys": "surveys", "estimates": "estimates", "gender_gaps": "gaps", "release": "release"}
SHOWN = 6  # failed surveys told in full: an error is one screen at most


def summary(outcome: BuildOutcome) -> None:
    """Print surveys built, unchanged and failed, the numbers made, the time it took and where the release is."""
    counts = [f"{outcome.count(status)} {status}" for status in ("built", "unchanged", "failed")]
    click.echo(f"{len(outcome.surveys)} surveys: {', '.join(counts)}")
    if outcome.seconds:
        parts = [f"{label} {outcome.seconds[step]:.1f} s" for step, label in NAMES.items() if step in outcome.seconds]
        click.echo(f"Time: {', '.join(parts)}")
    if outcome.release and outcome.path:
        what = "New release" if outcome.new_release else "Nothing changed; the live release stands:"
        click.echo(f"{what} {outcome.release}, {outcome.estimates:,} estimates: {_near(outcome.path)}")
    failed = [survey for survey in outcome.surveys if survey.status == "failed"]
    for survey in failed[:SHOWN]:
        click.secho(f"\n{survey.survey_id} failed; its last good estimates, if any, are kept:", fg="red", err=True)
        click.echo(survey.message, err=True)
    if len(failed) > SHOWN:
        click.echo(f"\n... and {len(failed) - SHOWN} more: {', '.join(s.survey_id for s in failed[SHOWN:])}", err=True)
    if outcome.error:
        click.secho(f"\nNo release was made; the live one, if any, stands.\n{outcome.error}", fg="red", err=True)
    elif outcome.path:
        click.echo(
            f"\nTry: python -c \"import duckdb; print(duckdb.connect('{_near(outcome.path)}', read_only=True).sql('"
            "FROM gender_gaps SELECT country, round, indicator, women, men, gap WHERE breakdown = \\'sex\\''))\""
        )


def _near(path: Path) -> str:
    """The path as one would type it from here."""
    relative = os.path.relpath(path)
    return relative if not relative.startswith("../..") else str(path)
