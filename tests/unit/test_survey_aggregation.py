"""The grouped-sum pass: who is in the base, which PSU is which, what weights are refused."""

from __future__ import annotations

from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey import Share, Sums, aggregate

YES = Share("yes", "", "answer = 'yes'")


def table(**columns: Any) -> pd.DataFrame:
    rows = max(len(value) for value in columns.values() if isinstance(value, list))
    plain = {"survey_id": "s", "respondent_id": [f"r{i}" for i in range(rows)], "stratum": None, "psu": None, "weight": 1.0}
    frame = pd.DataFrame(plain | {"sex": "F", "answer": "yes"} | columns, index=range(rows))
    return frame.astype({"stratum": "str", "psu": "str", "sex": "str", "answer": "str"})


def sums(frame: pd.DataFrame, shares: list[Share] | None = None, dimension: str = "sex") -> Sums:
    con = duckdb.connect()
    con.register("frame", frame)
    return aggregate(con, "frame", shares or [YES], [(), (dimension,)])


def of(found: Sums, matrix: str, column: np.ndarray, by: tuple[str, ...] = ()) -> np.ndarray:
    """Columns (those of y, known, ...) of one matrix of sums."""
    return getattr(found.crossings[by], matrix)[:, column]


def test_the_base_is_those_in_the_universe_who_answered() -> None:
    frame = table(
        worked=["yes", "yes", "yes", "no", None, None],
        answer=["yes", "no", None, "yes", "yes", None],
        weight=[1.0, 2.0, 4.0, 8.0, 16.0, 32.0],
    )
    shares = [
        Share("narrow", "worked = 'yes'", "answer = 'yes'"),
        YES,
        Share("everybody", "TRUE", "COALESCE(answer = 'yes', FALSE)"),
    ]
    found = sums(frame, shares)
    for by in [(), ("sex",)]:
        assert of(found, "counted", found.summands.known, by).sum(axis=0).tolist() == [2, 4, 6]
        assert of(found, "counted", found.summands.y, by).sum(axis=0).tolist() == [1, 3, 3]
        assert of(found, "weighted", found.summands.x, by).sum(axis=0).tolist() == [3, 27, 63]
        assert of(found, "weighted", found.summands.y, by).sum(axis=0).tolist() == [1, 25, 25]


def test_a_respondent_without_weight_is_not_in_the_sample_and_one_of_weight_zero_is() -> None:
    found = sums(table(psu=["1", "2", "3"], weight=[None, 0.0, 5.0]))
    assert found.strata.psus.tolist() == [2]
    assert found.cases.tolist() == [1] and found.total_weight.tolist() == [5]
    assert of(found, "counted", found.summands.known).sum() == 1


def test_psus_are_nested_in_strata_and_in_surveys() -> None:
    frame = table(
        survey_id=["a", "a", "a", "b", "b"], stratum=["north", "south", "south", None, None], psu=["1", "1", "2", "1", "2"]
    )
    found = sums(frame)
    assert found.psus["survey"].tolist() == [0, 0, 0, 1, 1] and found.psus["stratum"].tolist() == [0, 1, 1, 2, 2]
    assert found.crossings["sex",].psu.tolist() == [0, 1, 2, 3, 4]
    assert found.strata[["survey_id", "name", "psus"]].to_dict("list") == {
        "survey_id": ["a", "a", "b"],
        "name": ["north", "south", ""],
        "psus": [1, 2, 2],
    }


def test_a_respondent_without_psu_is_one_even_if_a_psu_has_its_id() -> None:
    found = sums(table(respondent_id=["1", "2", "3", "4"], psu=["2", "2", None, None]))
    assert found.strata.psus.tolist() == [3]
    found = sums(table(respondent_id=["1", "2"], psu=["2", None]))
    assert found.strata.psus.tolist() == [2]


def test_a_missing_dimension_is_a_category_of_its_own() -> None:
    found = sums(table(sex=["F", None, "M"]))
    assert found.categories["sex"].tolist() == ["F", "M", "_U"] and found.crossings["sex",].codes["sex"].tolist() == [0, 1, 2]
    assert sums(table(sex=["F", None, "_U"])).categories["sex"].tolist() == ["F", "_U"]


def test_groups_are_sorted_whatever_the_order_of_rows() -> None:
    frame = table(survey_id=["b", "a", "b", "a"], psu=["2", "1", "1", "2"], weight=[1.0, 2.0, 3.0, 4.0])
    found, turned = sums(frame), sums(frame.iloc[[3, 2, 1, 0]])
    assert found.surveys == ("a", "b")
    assert of(found, "weighted", found.summands.x)[:, 0].tolist() == [2, 4, 3, 1]
    for ours, theirs in zip(found.crossings.values(), turned.crossings.values(), strict=True):
        assert ours.psu.tolist() == theirs.psu.tolist() == [0, 1, 2, 3]
        assert np.array_equal(ours.weighted, theirs.weighted)


def test_respondents_without_psu_share_a_group_whose_second_moments_stand_for_them() -> None:
    found = sums(table(answer=["yes", "no", None, "yes"], weight=[1.0, 2.0, 4.0, 8.0]))
    assert found.psus["alone"].tolist() == [True] and found.strata.psus.tolist() == [4]
    assert of(found, "squared", found.summands.yy).tolist() == [[1 + 64]]
    assert of(found, "squared", found.summands.xx).tolist() == [[1 + 4 + 64]]
    assert sums(table(psu=["1", "2"])).crossings[()].squared is None


