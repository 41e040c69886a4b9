"""The chart of women and men: what it shows, in which order, and what it says of its own data."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from rga.errors import InputError
from rga.publish.chart import SIMULATED, gap_chart, save

SURVEYS = [
    ("2020-r1", "BGD", 40.0, 30.0),
    ("2020-r1", "PAK", 50.0, 20.0),
    ("2020-r1", "NPL", 20.0, 25.0),
    ("2021-r2", "BGD", 60.0, 45.0),
]


@pytest.fixture
def release() -> Iterator[duckdb.DuckDBPyConnection]:
    """As much of a release as the chart reads: gaps of 10, 30, -5 and 15 points, and one that is suppressed."""
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE indicators AS SELECT 'X' AS indicator, 'Worked more' AS title, 'TRUE' AS universe, '' AS notes"
        )
        connection.execute("""
            CREATE TABLE gender_gaps (survey_id TEXT, round TEXT, country TEXT, indicator TEXT, statistic TEXT, category TEXT,
                breakdown TEXT, women DOUBLE, men DOUBLE, gap DOUBLE, p_adjusted DOUBLE, n_women BIGINT, n_men BIGINT,
                simulated BOOLEAN);
            CREATE TABLE countries (iso3 TEXT, name TEXT);
            INSERT INTO countries VALUES ('BGD', 'Bangladesh'), ('PAK', 'Pakistan'), ('NPL', 'Nepal'), ('IDN', 'Indonesia');
            CREATE TABLE estimates (survey_id TEXT, indicator TEXT, statistic TEXT, category TEXT, breakdown TEXT, sex TEXT,
                ci_low DOUBLE, ci_high DOUBLE);
            CREATE TABLE surveys (survey_id TEXT, caution TEXT);
            CREATE TABLE coverage (survey_id TEXT, indicator TEXT, status TEXT)""")
        for round_id, country, women, men in SURVEYS:
            key = [f"{round_id}_{country}", "X", "share", "_T", "sex"]
            gap = women - men
            row = [key[0], round_id, country, *key[1:], women, men, gap, 0.04 if abs(gap) > 6 else 0.6, 100, 2000, False]
            connection.execute(f"INSERT INTO gender_gaps VALUES ({', '.join('?' * len(row))})", row)
            connection.execute("INSERT INTO surveys VALUES (?, NULL)", [key[0]])
            connection.execute("INSERT INTO coverage VALUES (?, 'X', 'asked')", [key[0]])
            for sex, value in (("F", women), ("M", men)):
                connection.execute("INSERT INTO estimates VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [*key, sex, value - 4, value + 4])
        connection.execute("INSERT INTO gender_gaps SELECT * REPLACE ('IDN' AS country, NULL AS gap) FROM gender_gaps LIMIT 1")
        yield connection


def test_each_round_has_its_countries_by_size_of_gap_and_no_suppressed_one(release: duckdb.DuckDBPyConnection) -> None:
    panels = json.loads(gap_chart(release, "X").to_json())["concat"][0]["concat"]
    domains = [panel["layer"][0]["encoding"]["y"]["scale"]["domain"] for panel in panels]
    assert domains == [["Pakistan", "Bangladesh", "Nepal"], ["Bangladesh"]]
    assert [panel["title"]["text"] for panel in panels] == ["Round 2020-r1", "Round 2021-r2"]


def test_rounds_share_one_scale_that_holds_every_interval(release: duckdb.DuckDBPyConnection) -> None:
    panels = json.loads(gap_chart(release, "X").to_json())["concat"][0]["concat"]
    assert {tuple(panel["layer"][0]["encoding"]["x"]["scale"]["domain"]) for panel in panels} == {(10, 70)}


def test_a_single_simulated_row_marks_the_whole_chart(release: duckdb.DuckDBPyConnection) -> None:
    assert SIMULATED not in gap_chart(release, "X").to_json()
    release.execute("UPDATE gender_gaps SET simulated = TRUE WHERE country = 'NPL'")
    assert SIMULATED in gap_chart(release, "X").to_json()


def test_the_title_asks_and_the_subtitle_names_unit_base_and_cases(release: duckdb.DuckDBPyConnection) -> None:
    title = json.loads(gap_chart(release, "X").to_json())["title"]
    assert title["text"] == ["Worked more: women more than men?"]
    assert title["subtitle"][:3] == [
        "Per cent of women and of men.",
        "Base: all who answered.",
        "8,400 respondents, 100 to 2,000 behind each dot.",
    ]
    asked = json.loads(gap_chart(release, "X", "Did they?").to_json())["title"]
    assert asked["text"] == ["Did they?"] and asked["subtitle"][0] == "Worked more, per cent of women and of men."


def test_an_indicator_without_a_gap_to_show_is_an_error(release: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(InputError, match="variable Y"):
        gap_chart(release, "Y")


def test_the_saved_picture_is_whole_and_small(release: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    chart = gap_chart(release, "X")
    save(chart, tmp_path / "gap.svg")
    svg = (tmp_path / "gap.svg").read_text()
    for text in ("Women", "Men", "Pakistan", "+30.0", "−5.0"):
        assert f">{text}<" in svg, text
    save(chart, tmp_path / "gap.png")
    png = (tmp_path / "gap.png").read_bytes()
    assert 1500 < int.from_bytes(png[16:20]) < 1700 and len(png) < 600_000


def test_surveys_to_be_read_with_care_are_marked_and_the_mark_is_explained(release: duckdb.DuckDBPyConnection) -> None:
    assert "Read with care" not in gap_chart(release, "X").to_json()
    release.execute("UPDATE surveys SET caution = 'self-selected' WHERE survey_id = '2020-r1_PAK'")
    release.execute("UPDATE coverage SET status = 'altered' WHERE survey_id = '2021-r2_BGD'")
    text = gap_chart(release, "X").to_json()
    assert "Pakistan *" in text and "Bangladesh *" in text and "Nepal *" not in text and "Read with care" in text
