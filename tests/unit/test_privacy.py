"""Research files: nobody stands out, what was done is told, and what cannot be made safe is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.microdata.catalogue import Catalogue
from rga.privacy.anonymise import anonymise
from rga.privacy.anonymity import class_sizes, suppress
from rga.privacy.replicate_weights import replicate_weights, without_missing
from rga.privacy.risk import diversity, individual_risk, risk
from rga.privacy.rules import PrivacyRules, load_rules
from rga.survey import Design, Replicates, Share, estimate_replicates, tabulate

CATALOGUE = Catalogue.model_validate(
    {
        "variables": {
            "sex": {"label": "Sex", "module": "r", "codes": {"F": "Women", "M": "Men"}},
            "age": {"label": "Age", "module": "r"},
            "old": {
                "label": "Old",
                "module": "r",
                "codes": {"y": "Yes", "n": "No"},
                "derived": "CASE WHEN age > 60 THEN 'y' ELSE 'n' END",
            },
            "school": {"label": "School", "module": "r", "codes": {"a": "None", "b": "Some", "c": "Much"}},
            "rooms": {"label": "Rooms", "module": "r"},
            "income": {"label": "Income", "module": "r"},
            "ill": {"label": "Ill", "module": "h", "codes": {"y": "Yes", "n": "No"}},
        },
        "indicators": {"ILL": {"title": "Ill", "module": "h", "numerator": "ill = 'y'"}},
        "breakdowns": [()],
    }
)
RULES: dict[str, Any] = {
    "k": 5,
    "quasi_identifiers": ["sex", "age", "school"],
    "suppress_at_most": 5,
    "numeric": {"age": {"cuts": [18, 40, 60, 80]}, "rooms": {"top": 4}},
    "recodes": [
        {"variable": "age", "cuts": [18, 60]},
        {"variable": "school", "codes": {"ab": ["a", "b"]}},
        {"variable": "school", "drop": True},
    ],
    "sensitive": ["ill"],
}


def respondents(size: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 95, size).astype(float)
    return pd.DataFrame(
        {
            "respondent_id": [f"source-{i}" for i in range(size)],
            "sex": pd.array(rng.choice(["F", "M"], size), dtype="string"),
            "age": age,
            "old": pd.array(np.where(age > 60, "y", "n"), dtype="string"),
            "school": pd.array(rng.choice(["a", "b", "c"], size, p=[0.2, 0.3, 0.5]), dtype="string"),
            "rooms": rng.integers(1, 12, size).astype(float),
            "income": rng.uniform(0, 1e6, size),
            "ill": pd.array(rng.choice(["y", "n"], size), dtype="string"),
        }
    )


def rules(**changes: Any) -> PrivacyRules:
    return PrivacyRules.model_validate(RULES | changes)


@pytest.mark.parametrize("seed", range(8))
def test_suppression_leaves_every_class_with_k_rows_and_changes_no_answer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.geometric(0.4, (300, 4)).astype(str), columns=list("abcd")).astype("string")
    frame = frame.mask(rng.random(frame.shape) < 0.05)
    done = suppress(frame, 5)
    assert class_sizes(done).min() >= 5
    assert (done.isna() | (done == frame.astype("object"))).all(axis=None)
    assert done["a"].isna().sum() < done["d"].isna().sum()  # later columns are worth less
    assert (done.notna() <= frame.notna()).all(axis=None)


def test_rows_that_are_alike_lose_nothing() -> None:
    frame = pd.DataFrame({"a": ["x"] * 5 + ["y"] * 6})
    assert suppress(frame, 5).notna().all(axis=None)


def test_a_file_is_k_anonymous_top_coded_and_says_what_was_suppressed() -> None:
    frame = respondents(400)
    done = anonymise(frame, CATALOGUE, rules(), 5, "x")
    assert class_sizes(done.known).min() >= 5
    assert done.columns["age"].codes == {
        "GE18": "18 to under 40",
        "GE40": "40 to under 60",
        "GE60": "60 to under 80",
        "GE80": "80 or more",
    }
    assert done.columns["rooms"].values.max() == 4 and (done.columns["rooms"].values == frame["rooms"].clip(upper=4)).all()
    assert set(done.columns) == {"sex", "age", "school", "rooms", "ill"}
    assert done.dropped["old"].startswith("age is released") and "no rule" in done.dropped["income"]
    assert sum(done.suppressed.values()) == int((done.before.notna() & done.known.isna()).to_numpy().sum())


def test_recodes_are_made_in_order_until_little_enough_is_suppressed() -> None:
    frame = respondents(60)
    done = anonymise(frame, CATALOGUE, rules(), 5, "x")
    assert done.recoded[0] == "age: 18 to under 60, 60 or more" and class_sizes(done.known).min() >= 5
    assert done.affected <= 3
    assert anonymise(respondents(4000), CATALOGUE, rules(), 5, "x").recoded == []


def test_what_cannot_reach_k_is_refused_with_cells_and_what_to_coarsen() -> None:
    with pytest.raises(InputError, match="would lose an answer to be 5 alike") as error:
        anonymise(respondents(60), CATALOGUE, rules(recodes=[]), 5, "2020-r1_XXX")
    text = str(error.value)
    assert "fewer than 5 respondents: sex " in text and "coarser age (" in text and "2020-r1_XXX" in text and "source-" not in text
    with pytest.raises(InputError, match="4 respondents cannot be 5 alike"):
        anonymise(respondents(4), CATALOGUE, rules(), 5, "x")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quasi_identifiers": ["sex", "shool"]}, "shool: is not in the catalogue"),
        ({"numeric": {}}, "age: is a number, and identifies"),
        ({"recodes": [{"variable": "school", "codes": {"ab": ["a", "z"]}}]}, "code z: is recoded"),
        ({"recodes": [{"variable": "ill", "drop": True}]}, "ill: is recoded, and no quasi-identifier"),
    ],
)
def test_rules_that_do_not_fit_the_catalogue_are_errors(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    import yaml

    (tmp_path / "privacy.yaml").write_text(yaml.safe_dump(RULES | change))
    with pytest.raises(InputError, match=said):
        load_rules(tmp_path, CATALOGUE)


def test_the_repositorys_rules_fit_its_catalogue(repository: Path) -> None:
    from rga.microdata.data_root import DataRoot

    assert load_rules(repository / "raw_data" / "catalogue", DataRoot(repository / "raw_data").catalogue()).k == 5


def test_without_rules_nothing_is_released(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nobody said what may identify people"):
        load_rules(tmp_path, CATALOGUE)


def test_risk_of_classes_is_that_of_the_negative_binomial() -> None:
    """Against E(1/F | f) summed term by term: F = j with probability C(j-1, f-1) p^f (1-p)^(j-f)."""
    from scipy.stats import nbinom

    for f, p, tolerance in [(1, 0.1, 1e-9), (2, 0.3, 1e-9), (5, 0.2, 0.05), (20, 0.05, 0.01)]:
        j = np.arange(f, 200_000)
        exact = float((nbinom.pmf(j - f, f, p) / j).sum())
        assert individual_risk(np.array([float(f)]), np.array([p]))[0] == pytest.approx(exact, rel=tolerance)


def test_sample_uniques_with_weight_one_are_population_uniques() -> None:
    known = pd.DataFrame({"a": ["x", "y", "z", "z"]})
    found = risk(known, np.array([1.0, 4.0, 10.0, 10.0]), 2)
    assert (found.k, found.classes, found.uniques, found.below) == (1, 3, 2, 2)
    assert found.population_uniques == pytest.approx(1 + 1 / 4)
    assert risk(known, np.ones(4), 2).population_uniques is None  # weights that count respondents say nothing of the population


def test_diversity_counts_classes_that_answered_alike() -> None:
    known = pd.DataFrame({"a": ["x"] * 3 + ["y"] * 3})
    assert diversity(known, pd.Series(["n", "n", None, "n", "y", "y"])) == (1, 1, 2)


def test_missing_mass_of_a_margin_is_shared_within_its_stem() -> None:
    shared = without_missing({"F*a": 10.0, "F*b": 30.0, "F*_U": 4.0, "M*a": 50.0, "_U": 9.4})
    assert shared == pytest.approx({"F*a": 11 * 1.1, "F*b": 33 * 1.1, "M*a": 55.0})


def test_replicates_calibrated_again_have_the_standard_errors_of_calibrated_linearisation() -> None:
    rng = np.random.default_rng(5)
    size = 1500
    data = pd.DataFrame(
        {"stratum": rng.choice(["a", "b"], size), "psu": pd.NA, "margin_1": rng.choice(["F", "M"], size, p=[0.3, 0.7])}
    )
    data["weight_before_calibration"] = rng.uniform(50, 150, size)
    totals = data.groupby("margin_1")["weight_before_calibration"].sum()
    data["weight"] = data["weight_before_calibration"] * data["margin_1"].map(90_000 / totals)
    data["y"] = rng.random(size) < np.where(data["margin_1"] == "F", 0.8, 0.2)
    made = replicate_weights(data, "adjust", 400, seed=3)
    assert made.calibrated and made.weights.shape == (size, 400)
    sums = pd.DataFrame(made.weights).groupby(data["margin_1"]).sum()
    assert np.allclose(sums, 90_000)
    names = tuple(f"replicate_{r}" for r in range(400))
    with_replicates = data.join(pd.DataFrame(made.weights, columns=names)).drop(columns="psu")
    shares = [Share("Y", "", "y")]
    again = estimate_replicates(with_replicates, Design("weight", replicates=Replicates(names, "bootstrap")), shares).table
    design = Design("weight", stratum="stratum", base_weight="weight_before_calibration", margins=("margin_1",))
    taylor = tabulate(data.drop(columns="psu"), design, shares)
    assert again["value"][0] == pytest.approx(taylor["value"][0])
    assert again["se"][0] == pytest.approx(taylor["se"][0], rel=4 / np.sqrt(800))
    plain = tabulate(data.drop(columns="psu"), Design("weight", stratum="stratum"), shares)
    assert again["se"][0] < 0.9 * plain["se"][0]
