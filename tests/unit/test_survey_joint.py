"""Joint results: what holds of covariances whatever the data, sources of data, linked rounds, and what is not defined."""

from __future__ import annotations

import warnings
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.survey.association import independence
from rga.survey.design import Design, LonelyPsu, Replicates
from rga.survey.joint import Joint, Result, jointly
from rga.survey.statistics import Distribution, Mean, Quantile, Ratio, Share, Total

SHARE, JOB = Share("ill", "", "ill = 1"), Distribution("job", "", "job")
STATISTICS = [
    SHARE,
    Mean("age", "", "age"),
    Total("people", ""),
    Ratio("per_head", "", "income", "size"),
    JOB,
    Quantile("pay", "", "income"),
]
DOMAINS: list[dict[str, str]] = [{}, {"sex": "F"}, {"sex": "M"}]
CLUSTERED = Design(stratum="stratum", psu="psu")
TWO_STAGES = Design(stratum="stratum", psu="psu", fpc="psus", ssu="home", ssu_fpc="homes")


def respondents(seed: int, n: int = 200) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "weight": 10 ** draw.uniform(0, 6, n) * (draw.random(n) > 0.05),
        "stratum": draw.choice(["a", "b", "c", "alone"], n, p=[0.4, 0.3, 0.25, 0.05]),
        "psu": draw.integers(0, 6, n),
        "home": draw.integers(0, 5, n),
        "psus": 20,
        "homes": 9,
        "sex": draw.choice(["F", "M", None], n, p=[0.5, 0.45, 0.05]),
        "ill": draw.choice([0.0, 1.0, np.nan], n),
        "age": draw.integers(18, 90, n).astype(float),
        "income": np.where(draw.random(n) < 0.1, np.nan, draw.exponential(100, n)),
        "size": draw.integers(1, 7, n),
        "job": draw.choice(["farm", "shop", "none", None], n),
    })  # fmt: skip
    frame.loc[frame["stratum"] == "alone", "psu"] = 0
    return frame


def joint_of(seed: int, design: Design = CLUSTERED) -> Joint:
    return jointly(respondents(seed), design, [Result(s, d) for s in STATISTICS for d in DOMAINS])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("rule", ["adjust", "remove", "average", "certainty"])
@pytest.mark.parametrize("design", [CLUSTERED, TWO_STAGES, Design()], ids=["clustered", "two stages", "weights only"])
def test_the_covariance_is_symmetric_and_has_no_negative_variance_in_any_direction(
    seed: int, rule: LonelyPsu, design: Design
) -> None:
    joint = joint_of(seed, Design(**(vars(design) | {"lonely_psu": rule})))
    known = joint.table["se"].notna().to_numpy()
    assert known.sum() >= 20
    v = joint.covariance[np.ix_(known, known)]
    assert (v == v.T).all() and np.isnan(joint.covariance[~known]).all()
    np.testing.assert_allclose(np.sqrt(np.diag(v)), joint.table.loc[known, "se"], rtol=1e-12)
    correlation = v / np.sqrt(np.outer(np.diag(v), np.diag(v)) + 1e-300)
    assert np.linalg.eigvalsh(correlation).min() > -1e-10


@pytest.mark.parametrize("design", [CLUSTERED, TWO_STAGES, Design()], ids=["clustered", "two stages", "weights only"])
def test_the_variance_of_a_gap_is_that_of_its_two_sides_less_twice_their_covariance(design: Design) -> None:
    joint = joint_of(1, design)
    for code in ("ill", "age", "people", "per_head", "job:farm", "pay"):
        i, j = (joint.table.index.get_loc(f"{code} sex={sex}") for sex in "FM")
        v = joint.covariance
        gap = joint.contrast({f"{code} sex=F": 1, f"{code} sex=M": -1}, "gap").iloc[0]
        assert gap["se"] ** 2 == pytest.approx(v[i, i] + v[j, j] - 2 * v[i, j], rel=1e-9)
        assert gap["value"] == pytest.approx(joint.table["value"].iloc[i] - joint.table["value"].iloc[j])


def test_the_categories_of_a_distribution_add_up_to_one_without_error() -> None:
    joint = joint_of(2)
    for domain in ("", " sex=F"):
        whole = joint.contrast({f"job:{job}{domain}": 1.0 for job in ("farm", "shop", "none")}).iloc[0]
        assert whole["value"] == pytest.approx(1) and whole["se"] < 1e-15


def test_a_matrix_gives_a_row_for_each_of_its_contrasts() -> None:
    joint = joint_of(3)
    k = len(joint.table)
    each = joint.contrast(np.eye(k), [str(label) for label in joint.table.index])
    assert list(each["name"]) == list(joint.table.index)
    np.testing.assert_allclose(each["se"], joint.table["se"], rtol=1e-12)
    assert each["df"].to_list() == joint.table["df"].to_list()


