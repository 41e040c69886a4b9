"""The survey.yaml that reads a simulated file back.

Belongs here: the text a data team would have written. Not here: the file itself (``files``).
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import yaml

from rga.microdata.catalogue import Catalogue
from rga.simulate.chains import chain
from rga.simulate.coding import CODINGS, Question, mapped
from rga.simulate.files import PANEL_COLUMN, SIMULATED, unused_columns
from rga.simulate.programme import PROGRAMME, Survey

REACHED = {"sms": "reached by SMS", "cati": "reached by telephone", "web": "reached on the web"}
NOT_REACHED = "people without a phone, and who do not answer, are missing"
HOW = {
    "operators": f"Invited by SMS: {NOT_REACHED}. Nobody knows who saw the message.",
    "web": "Invited by SMS to a form on the web: people without a smartphone, and who do not answer, are missing.",
    "dialling": f"Interviewed by telephone, numbers dialled at random: {NOT_REACHED}.",
    "areas": "Interviewed by telephone: people without a listed phone are missing.",
    "panel": "Interviewed by telephone: people whom the first round did not reach are missing.",
}
DEPENDED = {
    "operators": "operator, number of lines, ",
    "web": "",
    "dialling": "numbers of telephones and of adults who share them, ",
    "areas": "area, whose number is listed, ",
    "panel": "what the first round recorded, ",
}

CAUTION = (
    "Taking part depended also on how hard the crisis hit a person, which no margin knows: weighting to sex, age and education "
    "repairs a part of the selection only."
)


def specification(
    survey: Survey, questions: list[Question], catalogue: Catalogue, sha256: str, rows: int, invitations: pd.DataFrame | None
) -> str:
    """Text of survey.yaml, for a file of ``rows``; ``invitations`` are of a sample, or a panel, drawn by operators."""
    document: dict[str, Any] = {
        "title": f"Rapid gender assessment survey, {survey.name}, {survey.year} (simulated)",
        "producer": "Simulated by this project; no survey organisation",
        "citation": f"Simulated rapid gender assessment survey, {survey.name}, {survey.year}; not a finding",
        "licence": "MIT, as this project",
        "simulated": True,
        "fieldwork": dict(zip(("start", "end"), map(date.fromisoformat, survey.fieldwork), strict=True)),
        "mode": survey.mode,
        **({"sample": "non_probability"} if survey.panel else {}),  # as in the first round, which the mode does not tell
        "invited": rows if survey.sampling in ("areas", "panel") else survey.invited,
        "population": {
            "description": f"Adults aged 18 and over {REACHED[survey.mode]}",
            "age_min": 18,
            "benchmark": f"wpp2019-{survey.year}",
        },
        "files": {"respondents": {"path": survey.file, "sha256": sha256}},
        "id": CODINGS[survey.coding].id,
    }
    if survey.panel:
        document["panel_id"] = PANEL_COLUMN
    elif any(later.panel == survey.round and later.country == survey.country for later in PROGRAMME):
        document["panel_id"] = CODINGS[survey.coding].id
    if survey.clustered:
        document["design"] = {"weight": "base_weight", "stratum": ["stratum"], "psu": "psu", "lonely_psu": "adjust"}
    document |= chain(survey, invitations)
    document["variables"] = mapped(survey, questions)
    document["unused"] = unused_columns(survey)
    document["absent"] = _absent(survey, questions, catalogue)
    if survey.altered:
        document["altered"] = dict(survey.altered)
    document["notes"] = _notes(survey)
    if survey.unobserved:
        document["caution"] = CAUTION
    text = yaml.dump(document, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return f"# {SIMULATED}.\n{text}"


def _absent(survey: Survey, questions: list[Question], catalogue: Catalogue) -> dict[str, str]:
    mapped = {question.variable for question in questions}
    names = [name for name, v in catalogue.variables.items() if not v.derived and name not in mapped]
    names += [name for name in survey.absent if name not in catalogue.variables]  # items of a battery
    instead = {"age": "age_group", "functioning": "disability"}
    later = "asked from the second round on"
    return {
        name: survey.absent.get(name) or (f"asked as {instead[name]}" if instead.get(name) in mapped else later) for name in names
    }


def _notes(survey: Survey) -> str:
    lines = [f"Simulated. {HOW[survey.sampling]}"]
    if survey.clustered:
        lines += [
            "Areas were drawn within strata (region by residence), and in each numbers from the list of an earlier household",
            "survey; base_weight undoes that. All numbers drawn have a row, with what the list knows: `disposition` tells who",
            "answered.",
        ]
    if survey.unobserved:
        lines.append("docs/simulation.md says how much bias weighting leaves.")
    else:
        lines.append(f"Taking part depended on {DEPENDED[survey.sampling]}sex, age and education, which weighting repairs.")
    if survey.panel:
        lines += [
            f"All adult respondents of {survey.panel} were called again; {PANEL_COLUMN} is their id there. Those who did not",
            "answer have a row too, with what they told then.",
        ]
    return "\n".join([*lines, *([survey.notes] if survey.notes else [])]) + "\n"


class _Readable(yaml.SafeDumper):
    """Text of several lines as a block, as a person would write it; no anchors, which the reader refuses."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)
