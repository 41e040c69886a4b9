"""`rga build`: what is computed, what is kept, and what is said."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from assets import adjusted_gaps, estimates, processes, survey_tables, surveys
from pipelines.build import BuildOutcome
from rga.microdata.readers import read_columns
from rga.warehouse.staging import Staging
from tests.pipeline.place import SURVEYS, Place, statuses

PAK = "2020-r1_PAK"


def test_the_first_build_builds_every_survey_and_publishes_it(first_build: tuple[Place, BuildOutcome]) -> None:
    place, outcome = first_build
    assert statuses(outcome) == dict.fromkeys(SURVEYS, "built")
    assert outcome.error is None and outcome.new_release
    assert place.ask("SELECT survey_id, status FROM surveys ORDER BY 1").to_numpy().tolist() == [[s, "current"] for s in SURVEYS]
    shown = "count(*) FILTER (obs_status <> 'Q') AS n"
    assert place.ask(f"SELECT {shown} FROM estimates").n[0] == outcome.estimates > 1000
    assert place.ask("SELECT count(*) AS n FROM estimates WHERE value IS NULL").n[0] == outcome.suppressed > 100
    assert place.ask(f"SELECT {shown} FROM gender_gaps").n[0] == outcome.gaps > 100


def test_thin_cells_keep_their_count_and_lose_their_number(first_build: tuple[Place, BuildOutcome]) -> None:
    thin = first_build[0].ask("SELECT * FROM estimates WHERE n < 25")
    assert len(thin) and (thin.obs_status == "Q").all()
    assert thin[["value", "se", "ci_low", "ci_high", "deff", "cv"]].isna().all(axis=None)


def test_weights_meet_the_benchmark(first_build: tuple[Place, BuildOutcome]) -> None:
    margins = first_build[0].ask("SELECT *, abs(after - benchmark) AS off FROM margins")
    assert len(margins) and (margins.off < 1e-6 * margins.benchmark).all()


def test_a_second_build_recomputes_nothing_and_says_so(built: Place) -> None:
    result = built.rga("build")
    assert result.exit_code == 0, result.output
    assert "0 built, 4 unchanged, 0 failed" in result.output and "it stands as it is" in result.output
    assert len(list((built.warehouse / "releases").iterdir())) == 1
    total, parts = re.search(r"^Time +([\d.]+) s: (start .*, surveys .*, rest .*)$", result.output, re.MULTILINE).groups()
    assert sum(float(part.split()[-1]) for part in parts.split(", ")) == pytest.approx(float(total), abs=0.3)


def test_force_computes_again_what_did_not_change(built: Place) -> None:
    assert statuses(built.build(["2021-r2_PAK"], force=True)) == {"2021-r2_PAK": "built"}


def test_touching_one_survey_rebuilds_that_one_only(built: Place) -> None:
    before = {key: built.paths.staging().table("estimates", key).stat().st_mtime_ns for key in SURVEYS}
    built.edit(PAK, r"^mode: sms", "mode: web")
    assert statuses(built.build()) == dict.fromkeys(SURVEYS, "unchanged") | {PAK: "built"}
    after = {key: built.paths.staging().table("estimates", key).stat().st_mtime_ns for key in SURVEYS}
    assert [key for key in SURVEYS if after[key] != before[key]] == [PAK]
    assert built.ask(f"SELECT mode FROM surveys WHERE survey_id = '{PAK}'")["mode"][0] == "web"


def test_a_broken_survey_is_named_with_file_variable_code_and_rows_while_others_are_published(built: Place) -> None:
    query = f"SELECT * FROM estimates WHERE survey_id = '{PAK}' ORDER BY ALL"
    before = built.ask(query)
    built.drop_a_code(PAK)
    built.edit("2021-r2_BGD", r"^mode: \w+", "mode: web")
    for expected in ("1 built, 2 unchanged, 1 failed", "0 built, 3 unchanged, 1 failed"):  # the second run fails in the same way
        result = built.rga("build")
        assert result.exit_code == 1, result.output
        assert expected in result.output and len(result.output.splitlines()) < 24
        message = result.output.split(f"{PAK} failed")[1]
        for said in ("microdata.dta", "variable education", "code 1,", " rows", "what to do"):
            assert said in message, said
        assert "Traceback" not in result.output
    assert built.ask("SELECT mode FROM surveys WHERE survey_id = '2021-r2_BGD'")["mode"][0] == "web"
    pd.testing.assert_frame_equal(built.ask(query), before)
    status = built.ask(f"SELECT status, status_note FROM surveys WHERE survey_id = '{PAK}'").iloc[0]
    assert status["status"] == "stale" and "variable education" in status["status_note"]


def test_a_repaired_survey_is_current_again(built: Place) -> None:
    good = built.survey_yaml(PAK).read_text(encoding="utf-8")
    built.drop_a_code(PAK)
    assert statuses(built.build())[PAK] == "failed"
    built.survey_yaml(PAK).write_text(good, encoding="utf-8")
    assert statuses(built.build()) == dict.fromkeys(SURVEYS, "unchanged")
    assert (built.ask("SELECT status FROM surveys")["status"] == "current").all()


def test_a_survey_that_never_was_good_is_left_out_of_the_release(unbuilt: Callable[..., Place]) -> None:
    place = unbuilt(PAK, "2021-r2_PAK")
    place.drop_a_code(PAK)
    assert place.rga("build").exit_code == 1
    assert place.ask("SELECT survey_id FROM surveys").survey_id.tolist() == ["2021-r2_PAK"]


def test_with_no_good_survey_nothing_is_published(unbuilt: Callable[..., Place]) -> None:
    place = unbuilt(PAK)
    place.drop_a_code(PAK)
    result = place.rga("build")
    assert result.exit_code == 2 and "variable education" in result.output
    assert not (place.warehouse / "rga.duckdb").exists()


def test_an_unexpected_error_in_one_survey_does_not_stop_the_others(built: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    weigh = survey_tables.weigh

    def stumble(root: object, survey_id: str, *rest: object) -> object:
        return 1 / 0 if survey_id == PAK else weigh(root, survey_id, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(survey_tables, "weigh", stumble)
    monkeypatch.setattr(processes, "processors", lambda: 1)  # other processes have it as it is
    outcome = built.build(force=True)
    assert statuses(outcome) == dict.fromkeys(SURVEYS, "built") | {PAK: "failed"}
    message = next(survey.message for survey in outcome.surveys if survey.survey_id == PAK)
    assert PAK in message and "internal error" in message and "ZeroDivisionError" in message


def test_a_survey_that_was_written_in_part_is_built_again_even_where_its_input_is_as_before(
    built: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_over = Staging.take_over

    def until_the_disk_is_full(staging: Staging, survey_id: str) -> None:
        if survey_id == PAK:
            raise OSError("No space left on device")
        take_over(staging, survey_id)

    good = built.survey_yaml(PAK).read_text(encoding="utf-8")
    built.edit(PAK, "^mode: sms", "mode: web")
    monkeypatch.setattr(Staging, "take_over", until_the_disk_is_full)
    outcome = built.build()
    assert statuses(outcome) == dict.fromkeys(SURVEYS, "unchanged") | {PAK: "failed"} and outcome.release
    assert "No space left on device" in next(survey.message for survey in outcome.surveys if survey.survey_id == PAK)
    assert built.ask(f"SELECT status FROM surveys WHERE survey_id = '{PAK}'")["status"][0] == "stale"
    monkeypatch.undo()
    built.survey_yaml(PAK).write_text(good, encoding="utf-8")
    assert statuses(built.build()) == dict.fromkeys(SURVEYS, "unchanged") | {PAK: "built"}
    assert (built.ask("SELECT status FROM surveys")["status"] == "current").all()


@pytest.mark.parametrize("stage, fact", [(surveys, "built"), (estimates, "estimated"), (adjusted_gaps, "adjusted")])
def test_what_was_written_is_made_again_where_the_manifest_could_not_say_so(
    stage: ModuleType, fact: str, built: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **facts: object) -> None:
        if fact in facts:
            raise KeyboardInterrupt

    good = built.survey_yaml(PAK).read_text(encoding="utf-8")
    built.edit(PAK, "^mode: sms", "mode: web")
    monkeypatch.setattr(stage, "succeeded", killed)
    assert built.build().error
    monkeypatch.undo()
    built.survey_yaml(PAK).write_text(good, encoding="utf-8")
    assert statuses(built.build()) == dict.fromkeys(SURVEYS, "unchanged") | {PAK: "built"}
    assert built.ask(f"SELECT DISTINCT mode FROM estimates WHERE survey_id = '{PAK}'")["mode"].tolist() == ["sms"]
    made = built.paths.staging().manifest()[PAK]
    assert made["fingerprint"] == made["estimated"] == made["adjusted"]


def test_a_survey_whose_design_forbids_estimates_does_not_stop_the_others(built: Place) -> None:
    clustered = "2021-r2_PAK"
    file = built.raw_data / "2021-r2" / "PAK" / "microdata.csv"
    data = pd.read_csv(file, dtype=str)

    data.loc[data["psu"] == data["psu"].iloc[0], "stratum"] = "a stratum of one PSU"
    data.to_csv(file, index=False)
    built.edit(clustered, r", sha256: [0-9a-f]{64}", "")
    built.edit(clustered, r"lonely_psu: \w+", "lonely_psu: fail")
    built.edit(PAK, r"^mode: sms", "mode: web")
    for first in (True, False):
        outcome = built.build()
        assert statuses(outcome)[clustered] == "failed" and statuses(outcome)[PAK] == ("built" if first else "unchanged")
    assert built.ask(f"SELECT mode FROM surveys WHERE survey_id = '{PAK}'")["mode"][0] == "web"
    assert built.ask(f"SELECT status FROM surveys WHERE survey_id = '{clustered}'")["status"][0] == "stale"


def test_a_finite_population_makes_every_error_smaller_by_its_root(built: Place) -> None:
    keys = {
        "estimates": ["indicator", "breakdown", "sex"],
        "gender_gaps": ["indicator", "breakdown"],
        "adjusted_gaps": ["indicator"],
    }

    def errors(table: str) -> pd.Series:
        exact = f"SELECT indicator FROM gender_gaps WHERE survey_id = '{PAK}' AND breakdown = 'sex' AND rounded_to IS NULL"
        some = f"indicator IN ({exact}) AND"
        if "breakdown" in keys[table]:
            some = "breakdown IN ('total', 'sex') AND rounded_to IS NULL AND"
        found = built.ask(f"SELECT {', '.join(keys[table])}, se FROM {table} WHERE {some} survey_id = '{PAK}' AND se > 0")
        return found.set_index(keys[table])["se"]

    before = {table: errors(table) for table in keys}
    built.edit(PAK, r"^id: ", "respondents: SELECT *, 0.19 AS drawn FROM respondents\ndesign: {fpc: drawn}\nid: ")
    assert built.build().error is None
    for table, was in before.items():
        ratio = (errors(table) / was).dropna()
        assert len(ratio) > 5 and np.allclose(ratio, 0.9, rtol=1e-9), table


def test_a_removed_survey_vanishes(built: Place) -> None:
    shutil.rmtree(built.survey_yaml(PAK).parent)
    assert sorted(statuses(built.build())) == [key for key in SURVEYS if key != PAK]
    assert PAK not in set(built.ask("SELECT survey_id FROM estimates").survey_id)
    assert not list(built.warehouse.glob(f"*/*/{PAK}.parquet"))


def test_broken_evidence_keeps_the_last_good_figures_and_exits_1(built: Place) -> None:
    file = built.raw_data / "evidence" / "search_interest.csv"
    before = built.ask("SELECT count(*) AS n FROM search_interest").n[0]
    file.write_text(file.read_text(encoding="utf-8") + "nonsense,,,,,,\n", encoding="utf-8")
    result = built.rga("build")
    assert result.exit_code == 1 and "search_interest.csv" in result.output, result.output
    assert built.ask("SELECT count(*) AS n FROM search_interest").n[0] == before > 0


def test_a_broken_catalogue_stops_the_build_and_leaves_the_live_release(built: Place) -> None:
    live = os.readlink(built.warehouse / "rga.duckdb")
    with (built.raw_data / "catalogue" / "indicators.yaml").open("a", encoding="utf-8") as file:
        file.write("  BROKEN: {title: x, module: y, numerator: \"no_such_variable = 'yes'\"}\n")
    result = built.rga("build")
    assert result.exit_code == 2 and "no_such_variable" in result.output
    assert os.readlink(built.warehouse / "rga.duckdb") == live


def test_a_second_build_at_the_same_time_is_refused(built: Place) -> None:
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "build"]
    where = os.environ | {"RGA_RAW_DATA": str(built.raw_data), "RGA_WAREHOUSE": str(built.warehouse)}
    with Staging(built.warehouse).lock():
        other = subprocess.run(command, env=where, capture_output=True, text=True, timeout=120, check=False)
    assert other.returncode == 2 and "another build" in other.stderr and "Traceback" not in other.stderr


@pytest.mark.parametrize("key", [PAK, "2020-r1/PAK", "2020-r1/PAK/"])
def test_a_survey_may_be_named_by_folder_or_by_id(built: Place, key: str) -> None:
    result = built.rga("build", "--survey", key)
    assert result.exit_code == 0 and "0 built, 1 unchanged" in result.output, result.output


def test_an_unknown_survey_is_an_error_with_close_matches(built: Place) -> None:
    result = built.rga("build", "--survey", "2020-r1/BDG")
    assert result.exit_code == 2 and "2020-r1_BGD" in result.output


def test_respondents_are_nowhere_but_in_the_restricted_folder(unbuilt: Callable[..., Place]) -> None:
    place = unbuilt("2021-r2_PAK")
    file = place.raw_data / "2021-r2" / "PAK" / "microdata.csv"
    data = pd.read_csv(file, dtype=str)
    data["key"] = [f"SENTINEL{number}" for number in range(len(data))]
    data.to_csv(file, index=False)
    place.edit("2021-r2_PAK", r", sha256: [0-9a-f]{64}", "")
    assert place.rga("build", "--debug").exit_code == 0
    seen = {path.relative_to(place.warehouse).parts[0] for path in _holding(place.warehouse, b"SENTINEL")}
    assert seen == {"restricted"}
    assert (place.warehouse / "restricted").stat().st_mode & 0o077 == 0


def _holding(folder: Path, text: bytes) -> list[Path]:
    found = [path for path in folder.rglob("*") if path.is_file() and text in path.read_bytes()]
    parquet = [path for path in folder.rglob("*.parquet") if text.decode() in pd.read_parquet(path).to_csv()]
    return found + parquet


@pytest.mark.long
@pytest.mark.parametrize("seconds", [2.5, 3.5, 4.5, 5.0, 5.5, 6.0, 7.0])
def test_a_killed_build_leaves_the_live_release_and_the_next_one_is_complete(built: Place, seconds: float) -> None:
    live = os.readlink(built.warehouse / "rga.duckdb")
    expected = built.ask("SELECT * EXCLUDE (se) FROM estimates ORDER BY ALL")
    command = [sys.executable, "-c", "from pipelines.cli import main; main()", "build", "--force"]
    where = os.environ | {"RGA_RAW_DATA": str(built.raw_data), "RGA_WAREHOUSE": str(built.warehouse)}
    process = subprocess.Popen(command, env=where, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert os.readlink(built.warehouse / "rga.duckdb") == live
    assert built.rga("build").exit_code == 0
    pd.testing.assert_frame_equal(built.ask("SELECT * EXCLUDE (se) FROM estimates ORDER BY ALL"), expected)


def test_a_survey_that_fails_on_a_column_of_phone_numbers_leaves_none_of_them_anywhere(built: Place) -> None:
    """Not in the release, the staging area, the terminal, nor Dagster's own state and logs."""
    source = built.raw_data / "2020-r1" / "BGD" / "microdata.sav"
    numbers = set(read_columns(source, ["msisdn"])["msisdn"].astype(str))
    built.edit("2020-r1_BGD", r"^unused: \{msisdn: [^,]*, ", "unused: {")
    built.edit("2020-r1_BGD", r"^( +column:) q\d+\n( +codes: \{\d+: F)", r"\1 msisdn\n\2")
    result = built.rga("build")
    assert result.exit_code == 1 and "variable sex" in result.output and "2,296 rows" in result.output
    for path in built.warehouse.rglob("*"):
        if path.is_file() and not path.is_symlink():
            found = set(re.findall(rb"0?1[3-9][0-9]{8}", path.read_bytes()))
            assert not {text.decode() for text in found} & (numbers | {n.lstrip("0") for n in numbers}), path
    assert not [number for number in numbers if number in result.output]
