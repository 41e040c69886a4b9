"""Columns that identify people are known by name, label and content; codes, weights, ages and ids are not taken for them."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.microdata.identifier_forms import CERTAIN
from rga.microdata.identifiers import identifier, words_of
from rga.microdata.private_columns import unread_identifiers
from rga.microdata.readers import column_names, file_labels, read_columns
from rga.microdata.respondents import prepare
from tests.planted import KINDS, NAMES, people
from tests.unit.test_respondents import SURVEY, data_root, rows

PEOPLE = people(200)
BY_CONTENT = [kind for kind in KINDS if kind not in {"postal address", "licence plate"}]  # which only their names tell


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_known_by_the_name_of_its_column(kind: str) -> None:
    found = identifier(NAMES[kind], "", PEOPLE[kind])
    assert found and found.kind == kind and "its name says" in found.why and found.matches > 150


@pytest.mark.parametrize("kind", BY_CONTENT)
def test_most_kinds_are_known_by_content_alone(kind: str) -> None:
    found = identifier("q17", "", PEOPLE[kind])
    assert found and found.kind == kind
    assert not set(PEOPLE[kind]) & set(map(str, asdict(found).values()))


@pytest.mark.parametrize(
    ("label", "kind"),
    [
        ("What is your date of birth?", "date of birth"),
        ("Name of the respondent", "person's name"),
        ("Nomor HP yang dapat dihubungi", "telephone number"),
        ("আপনার মোবাইল নম্বর", "telephone number"),
        ("หมายเลขโทรศัพท์ของคุณ", "telephone number"),
        ("तपाईंको ठेगाना", "postal address"),
        ("Adresse du ménage", "postal address"),
    ],
)
def test_labels_are_understood_in_several_languages(label: str, kind: str) -> None:
    found = identifier("q5", label, PEOPLE[kind].replace(r"^\+88", "", regex=True))
    assert found and found.kind == kind


def test_telephone_numbers_without_their_zero_are_known_by_their_disorder() -> None:
    numbers = np.random.default_rng(2).integers(1_300_000_000, 1_999_999_999, 400)
    for values in (pd.Series(numbers), pd.Series(numbers.astype(float)), pd.Series(numbers).map("0{}".format)):
        found = identifier("q3", "", values)
        assert found and found.kind == "telephone number"


def test_partly_filled_columns_are_known_by_what_is_filled_in() -> None:
    values = PEOPLE["telephone number"].where(np.arange(200) % 10 == 0, "-99")
    assert identifier("recontact", "", values)


rng = np.random.default_rng(3)
HARMLESS = {
    "age": rng.integers(18, 99, 500),
    "birth_year": rng.integers(1930, 2003, 500),
    "weight": rng.lognormal(0, 1, 500),
    "pop_weight": rng.uniform(1_000, 90_000, 500),
    "long": rng.integers(1, 99, 500),
    "phone": rng.integers(1, 3, 500),
    "phones_owned": rng.integers(0, 6, 500),
    "mobile": ["yes", "no"] * 250,
    "address": [1, 2, 3, 4] * 125,
    "hhid": np.arange(100_000_001, 100_000_501),
    "ea": [f"{region:03}{area:05}" for region in range(10) for area in range(50)],
    "psu": np.repeat(np.arange(1_013_000_201, 1_013_000_301), 5),
    "household": [
        f"10{region:02}0{area:02}0{household:02}" for region in range(5) for area in range(10) for household in range(1, 11)
    ],
    "key": [f"uuid:{number:032x}" for number in rng.integers(0, 2**62, 500)],
    "start": ["2020-05-01 10:31"] * 500,
    "began": 13_807_500_000 + rng.integers(0, 5_000_000, 500),
    "ended": 1_904_000_000_000 + rng.integers(0, 5_000_000_000, 500),
    "today": [f"2020-05-{1 + day % 20:02}" for day in range(500)],
    "income": rng.integers(1, 90, 500) * 100_000,
    "region_name": ["Eastern Province", "Western Province"] * 250,
    "district": [f"District of {name}" for name in "ABCDE"] * 100,
    "email": [pd.NA, -99] * 250,
    "occupation": ["farmer", "teacher", "nurse", "trader"] * 125,
    "duration": rng.gamma(9, 1.6, 500).round(1),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_identifies_nobody_directly_is_not_taken_for_an_identifier(name: str) -> None:
    assert identifier(name, "", pd.Series(HARMLESS[name])) is None


def test_questions_about_telephones_are_no_telephones() -> None:
    assert identifier("q9", "How many phone numbers do you answer?", pd.Series([1, 2, 3] * 50)) is None


def test_names_are_split_into_words() -> None:
    assert words_of("s05_RespName1") == "s05 resp name" and words_of("group/GPS-latitude") == "gps latitude"


def test_a_file_of_the_repository_has_no_identifiers_but_those_its_survey_lists(repository: Path) -> None:
    root = DataRoot(repository / "raw_data")
    for survey_id in root.survey_ids():
        listed = {c for c, why in root.specification(survey_id).unused.items() if "identifier" in why}
        found = {}
        for path in root.files(survey_id).values():
            _, labels, _ = file_labels(path)
            frame = read_columns(path, column_names(path))
            found |= {c: one for c in frame if (one := identifier(str(c), labels.get(str(c), ""), frame[c]))}
        assert set(found) == listed, survey_id


def test_real_files_have_only_the_coordinates_that_they_say_they_have(shared: Path) -> None:
    for path in sorted((shared / "microdata").rglob("*.dta")):
        _, labels, _ = file_labels(path)
        frame = read_columns(path, column_names(path))
        found = {c for c in frame if identifier(str(c), labels.get(str(c), ""), frame[c])}
        assert found <= {"ea_latitude", "ea_longitude"}, path.name


@pytest.mark.parametrize("kind", KINDS)
def test_a_mapped_identifier_is_an_error_that_says_which_column_and_why_and_quotes_no_value(kind: str, tmp_path: Path) -> None:
    frame = pd.concat([rows()] * 10, ignore_index=True)
    frame["ID"], frame[NAMES[kind]] = range(len(frame)), people(len(frame))[kind]
    for number, (place, user) in enumerate([("column: q1", "sex"), ("weight: w", "design"), ("psu: ea", "design")]):
        survey = SURVEY.replace(place, f"{place.split(':')[0]}: {NAMES[kind]}")
        with pytest.raises(InputError, match=f"looks like a direct identifier.*{kind}.*its name says") as error:
            prepare(data_root(tmp_path / str(number), frame, survey), "2020-r1_BGD")
        assert f"variable {user} (column {NAMES[kind]}), 40 rows" in str(error.value)
        assert not [value for value in frame[NAMES[kind]] if value in str(error.value)]


def test_a_reason_lets_a_column_be_read(tmp_path: Path) -> None:
    frame = rows().assign(phone=["0171234567", "0171234568", "0171234569", "0171234560"])
    survey = SURVEY.replace("psu: ea", "psu: phone")
    with pytest.raises(InputError, match=r"not_identifiers: \{phone: <reason>\}"):
        prepare(data_root(tmp_path / "a", frame, survey), "2020-r1_BGD")
    reason = survey + "not_identifiers: {phone: random numbers of clusters}\n"
    assert len(prepare(data_root(tmp_path / "b", frame, reason), "2020-r1_BGD").frame)
    with pytest.raises(InputError, match="not_identifiers"):
        prepare(data_root(tmp_path / "c", frame, survey + "not_identifiers: {phone: ' '}\n"), "2020-r1_BGD")


def test_a_column_that_only_the_statement_reads_is_judged_too(tmp_path: Path) -> None:
    frame = rows().assign(phone=["0171234567", "0171234568", "0171234569", "0171234560"])
    statement = "respondents: SELECT * FROM respondents WHERE phone <> ''\n"
    with pytest.raises(InputError, match=r"respondents \(column phone\)"):
        prepare(data_root(tmp_path, frame, SURVEY.lstrip() + statement), "2020-r1_BGD")


def test_unread_identifiers_are_named_and_the_id_may_be_one(tmp_path: Path) -> None:
    frame = pd.concat([rows().drop(columns="phone")] * 10, ignore_index=True).join(people(40).rename(columns=NAMES))
    frame["ID"] = frame["msisdn"]
    root = data_root(tmp_path, frame)
    assert {one.kind for one in unread_identifiers(root, "2020-r1_BGD")} == set(KINDS)
    assert len(prepare(root, "2020-r1_BGD").frame)


def test_a_number_of_few_digits_has_the_form_of_no_identifier() -> None:
    numbers = [f"{sign}{whole}{cents}" for sign in ("", "-") for whole in range(0, 100_000, 7) for cents in ("", ".5", ".05")]
    assert not [number for number in numbers if any(form(number) for form in CERTAIN.values())]
