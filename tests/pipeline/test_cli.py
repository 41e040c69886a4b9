"""The commands beside `build`."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from tests.pipeline.place import Place


def test_releases_are_listed_shown_and_rolled_back_to(built: Place) -> None:
    first = os.readlink(built.warehouse / "rga.duckdb")
    built.edit("2021-r2_PAK", r"^mode: \w+", "mode: web")
    built.build()
    listed = built.rga("releases", "list").output.splitlines()
    assert len(listed) == 2 and listed[1].startswith("* ") and "4 surveys" in listed[0]
    old = listed[0].split()[0]
    assert "no" in built.rga("releases", "show", old).output.splitlines()[-1]
    assert built.rga("releases", "rollback", old).exit_code == 0
    assert os.readlink(built.warehouse / "rga.duckdb") == first


def test_an_unknown_release_is_an_error_that_names_those_there_are(built: Place) -> None:
    result = built.rga("releases", "rollback", "20200101T000000Z-00000000")
    assert result.exit_code == 2 and "There are: 2" in result.output


def test_releases_of_an_empty_warehouse_say_what_to_do(tmp_path: Path) -> None:
    result = Place(tmp_path).rga("releases", "list")
    assert result.exit_code == 2 and "rga build" in result.output


def test_parquet_export_holds_every_row(built: Place) -> None:
    result = built.rga("export", "parquet")
    assert result.exit_code == 0, result.output
    exported = pd.read_parquet(built.warehouse / "exports" / "parquet" / "estimates.parquet")
    assert len(exported) == built.ask("SELECT count(*) AS n FROM estimates").n[0]


def test_check_names_the_problem_and_writes_nothing(built: Place) -> None:
    built.drop_a_code("2020-r1_PAK")
    before = sorted(p for p in built.warehouse.rglob("*") if "dagster" not in p.parts)
    result = built.rga("check")
    assert result.exit_code == 1 and "variable education" in result.output and "2020-r1_BGD  good" in result.output
    assert sorted(p for p in built.warehouse.rglob("*") if "dagster" not in p.parts) == before


def test_a_folder_that_is_no_data_root_is_an_error_without_traceback(tmp_path: Path) -> None:
    for command in ("build", "check"):
        result = Place(tmp_path).rga(command)
        assert result.exit_code == 2 and "--raw-data" in result.output and "Traceback" not in result.output
