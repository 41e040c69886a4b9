"""What numbers beside the shares would give away: standard errors, adjusted gaps, reasons. Attacked as a reader would, with
respondents who all weigh alike, whose errors are functions of their counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assets.publication import adjusted_as_published
from rga.microdata.publication_rules import PublicationRules, load_publication_rules
from rga.survey.disclosure import two_digits
from rga.survey.reliability import nchs, singled_out
from tests.pipeline.place import SURVEYS, Place

GAP = pd.DataFrame({
    "survey_id": ["2020-r1_AAA"], "indicator": ["I"], "breakdown": ["sex"], "category": ["_T"], "gap": [7.1234],
    "rounded_to": [np.nan], "obs_status": ["A"], "conf_status": ["F"], "reason": ["none"],
})  # fmt: skip
EDGE = 260  # respondents, of whom 10 alone are too many for a narrow interval and too few for their share


@pytest.fixture(scope="module")
def rules(repository: Path) -> PublicationRules:
    return load_publication_rules(repository / "raw_data" / "catalogue")


def has_two_digits(values: pd.Series) -> bool:
    return np.allclose(values, values.map("{:.1e}".format).astype(float), rtol=1e-9, atol=0)


def of_total(p: float, n: int, total: np.ndarray, everybody: int) -> np.ndarray:
    """Standard error of a group's share less everybody's, per cent: simple random sampling, all weigh alike."""
    variance = p * (1 - p) / n + total * (1 - total) / everybody - 2 * p * (1 - p) / everybody
    return 100 * np.sqrt(variance * everybody / (everybody - 1))


def test_the_error_beside_an_exact_share_does_not_tell_the_rounded_share_of_everybody() -> None:
    everybody, n, yes, step = 1370, 560, 223, 0.5
    for count in range(500, 700, 7):
        near = np.arange(everybody + 1)
        near = near[np.abs(100 * near / everybody - np.round(100 * count / everybody / step) * step) <= step / 2]
        errors = of_total(yes / n, n, near / everybody, everybody)
        (own,) = errors[near == count]
        exact, shown = np.abs(errors / own - 1) < 1e-9, np.abs(errors - two_digits(np.array([own]))) <= 0.05 * 10**0
        assert exact.sum() < 4 <= min(shown.sum(), len(near)), "the exact error tells, that of two digits does not"


def test_errors_from_a_rounded_or_hidden_total_are_rounded_or_left_out(whole_build: Place) -> None:
    found = whole_build.ask("""SELECT e.se_from_total, t.rounded_to, t.obs_status FROM estimates e JOIN estimates t
        USING (survey_id, indicator, statistic, category) WHERE t.breakdown = 'total' AND e.breakdown <> 'total'""")
    rounded = found.loc[found["rounded_to"].notna(), "se_from_total"].dropna()
    exact = found.loc[found["rounded_to"].isna() & (found["obs_status"] != "Q"), "se_from_total"].dropna()
    assert len(rounded) > 1000 and has_two_digits(rounded) and not has_two_digits(exact)
    assert found.loc[found["obs_status"] == "Q", "se_from_total"].isna().all()


def test_errors_of_a_panel_s_changes_are_rounded_with_its_shares(whole_build: Place) -> None:
    found = whole_build.ask("""SELECT c.se, greatest(coalesce(a.rounded_to, 0), coalesce(b.rounded_to, 0)) AS step
        FROM changes c
        JOIN estimates a ON a.country = c.country AND a.round = c.earlier_round AND a.indicator = c.indicator
            AND a.breakdown = c.breakdown AND a.sex = c.sex
        JOIN estimates b ON b.country = c.country AND b.round = c.later_round AND b.indicator = c.indicator
            AND b.breakdown = c.breakdown AND b.sex = c.sex
        WHERE c.sample = 'panel' AND c.measure = 'level' AND c.breakdown IN ('total', 'sex') AND c.change IS NOT NULL""")
    rounded, exact = found.loc[found["step"] > 0], found.loc[found["step"] == 0]
    assert len(rounded) > 20 and has_two_digits(rounded["se"]) and (rounded["se"] > rounded["step"] / np.sqrt(12) - 0.1).all()
    assert len(exact) > 20 and not has_two_digits(exact["se"])


def test_no_reason_singles_out_fewer_than_four_counts(rules: PublicationRules) -> None:
    edges = set()
    for n in range(30, 400):
        p, alike = np.arange(1, n) / n, np.full(n - 1, n)
        step = nchs(p, np.sqrt(p * (1 - p) / n), alike, alike - 1, rules.nchs).step
        told = singled_out(step, alike, rules.nchs, rules.disclosure.possible_values)
        for name in ("wide", "relative"):
            of_step = step == name
            assert of_step.sum() >= 4 or told[of_step].all(), f"{of_step.sum()} counts of {n} are {name}"
            edges |= {n} if told[of_step].any() else set()
        assert not told[~np.isin(step, ["wide", "relative"])].any()
    assert EDGE in edges and len(edges) < 80


def test_cells_at_the_edge_of_a_rule_are_hidden_like_those_that_protect_others(whole_build: Place, rules: PublicationRules) -> None:
    shown = whole_build.ask("SELECT n, nchs_rule::VARCHAR AS step, obs_status FROM estimates WHERE obs_status = 'Q' AND n >= 25")
    told = singled_out(shown["step"].fillna("").to_numpy(), shown["n"].to_numpy(), rules.nchs, rules.disclosure.possible_values)
    assert len(shown) > 1000 and not told.any()


def adjusted(adjusted_for: str, status: str = "ok") -> pd.DataFrame:
    numbers = {"gap": 7.1234, "adjusted_gap": 5.4321, "composition": 1.6913, "se": 3.0, "composition_se": 0.5, "df": 900.0}
    limits = dict.fromkeys(["ci_low", "ci_high", "p_value", "p_adjusted", "composition_low", "composition_high"], 0.1)
    facts = {"survey_id": "2020-r1_AAA", "indicator": "I", "status": status, "obs_status": "A", "conf_status": "F"}
    about = {"n_women": 600, "n_men": 700, "adjusted_for": adjusted_for, "reason": pd.array([None], dtype="string")}
    return pd.DataFrame({**facts, **numbers, **limits, **about}, index=[0])


@pytest.mark.parametrize(
    ("adjusted_for", "step"),
    [
        ("residence", 1.0),
        ("education (primary and none pooled), residence", 1.0),
        ("age_group, education, residence", None),
        ("", None),
    ],
)
def test_an_adjusted_gap_of_one_or_two_covariates_is_rounded(
    adjusted_for: str, step: float | None, rules: PublicationRules
) -> None:
    parts = pd.DataFrame({"survey_id": ["2020-r1_AAA"], "indicator": ["I"], "variable": ["residence"], "composition": [1.6913]})
    found, left = adjusted_as_published(adjusted(adjusted_for), parts, GAP, rules.disclosure)
    row = found.iloc[0]
    if step is None:
        assert row["adjusted_gap"] == 5.4321 and np.isnan(row["rounded_to"]) and len(left) == 1
    else:
        assert row["adjusted_gap"] == 5.0 and row["rounded_to"] == step and left.empty, (
            "four of 600 women are two thirds of a point"
        )
        assert row["gap"] == 7.1234 and row["composition"] == pytest.approx(2.1234) and row["se"] == 3.0


def test_an_adjusted_gap_that_cannot_be_rounded_is_hidden_and_says_why(rules: PublicationRules) -> None:
    without_steps = rules.disclosure.model_copy(update={"round_to": []})
    found, _ = adjusted_as_published(adjusted("residence"), pd.DataFrame(), GAP, without_steps)
    row = found.iloc[0]
    assert row["obs_status"] == "Q" and np.isnan(row["adjusted_gap"]) and "has no step to round it to" in row["reason"]


def test_which_category_all_or_nobody_has_an_outcome_in_is_not_said(whole_build: Place) -> None:
    said = whole_build.ask("SELECT reason FROM adjusted_gaps WHERE status = 'separation'")["reason"]
    assert len(said) and not said.str.contains("=").any()
    staged = whole_build.paths.staging().read("adjusted_gaps", SURVEYS)
    assert not staged.loc[staged["status"] == "separation", "reason"].str.contains("=").any()
