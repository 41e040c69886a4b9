"""What `rga check` says on the terminal: a table of surveys, then what is wrong, then what deserves a look.

Belongs here: words and layout for people. Not here: finding any of it out (``assets.survey_check``).
"""

from __future__ import annotations

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.survey_check import SurveyCheck

WIDTH = 160  # at least: where a terminal is narrower, or the output goes to a file, rows are not squeezed
NAMES_SHOWN = 10
HEADINGS = [
    "respon-\ndents", "ex-\ncluded", "columns\nmapped", "\ndesign", "\nunused", "unac-\ncounted",
    "indicators\nasked", "\naltered", "not\nasked",
]  # fmt: skip


def report(checks: list[SurveyCheck], of_none: list[str]) -> None:
    """Print the table, the errors in full, and the flags: of surveys, and those ``of_none``."""
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(_table(checks), "")
    for check in checks:
        if check.error:
            console.print(f"[red]{check.survey_id} cannot be built:[/red]\n{escape(check.error)}\n", soft_wrap=True)
    told = [(check.survey_id, flag) for check in checks for flag in flags(check)]
    if told := told + [("benchmarks", flag) for flag in of_none]:
        console.print("To look at (nothing is stopped by it):", soft_wrap=True)
        for survey_id, flag in told:
            console.print(f"  {survey_id}  {escape(flag)}", soft_wrap=True)


def _table(checks: list[SurveyCheck]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("survey", no_wrap=True, vertical="bottom")
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("worst item\nnonresponse", overflow="fold")
    for check in checks:
        if (facts := check.facts) is None:
            table.add_row(check.survey_id, "[red]failed[/red]")
            continue
        columns, worst = facts.columns, facts.worst
        counts = [
            *(facts.respondents, facts.excluded),
            *map(len, (columns.mapped, columns.design, columns.unused, columns.unaccounted)),
            *(facts.indicators[status] for status in ("asked", "altered", "not_asked")),
        ]
        table.add_row(check.survey_id, *(f"{n:,}" for n in counts), f"{worst[1]:.1f} % {worst[0]}" if worst else "")
    return table


def flags(check: SurveyCheck) -> list[str]:
    """What deserves a look though it stops nothing."""
    if (facts := check.facts) is None:
        return []
    private = ", ".join(f"{one.column} ({one.kind})" for one in facts.identifiers)
    return (
        [f"identify people, and are never read: {private}"] * bool(private)
        + [
            f"{what}: {_some(names)}"
            for what, names in (
                ("columns neither mapped nor under `unused:`", facts.columns.unaccounted),
                ("under `unused:` but in no file", facts.columns.vanished),
                ("variables neither mapped nor under `absent:`", facts.unmentioned),
            )
            if names
        ]
        + [f"weighting: {note}" for note in facts.weighting]
    )


def _some(names: list[str]) -> str:
    more = len(names) - NAMES_SHOWN
    return ", ".join(names[:NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")
