"""Starting from last round's page: what fits is kept, what changed is said."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
import yaml

from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.onboarding.draft import Request, write_draft


@pytest.fixture
def root(tmp_path: Path, repository: Path) -> DataRoot:
    """A root with last round's survey of Indonesia."""
    for name in ("catalogue", "benchmarks", "2020-r1/IDN"):
        shutil.copytree(repository / "raw_data" / name, tmp_path / "root" / name)
    shutil.copy(repository / "raw_data/2020-r1/round.yaml", tmp_path / "root/2020-r1/round.yaml")
    return DataRoot(tmp_path / "root")


def changed(repository: Path, tmp_path: Path) -> Path:
    """The next round's file: a renamed column, one gone, a label turned over, a new code."""
    frame, meta = pyreadstat.read_sav(repository / "raw_data/2020-r1/IDN/microdata.sav", user_missing=True)
    labels, values = dict(meta.column_names_to_labels), dict(meta.variable_value_labels)
    frame = frame.rename(columns={"A3": "A33"}).drop(columns=["E26"])
    labels["A33"], values["A33"] = labels.pop("A3"), values.pop("A3")
    labels.pop("E26"), values.pop("E26")
    values["I19"] = {1.0: "Ya", 2.0: "Tidak", 8.0: "Tidak tahu", 9.0: "Menolak menjawab"}  # it was 2 for yes
    values["A5"] = values["A5"] | {5.0: "Bertunangan"}
    frame.loc[frame.index[:7], "A5"] = 5.0
    path = tmp_path / "next.sav"
    pyreadstat.write_sav(frame, path, column_labels={k: v or "" for k, v in labels.items()}, variable_value_labels=values)
    return path


def test_mappings_that_fit_are_kept_and_changes_are_told(root: DataRoot, repository: Path, tmp_path: Path) -> None:
    page, draft = write_draft(root, Request([changed(repository, tmp_path)], "IDN", "2021-r2", like="2020-r1/IDN"))
    text, data = page.read_text(encoding="utf-8"), yaml.safe_load(page.read_text(encoding="utf-8"))
    before = root.specification("2020-r1_IDN").variables
    assert draft.kept and len(draft.kept.guesses) >= len(before) - 3
    for name in ("sex", "age", "job_before", "income", "access", "formal_job"):
        assert data["variables"][name].get("column") == before[name].column
        assert {str(k): v for k, v in data["variables"][name].get("codes", {}).items()} == before[name].codes
    assert data["variables"]["education"]["column"] == "A33" and "column A3 is now A33, by its label" in text
    assert "health_insurance: column E26 is gone" in text and "health_insurance" not in data["variables"]
    assert data["variables"]["mental_health"]["codes"] == {1: "yes", 2: "no"}, "the labels were turned over: guessed anew"
    assert "mental_health: code 2 was 'Ya' and is now 'Tidak'" in text
    assert "new codes: 5" in text and 'TODO: 5 "Bertunangan" = ? (7)' in text
    assert data["producer"] == root.specification("2020-r1_IDN").producer and data["mode"] == "sms"


def test_a_file_without_labels_keeps_last_round_s_codes_to_be_confirmed(root: DataRoot, repository: Path, tmp_path: Path) -> None:
    frame, _ = pyreadstat.read_sav(repository / "raw_data/2020-r1/IDN/microdata.sav", user_missing=True)
    frame.to_csv(tmp_path / "next.csv", index=False)
    page, _ = write_draft(root, Request([tmp_path / "next.csv"], "IDN", "2021-r2", like="2020-r1/IDN"))
    data = yaml.safe_load(page.read_text(encoding="utf-8"))
    assert set(data["variables"]) >= set(root.specification("2020-r1_IDN").variables)
    assert data["variables"]["sex"]["codes"] == {3: "F", 2: "M", 1: "O"}
    assert {"sex", "education", "income"} <= set(data["unconfirmed"])


def test_an_unknown_survey_to_start_from_is_an_error_with_those_there_are(root: DataRoot, tmp_path: Path) -> None:
    pd.DataFrame({"id": [1, 2], "sex": ["Male", "Female"]}).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(InputError, match="there is no such survey") as error:
        write_draft(root, Request([tmp_path / "a.csv"], "IDN", "2021-r2", like="2019-r9/IDN"))
    assert "2020-r1_IDN" in str(error.value)
