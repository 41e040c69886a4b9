"""The benchmarks measure the table they say, and run without the peers."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from tests.benchmarks import gender_table
from tests.benchmarks.population import CATALOGUE, PIECE, Population, write


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def test_the_gender_table_has_18_surveys_of_8_strata_and_30_psus_and_40_indicators(
    tmp_path: Path, con: duckdb.DuckDBPyConnection
) -> None:
    people = con.read_parquet(str(write(Population(180_000, missing=0.05), tmp_path / "people.parquet")))
    counts = people.query(
        "people", "SELECT survey_id, count(*), count(DISTINCT stratum), count(DISTINCT psu), count(DISTINCT respondent_id) "
        "FROM people GROUP BY survey_id"
    ).fetchall()  # fmt: skip
    assert len(counts) == 18
    assert {tuple(rest) for _, *rest in counts} == {(10_000, 8, 240, 10_000)}
    cells = "count(DISTINCT (sex, age_group)) + count(DISTINCT (sex, residence)) + count(DISTINCT (sex, education))"
    assert people.query("people", f"SELECT 1 + count(DISTINCT sex) + {cells} FROM people").fetchone() == (23,)
    indicators = [name for name in people.columns if name.startswith("i")]
    assert len(indicators) == 40
    unanswered = people.query("people", f"SELECT avg({' + '.join(f'({i} IS NULL)::INT' for i in indicators)}) / 40 FROM people")
    assert unanswered.fetchone()[0] == pytest.approx(0.05, abs=0.001)


def test_answers_are_alike_within_psus_and_all_given_unless_asked_otherwise(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    path = write(Population(180_000), tmp_path / "people.parquet")
    between = con.execute(f"""
        SELECT var_pop(share) / (avg(share) * (1 - avg(share)) / avg(n)), sum(n)
        FROM (SELECT psu, avg(i01) AS share, count(i01) AS n FROM read_parquet('{path}') WHERE survey_id = 'S0000' GROUP BY psu)
    """).fetchone()
    assert between[0] > 1.2  # 1 if PSUs did not matter
    assert between[1] == 10_000


def test_the_same_population_is_written_again_in_row_groups(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    people = Population(2 * PIECE + 18, surveys=9, indicators=2)
    one, two = write(people, tmp_path / "one.parquet"), write(people, tmp_path / "two.parquet")
    differing = con.execute(f"SELECT count(*) FROM (FROM read_parquet('{one}') EXCEPT ALL FROM read_parquet('{two}'))").fetchone()
    assert differing == (0,)
    groups = con.execute(f"SELECT count(DISTINCT row_group_id) FROM parquet_metadata('{one}')").fetchone()
    assert groups == (3,)


def test_surveys_by_text_message_have_neither_strata_nor_psus(tmp_path: Path, con: duckdb.DuckDBPyConnection) -> None:
    people = Population(4_000, surveys=2, indicators=1, strata=0, psus=0, dimensions=CATALOGUE)
    path = write(people, tmp_path / "people.parquet")
    assert con.execute(f"SELECT count(stratum), count(psu), count(disability) FROM read_parquet('{path}')").fetchone() == (
        0,
        0,
        4_000,
    )


def test_a_run_on_2000_rows_needs_no_peers(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, fewer in {"INDICATORS": 3, "RUNS_SMALL": 1}.items():
        monkeypatch.setattr(gender_table, name, fewer)
    monkeypatch.setattr("sys.argv", ["gender_table", "--rows", "2000", "--peers", "none"])
    gender_table.main()
    printed = capsys.readouterr().out
    assert "ours, in memory" in printed and "ours, from the file, first" in printed
    assert "bare scan" in printed
    assert "not measured 36,000 rows: x as fast as R survey" in printed
