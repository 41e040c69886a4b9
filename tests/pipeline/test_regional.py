"""Countries together and groups furthest behind, in the release."""

from __future__ import annotations

import shutil

import pandas as pd

from tests.pipeline.place import Place

PAK = "2020-r1_PAK"


def test_each_round_has_its_countries_together_by_both_rules(whole_build: Place) -> None:
    place = whole_build
    rows = place.ask(
        "SELECT round, aggregation, sex, count(*) AS n, bool_and(simulated) AS simulated FROM regional_estimates GROUP BY ALL"
    )
    assert len(rows) == 2 * 2 * 3 and (rows["n"] > 40).all() and rows["simulated"].all()
    row = place.ask("""
        SELECT r.*, sum(e.population * e.value) / sum(e.population) AS weighted, avg(e.value) AS simple
        FROM regional_estimates r JOIN estimates e USING (round, indicator, sex)
        WHERE e.breakdown IN ('total', 'sex') AND e.sex = r.sex AND indicator = 'UDW_INC_ANY' GROUP BY ALL""")
    assert len(row) == 12 and (row["country_list"] == "BGD, PAK").all()
    expected = row["weighted"].where(row["aggregation"] == "population_weighted", row["simple"])
    pd.testing.assert_series_equal(row["value"], expected, check_names=False, rtol=1e-3)


def test_what_is_published_of_all_countries_agrees_with_itself(whole_build: Place) -> None:
    place = whole_build
    sums = place.ask("""
        SELECT max(abs(parts - coalesce(e.value, g.gap))) AS off, count(*) AS n FROM
          (SELECT round, indicator, sex, aggregation, sum(part) AS parts FROM regional_contributions GROUP BY ALL)
          LEFT JOIN regional_estimates e USING (round, indicator, sex, aggregation)
          LEFT JOIN (SELECT *, 'F-M' AS sex FROM regional_gaps) g USING (round, indicator, sex, aggregation)""")
    assert sums["n"][0] > 500 and sums["off"][0] < 0.05, "each has four digits"
    asked = place.ask("""
        SELECT count(*) AS n FROM regional_contributions c JOIN surveys s USING (round, country)
        JOIN coverage USING (survey_id, indicator) WHERE coverage.status <> 'asked'""")
    assert asked["n"][0] == 0


def test_where_one_country_is_left_nothing_is_taken_together(built: Place) -> None:
    shutil.rmtree(built.survey_yaml(PAK).parent)
    built.build()
    assert set(built.ask("SELECT DISTINCT round FROM regional_gaps")["round"]) == {"2021-r2"}
    assert PAK not in set(built.ask("SELECT DISTINCT survey_id FROM furthest_behind")["survey_id"])


def test_groups_furthest_behind_are_shown_cells_ranked_by_harm(whole_build: Place) -> None:
    place = whole_build
    table = place.ask("SELECT f.*, i.direction AS of_indicator FROM furthest_behind f JOIN indicators i USING (indicator)")
    assert (table["direction"] == table["of_indicator"]).all() and set(table["direction"]) == {"more_is_worse", "more_is_better"}
    assert table.groupby(["survey_id", "indicator"]).size().max() == 10 and table["breakdown"].str.count(r"\*").max() == 2
    harm = table["value"].where(table["direction"] == "more_is_worse", -table["value"])
    worst_first = table.assign(harm=harm).sort_values(["survey_id", "indicator", "rank"], kind="stable")
    assert (worst_first.groupby(["survey_id", "indicator"])["harm"].diff().dropna() <= 0).all()
    others = place.ask("""
        SELECT f.survey_id FROM furthest_behind f JOIN estimates e USING (survey_id, indicator, breakdown)
        WHERE f.rank = 1 AND e.obs_status <> 'Q' AND NOT '_U' IN (e.sex, e.age_group, e.residence, e.education, e.marital_status)
        AND NOT '_U' IN (e.children, e.employment, e.disability)
        AND CASE f.direction WHEN 'more_is_worse' THEN e.value > f.value ELSE e.value < f.value END""")
    assert others.empty, "no group of that breakdown is worse than the one of rank 1"
    matched = place.ask("""
        SELECT count(*) AS n,
               count(*) FILTER (e.value = f.value AND e.n = f.n AND e.se_from_total IS NOT DISTINCT FROM f.gap_se) AS same
        FROM furthest_behind f JOIN estimates e USING (survey_id, indicator, breakdown, sex, age_group, residence, education,
                                                       marital_status, children, employment, disability)""")
    assert matched["n"][0] == matched["same"][0] == len(table)
    assert table["group_label"].str.contains("Women, 18 to 24, Rural", regex=False).any()


def test_young_rural_women_are_a_group_of_their_own(whole_build: Place) -> None:
    rows = whole_build.ask("""
        SELECT * FROM estimates WHERE breakdown = 'sex*age_group*residence' AND sex = 'F' AND residence = 'R'
        AND age_group = 'Y18T24' AND obs_status <> 'Q'""")
    assert len(rows) > 20 and (rows["n"] >= 25).all() and rows["se_from_total"].notna().mean() > 0.9
