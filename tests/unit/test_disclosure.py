"""No hidden count of a published table can be narrowed: random tables, attacked by integer programming."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rga.survey.disclosure import coarsest_step, models, protect, too_narrow
from rga.survey.exact import attack, unprotected
from rga.survey.margins import cells_of, narrowed

RULES = SimpleNamespace(small_count=4, possible_values=4, round_to=[0.1, 0.2, 0.5, 1.0, 2.0, 5.0])
HIDING = SimpleNamespace(small_count=4, possible_values=4, round_to=[])
CODES = {"sex": ["F", "M", "_O"], "age": ["Y1", "Y2", "Y3", "_U"], "place": ["U", "R", "_U"]}
SHARES = {"sex": [0.45, 0.54, 0.01], "age": [0.5, 0.3, 0.18, 0.02], "place": [0.6, 0.39, 0.01]}
TREE: list[tuple[str, ...]] = [(), ("sex",), ("sex", "age"), ("sex", "place")]
CYCLE = [*TREE, ("sex", "age", "place")]


def table(seed: int, breakdowns: list[tuple[str, ...]], equal_weights: bool = False, added: bool = False) -> pd.DataFrame:
    """Estimates of a few indicators, rare and common, of simulated respondents; ``added``: one more that counts who has one of two
    others, which nobody has both, and one with the count of another among those with a chance of it."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(150, 900))
    people = pd.DataFrame({name: rng.choice(CODES[name], size, p=SHARES[name]) for name in CODES})
    people["weight"] = 1.0 if equal_weights else np.exp(rng.normal(0, 0.5, size))
    rows = []
    chances = [0.005, 0.03, 0.2, 0.5, 0.97]
    answers = [rng.random(size) < chance * np.where(people["sex"] == "F", 1.2, 0.8).clip(0, 1) for chance in chances]
    bases = [np.ones(size, dtype=bool)] * len(answers)
    if added:
        answers[2] &= ~answers[1]
        answers += [answers[1] | answers[2], answers[3]]
        many = (people["sex"] == "F") & (people["age"] == "Y1") & (people["place"] == "U")  # no cell loses everybody
        bases = [*bases, bases[0], answers[3] | ~many | (rng.random(size) < 0.8)]
    for number, (answer, base) in enumerate(zip(answers, bases, strict=True)):
        people["yes"] = answer
        people["weighted"] = people["weight"] * people["yes"]
        for by in breakdowns:
            grouped = people[base].groupby(list(by)) if by else people[base].groupby(np.zeros(base.sum()))
            sums = grouped.agg(n=("yes", "size"), numerator_n=("yes", "sum"), population=("weight", "sum"), yes=("weighted", "sum"))
            found = sums.reset_index(drop=not by).assign(breakdown="*".join(by) or "total", indicator=f"i{number}")
            rows.append(found)
    frame = pd.concat(rows, ignore_index=True).fillna(dict.fromkeys(CODES, "_T"))
    frame = frame.assign(survey_id="2020-r1_AAA", statistic="share", category="_T", value=frame["yes"] / frame["population"])
    return frame.assign(se=np.sqrt(frame["value"] * (1 - frame["value"]) / frame["n"]))


@pytest.mark.parametrize("rules", [RULES, HIDING], ids=["rounding", "hiding"])
@pytest.mark.parametrize("seed", range(12))
def test_no_hidden_count_of_random_tables_can_be_narrowed(seed: int, rules: SimpleNamespace) -> None:
    frame = table(seed, TREE, equal_weights=seed % 3 == 0)
    cells = cells_of(frame, TREE)
    withheld = frame["n"].to_numpy() < 25
    found = protect(cells, withheld, frame["se"].to_numpy(), rules)
    assert found.hidden[withheld].all() and found.hidden[found.small].all()
    assert len(unprotected(cells, found, rules)) == 0
    assert len(unprotected(cells, replace(found, hidden=withheld | found.small, rounded_to=np.zeros(len(frame))), rules)) > 0


@pytest.mark.parametrize("seed", range(8))
def test_no_count_can_be_had_from_those_of_other_indicators(seed: int) -> None:
    frame = table(seed, TREE, added=True)
    together = cells_of(frame, TREE)
    assert len(np.unique(together.group)) == 4, "three indicators that add up are one group, two that are equal another"
    withheld = frame["n"].to_numpy() < 25
    found = protect(together, withheld, frame["se"].to_numpy(), RULES)
    assert len(unprotected(together, found, RULES)) == 0
    alone = [frame[frame["indicator"] == code] for code in dict.fromkeys(frame["indicator"])]
    apart = pd.concat(
        pd.DataFrame({"hidden": one.hidden, "rounded_to": one.rounded_to}, index=rows.index)
        for rows in alone
        for one in [protect(cells_of(rows, TREE), withheld[rows.index], rows["se"].to_numpy(), RULES)]
    )
    careless = replace(found, hidden=apart["hidden"].to_numpy(), rounded_to=apart["rounded_to"].to_numpy())
    assert len(unprotected(together, careless, RULES)) > 0, "each protected by itself they give one another away"


