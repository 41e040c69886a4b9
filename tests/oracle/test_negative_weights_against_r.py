"""Estimates from weights that linear calibration made negative, against R survey's (golden/, made by make_golden_negative.R).

Belongs here: negative weights, whichever way estimates are computed. Not here: calibration without them, anything that needs R.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey import (
    Design,
    Mean,
    Result,
    Share,
    Total,
    aggregate,
    estimates_and_gaps,
    joint_categories,
    jointly,
    tabulate,
)
from rga.survey.statistics import Statistic

GOLDEN = Path(__file__).parent / "golden"
REGIONS = ["_T", "north", "south", "isles"]
STATISTICS: dict[tuple[str, str], Statistic] = {
    ("mean", "common"): Share("mean.common", "", "common = 'yes'"),
    ("mean", "amount"): Mean("mean.amount", "", "amount"),
    ("total", "common"): Total("total.common", "", "CAST(common = 'yes' AS INT)"),
    ("total", "amount"): Total("total.amount", "", "amount"),
    ("total", "fixed"): Total("total.fixed", "", "\"sex*age_group\" = 'F*old'"),
}


def people() -> pd.DataFrame:
    found = pd.read_csv(GOLDEN / "negative_people.csv", dtype={"psu": "str", "common": "str"})
    return found.assign(survey_id="s", **{"sex*age_group": joint_categories(found, ["sex", "age_group"])})


def drawn(design: str, weight: str) -> Design:
    staged = {"stratum": "stratum", "psu": "psu"} if design == "clustered" else {}
    numbers = ("income",) if weight == "with_income" else ()
    return Design(weight, base_weight="base_weight", margins=("sex*age_group", "residence"), numbers=numbers, **staged)


def golden(design: str, weight: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / "negative_estimates.csv", keep_default_na=False).query("design == @design and weight == @weight")


def compare(ours: pd.DataFrame, theirs: pd.DataFrame, columns: list[str]) -> None:
    varies = (theirs["y"] != "fixed").to_numpy()
    for column in columns:
        relative = np.abs(ours[column].to_numpy() / theirs[column].to_numpy() - 1)
        assert relative[varies | (column != "se")].max() < 1e-8, column
    assert (ours["se"].to_numpy()[~varies] < 1e-6).all()


@pytest.mark.parametrize("design", ["clustered", "plain"])
@pytest.mark.parametrize("weight", ["margins", "with_income"])
def test_negative_weights_of_linear_calibration_give_r_s_estimates_errors_and_degrees_of_freedom(design: str, weight: str) -> None:
    theirs = golden(design, weight)
    estimated = theirs[theirs["statistic"] != "gap"]
    asked = [
        Result(STATISTICS[statistic, y], {} if region == "_T" else {"region": region})
        for statistic, y, region in zip(estimated["statistic"], estimated["y"], estimated["region"], strict=True)
    ]
    found = jointly(people(), drawn(design, weight), asked)
    compare(found.table, estimated, ["value", "se", "n", "df"])

    gaps = theirs[(theirs["statistic"] == "gap") & ~((theirs["y"] == "common") & (theirs["region"] == "isles"))]
    for y, region, value, se in gaps[["y", "region", "value", "se"]].itertuples(index=False):
        where = {} if region == "_T" else {"region": region}
        pair = jointly(people(), drawn(design, weight), [Result(STATISTICS["mean", y], {"sex": sex} | where) for sex in "FM"])
        difference = pair.contrast([1, -1]).iloc[0]
        assert difference["value"] == pytest.approx(value, rel=1e-8) and difference["se"] == pytest.approx(se, rel=1e-8)


@pytest.mark.parametrize("design", ["clustered", "plain"])
def test_the_one_pass_takes_negative_weights_of_linear_calibration_too(design: str) -> None:
    theirs = golden(design, "margins")
    by: list[tuple[str, ...]] = [(), ("region",), ("sex",), ("sex", "region")]
    with duckdb.connect() as con:
        con.register("people", people())
        sums = aggregate(con, "people", list(STATISTICS.values()), by, drawn(design, "margins"))
    estimates, gaps = estimates_and_gaps(sums, by)
    estimates = estimates[estimates["sex"] == "_T"].assign(key=lambda t: t["indicator"] + " " + t["region"])
    estimated = theirs[theirs["statistic"] != "gap"]
    keys = estimated["statistic"] + "." + estimated["y"] + " " + estimated["region"]
    compare(estimates.set_index("key").loc[keys], estimated, ["value", "se", "n", "df"])

    defined = theirs[(theirs["statistic"] == "gap") & ~((theirs["y"] == "common") & (theirs["region"] == "isles"))]
    found = gaps.set_index(gaps["indicator"] + " " + gaps["region"]).loc["mean." + defined["y"] + " " + defined["region"]]
    compare(found.assign(value=found["gap"]), defined, ["value", "se"])


def test_a_share_that_negative_weights_bring_out_of_0_to_1_has_no_value_either_way() -> None:
    share = STATISTICS["mean", "common"]
    found = tabulate(people(), drawn("clustered", "margins"), [share], [("sex", "region")])
    alone = jointly(people(), drawn("clustered", "margins"), [Result(share, {"sex": "M", "region": "isles"})]).table
    outside = found[(found["sex"] == "M") & (found["region"] == "isles")]
    assert outside["value"].isna().all() and outside["se"].isna().all() and outside["n"].item() == alone["n"].item() > 0
    assert np.isnan(alone["value"].item()) and np.isnan(alone["se"].item())
    others = found.drop(outside.index)["value"].dropna()
    assert others.between(0, 1).all() and len(others) >= 4


def test_a_negative_weight_that_no_calibration_made_is_refused() -> None:
    frame = people()
    for design, changed in (
        (Design("margins"), frame),
        (drawn("plain", "margins"), frame.assign(base_weight=frame["base_weight"].where(frame["margins"] > 0, np.nan))),
        (drawn("plain", "margins"), frame.assign(base_weight=-frame["base_weight"])),
    ):
        with pytest.raises(InputError, match="negative"):
            jointly(changed, design, [Result(STATISTICS["mean", "amount"])])
        with pytest.raises(InputError, match="negative"):
            tabulate(changed, design, [STATISTICS["mean", "amount"]])
