"""The attacker's program on small releases whose respondents are known."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.warehouse.attack.findings import Findings, HandedOver, findings
from rga.warehouse.attack.model import learned
from rga.warehouse.attack.numerators import Work
from rga.warehouse.attack.observed import differences
from rga.warehouse.attack.possible import Possible
from rga.warehouse.attack.published import read
from rga.warehouse.attack.sums import compositions, meet, parts, sample

DIMENSIONS = ["sex", "age_group", "education"]
BREAKDOWNS = [[], ["sex"], ["sex", "age_group"], ["sex", "education"]]
OLD, MIDDLE = "Y_GE65", "Y45T54"  # hidden for women, in every indicator


def people(seed: int = 1) -> pd.DataFrame:
    """400 respondents whose weights are a product of what their sex and age group, and their sex and education, are worth."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], 400),
            "age_group": rng.choice(["Y18T24", "Y25T44", MIDDLE, OLD], 400, p=[0.4, 0.45, 0.08, 0.07]),
            "education": rng.choice(["primary", "secondary", "tertiary"], 400),
        }
    )
    for name in DIMENSIONS[1:]:
        of = frame.groupby(["sex", name]).ngroup()
        frame[name + "_worth"] = np.exp(rng.normal(0, 0.4, of.max() + 1))[of]
    return frame.assign(weight=50 * frame["age_group_worth"] * frame["education_worth"])


def release(
    frame: pd.DataFrame, indicators: int = 40, value_step: float = 0.0, population_step: float = 0.0
) -> tuple[duckdb.DuckDBPyConnection, pd.DataFrame]:
    """As much of a release as an attacker reads, with women of two age groups hidden in every indicator; and the true numerators.
    With steps it has the columns that say so."""
    rng, rows = np.random.default_rng(2), []
    for number in range(indicators):
        answered = frame[rng.random(len(frame)) > 0.01 * (number % 4)]
        yes = answered.assign(yes=rng.random(len(answered)) < 0.3)
        for by in BREAKDOWNS:
            cells = yes.groupby(by) if by else [((), yes)]
            for key, cell in cells:
                row = {name: "_T" for name in DIMENSIONS} | dict(zip(by, key, strict=True))
                total = cell["weight"].sum()
                share = 100 * (cell["weight"] * cell["yes"]).sum() / total
                row |= {
                    "indicator": f"I{number}",
                    "breakdown": "*".join(by) or "total",
                    "n": len(cell),
                    "count": int(cell["yes"].sum()),
                }
                rows.append(row | {"population": total, "value": share})
    estimates = pd.DataFrame(rows).assign(survey_id="S", statistic="share", category="_T")
    hidden = estimates["sex"].eq("F") & estimates["age_group"].isin([MIDDLE, OLD])
    estimates["value"] = estimates["value"].mask(hidden)
    estimates["obs_status"], estimates["conf_status"] = np.where(hidden, "Q", "A"), "F"
    surveys = pd.DataFrame({"survey_id": ["S"]})
    if value_step:
        estimates["value"] = (estimates["value"] / value_step).round() * value_step
        estimates["precision"], estimates["rounded_to"] = value_step, np.nan
    if population_step:
        estimates["population"] = (estimates["population"] / population_step).round() * population_step
        surveys["population_rounded_to"] = population_step
    margins = [
        frame.groupby(["sex", name])["weight"].agg(["size", "sum"]).reset_index().set_axis(["sex", "of", "n", "after"], axis=1)
        .assign(margin=f"sex*{name}", category=lambda part: part["sex"] + "*" + part["of"])
        for name in DIMENSIONS[1:]
    ]  # fmt: skip
    step = {"survey_id": "S", "n": len(frame), "bounds_hit": 0, "why": ""}
    weight = frame["weight"]
    steps = [
        step | {"step": 0, "action": "base", "method": "constant", "sum_of_weights": 400.0, "min_weight": 1.0, "max_weight": 1.0},
        step | {"step": 1, "action": "calibrate", "method": "raking", "sum_of_weights": weight.sum(), "min_weight": weight.min(),
                "max_weight": weight.max()},
    ]  # fmt: skip
    tables = {
        "estimates": estimates.drop(columns="count"),
        "margins": pd.concat(margins).assign(survey_id="S")[["survey_id", "margin", "category", "n", "after"]],
        "weighting": pd.DataFrame(steps),
        "surveys": surveys,
        "breakdowns": pd.DataFrame({"dimensions": [", ".join(by) for by in BREAKDOWNS]}),
    }
    connection = duckdb.connect()
    for name, table in tables.items():
        connection.register("frame", table)
        connection.execute(f"CREATE TABLE {name} AS FROM frame").fetchall()
    return connection, estimates


