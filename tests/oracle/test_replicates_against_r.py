"""Replicate-weight estimates against R's survey package, whose answers are checked in (made by make_golden_replicates.R).

Belongs here: comparisons with R on awkward designs. Not here: anything that needs R installed.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Distribution, Mean, Quantile, Ratio, Replicates, Share, Total
from rga.survey.design import LonelyPsu
from rga.survey.replicates import make_replicates
from rga.survey.replication import ReplicateEstimates, estimate_replicates

GOLDEN = Path(__file__).parent / "golden"
STATISTICS = [
    Share("common", "", "common = 1"),
    Share("rare", "", "rare = 1"),
    Share("lost", "worked = 1", "lost = 1"),
    Mean("income", "", "income"),
    Total("all_income", "", "income"),
    Total("people", ""),
    Ratio("spending", "", "spent", "income"),
    Distribution("job", "", "job"),
    Quantile("median", "", "income"),
    Quantile("decile9", "", "income", 0.9),
]
BY: list[tuple[str, ...]] = [(), ("sex",), ("sex", "area")]
KEYS = ["statistic", "sex", "area"]
RELATIVE = 1e-9
SCALES = tuple(np.tile([0, 0.5, 1, 1.5], 20) / 80)
PULSE = tuple(f"PWEIGHT{r + 1}" for r in range(80))
LOOSE = tuple(f"F{r + 1}" for r in range(15))


@cache
def read(name: str) -> pd.DataFrame:
    keys = dict.fromkeys(["scenario", *KEYS, "first", "second", "stratum", "psu"], "str")
    return pd.read_csv(GOLDEN / f"replicates_{name}.csv", dtype=keys, keep_default_na=True)


def golden(scenario: str) -> pd.DataFrame:
    table = read("estimates")
    return table[table.scenario == scenario].drop(columns="scenario").set_index(KEYS).sort_index()


SCENARIOS = sorted(pd.unique(read("estimates").scenario))


def case(scenario: str) -> tuple[pd.DataFrame, Design]:
    """The data and the design that the name of a scenario speaks of."""
    file, how, *more = scenario.split("-")
    data, mse = read(file), "mse" in more
    if file == "pulse":
        replicates = {
            "Fay": Replicates(PULSE, "Fay", rho=0.5),
            "other": Replicates(PULSE, "other", scale=1.7, rscales=SCALES),
            "bootstrap": Replicates(PULSE, "bootstrap"),
            "BRR": Replicates(PULSE, "BRR"),
            "JK1": Replicates(PULSE, "JK1"),
            "JKn": Replicates(PULSE, "JKn", rscales=tuple(80 * s for s in SCALES)),
        }[how]
        return data, Design(replicates=replace(replicates, mse=mse))
    if how in ("bootstrap", "JKn_guessed"):
        method: Literal["bootstrap", "JKn"] = "bootstrap" if how == "bootstrap" else "JKn"
        return data, Design(replicates=Replicates(LOOSE, method, combined=False, mse=mse))
    lonely: LonelyPsu = how if how in get_args(LonelyPsu) else "fail"  # type: ignore[assignment]
    drawn = Design(
        stratum=None if file == "flat" else "stratum",
        psu=None if "respondents" in more else "psu",
        fpc="fpc" if "fpc" in more else None,
        lonely_psu=lonely,
    )
    made = "JKn" if file == "lonely" else how.removesuffix("_of_R")
    weights, replicates = make_replicates(data, drawn, made, rho=0.3)  # type: ignore[arg-type]
    data = data.join(pd.DataFrame(weights, data.index, list(replicates.columns)))
    return data, Design(
        stratum="stratum" if "psu" in more else None, psu="psu" if "psu" in more else None, replicates=replace(replicates, mse=mse)
    )


@cache
def ours(scenario: str) -> tuple[ReplicateEstimates, pd.DataFrame]:
    """Estimates, and their table with ``position``, under the golden file's keys."""
    data, design = case(scenario)
    result = estimate_replicates(data, design, STATISTICS, BY)
    table = result.table
    statistic = table.code.where(table.category == "_T", table.code + "." + table.category)
    table = table.assign(statistic=statistic, position=range(len(table)))
    return result, table.set_index(KEYS).sort_index()


def unknown(theirs: pd.DataFrame) -> pd.Series:
    """One PSU with all the answers: R calls the standard error 0 (to rounding), we call it unknown, but for totals and 0 and 1."""
    statistic = theirs.index.get_level_values("statistic")
    shares = statistic.str.startswith("job") | statistic.isin(["common", "rare", "lost"])
    bound = shares & theirs.value.isin([0, 1])
    return (theirs.psus <= 1) & ~statistic.isin(["all_income", "people"]) & ~bound


