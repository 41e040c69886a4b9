"""Surveys that are one another's copy are not counted twice, and nobody else is harmed."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from tests.pipeline.place import SURVEYS, Place, statuses

PAK, BGD, NEW = "2021-r2_PAK", "2021-r2_BGD", "2021-r2_NPL"


def give(place: Place, of: str, to: str) -> None:
    """Put the file and page of one survey into the folder of another."""
    target = place.survey_yaml(to).parent
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(place.survey_yaml(of).parent, target)


def test_a_copy_fails_and_keeps_its_last_good_numbers_while_the_others_are_published(built: Place) -> None:
    before = built.ask(f"SELECT count(*) AS n FROM estimates WHERE survey_id = '{BGD}'").n[0]
    give(built, PAK, NEW)
    give(built, PAK, BGD)
    outcome = built.build()
    failed = {survey.survey_id: survey.message for survey in outcome.surveys if survey.status == "failed"}
    assert set(failed) == {NEW, BGD}
    assert all(f"are those of {PAK}, with the same answers" in message for message in failed.values()), failed
    surveys = built.ask("SELECT survey_id, status FROM surveys ORDER BY 1")
    assert surveys["survey_id"].tolist() == SURVEYS
    assert surveys.set_index("survey_id")["status"][BGD] == "stale"
    assert built.ask(f"SELECT count(*) AS n FROM estimates WHERE survey_id = '{BGD}'").n[0] == before
    assert not (built.warehouse / "pending").exists()


def test_of_two_new_copies_neither_is_published_as_nobody_knows_which_is_wrong(unbuilt: Callable[..., Place]) -> None:
    place = unbuilt("2020-r1_PAK", PAK)
    give(place, PAK, NEW)
    assert statuses(place.build()) == {"2020-r1_PAK": "built", PAK: "failed", NEW: "failed"}
    assert place.ask("SELECT survey_id FROM surveys")["survey_id"].tolist() == ["2020-r1_PAK"]
    assert place.rga("check").exit_code == 1