def test_the_delta_method_agrees_with_a_linear_contrast_and_says_how_it_was_derived() -> None:
    joint = joint_of(4)
    a, b = joint.table.index.get_loc("ill sex=F"), joint.table.index.get_loc("ill sex=M")
    found = joint.smooth(lambda v: [v[a] - v[b], np.exp(np.log(v[a] / v[b])), abs(v[a] - v[b])], ["gap", "ratio", "distance"])
    gap = joint.contrast({"ill sex=F": 1, "ill sex=M": -1}).iloc[0]
    assert list(found["derivative"]) == ["complex step", "complex step", "central differences"]
    assert found["se"].iloc[0] == pytest.approx(gap["se"], rel=1e-12) and found["df"].iloc[0] == gap["df"]
    assert found["se"].iloc[2] == pytest.approx(gap["se"], rel=1e-7)
    refusing = joint.smooth(lambda v: float(max(v[a], v[b])) if not np.iscomplexobj(v) else v.missing).iloc[0]
    assert refusing["derivative"] == "central differences" and refusing["se"] > 0


def test_rounds_of_a_panel_share_their_people_and_separate_samples_share_nothing() -> None:
    draw = np.random.default_rng(5)
    first = pd.DataFrame({"person": np.arange(300), "ill": draw.integers(0, 2, 300)})
    changed = draw.random(300) < 0.2
    second = first.assign(ill=np.where(changed, 1 - first["ill"], first["ill"]))
    stacked = pd.concat([first.assign(round="r1"), second.assign(round="r2")])
    share = [Result(SHARE, {"round": r}) for r in ("r1", "r2")]
    change = {"ill round=r1": -1, "ill round=r2": 1}
    panel = jointly(stacked, Design(weight=None, psu="person"), share)
    apart = jointly(stacked, Design(weight=None, stratum="round"), share)
    assert apart.covariance[0, 1] == 0
    assert apart.contrast(change).iloc[0]["se"] == pytest.approx(np.sqrt(np.diag(apart.covariance).sum()))
    difference = second["ill"] - first["ill"]
    assert panel.contrast(change).iloc[0]["se"] == pytest.approx(difference.std() / np.sqrt(300))
    assert panel.contrast(change).iloc[0]["df"] == 299 and apart.contrast(change).iloc[0]["df"] == 598


def test_a_frame_a_parquet_file_a_relation_and_a_table_give_the_same(tmp_path: Path) -> None:
    frame = respondents(6)
    con = duckdb.connect()
    con.register("frame", frame)
    con.execute(f"COPY frame TO '{tmp_path}/it''s.parquet'")
    con.execute("CREATE TABLE people AS SELECT * FROM frame")
    results = [Result(SHARE, {"sex": "F"}), Result(JOB)]
    expected = jointly(frame, CLUSTERED, results)
    for found in (
        jointly(tmp_path / "it's.parquet", CLUSTERED, results),
        jointly(con.table("people"), CLUSTERED, results),
        jointly((con, "people"), CLUSTERED, results),
    ):
        pd.testing.assert_frame_equal(found.table, expected.table)
        np.testing.assert_array_equal(found.covariance, expected.covariance)
    assert con.execute("SELECT count(*) FROM duckdb_tables() WHERE temporary").fetchone() == (0,)


def test_domains_take_missing_categories_anybody_and_numbers() -> None:
    frame = respondents(7)
    people = Total("people", "")
    table = jointly(frame, CLUSTERED, [Result(people, d) for d in ({"sex": "_U"}, {"sex": "_T"}, {"size": 3})]).table
    weight = frame["weight"]
    expected = [weight[frame["sex"].isna()].sum(), weight.sum(), weight[frame["size"] == 3].sum()]
    np.testing.assert_allclose(table["value"], expected)
    assert list(table["sex"]) == ["_U", "_T", "_T"] and list(table["size"]) == ["_T", "_T", "3"]


