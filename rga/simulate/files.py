"""Simulated answers into a contractor's file, and the specification that reads it back.

Belongs here: .sav, .dta and .csv writing, survey.yaml. Not here: what people answered.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import yaml

from rga.simulate.coding import CODINGS, Question
from rga.simulate.programme import Survey

SIMULATED = "SIMULATED DATA: no real respondents, no finding about any country"
DESIGN = ["stratum", "psu", "base_weight"]


def source_frame(said: pd.DataFrame, questions: list[Question], survey: Survey, rng: np.random.Generator) -> pd.DataFrame:
    """The file's columns: id, planted identifiers, design columns, then the questions in the file's codes."""
    size = len(said)
    columns: dict[str, object] = {CODINGS[survey.coding].id: np.arange(1, size + 1) + 100_000}
    if survey.mode == "sms":
        columns["msisdn"] = [f"0{number}" for number in rng.integers(1_300_000_000, 1_999_999_999, size)]
        columns["started"] = [f"{survey.fieldwork[0]} {h:02d}:{m:02d}" for h, m in rng.integers((7, 0), (21, 60), (size, 2))]
    else:
        columns["resp_name"] = [f"Person {number}" for number in rng.integers(10_000, 99_999, size)]
        columns["email"] = [f"person{number}@example.org" for number in rng.integers(10_000, 99_999, size)]
        columns["gps_lat"], columns["gps_lon"] = rng.uniform(23, 31, size).round(5), rng.uniform(66, 92, size).round(5)
    if survey.clustered:
        columns |= {name: said[name].to_numpy() for name in DESIGN}
    for question in questions:
        given = said[question.harmonised].astype(object)
        codes = question.codes | {f"!{kind}": code for kind, code in question.missing.items()}
        if question.codes:
            columns[question.column] = given.map(codes, na_action="ignore")
        else:
            columns[question.column] = given.map(lambda v, codes=codes: codes.get(v, v) if isinstance(v, str) else v)
    return pd.DataFrame(columns)


def write_file(frame: pd.DataFrame, questions: list[Question], path: Path, day: date) -> None:
    """Write ``frame`` in the format that ``path`` ends in, labelled, saying that it is simulated where the format can.

    ``day`` is written as the day on which the file was made, so that the same data are the same bytes.
    """
    labels: dict[str, str | None] = {q.column: q.label for q in questions}
    values: dict[str, dict[Any, str]] = {q.column: q.value_labels for q in questions}
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    elif path.suffix == ".sav":
        for question in questions:
            frame[question.column] = pd.to_numeric(frame[question.column])
        missing: dict[str, list[Any]] = {q.column: list(q.missing.values()) for q in questions}
        pyreadstat.write_sav(
            frame, path, file_label=SIMULATED[:64], column_labels=labels, variable_value_labels=values, missing_ranges=missing,
            note=SIMULATED,
        )  # fmt: skip
    else:
        values = {column: {k: v for k, v in given.items() if not isinstance(k, str)} for column, given in values.items()}
        letters = {q.column: [str(code) for code in q.missing.values()] for q in questions}
        for question in questions:
            frame[question.column] = frame[question.column].map(lambda v: float(v) if not isinstance(v, str) else v)
        pyreadstat.write_dta(
            frame, path, file_label=SIMULATED[:80], column_labels={k: (v or "")[:79] for k, v in labels.items()},
            variable_value_labels={k: v for k, v in values.items() if v}, missing_user_values=letters, version=14,
        )  # fmt: skip
    _stamp(path, day)


def _stamp(path: Path, day: date) -> None:
    """Replace the time of writing that the header of a .sav or .dta file holds, at its fixed place, by noon of ``day``."""
    content = path.read_bytes()
    if path.suffix == ".sav":  # creation_date "dd mmm yy", creation_time "hh:mm:ss"
        path.write_bytes(content[:92] + f"{day:%d %b %y}12:00:00".encode("ascii") + content[109:])
    elif path.suffix == ".dta":  # a length (17), then "dd Mon yyyy hh:mm"
        start = content.index(b"<timestamp>") + len(b"<timestamp>") + 1
        path.write_bytes(content[:start] + f"{day:%d %b %Y} 12:00".encode("ascii") + content[start + 17 :])


def specification(survey: Survey, questions: list[Question], absent: list[str], sha256: str) -> str:
    """Text of survey.yaml."""
    letter = "." if survey.file.endswith(".dta") else ""
    variables: dict[str, dict[str, object]] = {}
    for question in questions:
        entry: dict[str, object] = variables.setdefault(question.variable, {})
        if question.item:
            entry.setdefault("columns", {})[question.item] = question.column  # type: ignore[index]
        else:
            entry["column"] = question.column
        if question.codes:
            entry["codes"] = {code: ours for ours, code in question.codes.items()}
        entry["missing"] = {f"{letter}{code}" if letter else code: kind for kind, code in question.missing.items()}
    sms = survey.mode == "sms"
    unused = (
        {"msisdn": "direct identifier: phone number", "started": "time stamp, not needed"}
        if sms
        else dict.fromkeys(["resp_name", "email", "gps_lat", "gps_lon"], "direct identifier")
    )
    document = {
        "title": f"Rapid gender assessment survey, {survey.name}, {survey.year} (simulated)",
        "producer": "Simulated by this project; no survey organisation",
        "citation": f"Simulated rapid gender assessment survey, {survey.name}, {survey.year}; not a finding",
        "licence": "MIT, as this project",
        "simulated": True,
        "fieldwork": dict(zip(("start", "end"), map(date.fromisoformat, survey.fieldwork), strict=True)),
        "mode": survey.mode,
        "invited": survey.invited,
        "population": {
            "description": "Adults aged 18 and over" + (" reached by SMS" if sms else " reached by telephone"),
            "age_min": 18,
            "benchmark": f"wpp2019-{survey.year}",
        },
        "files": {"respondents": {"path": survey.file, "sha256": sha256}},
        "id": CODINGS[survey.coding].id,
    }
    if survey.clustered:
        document["design"] = {"weight": "base_weight", "stratum": ["stratum"], "psu": "psu", "lonely_psu": "adjust"}
    document["weighting"] = [{"step": "calibrate", "method": "raking", "margins": ["sex*age_group", "sex*education"]}]
    document["variables"] = variables
    document["unused"] = unused
    document["absent"] = dict.fromkeys(absent, "not asked in this round")
    document["notes"] = _notes(survey)
    text = yaml.dump(document, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return f"# {SIMULATED}.\n{text}"


def _notes(survey: Survey) -> str:
    if survey.mode == "sms":
        return (
            "Simulated. Invited by SMS: people without a phone, and who do not answer, are missing.\n"
            "Weighting to sex, age and education repairs what those three explain.\n"
        )
    if survey.clustered:
        return (
            "Simulated. Interviewed by telephone in areas drawn within strata (region by residence).\n"
            "base_weight undoes the drawing of areas and the rates of invitation, not who answered.\n"
        )
    return "Simulated. Interviewed by telephone.\n"


class _Readable(yaml.SafeDumper):
    """Text of several lines as a block, as a person would write it; no anchors, which the reader refuses."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Readable.add_representer(str, _text)
