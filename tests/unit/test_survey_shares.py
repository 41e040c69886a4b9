"""Shares against a slow and obvious computation, and the rules where there is nothing to compute."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from rga.errors import InputError
from rga.survey import Share, Sums, aggregate, estimate

SHARES = [Share("a", "", "a = 'yes'"), Share("b", "a = 'no'", "b = 'yes'")]
BREAKDOWNS: list[tuple[str, ...]] = [(), ("sex",), ("sex", "age_group")]


def survey(seed: int, n: int = 300, clustered: bool = True, scale: float = 1000.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "survey_id": "s",
            "respondent_id": [f"r{i}" for i in range(n)],
            "stratum": rng.choice(["1", "2", "3"], n),
            "psu": pd.Series(rng.integers(0, 9, n).astype(str) if clustered else [None] * n, dtype="str"),
            "weight": rng.lognormal(0, 0.6, n) * scale,
            "sex": rng.choice(["F", "M", None], n, p=[0.5, 0.45, 0.05]),
            "age_group": rng.choice(["Y18T34", "Y35T54", "Y_GE55"], n),
            "a": rng.choice(["yes", "no", None], n, p=[0.4, 0.5, 0.1]),
            "b": rng.choice(["yes", "no", None], n, p=[0.2, 0.7, 0.1]),
        }
    )


def sums(frame: pd.DataFrame, shares: list[Share] = SHARES) -> Sums:
    con = duckdb.connect()
    con.register("frame", frame)
    return aggregate(con, "frame", shares, BREAKDOWNS)


def dense(frame: pd.DataFrame, cell: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Share and variance by the definition: every PSU of the sample, with a zero where it has nobody in the domain."""
    base = cell & ~np.isnan(y)
    w = np.where(base, frame.weight, 0.0)
    p = np.sum(w * np.nan_to_num(y)) / w.sum()
    z = pd.Series(w * (np.nan_to_num(y) - p) / w.sum())
    psu = frame.psu.where(frame.psu.notna(), frame.respondent_id)
    variance = 0.0
    for _, totals in z.groupby([frame.stratum, psu]).sum().groupby(level=0):
        variance += len(totals) * totals.var(ddof=1)
    return float(p), variance


