"""Attacks on finished releases: what one gives away, and what two give away together."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from rga.warehouse.disclosure_audit import computable, exposed_by

COUNTS = {"_T": (1000, 400), "F": (480, 200), "M": (500, 190), "_O": (20, 10)}


def release(path: Path, hidden: set[str], rounded: dict[str, float] | None = None, n_of_men: int = 500) -> Path:
    """A file with as much of a release as the audit reads: an indicator by sex, with weights of 1."""
    rows = []
    for sex, (n, count) in COUNTS.items():
        step = (rounded or {}).get(sex)
        share = 100 * count / n
        value = None if sex in hidden else round(share / step) * step if step else share
        n = n_of_men if sex == "M" else n
        row = {"breakdown": "total" if sex == "_T" else "sex", "sex": sex, "n": n, "population": float(n), "value": value}
        rows.append(row | {"rounded_to": step, "obs_status": "Q" if sex in hidden else "A"})
    facts = {"survey_id": "2020-r1_AAA", "indicator": "I", "statistic": "share", "category": "_T"}
    estimates = pd.DataFrame(rows).assign(**facts).astype({"value": "float64", "rounded_to": "float64"})
    breakdowns = pd.DataFrame({"breakdown": ["total", "sex"], "dimensions": ["", "sex"]})
    with duckdb.connect(str(path)) as connection:
        for name, frame in (("estimates", estimates), ("breakdowns", breakdowns)):
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE {name} AS FROM frame").fetchall()
    return path


def found(path: Path) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return computable(connection, 4)["sex"].tolist()


def test_a_hidden_share_is_had_by_subtraction(tmp_path: Path) -> None:
    assert found(release(tmp_path / "a", {"_O"})) == ["_O"]


def test_a_second_hidden_share_protects_it_and_so_does_a_rounded_total(tmp_path: Path) -> None:
    assert found(release(tmp_path / "a", {"_O", "M"})) == []
    assert found(release(tmp_path / "b", {"_O"}, {"_T": 1.0})) == []
    assert found(release(tmp_path / "c", {"_O"}, {"_T": 0.1})) == ["_O"]


def test_two_releases_that_hide_different_cells_give_both_away(tmp_path: Path) -> None:
    older, newer = release(tmp_path / "a", {"_O", "M"}), release(tmp_path / "b", {"_O", "F"})
    assert not found(older) and not found(newer)
    both = exposed_by(older, newer, 4)
    assert dict(zip(both["sex"], both["how"], strict=True)) == {"F": "shown_before", "_O": "narrowed"}


def test_two_roundings_of_a_total_narrow_it_together(tmp_path: Path) -> None:
    older, newer = release(tmp_path / "a", {"_O"}, {"_T": 1.0}), release(tmp_path / "b", {"_O"}, {"_T": 0.1})
    assert exposed_by(older, newer, 4)["how"].tolist() == ["narrowed"]


@pytest.mark.parametrize("hidden", [{"_O", "M"}, {"_O", "F", "_T"}])
def test_the_same_pattern_again_gives_nothing_away(tmp_path: Path, hidden: set[str]) -> None:
    assert exposed_by(release(tmp_path / "a", hidden), release(tmp_path / "b", hidden), 4).empty


def test_releases_of_other_data_are_not_compared(tmp_path: Path) -> None:
    older, newer = release(tmp_path / "a", {"_O", "M"}), release(tmp_path / "b", {"_O", "F"}, n_of_men=499)
    assert exposed_by(older, newer, 4).empty
