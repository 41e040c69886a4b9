"""Corrections of one to four respondents: held, attacked by subtraction, decided on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd
import pytest

from assets.corrections import NOTE
from pipelines import report
from pipelines.instance import open_instance
from pipelines.sensors import outstanding
from rga.warehouse import release as releases
from rga.warehouse.restricted import KEY, is_encrypted
from tests.pipeline.place import Place, fresh, statuses
from tests.pipeline.test_partitions import shown

WSM, LATER, PAK = "2020-r1_WSM", "2021-r2_WSM", "2020-r1_PAK"
OF_THE_BUILD = {"release": ["release_id", "created", "fingerprint"], "surveys": ["built", "status", "status_note"]}
Change = Callable[[pd.DataFrame], pd.DataFrame]


@pytest.fixture(scope="module")
def published(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Two rounds of one country and a survey of another, published once. Not to be changed."""
    place = fresh(repository, tmp_path_factory.mktemp("published"), [WSM, LATER, PAK])
    assert place.build().error is None
    return place


@pytest.fixture
def place(published: Place, tmp_path: Path) -> Place:
    shutil.copytree(published.folder, tmp_path / "copy", symlinks=True)
    return Place(tmp_path / "copy")


def file_of(place: Place) -> Path:
    return place.survey_yaml(WSM).parent / "microdata.csv"


def rewrite(place: Place, change: Change) -> None:
    """Change the file of the survey, and take away the hash that survey.yaml gives of it."""
    yaml, file = place.survey_yaml(WSM), file_of(place)
    change(pd.read_csv(file, dtype=str, keep_default_na=False)).to_csv(file, index=False)
    yaml.write_text(re.sub(r", sha256: [0-9a-f]{64}", "", yaml.read_text(encoding="utf-8")), encoding="utf-8")


def rows_of(path: Path) -> dict[str, pd.DataFrame]:
    """Every table of a release as text, without what every build makes anew."""
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()]
        found = {name: connection.execute(f'FROM "{name}"').df().drop(columns=OF_THE_BUILD.get(name, [])) for name in names}
    return {name: frame.astype("str").sort_values(list(frame), ignore_index=True) for name, frame in found.items()}


def subtracted(place: Place, older: str, newer: str) -> dict[str, int]:
    """The attack: both releases, every table, every row that is not the same in both, by table."""
    one, other = (rows_of(releases.release_path(place.warehouse, name)) for name in (older, newer))
    assert one.keys() == other.keys()
    both = {name: pd.concat([one[name], other[name]]).drop_duplicates(keep=False) for name in one}
    return {name: len(rows) for name, rows in both.items() if len(rows)}


