"""Small awkward data, however it comes: a clear error, or the right numbers, and no warning."""

from __future__ import annotations

from collections.abc import Callable
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
    Replicates,
    Result,
    Share,
    Total,
    jointly,
    make_replicates,
    tabulate,
)
from rga.survey.statistics import Statistic

pytestmark = pytest.mark.filterwarnings("error")

DESIGN = Design("w", "stratum", "psu")
REPLICATED = Design("w", replicates=Replicates(("r1", "r2", "r3"), "bootstrap"))
SHARE, MEDIAN, INCOME = Share("s", "", "y = 1"), Quantile("q", "", "income"), Mean("m", "", "income")
EVERY: list[Statistic] = [
    SHARE,
    INCOME,
    Total("t", "", "income"),
    Ratio("r", "", "income", "y + 1"),
    Distribution("d", "", "sex"),
    MEDIAN,
]
BY: list[tuple[str, ...]] = [(), ("sex",)]
# One call for each way of computing: sums, influence values, replicates.
WAYS = {"sums": (DESIGN, SHARE), "influence": (DESIGN, MEDIAN), "replicates": (REPLICATED, SHARE)}


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    size = 80
    frame = pd.DataFrame({"sex": rng.choice(["F", "M"], size), "y": rng.integers(0, 2, size)})
    frame["income"], frame["w"] = rng.gamma(2, 100, size).round(), rng.uniform(0.5, 9, size)
    frame["stratum"], frame["psu"] = rng.integers(1, 4, size), rng.integers(1, 9, size)
    for column in ("r1", "r2", "r3"):
        frame[column] = frame["w"] * rng.choice([0.5, 1.5], size)
    return frame


TYPES: dict[str, Callable[[pd.DataFrame], dict]] = {
    "categories with one unused": lambda p: {"sex": pd.Categorical(p["sex"], categories=["M", "Z", "F"])},
    "categories that are numbers": lambda p: {"stratum": pd.Categorical(p["stratum"]), "psu": pd.Categorical(p["psu"])},
    "nullable numbers": lambda p: {name: p[name].convert_dtypes() for name in ("y", "income", "w", "stratum", "psu")},
    "strings and objects": lambda p: {"sex": p["sex"].astype("string"), "psu": p["psu"].astype(object)},
    "numbers with a fraction": lambda p: {"stratum": p["stratum"].astype(float), "psu": p["psu"] + 0.5},
    "weights as text": lambda p: {"w": p["w"].astype(str)},
}


@pytest.mark.parametrize("name", TYPES)
def test_the_type_of_a_column_does_not_matter(people: pd.DataFrame, name: str) -> None:
    expected = tabulate(people, DESIGN, EVERY, BY)
    pd.testing.assert_frame_equal(tabulate(people.assign(**TYPES[name](people)), DESIGN, EVERY, BY), expected)


@pytest.mark.parametrize(
    "names",
    [
        {"sex": "d0", "y": "y0", "income": "w", "w": "select", "stratum": "psu", "psu": 'we"ird'},
        {"sex": "survey", "y": "a0", "income": "rowid", "w": "base", "stratum": "y1", "psu": "stratum"},
        {"sex": "column", "y": "everybody", "income": "x0", "w": "known", "stratum": "fpc", "psu": "survey"},
    ],
)
def test_a_column_may_be_called_as_ours_are(people: pd.DataFrame, names: dict[str, str]) -> None:
    y, income, sex = names["y"], names["income"], names["sex"]
    design = Design(names["w"], names["stratum"], names["psu"])
    statistics = [Share("s", "", f"{y} = 1"), Mean("m", "", income), Total("t", "", income), Ratio("r", "", income, f"{y} + 1")]
    statistics += [Distribution("d", "", f'"{sex}"'), Quantile("q", "", income)]
    theirs = tabulate(people[list(names)].rename(columns=names), design, statistics, [(), (sex,)])
    theirs = theirs.rename(columns={sex: "sex"}).replace({"breakdown": {sex: "sex"}})
    pd.testing.assert_frame_equal(theirs, tabulate(people, DESIGN, EVERY, BY))


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_there_is_named(people: pd.DataFrame, way: str) -> None:
    design, statistic = WAYS[way]
    with pytest.raises(InputError, match="variable nowhere: no such column"):
        tabulate(people, design, [statistic], [("nowhere",)])
    with pytest.raises(InputError, match="variable nowhere: no such column"):
        tabulate(people.drop(columns="w"), Design("nowhere", replicates=design.replicates), [statistic])
    with pytest.raises(InputError, match="variable value: the table has a column of this name"):
        tabulate(people.rename(columns={"sex": "value"}), design, [statistic], [("value",)])


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("expression", ["nowhere", "y =", "sum(y)", "d0", "weight", "stratum_"])
def test_an_expression_that_does_not_fit_names_its_statistic(people: pd.DataFrame, way: str, expression: str) -> None:
    """Not even names that our own queries know are taken for columns of the data."""
    design, statistic = WAYS[way]
    wrong: Statistic = type(statistic)("wrong", "", expression)  # type: ignore[arg-type, call-arg]
    with pytest.raises(InputError, match="variable wrong: "):
        tabulate(people, design, [statistic, wrong], BY)


