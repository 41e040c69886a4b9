"""YAML in: safe, strict, and errors that a person can act on."""

from __future__ import annotations

from pathlib import Path

import pytest

from rga.errors import InputError
from rga.microdata.specification import RoundSpecification, Source
from rga.microdata.yaml_file import StrictModel, load_yaml


class Codes(StrictModel):
    codes: dict[str, str]


def load(tmp_path: Path, text: str, model: type[StrictModel] = RoundSpecification) -> StrictModel:
    (tmp_path / "round.yaml").write_text(text, encoding="utf-8")
    return load_yaml(tmp_path / "round.yaml", model)


def error_of(tmp_path: Path, text: str) -> str:
    with pytest.raises(InputError) as caught:
        load(tmp_path, text)
    return str(caught.value)


def test_a_misspelt_key_is_named_with_its_line_and_the_right_spelling(tmp_path: Path) -> None:
    message = error_of(tmp_path, "title: A\nyear: 2020\npublicaton: B\n")
    assert "round.yaml" in message and "line 3" in message and "did you mean `publication`?" in message


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    assert "`year` is missing" in error_of(tmp_path, "title: A\n")


def test_a_repeated_key_is_an_error_rather_than_the_last_one_winning(tmp_path: Path) -> None:
    message = error_of(tmp_path, "title: A\nyear: 2020\nyear: 2021\n")
    assert "line 3" in message and "appears twice" in message


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    message = error_of(tmp_path, "year: soon\nnots: x\n")
    assert "`title` is missing" in message and "year" in message and "nots" in message


def test_no_and_yes_are_text_and_true_is_boolean(tmp_path: Path) -> None:
    loaded = load(tmp_path, "codes: {no: No, yes: Yes, on: Off}\n", Codes)
    assert loaded.model_dump() == {"codes": {"no": "No", "yes": "Yes", "on": "Off"}}


def test_an_alias_bomb_is_refused(tmp_path: Path) -> None:
    bomb = "a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(9))
    assert "aliases" in error_of(tmp_path, bomb)


@pytest.mark.parametrize("text", ["title: [\n", "- a\n- b\n", "", "title: !!python/object:os.system x\nyear: 2020\n"])
def test_what_is_not_a_plain_mapping_is_an_error_naming_the_file(tmp_path: Path, text: str) -> None:
    assert "round.yaml" in error_of(tmp_path, text)


def test_codes_are_the_same_whether_written_as_number_or_text() -> None:
    source = Source.model_validate({"column": "q", "codes": {1: "yes", "2.0": "no"}, "missing": [99]})
    assert source.codes == {"1": "yes", "2": "no"} and source.missing == {"99": "missing"}


def test_a_code_cannot_be_both_mapped_and_missing() -> None:
    with pytest.raises(ValueError, match="both mapped and declared missing"):
        Source.model_validate({"column": "q", "codes": {1: "yes"}, "missing": [1]})
