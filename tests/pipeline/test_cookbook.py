"""The cookbook's queries on the default release: each runs, and returns what its question asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.pipeline.cookbook import queries

QUERIES = queries()


def answer(release: duckdb.DuckDBPyConnection, question: str) -> pd.DataFrame:
    return release.sql(QUERIES[question]).df()


@pytest.mark.parametrize("question", QUERIES)
def test_every_query_of_the_cookbook_returns_rows(release: duckdb.DuckDBPyConnection, question: str) -> None:
    assert len(answer(release, question)) > 0


def test_the_gap_is_that_of_the_estimates_and_its_verdict_that_of_its_error(release: duckdb.DuckDBPyConnection) -> None:
    found = answer(release, "Is there a gap between women and men, in each country?").set_index("country")
    women, men = (
        release.sql(f"""SELECT country, value FROM estimates WHERE indicator = 'UDW_INC_ANY' AND round = '2020-r1'
                    AND breakdown = 'sex' AND sex = '{sex}'""").df().set_index("country")["value"]
        for sex in ("F", "M")
    )  # fmt: skip
    assert len(found) == 11
    assert (found["gap"] - (women - men)).abs().max() < 1e-9
    clear = found[found["verdict"] == "women worse"]
    assert len(clear) and (clear["gap_low"] > 0).all()


def test_the_worst_gap_is_the_largest_in_the_direction_of_harm(release: duckdb.DuckDBPyConnection) -> None:
    found = answer(release, "Where is the gap worst?").query("round == '2020-r1' and rank == 1")
    gaps = release.sql(
        "SELECT country, gap FROM gender_gaps WHERE indicator = 'HLT_MENTAL' AND round = '2020-r1' AND breakdown = 'sex'"
    )
    assert found["country"].tolist() == [gaps.df().sort_values("gap")["country"].iloc[-1]]
    better = release.sql("SELECT disadvantage, gap FROM v_gap_ranking WHERE direction = 'more_is_better'").df()
    assert len(better) and (better["disadvantage"] == -better["gap"]).all()


def test_changes_are_later_less_earlier_of_the_published_estimates(release: duckdb.DuckDBPyConnection) -> None:
    found = answer(release, "Did it change between rounds?")
    for row in found[found["who"] == "women"].itertuples():
        values = release.sql(f"""SELECT round, value FROM estimates WHERE country = '{row.country}' AND indicator = 'UDW_INC_ANY'
                             AND breakdown = 'sex' AND sex = 'F'""").df().set_index("round")["value"]  # fmt: skip
        assert row.change == pytest.approx(values[row.later_round] - values[row.earlier_round])
        assert (row.verdict in ("rose", "fell")) <= (row.ci_low > 0 or row.ci_high < 0)


def test_composition_and_adjusted_gap_add_up_to_the_gap(release: duckdb.DuckDBPyConnection) -> None:
    found = answer(release, "Does the gap survive when age, education and so on are held equal?")
    assert (found["gap"] - found["composition"] - found["adjusted_gap"]).abs().max() < 1e-7


def test_the_furthest_behind_are_worse_than_any_other_published_group(release: duckdb.DuckDBPyConnection) -> None:
    found = answer(release, "Who is furthest behind?").query("rank == 1")
    worst = release.sql("SELECT country, round, max(value) AS value FROM estimates WHERE indicator = 'FOOD_HARD' GROUP BY ALL").df()
    both = found.merge(worst, on=["country", "round"])
    assert len(both) and (both["value_x"] <= both["value_y"] + 1e-9).all() and (both["value_x"] >= both["total"]).all()


def test_a_simple_mean_is_the_mean_of_the_countries_it_names(release: duckdb.DuckDBPyConnection) -> None:
    found = answer(release, "What do the surveyed countries say together?")
    row = found[found["aggregation"] == "simple_mean"].iloc[0]
    values = release.sql(f"""SELECT country, value FROM estimates WHERE indicator = 'UDW_INC_ANY' AND round = '{row["round"]}'
                         AND breakdown = 'sex' AND sex = 'F'""").df().set_index("country")["value"]  # fmt: skip
    assert row["women"] == pytest.approx(values[row["country_list"].split(", ")].mean())


def test_the_number_of_women_is_of_all_women_that_the_survey_is_weighted_to(release: duckdb.DuckDBPyConnection) -> None:
    found = answer(release, "How many women is that?").set_index(["country", "round"])
    margins = (
        release.sql("""SELECT country, round, sum(margins.benchmark) AS women FROM margins JOIN surveys USING (survey_id)
                          WHERE margin = 'sex*age_group' AND category LIKE 'F*%' GROUP BY ALL""")
        .df()
        .set_index(["country", "round"])
    )
    both = found.join(margins, rsuffix="_there_are")
    ratio = (both["women"] / (both["women_there_are"] * both["value"] / 100)).dropna()
    assert len(ratio) > 10 and ratio.between(0.97, 1.03).all()
    assert found["per_cent_answered"].between(90, 100.000001).all() and (found["per_cent_answered"] < 97).any()


def test_young_rural_women_have_a_number_or_a_reason_in_every_survey_that_asked(release: duckdb.DuckDBPyConnection) -> None:
    found = answer(release, "How do young rural women fare?")
    (asked,) = release.sql("SELECT count(*) FROM coverage WHERE indicator = 'HLT_MENTAL' AND status <> 'not_asked'").fetchall()
    assert len(found) == asked[0] and (found["value"].isna() == found["why"].notna()).all()
    left_out = release.sql("FROM v_crossings_left_out WHERE breakdown LIKE '%*%*%'").df()
    assert left_out["reason"].notna().all() and set(found["why"].dropna()) & set(left_out["reason"])
    twice = "SELECT count(*) FROM v_crossings_left_out JOIN estimates USING (survey_id, indicator, breakdown)"
    assert release.sql(twice).fetchall() == [(0,)]


def test_the_regional_view_has_one_row_for_each_gap_of_countries_together(release: duckdb.DuckDBPyConnection) -> None:
    found = release.sql("FROM v_regional").df()
    assert len(found) == release.sql("SELECT count(*) FROM regional_gaps").fetchall()[0][0] > 100
    assert (found["gap"] - (found["women"] - found["men"])).abs().max() < 1e-9 and found["everybody"].notna().mean() > 0.9


@pytest.mark.parametrize(("asked", "same"), [
    ("gap('udw_inc_any', '2020')", "gap('UDW_INC_ANY', '2020-r1')"),
    ("gap('UDW_INC_ANY', '2020-R1')", "gap('UDW_INC_ANY', '2020-r1')"),
    ("trend('udw_inc_any')", "trend('UDW_INC_ANY')"),
    ("profile('bangladesh')", "profile('BGD')"),
    ("profile('bgd')", "profile('BGD')"),
])  # fmt: skip
def test_macros_take_small_letters_a_year_and_a_country_s_name(release: duckdb.DuckDBPyConnection, asked: str, same: str) -> None:
    found = release.sql(f"FROM {asked}").df()
    assert len(found) > 5
    pd.testing.assert_frame_equal(found, release.sql(f"FROM {same}").df())


def test_half_a_country_s_name_is_no_country(release: duckdb.DuckDBPyConnection) -> None:
    assert release.sql("FROM profile('Bangla')").fetchall() == release.sql("FROM profile('(')").fetchall() == []


def test_a_trend_that_may_not_be_had_says_why(release: duckdb.DuckDBPyConnection) -> None:
    found = release.sql("FROM trend('FOOD_HARD')").df()
    assert len(found) == 5 and (found["verdict"] == "not comparable").all() and found["change"].isna().all()
    assert found["reason"].str.startswith("not asked in the earlier round").all()


@pytest.mark.parametrize("question", QUERIES)
def test_no_query_of_the_cookbook_multiplies_rows(release: duckdb.DuckDBPyConnection, question: str) -> None:
    """What makes a query slow on this release is a join that is not by key: no step may bring forth more rows than the largest
    table has. (How long each takes is measured in the benchmarks.)"""
    profile = json.loads(release.sql(f"EXPLAIN (ANALYZE, FORMAT json) {QUERIES[question]}").fetchall()[0][1])
    (largest,) = release.sql("SELECT max(estimated_size) FROM duckdb_tables()").fetchall()

    def rows(step: dict[str, Any]) -> Iterator[int]:
        yield step.get("operator_cardinality", 0)
        for child in step["children"]:
            yield from rows(child)

    assert 0 < max(rows(profile)) <= largest[0]


def test_the_wide_table_has_a_column_for_each_indicator_and_the_long_ones_values(release: duckdb.DuckDBPyConnection) -> None:
    wide = answer(release, "A table with one column per indicator, for R or Stata").set_index(["survey_id", "sex"])
    codes = [code for (code,) in release.sql("SELECT indicator FROM indicators").fetchall()]
    assert set(codes) <= set(wide.columns)
    long = release.sql("SELECT survey_id, sex, indicator, value FROM v_long WHERE sex IN ('F', 'M') AND value IS NOT NULL").df()
    stacked = wide[codes].stack().rename("wide")
    joined = long.set_index(["survey_id", "sex", "indicator"])["value"]
    assert len(joined) == stacked.notna().sum()
    assert (stacked.rename_axis(["survey_id", "sex", "indicator"]) - joined).abs().max() == 0


def test_a_country_profile_has_one_row_for_each_indicator_at_its_latest_round(release: duckdb.DuckDBPyConnection) -> None:
    twice = release.sql("SELECT country, indicator FROM v_country_profile GROUP BY ALL HAVING count(*) > 1").fetchall()
    assert twice == []
    old = release.sql("""SELECT count(*) FROM v_country_profile p JOIN v_headline h USING (country, indicator)
                      WHERE h.round > p.round""").fetchall()  # fmt: skip
    assert old == [(0,)]