def test_what_is_not_defined_is_nan_and_warns_nobody() -> None:
    frame = pd.DataFrame(
        {
            "psu": [1, 1, 2, 3],
            "group": list("aabc"),
            "ill": [1, 0, 1, None],
            "income": [5.0, 9.0, 7.0, None],
            "weight": [1, 2, 3, 4],
        }
    )
    results = [
        Result(s, {"group": g})
        for s in (SHARE, Mean("pay", "", "income"), Quantile("pay", "", "income"), Total("all", "", "income"))
        for g in "abcz"
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        joint = jointly(frame, Design(psu="psu"), results)
        gap = joint.contrast({0: 1, 1: -1}).iloc[0]
        joint.smooth(lambda v: v[0] * v[3])
    table = joint.table
    # One PSU holds both answers of group a: a ratio has no error to learn from, a total has, without degrees of freedom.
    assert table["se"].isna().to_list() == [
        True,
        False,
        True,
        True,
        True,
        True,
        True,
        True,
        True,
        True,
        True,
        True,
        False,
        False,
        True,
        True,
    ]
    assert table["se"].iloc[1] == 0  # group b: one respondent, ill
    assert (table["df"] == 0).all() and table[["ci_low", "ci_high"]].isna().all(axis=None)
    assert table["value"].isna().to_list() == [False, False, True, True] * 4
    assert gap["value"] == pytest.approx(1 / 3 - 1) and gap[["se", "ci_low", "ci_high", "p_value"]].isna().all()


def test_a_distribution_that_nobody_answered_has_no_result() -> None:
    frame = respondents(8).assign(job=None)
    joint = jointly(frame, CLUSTERED, [Result(JOB), Result(SHARE)])
    assert list(joint.table.index) == ["ill"] and joint.covariance.shape == (1, 1)
    assert jointly(frame, CLUSTERED, [Result(JOB)]).table.empty
    assert independence(frame, CLUSTERED, "job", "sex").n == 0


def test_more_results_than_fit_in_memory_at_once_are_the_same_results(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = joint_of(1)
    monkeypatch.setattr("rga.survey.joint.BLOCK", 500)
    blocks = joint_of(1)
    pd.testing.assert_frame_equal(blocks.table, whole.table, rtol=1e-12)
    np.testing.assert_allclose(blocks.covariance, whole.covariance, rtol=1e-12)


def test_where_all_are_alike_the_error_is_zero_and_not_rounding() -> None:
    frame = respondents(8).assign(same=0.1)
    table = jointly(
        frame,
        CLUSTERED,
        [Result(Mean("same", "", "same")), Result(Quantile("same", "", "same")), Result(Share("all", "", "same > 0"))],
    ).table
    assert (table["se"] == 0).all() and table["deff"].isna().all()
    assert table["ci_low"].iloc[2] > 0.9 and table["ci_high"].iloc[2] == 1  # Korn-Graubard


def test_a_stratum_of_one_psu_is_refused_when_asked_to_and_words_in_place_of_its_code_are_not_shown() -> None:
    with pytest.raises(InputError, match="has only one PSU") as refused:
        joint_of(1, Design(stratum="stratum", psu="psu", lonely_psu="fail"))
    assert "alone" not in str(refused.value)
    whole = respondents(1).assign(psus=lambda d: d.groupby("stratum")["psu"].transform("nunique"))
    assert (
        jointly(whole, Design(stratum="stratum", psu="psu", fpc="psus", lonely_psu="fail"), [Result(SHARE)]).table["se"].iloc[0]
        == 0
    )


@pytest.mark.parametrize(
    ("change", "design", "message"),
    [
        ({"weight": -1.0}, CLUSTERED, "negative"),
        ({"weight": None}, CLUSTERED, "nobody has a weight"),
        ({}, Design(psu="cluster"), "cluster"),
        ({"psus": 2}, TWO_STAGES, "less than the number of units sampled"),
        ({"homes": 0}, TWO_STAGES, "not a positive number"),
        ({"psus": np.arange(200) + 50}, TWO_STAGES, "varies within one stratum"),
    ],
)
def test_a_design_that_cannot_be_is_an_error_that_says_why(change: dict[str, object], design: Design, message: str) -> None:
    with pytest.raises(InputError, match=message):
        jointly(respondents(1).assign(**change), design, [Result(SHARE)])


def test_a_domain_or_label_that_is_not_there_is_an_error() -> None:
    with pytest.raises(InputError, match="region"):
        jointly(respondents(1), CLUSTERED, [Result(SHARE, {"region": "x"})])
    with pytest.raises(KeyError):
        joint_of(1).contrast({"well": 1})
    with pytest.raises(ValueError, match="2 results"):
        jointly(respondents(1), CLUSTERED, [Result(SHARE), Result(SHARE)]).contrast({"ill": 1})
    with pytest.raises(ValueError, match="replicate"):
        jointly(respondents(1), Design(replicates=Replicates(("r1",), "JK1")), [Result(SHARE)])


def test_independence_is_not_tested_in_a_table_without_two_rows_and_two_columns() -> None:
    frame = respondents(9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one_row = independence(frame, CLUSTERED, "sex", "job", domain={"sex": "F"})
        nobody = independence(frame, CLUSTERED, "sex", "job", domain={"sex": "X"})
        diagonal = independence(frame, CLUSTERED, "job", "job")
    assert one_row.table.shape == (1, 3) and one_row.tests.isna().all(axis=None)
    assert nobody.n == 0 and nobody.table.empty and nobody.tests.isna().all(axis=None)
    assert diagonal.table.shape == (3, 3) and diagonal.tests.isna().all(axis=None)  # six of nine cells are empty


def test_independence_of_independent_variables_is_rejected_as_often_as_promised() -> None:
    p = [independence(respondents(seed).assign(weight=1), CLUSTERED, "sex", "job").tests["p_value"] for seed in range(100)]
    rejected = (pd.DataFrame(p) < 0.05).mean()
    assert rejected["F"] < 0.12 and rejected["adjWald"] < 0.12
