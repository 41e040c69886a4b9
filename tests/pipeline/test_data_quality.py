"""Findings on their way: staged, published, shown in the UI, and on the page for the contractor."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from assets.surveys import FILE_CHECK
from pipelines.build import BuildOutcome
from pipelines.instance import open_instance
from rga.errors import Problem
from rga.publish.quality_page import CheckedSurvey, quality_page
from rga.quality import CHECKS, Finding, of_problems
from tests.pipeline.place import SURVEYS, Place


def test_flags_are_published_with_their_survey_and_are_what_check_says(
    first_build: tuple[Place, BuildOutcome], tmp_path: Path
) -> None:
    place = first_build[0]
    published = place.ask("SELECT survey_id, check_name, severity, variable, message, simulated FROM data_quality")
    assert set(published["check_name"]) == {"sample_composition", "change_between_rounds"} and set(published["survey_id"]) == set(
        SURVEYS
    )
    assert set(published["severity"]) == {"flag"} and published["simulated"].all()
    assert place.rga("check", "--html", str(tmp_path)).exit_code == 0
    for row in published.itertuples():
        # Of changes the release has what it prints, which may be rounded; the page is for those who have the file.
        told = row.message if row.check_name != "change_between_rounds" else row.variable
        assert told in (tmp_path / f"{row.survey_id}.html").read_text(encoding="utf-8"), row.message


@pytest.mark.filterwarnings("ignore:Function `EventMethods.get_event_records`")  # nothing else gives evaluations of checks
def test_the_ui_warns_of_flags_and_marks_a_survey_that_failed_and_the_release_says_so(built: Place) -> None:
    built.drop_a_code("2020-r1_PAK")
    built.build()
    with open_instance(built.warehouse) as instance:
        records = instance.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION), limit=200, ascending=False
        )
    found = [record.event_log_entry.dagster_event.asset_check_evaluation_data for record in records]
    of_files = {e.partition: (e.passed, e.severity.value) for e in reversed(found) if e.check_name == FILE_CHECK}
    assert of_files == {key: (False, "ERROR" if key == "2020-r1_PAK" else "WARN") for key in SURVEYS}
    latest = {e.check_name: e for e in reversed(found) if e.asset_key == dg.AssetKey("data_quality")}
    assert set(latest) == set(CHECKS) and latest["skip_violated"].passed
    assert not latest["sample_composition"].passed and latest["sample_composition"].severity == dg.AssetCheckSeverity.WARN
    assert not any(e.blocking for e in found)
    told = built.ask("SELECT finding, message FROM data_quality WHERE survey_id = '2020-r1_PAK' AND severity = 'error'")
    assert told["finding"].tolist() == [1] and "education" in told["message"][0]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "a & b <img src=x>", "`<b>code</b>`"])
def test_whatever_stands_on_the_page_is_escaped_and_nothing_is_loaded_from_elsewhere(text: str) -> None:
    problem = Problem(text, text, file=text, variable=text, code=text)
    flag = Finding("skip_violated", "flag", text, text, text, text, 3, 1.0)
    page = quality_page(CheckedSurvey("2020-r1_BGD", [*of_problems([problem]), flag], title=text, producer=text, files=[text]))
    assert not re.search(r"<(script|img|b|link|iframe)\b", page)
    assert not re.search(
        r"(src|href)=|https?:|url\(|@import", page.replace(re.sub("<", "&lt;", text), "").replace("&lt;img src=x&gt;", "")
    )


def test_the_page_says_of_simulated_data_that_it_is_and_of_other_data_nothing() -> None:
    said = [quality_page(CheckedSurvey("2020-r1_BGD", [], simulated=simulated)) for simulated in (True, False)]
    assert "Simulated data" in said[0] and "Simulated data" not in said[1]
