"""Simulated answers into a contractor's file: the columns of it, and the formats.

Belongs here: identifiers, .sav, .zsav, .dta, .csv and .xlsx writing. Not here: what people answered, or how codes are spelled.
"""

from __future__ import annotations

import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat

from rga.simulate.auxiliary import DISPOSITIONS, auxiliary
from rga.simulate.coding import CODINGS, Question
from rga.simulate.programme import Survey

SIMULATED = "SIMULATED DATA: no real respondents, no finding about any country"
SPSS_LABEL = "SIMULATED DATA: no real respondents, no finding"  # 64 characters at most
DESIGN = ["stratum", "psu", "base_weight"]
PANEL_COLUMN = "r1_id"
ON_THE_LIST = {"resp_name"}  # identifiers that are known of people who did not answer

# columns that are in the file and stay there, by mode: what each is
IDENTIFIERS = {
    "sms": {"msisdn": "direct identifier: phone number"},
    "cati": {
        "resp_name": "direct identifier: name",
        "email": "direct identifier: e-mail address",
        "gps_lat": "direct identifier: coordinates",
        "gps_lon": "direct identifier: coordinates",
    },
    "web": {"ip_address": "direct identifier: internet address", "remarks": "free text"},
}
PARADATA = {
    "sms": {"started": "time stamp, not needed"},
    "cati": {"minutes": "length of the interview"},
    "web": {"device": "device"},
}


def unused_columns(survey: Survey) -> dict[str, str]:
    """Columns of the file that nobody reads, and why."""
    return (IDENTIFIERS[survey.mode] if survey.identifiers else {}) | PARADATA[survey.mode]


def respondent_ids(survey: Survey, size: int) -> list[Any]:
    """Ids of the file's rows in order; the same at every call, so that a later round of a panel can name them."""
    if survey.coding == "odk":
        return [f"{number:016x}" for number in np.random.default_rng(survey.n).integers(2**60, 2**62, size)]
    return [100_001 + row for row in range(size)]


def source_frame(
    said: pd.DataFrame, questions: list[Question], survey: Survey, panel_ids: dict[int, Any] | None, rng: np.random.Generator
) -> pd.DataFrame:
    """The file's columns: id, identifiers and paradata, design columns, what the frame knows, the questions in the file's codes.

    ``panel_ids`` gives the id that a `person` had in the earlier round. Who did not answer has no answers, and gave nothing away.
    """
    size = len(said)
    columns: dict[str, object] = {CODINGS[survey.coding].id: respondent_ids(survey, size)}
    made = {**_identifiers(size, rng), **_paradata(size, survey, rng)}
    columns |= {name: made[name] for name in unused_columns(survey)}
    if panel_ids is not None:
        columns[PANEL_COLUMN] = said["person"].map(panel_ids).to_list()
    if survey.clustered:
        columns |= {name: said[name].to_numpy() for name in DESIGN}
    said = said.assign(disposition=_dispositions(said["answered"], rng))
    for question in [*auxiliary(survey), *questions]:
        columns[question.column] = _several(said, question) if question.separator else _coded(said[question.harmonised], question)
    frame = pd.DataFrame(columns)
    of_answers = [c for c in unused_columns(survey) if c not in ON_THE_LIST] + [question.column for question in questions]
    return frame.assign(
        **{c: frame[c].astype(object).where(said["answered"], None) for c in of_answers if not said["answered"].all()}
    )


def _dispositions(answered: pd.Series, rng: np.random.Generator) -> pd.Categorical[str]:
    """How each call ended."""
    otherwise = rng.choice(range(1, len(DISPOSITIONS)), len(answered), p=[0.3, 0.5, 0.2])
    return pd.Categorical.from_codes(np.where(answered, 0, otherwise), categories=pd.Index(list(DISPOSITIONS)))


def _identifiers(size: int, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "msisdn": [f"0{number}" for number in rng.integers(1_300_000_000, 1_999_999_999, size)],
        "resp_name": [f"Person {number}" for number in rng.integers(10_000_000, 99_999_999, size)],
        "email": [f"person{number}@example.org" for number in rng.integers(10_000, 99_999, size)],
        "gps_lat": rng.uniform(-15, 31, size).round(5),
        "gps_lon": rng.uniform(66, 175, size).round(5),
        "ip_address": [".".join(map(str, four)) for four in rng.integers(1, 255, (size, 4))],
        "remarks": [f"Call me, {number}" if number % 9 == 0 else "" for number in rng.integers(10_000_000, 99_999_999, size)],
    }


def _paradata(size: int, survey: Survey, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "started": [f"{survey.fieldwork[0]} {h:02d}:{m:02d}" for h, m in rng.integers((7, 0), (21, 60), (size, 2))],
        "minutes": rng.gamma(9, 1.6, size).round(1),
        "device": rng.choice(["phone", "tablet", "computer"], size, p=[0.8, 0.05, 0.15]),
    }


