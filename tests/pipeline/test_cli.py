"""The commands beside `build`."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from assets.survey_check import worst_nonresponse
from pipelines.build import BuildOutcome
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
    assert result.exit_code == 1 and "variable education" in result.output
    assert row(result.output, "2020-r1_PAK") == ["failed"]
    assert sorted(p for p in built.warehouse.rglob("*") if "dagster" not in p.parts) == before


def test_check_counts_respondents_columns_and_indicators_of_a_survey(first_build: tuple[Place, BuildOutcome]) -> None:
    place = first_build[0]
    respondents, excluded, *counts = row(place.rga("check").output, "2021-r2_BGD")
    published = place.ask("SELECT n, excluded FROM surveys WHERE survey_id = '2021-r2_BGD'")
    assert [int(respondents.replace(",", "")), int(excluded)] == published.to_numpy().tolist()[0]
    columns = (place.raw_data / "2021-r2" / "BGD" / "microdata.csv").read_text().partition("\n")[0].split(",")
    assert sum(map(int, counts[:4])) == len(columns) and counts[3] == "0"
    statuses = place.ask("SELECT count(*) AS n FROM coverage WHERE survey_id = '2021-r2_BGD' AND status = 'asked'")
    assert int(counts[4]) == statuses.n[0]


def test_what_check_flags_does_not_stop_it(built: Place) -> None:
    built.edit("2021-r2_BGD", r"^unused: \{resp_name:", "unused: {fax:")
    built.edit("2020-r1_BGD", r"food_hardship: asked\s+from the second round on,\s+", "")
    result = built.rga("check")
    assert result.exit_code == 0, result.output
    told = {tuple(line.split(maxsplit=2)) for line in result.output.splitlines() if len(line.split()) > 2}
    assert {
        ("2021-r2_BGD", "unmapped_columns", "columns neither mapped nor under `unused:`: resp_name"),
        ("2021-r2_BGD", "unmapped_columns", "under `unused:` but in no file: fax"),
        ("2020-r1_BGD", "unmentioned_variables", "variables neither mapped nor under `absent:`: food_hardship"),
    } <= {(survey, check, what.strip()) for survey, check, what in told}
    assert row(result.output, "2021-r2_BGD")[5] == "1"


def test_check_of_one_survey_leaves_the_others_alone(built: Place) -> None:
    built.drop_a_code("2020-r1_PAK")
    alone = built.rga("check", "--survey", "2021-r2/PAK")
    assert alone.exit_code == 0 and "2020-r1_PAK" not in alone.output
    assert built.rga("check", "--survey", "2020-r1/PAK").exit_code == 2


def test_item_nonresponse_leaves_out_those_who_were_not_asked() -> None:
    counts = pd.DataFrame(
        [
            ("a", "answered", 90),
            ("a", "refused", 10),
            ("b", "answered", 9),
            ("b", "dont_know", 3),
            ("b", "blank", 88),
            ("c", "blank", 100),
        ],
        columns=["variable", "kind", "n"],
    )
    assert worst_nonresponse(counts) == ("b", 25.0)
    assert worst_nonresponse(counts[counts.variable == "c"]) is None


def row(output: str, survey_id: str) -> list[str]:
    """The cells of a survey's line in the table of `rga check`."""
    return next(line for line in output.splitlines() if line.startswith(survey_id)).split()[1:]


def test_a_folder_that_is_no_data_root_is_an_error_without_traceback(tmp_path: Path) -> None:
    for command in ("build", "check"):
        result = Place(tmp_path).rga(command)
        assert result.exit_code == 2 and "--raw-data" in result.output and "Traceback" not in result.output