@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_a_number_is_a_clear_error(people: pd.DataFrame, way: str) -> None:
    with pytest.raises(InputError, match=r"Could not convert string '[FM]' to DOUBLE when casting from source column sex"):
        tabulate(people, WAYS[way][0], [Mean("m", "", "sex") if way != "influence" else Quantile("m", "", "sex")])


def test_a_category_of_which_there_are_none_is_missing(people: pd.DataFrame) -> None:
    data = people.assign(none=pd.Categorical([None] * len(people)))
    pd.testing.assert_frame_equal(tabulate(data, DESIGN, EVERY, BY), tabulate(people, DESIGN, EVERY, BY))
    assert tabulate(data, DESIGN, [MEDIAN], [("none",)])["none"].tolist() == ["_U"]


def test_a_file_that_is_not_parquet_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("sex,y\nF,1\n" * 20)
    with pytest.raises(InputError, match=r"people\.csv"):
        tabulate(tmp_path / "people.csv", DESIGN, EVERY)


def test_nan_in_a_file_or_a_relation_is_missing_as_in_a_frame(people: pd.DataFrame, tmp_path: Path) -> None:
    """DuckDB takes NaN for larger than any number."""
    some = np.arange(len(people)) % 7 == 0
    holes = people.assign(
        income=people["income"].mask(some), psu=people["psu"].mask(some), sex=people["y"].mask(some).astype("float32")
    )
    statistics = [Share("high", "", "income > 150"), *EVERY]
    expected = tabulate(holes, DESIGN, statistics, BY)
    with duckdb.connect() as con:
        con.register("holes", holes)
        nan = ", ".join(
            f"COALESCE({name}, 'NaN'::{kind}) AS {name}"
            for name, kind in (("income", "DOUBLE"), ("psu", "DOUBLE"), ("sex", "FLOAT"))
        )
        con.execute(f"CREATE TABLE nan AS SELECT * REPLACE ({nan}) FROM holes")
        con.execute(f"COPY nan TO '{tmp_path}/nan.parquet'")
        assert con.execute("SELECT count(*) FROM nan WHERE isnan(income)").fetchall()[0][0] == some.sum()
        for data in (tmp_path / "nan.parquet", con.table("nan")):
            pd.testing.assert_frame_equal(tabulate(data, DESIGN, statistics, BY), expected)


@pytest.mark.parametrize(
    "column",
    [
        np.arange(80) % 2 == 0,
        np.float32(0.1) + np.arange(80) % 2,
        pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(80) % 2, "D"),
    ],
)
def test_a_category_that_is_no_text_has_one_name(people: pd.DataFrame, column: object) -> None:
    table = tabulate(people.assign(group=column), DESIGN, [SHARE, MEDIAN], [("group",)])
    shares, medians = (table.loc[table["code"] == code, "group"].tolist() for code in "sq")
    assert shares == medians and len(shares) == 2
    value = pd.Series(column).iloc[0]
    by_value, by_text = jointly(
        people.assign(group=column), DESIGN, [Result(SHARE, {"group": v}) for v in (value, shares[1])]
    ).table["n"]
    assert by_value == by_text == 40 or isinstance(value, np.floating)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("answer", [2, -98, 0.5, np.inf])
def test_a_share_of_numbers_other_than_0_and_1_names_them(people: pd.DataFrame, way: str, answer: float) -> None:
    data = people.assign(y=people["y"].astype(float).where(people.index % 40 != 3, answer))
    for share in (Share("s", "", "y"), Share("s", "y", "income > 0")):
        with pytest.raises(InputError, match=rf"variable s.*`y` is .*\({(data['y'] == answer).sum()} rows\)"):
            tabulate(data, WAYS[way][0], [share])
    assert tabulate(data, WAYS[way][0], [Share("s", "y IN (0, 1)", "y")])["n"].item() == data["y"].isin([0, 1]).sum()


