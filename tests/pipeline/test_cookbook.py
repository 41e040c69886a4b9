"""The cookbook's queries on the default release: each runs, and returns what its question asks."""

from __future__ import annotations

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
    row = found[(found["aggregation"] == "simple_mean") & (found["sex"] == "F")].iloc[0]
    values = release.sql(f"""SELECT country, value FROM estimates WHERE indicator = 'UDW_INC_ANY' AND round = '{row["round"]}'
                         AND breakdown = 'sex' AND sex = 'F'""").df().set_index("country")["value"]  # fmt: skip
    assert row["value"] == pytest.approx(values[row["country_list"].split(", ")].mean())


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
