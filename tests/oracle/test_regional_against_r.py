"""Countries together, their heterogeneity, and groups furthest behind, against R survey and metafor (golden/regional_*, made by
make_golden_regional.R).

Belongs here: comparisons with R. Not here: anything that needs R.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.survey import Share, aggregate, estimates_and_gaps
from rga.survey.furthest_behind import furthest_behind
from rga.survey.heterogeneity import heterogeneity
from rga.survey.regional_tables import regional_tables

GOLDEN = Path(__file__).parent / "golden"
ILL = [Share("ill", "", "ill = 1")]


def read(name: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / f"regional_{name}.csv", keep_default_na=False)


def published(frame: pd.DataFrame, breakdowns: list[tuple[str, ...]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimates and gaps of the surveys in ``frame`` as the pipeline publishes them."""
    with duckdb.connect() as con:
        con.register("frame", frame.astype({"stratum": str, "psu": str}))
        estimates, gaps = estimates_and_gaps(aggregate(con, "frame", ILL, breakdowns), breakdowns, from_total=True)
    estimates[["value", "se", "se_from_total"]] *= 100
    gaps[["women", "men", "gap", "se"]] *= 100
    facts = {"round": "2020-r1", "simulated": True, "obs_status": "A", "conf_status": "F"}
    country = {"country": estimates["survey_id"].str[-3:]}, {"country": gaps["survey_id"].str[-3:]}
    return estimates.assign(**facts, **country[0]), gaps.assign(**facts, **country[1])


@pytest.fixture(scope="module")
def regional() -> dict[str, pd.DataFrame]:
    people = read("people")
    estimates, gaps = published(people.assign(survey_id="2020-r1_" + people["country"]), [(), ("sex",)])
    surveys = estimates[["survey_id", "country", "round", "simulated"]].drop_duplicates()
    coverage = surveys[["survey_id"]].assign(indicator="ill", status="asked", reason=None)
    return regional_tables(estimates, gaps, coverage, surveys)


MEASURES = [
    "q", "q_p", "tau2", "tau2_dl", "tau2_pm", "i2", "mean", "se", "p_value", "ci_low", "ci_high",
    "prediction_low", "prediction_high",
]  # fmt: skip


@pytest.mark.parametrize("measure", MEASURES)
def test_heterogeneity_is_that_of_metafor(measure: str) -> None:
    sets, theirs = read("sets"), read("heterogeneity")
    ours = heterogeneity(*(sets.pivot(index="set", columns="country", values=name).to_numpy() for name in ("y", "v")))
    assert (ours.k == theirs["k"]).all() and (theirs["tau2"] > 1).sum() > 20 and (theirs["tau2"] < 1e-9).sum() > 10
    # metafor stops its steps towards 0 at about 1e-11.
    np.testing.assert_allclose(getattr(ours, measure), theirs[measure], rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("sex", ["F", "M", "_T", "F-M"])
@pytest.mark.parametrize("rule", ["population_weighted", "simple_mean"])
def test_countries_together_have_the_error_of_r_survey(regional: dict[str, pd.DataFrame], rule: str, sex: str) -> None:
    theirs = read("pooled").query("aggregation == @rule and sex == @sex").iloc[0]
    table = regional["regional_gaps"].rename(columns={"gap": "value"}) if sex == "F-M" else regional["regional_estimates"]
    table = table[(table["aggregation"] == rule) & ((table["sex"] == sex) if "sex" in table else True)]
    assert len(table) == 1
    ours = table.iloc[0]
    for name in ("value", "se", "ci_low", "ci_high"):
        assert ours[name] == pytest.approx(100 * theirs[name], rel=1e-9), name
    assert ours["df"] == pytest.approx(theirs["df"], rel=1e-9)
    assert ours["country_list"] == "AAA, BBB, CCC" and ours["left_out"] == 0


def test_groups_furthest_behind_have_the_limits_and_ranks_of_r() -> None:
    estimates, _ = published(read("one").assign(survey_id="2020-r1_AAA"), [(), ("sex",), ("sex", "age")])
    ours = furthest_behind(estimates, {"ill": "more_is_worse"}, ["sex", "age"])
    ours["group"] = ours["sex"] + "*" + ours["age"]
    ours, theirs = ours.set_index("group"), read("behind").set_index("group")
    assert len(ours) == len(theirs) == 6 and list(ours["rank"]) == sorted(theirs["rank"])
    ours = ours.loc[theirs.index]
    for name, of_theirs in {"value": "value", "ci_low": "ci_low", "ci_high": "ci_high", "gap_to_total": "gap", "gap_se": "gap_se",
                            "gap_low": "gap_low", "gap_high": "gap_high"}.items():  # fmt: skip
        np.testing.assert_allclose(ours[name], 100 * theirs[of_theirs], rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(ours["p_adjusted"], theirs["p_adjusted"], rtol=1e-9)
    for name in ("rank", "rank_low", "rank_high"):
        assert (ours[name] == theirs[name]).all(), name
    assert ours["rank_high"].min() == 2 and ours["rank_low"].max() == 4
    assert (ours["worse_than_total"] == (theirs["gap_low"] > 0)).all() and ours["worse_than_total"].any()


def test_groups_behind_where_more_is_better_are_those_with_least() -> None:
    estimates, _ = published(read("one").assign(survey_id="2020-r1_AAA"), [(), ("sex",), ("sex", "age")])
    worse, better = (furthest_behind(estimates, {"ill": f"more_is_{way}"}, ["sex", "age"]) for way in ("worse", "better"))
    assert list(better["value"]) == list(worse["value"])[::-1]
    assert list(better["rank_low"]) == list(len(worse) + 1 - worse["rank_high"])[::-1]
    theirs = read("behind").sort_values("value")
    assert list(better["worse_than_total"]) == list(theirs["gap_high"] < 0) and better["worse_than_total"].any()
