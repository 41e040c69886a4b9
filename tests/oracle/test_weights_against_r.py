"""Calibrated weights against R survey's rake, postStratify and calibrate, whose answers are checked in (make_golden_weights.R).

Belongs here: comparisons of weights with R. Not here: anything that needs R installed, standard errors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.survey import Calibration, calibrate, joint_categories

GOLDEN = Path(__file__).parent / "golden"
RELATIVE = 1e-9
PROBLEMS = pd.read_csv(GOLDEN / "calibrated_problems.csv")
RUNS = list(PROBLEMS[["data", "problem", "method"]].itertuples(index=False, name=None))


def persons(data: str) -> pd.DataFrame:
    return pd.read_csv(GOLDEN / f"calibrated_{data}.csv")


def calibrated(data: str, problem: str, method: str, people: pd.DataFrame, **others: object) -> Calibration:
    targets = pd.read_csv(GOLDEN / "calibrated_targets.csv").query("problem == @problem")
    of_numbers = targets.category == "_T"
    totals = dict(zip(targets.margin[of_numbers], targets.total[of_numbers], strict=True))
    margins = {
        margin: dict(zip(rows.category, rows.total, strict=True))
        for margin, rows in targets[~of_numbers].groupby("margin", sort=False)
    }
    categories = pd.DataFrame({margin: joint_categories(people, margin.split("*")) for margin in margins})
    chosen = PROBLEMS.query("data == @data and problem == @problem and method == @method").iloc[0]
    bounds = None if np.isnan(chosen.low) else (chosen.low, chosen.high)
    numbers = people[list(totals)] if totals else None
    name = "linear" if method == "truncated" else method
    return calibrate(categories, people.base_weight.to_numpy(), margins, name, bounds, numbers=numbers, totals=totals, **others)


@pytest.mark.parametrize(("data", "problem", "method"), RUNS, ids=[".".join(run) for run in RUNS])
def test_weights_equal_r(data: str, problem: str, method: str) -> None:
    people = persons(data)
    ours = calibrated(data, problem, method, people)
    theirs = people[f"{problem}.{method}"].to_numpy()
    assert np.max(np.abs(ours.weights / theirs - 1)) < RELATIVE
    assert ours.converged and ours.error < 1e-12
    assert (ours.margins.after / ours.margins.benchmark).to_numpy() == pytest.approx(1, rel=1e-12)
    assert ours.weights == pytest.approx(people.base_weight.to_numpy() * ours.base_scale * ours.factor, rel=1e-14)
    if method == "truncated":
        low, high = PROBLEMS.query("data == @data and problem == @problem and method == @method").iloc[0][["low", "high"]]
        assert ours.bounds_hit == {"low": int((ours.factor < low + 1e-6).sum()), "high": int((ours.factor > high - 1e-6).sum())}
        assert min(ours.bounds_hit.values()) > 0


def test_newton_needs_few_steps_and_linear_calibration_one() -> None:
    for data, problem, method in RUNS:
        found = calibrated(data, problem, method, persons(data))
        assert found.iterations <= {"poststratification": 0, "linear": 2}.get(method, 9), (data, problem, method)


def test_the_scale_of_the_base_weights_does_not_matter() -> None:
    people = persons("plain")
    for problem, method in (("income", "logit"), ("four", "truncated"), ("crossed", "raking")):
        once = calibrated("plain", problem, method, people)
        again = calibrated("plain", problem, method, people.assign(base_weight=people.base_weight * 1234.5))
        assert again.weights == pytest.approx(once.weights, rel=1e-10) and again.factor == pytest.approx(once.factor, rel=1e-10)


def test_g_is_constant_in_a_joint_cell_of_the_margins() -> None:
    found = calibrated("plain", "four", "logit", persons("plain"))
    assert (pd.Series(found.factor).groupby(found.cell).nunique() == 1).all()
    assert found.cell.min() == 0 and len(np.unique(found.cell)) == found.cell.max() + 1