def _coded(given: pd.Series, question: Question) -> pd.Series:
    kinds = {f"!{kind}": code for kind, code in question.missing.items()}
    given = given.astype(object)
    if question.codes:
        coded = given.map(question.codes | kinds, na_action="ignore")
    else:
        coded = given.map(lambda v: kinds.get(v, v) if isinstance(v, str) else v)
    skipped = question.missing.get("not_applicable")
    return coded if skipped is None else coded.where(given.notna(), skipped)


def _several(said: pd.DataFrame, question: Question) -> list[str | None]:
    """All items chosen, in one text; who does not know about the first item does not know about any."""
    items = {item: said[f"{question.variable}_{item}"].astype(object) for item in question.codes}
    kinds = {f"!{kind}": str(code) for kind, code in question.missing.items()}
    rows = []
    for values in zip(*items.values(), strict=True):
        chosen = [str(question.codes[item]) for item, value in zip(items, values, strict=True) if value == "yes"]
        rows.append(kinds.get(values[0]) or question.separator.join(chosen) or None)
    return rows


def write_file(frame: pd.DataFrame, questions: list[Question], path: Path, day: date) -> None:
    """Write ``frame`` in the format that ``path`` ends in, labelled, saying that it is simulated where the format can.

    ``day`` is written as the day on which the file was made, so that the same data are the same bytes.
    """
    labels: dict[str, str | None] = {q.column: q.label for q in questions}
    values: dict[str, dict[Any, str]] = {q.column: q.value_labels for q in questions}
    frame = frame.copy()
    match path.suffix:
        case ".csv":
            frame.to_csv(path, index=False)
        case ".xlsx":
            _write_xlsx(frame, path, day)
        case ".sav" | ".zsav":
            for question in questions:
                frame[question.column] = pd.to_numeric(frame[question.column])
            missing: dict[str, list[Any]] = {q.column: list(q.missing.values()) for q in questions if q.missing}
            pyreadstat.write_sav(
                frame, path, file_label=SPSS_LABEL, column_labels=labels, variable_value_labels=values,
                missing_ranges=missing, note=SIMULATED, compress=path.suffix == ".zsav", row_compress=path.suffix == ".sav",
            )  # fmt: skip
        case ".dta":
            values = {column: {k: v for k, v in given.items() if not isinstance(k, str)} for column, given in values.items()}
            letters = {q.column: given for q in questions if (given := [c for c in q.missing.values() if isinstance(c, str)])}
            for column in (question.column for question in questions):
                # no empty cells among integers: pyreadstat 1.3.7 writes those of a column with letters as any number
                number = int if frame[column].notna().all() else float
                frame[column] = frame[column].map(lambda v, as_=number: v if isinstance(v, str) or pd.isna(v) else as_(v))
            pyreadstat.write_dta(
                frame, path, file_label=SIMULATED, column_labels={k: (v or "")[:79] for k, v in labels.items()},
                variable_value_labels={k: v for k, v in values.items() if v}, missing_user_values=letters, version=15,
            )  # fmt: skip
    _stamp(path, day)


def _write_xlsx(frame: pd.DataFrame, path: Path, day: date) -> None:
    """One sheet of data and one that says what they are; the zip's own times are those of ``day`` too."""
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        frame.to_excel(writer, sheet_name="data", index=False)
        pd.DataFrame([[SIMULATED]]).to_excel(writer, sheet_name="about", index=False, header=False)
        noon = datetime(day.year, day.month, day.day, 12)
        writer.book.properties = openpyxl.packaging.core.DocumentProperties(created=noon, modified=noon, title=SIMULATED)
    with zipfile.ZipFile(path) as archive:
        parts = {item.filename: archive.read(item) for item in archive.infolist()}
    noon_text = f"{day:%Y-%m-%d}T12:00:00Z".encode()
    start, end = b'<dcterms:modified xsi:type="dcterms:W3CDTF">', b"</dcterms:modified>"
    core = parts["docProps/core.xml"]
    before, rest = core.split(start)
    parts["docProps/core.xml"] = before + start + noon_text + end + rest.split(end)[1]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (day.year, day.month, day.day, 12, 0, 0)), content, zipfile.ZIP_DEFLATED)


def _stamp(path: Path, day: date) -> None:
    """Replace the time of writing that the header of a .sav or .dta file holds, at its fixed place, by noon of ``day``."""
    content = path.read_bytes()
    if path.suffix in {".sav", ".zsav"}:  # creation_date "dd mmm yy", creation_time "hh:mm:ss"
        path.write_bytes(content[:92] + f"{day:%d %b %y}12:00:00".encode("ascii") + content[109:])
    elif path.suffix == ".dta":  # a length (17), then "dd Mon yyyy hh:mm"
        start = content.index(b"<timestamp>") + len(b"<timestamp>") + 1
        path.write_bytes(content[:start] + f"{day:%d %b %Y} 12:00".encode("ascii") + content[start + 17 :])
