"""One page on the quality of a survey's file, for whoever made it.

Belongs here: what the page is given, and that all of it is escaped. Not here: checks (``rga.quality``), layout
(``templates/quality.html``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from rga.quality import CHECKS, Finding

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class CheckedSurvey:
    """A survey and what was found in it; what its specification says is empty where that cannot be read.

    ``indicators`` counts asked, altered and not_asked; ``not_checked`` are checks that had nothing to go by, and why;
    ``labels`` are those of variables and indicators.
    """

    survey_id: str
    findings: list[Finding]
    title: str = ""
    producer: str = ""
    simulated: bool | None = None
    fieldwork: str = ""
    files: list[str] = field(default_factory=list)
    respondents: int | None = None
    excluded: int | None = None
    indicators: dict[str, int] = field(default_factory=dict)
    not_checked: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Line:
    """A check as the page lists it: `found`, `passed` or `not checked`, and why."""

    name: str
    text: str
    status: str
    number: int
    why: str


def quality_page(survey: CheckedSurvey) -> str:
    """Self-contained HTML: findings, errors first, and every check with its outcome. No script, nothing loaded from elsewhere."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["code"] = _with_code
    return environment.get_template("quality.html").render(
        survey=survey,
        errors=[finding for finding in survey.findings if finding.severity == "error"],
        flags=[finding for finding in survey.findings if finding.severity == "flag"],
        lines=_lines(survey),
        words={name: name.replace("_", " ") for name in CHECKS},
    )


def _with_code(text: str) -> Markup:
    """``text`` escaped, with what stands between backticks as code."""
    parts = [str(escape(part)) for part in text.split("`")]
    return Markup("".join(f"<code>{part}</code>" if at % 2 and at + 1 < len(parts) else part for at, part in enumerate(parts)))


def _lines(survey: CheckedSurvey) -> list[_Line]:
    read = survey.respondents is not None
    lines = []
    for name, text in CHECKS.items():
        number = sum(finding.check == name for finding in survey.findings)
        why = survey.not_checked.get(name, "") if read else "" if number else "the file must be readable first"
        status = "found" if number else "not checked" if why else "passed"
        lines.append(_Line(name, text, status, number, why))
    return lines
