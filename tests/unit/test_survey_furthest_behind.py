"""Groups furthest behind: what limits that hold at once say of ranks, and which groups are compared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rga.survey.furthest_behind import furthest_behind, rank_limits, simultaneous_limits
from rga.survey.intervals import logit_interval

DIMENSIONS = ["sex", "residence"]


def estimates(**changes: object) -> pd.DataFrame:
    cells = [("total", "_T", "_T", 50.0), ("sex", "F", "_T", 60.0), ("sex", "M", "_T", 40.0), ("sex", "_U", "_T", 99.0),
             ("sex*residence", "F", "R", 70.0), ("sex*residence", "F", "U", 45.0), ("sex*residence", "M", "R", 100.0),
             ("sex*residence", "M", "U", np.nan)]  # fmt: skip
    frame = pd.DataFrame(cells, columns=["breakdown", "sex", "residence", "value"])
    frame = frame.assign(survey_id="2020-r1_AAA", indicator="ill", statistic="share", category="_T", se=4.0, n=200, df=150)
    frame = frame.assign(population=1e6, se_from_total=4.0, obs_status="A", conf_status="F")
    frame.loc[frame["value"] == 100, ["se", "se_from_total"]] = [0.0, np.nan]
    frame.loc[frame["value"].isna(), ["se", "se_from_total", "obs_status"]] = [np.nan, np.nan, "Q"]
    return frame.assign(**changes)


def test_all_shown_cells_with_known_categories_are_compared_and_the_worst_come_first() -> None:
    table = furthest_behind(estimates(), {"ill": "more_is_worse"}, DIMENSIONS)
    assert list(table["sex"] + table["residence"]) == ["MR", "FR", "F_T", "FU", "M_T"]
    assert (table["groups"] == 5).all() and list(table["rank"]) == [1, 2, 3, 4, 5] and (table["total"] == 50).all()
    assert table["worse_than_total"].to_list() == [False, True, False, False, False]
    assert (table["groups_worse_than_total"] == 1).all()
    of_all_alike = table.loc[0, ["gap_se", "gap_low", "gap_high", "p_adjusted"]]
    assert of_all_alike.isna().all(), "where all say yes, the group's error is not known"
    assert len(furthest_behind(estimates(), {"ill": "more_is_worse"}, DIMENSIONS, kept=2)) == 2


def test_indicators_without_a_direction_have_nobody_behind() -> None:
    for directions in ({"ill": "neutral"}, {}, {"well": "more_is_better"}):
        table = furthest_behind(estimates(), directions, DIMENSIONS)
        assert table.empty and "rank_low" in table and "sex" in table


def test_the_group_s_own_degrees_of_freedom_decide_the_limits_of_its_distance() -> None:
    many = furthest_behind(estimates(), {"ill": "more_is_worse"}, DIMENSIONS)
    few = furthest_behind(estimates(df=[900, 150, 150, 150, 2, 150, 150, 1]), {"ill": "more_is_worse"}, DIMENSIONS)
    assert many.loc[1, "worse_than_total"] and not few.loc[1, "worse_than_total"]
    assert few.loc[1, "p_adjusted"] > 0.01 > many.loc[1, "p_adjusted"]


def test_limits_for_one_group_are_the_published_ones_and_for_more_they_are_wider() -> None:
    value, se, n, df = np.array([30.0]), np.array([4.0]), np.array([120.0]), np.array([90.0])
    low, high = logit_interval(value / 100, se / 100, df)
    one = simultaneous_limits(value, se, n, df, np.array([1]))
    assert one[0] == pytest.approx(100 * low) and one[1] == pytest.approx(100 * high)
    hundred = simultaneous_limits(value, se, n, df, np.array([100]))
    assert hundred[0] < one[0] and hundred[1] > one[1]
    wide = logit_interval(value / 100, se / 100, df, level=1 - 0.05 / 100)
    assert hundred[0] == pytest.approx(100 * wide[0])


def test_at_0_and_100_per_cent_limits_are_exact_binomial_ones() -> None:
    value, both = np.array([0.0, 100.0]), np.ones(2)
    low, high = simultaneous_limits(value, 0 * both, 60 * both, 50 * both, 10 * both)
    assert low[0] == 0 and high[1] == 100 and low[1] == pytest.approx(100 - high[0])
    assert (1 - high[0] / 100) ** 60 == pytest.approx(0.05 / 20)


@pytest.mark.parametrize("seed", range(30))
def test_where_limits_hold_the_true_ranks_are_within_theirs(seed: int) -> None:
    draw = np.random.default_rng(seed)
    truth = np.round(draw.uniform(0, 100, 40), 0 if seed % 2 else 3)  # with ties and without
    low, high = truth - draw.exponential(3, 40), truth + draw.exponential(3, 40)
    rank_low, rank_high = rank_limits(low, high)
    best, worst = 1 + (truth[None, :] > truth[:, None]).sum(axis=1), (truth[None, :] >= truth[:, None]).sum(axis=1)
    assert (rank_low <= best).all() and (worst <= rank_high).all()
    assert (rank_high - rank_low).max() < 39 and (rank_low[truth == truth.max()] == 1).all()


@pytest.mark.parametrize("chance", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("size", [(25, 50), (50, 120)])
def test_small_groups_without_a_difference_are_seldom_found_to_be_worse(size: tuple[int, int], chance: float) -> None:
    """Eighty groups in each of two hundred samples; by the groups' own errors alone up to half of the samples would have one."""
    draw, samples = np.random.default_rng(3), 200
    n = draw.integers(*size, (samples, 80))
    p, cases = draw.binomial(n, chance) / n, n.sum(axis=1, keepdims=True)
    total = (n * p).sum(axis=1, keepdims=True) / cases
    own, of_total = p * (1 - p) / (n - 1), total * (1 - total) / cases
    distance = np.where(own > 0, np.sqrt(own * (1 - 2 * n / cases) + of_total), np.nan)
    columns = {"value": 100 * np.hstack([total, p]), "se": 100 * np.sqrt(np.hstack([of_total, own])), "n": np.hstack([cases, n])}
    columns |= {"se_from_total": 100 * np.hstack([np.full_like(total, np.nan), distance]), "df": columns["n"] - 1}
    frame = pd.DataFrame({name: array.ravel() for name, array in columns.items()})
    frame = frame.assign(survey_id=np.repeat(np.arange(samples), 81).astype(str), population=frame["n"], indicator="ill")
    frame["group"] = np.tile(["_T", *(f"g{i}" for i in range(80))], samples)
    frame["breakdown"] = np.where(frame["group"] == "_T", "total", "group")
    frame = frame.assign(statistic="share", category="_T", obs_status="A", conf_status="F")
    found = np.zeros(samples, dtype=bool)
    for way in ("worse", "better"):
        worse = furthest_behind(frame, {"ill": f"more_is_{way}"}, ["group"]).groupby("survey_id")["groups_worse_than_total"].max()
        assert len(worse) == samples
        found |= worse.to_numpy() > 0
    assert found.mean() <= 0.07


def test_ranks_and_limits_hold_for_all_groups_at_once_as_often_as_promised() -> None:
    """Overlapping groups of one sample with a known truth."""
    draw = np.random.default_rng(5)
    chance = np.array([0.3, 0.32, 0.5, 0.6])
    held = []
    for _ in range(400):
        cell = draw.integers(0, 4, 600)
        y = draw.random(600) < chance[cell]
        groups = [cell == 0, cell == 1, cell == 2, cell == 3, cell < 2, cell > 1]
        truth = 100 * np.array([*chance, chance[:2].mean(), chance[2:].mean()])
        n = np.array([g.sum() for g in groups])
        p = np.array([y[g].mean() for g in groups])
        se = np.sqrt(p * (1 - p) / (n - 1))
        low, high = simultaneous_limits(100 * p, 100 * se, n, n - 1.0, np.full(6, 6))
        rank_low, rank_high = rank_limits(low, high)
        true_rank = 1 + (truth[None, :] > truth[:, None]).sum(axis=1)
        held.append([((low <= truth) & (truth <= high)).all(), ((rank_low <= true_rank) & (true_rank <= rank_high)).all()])
    limits, ranks = np.mean(held, axis=0)
    assert 0.94 < limits < 0.99 and ranks >= limits