@pytest.mark.parametrize("clustered", [True, False])
def test_sums_are_the_same_however_many_rows_are_read_at_a_time(clustered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rga.survey.grouping.FEW", 5)  # so that sums so far are added up several times
    rng = np.random.default_rng(5)
    rows = 3_000
    frame = table(
        survey_id=rng.choice(["b", "a"], rows).tolist(),
        stratum=rng.choice(["1", "2"], rows).tolist(),
        psu=rng.choice(["1", "2", "3"], rows).tolist() if clustered else None,
        sex=rng.choice(["F", "M"], rows).tolist(),
        answer=rng.choice(["yes", "no"], rows).tolist(),
        weight=rng.integers(1, 9, rows).astype(float).tolist(),
    )
    con = duckdb.connect()
    con.register("frame", frame)
    found = [aggregate(con, "frame", [YES], [(), ("sex",)], batch=batch) for batch in (10, 700, 100_000)]
    for other in found[1:]:
        assert other.surveys == found[0].surveys
        pd.testing.assert_frame_equal(other.strata, found[0].strata)
        assert other.psus.keys() == found[0].psus.keys()
        assert all(np.array_equal(other.psus[name], array) for name, array in found[0].psus.items())
        for by, crossing in other.crossings.items():
            for name, array in vars(crossing).items():
                mine = getattr(found[0].crossings[by], name)
                assert np.array_equal(mine, array) if isinstance(array, np.ndarray) else (mine is None) == (array is None)
            assert crossing.codes.keys() == found[0].crossings[by].codes.keys()


@pytest.mark.parametrize("weight", [-1.0, np.inf, np.nan])
def test_a_weight_that_is_negative_or_not_finite_is_refused(weight: float) -> None:
    con = duckdb.connect()
    con.register("frame", table(weight=[1.0, 1.0]))
    con.execute("CREATE TABLE respondents AS SELECT * FROM frame")
    con.execute("UPDATE respondents SET weight = ? WHERE respondent_id = 'r1'", [weight])
    if np.isnan(weight):
        con.execute("UPDATE respondents SET weight = 'NaN'::DOUBLE WHERE respondent_id = 'r1'")
    with pytest.raises(InputError, match="s: a weight is negative, infinite or not a number"):
        aggregate(con, "respondents", [YES], [("sex",)])


def test_no_respondent_makes_empty_sums() -> None:
    found = sums(table(weight=[None, None]))
    assert found.surveys == () and of(found, "counted", found.summands.known).shape == (0, 1)


def test_names_with_quotes_are_names() -> None:
    frame = table(answer=["yes", "no"]).rename(columns={"sex": 'se"x'})
    assert sums(frame, dimension='se"x').categories['se"x'].tolist() == ["F"]


@pytest.mark.parametrize("kind", ["str", "category"])
@pytest.mark.parametrize("texts", [3, 64, 65, 300], ids=lambda n: f"{n}_texts")
def test_sums_are_those_of_pandas_however_many_texts_a_column_has_and_whatever_is_in_them(
    texts: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rga.survey.grouping.DENSE", 8 if texts < 300 else 0)  # both ways of finding groups
    rng = np.random.default_rng(texts)
    rows = 2_000
    names = np.array([f'it\'s {i}, "{i}" [é]' for i in range(texts)], dtype=object)
    region = np.where(rng.random(rows) < 0.1, None, names[rng.integers(0, texts, rows)])
    answers = {f"a{k}": np.where(rng.random(rows) < 0.2 * (k % 2), None, rng.choice(["yes", "no"], rows)) for k in range(9)}
    frame = table(stratum=list(region), psu=list(rng.choice(["1", "2"], rows)), weight=list(rng.uniform(0, 9, rows)))
    frame = frame.assign(region=pd.Series(region, dtype="str"), **{k: pd.Series(v, dtype="str") for k, v in answers.items()})
    grouped = frame[["survey_id", "stratum", "psu", "region"]].astype(kind)
    if kind == "category":
        grouped = grouped.apply(lambda column: column.cat.add_categories(["nobody's"]))
    found = sums(frame.assign(**grouped), [Share(name, "", f"{name} = 'yes'") for name in answers], "region")
    assert found.surveys == ("s",) and found.categories["region"].tolist() == sorted({*region} - {None} | {"_U"})
    keys = [frame["stratum"].fillna(""), frame["psu"], frame["region"].fillna("_U")]
    for k, name in enumerate(answers):
        known = frame[name].notna().to_numpy()
        for matrix, weight in {"weighted": frame["weight"], "counted": pd.Series(1.0, range(rows))}.items():
            by = keys if matrix == "weighted" else [keys[0], keys[2]]
            for column, counted in {"x": known, "y": (frame[name] == "yes").to_numpy()}.items():
                expected = (weight * counted).groupby(by).sum().to_numpy()
                column_of = np.arange(found.summands.width)[getattr(found.summands, column)]
                assert of(found, matrix, column_of[k], ("region",)) == pytest.approx(expected, rel=1e-12)