@pytest.mark.parametrize("yes_and_no", [(1, 0), (1.0, 0.0), (True, False), ("1", "0"), ("TRUE", "false")])
def test_a_share_of_numbers_or_text_is_of_those_that_say_yes(people: pd.DataFrame, yes_and_no: tuple[object, object]) -> None:
    yes = people["y"] == 1
    data, share = people.assign(y=pd.Series(np.where(yes, *yes_and_no), people.index)), Share("s", "", "y")
    expected = tabulate(people, DESIGN, [SHARE])
    pd.testing.assert_frame_equal(tabulate(data, DESIGN, [share]), expected)
    assert jointly(data, DESIGN, [Result(share)]).table["value"].iloc[0] == pytest.approx(expected["value"][0], rel=1e-12)
    assert tabulate(data, REPLICATED, [share])["value"][0] == pytest.approx(expected["value"][0], rel=1e-12)


def test_answers_that_are_neither_yes_nor_no_are_not_printed_where_they_may_name_somebody(people: pd.DataFrame) -> None:
    data = people.assign(y=np.where(people.index % 2 == 0, "Maria Perez", "true"))
    with pytest.raises(InputError, match="not shown") as raised:
        tabulate(data, DESIGN, [Share("s", "", "y")])
    assert "Maria" not in str(raised.value)


def test_a_category_called_as_everybody_is_refused(people: pd.DataFrame) -> None:
    data = people.replace({"sex": {"F": "_T"}})
    for design, statistic in WAYS.values():
        with pytest.raises(InputError, match="variable sex: a category is called _T"):
            tabulate(data, design, [statistic], BY)


@pytest.mark.parametrize(
    "nobody", [lambda p: p[:0], lambda p: p.assign(w=np.nan), lambda p: p.assign(w=0.0, r1=0.0, r2=0.0, r3=0.0)]
)
@pytest.mark.parametrize("design", [DESIGN, REPLICATED])
def test_where_nobody_is_the_table_is_empty(people: pd.DataFrame, nobody: Callable, design: Design) -> None:
    table = tabulate(nobody(people), design, [SHARE, INCOME, MEDIAN], BY)
    assert table.empty and "sex" in table


def test_one_respondent_has_values_and_no_errors(people: pd.DataFrame) -> None:
    table = tabulate(people[:1], DESIGN, EVERY).set_index("code")
    assert table["value"].notna().all() and table[["ci_low", "ci_high"]].isna().all(axis=None)
    assert table["se"].isna().tolist() == [False, True, True, True, False, True]  # shares of 0 and 1 do not vary
    total = jointly(people[:1], DESIGN, [Result(EVERY[2])]).table
    assert np.isnan(total["se"].iloc[0])


@pytest.mark.parametrize("most", [np.inf, 1e200])
def test_an_answer_beyond_numbers_is_not_one(people: pd.DataFrame, most: float) -> None:
    data = people.assign(income=people["income"].mask(people.index == 3, most))
    for statistic in EVERY[1:4]:
        for table in (tabulate(data, DESIGN, [statistic], BY), jointly(data, DESIGN, [Result(statistic)]).table):
            hit = table[table["value"].isna() | (table["value"] > 1e100)]
            assert len(hit) and hit[["se", "ci_low", "ci_high"]].isna().all(axis=None) and not np.isinf(table["value"]).any()


def test_a_ratio_without_denominator_has_neither_value_nor_error(people: pd.DataFrame) -> None:
    table = tabulate(people.assign(zero=0), DESIGN, [Ratio("r", "", "income", "zero")], BY)
    assert (table["n"] > 0).all() and table[["value", "se", "ci_low", "ci_high", "cv", "deff"]].isna().all(axis=None)


def test_a_rule_for_lonely_psus_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="not one of adjust, fail"):
        Design("w", lonely_psu="ajust")  # type: ignore[arg-type]


def test_replicates_are_made_of_columns_that_are_there_and_weights_that_can_be(people: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="variable nowhere: no such column"):
        make_replicates(people, Design("w", psu="nowhere"), "JKn")
    with pytest.raises(InputError, match=r"variable w, 1 row: a weight is negative or infinite"):
        make_replicates(people.assign(w=people["w"].mask(people.index == 3, np.inf)), DESIGN, "JKn")
