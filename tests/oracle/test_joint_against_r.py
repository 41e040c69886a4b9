"""What is computed from respondents' influence values, against R's survey package (golden/joint_*, made by make_golden_joint.R).

Belongs here: comparisons with R of results, covariances, contrasts and tests of association. Not here: anything that needs R.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.survey.association import independence
from rga.survey.design import Design, LonelyPsu
from rga.survey.intervals import t_interval, wilson
from rga.survey.joint import Joint, Result, jointly
from rga.survey.statistics import Distribution, Mean, Quantile, Ratio, Share, Statistic, Total

GOLDEN = Path(__file__).parent / "golden"
RELATIVE = 1e-9
STATISTICS: dict[str, Statistic] = {
    "common": Share("common", "", "common = 1"),
    "rare": Share("rare", "TRUE", "rare = 1"),
    "mean_income": Mean("mean_income", "", "income"),
    "total_income": Total("total_income", "", "income"),
    "people": Total("people", "sex IS NOT NULL"),
    "per_head": Ratio("per_head", "", "income", "persons"),
    "job": Distribution("job", "", "job"),
    "income_10": Quantile("income_10", "", "income", 0.1),
    "income_50": Quantile("income_50", "", "income"),
    "income_90": Quantile("income_90", "", "income", 0.9),
    "hours_50": Quantile("hours_50", "", "hours"),
}
TWO_STAGES = Design(stratum="stratum", psu="psu", fpc="fpc", ssu="ssu", ssu_fpc="ssu_fpc")
DESIGNS = {
    "clustered": Design(stratum="stratum", psu="psu"),
    "twostage": TWO_STAGES,
    "thin": TWO_STAGES,
    "replaced": Design(stratum="stratum", psu="psu", fpc="fpc", ssu="ssu"),
    "fraction": Design(stratum="stratum", fpc="fpc"),
    "plain": Design(),
    "few": Design(psu="psu", fpc="fpc"),
    "panel": Design(stratum="stratum", psu="psu"),
}
RUNS = (
    [(name, rule) for name in ("clustered", "twostage") for rule in ("adjust", "remove", "average", "certainty")]
    + [("thin", rule) for rule in ("adjust", "remove", "certainty")]
    + [(name, "adjust") for name in ("replaced", "fraction", "plain", "few", "panel")]
)
runs = pytest.mark.parametrize(("run", "rule"), RUNS, ids=[f"{run}-{rule}" for run, rule in RUNS])


@cache
def read(name: str) -> pd.DataFrame:
    texts = ["stratum", "psu", "ssu", "sex", "age", "job", "domain", "result", "round"]
    return pd.read_csv(GOLDEN / f"joint_{name}.csv", dtype=dict.fromkeys(texts, "str"))


def golden(table: str, run: str, rule: str) -> pd.DataFrame:
    frame = read(table)
    return frame[(frame["run"] == run) & (frame["rule"] == rule)].reset_index(drop=True)


def design_of(run: str, rule: LonelyPsu) -> tuple[pd.DataFrame, Design]:
    return read("twostage" if run == "replaced" else run), Design(**(vars(DESIGNS[run]) | {"lonely_psu": rule}))


def domain_of(text: object) -> dict[str, str]:
    return dict(part.split("=") for part in str(text).split(";")) if isinstance(text, str) and text else {}


def label(result: str, domain: dict[str, str]) -> str:
    return " ".join([result, *(f"{name}={category}" for name, category in domain.items())])


@cache
def joint_of(run: str, rule: LonelyPsu) -> Joint:
    data, design = design_of(run, rule)
    wanted = golden("estimates", run, rule)["domain"].drop_duplicates()
    domains = [domain_of(text) for text in wanted]
    by = [("sex", "F"), ("sex", "M"), ("age", "young"), ("age", "old")] + (
        [("round", "r1"), ("round", "r2")] if run == "panel" else []
    )
    domains += [{name: category} for name, category in by if {name: category} not in domains]
    return jointly(data, design, [Result(s, domain) for s in STATISTICS.values() for domain in domains])


def assert_equal(ours: object, theirs: object, absolute: float = 0.0, relative: float = RELATIVE) -> None:
    a, b = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    wrong = (np.abs(a - b) - absolute > relative * np.abs(b)) | (np.isnan(a) != np.isnan(b))
    index = theirs.index if isinstance(theirs, pd.Series) else range(len(np.atleast_1d(b)))
    assert not wrong.any(), pd.DataFrame({"ours": a, "R": b}, index=index)[wrong]


@runs
def test_results_in_domains_equal_r(run: str, rule: LonelyPsu) -> None:
    theirs = golden("estimates", run, rule)
    theirs.index = pd.Index([label(r, domain_of(d)) for r, d in zip(theirs["result"], theirs["domain"], strict=True)])
    ours = joint_of(run, rule).table
    # A category that nobody of the domain chose has a row of R's when somebody else did.
    assert set(theirs.index) <= set(ours.index)
    ours = ours.loc[theirs.index]
    for column in ("n", "df"):
        assert (ours[column] == theirs[column]).all(), column
    # Where everybody is at or below a quantile R has no error, and both limits there: see `levels_at_the_top`.
    top = theirs["result"].str.contains("_[159]0$") & (theirs["se"] == 0) & ours["se"].isna()
    assert (theirs.loc[top, ["ci_low", "ci_high"]].nunique(axis=1) <= 1).all() and top.sum() < 8
    columns = ["se", "ci_low", "ci_high"]
    theirs.loc[top, columns] = ours.loc[top, columns]
    for column in ("se", "deff"):
        assert_equal(ours[column], theirs[column])
    if rule == "adjust":
        for column in ("value", "ci_low", "ci_high", "population"):
            assert_equal(ours[column], theirs[column])
        assert_equal(ours["cv"], (theirs["se"] / theirs["value"]).where(theirs["value"] > 0))


@pytest.mark.parametrize("run", DESIGNS)
def test_t_and_wilson_intervals_equal_r(run: str) -> None:
    theirs = golden("estimates", run, "adjust")
    for columns, limits in (
        (["t_low", "t_high"], t_interval(theirs["value"], theirs["se"], theirs["df"])),
        (["wilson_low", "wilson_high"], wilson(theirs["value"], theirs["se"], theirs["n"], theirs["df"])),
    ):
        given = theirs[columns[0]].notna().to_numpy()
        assert given.sum() > 20
        for ours, column in zip(limits, columns, strict=True):
            assert_equal(ours[given], theirs.loc[given, column], absolute=1e-15)


@runs
def test_differences_and_log_ratios_equal_r(run: str, rule: LonelyPsu) -> None:
    joint = joint_of(run, rule)
    for row in golden("contrasts", run, rule).itertuples():
        a, b = (label(row.result, {row.by: code}) for code in (row.a, row.b))
        found = joint.contrast({a: 1, b: -1}).iloc[0]
        assert found["df"] == row.df
        assert_equal(found["value"], row.difference, absolute=1e-15)
        assert_equal(found["se"], row.se, absolute=1e-15)
        i, j = (joint.table.index.get_loc(key) for key in (a, b))
        if np.isfinite(row.log_ratio):
            ratio = joint.smooth(lambda v, i=i, j=j: np.log(v[i] / v[j])).iloc[0]
            assert ratio["derivative"] == "complex step"
            assert_equal(ratio["value"], row.log_ratio, absolute=1e-15)
            assert_equal(ratio["se"], row.log_se, absolute=1e-15)


@pytest.mark.parametrize(("run", "rule"), [r for r in RUNS if r[1] != "average"])
def test_covariances_of_different_indicators_in_different_domains_equal_r(run: str, rule: LonelyPsu) -> None:
    joint = joint_of(run, rule)
    picked = [
        "common",
        "rare sex=F",
        "mean_income sex=M",
        "total_income sex=F",
        "people sex=M",
        "per_head",
        "job:farm sex=F",
        "job:trade sex=F",
    ]
    at = joint.table.index.get_indexer(picked)
    ours = joint.covariance[np.ix_(at, at)]
    se = np.sqrt(np.diag(ours))
    for row in golden("covariances", run, rule).itertuples():
        # Relative to the two standard errors: a covariance near 0 is a sum of terms that are not.
        assert abs(ours[row.j, row.k] - row.covariance) <= RELATIVE * max(se[row.j] * se[row.k], abs(row.covariance)), (
            picked[row.j],
            picked[row.k],
        )


@runs
def test_tests_of_association_equal_r(run: str, rule: LonelyPsu) -> None:
    data, design = design_of(run, rule)
    theirs = golden("associations", run, rule)
    for (rows, columns, domain), answers in theirs.groupby(["rows", "columns", theirs["domain"].fillna("")], sort=False):
        found = independence(data, design, rows, columns, domain=domain_of(domain))
        assert (found.n, found.df) == (answers["n"].iloc[0], answers["df"].iloc[0])
        for row in answers[answers["comparable"] == 1].itertuples():
            ours = found.tests.loc[row.statistic]
            if row.statistic != "Chisq":
                assert_equal(ours["statistic"], row.value)
                assert_equal(ours["df2"], row.df2)
            assert_equal(ours["df1"], row.df1)
            assert_equal(ours["p_value"], row.p_value, relative=1e-7 if row.p_value < 1e-12 else RELATIVE)


def test_the_golden_data_are_as_awkward_as_they_claim() -> None:
    estimates = read("estimates")
    assert read("clustered").groupby("stratum")["psu"].nunique().eq(1).sum() == 2 and (read("clustered")["weight"] == 0).any()
    assert read("thin").groupby("psu")["ssu"].nunique().eq(1).any() and read("twostage").groupby("psu")["ssu"].nunique().gt(1).all()
    assert read("plain")["weight"].max() / read("plain")["weight"].min() > 1e5
    assert read("fraction")["fpc"].eq(1).any()
    assert (estimates["n"] == 0).any() and (estimates["n"] == 1).any() and (estimates["df"] == 0).any()
    assert (estimates["value"] == 0).any() and (estimates["value"] == 1).any()
    for run in ("clustered", "twostage"):
        assert (
            estimates[estimates["run"] == run].groupby("rule")["se"].sum().round(9).nunique() == 3
        )  # remove and certainty are alike
    panel = read("panel")
    assert panel["psu"].duplicated().sum() > 40 and panel["psu"].nunique() > 80
