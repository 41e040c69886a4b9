"""What codes mean: by label, by convention, by order; and what is left open."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from rga.microdata.catalogue import Variable
from rga.onboarding.batteries import groups, several
from rga.onboarding.codes import by_order, conventional, match_codes, match_numbers
from rga.onboarding.file_facts import Column, counted

SEX = {"F": ["women", "female"], "M": ["men", "male"], "O": ["other"]}
CHANGE = {"increased": ["increased"], "same": ["unchanged"], "decreased": ["decreased"], "not_done": ["does not usually do it"]}
YES_NO = {"yes": ["yes"], "no": ["no"]}


def column(values: list, labels: dict[str, str] | None = None, name: str = "q1") -> Column:
    series = pd.Series(values, dtype=object)
    return replace(counted(Column(name, "respondents", 0, "", labels or {}, {}), series), rows=len(series))


def test_labels_decide_whatever_the_numbers() -> None:
    match = match_codes({"1": "Male", "2": "Female", "9": "Refused"}, {"1": 5, "2": 6}, SEX)
    assert (match.codes, match.missing, match.how) == ({"1": "M", "2": "F"}, {"9": "refused"}, "labels")


def test_a_reversed_scale_is_read_by_its_labels() -> None:
    labels = {"1": "Does not usually do it", "2": "Decreased", "3": "Unchanged", "4": "Increased"}
    assert match_codes(labels, dict.fromkeys(labels, 1), CHANGE).codes == {
        "1": "not_done",
        "2": "decreased",
        "3": "same",
        "4": "increased",
    }


def test_a_label_that_nothing_is_like_stays_open() -> None:
    labels = {"1": "Women", "2": "Men", "3": "Prefer a seven-point scale", "4": "Interviewer's guess"}
    match = match_codes(labels, dict.fromkeys(labels, 1), SEX)
    assert match.codes == {"1": "F", "2": "M"} and match.unknown == ["3", "4"] and match.score < 0.9


def test_one_left_over_is_matched_by_elimination_and_says_so() -> None:
    labels = {"1": "Increased", "2": "Unchanged", "3": "Decreased", "4": "Biasanya tidak"}
    match = match_codes(labels, dict.fromkeys(labels, 1), CHANGE)
    assert match.codes["4"] == "not_done" and match.weakest == 0.5 and match.notes == ["one code by elimination"]


def test_codes_without_labels_are_taken_in_order_and_only_if_their_number_fits() -> None:
    match = by_order(["10", "20", "30", "888", "999"], {}, ["F", "M", "O"])
    assert match.codes == {"10": "F", "20": "M", "30": "O"} and match.how == "order"
    assert match.missing == {"888": "dont_know", "999": "refused"}
    assert by_order(["1", "2", "3", "4", "5"], {}, ["F", "M", "O"]).codes == {}
    assert by_order(["1", "2", "5"], {}, ["F", "M", "O"]).codes == {}, "not evenly spaced"


def test_zero_and_one_are_no_and_yes() -> None:
    assert by_order(["0", "1"], {}, ["yes", "no"]).codes == {"1": "yes", "0": "no"}
    assert by_order(["1", "2"], {}, ["yes", "no"]).codes == {"1": "yes", "2": "no"}


def test_letters_of_stata_are_missing_by_convention() -> None:
    match = match_codes({"1": "Yes", "2": "No"}, {"1": 3, "2": 4, ".d": 1, ".r": 2, ".n": 3}, YES_NO)
    assert match.missing == {".d": "dont_know", ".r": "refused", ".n": "not_applicable"} and not match.unknown


def test_a_conventional_number_inside_the_scale_is_an_answer() -> None:
    assert conventional(["8", "9"], [str(i) for i in range(1, 8)]) == {}
    assert conventional(["8", "9"], ["1", "2"]) == {"8": "dont_know", "9": "refused"}


def test_an_age_of_98_stays_a_number_where_98_is_possible() -> None:
    age = Variable(label="Age", module="m", minimum=0, maximum=120)
    match = match_numbers(column([*range(18, 80), 98, 999, -98]), age)
    assert match.missing == {"999": "refused", "-98": "dont_know"} and not match.unknown


def test_a_number_whose_values_all_have_labels_is_no_number() -> None:
    age = Variable(label="Age", module="m", minimum=0, maximum=120)
    assert match_numbers(column([0, 1, 1, 0], {"0": "No", "1": "Yes"}), age).how == "nothing"


def test_answers_that_hold_several_choices_are_told_from_sentences() -> None:
    found = several(column(["A;B", "A", "B;C", "C", "A;C", "B"]))
    assert found and found.separator == ";" and set(found.choices) == {"A", "B", "C"}
    assert several(column(["Own-account worker", "Not working", "Unpaid family worker", "Employee"])) is None


def test_columns_are_grouped_by_the_beginning_of_their_names() -> None:
    names = ["q1", "q7a", "q7b", "q7c", "q8", "V10_1", "V10_2", "care/care/minding", "care/care/adults", "Q10.1", "Q10.2"]
    found = groups([Column(name, "f", i, "", {}, {}) for i, name in enumerate(names)])
    assert [(group.stem, group.parts) for group in found] == [
        ("q7", ["a", "b", "c"]), ("V10", ["1", "2"]), ("care/care", ["minding", "adults"]), ("Q10", ["1", "2"])
    ]  # fmt: skip
