"""Corrections of one to four respondents: held, attacked by subtraction, decided on."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from pipelines import report
from pipelines.build import BuildOutcome
from rga.warehouse import release as releases
from rga.warehouse.published_states import state_path
from tests.pipeline.place import Place, fresh, statuses

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


def rewrite(place: Place, change: Change) -> None:
    """Change the file of the survey, and take away the hash that survey.yaml gives of it."""
    yaml = place.survey_yaml(WSM)
    file = yaml.parent / "microdata.csv"
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


def sixty_moved_and_one_other_answer(frame: pd.DataFrame) -> pd.DataFrame:
    single = frame.index[frame["respondent/marital_status"] == "single"][:60]
    widowed = frame["respondent/marital_status"].mask(frame.index.isin(single), "widowed")
    return swapped(frame.assign(**{"respondent/marital_status": widowed}), "safety/violence_heard", 1)


def swapped(frame: pd.DataFrame, column: str, count: int) -> pd.DataFrame:
    at = frame.index[frame[column] == "yes"][:count]
    return frame.assign(**{column: frame[column].mask(frame.index.isin(at), "no")})


FEW: list[Change] = [
    one_less, four_more, three_other_answers, two_moved, one_less_and_ids_anew, two_exchanged, sixty_moved_and_one_other_answer,
]  # fmt: skip


@pytest.mark.parametrize("change", FEW, ids=lambda change: change.__name__)
def test_a_correction_of_few_respondents_leaves_nothing_to_subtract(place: Place, change: Change) -> None:
    before = releases.live_release(place.warehouse)
    rewrite(place, change)
    outcome = place.build()
    assert statuses(outcome) == {WSM: "held", LATER: "unchanged", PAK: "unchanged"} and outcome.undecided == [WSM]
    assert before and outcome.release and outcome.release != before and outcome.error is None
    assert subtracted(place, before, outcome.release) == {}
    (row,) = place.ask(f"SELECT status, status_note FROM surveys WHERE survey_id = '{WSM}'").itertuples(index=False)
    assert (
        row.status == "held"
        and row.status_note.startswith("Held since 20")
        and not re.search(r"\d", row.status_note[40:].replace("1 to 4", ""))
    )
