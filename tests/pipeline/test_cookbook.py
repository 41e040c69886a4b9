"""The cookbook's queries on the default release: each runs, and returns what its question asks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
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
    found = answer(release, "Is there a gap between women and men, in each country?").set_index("country_name")
    women, men = (
        release.sql(f"""SELECT name AS country, value FROM estimates JOIN countries ON iso3 = country
                    WHERE indicator = 'UDW_INC_ANY' AND round = '2020-r1'
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
        "SELECT name, gap FROM gender_gaps JOIN countries ON iso3 = country "
        "WHERE indicator = 'HLT_MENTAL' AND round = '2020-r1' AND breakdown = 'sex'"
    )
    assert found["country_name"].tolist() == [gaps.df().sort_values("gap")["name"].iloc[-1]]
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
    worst = release.sql(
        "SELECT name AS country_name, round, max(value) AS value FROM estimates JOIN countries ON iso3 = country "
        "WHERE indicator = 'FOOD_HARD' GROUP BY ALL"
    ).df()
    both = found.merge(worst, on=["country_name", "round"])
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
    both = found.join(margins.add_suffix("_there_are"))
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
    assert (found["gap"] - (found["women"] - found["men"])).abs().max() < 1e-9
    shown = found[found["everybody"].notna()]
    between = shown["everybody"].between(shown[["women", "men"]].min(axis=1) - 0.5, shown[["women", "men"]].max(axis=1) + 0.5)
    assert 0.7 < len(shown) / len(found) < 1 and between.all(), "everybody is of the countries that the gap is of"


@pytest.mark.parametrize(("asked", "same"), [
    ("gap('udw_inc_any', '2020')", "gap('UDW_INC_ANY', '2020-r1')"),
    ("gap('udw_inc_any', 2020)", "gap('UDW_INC_ANY', '2020-r1')"),
    ("gap('UDW_INC_ANY', '2020-R1')", "gap('UDW_INC_ANY', '2020-r1')"),
    ("trend('udw_inc_any')", "trend('UDW_INC_ANY')"),
    ("profile('bangladesh')", "profile('BGD')"),
    ("profile('bgd')", "profile('BGD')"),
])  # fmt: skip
def test_macros_take_small_letters_a_year_and_a_country_s_name(release: duckdb.DuckDBPyConnection, asked: str, same: str) -> None:
    found = release.sql(f"FROM {asked}").df()
    assert len(found) > 5
    pd.testing.assert_frame_equal(found, release.sql(f"FROM {same}").df())


@pytest.mark.parametrize(("asked", "told"), [
    ("gap('UDW_INC_ANYY', 2020)", "no indicator UDW_INC_ANYY. Did you mean UDW_INC_ANY[?]"),
    ("gap('UDW_INC_ANY', '2022-r3')", "no round 2022-r3. There are: 2020-r1, 2021-r2"),
    ("trend('nothing')", "no indicator nothing"),
    ("profile('Guinea')", "no survey of Guinea. There are: AFG Afghanistan, .* PNG Papua New Guinea"),
    ("profile('(')", "no survey of [(]"),
])  # fmt: skip
def test_a_name_that_nothing_has_is_an_error_that_says_which_there_are(
    release: duckdb.DuckDBPyConnection, asked: str, told: str
) -> None:
    with pytest.raises(duckdb.Error, match=told):
        release.sql(f"FROM {asked}").fetchall()


def test_a_country_that_was_not_asked_has_a_row_that_says_so(release: duckdb.DuckDBPyConnection) -> None:
    found = release.sql("FROM gap('ACC_food', 2020)").df()
    assert len(found) == 11 and set(found.loc[found["verdict"] == "not asked", "country"]) == {"KHM", "NPL"}
    assert len(release.sql("FROM gap('FOOD_HARD', 2020)").df().query("verdict == 'not asked'")) == 11


def test_countries_that_asked_something_else_are_shown_and_not_ranked(release: duckdb.DuckDBPyConnection) -> None:
    for view in ("v_gap_ranking", "v_country_profile"):
        found = release.sql(f"FROM {view} WHERE gap IS NOT NULL AND direction <> 'neutral'").df()
        other = found["comparability"].notna()
        assert other.any() and (found["rank"].isna() == other).all() and (found["rank"] <= found["countries"])[~other].all()
    ranked = release.sql("""SELECT round, indicator, max(countries) = count(*) AS whole FROM v_gap_ranking WHERE rank IS NOT NULL
                            GROUP BY ALL""").fetchall()  # fmt: skip
    assert len(ranked) > 50 and all(whole for *_, whole in ranked)
    assert release.sql("SELECT count(*) FROM v_gap_ranking WHERE direction = 'neutral'").fetchall() == [(0,)]


def test_what_calls_for_care_stands_beside_the_number(release: duckdb.DuckDBPyConnection) -> None:
    for view in ("v_headline", "v_gap_ranking", "v_country_profile", "v_furthest_behind", "gap('UDW_INC_ANY', '2020-r1')"):
        cautious = release.sql(f"SELECT DISTINCT country FROM {view} WHERE caution IS NOT NULL").fetchall()
        assert {"SLB"} <= {country for (country,) in cautious}, view
    mixed = "FROM v_headline WHERE obs_status = 'A' AND adjusted_status = 'U'"
    assert len(release.sql(mixed).fetchall()) > 10, "an adjusted gap has a status of its own"
    (altered,) = release.sql("SELECT count(*) FROM adjusted_gaps WHERE comparability IS NOT NULL").fetchall()
    assert altered[0] > 0


def test_the_shares_of_a_hidden_gap_are_those_that_the_estimates_show(release: duckdb.DuckDBPyConnection) -> None:
    off = release.sql("""SELECT count(*) FILTER (h.women IS DISTINCT FROM e.value), count(e.value) FILTER (h.gap IS NULL)
                         FROM v_headline h JOIN estimates e USING (survey_id, indicator)
                         WHERE e.breakdown = 'sex' AND e.sex = 'F'""").fetchall()  # fmt: skip
    assert off[0][0] == 0 and off[0][1] > 0


def test_a_gap_that_moved_against_women_did_so_in_the_direction_of_harm(release: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    ((path,),) = release.sql("SELECT path FROM duckdb_databases() WHERE NOT internal").fetchall()
    copy = shutil.copyfile(path, tmp_path / "clear.duckdb")
    copy.chmod(0o644)
    with duckdb.connect(str(copy)) as connection:
        connection.execute("UPDATE changes SET p_adjusted = 0.01 WHERE measure = 'gap' AND change IS NOT NULL").fetchall()
        found = connection.sql("FROM v_trend WHERE who = 'gap' AND verdict LIKE 'moved against%'").df()
    worse = (found["change"] > 0) == (found["direction"] == "more_is_worse")
    assert len(found) and (found["verdict"].eq("moved against women") == worse).all()


def test_every_column_of_every_view_is_commented(release: duckdb.DuckDBPyConnection) -> None:
    bare = release.sql("""SELECT table_name, column_name FROM duckdb_columns() JOIN duckdb_views() ON view_name = table_name
                          WHERE NOT duckdb_views.internal AND coalesce(duckdb_columns.comment, '') = ''""").fetchall()  # fmt: skip
    assert bare == []


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
