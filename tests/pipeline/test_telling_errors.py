"""What numbers beside the shares would give away: standard errors, adjusted gaps, reasons. Attacked as a reader would, with
respondents who all weigh alike, whose errors are functions of their counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assets.publication import judged
from assets.publication_beside import adjusted_as_published
from rga.microdata.publication_rules import PublicationRules, load_publication_rules
from rga.survey.precision import to_digits
from rga.survey.reliability import INTERVAL, nchs, told_by_name
from tests.pipeline.place import SURVEYS, Place

GAP = pd.DataFrame({
    "survey_id": ["2020-r1_AAA"], "indicator": ["I"], "breakdown": ["sex"], "category": ["_T"], "gap": [7.1],
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
        exact, shown = np.abs(errors / own - 1) < 1e-9, np.abs(errors - to_digits(np.array([own]))) <= 0.05 * 10**0
        assert exact.sum() < 4 <= min(shown.sum(), len(near)), "the exact error tells, that of two digits does not"


def test_all_errors_have_two_digits_and_those_from_a_hidden_total_are_left_out(whole_build: Place) -> None:
    found = whole_build.ask("""SELECT e.se, e.deff, e.se_from_total, t.obs_status FROM estimates e JOIN estimates t
        USING (survey_id, indicator, statistic, category) WHERE t.breakdown = 'total'""")
    for name in ("se", "deff", "se_from_total"):
        assert found[name].notna().sum() > 1000 and has_two_digits(found[name].dropna()), name
    assert found.loc[found["obs_status"] == "Q", "se_from_total"].isna().all()


def test_the_error_of_a_share_follows_from_the_printed_share_and_design_effect(whole_build: Place) -> None:
    """So that it says no more of the share than the share does: n, deff and value have it but for its two digits."""
    found = whole_build.ask("""SELECT value / 100 AS p, se, n, deff, greatest(precision, coalesce(rounded_to, 0)) AS step
        FROM estimates WHERE statistic = 'share' AND value > 0 AND value < 100 AND n < 0.001 * population""")
    variance = 1e4 * found["deff"] * found["p"] * (1 - found["p"]) / (found["n"] - 1) + found["step"] ** 2 / 12
    assert len(found) > 1000 and np.allclose(found["se"], to_digits(np.sqrt(variance)), rtol=0.11, atol=0)
    assert (found["se"] / to_digits(np.sqrt(variance)) - 1).abs().median() < 1e-9


def test_errors_of_changes_have_two_digits_and_contain_the_rounding_of_both_rounds(whole_build: Place) -> None:
    found = whole_build.ask("SELECT se, rounded_to FROM changes WHERE change IS NOT NULL")
    rounded = found.dropna()
    assert len(rounded) > 20 and has_two_digits(found["se"]) and (rounded["se"] > rounded["rounded_to"] / np.sqrt(12) - 0.1).all()


def test_no_reason_leaves_fewer_than_four_counts(rules: PublicationRules) -> None:
    edges, treated_as_small = set(), set()
    for n in range(30, 400):
        p, alike = np.arange(1, n) / n, np.full(n - 1, n)
        step = nchs(p, np.sqrt(p * (1 - p) / n), alike, alike - 1, rules.nchs).step
        unnamed, told = told_by_name(step, alike, rules.nchs, rules.disclosure.possible_values)
        interval = np.isin(step, INTERVAL)
        assert all(mask[interval].all() or not mask.any() for mask in (unnamed, told)), "it depends on n alone"
        edges |= {n} if unnamed.any() else set()
        treated_as_small |= {n} if told.any() else set()
        for said in [] if told.any() else [interval] if unnamed.any() else [step == name for name in INTERVAL]:
            assert said.sum() == 0 or said.sum() >= 4, f"{said.sum()} counts of {n}"
    assert EDGE in edges | treated_as_small and 0 < len(edges | treated_as_small) < 80


@pytest.mark.parametrize(
    ("n", "count", "deff", "rule", "told"),
    [(EDGE, 10, 1.0, "relative", True), (EDGE, 10, 1.4, "relative", False), (100, 8, 1.0, "relative", False)],
)
def test_a_rule_that_would_tell_the_count_of_equal_weights_is_not_named(
    rules: PublicationRules, n: int, count: int, deff: float, rule: str, told: bool
) -> None:
    p = count / n
    se = np.sqrt(deff * p * (1 - p) / n)
    facts = {"statistic": "share", "value": p, "se": se, "n": n, "df": n - 1, "deff": deff}
    row = judged(pd.DataFrame([facts]), rules).iloc[0]
    assert row["obs_status"] == "Q" and (row["told"] or row["nchs_rule"] == "interval") == told
    assert told or row["nchs_rule"] == rule


def adjusted(adjusted_for: str, status: str = "ok") -> pd.DataFrame:
    numbers = {"gap": 7.1234, "adjusted_gap": 5.4321, "composition": 1.6913, "se": 3.0, "composition_se": 0.5, "df": 900.0}
    limits = dict.fromkeys(["ci_low", "ci_high", "p_value", "p_adjusted", "composition_low", "composition_high"], 0.1)
    facts = {"survey_id": "2020-r1_AAA", "indicator": "I", "status": status, "obs_status": "A", "conf_status": "F"}
    about = {"n_women": 600, "n_men": 700, "adjusted_for": adjusted_for, "reason": pd.array([None], dtype="string")}
    return pd.DataFrame({**facts, **numbers, **limits, **about}, index=[0])


@pytest.mark.parametrize(
    ("adjusted_for", "step"),
    [
        ("residence", 0.7),
        ("education (primary and none pooled), residence", 0.7),
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
        assert np.isnan(row["rounded_to"]) and len(left) == 1
        assert row["adjusted_gap"] == (5.5 if adjusted_for else 7.1), (
            "to half a point, a fifth of the error of 3; without any, the gap"
        )
    else:
        assert row["adjusted_gap"] == 5.6 and row["rounded_to"] == step and left.empty, (
            "four of 600 women are two thirds of a point"
        )
        assert row["gap"] == 7.1 and row["composition"] == pytest.approx(1.5) and row["se"] == 3.0


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
