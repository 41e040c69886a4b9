"""Survey regressions against R's svyglm, and what follows from them against its influence functions written out in R.

Belongs here: comparisons with golden/regression_* (made by make_golden_regression.R). Not here: anything that needs R.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.survey.design import Design, LonelyPsu
from rga.survey.regression import Regression, regress
from rga.survey.statistics import Mean, Share

GOLDEN = Path(__file__).parent / "golden"
RELATIVE = 1e-9  # the issue asks for 1e-6
COVARIATES = ["age", "education", "residence", "children"]
OUTCOMES = {"lost": Share("lost", "", "lost = 1"), "hours": Mean("hours", "", "hours")}
DESIGNS = {
    "clustered": Design(stratum="stratum", psu="psu"),
    "plain": Design(),
    "fraction": Design(stratum="stratum", fpc="fpc"),
    "calibrated": Design(stratum="stratum", psu="psu", base_weight="base_weight", margins=("sex_age", "residence")),
}
RUNS = [("clustered", rule) for rule in ("adjust", "remove", "average", "certainty")]
RUNS += [(name, "adjust") for name in ("plain", "fraction", "calibrated")]
CASES = [(run, rule, outcome, domain) for run, rule in RUNS for outcome in OUTCOMES for domain in ("", "residence=urban")]
cases = pytest.mark.parametrize(("run", "rule", "outcome", "domain"), CASES, ids=["-".join(filter(None, case)) for case in CASES])


@cache
def read(name: str) -> pd.DataFrame:
    texts = ["stratum", "psu", "sex", "age", "education", "residence", "sex_age", "domain", "term", "what", "a", "b"]
    frame = pd.read_csv(GOLDEN / f"regression_{name}.csv", dtype=dict.fromkeys(texts, "str"), keep_default_na=True)
    if "sex_age" in frame:  # R was given the totals of those without an age: a category like others, not one that is held
        frame["sex_age"] = frame["sex_age"].str.replace("_U", "unknown")
    return frame


def golden(table: str, run: str, rule: str, outcome: str, domain: str) -> pd.DataFrame:
    frame = read(table).fillna({"domain": ""})
    those = (frame["run"] == run) & (frame["rule"] == rule) & (frame["outcome"] == outcome) & (frame["domain"] == domain)
    return frame[those].reset_index(drop=True)


@cache
def fitted(run: str, rule: LonelyPsu, outcome: str, domain: str) -> Regression:
    design = Design(**(vars(DESIGNS[run]) | {"lonely_psu": rule}))
    narrowed = dict([domain.split("=")]) if domain else None
    return regress(read(run), design, OUTCOMES[outcome], COVARIATES, narrowed)


def change_of_reference(ours: list[str], theirs: list[str]) -> np.ndarray:
    """Our coefficients from R's, whose reference is the first category; ours is the largest, the one not among our terms."""
    at = {name: j for j, name in enumerate(theirs)}
    matrix = np.zeros((len(ours), len(theirs)))
    references = []
    for name in COVARIATES[:-1]:
        levels = [term.removeprefix(name) for term in theirs if term.startswith(name)]
        missing = [level for level in levels if f"{name}={level}" not in ours]
        references += [f"{name}{level}" for level in missing]  # none where our reference is R's
        assert len(missing) <= 1
        for i, term in enumerate(ours):
            if term.startswith(f"{name}="):
                level = term.partition("=")[2]
                if level in levels:
                    matrix[i, at[f"{name}{level}"]] = 1
                for reference in missing:
                    matrix[i, at[f"{name}{reference}"]] = -1
    for i, term in enumerate(ours):
        if term in ("woman", "children"):
            matrix[i, at[term]] = 1
    matrix[0, [at["(Intercept)"], *(at[name] for name in references)]] = 1
    return matrix


@cases
def test_coefficients_and_their_covariance_equal_svyglm(run: str, rule: LonelyPsu, outcome: str, domain: str) -> None:
    ours = fitted(run, rule, outcome, domain)
    theirs = golden("coefficients", run, rule, outcome, domain)
    pairs = golden("covariances", run, rule, outcome, domain)
    terms = list(theirs["term"])
    assert ours.status == "ok" and ours.n == theirs["n"].iloc[0] and (ours.coefficients["df"] == theirs["df"].iloc[0]).all()
    covariance = np.zeros((len(terms), len(terms)))
    for row in pairs.itertuples():
        j, k = terms.index(row.a), terms.index(row.b)
        covariance[j, k] = covariance[k, j] = row.covariance
    change = change_of_reference(list(ours.coefficients.index), terms)
    expected = change @ theirs["value"].to_numpy()
    np.testing.assert_allclose(ours.coefficients["value"], expected, rtol=RELATIVE, atol=RELATIVE * np.abs(expected).max())
    wanted = change @ covariance @ change.T
    se = np.sqrt(np.diag(wanted))
    assert (np.abs(ours.covariance - wanted) <= RELATIVE * np.outer(se, se)).all()
    np.testing.assert_allclose(ours.coefficients["se"], se, rtol=RELATIVE)


@cases
def test_the_adjusted_gap_and_its_decomposition_equal_their_influence_functions_in_r(
    run: str, rule: LonelyPsu, outcome: str, domain: str
) -> None:
    ours = fitted(run, rule, outcome, domain).gaps
    theirs = golden("gaps", run, rule, outcome, domain).set_index("what")
    assert set(ours.index) == set(theirs.index) and len(ours) == 8
    theirs = theirs.loc[ours.index]
    size = theirs["value"].abs().max()
    np.testing.assert_allclose(ours["value"].astype(float), theirs["value"], rtol=RELATIVE, atol=RELATIVE * size)
    np.testing.assert_allclose(ours["se"].astype(float), theirs["se"], rtol=RELATIVE, atol=RELATIVE * size)
    assert (ours["df"] == theirs["df"]).all()


def test_the_golden_data_have_what_they_claim() -> None:
    assert read("clustered").groupby("stratum")["psu"].nunique().eq(1).sum() == 2 and (read("clustered")["weight"] == 0).any()
    gaps = read("gaps").query("what == 'composition'")
    assert gaps["value"].abs().max() > 0.02 and read("clustered")["lost"].isna().any() and read("clustered")["sex"].isna().any()
    of_rules = gaps[gaps["run"] == "clustered"].groupby("rule")["se"].sum().round(9)
    assert of_rules.nunique() == 3  # remove and certainty are alike
