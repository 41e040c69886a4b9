"""No hidden count of a published table can be narrowed: random tables, attacked by integer programming."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rga.survey.disclosure import Protection, coarsest_step, models, protect
from rga.survey.exact import attack, unprotected
from rga.survey.margins import Cells, cells_of, narrowed
from rga.survey.precision import step_below
from rga.survey.secrets import Values, small_counts, values_of

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


def promised(cells: Cells, withheld: np.ndarray) -> Values:
    """The secrets of ``cells`` whose published ones are ``withheld`` by precision, or are not."""
    thin = np.append(withheld, np.zeros(len(cells.n) - len(withheld), dtype=bool))
    return values_of(cells.count, cells.n, thin, np.arange(len(cells.n)) < cells.published, RULES)


def given_away(cells: Cells, found: Protection, withheld: np.ndarray, precision: np.ndarray | float = 0.0) -> np.ndarray:
    return unprotected(cells, found.hidden, np.maximum(found.rounded_to, precision), promised(cells, withheld))


@pytest.mark.parametrize("rules", [RULES, HIDING], ids=["rounding", "hiding"])
@pytest.mark.parametrize("seed", range(12))
def test_no_secret_of_random_tables_can_be_narrowed(seed: int, rules: SimpleNamespace) -> None:
    frame = table(seed, TREE, equal_weights=seed % 3 == 0)
    cells = cells_of(frame, TREE)
    withheld = frame["n"].to_numpy() < 25
    small = small_counts(frame["numerator_n"].to_numpy(), frame["n"].to_numpy(), 4)
    found = protect(cells, withheld, frame["se"].to_numpy(), rules)
    assert found.hidden[withheld].all() and found.hidden[small].all() and found.secret[small].all()
    assert len(given_away(cells, found, withheld)) == 0
    careless = replace(found, hidden=withheld | small, rounded_to=np.zeros(len(frame)))
    assert len(given_away(cells, careless, withheld)) > 0


def test_what_is_printed_to_its_precision_needs_less_protection() -> None:
    needed = np.zeros((2, 2), dtype=int)
    for seed in range(12):
        frame = table(seed, TREE)
        cells, withheld, se = cells_of(frame, TREE), frame["n"].to_numpy() < 25, frame["se"].to_numpy()
        precision = step_below(0.2 * 100 * se)
        coarse, exact = protect(cells, withheld, se, RULES, precision), protect(cells, withheld, se, RULES)
        assert len(given_away(cells, coarse, withheld, precision)) == 0
        needed += [[one.hidden.sum(), (one.rounded_to > 0).sum()] for one in (coarse, exact)]
    assert (needed[0] < needed[1]).all()


def test_a_count_of_five_hidden_for_precision_is_no_secret_and_costs_its_neighbours_nothing() -> None:
    """Urban women are not hidden for rural women, 17 of whom are hidden by the rules on precision."""
    frame = pd.DataFrame({"place": ["_T", "U", "R"], "n": [1038, 848, 190], "numerator_n": [297, 280, 17]})
    frame = frame.assign(breakdown=["total", "place", "place"], population=frame["n"].astype(float), indicator="i", survey_id="s")
    frame = frame.assign(statistic="share", category="_T", value=frame["numerator_n"] / frame["n"])
    cells, withheld, se = cells_of(frame, [(), ("place",)]), np.array([False, False, True]), np.full(3, 0.02)
    found = protect(cells, withheld, se, RULES)
    assert not found.secret.any() and found.hidden.tolist() == [False, False, True] and not found.rounded_to.any()
    frame.loc[[0, 2], "numerator_n"] = [284, 4]
    few = protect(cells_of(frame.assign(value=frame["numerator_n"] / frame["n"]), [(), ("place",)]), withheld, se, RULES)
    assert few.secret.tolist() == [False, False, True] and (few.rounded_to > 0).any()


@pytest.mark.parametrize(
    ("n", "count", "secret"), [(12, 6, True), (13, 6, False), (13, 4, True), (300, 5, False), (300, 296, True), (300, 0, False)]
)
def test_a_hidden_count_is_a_secret_where_it_or_what_it_leaves_is_small_or_its_base_is(n: int, count: int, secret: bool) -> None:
    values = values_of(*(np.array([x]) for x in (float(count), float(n), True, True)), RULES)
    assert values.secret.tolist() == [secret]
    assert 13 - 2 * 5 + 1 == 4, "of 13, a count that is 5 at least and leaves 5 has four values; of 12, three"


def test_a_reader_concludes_from_a_hidden_cell_with_few_values_that_it_is_no_secret() -> None:
    values = values_of(np.array([6.0, 5.0]), np.array([40.0, 40.0]), np.array([True, True]), np.array([True, True]), RULES)
    low, high = values.concluded(np.array([4.0, 3.0]), np.array([6.0, 6.0]), np.array([True, True]))
    assert (low.tolist(), high.tolist()) == ([5.0, 3.0], [6.0, 6.0]), "of 4, 5, 6 only those above 4 can be; of 3 to 6 all"


@pytest.mark.parametrize("seed", range(8))
def test_no_count_can_be_had_from_those_of_other_indicators(seed: int) -> None:
    frame = table(seed, TREE, added=True)
    together = cells_of(frame, TREE)
    assert len(np.unique(together.group)) == 4, "three indicators that add up are one group, two that are equal another"
    withheld = frame["n"].to_numpy() < 25
    found = protect(together, withheld, frame["se"].to_numpy(), RULES)
    assert len(given_away(together, found, withheld)) == 0
    alone = [frame[frame["indicator"] == code] for code in dict.fromkeys(frame["indicator"])]
    apart = pd.concat(
        pd.DataFrame({"hidden": one.hidden, "rounded_to": one.rounded_to}, index=rows.index)
        for rows in alone
        for one in [protect(cells_of(rows, TREE), withheld[rows.index], rows["se"].to_numpy(), RULES)]
    )
    careless = replace(found, hidden=apart["hidden"].to_numpy(), rounded_to=apart["rounded_to"].to_numpy())
    assert len(given_away(together, careless, withheld)) > 0, "each protected by itself they give one another away"


def to_the_end(cells: Cells) -> Values:
    """So many values wanted that the attack goes to the end."""
    everything = np.ones(len(cells.n), dtype=bool)
    return Values(cells.n, everything, ~everything, np.full(len(cells.n), 1e9), np.zeros(len(cells.n)), 4)


@pytest.mark.parametrize("seed", range(6))
def test_limits_on_a_tree_are_what_integer_programming_finds(seed: int) -> None:
    """Of any pattern of hidden cells, and not only where it is safe."""
    rng = np.random.default_rng(seed)
    frame = table(100 + seed, TREE)
    cells = cells_of(frame, TREE)
    assert not cells.cyclic.any()
    hidden = rng.random(len(frame)) < 0.4
    counts, _ = models(cells, hidden, np.zeros(len(frame)), to_the_end(cells))
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
    counts, _ = models(cells, hidden, np.zeros(len(frame)), to_the_end(cells))
    low, high = attack(cells, counts, cells.count, hidden, whole=True)
    possible = [fu for fu in range(6) if all(0 <= x <= 5 for x in (5 - fu, 7 - fu, 3 - (5 - fu)))]
    assert (low[hidden][0], high[hidden][0]) == (min(possible), max(possible)) == (2, 5)


def test_small_cells_of_a_margin_that_no_table_shows_are_found() -> None:
    """Sex by place and sex by age, without sex: both add up to it, so what one shows narrows the other."""
    frame = table(7, [("sex", "age"), ("sex", "place")])
    cells = cells_of(frame, [("sex", "age"), ("sex", "place")])
    assert cells.published == len(frame) < len(cells.n) and len(cells.parent) == 2 * 3 * 5
    withheld = np.zeros(len(frame), dtype=bool)
    found = protect(cells, withheld, frame["se"].to_numpy(), RULES)
    assert len(given_away(cells, found, withheld)) == 0


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
    small = small_counts(frame["numerator_n"].to_numpy(), frame["n"].to_numpy(), 4)
    for row in np.flatnonzero(found.hidden & ~small & ~withheld & (step > 0)):
        hidden, rounded = found.hidden.copy(), found.rounded_to.copy()
        hidden[row], rounded[row] = False, step[row]
        assert len(given_away(cells, replace(found, hidden=hidden, rounded_to=rounded), withheld)) > 0


@pytest.mark.parametrize("seed", range(8))
def test_no_share_is_rounded_that_could_be_printed_to_its_precision(seed: int) -> None:
    frame = table(seed, TREE)
    cells, withheld, se = cells_of(frame, TREE), frame["n"].to_numpy() < 25, frame["se"].to_numpy()
    precision, values = step_below(0.2 * 100 * se), promised(cells, withheld)
    found = protect(cells, withheld, se, RULES, precision)
    assert found.rounded_to.any()
    for row in np.flatnonzero(~found.hidden & (found.rounded_to > 0)):
        step = np.maximum(np.where(np.arange(len(frame)) == row, 0, found.rounded_to), precision)
        both = models(cells, found.hidden, step, values)
        assert any(limits.too_few(*limits.narrowed(cells)).any() for limits in both)


def test_a_total_that_nothing_hangs_on_stays_exact() -> None:
    frame = table(1, [()])
    frame = frame[frame["numerator_n"].between(10, 100)]
    found = protect(cells_of(frame, [()]), np.zeros(len(frame), dtype=bool), frame["se"].to_numpy(), RULES)
    assert len(frame) and not found.hidden.any() and not found.rounded_to.any()


def test_limits_never_exclude_the_truth() -> None:
    frame = table(5, CYCLE)
    cells, withheld = cells_of(frame, CYCLE), frame["n"].to_numpy() < 25
    found, values = protect(cells, withheld, frame["se"].to_numpy(), RULES), promised(cells, withheld)
    for limits, truth in zip(models(cells, found.hidden, found.rounded_to, values), (cells.count, cells.weighted), strict=True):
        low, high = limits.narrowed(cells)
        assert (low <= truth + 1e-6).all() and (truth <= high + 1e-6).all()
        assert not limits.too_few(low, high).any()