def right(found: Findings, estimates: pd.DataFrame) -> pd.Series:
    both = found.cells.merge(estimates[["indicator", *DIMENSIONS, "count"]], on=["indicator", *DIMENSIONS], validate="one_to_one")
    assert len(both) == len(found.cells)
    return both["count"].between(both["lowest"], both["highest"])


def test_the_composition_of_a_base_follows_from_its_size_and_weight() -> None:
    weights, most = np.array([1.7, 2.9, 4.3]), np.array([9, 9, 9])
    made = np.array([4, 2, 5])
    total = float(made @ weights)
    assert compositions(weights, most, 11, total - 1e-9, total + 1e-9, 1000).tolist() == [made.tolist()]  # type: ignore[union-attr]


def test_every_composition_within_an_interval_is_found_and_no_other() -> None:
    weights, most = np.array([1.0, 2.0, 4.0, 5.0]), np.array([3, 2, 4, 2])
    every = np.stack(np.meshgrid(*(np.arange(m + 1) for m in most), indexing="ij"), axis=-1).reshape(-1, 4)
    expected = {tuple(one) for one in every if one.sum() == 5 and 12.5 <= one @ weights <= 15.0}
    found = compositions(weights, most, 5, 12.5, 15.0, 1000)
    assert found is not None and len(found) == len(expected) > 3
    assert {tuple(one) for one in found} == expected


def test_what_is_too_much_to_try_is_left() -> None:
    many = np.arange(1.0, 30.0)
    assert compositions(many, np.full(29, 50), 40, 10.0, 20.0, 10_000) is None
    assert parts(many, np.full(29, 50), 50, 1e9, 10_000) is None


def test_sums_of_two_sides_meet() -> None:
    left = np.array([[0], [1], [2]]), np.array([0.0, 3.1, 6.2])
    right_side = np.array([[0], [1], [2], [3]]), np.array([0.0, 2.3, 4.6, 6.9])
    enough = np.array([4, 4])
    assert meet(left, right_side, 7.7 - 1e-9, 7.7 + 1e-9, enough, 1000) == ([{1}, {2}], True)
    wide, finished = meet(left, right_side, 0.0, 20.0, np.array([3, 4]), 1000)
    assert wide == [{0, 1, 2}, {0, 1, 2, 3}] and finished


def test_a_sample_has_parts_of_the_base_only() -> None:
    weights, most = np.array([1.0, 10.0]), np.array([2, 3])
    count, weight = sample(weights, most, 25.0, 200)
    assert set(zip(count.tolist(), weight.tolist(), strict=True)) <= {
        (a + b, a + 10.0 * b) for a in range(3) for b in range(4) if a + 10 * b <= 25
    }
    assert len(set(count.tolist())) > 3


def test_bases_that_differ_by_one_respondent_give_a_weight() -> None:
    rows = pd.DataFrame(
        {"sex": "F", "age_group": "Y18T24", "breakdown": "sex*age_group", "n": [30, 29, 27], "population": [300.0, 287.5, 260.0]}
    )
    assert differences(rows, "age_group", "F", 5.0, 40.0)["Y18T24"].tolist() == [12.5]
    assert not len(differences(rows, "age_group", "F", 13.0, 40.0)["Y18T24"]), "no respondent weighs so little"


def test_single_weights_and_the_calibration_model_give_all_weights() -> None:
    frame = people()
    connection, _ = release(frame)
    published = read(connection).part("S", np.arange(len(read(connection).cells)))
    classes = learned(published.cells, published.margins, published.steps, 1_000_000)
    assert set(classes) == {"F", "M"}
    for sex, found in classes.items():
        true = frame[frame["sex"] == sex].pivot_table("weight", "age_group", "education", aggfunc=["first", "size"])
        assert np.allclose(found.weight, true["first"].loc[found.rows, found.columns], rtol=1e-11, atol=0)
        assert (found.most == true["size"].loc[found.rows, found.columns]).all(axis=None)