def assert_equal(ours: pd.Series, theirs: pd.Series, absolute: float | pd.Series = 0.0) -> None:
    ours, theirs = ours.astype(float), theirs.astype(float)
    wrong = ((ours - theirs).abs() - absolute > RELATIVE * theirs.abs()) | (ours.isna() != theirs.isna())
    assert not wrong.any(), pd.DataFrame({"ours": ours, "R": theirs})[wrong]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_estimates_equal_r(scenario: str) -> None:
    theirs = golden(scenario)
    table = ours(scenario)[1].loc[lambda t: t.index.get_level_values("statistic").isin(theirs.index.get_level_values("statistic"))]
    assert list(table.index) == list(theirs.index)
    alone = unknown(theirs)
    assert (theirs.se[alone].fillna(0) < 1e-10 * theirs.value[alone].abs()).all()
    theirs.loc[alone, ["se", "ci_low", "ci_high"]] = np.nan
    # Where everybody is at or below a quantile R has no error, and both limits there: see `levels_at_the_top`.
    top = theirs.index.get_level_values("statistic").isin(["median", "decile9"]) & (theirs.se == 0) & table.se.isna()
    assert (theirs.ci_low == theirs.ci_high)[top].all() and top.sum() < 8
    theirs.loc[top, ["se", "ci_low", "ci_high"]] = table.loc[top, ["se", "ci_low", "ci_high"]]
    if scenario == "pairs-BRR_of_R":  # another Hadamard matrix: totals have the same variance under both
        theirs = theirs.drop(columns=["ci_low", "ci_high"]).assign(ci_low=table.ci_low, ci_high=table.ci_high)
    assert (table.n == theirs.n).all() and (table.df == theirs.df).all(), pd.DataFrame({"ours": table.df, "R": theirs.df})
    for column in ("value", "population"):
        assert_equal(table[column], theirs[column])
    # A standard error that is nothing but rounding is one of 0.
    assert_equal(table.se, theirs.se, absolute=1e-13 * theirs.value.abs())
    for column in ("ci_low", "ci_high"):
        assert_equal(table[column], theirs[column], absolute=1e-12 * theirs.value.abs())


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_covariances_equal_r_replicates_that_one_lacks_included(scenario: str) -> None:
    pairs = read("covariances")
    pairs = pairs[pairs.scenario == scenario]
    result, table = ours(scenario)
    first, second = (table.loc[pd.MultiIndex.from_tuples([tuple(k.split("|")) for k in pairs[s]])] for s in ("first", "second"))
    together = np.concatenate([first.position, second.position])
    covariance = result.covariance(together)
    n = len(pairs)
    undefined = first.se.isna().to_numpy() | second.se.isna().to_numpy()
    size = (
        np.sqrt(first.se.to_numpy() * second.se.to_numpy()) ** 2 + np.abs(first.value * second.value.to_numpy()).to_numpy() * 1e-13
    )
    expected = pairs.covariance.reset_index(drop=True).mask(undefined)
    assert_equal(pd.Series(covariance[np.arange(n), n + np.arange(n)]), expected, absolute=pd.Series(1e-12 * size).fillna(0))


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_diagonal_of_the_covariance_is_the_square_of_the_standard_error(scenario: str) -> None:
    result = ours(scenario)[0]
    covariance = result.covariance()
    variance = result.table.se**2
    assert_equal(pd.Series(np.diag(covariance)), variance, absolute=1e-24 * result.table.value.abs() ** 2)
    reach = np.sqrt(np.outer(variance, variance)).max(initial=0, where=~np.isnan(np.outer(variance, variance)))
    assert np.allclose(covariance, covariance.T, rtol=1e-12, atol=1e-15 * reach, equal_nan=True)


def test_the_golden_data_are_as_awkward_as_they_claim() -> None:
    estimates, covariances = read("estimates"), read("covariances")
    assert 6 * len(estimates) + len(covariances) > 10_000
    assert {"BRR", "Fay", "JK1", "JKn", "bootstrap", "other"} <= {scenario.split("-")[1] for scenario in SCENARIOS}
    for file in ("pulse", "pairs", "lonely", "flat"):
        data = read(file)
        assert (data.weight == 0).sum() == 3 and data.weight.max() > 1000 * data.weight[data.weight > 0].min()
        assert (data.area == "lone").sum() == 1 and data.income.isna().any()
    psus = read("lonely").groupby("stratum").psu.nunique()
    assert (psus == 1).sum() == 2
    spread = estimates[
        estimates.scenario.str.fullmatch("lonely-(adjust|average|remove|certainty)") & (estimates.statistic == "all_income")
    ]
    assert spread.groupby("scenario").se.sum().round(6).nunique() == 3  # remove and certainty are alike
    lacking = [s for s in SCENARIOS if np.isnan(ours(s)[0].replicates).any(axis=1).any()]
    assert len(lacking) > 5
    assert (estimates.df == 0).any() and (unknown(estimates.set_index(KEYS))).sum() > 20
    assert (estimates.se.isna() & estimates.statistic.isin(["median", "decile9"])).any()
