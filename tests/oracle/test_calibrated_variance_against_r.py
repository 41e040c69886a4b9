"""Standard errors of calibrated surveys against R survey's, which are checked in (golden/, made by make_golden_weights.R).

Belongs here: estimates from weights that R calibrated. Not here: the weights themselves, anything that needs R installed.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Mean, Result, Share, Total, aggregate, calibrate, estimates_and_gaps, joint_categories, jointly

GOLDEN = Path(__file__).parent / "golden"
PROBLEMS = pd.read_csv(GOLDEN / "calibrated_problems.csv")
TARGETS = pd.read_csv(GOLDEN / "calibrated_targets.csv")
ALL = list(PROBLEMS[["data", "problem", "method"]].itertuples(index=False, name=None))
RUNS = [run for run in PROBLEMS[["data", "problem", "method"]].itertuples(index=False, name=None) if run[1] != "income"]
BREAKDOWNS: list[tuple[str, ...]] = [(), ("sex",), ("region",), ("sex", "region")]
RELATIVE = 1e-8


def people(data: str, problem: str, method: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The persons with R's weights, and the columns that hold their categories on the margins."""
    texts = dict.fromkeys(["stratum", "psu", "common"], "str")
    found = pd.read_csv(GOLDEN / f"calibrated_{data}.csv", dtype=texts)
    margins = list(TARGETS.query("problem == @problem")["margin"].unique())
    found = found.assign(**{margin: joint_categories(found, margin.split("*")) for margin in margins})
    return found.assign(weight=found[f"{problem}.{method}"], survey_id="s"), tuple(margins)


