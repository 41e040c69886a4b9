"""Rows of `changes`: what is withheld, adjusted, refused with a reason, and taken from linked rounds."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest

from rga.microdata.comparability import Verdict
from rga.survey import benjamini_hochberg
from rga.warehouse.change_tables import change_tables
from rga.warehouse.changes import Round, change_rows

DIMENSIONS = ["sex", "age_group"]
VERDICTS = {"A": Verdict(), "B": Verdict("with_caution", "another mode"), "C": Verdict("altered_question", "reworded")}
GROUPS = {"sex": Verdict(), "sex*age_group": Verdict("altered_question", "age_group: in bands")}


def survey(shift: float, n: int = 100) -> Round:
    cells = [("total", "_T", "_T"), ("sex", "F", "_T"), ("sex", "M", "_T"), ("sex", "_U", "_T"), ("sex*age_group", "F", "old")]
    rows = [
        {"indicator": code, "statistic": "share", "category": "_T", "breakdown": by, "sex": sex, "age_group": age,
         "value": 20.0 + shift, "se": 2.0, "df": 50, "n": n, "obs_status": "A", "conf_status": "F"}
        for code in "ABC" for by, sex, age in cells
    ]  # fmt: skip
    gaps = [
        {"indicator": code, "statistic": "share", "category": "_T", "breakdown": "sex", "age_group": "_T", "gap": 5 + 2 * shift,
         "women": 25.0 + 2 * shift, "men": 20.0, "se": 3.0, "df": 48, "n_women": n // 2, "n_men": n // 2,
         "obs_status": "A", "conf_status": "F"}
        for code in "ABC"
    ]  # fmt: skip
    return Round(pd.DataFrame(rows), pd.DataFrame(gaps))


def rows(earlier: Round, later: Round, **more: object) -> pd.DataFrame:
    return change_rows(earlier, later, DIMENSIONS, VERDICTS, GROUPS, **more)  # type: ignore[arg-type]


def test_comparable_cells_have_numbers_and_the_others_one_row_with_the_reason() -> None:
    found = rows(survey(0), survey(4))
    shown = found[found["comparable"]]
    assert sorted(zip(shown["indicator"], shown["measure"], shown["sex"], strict=True)) == sorted(
        (code, measure, sex) for code in "AB" for measure, sex in [("level", "_T"), ("level", "F"), ("level", "M"), ("gap", "_T")]
    )
    assert (shown.loc[shown["measure"] == "level", "change"] == 4).all() and (
        shown.loc[shown["measure"] == "gap", "change"] == 8
    ).all()
    assert shown.loc[shown["measure"] == "level", "se"].to_numpy() == pytest.approx(2.8)
    assert shown.loc[shown["measure"] == "level", "df"].to_numpy() == pytest.approx(100)
    assert shown.loc[shown["indicator"] == "A", "reason"].isna().all() and set(shown.loc[shown["indicator"] == "B", "reason"]) == {
        "another mode"
    }
    refused = found[~found["comparable"]].set_index(["indicator", "breakdown"])["reason"].to_dict()
    assert refused == {
        ("C", "total"): "reworded",
        ("A", "sex*age_group"): "age_group: in bands",
        ("B", "sex*age_group"): "age_group: in bands",
    }
    without = found.loc[~found["comparable"], ["earlier", "later", "change", "se", "df", "n_earlier", "n_later", "obs_status"]]
    assert without.isna().all(axis=None)


def test_what_either_round_withholds_is_withheld_and_the_weaker_status_counts() -> None:
    earlier, later = survey(0), survey(4)
    for frame, at, status in ((earlier.estimates, 1, "Q"), (later.estimates, 2, "U")):
        frame.loc[at, "obs_status"] = status
    earlier.estimates.loc[1, ["value", "se"]] = np.nan
    later.estimates.loc[0, "conf_status"] = "C"
    later.estimates.loc[0, ["value", "se"]] = np.nan
    found = rows(earlier, later)
    of_a = found[(found["indicator"] == "A") & (found["measure"] == "level") & found["comparable"]].set_index("sex")
    assert of_a["obs_status"].to_dict() == {"_T": "Q", "F": "Q", "M": "U"} and of_a.loc["_T", "conf_status"] == "C"
    assert of_a.loc[["_T", "F"], ["earlier", "later", "change", "se", "p_value", "p_adjusted"]].isna().all(axis=None)
    assert (of_a["n_earlier"] == 100).all()


def test_p_values_are_adjusted_within_measure_and_breakdown() -> None:
    earlier, later = survey(0), survey(0)
    later.estimates["value"] += np.arange(len(later.estimates)) / 2
    found = rows(earlier, later)
    part = found[(found["measure"] == "level") & (found["breakdown"] == "sex") & found["comparable"]]
    assert len(part) == 4 and part["p_adjusted"].to_numpy() == pytest.approx(benjamini_hochberg(part["p_value"].to_numpy()))
    assert (part["p_adjusted"] > part["p_value"]).any()


def test_linked_rounds_bring_their_own_errors_and_hide_an_overlap_of_few() -> None:
    keys = ["measure", "indicator", "category", "breakdown", "sex", "age_group"]
    linked = pd.DataFrame(
        [
            ("level", "A", "_T", "total", "_T", "_T", 1.0, 70, 80),
            ("level", "A", "_T", "sex", "F", "_T", 1.5, 30, 24),
            ("level", "B", "_T", "total", "_T", "_T", 1.0, 70, 24),
        ],
        columns=[*keys, "se", "df", "overlap"],
    )
    found = rows(survey(0), survey(4), sample="panel", linked=linked)
    of_a = found[(found["indicator"] == "A") & (found["measure"] == "level") & found["comparable"]].set_index("sex")
    assert of_a.loc["_T", ["se", "df", "overlap"]].tolist() == [1, 70, 80] and (of_a["sample"] == "panel").all()
    assert of_a.loc["F", "se"] == 1.5 and pd.isna(of_a.loc["F", "overlap"])
    assert found.loc[(found["indicator"] == "B") & (found["breakdown"] == "total"), "overlap"].isna().all()
    assert of_a.loc["M", "obs_status"] == "Q" and pd.isna(of_a.loc["M", "change"]), "without a standard error no number"


def test_an_overlap_of_few_cannot_be_had_by_subtraction() -> None:
    """80 people in both rounds less 60 women and 16 men would be 4 others."""
    keys = ["measure", "indicator", "category", "breakdown", "sex", "age_group"]
    cells = [("level", "total", "_T", 80), ("level", "sex", "F", 60), ("level", "sex", "M", 26), ("gap", "sex", "_T", 86)]
    linked = pd.DataFrame(
        [(measure, "A", "_T", by, sex, "_T", 1.0, 70, both) for measure, by, sex, both in cells],
        columns=[*keys, "se", "df", "overlap"],
    )
    found = rows(survey(0), survey(4), sample="panel", linked=linked)
    of_a = found[(found["indicator"] == "A") & found["comparable"]].set_index(["measure", "sex"])["overlap"]
    assert of_a["level", "_T"] == 80
    assert pd.isna(of_a["level", "_T"] - of_a["level", "F"] - of_a["level", "M"]) and pd.isna(of_a["gap", "_T"])


def test_the_columns_are_those_of_the_table_and_nothing_in_common_gives_reasons_only() -> None:
    found = rows(survey(0), survey(4))
    (table,) = change_tables(DIMENSIONS)
    assert set(found) | {"country", "earlier_round", "later_round", "simulated"} == set(table.names)
    empty = rows(survey(0), Round(survey(0).estimates.iloc[:0], survey(0).gaps.iloc[:0]))
    assert empty["indicator"].tolist() == ["C"] and list(empty) == list(found)
    assert (empty.dtypes == found.dtypes).all()


def with_shares(value: float, gap: float, women: float, men: float) -> Round:
    """Of few: Korn-Graubard limits where nobody or everybody says yes."""
    one = survey(0, n=60)
    bound = value in (0, 100)
    limits = {"ci_low": 0.0 if value < 50 else 94.0, "ci_high": 6.0 if value < 50 else 100.0} if bound else {}
    estimates = one.estimates.assign(value=value, se=0.0 if bound else 2.0, **limits)
    of_gap = {"ci_low": -11.0, "ci_high": 12.0} if women == men and women in (0, 100) else {}
    gaps = one.gaps.assign(gap=gap, women=women, men=men, se=0.0 if of_gap else 3.0, **of_gap)
    return Round(estimates, gaps)


def measure(found: pd.DataFrame, name: str) -> pd.Series:
    return found[(found["indicator"] == "A") & (found["measure"] == name)].iloc[0]


def test_shares_of_nobody_and_gaps_of_0_are_told_apart_and_no_number_is_made_of_nothing() -> None:
    """A gap of 0, or below it, was read as a share of nobody, or less: a square root of a negative number, told at every build."""
    shares = [
        (0.0, -5.0, 0.0, 5.0),
        (0.0, 0.0, 0.0, 0.0),
        (100.0, 0.0, 100.0, 100.0),
        (7.0, 3.0, 20.0, 17.0),
        (8.0, -100.0, 0.0, 100.0),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one, other in itertools.product(shares, shares):
            found = rows(with_shares(*one), with_shares(*other))
            level, gap = measure(found, "level"), measure(found, "gap")
            assert level["se"] > 0 or (one[0] == other[0] and one[0] in (0, 100))
            of_gaps = [0.0 if women == men and women in (0, 100) else 3.0 for *_, women, men in (one, other)]
            assert gap["se"] == pytest.approx(np.hypot(*of_gaps), rel=0.05)
            assert found.loc[found["comparable"], ["ci_low", "ci_high"]].notna().all(axis=None)


def test_no_change_between_shares_of_nobody_is_as_far_off_as_either_round_may_be() -> None:
    nobody = rows(with_shares(0.0, 0.0, 0.0, 0.0), with_shares(0.0, 0.0, 0.0, 0.0))
    for name, low, high in (("level", -6.0, 6.0), ("gap", -np.hypot(11, 12), np.hypot(11, 12))):
        found = measure(nobody, name)
        assert found["change"] == found["se"] == 0 and np.isnan(found["p_value"])
        assert (found["ci_low"], found["ci_high"]) == (pytest.approx(low), pytest.approx(high))
