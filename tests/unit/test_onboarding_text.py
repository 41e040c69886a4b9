"""How alike labels are: languages, scripts, cut-off labels, words that only look alike."""

from __future__ import annotations

import pytest

from rga.onboarding.codes import SAME
from rga.onboarding.text import LONGEST, Phrases, alike, normal, plain_value_label


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Married or living with a partner", "married"),
        ("married_or_living_with_a", "Married or living with a partner"),
        ("Internet dan media sosial", "internet"),
        ("বিবাহিত বা সঙ্গীর সাথে থাকেন", "বিবাহিত"),
        ("สมรสหรืออยู่กินกับคู่", "สมรส"),
        ("Don't know", "dont know"),
    ],
)
def test_forms_of_one_label_are_alike(one: str, other: str) -> None:
    assert alike(normal(one), normal(other)) >= SAME


@pytest.mark.parametrize(
    ("one", "other"), [("men", "women"), ("male", "female"), ("yes", "y n"), ("employee", "employer"), ("", "a")]
)
def test_words_that_only_look_alike_are_not(one: str, other: str) -> None:
    assert alike(normal(one), normal(other)) < 0.9


def test_marks_of_scripts_are_kept_and_punctuation_is_not() -> None:
    assert normal("  বয়স (পূর্ণ বছরে)?") == "বয়স পূর্ণ বছরে".replace("য়", "য়")
    assert normal("What is your SEX?") == "what is your sex"


def test_a_label_of_a_million_characters_costs_no_more_than_a_long_one() -> None:
    assert len(normal("x" * 1_000_000)) == LONGEST


def test_what_all_phrases_share_tells_less_than_what_one_has() -> None:
    phrases = Phrases(
        {
            "government": ["received support from the government since the crisis began"],
            "charity": ["received support from charities since the crisis began"],
        }
    )
    scores = phrases.scores("Since the crisis began, support from charities?")
    assert scores["charity"] > scores["government"] + 0.1


def test_a_value_label_loses_its_own_code_only() -> None:
    assert plain_value_label("-9. Refused", "-9") == "Refused"
    assert plain_value_label("2 or more", "3") == "2 or more"
    assert plain_value_label("1.", "1") == "1."
