"""What of a file's own words is told: answers' codes and labels are, identifiers and formulas are not."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from rga.microdata.respondents import prepare
from rga.microdata.telling import WITHHELD, can_be_told, publishable, told_or_numbered
from tests.unit.test_respondents import SURVEY, data_root, rows


@pytest.mark.parametrize("value", ["7", "-99", "123456", "1.5", ".a", "DK", "N.A", "refused", "Don't know", "Femal"])
def test_codes_and_misspelt_labels_are_told(value: str) -> None:
    assert can_be_told(value, ["Female"])


@pytest.mark.parametrize(
    "value", ["Siti", "1234567", "-6.123456", "a@b.com", "=cmd", "Female 0812345678", "Jalan Merdeka 17", "1e300"]
)
def test_words_long_numbers_and_identifiers_are_not_told(value: str) -> None:
    assert not can_be_told(value, ["Female"])


@pytest.mark.parametrize(
    "label",
    [
        "What is your sex?", "Age (18-24)", "1000000 - 1999999 rupiah", "More than 10000000", "2019-2020", "Between 2019 and 2020",
        "10.000,50 to 20.000,00", "Q12.1 Hours per week", "0-14 years", "Income 00 to 10", "<18 years",
        "in Covid-19 (2020) 5.25, 6.75",
    ],
)  # fmt: skip
def test_labels_of_questions_and_bands_are_published_as_they_are(label: str) -> None:
    assert publishable(label) == label


@pytest.mark.parametrize(
    "label",
    [
        "(ask Zulkifli Varlabel +6281299990001)", "Male (Zulkifli Vallabel, 3171234567890123)", "write to z.v@mail.example",
        "call 0812-3456-7890", "call (02) 123 4567", "at -6.123456, 106.812345", "see https://facebook.com/zulkifli", "01711223344",
        "Women<script>alert(1)</script>", "id 12345-1234567-1",
    ],
)  # fmt: skip
def test_labels_with_an_identifier_or_html_in_them_are_withheld(label: str) -> None:
    assert publishable(label) == WITHHELD


def test_formulas_among_labels_are_published_as_text() -> None:
    assert [publishable(f"{sign}1+1") for sign in "=+-@"] == ["'=1+1", "'+1+1", "'-1+1", "'@1+1"]


def test_the_codebook_has_no_identifier_and_no_formula_of_the_files_labels(tmp_path: Path) -> None:
    root = data_root(tmp_path, rows(), SURVEY, "data.sav")
    pyreadstat.write_sav(
        rows(),
        root.path / "2020-r1/BGD/data.sav",
        column_labels={"q1": "Sex (ask Zulkifli +6281299990001)", "q2": "=cmd|'/C calc'!A0"},
        variable_value_labels={"q1": {1: "Male (3171234567890123)", 2: "Female"}},
    )
    codebook: pd.DataFrame = prepare(root, "2020-r1_BGD").codebook
    told = codebook.to_csv()
    assert "Zulkifli" not in told and "3171" not in told and WITHHELD in told and "Female" in told and "'=cmd" in told


def test_a_stray_cell_among_strata_is_numbered_and_places_and_codes_keep_their_names() -> None:
    strata = pd.Series(["Dhaka North*1"] * 5 + ["Rahima Begum*1", "Karim Uddin*2", "12*(blank)", None], dtype="string")
    shown = told_or_numbered(strata)
    assert set(shown[:5]) == {"Dhaka North*1"} and shown[8] is pd.NA
    assert shown[5] != shown[6] and not shown.str.contains("Rahima|Karim").fillna(False).any()
