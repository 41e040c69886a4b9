"""Changes between rounds: the same as contrasts of joint results, who is the same unit, tests and degrees of freedom."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Mean, Quantile, Ratio, Result, Share, Total, jointly
from rga.survey.changes import independent_change, inference, linked_changes
from rga.survey.design import LonelyPsu
from rga.survey.linked import linked_rounds, shared

SHARES = [Share("ill", "", "ill = 1"), Share("poor", "ill IS NOT NULL", "poor = 1")]
OTHERS = [Mean("pay", "", "income"), Total("people", ""), Ratio("per_head", "", "income", "size")]
BREAKDOWNS: list[tuple[str, ...]] = [(), ("sex",), ("sex", "age_group")]


def rounds(seed: int, clustered: bool = True, calibrated: bool = False, n: int = 240) -> list[pd.DataFrame]:
    """Two rounds of a panel: two thirds take part in both, who mostly answer alike."""
    draw = np.random.default_rng(seed)
    ids = np.arange(n + n // 3)
    people = pd.DataFrame({
        "panel_id": [f"p{k}" for k in ids], "stratum": draw.choice(["a", "b"], len(ids)),
        "psu": draw.integers(0, 12, len(ids)).astype(str),
        "sex": draw.choice(["F", "M", "O", None], len(ids), p=[0.5, 0.4, 0.05, 0.05]),
        "age_group": draw.choice(["old", "young", None], len(ids), p=[0.5, 0.45, 0.05]),
        "ill": draw.choice([0.0, 1.0, np.nan], len(ids), p=[0.6, 0.3, 0.1]), "poor": draw.choice([0.0, 1.0], len(ids)),
        "income": draw.exponential(100, len(ids)), "size": draw.integers(1, 6, len(ids)).astype(float),
    })  # fmt: skip
    found = []
    for number, those in enumerate((ids[:n], ids[n // 3 :])):
        frame = people.iloc[those].reset_index(drop=True)
        fresh = draw.random(len(frame)) < 0.3 * number
        frame["ill"] = frame["ill"].mask(fresh, draw.choice([0.0, 1.0], len(frame)))
        frame["income"] *= draw.lognormal(0, 0.2, len(frame))
        frame["weight"] = draw.lognormal(0, 0.5, len(frame)) * (draw.random(len(frame)) > 0.03)
        if calibrated:
            frame["weight_before_calibration"] = frame["weight"] * draw.uniform(0.8, 1.2, len(frame))
            frame["margin_1"], frame["margin_2"] = frame["sex"], frame["age_group"]
        if not clustered:
            frame = frame.assign(**dict.fromkeys(["stratum", "psu"], pd.Series(None, frame.index, dtype="str")))
        found.append(frame)
    return found


def stacked(con: duckdb.DuckDBPyConnection, frames: list[pd.DataFrame], people: bool = True, psus: bool = True) -> Design:
    for name, frame in zip(("first", "second"), frames, strict=True):
        con.register(name, frame)
    return linked_rounds(con, "first", "second", "stacked", people=people, psus=psus)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("clustered", [True, False], ids=["clustered", "alone"])
@pytest.mark.parametrize("rule", ["adjust", "average"])
@pytest.mark.parametrize("calibrated", [False, True], ids=["as given", "calibrated"])
def test_every_change_is_the_contrast_of_joint_results(seed: int, clustered: bool, rule: LonelyPsu, calibrated: bool) -> None:
    statistics = [*SHARES, *OTHERS]
    with duckdb.connect() as con:
        design = Design(**vars(stacked(con, rounds(seed, clustered, calibrated))) | {"lonely_psu": rule})
        found = linked_changes((con, "stacked"), design, statistics, BREAKDOWNS)
        domains = [{"round": r, "sex": s, "age_group": a} for r in ("earlier", "later") for s in ("_T", "F", "M", "O") for a in ("_T", "old", "young")]  # fmt: skip  # noqa: E501
        joint = jointly((con, "stacked"), design, [Result(s, d) for s in statistics for d in domains])
    assert len(found) > 5 * (1 + 3 + 6 + 3) - 10 and (found["n_earlier"] > 0).all()

    def at(row: pd.Series, round_: str, sex: str) -> str:
        return f"{row['indicator']} round={round_} sex={sex} age_group={row['age_group']}"

    for _, row in found.iterrows():
        if row["measure"] == "gap":
            signs = {at(row, r, s): one * other for r, one in (("later", 1), ("earlier", -1)) for s, other in (("F", 1), ("M", -1))}
        else:
            signs = {at(row, "later", row["sex"]): 1, at(row, "earlier", row["sex"]): -1}
        theirs = joint.contrast(signs).iloc[0]  # type: ignore[arg-type]
        assert row["later"] - row["earlier"] == pytest.approx(theirs["value"], abs=1e-9)
        assert row["se"] == pytest.approx(theirs["se"], rel=1e-9, nan_ok=True)
        assert row["df"] == theirs["df"]


def test_cells_that_are_unknown_or_thin_and_gaps_of_others_are_left_out() -> None:
    with duckdb.connect() as con:
        design = stacked(con, rounds(1))
        every = linked_changes((con, "stacked"), design, SHARES, BREAKDOWNS)
        some = linked_changes((con, "stacked"), design, SHARES, BREAKDOWNS, n_min=40)
        with pytest.raises(ValueError, match="jointly"):
            linked_changes((con, "stacked"), design, [Quantile("pay", "", "income")], BREAKDOWNS)
    assert not (every[["sex", "age_group"]] == "_U").any(axis=None) and "O" in set(every["sex"])
    assert set(some["sex"]) == {"_T", "F", "M"} and len(some) < len(every)
    same = some.merge(every, on=list(some.columns))
    assert len(same) == len(some)


def units(frames: list[pd.DataFrame], people: bool, psus: bool) -> tuple[dict[str, tuple], dict[str, tuple]]:
    with duckdb.connect() as con:
        stacked(con, frames, people, psus)
        found = con.sql("SELECT round, panel_id, stratum, psu FROM stacked").fetchall()
    halves = [{person: (stratum, psu) for r, person, stratum, psu in found if r == name} for name in ("earlier", "later")]
    return halves[0], halves[1]


def test_a_person_keeps_the_stratum_and_psu_of_the_earlier_round() -> None:
    first, second = rounds(2)
    second[["stratum", "psu"]] = ["b", "moved"]
    one, other = units([first, second], people=True, psus=False)
    both = one.keys() & other.keys()
    assert len(both) == 160 and all(one[person] == other[person] for person in both)
    assert {psu for person, (_, psu) in other.items() if person not in both} == {"later:psu moved"}


def test_without_psus_a_person_is_the_unit_and_with_psus_in_the_later_round_only_these_are() -> None:
    first, second = rounds(3, clustered=False)
    one, other = units([first, second], people=True, psus=False)
    assert one["p200"] == other["p200"] == (None, "person p200")
    assert other["p300"] == (None, None), "who is in one round only is alone"
    _, clustered = rounds(3)
    one, other = units([first, clustered], people=True, psus=False)
    assert one["p200"] == other["p200"] and one["p200"][1].startswith("later:psu ")
    assert one["p0"] == (None, None)


def test_psus_are_told_apart_by_round_unless_they_are_shared() -> None:
    first, second = rounds(4)
    one, other = units([first, second], people=False, psus=True)
    assert set(one.values()) == set(other.values())
    one, other = units([first, second], people=False, psus=False)
    assert not set(one.values()) & set(other.values())
    with duckdb.connect() as con:
        stacked(con, [first, second])
        assert shared(con, "first", "second", "panel") == 160 - len(
            set(first.loc[first["weight"].isna(), "panel_id"]) | set(second.loc[second["weight"].isna(), "panel_id"])
        )
        assert shared(con, "first", "second", "shared_psu") == 24


def test_independent_samples_have_the_degrees_of_freedom_of_welch_and_satterthwaite() -> None:
    from scipy.stats import ttest_ind

    draw = np.random.default_rng(1)
    one, other = draw.normal(0, 3, 7), draw.normal(1, 1, 40)
    spread = [np.std(values, ddof=1) / np.sqrt(len(values)) for values in (one, other)]
    se, df = independent_change(spread[0], len(one) - 1, spread[1], len(other) - 1)
    theirs = ttest_ind(other, one, equal_var=False)
    found = inference(np.array([other.mean() - one.mean()]), np.atleast_1d(se), np.atleast_1d(df))
    assert float(df) == pytest.approx(theirs.df) and found["p_value"][0] == pytest.approx(theirs.pvalue)
    assert (found["ci_low"][0], found["ci_high"][0]) == pytest.approx(tuple(theirs.confidence_interval()))


def test_a_round_that_does_not_vary_leaves_the_other_s_degrees_of_freedom_and_two_such_have_no_test() -> None:
    se, df = independent_change(np.array([0.0, 0.0, 2.0]), np.array([9, 9, 0]), np.array([1.0, 0.0, 1.0]), np.array([5, 5, 5]))
    assert se.tolist() == [1, 0, pytest.approx(np.sqrt(5))] and df.tolist() == [5, 14, 0]
    found = inference(np.array([1.0, 1.0, 1.0]), se, df)
    assert np.isfinite(found["p_value"][0]) and np.isnan(found["p_value"][1:]).all() and np.isnan(found["ci_low"][1:]).all()


def test_people_of_one_panel_id_are_refused() -> None:
    earlier, later = rounds(1)
    earlier.loc[earlier.index[:2], "panel_id"] = "twice"
    with duckdb.connect() as con, pytest.raises(ValueError, match="have the panel_id of another"):
        stacked(con, [earlier, later])
