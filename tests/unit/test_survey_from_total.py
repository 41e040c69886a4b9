"""Groups against everybody: the standard errors that come of sums against influence values of every respondent."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Mean, Result, Share, Total, aggregate, estimate, jointly
from rga.survey.design import LonelyPsu
from rga.survey.statistics import Statistic

STATISTICS: list[Statistic] = [Share("ill", "", "ill = 1"), Share("women_only", "sex = 'F'", "ill = 1"), Mean("age", "", "age")]
BREAKDOWNS: list[tuple[str, ...]] = [(), ("sex",), ("sex", "region"), ("region",)]


def people(seed: int, clustered: bool, n: int = 400) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "base": draw.lognormal(0, 0.7, n) * 100,
            "stratum": draw.choice(["a", "b", "c"], n),
            "psu": pd.Series(draw.integers(0, 8, n).astype(str) if clustered else [None] * n, dtype="str"),
            "sex": draw.choice(["F", "M"], n),
            "region": draw.choice(["north", "south", "west"], n, p=[0.6, 0.3, 0.1]),
            "ill": draw.choice([0.0, 1.0, np.nan], n),
            "age": draw.integers(18, 90, n).astype(float),
            "margin_sex": "x",
        }
    )
    frame["weight"] = frame["base"] * np.where(frame["sex"] == "F", 1.3, 0.8)
    frame["margin_sex"], frame["margin_region"] = frame["sex"], frame["region"]
    return frame


def from_sums(frame: pd.DataFrame, design: Design) -> pd.DataFrame:
    with duckdb.connect() as con:
        con.register("frame", frame)
        table = estimate(
            aggregate(con, "frame", STATISTICS, BREAKDOWNS, design, survey=None), BREAKDOWNS, design.lonely_psu, from_total=True
        )
    return table[table["breakdown"] != "total"].reset_index(drop=True)


def from_respondents(frame: pd.DataFrame, design: Design, table: pd.DataFrame) -> np.ndarray:
    if design.psu and frame["psu"].isna().all():
        design = Design(**(vars(design) | {"psu": None}))
    by_code = {statistic.code: statistic for statistic in STATISTICS}
    results = [Result(statistic) for statistic in STATISTICS]
    for row in table.itertuples():
        results.append(Result(by_code[row.indicator], {"sex": row.sex, "region": row.region}))
    joint, codes = jointly(frame, design, results), list(by_code)
    matrix = np.zeros((len(table), len(results)))
    for i, code in enumerate(table["indicator"]):
        matrix[i, len(STATISTICS) + i], matrix[i, codes.index(code)] = 1.0, -1.0
    return joint.contrast(matrix, [str(i) for i in range(len(table))])["se"].to_numpy()


@pytest.mark.parametrize("rule", ["adjust", "remove", "certainty", "average"])
@pytest.mark.parametrize("calibrated", [False, True], ids=["as weighted", "calibrated"])
@pytest.mark.parametrize("clustered", [False, True], ids=["respondents", "clusters"])
@pytest.mark.parametrize("seed", range(3))
def test_a_group_less_everybody_has_the_error_of_their_influence_values(
    seed: int, clustered: bool, calibrated: bool, rule: LonelyPsu
) -> None:
    frame = people(seed, clustered)
    if clustered:
        frame.loc[:20, "stratum"], frame.loc[:20, "psu"] = "alone", "0"
    design = Design("weight", "stratum", "psu", lonely_psu=rule)
    if calibrated:
        design = Design(
            "weight", "stratum", "psu", None, lonely_psu=rule, base_weight="base", margins=("margin_sex", "margin_region")
        )
    table = from_sums(frame, design)
    expected = from_respondents(frame, design, table)
    everybody = (table["indicator"] == "women_only") & (table["sex"] == "F") & (table["region"] == "_T")
    assert table.loc[everybody, "se_from_total"].isna().all() and everybody.sum() == 1
    np.testing.assert_allclose(table.loc[~everybody, "se_from_total"], expected[~everybody], rtol=1e-9)


def test_overlap_makes_the_error_smaller_than_that_of_independent_estimates() -> None:
    frame = people(7, clustered=False)
    design = Design("weight", "stratum", "psu")
    table = from_sums(frame, design)
    women = table[(table["indicator"] == "ill") & (table["breakdown"] == "sex") & (table["sex"] == "F")].iloc[0]
    assert women["se_from_total"] < 0.9 * women["se"]


def test_there_is_no_error_without_the_total_and_none_of_totals() -> None:
    frame, design = people(1, clustered=False), Design("weight", "stratum", "psu")
    with duckdb.connect() as con:
        con.register("frame", frame)
        without = estimate(aggregate(con, "frame", STATISTICS, [("sex",)], design, survey=None), [("sex",)], from_total=True)
        totals = estimate(
            aggregate(con, "frame", [Total("people", "")], BREAKDOWNS, design, survey=None), BREAKDOWNS, from_total=True
        )
    assert without["se_from_total"].isna().all() and totals["se_from_total"].isna().all()


def test_what_is_the_same_in_all_of_a_group_says_nothing_of_its_error() -> None:
    frame = people(2, clustered=False)
    frame.loc[frame["region"] == "west", "ill"] = 1.0
    table = from_sums(frame, Design("weight", "stratum", "psu"))
    west = table[(table["indicator"] == "ill") & (table["breakdown"] == "region") & (table["region"] == "west")]
    assert west["se"].item() == 0 and np.isnan(west["se_from_total"].item())