@pytest.mark.parametrize("seed", range(6))
def test_limits_on_a_tree_are_what_integer_programming_finds(seed: int) -> None:
    """Of any pattern of hidden cells, and not only where it is safe."""
    rng = np.random.default_rng(seed)
    frame = table(100 + seed, TREE)
    cells = cells_of(frame, TREE)
    assert not cells.cyclic.any()
    hidden = rng.random(len(frame)) < 0.4
    counts, _ = models(cells, hidden, np.zeros(len(frame)), 10**9)  # so many values that the attack goes to the end
    low, high = narrowed(cells, counts.low, counts.high)
    lowest, highest = attack(cells, counts, cells.count, hidden, whole=True)
    assert np.allclose(low[hidden], lowest[hidden], atol=1e-6) and np.allclose(high[hidden], highest[hidden], atol=1e-6)


def test_the_integer_program_is_right_by_enumeration() -> None:
    """Two by two, the margins shown: of 3 + 2 and 4 + 1 of 5 and 5, all tables are counted."""
    rows = [("total", "_T", "_T", 20, 10)]
    rows += [("sex", s, "_T", 10, 5) for s in "FM"] + [("place", "_T", p, 10, c) for p, c in (("U", 7), ("R", 3))]
    rows += [("sex*place", s, p, 5, c) for (s, p), c in zip(product("FM", "UR"), (3, 2, 4, 1), strict=True)]
    frame = pd.DataFrame(rows, columns=["breakdown", "sex", "place", "n", "numerator_n"])
    frame = frame.assign(survey_id="s", indicator="i", statistic="share", category="_T", value=frame["numerator_n"] / frame["n"])
    frame = frame.assign(population=frame["n"].astype(float))
    cells = cells_of(frame, [(), ("sex",), ("place",), ("sex", "place")])
    assert cells.cyclic.any()
    hidden = (frame["breakdown"] == "sex*place").to_numpy()
    counts, _ = models(cells, hidden, np.zeros(len(frame)), 10**9)
    low, high = attack(cells, counts, cells.count, hidden, whole=True)
    possible = [fu for fu in range(6) if all(0 <= x <= 5 for x in (5 - fu, 7 - fu, 3 - (5 - fu)))]
    assert (low[hidden][0], high[hidden][0]) == (min(possible), max(possible)) == (2, 5)


def test_small_cells_of_a_margin_that_no_table_shows_are_found() -> None:
    """Sex by place and sex by age, without sex: both add up to it, so what one shows narrows the other."""
    frame = table(7, [("sex", "age"), ("sex", "place")])
    cells = cells_of(frame, [("sex", "age"), ("sex", "place")])
    assert cells.published == len(frame) < len(cells.n) and len(cells.parent) == 2 * 3 * 5
    found = protect(cells, np.zeros(len(frame), dtype=bool), frame["se"].to_numpy(), RULES)
    assert len(unprotected(cells, found, RULES)) == 0


def test_rounding_stays_within_the_standard_error_and_women_and_men_are_rounded_last() -> None:
    frame = table(3, TREE)
    found = protect(cells_of(frame, TREE), frame["n"].to_numpy() < 25, frame["se"].to_numpy(), RULES)
    rounded = found.rounded_to > 0
    assert rounded.any() and (found.rounded_to[rounded] <= 100 * frame["se"][rounded]).all()
    total, sex = (frame["breakdown"] == name for name in ("total", "sex"))
    assert rounded[total].mean() > rounded[sex].mean()


@pytest.mark.parametrize("seed", range(8))
def test_no_cell_is_hidden_that_could_be_shown_rounded(seed: int) -> None:
    frame = table(seed, TREE)
    cells, withheld, se = cells_of(frame, TREE), frame["n"].to_numpy() < 25, frame["se"].to_numpy()
    found = protect(cells, withheld, se, RULES)
    step = coarsest_step(cells, 100 * se, RULES)
    for row in np.flatnonzero(found.hidden & ~found.small & ~withheld & (step > 0)):
        hidden, rounded = found.hidden.copy(), found.rounded_to.copy()
        hidden[row], rounded[row] = False, step[row]
        assert len(unprotected(cells, replace(found, hidden=hidden, rounded_to=rounded), RULES)) > 0


def test_a_total_that_nothing_hangs_on_stays_exact() -> None:
    frame = table(1, [()])
    frame = frame[frame["numerator_n"].between(10, 100)]
    found = protect(cells_of(frame, [()]), np.zeros(len(frame), dtype=bool), frame["se"].to_numpy(), RULES)
    assert len(frame) and not found.hidden.any() and not found.rounded_to.any()


def test_limits_never_exclude_the_truth() -> None:
    frame = table(5, CYCLE)
    cells = cells_of(frame, CYCLE)
    found = protect(cells, frame["n"].to_numpy() < 25, frame["se"].to_numpy(), RULES)
    for limits, truth in zip(models(cells, found.hidden, found.rounded_to, 4), (cells.count, cells.weighted), strict=True):
        low, high = narrowed(cells, limits.low, limits.high)
        assert (low <= truth + 1e-6).all() and (truth <= high + 1e-6).all()
        assert not too_narrow(low, high, limits.need)[found.hidden].any()
