"""Surveys whose files and pages are full of formulas, hidden characters, people and paths: what is made of them has none."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from assets.workspace import told, where
from rga.microdata.texts import is_formula, is_unseen
from rga.warehouse import release as releases
from tests.pipeline.place import Place

LATER, PAK, BGD = "2021-r2_PAK", "2020-r1_PAK", "2020-r1_BGD"
SECRET = ("Amina", "1711223344", "amina.begum", "/home/amina", "=cmd", "\u202e")
HEADERS = ["Amina Begum", "+8801711223344", "amina.begum@example.org", "=cmd|'/C calc'!A0", "a\u202eb"]


def texts_in(path: Path) -> dict[str, list[str]]:
    """Every text of a DuckDB or Parquet file, by table and column."""
    with duckdb.connect() if path.suffix == ".parquet" else duckdb.connect(str(path), read_only=True) as connection:
        if path.suffix == ".parquet":
            connection.read_parquet(str(path)).create_view(path.stem)
        query = """SELECT table_name, column_name FROM information_schema.columns
                   WHERE data_type = 'VARCHAR' OR data_type LIKE 'ENUM%'"""
        return {
            f"{table}.{column}": [
                text for (text,) in connection.execute(f'SELECT DISTINCT "{column}"::VARCHAR FROM "{table}"').fetchall() if text
            ]
            for table, column in connection.execute(query).fetchall()
        }


def faults(texts: dict[str, list[str]], place: Place) -> list[str]:
    """Where a text holds what no published text may."""
    return [
        f"{column}: {text!r}"
        for column, values in texts.items()
        for text in values
        if is_formula(text)
        or any(is_unseen(c) and c != "\n" for c in text)
        or any(secret in text for secret in (*SECRET, str(place.folder)))
    ]


def test_nothing_hostile_is_in_a_release_in_what_is_exported_or_in_what_dagster_keeps(built: Place) -> None:
    file = built.raw_data / "2021-r2" / "PAK" / "microdata.csv"
    data = pd.read_csv(file, dtype=str, keep_default_na=False)
    data.assign(**dict.fromkeys(HEADERS, "1")).to_csv(file, index=False)
    built.edit(LATER, r", sha256: [0-9a-f]{64}", "")
    built.edit(LATER, r"^title: ", "title: Now ")
    built.edit(PAK, r"^mode: sms", "mode: amina.begum@example.org")
    built.edit(BGD, r"^notes:", "caution: see /home/amina/letter.docx or ask +8801711223344\nnotes:")
    said = built.rga("build", "--debug")
    assert said.exit_code == 1 and "mode" in said.output and "caution" in said.output
    live = releases.live_release(built.warehouse)
    assert live and built.ask("SELECT survey_id FROM surveys WHERE status = 'stale' ORDER BY 1")["survey_id"].tolist() == [BGD, PAK]
    found = texts_in(releases.release_path(built.warehouse, live))
    assert any("under `unused:`: " in text for text in found["data_quality.message"]), "the columns are counted"
    assert len(found["surveys.status_note"]) == 2 and faults(found, built) == []
    assert built.rga("export", "parquet").exit_code == 0
    exported = list((built.warehouse / "exports" / "parquet").glob("*.parquet"))
    assert len(exported) > 20 and not [fault for path in exported for fault in faults(texts_in(path), built)]
    built.rga("check", "--survey", LATER, "--html", str(built.folder / "pages"))
    (page,) = (built.folder / "pages").glob("*.html")
    assert "under `unused:`: " in page.read_text("utf-8") and not any(s in page.read_text("utf-8") for s in SECRET)
    manifest = json.loads(built.paths.staging().manifest_path.read_text(encoding="utf-8"))
    assert faults({key: [str(entry["error"])] for key, entry in manifest.items()}, built) == []
    assert not any(secret in said.output for secret in SECRET), "not on the terminal either"
    events = b"".join(path.read_bytes() for path in (built.warehouse / "dagster").rglob("*") if path.is_file())
    assert b"unmapped_columns" in events and not [secret for secret in SECRET if secret.encode() in events]


def test_the_scan_sees_what_is_planted(built: Place, tmp_path: Path) -> None:
    planted = pd.DataFrame({"a": [*HEADERS, f"{built.folder}/x", "-1", "good"]})
    planted.to_parquet(tmp_path / "planted.parquet")
    assert len(faults(texts_in(tmp_path / "planted.parquet"), built)) == len(HEADERS) + 1


def test_an_error_that_nobody_foresaw_tells_its_kind_and_place_and_none_of_its_words() -> None:
    with pytest.raises(ValueError, match="Amina") as caught:
        float("Amina Begum, /home/amina/a.sav")
    message = told("2020-r1_PAK", caught.value)
    assert "internal error" in message and "ValueError" in message and "2020-r1_PAK" in message
    assert not any(secret in message + where(caught.value) for secret in SECRET)
    assert "test_hostile_texts.py" in where(caught.value)
