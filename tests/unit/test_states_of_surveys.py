"""Whether two states of a survey differ by few respondents: attacked with additions, changes, exchanges and new numbers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from rga.warehouse.corrections import ANSWER, CELL, COUNTED, SHARE, counts_of_few, of_few, state_of

BREAKDOWNS = [[], ["sex"], ["sex", "residence"]]
SHARES = {"WORKS": ("age >= 18", "work = 'yes'"), "RARE": ("work = 'no'", "looks = 'yes'")}


def respondents(size: int = 400, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    answers = {name: rng.choice(["yes", "no"], size) for name in ("work", "looks")}
    cells = {"sex": rng.choice(["F", "M"], size), "residence": rng.choice(["U", "R"], size)}
    return pd.DataFrame({"respondent_id": [f"r{n}" for n in range(size)], "age": rng.integers(18, 90, size), **cells, **answers})


def state(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.reset_index(drop=True)
    kinds = frame[["sex", "residence", "work", "looks"]].notna().replace({True: "answered", False: "refused"}).astype("object")
    return state_of(frame, kinds, SHARES, ["sex", "residence"])


def few(before: pd.DataFrame, after: pd.DataFrame, least_base: int = 1) -> list[str]:
    return of_few(state(before), state(after), BREAKDOWNS, least_base)


def with_more(frame: pd.DataFrame, size: int) -> pd.DataFrame:
    more = respondents(size, 9)
    return pd.concat([frame, more.assign(respondent_id=[f"new{n}" for n in range(size)])])


def changed(frame: pd.DataFrame, column: str, rows: list[int], value: object) -> pd.DataFrame:
    return frame.assign(**{column: frame[column].mask(frame.index.isin(rows), value)})


def some(frame: pd.DataFrame, where: str, count: int) -> list[int]:
    return list(frame.query(where).index[:count])


def exchanged(frame: pd.DataFrame) -> pd.DataFrame:
    yes, no = (some(frame, f"sex == 'F' and residence == 'U' and work == '{answer}'", 1) for answer in ("yes", "no"))
    return changed(changed(frame, "work", yes, "no"), "work", no, "yes")


def numbered_anew(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1, random_state=1).assign(respondent_id=[f"x{n}" for n in range(len(frame))])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda f: f, set()),
        (numbered_anew, set()),
        (lambda f: f.sample(frac=1, random_state=2), set()),
        (lambda f: f.drop(index=7), {"WORKS", "sex", "residence", "work", "looks"}),
        (lambda f: with_more(f, 4), {"WORKS", "sex", "residence", "work", "looks"}),
        (lambda f: with_more(f, 40), set()),
        (lambda f: numbered_anew(f.drop(index=7)), {"WORKS", "sex", "residence", "work", "looks"}),
        (lambda f: changed(f, "work", some(f, "work == 'yes'", 3), "no"), {"WORKS", "RARE", "work"}),
        (lambda f: changed(f, "work", some(f, "work == 'yes'", 5), "no"), set()),
        (lambda f: changed(f, "residence", some(f, "residence == 'U'", 2), "R"), {"WORKS", "residence"}),
        (exchanged, {"WORKS", "work"}),
        (lambda f: changed(with_more(f, 40), "age", [], 0), set()),
        (lambda f: changed(changed(f, "sex", some(f, "sex == 'F'", 60), "M"), "residence", [0, 1], "R"), {"residence"}),
    ],
)  # fmt: skip
def test_a_few_respondents_are_found_whatever_hides_them(change: Callable[[pd.DataFrame], pd.DataFrame], found: set[str]) -> None:
    before = respondents()
    before.loc[[0, 1], "residence"] = "U"
    assert set(few(before, change(before))) - {"RARE"} >= found - {"RARE"}
    assert bool(few(before, change(before))) == bool(found)
    assert set(few(change(before), before)) == set(few(before, change(before))), "whichever came first"


def test_an_indicator_of_whose_base_few_are_new_is_found_where_its_share_is_shown() -> None:
    before = respondents()
    looking = before.query("work == 'no'").index[30:]
    before = changed(before, "work", list(looking), "yes")
    more = pd.concat([changed(with_more(before, 40).reset_index(drop=True), "work", list(range(403, 440)), "yes")])
    more.loc[400:402, "work"] = "no"
    assert few(before, more) == ["RARE"]
    assert few(before, more, least_base=50) == [], "30 in its base: no share is shown to subtract"


def test_a_state_holds_who_is_in_which_cell_and_counts_and_no_answer_in_words() -> None:
    frame = respondents(20)
    frame.loc[3, ["sex", "work"]] = None
    kept = state(frame)
    assert list(kept) == [
        *("respondent_id", f"{CELL}sex", f"{CELL}residence"),
        *(f"{ANSWER}{name}" for name in ("sex", "residence", "work", "looks")), *(f"{SHARE}{code}" for code in SHARES),
    ]  # fmt: skip
    assert kept.loc[3, f"{CELL}sex"] == "" and kept.loc[3, f"{SHARE}WORKS"] == -1
    assert set(kept[f"{SHARE}WORKS"]) == {-1, 0, 1} and kept[f"{ANSWER}work"].nunique() == 3


def test_a_catalogue_that_changed_is_compared_where_both_have_the_question() -> None:
    before, after = state(respondents()), state(respondents().drop(index=1))
    assert of_few(before.drop(columns=f"{SHARE}WORKS"), after.drop(columns=f"{CELL}residence"), BREAKDOWNS)
    assert not of_few(before[["respondent_id"]], after, BREAKDOWNS)


def test_categories_that_a_calibration_merged_are_no_correction() -> None:
    none = {name: pd.DataFrame() for name in COUNTED}
    margin = pd.DataFrame({"margin": "age", "category": ["a", "b", "c"], "n": [3, 100, 50]})
    merged = pd.DataFrame({"margin": "age", "category": ["a+b", "c"], "n": [103, 50]})
    assert counts_of_few(none | {"margins": margin}, none | {"margins": merged}) == []
    assert counts_of_few(none | {"margins": margin}, none | {"margins": margin.assign(n=[3, 99, 51])}) == ["age"]


def tables(n: list[int | None]) -> dict[str, pd.DataFrame]:
    rows = pd.DataFrame({"n": pd.array(n, dtype="Int64"), "variable": "work", "margin": "sex"})
    rows = rows.assign(code=["1", "2", "9"], category=["1", "2", "9"], kind=["answered", "answered", "refused"], harmonised="")
    return {name: rows[[of, *dict.fromkeys([*keys, "n"])]].drop_duplicates(keys) for name, (of, keys) in COUNTED.items()}


@pytest.mark.parametrize(
    ("n", "found"),
    [
        ([100, 90, 10], False), ([99, 90, 10], True), ([97, 93, 10], True), ([104, 90, 10], True), ([110, 80, 10], False),
        ([100, 90, None], False), ([None, None, None], False), ([120, 93, 10], False),
    ],
)  # fmt: skip
def test_counts_that_are_published_show_a_correction_of_few(n: list[int | None], found: bool) -> None:
    codebook = {name: frame for name, frame in tables(n).items() if name == "codebook"}
    others = {name: frame.iloc[:0] for name, frame in tables([100, 90, 10]).items()}
    before = others | {"codebook": tables([100, 90, 10])["codebook"]}
    assert bool(counts_of_few(before, others | codebook)) == found
