"""Attacks on finished releases: what one gives away, and what two give away together."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from rga.warehouse.attack.findings import findings
from rga.warehouse.disclosure_audit import differences_of_few, exposed_by

COUNTS = {"_T": (1000, 400), "F": (480, 200), "M": (500, 190), "_O": (20, 10)}


def release(
    path: Path,
    hidden: set[str],
    rounded: dict[str, float] | None = None,
    n_of_men: int = 500,
    women_who: int = 200,
    weight_deff: float = 1.0,
    numerator: str = "yes",
) -> Path:
    """A file with as much of a release as the audit reads: an indicator by sex, with weights of 1."""
    rows = []
    for sex, (n, count) in COUNTS.items():
        step = (rounded or {}).get(sex)
        share = 100 * (women_who if sex == "F" else count) / n
        value = None if sex in hidden else round(share / step) * step if step else share
        n = n_of_men if sex == "M" else n
        row = {"breakdown": "total" if sex == "_T" else "sex", "sex": sex, "n": n, "population": float(n), "value": value}
        rows.append(row | {"rounded_to": step, "obs_status": "Q" if sex in hidden else "A", "conf_status": "F"})
    facts = {"survey_id": "2020-r1_AAA", "indicator": "I", "statistic": "share", "category": "_T"}
    estimates = pd.DataFrame(rows).assign(**facts).astype({"value": "float64", "rounded_to": "float64"})
    breakdowns = pd.DataFrame({"breakdown": ["total", "sex"], "dimensions": ["", "sex"]})
    with duckdb.connect(str(path)) as connection:
        surveys = pd.DataFrame({"survey_id": ["2020-r1_AAA"], "n": [500 + n_of_men], "weight_deff": [weight_deff]})
        indicators = pd.DataFrame({"indicator": ["I"], "universe": ["TRUE"], "numerator": [numerator]})
        weighting = pd.DataFrame(
            {"survey_id": ["2020-r1_AAA"], "step": 0, "n": 500 + n_of_men, "sum_of_weights": 500.0 + n_of_men, "action": "base"}
            | {"min_weight": 1.0, "max_weight": 1.0, "method": "given", "note": ""}
        )
        margins = pd.DataFrame({"survey_id": ["-"], "margin": "sex", "category": "F", "n": 1, "benchmark": 1.0, "after": 1.0})
        tables = {"weighting": weighting, "margins": margins, "estimates": estimates, "breakdowns": breakdowns, "surveys": surveys, "indicators": indicators}
        for name, frame in tables.items():
            connection.register("frame", frame)
            connection.execute(f"CREATE TABLE {name} AS FROM frame").fetchall()
    return path


def found(path: Path) -> list[str]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return findings(connection).cells["sex"].tolist()


def test_a_hidden_share_is_had_by_subtraction(tmp_path: Path) -> None:
    assert found(release(tmp_path / "a", {"_O"})) == ["_O"]


def test_a_second_hidden_share_protects_it_and_so_does_a_rounded_total(tmp_path: Path) -> None:
    assert found(release(tmp_path / "a", {"_O", "M"})) == []
    assert found(release(tmp_path / "b", {"_O"}, {"_T": 1.0})) == []
    assert found(release(tmp_path / "c", {"_O"}, {"_T": 0.1})) == ["_O"]


def test_two_releases_that_hide_different_cells_give_both_away(tmp_path: Path) -> None:
    older, newer = release(tmp_path / "a", {"_O", "M"}), release(tmp_path / "b", {"_O", "F"})
    assert not found(older) and not found(newer)
    both = exposed_by(older, newer)
    assert dict(zip(both["sex"], both["how"], strict=True)) == {"F": "shown_before", "_O": "narrowed"}


def test_two_roundings_of_a_total_narrow_it_together(tmp_path: Path) -> None:
    older, newer = release(tmp_path / "a", {"_O"}, {"_T": 1.0}), release(tmp_path / "b", {"_O"}, {"_T": 0.1})
    assert exposed_by(older, newer)["how"].tolist() == ["narrowed"]


@pytest.mark.parametrize("hidden", [{"_O", "M"}, {"_O", "F", "_T"}])
def test_the_same_pattern_again_gives_nothing_away(tmp_path: Path, hidden: set[str]) -> None:
    assert exposed_by(release(tmp_path / "a", hidden), release(tmp_path / "b", hidden)).empty


def test_of_other_data_or_other_weights_only_what_was_shown_before_is_known(tmp_path: Path) -> None:
    older = release(tmp_path / "a", {"_O", "M"})
    for number, other in enumerate([{"n_of_men": 499}, {"weight_deff": 1.1}]):
        both = exposed_by(older, release(tmp_path / str(number), {"_O", "F"}, **other))
        assert dict(zip(both["sex"], both["how"], strict=True)) == {"F": "shown_before"}, other


def test_an_indicator_that_asks_something_else_is_not_what_was_shown_before(tmp_path: Path) -> None:
    older, newer = release(tmp_path / "a", {"_O", "M"}), release(tmp_path / "b", {"_O", "F"}, numerator="no")
    assert exposed_by(older, newer).empty


@pytest.mark.parametrize("other", [{"weight_deff": 1.1}, {"numerator": "no"}])
def test_a_share_under_other_weights_or_of_another_question_is_no_correction_of_few(tmp_path: Path, other: dict) -> None:
    newer = release(tmp_path / "b", set(), women_who=202, **other)
    assert differences_of_few(release(tmp_path / "a", set()), newer).empty


@pytest.mark.parametrize(("n_of_men", "cells"), [(499, 1), (496, 1), (495, 0), (500, 0), (504, 1)])
def test_a_cell_that_differs_by_one_to_four_respondents_is_a_difference_of_few(tmp_path: Path, n_of_men: int, cells: int) -> None:
    few = differences_of_few(release(tmp_path / "a", set()), release(tmp_path / "b", {"_O"}, n_of_men=n_of_men))
    assert few["cells"].sum() == cells
    if cells:
        assert few.iloc[0].tolist() == ["2020-r1_AAA", 1, 1000, 500 + n_of_men]


@pytest.mark.parametrize(("women_who", "hidden", "step", "cells"), [
    (201, set(), None, 1), (196, set(), None, 1), (206, set(), None, 0), (201, {"F"}, None, 0), (201, set(), 1.0, 0),
])  # fmt: skip
def test_an_answer_that_was_changed_shows_where_both_releases_have_the_exact_share(
    tmp_path: Path, women_who: int, hidden: set[str], step: float | None, cells: int
) -> None:
    rounded = {"F": step} if step else None
    newer = release(tmp_path / "b", hidden, rounded, women_who=women_who)
    assert differences_of_few(release(tmp_path / "a", set()), newer)["cells"].sum() == cells