def tables(data: str, problem: str, method: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    respondents, margins = people(data, problem, method)
    statistics = [
        Share("mean.common", "", "common = 'yes'"),
        Mean("mean.amount", "", "amount"),
        Total("total.common", "", "CAST(common = 'yes' AS INT)"),
        Total("total.amount", "", "amount"),
    ]
    of_margins = {
        f"{margin}={category}": Total(f"total.{margin}={category}", f"\"{margin}\" = '{category}'")
        for margin in margins
        for category in respondents[margin].unique()
    }
    design = Design("weight", "stratum", "psu", base_weight="base_weight", margins=margins)
    with duckdb.connect() as con:
        con.register("respondents", respondents)
        return estimates_and_gaps(
            aggregate(con, "respondents", [*statistics, *of_margins.values()], BREAKDOWNS, design), BREAKDOWNS
        )


def golden(data: str, problem: str, method: str) -> pd.DataFrame:
    found = pd.read_csv(GOLDEN / "calibrated_estimates.csv", keep_default_na=False)
    return found.query("data == @data and problem == @problem and method == @method").assign(
        indicator=lambda rows: rows["statistic"].replace("gap", "mean") + "." + rows["y"]
    )


@pytest.mark.parametrize(("data", "problem", "method"), RUNS, ids=[".".join(run) for run in RUNS])
def test_totals_means_domains_and_gaps_have_the_standard_errors_of_a_calibrated_design(
    data: str, problem: str, method: str
) -> None:
    estimates, gaps = tables(data, problem, method)
    theirs = golden(data, problem, method)
    cells = estimates["sex"].where(estimates["sex"] != "_T", "") + "*" + estimates["region"].where(estimates["region"] != "_T", "")
    estimates = estimates.assign(domain=cells.str.strip("*").replace("", "_T"))
    gaps = gaps.assign(value=gaps["gap"], domain=gaps["region"])
    compared = 0
    for kind, ours in (("estimate", estimates), ("gap", gaps)):
        some = theirs[(theirs["statistic"] == "gap") == (kind == "gap")]
        both = some.merge(ours, on=["indicator", "domain"], suffixes=("_r", ""), validate="1:1")
        assert len(both) == len(some)
        compared += len(both)
        assert np.abs(both["value"] / both["value_r"] - 1).max() < 1e-9
        varies = both["se_r"] > 1e-9 * both["value_r"].abs()
        assert (np.abs(both["se"] / both["se_r"] - 1)[varies]).max() < RELATIVE
        # The total of a calibrated category does not vary.
        fixed = both[~varies]
        assert (fixed["se"] < 1e-9 * fixed["value"]).all()
        assert len(fixed) == (some["y"].str.contains("=").sum() if kind == "estimate" else 0)
    assert compared > 50


@pytest.mark.parametrize(("data", "problem", "method"), ALL, ids=[".".join(run) for run in ALL])
def test_influence_values_give_the_same_standard_errors_for_continuous_margins_too(data: str, problem: str, method: str) -> None:
    respondents, margins = people(data, problem, method)
    numbers = ("income",) if problem == "income" else ()
    margins = tuple(margin for margin in margins if margin not in numbers)
    design = Design("weight", "stratum", "psu", base_weight="base_weight", margins=margins, numbers=numbers)
    theirs = golden(data, problem, method).query("statistic != 'gap' and not y.str.contains('=')")
    statistics = {"mean.common": Share("mean.common", "", "common = 'yes'")}
    statistics |= {"mean.amount": Mean("mean.amount", "", "amount"), "total.amount": Total("total.amount", "", "amount")}
    statistics["total.common"] = Total("total.common", "", "CAST(common = 'yes' AS INT)")
    domains = [
        {} if row.by == "_T" else dict(zip(row.by.split("*"), row.domain.split("*"), strict=True)) for row in theirs.itertuples()
    ]
    results = [Result(statistics[name], domain) for name, domain in zip(theirs["indicator"], domains, strict=True)]
    ours = jointly(respondents, design, results)
    assert len(ours.table) == len(theirs) > 40
    assert np.abs(ours.table["value"].to_numpy() / theirs["value"].to_numpy() - 1).max() < 1e-9
    assert np.abs(ours.table["se"].to_numpy() / theirs["se"].to_numpy() - 1).max() < RELATIVE
    gaps = golden(data, problem, method).query("statistic == 'gap' and by == '_T' and y == 'amount'")
    amount = statistics["mean.amount"]
    gap = jointly(respondents, design, [Result(amount, {"sex": sex}) for sex in "FM"]).contrast({0: 1, 1: -1}, "gap")
    assert gap["se"].iloc[0] == pytest.approx(gaps["se"].iloc[0], rel=RELATIVE)


def test_without_the_margins_standard_errors_are_others() -> None:
    respondents, _ = people("plain", "crossed", "raking")
    with duckdb.connect() as con:
        con.register("respondents", respondents)
        plain, _ = estimates_and_gaps(aggregate(con, "respondents", [Mean("mean.amount", "", "amount")], [()]), [()])
    ours, _ = tables("plain", "crossed", "raking")
    with_margins = ours[(ours["indicator"] == "mean.amount") & (ours["breakdown"] == "total")]
    assert with_margins["se"].item() < 0.99 * plain["se"].item()


@pytest.mark.parametrize("data", ["clustered", "plain"])
def test_surveys_that_were_not_calibrated_are_as_they_would_be_alone(data: str) -> None:
    """Two surveys in one pass, one calibrated to two margins, the other not at all."""
    respondents, margins = people(data, "crossed", "raking")
    other = respondents.assign(survey_id="other", base_weight=np.nan, **dict.fromkeys(margins, None))
    both = pd.concat([respondents, other.astype(respondents.dtypes.to_dict(), errors="ignore")])
    shares, by = [Share("common", "", "common = 'yes'")], [(), ("sex",), ("sex", "region")]
    design = Design("weight", "stratum", "psu", base_weight="base_weight", margins=margins)

    def of(frame: pd.DataFrame, design: Design) -> list[pd.DataFrame]:
        with duckdb.connect() as con:
            con.register("respondents", frame)
            return list(estimates_and_gaps(aggregate(con, "respondents", shares, by, design), by))

    alone = of(respondents, design), of(other, Design("weight", "stratum", "psu"))
    for table, calibrated, plain in zip(of(both, design), *alone, strict=True):
        for key, expected in (("s", calibrated), ("other", plain)):
            found = table[table["survey_id"] == key].reset_index(drop=True)
            order = list(expected.columns[:7])
            pd.testing.assert_frame_equal(
                found.sort_values(order, ignore_index=True), expected.sort_values(order, ignore_index=True), rtol=1e-12
            )


@pytest.mark.parametrize("margins", [("sex",), ()])
def test_numbers_that_were_not_given_count_as_the_mean_that_calibration_took_them_as(margins: tuple[str, ...]) -> None:
    """What `calibrate` fills a number with gives the same errors when it is there, as R has it; and the mean met has none."""
    frame = pd.read_csv(GOLDEN / "calibrated_plain.csv")
    frame["x"] = frame["income"].mask(frame.index % 4 == 0)
    people = frame["base_weight"].sum()
    mean = 1.2 * frame["x"].mean()
    totals = {margin: {"F": 0.6 * people, "M": 0.4 * people} for margin in margins}
    weight = calibrate(
        frame[list(margins)], frame["base_weight"].to_numpy(), totals, "raking", numbers=frame[["x"]], totals={"x": mean * people}
    ).weights
    frame = frame.assign(weight=weight, filled=frame["x"].fillna(mean))
    asked = [Result(Mean("x", "", "x")), Result(Total("filled", "", "filled")), Result(Mean("amount", "", "amount"))]
    of = {
        name: jointly(frame, Design("weight", base_weight="base_weight", margins=margins, numbers=(name,)), asked).table
        for name in ("x", "filled")
    }
    assert of["x"]["se"].to_numpy() == pytest.approx(of["filled"]["se"].to_numpy(), rel=1e-9, abs=1e-6)
    assert of["x"].loc["filled", "se"] < 1e-9 * of["x"].loc["filled", "value"]
    assert of["x"].loc["x", "value"] == pytest.approx(mean) if margins else True
    assert of["x"].loc["x", "se"] < 1e-9 * mean if margins else True
