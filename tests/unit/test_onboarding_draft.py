"""The drafted page: it loads, says what is left to do, overwrites nothing, and no label can break it."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
import yaml
from click.testing import CliRunner

from assets.survey_check import check_survey
from pipelines.cli import main
from rga.errors import InputError
from rga.microdata.data_root import DataRoot
from rga.microdata.readers import sha256
from rga.onboarding.draft import Request, write_draft

HOSTILE = [
    "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "x" * 100_000, "two\nlines: [a, b]", "# no comment", "key: value", "- item",
    "'single \"double", "{a: b}", "&anchor *alias", "!!python/object/apply:os.system [ls]", "tab\tand\u2028separator\x85next",
    "null\x07bell", "%directive", "...", "---", "\ufeffbom", "@at `tick`", "right\u202eleft", "yes", "~", "TODO",
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, repository: Path) -> DataRoot:
    for name in ("catalogue", "benchmarks"):
        shutil.copytree(repository / "raw_data" / name, tmp_path / "root" / name)
    return DataRoot(tmp_path / "root")


def filled_in(page: Path, **given: str) -> None:
    """Complete a drafted page as a person would, every TODO and every confirmation."""
    data = yaml.safe_load(page.read_text(encoding="utf-8"))
    data |= {"title": "A survey", "producer": "We", "citation": "We, 2021", "licence": "ours", "simulated": True, "mode": "sms"}
    data |= {"fieldwork": {"start": date(2020, 4, 29), "end": date(2020, 5, 12)}, "unconfirmed": {}, **given}
    data["population"]["description"] = "Adults aged 18 and over"
    page.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")


def test_a_draft_is_written_beside_a_copy_of_the_file_with_its_hash_and_a_round(root: DataRoot, repository: Path) -> None:
    file = repository / "raw_data/2020-r1/IDN/microdata.sav"
    page, draft = write_draft(root, Request([file], "IDN", "2020-r1"))
    data = yaml.safe_load(page.read_text(encoding="utf-8"))
    assert page == root.path / "2020-r1" / "IDN" / "survey.yaml" and draft.guesses
    assert data["files"]["respondents"] == {"path": "microdata.sav", "sha256": sha256(page.parent / "microdata.sav")}
    assert root.round("2020-r1").year == 2020
    assert data["unused"] == {"msisdn": "direct identifier: telephone number; never to be mapped"}
    assert 'high (1.00): label "Jenis kelamin"' in page.read_text(encoding="utf-8")


def test_check_says_what_a_draft_lacks_and_passes_once_it_is_filled_in(root: DataRoot, repository: Path) -> None:
    page, draft = write_draft(root, Request([repository / "raw_data/2020-r1/IDN/microdata.sav"], "IDN", "2020-r1"))
    before = check_survey(root, "2020-r1_IDN").error
    for key in ("title", "producer", "citation", "licence", "fieldwork.start", "mode", "population.description"):
        assert f"{key}:" in before
    assert "still to be filled in" in before and "Traceback" not in before
    filled_in(page, unconfirmed={"age": "medium"})
    assert "delete these lines from the page: age" in check_survey(root, "2020-r1_IDN").error
    filled_in(page)
    after = check_survey(root, "2020-r1_IDN")
    assert after.facts, after.error
    assert after.facts.respondents == 2400 and len(after.facts.columns.mapped) == len(
        {c for g in draft.guesses for c in g.columns.values()}
    )


def test_nothing_is_overwritten_and_nothing_written_on_the_way_to_an_error(
    root: DataRoot, repository: Path, tmp_path: Path
) -> None:
    file = repository / "raw_data/2020-r1/IDN/microdata.sav"
    write_draft(root, Request([file], "IDN", "2020-r1"))
    with pytest.raises(InputError, match="is there already"):
        write_draft(root, Request([file], "IDN", "2020-r1"))
    for country, round_id in (("Indonesia", "2020-r1"), ("IDN", "first"), ("../X", "2020-r1")):
        with pytest.raises(InputError, match="survey key"):
            write_draft(root, Request([file], country, round_id))
    broken = tmp_path / "broken.sav"
    broken.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"broken\.sav"):
        write_draft(root, Request([broken], "KHM", "2020-r1"))
    empty = tmp_path / "empty.csv"
    empty.write_text("a,b\n")
    with pytest.raises(InputError, match="has no rows"):
        write_draft(root, Request([empty], "KHM", "2020-r1"))
    assert not (root.path / "2020-r1" / "KHM").exists()


def test_a_file_that_lies_in_its_place_already_is_used_there(root: DataRoot, repository: Path) -> None:
    place = root.path / "2020-r1" / "MDV" / "microdata.dta"
    place.parent.mkdir(parents=True)
    shutil.copy(repository / "raw_data/2020-r1/MDV/microdata.dta", place)
    page, _ = write_draft(root, Request([place], "MDV", "2020-r1"))
    assert page.exists() and [p.name for p in sorted(place.parent.iterdir())] == ["microdata.dta", "survey.yaml"]


def test_hostile_labels_break_no_page_and_add_nothing_to_it(root: DataRoot, tmp_path: Path) -> None:
    names = [f"q{i}" for i in range(len(HOSTILE))]
    frame = pd.DataFrame({"id": range(60)} | {name: [1, 2, 3] * 20 for name in names} | {"sex": [1, 2] * 30})
    path = tmp_path / "hostile.sav"
    labels = {name: text[:250] for name, text in zip(names, HOSTILE, strict=True)}
    values = {name: {1: text[:100], 2: "Male", 3: "\n  evil: true"} for name, text in zip(names, HOSTILE, strict=True)}
    of_sex = {1: "Female", 2: "Male\nunused: {sex: x}"}
    labels, values = labels | {"sex": "Sex: <b>'of'</b>\n# respondent"}, values | {"sex": of_sex}
    pyreadstat.write_sav(frame, path, column_labels=labels, variable_value_labels=values)
    page, _ = write_draft(root, Request([path], "BGD", "2021-r2"))
    text = page.read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    assert data["variables"]["sex"] == {"column": "sex", "codes": {1: "F", 2: "M"}}
    assert data["unused"] == {} and "evil" not in data
    assert all(len(line) < 400 for line in text.splitlines())
    assert not set(text) & set("\x07\x85\u2028\u202e\ufeff\t")
    filled_in(page, weighting=[{"step": "calibrate", "margins": ["sex*age_group"]}])
    assert "age_group" in check_survey(root, "2021-r2_BGD").error, "an error in words, not a page that cannot be read"


def test_hostile_names_of_columns_are_quoted(root: DataRoot, tmp_path: Path) -> None:
    names = ["id", "sex", "=1+1", "a: b", "- x", "#tag", "{y}", "yes", "no", "1", "<b>", "two\nlines", "quote'\"s", "email: x"]
    rows = [[str(i), "Male" if i % 2 else "Female", *["x"] * (len(names) - 2)] for i in range(20)]
    path = tmp_path / "names.csv"
    pd.DataFrame(rows, columns=names).to_csv(path, index=False)
    page, _ = write_draft(root, Request([path], "BGD", "2021-r2"))
    assert yaml.safe_load(page.read_text(encoding="utf-8"))["variables"]["sex"]["codes"] == {"Male": "M", "Female": "F"}


def test_guessed_weights_strata_and_ids_are_asked_about_as_guessed_variables_are(root: DataRoot, tmp_path: Path) -> None:
    weights = [1 + i / 100 for i in range(60)]
    given = {"code": range(60), "wgt_a": weights, "wgt_b": weights[::-1], "zone": [1, 2, 3] * 20, "sex": ["Male", "Female"] * 30}
    pd.DataFrame(given).to_csv(tmp_path / "design.csv", index=False)
    page, draft = write_draft(root, Request([tmp_path / "design.csv"], "BGD", "2021-r2"))
    assert draft.design.weight and draft.design.weight.others  # another column is as like
    asked = yaml.safe_load(page.read_text(encoding="utf-8"))["unconfirmed"]
    assert {"design.weight", "id"} <= set(asked) and "wgt_b" in asked["design.weight"]
    filled_in(page, unconfirmed=asked)
    assert "design.weight" in check_survey(root, "2021-r2_BGD").error


def test_people_s_own_words_never_reach_the_page(root: DataRoot, tmp_path: Path) -> None:
    words = [f"My neighbour number {i} told me a secret" for i in range(30)]
    frame = pd.DataFrame(
        {"id": range(30), "doctor": words, "q5": [f"+88017{i:07d}" for i in range(30)], "sex": ["Male", "Female"] * 15}
    )
    frame.to_csv(tmp_path / "words.csv", index=False)
    page, draft = write_draft(root, Request([tmp_path / "words.csv"], "BGD", "2021-r2"))
    assert "secret" not in page.read_text(encoding="utf-8") and "88017" not in page.read_text(encoding="utf-8")
    assert [c.name for c in draft.identifiers] == ["q5"]


def test_ten_thousand_columns_make_one_page(root: DataRoot, tmp_path: Path) -> None:
    names = [f"v{i}" for i in range(10_000)]
    lines = [",".join(["id", *names]), *(",".join([str(i), *["1"] * 10_000]) for i in range(5))]
    (tmp_path / "wide.csv").write_text("\n".join(lines))
    page, _ = write_draft(root, Request([tmp_path / "wide.csv"], "BGD", "2021-r2"))
    assert yaml.safe_load(page.read_text(encoding="utf-8"))["id"] == "id"


def test_the_command_tells_on_one_screen_what_it_found(root: DataRoot, repository: Path) -> None:
    file = str(repository / "raw_data/2021-r2/PNG/microdata.sav")
    call = ["new-survey", file, "--country", "PNG", "--round", "2021-r2", "--raw-data", str(root.path)]
    first = CliRunner().invoke(main, call)
    assert first.exit_code == 0 and len(first.output.splitlines()) < 20, first.output
    assert "35 mapped: 35 high" in first.output and "strata stratum" in first.output and "resp_name" in first.output
    second = CliRunner().invoke(main, call)
    assert second.exit_code == 2 and "is there already" in second.output and "Traceback" not in second.output