def one_less(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(index=500)


def four_more(frame: pd.DataFrame) -> pd.DataFrame:
    more = frame.iloc[700:704].assign(_uuid=[f"new{number}" for number in range(4)])
    return pd.concat([frame, more], ignore_index=True)


def three_other_answers(frame: pd.DataFrame) -> pd.DataFrame:
    return swapped(frame, "health/mental_health", 3)


def two_moved(frame: pd.DataFrame) -> pd.DataFrame:
    moved = frame["respondent/residence"].isin(["urban", "rural"])
    at = frame[moved].index[:2]
    return frame.assign(**{"respondent/residence": frame["respondent/residence"].mask(frame.index.isin(at), "dk")})


def one_less_and_ids_anew(frame: pd.DataFrame) -> pd.DataFrame:
    frame = one_less(frame).sample(frac=1, random_state=1)
    return frame.assign(_uuid=[f"r{number}" for number in range(len(frame))])


def two_exchanged(frame: pd.DataFrame) -> pd.DataFrame:
    """Two women exchange an answer: no count changes."""
    women = frame[(frame["respondent/sex"] == "women") & frame["health/mental_health"].isin(["yes", "no"])]
    at = [women.index[women["health/mental_health"] == answer][0] for answer in ("yes", "no")]
    frame = frame.copy()
    frame.loc[at, "health/mental_health"] = ["no", "yes"]
    return frame


def twelve_other_answers(frame: pd.DataFrame) -> pd.DataFrame:
    return swapped(frame, "health/mental_health", 12)


def sixty_moved_and_one_other_answer(frame: pd.DataFrame) -> pd.DataFrame:
    single = frame.index[frame["respondent/marital_status"] == "single"][:60]
    widowed = frame["respondent/marital_status"].mask(frame.index.isin(single), "widowed")
    return swapped(frame.assign(**{"respondent/marital_status": widowed}), "safety/violence_heard", 1)


def swapped(frame: pd.DataFrame, column: str, count: int) -> pd.DataFrame:
    at = frame.index[frame[column] == "yes"][:count]
    return frame.assign(**{column: frame[column].mask(frame.index.isin(at), "no")})


FEW = [
    pytest.param(change, marks=[] if change is three_other_answers else pytest.mark.long, id=change.__name__)
    for change in (
        *(one_less, four_more, three_other_answers, two_moved, one_less_and_ids_anew, two_exchanged),
        sixty_moved_and_one_other_answer,
    )
]


@pytest.mark.parametrize("change", FEW)
def test_a_correction_of_few_respondents_leaves_nothing_to_subtract(place: Place, change: Change) -> None:
    before = releases.live_release(place.warehouse)
    rewrite(place, change)
    outcome = place.build()
    assert statuses(outcome) == {WSM: "held", LATER: "unchanged", PAK: "unchanged"} and outcome.undecided == [WSM]
    assert before and outcome.release and outcome.release != before and outcome.error is None
    assert subtracted(place, before, outcome.release) == {}
    row = survey(place)
    assert row.status == "held" and row.status_note.startswith("Held since 20") and row.status_note.endswith(NOTE)
    assert not re.search(r"\d", NOTE.replace("1 to 4", "")), "how many they are, and what they said, is told nowhere"


def survey(place: Place) -> Any:
    return next(place.ask(f"SELECT * FROM surveys WHERE survey_id = '{WSM}'").itertuples(index=False))


def test_a_held_survey_is_released_by_more_changes_or_by_going_back(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    original = file_of(place).read_bytes()
    before = survey(place)
    rewrite(place, three_other_answers)
    report.summary(place.build())
    told = capsys.readouterr()
    assert "0 built, 2 unchanged, 0 failed, 1 held" in told.out
    assert all(f"rga releases {decision} KEY" in told.err for decision in ("publish", "withdraw", "wait"))
    assert WSM in place.rga("releases", "held").output and place.rga("build").exit_code == 0, "nothing failed"
    again = place.build()
    assert statuses(again)[WSM] == "held" and not again.new_release, "looked at anew, and nothing is new"

    file_of(place).write_bytes(original)
    assert statuses(place.build())[WSM] == "built", "survey.yaml has no hash of the file any more"
    assert survey(place).status == "current" and survey(place).n == before.n

    rewrite(place, three_other_answers)
    assert statuses(place.build())[WSM] == "held"
    rewrite(place, twelve_other_answers)
    outcome = place.build()
    assert statuses(outcome)[WSM] == "built" and outcome.undecided == [] and outcome.differences == {}
    assert survey(place).status == "current" and pd.isna(survey(place).status_note)
    assert place.rga("releases", "held").output.strip() == "No survey is held."


def test_the_other_surveys_are_published_while_one_is_held_and_what_is_over_several_has_nothing_new_of_it(place: Place) -> None:
    before = releases.live_release(place.warehouse)
    rewrite(place, two_moved)
    pak = place.survey_yaml(PAK)
    pak.write_text(pak.read_text(encoding="utf-8").replace("title: ", "title: Read again. ", 1), encoding="utf-8")
    outcome = place.build()
    assert statuses(outcome) == {WSM: "held", LATER: "unchanged", PAK: "built"} and before and outcome.release
    assert set(subtracted(place, before, outcome.release)) == {"surveys"}, "the title of the other survey"


@pytest.mark.parametrize("decision", ["publish", "withdraw"])
def test_a_decision_publishes_the_correction_of_then_and_no_other(place: Place, decision: str) -> None:
    first = releases.live_release(place.warehouse)
    rewrite(place, three_other_answers)
    held = place.build().release
    assert first and held
    assert place.rga("releases", decision, PAK).exit_code == 2, "it is not held"
    assert place.rga("releases", decision, WSM).exit_code == 0
    outcome = place.build()
    assert statuses(outcome)[WSM] == "built" and outcome.release not in (first, held) and survey(place).status == "current"
    if decision == "publish":
        assert outcome.differences.keys() == {WSM} and outcome.withdrawn == [] and outcome.release
        assert "estimates" in subtracted(place, first, outcome.release), "the attack can find"
        diff = place.rga("releases", "diff", first, outcome.release)
        assert diff.exit_code == 0 and "no number is printed" in diff.output
        assert not re.search(r"[1-9][\d,]* (changed|added|gone)", diff.output), diff.output
        assert not re.search(r"estimates +[\d,]+ added", diff.output)
    else:
        assert outcome.withdrawn == [first, held] and releases.list_releases(place.warehouse) == [outcome.release]
        rewrite(place, one_less)
        assert statuses(place.build())[WSM] == "held", "the correction that was published is what counts now"
    assert len(list((place.warehouse / "restricted" / "published").glob(f"{WSM}.*"))) == (2 if decision == "publish" else 1)


@pytest.mark.long
def test_a_decision_is_not_for_what_came_after_it_and_waiting_is_for_all(place: Place) -> None:
    rewrite(place, three_other_answers)
    place.build()
    place.rga("releases", "publish", WSM)
    rewrite(place, one_less)
    assert statuses(outcome := place.build())[WSM] == "held" and outcome.undecided == [WSM]
    place.rga("releases", "wait", WSM)
    assert (outcome := place.build()).undecided == [] and statuses(outcome)[WSM] == "held"
    rewrite(place, lambda frame: frame.drop(index=900))
    assert (outcome := place.build()).undecided == [] and statuses(outcome)[WSM] == "held"
    assert "decided: wait" in place.rga("releases", "held").output


@pytest.mark.long
def test_every_release_that_is_kept_counts_and_one_that_is_removed_does_not(place: Place) -> None:
    first, original = releases.live_release(place.warehouse), file_of(place).read_bytes()
    rewrite(place, twelve_other_answers)
    assert statuses(place.build())[WSM] == "built"
    file_of(place).write_bytes(original)
    rewrite(place, lambda frame: swapped(frame, "health/mental_health", 2))
    assert statuses(place.build())[WSM] == "held", "two answers from the first release, ten from the live one"
    assert first and place.rga("releases", "remove", first).exit_code == 0
    assert statuses(place.build())[WSM] == "built"


@pytest.mark.long
def test_a_survey_that_is_taken_away_and_comes_back_corrected_stays_out_until_somebody_decides(place: Place) -> None:
    folder = place.survey_yaml(WSM).parent
    shutil.copytree(folder, place.folder / "aside")
    shutil.rmtree(folder)
    assert set(statuses(place.build())) == {LATER, PAK}
    assert not list((place.warehouse / "restricted").glob(f"*/{WSM}.parquet"))
    shutil.copytree(place.folder / "aside", folder)
    assert statuses(place.build())[WSM] == "built", "as it was"
    shutil.rmtree(folder)
    place.build()
    shutil.copytree(place.folder / "aside", folder)
    rewrite(place, one_less)
    outcome = place.build()
    assert statuses(outcome)[WSM] == "held" and outcome.error is None
    assert place.ask("SELECT survey_id FROM surveys")["survey_id"].tolist() == [PAK, LATER]
    assert place.rga("releases", "publish", WSM).exit_code == 0
    assert statuses(place.build())[WSM] == "built" and survey(place).status == "current"


@pytest.mark.long
def test_what_is_no_correction_of_answers_is_published(place: Place) -> None:
    place.edit(WSM, r"method: logit", "method: raking")
    place.edit(WSM, r"^  bounds: \[0.2, 20\]\n", "")
    place.edit(WSM, r"^title: ", "title: Again. ")
    assert statuses(place.build())[WSM] == "built", "other weights, another title"
    new = place.raw_data / "2020-r1" / "MDV"
    shutil.copytree(place.survey_yaml(PAK).parent, new)
    assert statuses(place.build())["2020-r1_MDV"] == "built", "a new survey, be it like another"


@pytest.mark.long
def test_without_respondents_of_then_published_counts_are_compared(place: Place) -> None:
    shutil.rmtree(place.warehouse / "restricted")
    rewrite(place, three_other_answers)
    outcome = place.build()
    assert statuses(outcome) == {WSM: "held", LATER: "built", PAK: "built"} and outcome.error is None
    assert survey(place).status == "held"


@pytest.mark.long
def test_where_the_rules_say_warn_it_is_published_and_told(place: Place) -> None:
    rules = place.raw_data / "catalogue" / "publication_rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("corrections: hold", "corrections: warn"), encoding="utf-8")
    rewrite(place, three_other_answers)
    outcome = place.build()
    assert statuses(outcome)[WSM] == "built" and outcome.differences.keys() == {WSM} and outcome.undecided == []
    assert place.build().differences == {}, "told once"


@pytest.mark.long
def test_states_are_for_the_owner_only_and_encrypted_where_there_is_a_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place.warehouse / "restricted" / "published"
    assert len(list(folder.iterdir())) == 3
    assert folder.stat().st_mode & 0o777 == 0o700 and all(path.stat().st_mode & 0o777 == 0o600 for path in folder.iterdir())
    monkeypatch.setenv(KEY, "ab" * 32)
    assert set(statuses(place.build()).values()) == {"built"}
    assert all(map(is_encrypted, folder.iterdir()))
    rewrite(place, one_less)
    assert statuses(place.build())[WSM] == "held"


@pytest.mark.long
def test_dagster_shows_a_held_survey_as_it_stands_and_warns_until_somebody_decides(place: Place) -> None:
    rewrite(place, two_moved)
    place.build()

    def check() -> tuple[bool, dict[str, Any]]:
        with open_instance(place.warehouse) as instance:
            key = dg.AssetCheckKey(dg.AssetKey("manifest"), "corrections_decided")
            (record,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
            assert record.event and record.event.dagster_event
            found = record.event.dagster_event.asset_check_evaluation_data
            return found.passed, dict(found.metadata)

    passed, facts = check()
    assert not passed and facts["undecided"].value == 1 and "rga releases withdraw" in str(facts["held surveys"].value)
    assert shown(place.warehouse, "respondents")[WSM] == "materialized"
    assert outstanding(place.paths.data_root(), place.paths.staging()) == {}, "the sensor leaves it alone"
    place.rga("releases", "wait", WSM)
    place.build()
    assert check()[0]
    place.rga("releases", "withdraw", WSM)
    assert set(outstanding(place.paths.data_root(), place.paths.staging())) == {WSM}, "the sensor asks for it"


@pytest.mark.long
def test_a_held_survey_whose_file_breaks_is_stale_and_one_that_is_mended_is_held_again(place: Place) -> None:
    rewrite(place, one_less)
    place.build()
    place.edit(WSM, r"women: F, ", "")
    assert statuses(place.build())[WSM] == "failed" and survey(place).status == "stale"
    place.edit(WSM, r"codes: \{men: M", "codes: {women: F, men: M")
    assert statuses(place.build())[WSM] == "held" and survey(place).status == "held"
