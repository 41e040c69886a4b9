"""Respondents on disk: modes that no umask loosens, and encryption with the environment's key."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from rga.errors import InputError
from rga.warehouse import restricted
from rga.warehouse.staging import Staging

KEY, OTHER = "11" * 32, "22" * 32
SURVEYS = ["2020-r1_BGD", "2020-r1_PAK"]


def stage(folder: Path) -> Staging:
    staging = Staging(folder)
    for number, survey_id in enumerate(SURVEYS):
        rows = {"survey_id": [survey_id] * 2, "respondent_id": ["planted-1", f"planted-{number}2"]}
        staging.write(pd.DataFrame(rows), staging.restricted("respondents", survey_id))
        weights = pd.DataFrame(rows | {"weight": [1.5, 2.0]} | ({"margin_1": ["a", "b"]} if number else {}))
        staging.write(weights, staging.restricted("weights", survey_id))
    return staging


@pytest.fixture
def loose_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> set[tuple[bool, int]]:
    return {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in [folder, *folder.rglob("*")]}


def test_a_loose_umask_opens_nothing(tmp_path: Path, loose_umask: None) -> None:
    stage(tmp_path)
    assert modes(tmp_path / "restricted") == {(True, 0o700), (False, 0o600)}


def test_what_was_left_open_is_closed_before_a_build(tmp_path: Path) -> None:
    staging = stage(tmp_path)
    for path in [tmp_path / "restricted", *(tmp_path / "restricted").rglob("*")]:
        path.chmod(0o777)
    staging.protect()
    assert modes(tmp_path / "restricted") == {(True, 0o700), (False, 0o600)}


@pytest.mark.parametrize("key", [KEY, base64.b64encode(bytes.fromhex(KEY)).decode()])
def test_with_a_key_nothing_can_be_read_without_it_and_everything_with_it(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(restricted.KEY, key)
    staging = stage(tmp_path)
    for path in (tmp_path / "restricted").rglob("*.parquet"):
        content = path.read_bytes()
        assert content[:4] == b"PARE" and b"planted" not in content and b"respondent_id" not in content
    staging.protect()
    assert staging.read_restricted("respondents", SURVEYS[0])["respondent_id"].tolist() == ["planted-1", "planted-02"]
    with duckdb.connect() as connection:
        staging.restricted_views(connection, SURVEYS)
        query = "SELECT count(*), sum(weight), count(margin_1) FROM respondents JOIN weights USING (survey_id, respondent_id)"
        assert connection.execute(query).fetchall() == [(4, 7.0, 2)]


@pytest.mark.parametrize(
    ("key", "said"), [("", "is encrypted, and RGA_RESTRICTED_KEY is not set"), (OTHER, "is not the key it was written with")]
)
def test_a_missing_or_wrong_key_says_which_file_and_what_to_do(
    key: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(restricted.KEY, KEY)
    staging = stage(tmp_path)
    monkeypatch.setenv(restricted.KEY, key)
    with duckdb.connect() as connection:
        for ask in (
            staging.protect,
            lambda: staging.read_restricted("weights", SURVEYS[0]),
            lambda: staging.restricted_views(connection, SURVEYS),
        ):
            with pytest.raises(InputError, match=said) as error:
                ask()
            assert "restricted/" in str(error.value) and "what to do" in str(error.value)
            assert KEY not in str(error.value) and OTHER not in str(error.value)


@pytest.mark.parametrize("key", ["secret", "11" * 31, "1" * 63 + "g"])
def test_what_is_no_key_is_refused_without_repeating_it(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(restricted.KEY, key)
    with pytest.raises(InputError, match="is no key") as error:
        Staging(tmp_path).protect()
    assert key not in str(error.value)


def test_without_its_key_an_encrypted_file_is_not_replaced_by_a_plain_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(restricted.KEY, KEY)
    stage(tmp_path)
    monkeypatch.delenv(restricted.KEY)
    with pytest.raises(InputError, match="is not set"):
        stage(tmp_path)


def test_plain_files_are_made_anew_once_there_is_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = stage(tmp_path)
    assert staging.is_complete(SURVEYS[0])
    monkeypatch.setenv(restricted.KEY, KEY)
    assert not staging.is_complete(SURVEYS[0])
    stage(tmp_path)
    assert staging.is_complete(SURVEYS[0])


def test_each_file_has_a_key_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(restricted.KEY, KEY)
    staging = stage(tmp_path)
    one, other = (staging.restricted("respondents", key) for key in SURVEYS)
    other.write_bytes(one.read_bytes())
    with pytest.raises(InputError, match="cannot be decrypted"):
        staging.read_restricted("respondents", SURVEYS[1])
