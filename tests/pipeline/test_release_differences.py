"""Two releases side by side: what differs, why, and whom the difference gives away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import assets.release
from pipelines import report
from rga.microdata import data_root
from rga.warehouse import release as releases
from rga.warehouse.release_diff import reasons, table_differences
from tests.pipeline.place import Place

WSM = "2020-r1_WSM"


def without_one_respondent(place: Place) -> None:
    file = place.survey_yaml(WSM).parent / "microdata.csv"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:500] + lines[501:]))
    place.edit(WSM, r", sha256: [0-9a-f]{64}", "")


def test_a_respondent_who_is_taken_out_is_told_of_explained_and_can_be_protected(
    unbuilt: Callable[..., Place], capsys: pytest.CaptureFixture[str]
) -> None:
    place = unbuilt(WSM)
    rules = place.raw_data / "catalogue" / "publication_rules.yaml"
    rules.write_text(rules.read_text(encoding="utf-8").replace("corrections: hold", "corrections: warn"), encoding="utf-8")
    first = place.build()
    assert first.differences == {} and first.release
    without_one_respondent(place)
    second = place.build()
    assert second.error is None and second.release
    assert set(second.differences) == {WSM} and second.differences[WSM] > 50, "every answer of the one who is gone"
    report.summary(second)
    assert f"{WSM}: 1 to 4 respondents differ, in {second.differences[WSM]:,} indicators" in capsys.readouterr().err

    older, newer = (releases.release_path(place.warehouse, name) for name in (first.release, second.release))
    assert reasons(older, newer) == {WSM: ["data", "specification"]}, "the hash that survey.yaml gave of the file is gone, too"
    rows = table_differences(older, newer).groupby("table")[["added", "gone", "changed"]].sum()
    assert rows.loc["surveys", "changed"] == 1 and rows.loc["estimates", "changed"] > 50
    told = place.rga("releases", "diff", first.release, second.release)
    assert told.exit_code == 0 and "data" in told.output and f"{WSM}: 1 to 4 respondents differ" in told.output
    assert "no number is printed" in told.output and "changed" not in told.output
    same = place.rga("releases", "diff", second.release, second.release)
    assert same.output.strip() == "The two releases hold the same."

    refused = place.rga("releases", "remove", second.release)
    assert refused.exit_code == 2 and "is the live one" in refused.output
    assert place.rga("releases", "remove", first.release).exit_code == 0
    assert releases.list_releases(place.warehouse) == [second.release]


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_a_release_says_of_each_survey_which_of_its_inputs_is_another(
    unbuilt: Callable[..., Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = unbuilt(WSM, "2020-r1_PAK")
    catalogue, benchmark = place.raw_data / "catalogue", place.raw_data / "benchmarks" / "wpp2019-2020"
    changes: list[tuple[dict[str, list[str]], Callable[[], None]]] = [
        ({WSM: ["specification"]}, lambda: place.edit(WSM, "^notes:", "# read again\nnotes:")),
        ({WSM: ["benchmark"], "2020-r1_PAK": ["benchmark"]}, lambda: append(benchmark / "source.yaml", "# read again\n")),
        ({WSM: ["catalogue"], "2020-r1_PAK": ["catalogue"]}, lambda: append(catalogue / "indicators.yaml", "# read again\n")),
        ({WSM: ["code"], "2020-r1_PAK": ["code"]}, lambda: monkeypatch.setattr(data_root, "code_fingerprint", lambda: "new")),
        ({"": ["code that makes releases"]}, lambda: monkeypatch.setattr(assets.release, "release_code", lambda: "new")),
    ]
    before = place.build().release
    for expected, change in changes:
        change()
        after = place.build().release
        assert before and after and before != after
        paths = [releases.release_path(place.warehouse, name) for name in (before, after)]
        assert reasons(*paths) == expected
        before = after
