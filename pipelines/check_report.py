"""What `rga check` says on the terminal: a table of surveys, then what is wrong, then what deserves a look.

Belongs here: words and layout for people, and which pages are written. Not here: finding any of it out (``assets.survey_check``).
"""

from __future__ import annotations

from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from assets.survey_check import SurveyCheck
from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.publish.quality_page import CheckedSurvey, quality_page
from rga.quality import Finding

WIDTH = 160  # at least: where a terminal is narrower, or the output goes to a file, rows are not squeezed
HEADINGS = [
    "respon-\ndents", "ex-\ncluded", "columns\nmapped", "\ndesign", "\nunused", "unac-\ncounted",
    "indicators\nasked", "\naltered", "not\nasked", "\nflags",
]  # fmt: skip


def report(checks: list[SurveyCheck], of_none: list[str]) -> None:
    """Print the table of surveys, the errors in full, the table of flags, and notes: of surveys, and those ``of_none``."""
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(_table(checks), "")
    for check in checks:
        if check.error:
            console.print(f"[red]{check.survey_id} cannot be built:[/red]\n{escape(check.error)}\n", soft_wrap=True)
    flags = [(check.survey_id, finding) for check in checks for finding in check.findings if finding.severity == "flag"]
    if flags:
        console.print("To look at (nothing is stopped by it; published in table data_quality):", soft_wrap=True)
        console.print(_findings(flags), "")
    notes = [(check.survey_id, f"weighting: {note}") for check in checks if check.facts for note in check.facts.weighting]
    for check in checks:
        if check.facts and check.facts.identifiers:
            names = ", ".join(f"{one.column} ({one.kind})" for one in check.facts.identifiers)
            notes.append((check.survey_id, f"identify people, and are never read: {names}"))
    if notes := notes + [("benchmarks", note) for note in of_none]:
        console.print("Notes:", soft_wrap=True)
        for survey_id, note in notes:
            console.print(f"  {survey_id}  {escape(note)}", soft_wrap=True)


def _findings(flags: list[tuple[str, Finding]]) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in ("survey", "check"):
        table.add_column(heading, no_wrap=True)
    table.add_column("variable, code", overflow="fold", max_width=26)
    for heading in ("n", "share"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("what", overflow="fold")
    for survey_id, found in flags:
        place = ", ".join(part for part in (found.variable, found.code) if part)
        rows = "" if found.rows is None else f"{found.rows:,}"
        share = "" if found.share is None else f"{found.share:.1f}"
        table.add_row(survey_id, found.check, escape(place), rows, share, escape(found.message))
    return table


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
            len(check.findings),
        ]
        table.add_row(check.survey_id, *(f"{n:,}" for n in counts), f"{worst[1]:.1f} % {worst[0]}" if worst else "")
    return table


def write_pages(root: DataRoot, checks: list[SurveyCheck], folder: Path) -> int:
    """A page per survey in ``folder``; how many."""
    folder.mkdir(parents=True, exist_ok=True)
    for check in checks:
        said = _said(root, check)
        (folder / f"{check.survey_id}.html").write_text(quality_page(said), encoding="utf-8")
    return len(checks)


def _said(root: DataRoot, check: SurveyCheck) -> CheckedSurvey:
    try:
        specification = root.specification(check.survey_id)
    except InputError:
        return CheckedSurvey(check.survey_id, findings=check.findings)
    facts, catalogue = check.facts, root.catalogue()
    labels = {name: variable.label for name, variable in catalogue.variables.items()}
    labels |= {
        f"{name}_{item}": f"{variable.label}: {text}"
        for name, variable in catalogue.variables.items()
        for item, text in variable.items.items()
    }
    return CheckedSurvey(
        survey_id=check.survey_id,
        findings=check.findings,
        title=specification.title,
        producer=specification.producer,
        simulated=specification.simulated,
        fieldwork=f"{specification.fieldwork.start} to {specification.fieldwork.end}, {specification.mode}",
        files=[file.path for file in specification.files.values()],
        respondents=facts.respondents if facts else None,
        excluded=facts.excluded if facts else None,
        indicators=dict(facts.indicators) if facts else {},
        not_checked=facts.not_checked if facts else {},
        labels=labels | {code: indicator.title for code, indicator in catalogue.indicators.items()},
    )
