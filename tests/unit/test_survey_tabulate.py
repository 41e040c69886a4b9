"""One call for a table: every way of computing it gives the same numbers."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey import (
    Design,
    Distribution,
    Mean,
    Quantile,
    Ratio,
    Result,
    Share,
    Total,
    estimate_replicates,
    jointly,
    make_replicates,
    tabulate,
)

STATISTICS = [
    Share("works", "", "works"),
    Share("rare", "age_group <> 'old'", "rare"),
    Mean("income", "", "income"),
    Total("people", "works"),
    Total("thrice", "works", "3"),
    Total("earned", "", "income"),
    Ratio("per_head", "", "income", "members"),
    Distribution("marital", "", "marital"),
]
CROSSINGS: list[tuple[str, ...]] = [(), ("sex",), ("sex", "age_group")]
DESIGNS = {
    "weights only": Design("w"),
    "nothing": Design(None),
    "strata": Design("w", "stratum"),
    "clusters": Design("w", "stratum", "psu"),
    "finite population": Design("w", "stratum", "psu", fpc="psus"),
    "lonely": Design("w", "thin", "psu"),
    "lonely removed": Design("w", "thin", "psu", lonely_psu="remove"),
    "lonely average": Design("w", "thin", "psu", lonely_psu="average"),
    "some without PSU": Design("w", "stratum", "some"),
    "strata sampled whole": Design("w", "thin", "psu", fpc="few", lonely_psu="average"),
}
NUMBERS = ["value", "se", "ci_low", "ci_high", "n", "population", "deff", "df", "cv"]


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    """600 respondents in 8 strata of 6 PSUs, one of them alone in a `thin` stratum; a tenth of the answers is missing.
    `few` PSUs are in the population, in two strata no more than in the sample."""
    rng = np.random.default_rng(4)
    size = 600
    frame = pd.DataFrame({"psu": rng.integers(0, 48, size)})
    frame["stratum"], frame["psus"] = frame["psu"] // 6, 20 + frame["psu"] // 6
    frame["thin"] = np.where(frame["psu"] == 47, 99, frame["stratum"])
    frame["some"] = frame["psu"].where(frame["psu"] % 5 > 1)
    frame["few"] = frame.groupby("thin")["psu"].transform("nunique") * np.where(frame["thin"] >= 7, 1, 3)
    frame["w"] = 40 * np.exp(rng.normal(0, 1, size))
    frame.loc[:4, "w"] = 0.0
    frame["sex"] = rng.choice(["F", "M", None], size, p=[0.5, 0.45, 0.05])
    frame["age_group"] = rng.choice(["young", "old"], size, p=[0.9, 0.1])
    frame["works"] = pd.array(rng.random(size) < 0.6, dtype="boolean")
    frame["rare"] = pd.array(rng.random(size) < 0.03, dtype="boolean")
    frame["income"] = rng.gamma(2, 300, size)
    frame["members"] = rng.integers(1, 7, size).astype(float)
    frame["marital"] = rng.choice(["single", "married", "widowed"], size)
    for name in ("works", "rare", "income", "members", "marital"):
        frame[name] = frame[name].mask(rng.random(size) < 0.1)
    return frame


def by_label(table: pd.DataFrame) -> pd.DataFrame:
    return table.set_index(["code", "category", "sex", "age_group"])[NUMBERS].astype(float).sort_index()


@pytest.mark.parametrize("name", DESIGNS)
def test_sums_and_influence_values_give_the_same_numbers(people: pd.DataFrame, name: str) -> None:
    """The latter are pinned to R, the former takes any number of rows."""
    design = DESIGNS[name]
    ours = by_label(tabulate(people, design, STATISTICS, CROSSINGS))
    cells = [{}, *({"sex": s} for s in "FM"), {"sex": "_U"}]
    cells += [{"sex": s, "age_group": a} for s in ("F", "M", "_U") for a in ("young", "old")]
    joint = jointly(people, design, [Result(statistic, cell) for statistic in STATISTICS for cell in cells]).table
    joint = joint[joint["n"] > 0].copy()
    for dimension in ("sex", "age_group"):
        joint[dimension] = joint[dimension].fillna("_T")
    theirs = by_label(joint)
    assert len(ours) == len(theirs) > 60
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-9, atol=1e-12)


def test_the_same_crossing_in_another_order_counts_nobody_twice(people: pd.DataFrame) -> None:
    statistics = [Share("works", "", "works")]
    both = tabulate(people, Design("w"), statistics, [("sex", "age_group"), ("age_group", "sex")])
    once = tabulate(people, Design("w"), statistics, [("sex", "age_group")])
    for name in ("sex*age_group", "age_group*sex"):
        found = both[both["breakdown"] == name].set_index(["sex", "age_group"]).sort_index()
        expected = once.set_index(["sex", "age_group"]).sort_index()
        pd.testing.assert_frame_equal(found[NUMBERS], expected[NUMBERS])


def test_quantiles_and_two_stages_stand_in_the_same_table(people: pd.DataFrame) -> None:
    statistics = [Share("works", "", "works"), Quantile("median", "", "income"), Mean("income", "", "income")]
    table = tabulate(people, DESIGNS["clusters"], statistics, CROSSINGS)
    assert table["code"].drop_duplicates().tolist() == ["works", "median", "income"]
    assert table["breakdown"].drop_duplicates().tolist() == ["total", "sex", "sex*age_group"]
    median = table[(table["code"] == "median") & (table["breakdown"] == "total")].iloc[0]
    assert median["ci_low"] < median["value"] < median["ci_high"] and median["se"] > 0
    two = tabulate(people.assign(hh=people.index), Design("w", "stratum", "psu", "psus", "hh"), statistics, [("sex",)])
    one = tabulate(people, DESIGNS["finite population"], statistics, [("sex",)])
    assert np.allclose(two["value"], one["value"]) and (two["se"] >= one["se"] * (1 - 1e-9)).all()


def test_replicate_weights_give_the_same_estimates_and_like_errors(people: pd.DataFrame) -> None:
    design = DESIGNS["clusters"]
    weights, replicates = make_replicates(people, design, "JKn")
    frame = people.join(pd.DataFrame(weights, people.index, replicates.columns))
    replicated = Design("w", "stratum", "psu", replicates=replicates)
    ours, theirs = (tabulate(frame, d, STATISTICS, [("sex",)]) for d in (replicated, design))
    assert np.allclose(ours["value"], theirs["value"], rtol=1e-9)
    varies = theirs["se"] > 0
    assert ((ours["se"] == 0) == (theirs["se"] == 0)).all() and varies.sum() > 20
    assert (ours["se"] / theirs["se"])[varies].between(0.9, 1.15).all()
    # Both divide by the variance of the same simple random sample.
    simple = [table["se"] ** 2 / table["deff"] for table in (ours, theirs)]
    assert np.allclose(*simple, rtol=1e-9, equal_nan=True) and simple[0].notna().sum() > 20
    assert np.allclose(ours["cv"] * ours["value"].abs(), ours["se"].where(ours["value"] != 0), equal_nan=True)
    assert len(estimate_replicates(frame, replicated, STATISTICS, [("sex",)]).table) == len(ours)


def test_a_frame_a_file_a_relation_and_a_table_give_the_same(people: pd.DataFrame, tmp_path: Path) -> None:
    people.to_parquet(tmp_path / "people.parquet")
    with duckdb.connect() as con:
        con.register("people", people)
        sources = [people, tmp_path / "people.parquet", str(tmp_path / "people.parquet"), con.table("people"), (con, "people")]
        tables = [tabulate(source, DESIGNS["strata"], STATISTICS, [("sex",)]) for source in sources]  # type: ignore[arg-type]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(table, tables[0])
    with pytest.raises(InputError, match="no such file"):
        tabulate("absent.parquet", Design(None), STATISTICS)


def test_the_example_of_the_docstring_is_true() -> None:
    people = pd.DataFrame({"sex": ["F", "F", "M", "M"], "y": [1, 0, 1, 1], "w": [1.0, 2.0, 1.5, 0.5]})
    table = tabulate(people, Design(weight="w"), [Share("works", "", "y = 1")], [("sex",)])[["sex", "value", "n"]]
    expected = "  sex     value  n\n0   F  0.333333  2\n1   M  1.000000  2"
    assert table.to_string() == expected and expected.split("\n")[1] in str(tabulate.__doc__)


@pytest.mark.parametrize("wrong", [{"psus": 2.0}, {"psus": 0.0}, {"psus": [20.0, 21.0] * 300}, {"psus": [np.nan, 21.0] * 300}])
@pytest.mark.parametrize("statistic", [STATISTICS[0], Quantile("median", "", "income")])
def test_a_population_size_that_cannot_be_names_its_strata(people: pd.DataFrame, wrong: dict, statistic: Share | Quantile) -> None:
    with pytest.raises(InputError, match=r"variable psus, code [0-7]: the fpc (varies|is)"):
        tabulate(people.assign(**wrong), DESIGNS["finite population"], [statistic])


def test_the_example_of_the_methodology_runs_as_printed(
    people: pd.DataFrame, repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"stratum": "region", "psu": "ea"}
    columns = ["stratum", "psu", "w", "sex", "income"]
    survey = people[columns].rename(columns=names).assign(age=30, job=people["marital"].replace("single", "none"))
    survey.to_parquet(tmp_path / "survey.parquet")
    (code,) = re.findall(r"```python\n(.*?)```", (repository / "docs" / "methodology.md").read_text(), re.DOTALL)
    *before, gap, ratio = code.strip().splitlines()
    monkeypatch.chdir(tmp_path)
    found: dict = {}
    exec("\n".join(before), found)
    women, men = found["both"].table["value"]
    assert eval(gap, found)["value"].tolist() == pytest.approx([women - men])
    assert eval(ratio, found)["value"].tolist() == pytest.approx([women / men])


def test_the_worked_example_of_the_methodology_prints_what_it_says(repository: Path) -> None:
    found = doctest.testfile(str(repository / "docs" / "methodology.md"), module_relative=False, encoding="utf-8")
    assert found.attempted > 25 and found.failed == 0
