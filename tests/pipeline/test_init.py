"""From `rga init` to a first release."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipelines.cli import main
from tests.pipeline.place import Place

ANSWERS = {
    "title": "A small survey",
    "producer": "We",
    "citation": "We (2021)",
    "licence": "CC BY 4.0",
    "fieldwork": "{start: 2021-08-02, end: 2021-09-10}",
    "mode": "cati",
    "respondents": "{path: small.csv}",
    "id": "who",
    "sex": "{column: q1, codes: {1: F, 2: M}}",
    "age": "{column: q2, missing: {99: refused}}",
    "education": "{column: q3, codes: {0: below_primary, 1: primary, 2: secondary, 3: tertiary}}",
    "residence": "{column: q4, codes: {1: U, 2: R}, missing: {9: dont_know}}",
    "unused": "{phone: direct identifier}",
}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(tmp_path)
    assert CliRunner().invoke(main, ["init", str(place.raw_data)]).exit_code == 0
    return place


def test_a_new_root_says_in_one_line_what_to_do_next(place: Place) -> None:
    for command in ("build", "check"):
        result = place.rga(command)
        assert result.exit_code == 2 and len(result.output.splitlines()) == 1
        assert "<round>/<ISO3>/" in result.output and "survey.yaml" in result.output


def test_the_template_filled_in_is_checked_and_built(place: Place) -> None:
    (first_round,) = (path.parent for path in place.raw_data.glob("*/round.yaml"))
    folder = first_round / "BGD"
    folder.mkdir()
    (folder / "survey.yaml").write_text(filled_in((place.raw_data / "survey-template.yaml").read_text()))
    (folder / "small.csv").write_text("\n".join(["who,phone,q1,q2,q3,q4", *respondents()]))
    checked = place.rga("check")
    assert checked.exit_code == 0, checked.output
    assert "identify people, and are never read: phone (telephone number)" in checked.output
    assert "neither mapped nor under `absent:`: marital_status" in checked.output
    built = place.rga("build")
    assert built.exit_code == 0, built.output
    assert place.ask("SELECT country, n, simulated FROM surveys").to_numpy().tolist() == [["BGD", 96, False]]


def test_the_template_as_it_is_names_each_empty_line(place: Place) -> None:
    folder = place.raw_data / "2021-r2" / "BGD"
    folder.mkdir(parents=True)
    (folder / "survey.yaml").write_text((place.raw_data / "survey-template.yaml").read_text())
    result = place.rga("check")
    assert result.exit_code == 2
    for key in ("title", "producer", "fieldwork.start", "mode", "files.respondents.path"):
        assert re.search(rf"line \d+: {re.escape(key)}: ", result.output), key


def test_init_keeps_what_is_there_and_refuses_to_overwrite(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    result = CliRunner().invoke(main, ["init", str(tmp_path)])
    assert result.exit_code == 2 and "already has README.md" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["README.md"] and (tmp_path / "README.md").read_text() == "mine"
    (tmp_path / "README.md").rename(tmp_path / "notes.txt")
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 0
    assert (tmp_path / "notes.txt").read_text() == "mine" and (tmp_path / "catalogue" / "variables.yaml").is_file()
    assert CliRunner().invoke(main, ["init", str(tmp_path)]).exit_code == 2


def filled_in(template: str) -> str:
    """The template with each of ``ANSWERS`` in the place of what it says of that key, indented lines below it included."""
    for key, answer in ANSWERS.items():
        pattern = rf"^( *){key}:.*\n(?:\1 +[a-z].*\n)*"
        template, count = re.subn(pattern, rf"\1{key}: {answer}\n", template, flags=re.MULTILINE)
        assert count == 1, key
    return template


def respondents() -> list[str]:
    """Women and men of every age group and education, twice each."""
    cells = [(sex, age, level) for sex in (1, 2) for age in (20, 30, 40, 50, 60, 70) for level in range(4)] * 2
    return [f"{i},0171{i},{sex},{age},{level},{1 + i % 2}" for i, (sex, age, level) in enumerate(cells)]
