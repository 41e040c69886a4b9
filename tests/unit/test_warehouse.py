"""Staging and releases: whole or nothing, verified, readable by people who have an old one open."""

from __future__ import annotations

import stat
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from rga.errors import InputError, ReleaseError
from rga.publish.parquet import export_parquet
from rga.warehouse import release as releases
from rga.warehouse.release import build_release
from rga.warehouse.staging import Staging
from rga.warehouse.tables import tables

NOW = datetime(2026, 1, 2, 3, 4, 5)
FILLED = {"VARCHAR": "x", "DOUBLE": 1.0, "BIGINT": 1, "INTEGER": 1, "BOOLEAN": True, "TIMESTAMP": NOW, "DATE": NOW.date()}
SPECIAL = {
    "survey_id": "2020-r1_BGD", "statistic": "share", "obs_status": "A", "conf_status": "F", "status": "current",
    "sample_type": "probability", "verdict": "no clear gap", "aggregation": "simple_mean", "countries": 2,
    "dhs_rule": "show", "nchs_rule": "passed", "reason": "none", "severity": "flag",
    "sex": "F", "ci_low": 0.5, "ci_high": 2.0, "women": 3.0, "men": 1.0, "gap": 2.0, "p_value": 0.5, "p_adjusted": 0.5,
}  # fmt: skip
DIMENSIONS = ["sex", "residence"]


def frames() -> dict[str, pd.DataFrame]:
    """One plausible row for every published table."""
    found = {}
    for table in tables(DIMENSIONS):
        row = {c.name: SPECIAL.get(c.name, FILLED.get(c.type, "x")) for c in table.columns}
        found[table.name] = pd.DataFrame([row])
    found["coverage"] = found["coverage"].assign(status="asked")
    found["adjusted_gaps"] = found["adjusted_gaps"].assign(status="ok")
    compared = {"measure": "level", "later_round": "y", "sample": "independent", "comparability": "comparable", "obs_status": "Q"}
    withheld = dict.fromkeys(["earlier", "later", "change", "se", "ci_low", "ci_high", "p_value", "p_adjusted"])
    found["changes"] = found["changes"].assign(**compared, **withheld)
    estimates = found["estimates"]
    found["estimates"] = pd.concat([estimates.assign(value=3.0, ci_high=4.0), estimates.assign(sex="M")], ignore_index=True)
    return found


def build(warehouse: Path, after: int = 0, **changes: pd.DataFrame) -> releases.Release:
    return build_release(warehouse, frames() | changes, DIMENSIONS, NOW + timedelta(seconds=after), f"{after:08d}")


def test_a_release_opens_under_its_link_and_its_own_name(tmp_path: Path) -> None:
    built = build(tmp_path)
    assert (tmp_path / "rga.duckdb").is_symlink() and releases.live_release(tmp_path) == built.id
    for path in (tmp_path / "rga.duckdb", built.path):
        with duckdb.connect(str(path), read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM estimates").fetchall() == [(2,)]


def test_every_table_and_column_has_a_comment(tmp_path: Path) -> None:
    with duckdb.connect(str(build(tmp_path).path), read_only=True) as connection:
        for query in ("duckdb_tables()", "duckdb_columns()"):
            tables_only = "table_name NOT IN (SELECT view_name FROM duckdb_views())"
            missing = f"SELECT count(*) FROM {query} WHERE NOT internal AND {tables_only} AND (comment IS NULL OR comment = '')"
            assert connection.execute(missing).fetchall() == [(0,)]
        assert connection.execute("SELECT count(*) FROM duckdb_tables() WHERE NOT internal").fetchall()[0][0] >= 14
        uncommented = "SELECT count(*), count(comment) FROM duckdb_views() WHERE NOT internal"
        assert len(set(connection.execute(uncommented).fetchall()[0])) == 1


def test_a_release_file_is_read_only(tmp_path: Path) -> None:
    assert stat.S_IMODE(build(tmp_path).path.stat().st_mode) == 0o444


BROKEN = {
    "an estimate without its error": lambda f: f["estimates"].assign(se=None),
    "a suppressed estimate with a value": lambda f: f["estimates"].assign(obs_status="Q"),
    "a share above 100": lambda f: f["estimates"].assign(value=101.0, ci_high=102.0),
    "a negative standard error": lambda f: f["estimates"].assign(se=-1.0),
    "a key twice": lambda f: pd.concat([f["estimates"]] * 2),
    "a status nobody knows": lambda f: f["estimates"].assign(obs_status="Z"),
    "limits on the wrong side": lambda f: f["estimates"].assign(ci_low=50.0, ci_high=60.0),
    "a column too many": lambda f: f["estimates"].assign(respondent_id="1"),
    "a survey that is not there": lambda f: f["estimates"].assign(survey_id="2020-r1_PAK"),
    "another simulated flag than the survey's": lambda f: f["estimates"].assign(simulated=False),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_release_with_a_fault_is_refused_and_the_live_one_stands(tmp_path: Path, what: str) -> None:
    live = build(tmp_path)
    with pytest.raises(ReleaseError):
        build(tmp_path, after=1, estimates=BROKEN[what](frames()))
    assert releases.live_release(tmp_path) == live.id
    assert [p.name for p in (tmp_path / "releases").iterdir()] == [live.path.name]


def test_a_change_from_a_number_that_is_not_published_is_refused(tmp_path: Path) -> None:
    build(tmp_path)
    shown = {"earlier": 3.0, "later": 4.0, "change": 1.0, "se": 1.0, "obs_status": "A", "sex": "F"}
    with pytest.raises(ReleaseError, match="changes are between numbers that are published"):
        build(tmp_path, 1, changes=frames()["changes"].assign(**shown))
    with pytest.raises(ReleaseError, match="table changes"):
        build(tmp_path, 2, changes=frames()["changes"].assign(comparable=False))


def test_a_gap_that_is_not_the_difference_of_its_estimates_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="gaps are the difference"):
        build(tmp_path, gender_gaps=frames()["gender_gaps"].assign(gap=1.9))
    assert releases.live_release(tmp_path) is None


def test_an_aggregate_of_another_kind_of_survey_than_its_countries_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="countries taken together"):
        build(tmp_path, regional_contributions=frames()["regional_contributions"].assign(simulated=False))


