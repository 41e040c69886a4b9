"""XLSForms: labels, choices and skip logic reach the draft; exports of ODK, KoboToolbox and SurveyCTO."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import yaml

from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.microdata.forms import read_form
from rga.microdata.respondents import prepare
from rga.onboarding.draft import Request, write_draft
from rga.onboarding.file_facts import read_facts

SURVEY = [
    ("start", "start", "", ""),
    ("deviceid", "dev", "", ""),
    ("geopoint", "here", "Where are you?", ""),
    ("begin group", "resp", "About you", ""),
    ("select_one sexes", "a1", "What is your **sex**?", ""),
    ("integer", "a2", "How old are you?", ""),
    ("end group", "", "", ""),
    ("select_one jobs", "b1", "Job status in a typical week before the crisis", ""),
    ("begin_group", "work", "Work", "${b1} = '1'"),
    ("select_one yn", "b2", "Did the job come with a written contract or social security?", "${a2} > 17"),
    ("end_group", "", "", ""),
    ("select_multiple helpers", "c1", "Who helps you more in the household?", ""),
    ("text", "c2", "Anything else?", ""),
]
CHOICES = [
    ("sexes", "1", "Male"), ("sexes", "2", "Female"),
    ("jobs", "1", "Employee"), ("jobs", "2", "Employer"), ("jobs", "3", "Own-account worker"),
    ("jobs", "4", "Unpaid family worker"), ("jobs", "5", "Not working"),
    ("yn", "1", "Yes"), ("yn", "0", "No"), ("yn", "-98", "Don't know"),
    ("helpers", "1", "Partner"), ("helpers", "2", "Sons"), ("helpers", "3", "Daughters"), ("helpers", "4", "Other relatives"),
    ("helpers", "5", "Paid help"), ("helpers", "6", "Nobody"), ("helpers", "-99", "Refused"),
]  # fmt: skip
HELPED = ["1 2", "1", "3", "2 3", "6", "4 5", "5", "4", "-99", "1 3"]


@pytest.fixture
def root(tmp_path: Path, repository: Path) -> DataRoot:
    for name in ("catalogue", "benchmarks"):
        shutil.copytree(repository / "raw_data" / name, tmp_path / "root" / name)
    return DataRoot(tmp_path / "root")


def form(path: Path, label: str = "label::English (en)", condition: str = "relevant", code: str = "name") -> Path:
    survey = pd.DataFrame(SURVEY, columns=["type", "name", label, condition])
    choices = pd.DataFrame(CHOICES, columns=["list_name", code, label])
    survey["label::Français (fr)"] = "une question"
    with pd.ExcelWriter(path, engine="openpyxl") as writer:
        survey.to_excel(writer, sheet_name="survey", index=False)
        choices.to_excel(writer, sheet_name="choices", index=False)
    return path


def answers(names: dict[str, str], split: str = "") -> pd.DataFrame:
    """Forty answers; ``names`` gives columns other names, ``split`` makes columns per choice with it between."""
    n = 40
    frame = pd.DataFrame(
        {
            "key": [f"uuid:{i:04x}" for i in range(n)], "dev": [f"imei-{i}" for i in range(n)],
            "here": ["1.234567 103.98765 0 0"] * n, "a1": [str(1 + i % 2) for i in range(n)],
            "a2": [str(18 + i) for i in range(n)], "b1": [str(1 + i % 5) for i in range(n)],
            "b2": [["1", "0", "-98"][i % 3] if i % 5 == 0 else "" for i in range(n)], "c1": [HELPED[i % 10] for i in range(n)],
            "c2": [f"please call {i}" for i in range(n)],
        }
    )  # fmt: skip
    if split:
        for choice in ("1", "2", "3", "4", "5", "6"):
            frame[f"c1{split}{choice}"] = [str(int(choice in HELPED[i % 10].split())) for i in range(n)]
        frame = frame.drop(columns="c1")
        names = {k: v for k, v in names.items() if k != "c1"}
    return frame.rename(columns=names)


def variables(root: DataRoot, frame: pd.DataFrame, path: Path, tmp_path: Path) -> tuple[dict, str]:
    frame.to_csv(tmp_path / "answers.csv", index=False)
    page, _ = write_draft(root, Request([tmp_path / "answers.csv"], "WSM", "2021-r2", form=path))
    text = page.read_text(encoding="utf-8")
    return yaml.safe_load(text), text


def test_a_form_gives_labels_codes_and_who_was_asked(root: DataRoot, tmp_path: Path) -> None:
    data, text = variables(root, answers({}), form(tmp_path / "form.xlsx"), tmp_path)
    found = data["variables"]
    assert found["sex"] == {"column": "a1", "codes": {1: "M", 2: "F"}} and found["age"] == {"column": "a2"}
    assert found["formal_job"]["codes"] == {1: "yes", 0: "no"} and found["formal_job"]["missing"] == {-98: "dont_know"}
    assert found["job_before"]["codes"][3] == "own_account"
    assert "asked only where (form): ${b1} = '1' and ${a2} > 17" in text
    assert set(data["unused"]) == {"dev", "here"} and data["id"] == "key"


def test_select_multiple_in_one_column_is_a_battery_with_a_separator(root: DataRoot, tmp_path: Path) -> None:
    data, _ = variables(root, answers({}), form(tmp_path / "form.xlsx"), tmp_path)
    helped = data["variables"]["help"]
    assert helped["column"] == "c1" and helped["separator"] == " " and helped["missing"] == {-99: "refused"}
    assert helped["codes"] == {1: "partner", 2: "sons", 3: "daughters", 4: "relatives", 5: "paid", 6: "nobody"}


@pytest.mark.parametrize("split", ["/", "_", "."])
def test_select_multiple_split_into_columns_is_a_battery_of_columns(split: str, root: DataRoot, tmp_path: Path) -> None:
    data, _ = variables(root, answers({}, split), form(tmp_path / "form.xlsx"), tmp_path)
    helped = data["variables"]["help"]
    assert helped["columns"] == {
        item: f"c1{split}{i}" for i, item in enumerate(["partner", "sons", "daughters", "relatives", "paid", "nobody"], 1)
    }
    assert helped["codes"] == {1: "yes", 0: "no"}


@pytest.mark.parametrize("join", ["resp/{}", "resp-{}", "resp:{}"])
def test_columns_named_by_their_groups_are_found(join: str, root: DataRoot, tmp_path: Path) -> None:
    names = {name: join.format(name) for name in ("a1", "a2")} | {"b2": join.replace("resp", "work").format("b2")}
    data, _ = variables(root, answers(names), form(tmp_path / "form.xlsx"), tmp_path)
    assert data["variables"]["sex"]["column"] == join.format("a1") and data["variables"]["formal_job"]["column"] == names["b2"]


def test_exports_headed_and_filled_with_labels_need_no_codes_of_the_form(root: DataRoot, tmp_path: Path) -> None:
    frame = answers({"a1": "What is your sex?"})
    frame["What is your sex?"] = frame["What is your sex?"].map({"1": "Male", "2": "Female"})
    data, _ = variables(root, frame, form(tmp_path / "form.xlsx"), tmp_path)
    assert data["variables"]["sex"] == {"column": "What is your sex?", "codes": {"Male": "M", "Female": "F"}}


def test_surveycto_spells_some_columns_of_a_form_otherwise(root: DataRoot, tmp_path: Path) -> None:
    path = form(tmp_path / "form.xlsx", label="label", condition="relevance", code="value")
    data, text = variables(root, answers({}), path, tmp_path)
    assert data["variables"]["sex"]["codes"] == {1: "M", 2: "F"} and "asked only where" in text


def test_english_labels_are_preferred_and_markup_is_dropped(tmp_path: Path) -> None:
    question, _ = read_form(form(tmp_path / "form.xlsx")).question("a1")
    assert question and question.label == "What is your sex?" and question.choices == {"1": "Male", "2": "Female"}


def test_an_export_given_as_form_is_an_error_that_says_so(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_excel(tmp_path / "answers.xlsx", index=False)
    with pytest.raises(InputError, match="no sheet `survey`"):
        read_form(tmp_path / "answers.xlsx")
    (tmp_path / "broken.xlsx").write_bytes(b"PK\x03\x04 not a workbook")
    with pytest.raises(InputError, match=r"broken\.xlsx"):
        read_form(tmp_path / "broken.xlsx")


def test_a_question_of_the_form_that_asks_for_a_name_marks_its_column(tmp_path: Path) -> None:
    questions = pd.DataFrame([("text", "a9", "What is your full name?")], columns=["type", "name", "label"])
    questions.to_excel(tmp_path / "form.xlsx", sheet_name="survey", index=False)
    names = [f"{first} {last}" for first in ("Siti", "Budi", "Ayu", "Dewi") for last in ("Rahmah", "Santoso", "O'Neil", "Putri")]
    pd.DataFrame({"key": range(16), "a9": names}).to_csv(tmp_path / "answers.csv", index=False)
    column = read_facts(tmp_path / "answers.csv", form=read_form(tmp_path / "form.xlsx")).column("a9")
    assert column and column.identifies == "person's name" and not column.counts


def test_labels_of_the_form_are_published_with_the_codes_they_belong_to(root: DataRoot, tmp_path: Path) -> None:
    data, _ = variables(root, answers({}), form(tmp_path / "form.xlsx"), tmp_path)
    assert data["files"]["respondents"]["form"] == "form.xlsx"
    data |= {"title": "A survey", "producer": "We", "citation": "We, 2021", "licence": "ours", "simulated": True, "mode": "sms"}
    data |= {"fieldwork": {"start": date(2021, 4, 29), "end": date(2021, 5, 12)}, "unconfirmed": {}, "id": "key"}
    data["population"]["description"] = "Adults aged 18 and over"
    data["variables"] = {name: data["variables"][name] for name in ("sex", "age")}
    page = root.folder("2021-r2_WSM") / "survey.yaml"
    page.write_text(yaml.safe_dump(data), encoding="utf-8")
    rows = prepare(root, "2021-r2_WSM").codebook.set_index(["variable", "code"])
    assert rows.loc[("sex", "2"), "code_label"] == "Female" and rows.loc[("sex", "2"), "source_label"] == "What is your sex?"
    assert set(rows.loc["age", "source_label"]) == {"How old are you?"}
    changed, before = page.parent / "form.xlsx", root.inputs("2021-r2_WSM")
    pd.DataFrame({"type": ["text"], "name": ["a1"]}).to_excel(changed, sheet_name="survey", index=False, engine="openpyxl")
    assert root.inputs("2021-r2_WSM") != before
    assert prepare(root, "2021-r2_WSM").codebook["code_label"].isna().all()