def test_numerators_of_hidden_cells_are_found_from_exact_numbers() -> None:
    connection, estimates = release(people())
    found = findings(connection)
    assert found.surveys == ["S"] and found.hidden == 80
    assert len(found.cells) > 60 and right(found, estimates).all()
    assert (found.cells["left"] == 1).sum() > 50


def test_without_weights_two_hidden_cells_protect_each_other() -> None:
    connection, _ = release(people())
    connection.execute("UPDATE weighting SET method = 'propensity' WHERE step = 0")
    found = findings(connection)
    assert found.cells.empty and not found.surveys


def test_rounded_numbers_say_nothing() -> None:
    frame = people()
    connection, _ = release(frame, value_step=0.5, population_step=float(2 * frame["weight"].max()))
    assert findings(connection).cells.empty
    connection, _ = release(frame, value_step=0.5)
    found = findings(connection)
    assert found.surveys == ["S"] and found.cells.empty, "weights are known, and intervals are too wide"


def test_true_weights_break_what_is_rounded_too_little() -> None:
    frame = people()
    step = float(2 * frame["weight"].max())
    fine, estimates = release(frame, value_step=0.0001, population_step=step)
    assert findings(fine).cells.empty
    answered, keys = frame, ["survey_id", "indicator", "statistic", "category", "breakdown", *DIMENSIONS]
    everybody = estimates[estimates["n"].eq(estimates.groupby(["breakdown", *DIMENSIONS])["n"].transform("max"))]
    parts_of = []
    for row in everybody[everybody["indicator"] == "I0"].to_dict("records"):
        cell = answered[np.logical_and.reduce([(answered[name] == row[name]) | (row[name] == "_T") for name in DIMENSIONS])]
        size = cell.groupby("weight").size()
        parts_of.append(
            pd.DataFrame({"weight": size.index, "respondents": size.to_numpy()}).assign(**{name: row[name] for name in keys})
        )
    told = HandedOver(weights=pd.concat(parts_of))
    found = findings(fine, told=told)
    assert set(found.cells["indicator"]) == {"I0"} and right(found, estimates).all()
    coarse, _ = release(frame, value_step=2.0, population_step=step)
    assert findings(coarse, told=told).cells.empty


def test_work_is_limited_and_what_is_not_finished_is_counted() -> None:
    connection, _ = release(people())
    full, little = findings(connection), findings(connection, work=replace(Work(), states=10))
    assert full.unfinished == 0 < little.unfinished
    assert len(little.cells) < len(full.cells)


@pytest.mark.parametrize(("low", "high", "left", "between"), [(0, 3, 3, (1, 3)), (6, 30, 4, (26, 29)), (0, 30, 8, (1, 29))])
def test_a_cell_hidden_for_confidentiality_has_a_small_count_or_complement(
    low: int, high: int, left: int, between: tuple[int, int]
) -> None:
    one = np.ones(1, dtype=bool)
    possible = Possible.told(np.array([30.0]), one, one, one, knows=False)
    assert possible.left(np.array([low]), np.array([high])) == [left]
    assert tuple(int(limit[0]) for limit in possible.within(np.array([low]), np.array([high]))) == between


def test_a_cell_narrowed_too_far_is_no_secret_and_has_none_or_five() -> None:
    one, none = np.ones(1, dtype=bool), np.zeros(1, dtype=bool)
    possible = Possible.told(np.array([30.0]), one, none, none, knows=False)

    def within(low: float, high: float) -> tuple[int, int]:
        return tuple(int(limit[0]) for limit in possible.within(np.array([low]), np.array([high])))  # type: ignore[return-value]

    assert within(0, 2) == (0, 0) and within(4, 6) == (5, 6)
    assert within(2, 9) == (2, 9), "four values or more: it may be a secret"
    known = Possible.told(np.array([30.0]), one, none, none, knows=True)
    assert known.within(np.array([2.0]), np.array([9.0])) == (np.array([5]), np.array([9]))