def test_a_reader_keeps_a_complete_old_release_while_new_ones_are_published(tmp_path: Path) -> None:
    build(tmp_path)
    with duckdb.connect(str(tmp_path / "rga.duckdb"), read_only=True) as reader:
        for after in range(1, 14):
            build(tmp_path, after=after)
            assert reader.execute("SELECT count(*) FROM estimates").fetchall() == [(2,)]
    assert len(releases.list_releases(tmp_path)) == releases.KEPT


def test_rolling_back_switches_the_link_and_the_live_release_outlives_pruning(tmp_path: Path) -> None:
    first = build(tmp_path)
    build(tmp_path, after=1)
    releases.switch(tmp_path, first.id)
    assert releases.live_release(tmp_path) == first.id
    with pytest.raises(InputError, match="no release"):
        releases.switch(tmp_path, "gone")


def test_not_a_number_becomes_null(tmp_path: Path) -> None:
    built = build(tmp_path, estimates=frames()["estimates"].assign(cv=float("nan")))
    with duckdb.connect(str(built.path), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM estimates WHERE cv IS NULL").fetchall() == [(2,)]


def test_respondents_are_for_the_owner_only(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    path = staging.restricted("respondents", "2020-r1_BGD")
    staging.write(pd.DataFrame({"a": [1]}), path)
    for folder in (tmp_path / "restricted", tmp_path / "restricted" / "respondents"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_failed_write_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staging = Staging(tmp_path)
    path = staging.table("estimates", "2020-r1_BGD")
    staging.write(pd.DataFrame({"a": [1]}), path)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        staging.write(pd.DataFrame({"a": [2]}), path)
    assert pd.read_parquet(path)["a"].tolist() == [1] and len(list(path.parent.iterdir())) == 1


def test_only_one_build_holds_the_warehouse(tmp_path: Path) -> None:
    with Staging(tmp_path).lock(), pytest.raises(InputError, match="another build"), Staging(tmp_path).lock():
        pass
    with Staging(tmp_path).lock():
        pass


def test_removing_a_survey_removes_its_respondents_too(tmp_path: Path) -> None:
    staging = Staging(tmp_path)
    for path in (staging.restricted("respondents", "2020-r1_BGD"), staging.table("estimates", "2020-r1_BGD")):
        staging.write(pd.DataFrame({"a": [1]}), path)
    staging.update_manifest("2020-r1_BGD", {"fingerprint": "1"})
    staging.remove("2020-r1_BGD")
    assert staging.manifest() == {} and not list(tmp_path.rglob("*.parquet"))


def test_parquet_export_has_every_table_and_says_what_is_simulated(tmp_path: Path) -> None:
    built = build(tmp_path / "warehouse")
    written = export_parquet(built.path, tmp_path / "out")
    assert {path.stem for path in written} == {table.name for table in tables(DIMENSIONS)}
    assert len(pd.read_parquet(tmp_path / "out" / "estimates.parquet")) == 2
    text = (tmp_path / "out" / "README.txt").read_text()
    assert "Simulated surveys: x" in text and all(table.name in text for table in tables(DIMENSIONS))