@pytest.mark.parametrize("clustered", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_shares_follow_the_definition(seed: int, clustered: bool) -> None:
    frame = survey(seed, clustered=clustered)
    table = estimate(sums(frame), BREAKDOWNS)
    y = {"a": frame.a.map({"yes": 1.0, "no": 0.0}), "b": frame.b.map({"yes": 1.0, "no": 0.0}).where(frame.a == "no")}
    for row in table.itertuples():
        cell = np.ones(len(frame), dtype=bool)
        for name in ("sex", "age_group"):
            category = getattr(row, name)
            if category != "_T":
                cell &= (frame[name].isna() if category == "_U" else frame[name] == category).to_numpy()
        p, variance = dense(frame, cell, y[row.indicator].to_numpy())
        assert row.value == pytest.approx(p, rel=1e-12)
        if 0 < p < 1 and row.df > 0:
            assert row.se == pytest.approx(np.sqrt(variance), rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_cells_add_up_to_the_total(seed: int) -> None:
    table = estimate(sums(survey(seed)), BREAKDOWNS)
    table["numerator"] = table.value * table.population
    parts = table.groupby(["indicator", "breakdown"])[["population", "numerator", "n", "numerator_n"]].sum()
    for indicator in ("a", "b"):
        for breakdown in ("sex", "sex*age_group"):
            assert parts.loc[(indicator, breakdown)].to_list() == pytest.approx(parts.loc[(indicator, "total")].to_list())


def test_weights_times_a_constant_change_nothing_but_the_population() -> None:
    first = estimate(sums(survey(1, scale=1e6)), BREAKDOWNS)
    second = estimate(sums(survey(1, scale=1e9)), BREAKDOWNS)
    same = ["value", "se", "ci_low", "ci_high", "n", "df", "cv"]
    pd.testing.assert_frame_equal(first[same], second[same], rtol=1e-12)
    assert second.population.to_numpy() == pytest.approx(first.population.to_numpy() * 1000)


def test_deff_has_a_population_correction_only_where_weights_count_people() -> None:
    frame = survey(2, clustered=False)
    at_scale = estimate(sums(frame.assign(weight=3.0)), [()]).iloc[0]
    normalised = estimate(sums(frame.assign(weight=1.0)), [()]).iloc[0]
    assert at_scale.deff * (1 - 1 / 3) == pytest.approx(normalised.deff)
    assert normalised.n_effective == pytest.approx(normalised.n / normalised.deff)


def test_a_share_of_none_or_all_has_no_error_but_korn_graubard_limits() -> None:
    table = estimate(sums(survey(3).assign(a="yes", b="no"), [SHARES[0], Share("b", "", "b = 'yes'")]), [()])
    everybody, nobody = (table[table.indicator == code].iloc[0] for code in ("a", "b"))
    assert (everybody.value, everybody.se, nobody.value, nobody.se) == (1, 0, 0, 0)
    n = int(everybody.n)
    assert everybody.ci_high == 1 and everybody.ci_low == pytest.approx(0.025 ** (1 / n))
    assert nobody.ci_low == 0 and nobody.ci_high == pytest.approx(stats.beta.ppf(0.975, 1, n))
    for row in (everybody, nobody):
        assert np.isnan(row.deff) and np.isnan(row.n_effective)
    assert everybody.cv == 0 and np.isnan(nobody.cv)


def test_without_degrees_of_freedom_there_is_an_error_but_no_interval() -> None:
    frame = survey(4, n=60)
    one_psu_each = estimate(sums(frame.assign(psu=frame.stratum)), [()])  # three strata with a PSU each
    assert (one_psu_each.df == 0).all() and one_psu_each.se.gt(0).all()
    assert one_psu_each.ci_low.isna().all() and one_psu_each.ci_high.isna().all()


def test_the_error_is_unknown_where_one_psu_has_all_answers() -> None:
    table = estimate(sums(survey(4).assign(psu="1", stratum="1")), [()])
    assert table.value.between(0, 1, inclusive="neither").all()
    assert table[["se", "ci_low", "ci_high", "deff", "n_effective", "cv"]].isna().all(axis=None)


def test_a_cell_without_answers_has_no_row() -> None:
    frame = survey(5)
    frame.loc[frame.sex == "M", "b"] = None
    table = estimate(sums(frame), [("sex",)])
    assert sorted(table[table.indicator == "b"].sex) == ["F", "_U"]
    frame.loc[frame.sex == "F", "weight"] = 0.0
    table = estimate(sums(frame), [("sex",)])
    assert sorted(table[table.indicator == "a"].sex) == ["M", "_U"]


def test_a_breakdown_that_a_survey_did_not_ask_for_is_left_out_for_that_survey_only() -> None:
    frame = pd.concat([survey(6), survey(7).assign(survey_id="t", age_group=None)])
    table = estimate(sums(frame), BREAKDOWNS)
    asked = table.groupby("survey_id").breakdown.unique().map(list)
    assert asked["s"] == ["total", "sex", "sex*age_group"] and asked["t"] == ["total", "sex"]


def test_a_lonely_psu_can_be_refused_by_name_and_by_survey() -> None:
    frame = pd.concat([survey(8), survey(9).assign(survey_id="t")])
    frame.loc[(frame.survey_id == "t") & (frame.stratum == "2"), "psu"] = "1"
    with pytest.raises(InputError, match="t: stratum 2 has only one PSU"):
        estimate(sums(frame), [()], {"t": "fail"})
    stray = frame.replace({"stratum": {"2": "Rahima 01712345678"}})
    with pytest.raises(InputError, match="has only one PSU") as refused:
        estimate(sums(stray), [()], {"t": "fail"})
    assert "Rahima" not in str(refused.value) and "0171" not in str(refused.value)
    estimate(sums(frame), [()], {"s": "fail", "t": "remove"})
    with pytest.raises(ValueError, match="not one of"):
        estimate(sums(frame), [()], "ignore")  # type: ignore[arg-type]


def test_an_unknown_dimension_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="breakdown residence is not among those that were summed"):
        estimate(sums(survey(1)), [("residence",)])


def test_no_survey_makes_an_empty_table_with_all_columns() -> None:
    frame = survey(1)
    full, empty = (
        estimate(sums(frame), BREAKDOWNS),
        estimate(sums(frame.assign(weight=np.nan).astype({"weight": object}).where(lambda f: f.notna(), None)), BREAKDOWNS),
    )
    assert empty.empty and list(empty.columns) == list(full.columns)
