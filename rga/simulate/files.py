"""Simulated answers into a contractor's file, and the specification that reads it back.

Belongs here: .sav, .dta and .csv writing, survey.yaml. Not here: what people answered.
"""

from __future__ import annotations

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


def write_file(frame: pd.DataFrame, questions: list[Question], path: Path) -> None:
    """Write ``frame`` in the format that ``path`` ends in, labelled, saying that it is simulated where the format can."""
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
            variable_value_labels={k: v for k, v in values.items() if v}, missing_user_values=letters,
        )  # fmt: skip


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
        "fieldwork": {"start": survey.fieldwork[0], "end": survey.fieldwork[1]},
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
    document["notes"] = (
        "Simulated. Invited by SMS: people without a phone, and who do not answer, are missing; weighting to sex, age and "
        "education repairs what those three explain.\n"
        if sms
        else "Simulated. Interviewed by telephone" + (", in clusters drawn within strata.\n" if survey.clustered else ".\n")
    )
    return f"# {SIMULATED}.\n" + yaml.dump(document, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
