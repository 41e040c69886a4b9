"""Texts of YAML and messages: every model holds every text to one set of rules, and no message names a path or anybody."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

import rga.evidence.search_interest
import rga.onboarding.vocabulary
import rga.privacy.rules
import rga.quality.thresholds  # noqa: F401 - its models are looked at
from rga.errors import InputError
from rga.microdata.benchmarks import Margin, Source
from rga.microdata.catalogue import Indicator, Variable
from rga.microdata.data_root import DataRoot
from rga.microdata.publication_rules import PublicationRules
from rga.microdata.specification import RoundSpecification, SurveySpecification
from rga.microdata.texts import fault, publishable_message
from rga.microdata.weighting_steps import Trim
from rga.microdata.yaml_file import StrictModel, load_yaml

HOSTILE = {
    "formula": "=HYPERLINK(1)", "plus": "+1+cmd", "minus": "-2+3", "at": "@SUM(A1)", "tab": "\tx", "full width": "\uff1d1+1",
    "blank before": "  =1+1", "carriage return": "a\rb", "escape": "a\x1b[31mb", "null": "a\0b", "override": "a\u202eb",
    "isolate": "a\u2066b", "mark": "a\u200fb", "byte order": "a\ufeffb", "tag": "a\U000e0041b", "html": "a <b>b</b>",
    "telephone": "ask +8801711223344", "local number": "call 0812-3456-7890", "e-mail": "write to amina.begum@example.org",
    "place": "at -6.123456, 106.812345", "document": "id 12345-1234567-1", "page": "see https://facebook.com/amina",
    "path": "see /home/amina/data.sav", "windows": r"see C:\Users\amina\data.sav", "share": r"see \\server\amina\data.sav",
}  # fmt: skip
GOOD = [
    "", "Rapid gender assessment survey, Bangladesh, 2020", "Parker et al. 2017, Vital Health Stat 2(175)", "Age (18-24)",
    "https://population.un.org/wpp/Download/Standard/12345678", "doi:10.5281/zenodo.12345678, 2020-04-23 2020-05-08",
    "ISBN 978-92-1-148367-8", "1,000,000 - 1,999,999 rupiah", "women and/or men, n/a", "two lines\nof text", "-5", "ค\u200bน",
    "می\u200cشود", "more than 10000000", "30 % < share < 40 %",
]  # fmt: skip
ROUND = {"title": "A", "year": 2020}
MARGIN: dict[str, Any] = {"margin": "sex", "file": "sex.csv", "measure": "count"} | dict.fromkeys(
    ["producer", "licence", "citation"], "UN"
)


def refused(model: type[BaseModel], **values: Any) -> bool:
    try:
        model.model_validate(values)
    except ValidationError:
        return True
    return False


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_are_refused_wherever_they_stand(text: str) -> None:
    assert fault(text)
    assert refused(RoundSpecification, **ROUND, notes=text) and refused(RoundSpecification, **ROUND, publication=text)
    assert refused(Trim, step="trim", max_ratio=6, why=text)
    assert refused(Margin, **MARGIN | {"producer": text}) and refused(Margin, **MARGIN | {"citation": text})
    assert refused(Source, title=text, population="all", year=2020, margins=[MARGIN])
    assert refused(Indicator, title="A", module="B", numerator="TRUE", sdg=text)
    assert refused(Variable, label="A", module="B", codes={"a": text})


@pytest.mark.parametrize("text", GOOD)
def test_texts_as_offices_write_them_are_accepted(text: str) -> None:
    assert fault(text) is None


def texts_of(model: type[StrictModel]) -> list[str]:
    return [name for name, field in model.model_fields.items() if field.annotation is str or str in get_args(field.annotation)]


def strict_models(base: type[StrictModel] = StrictModel) -> list[type[StrictModel]]:
    return [found for child in base.__subclasses__() for found in (child, *strict_models(child))]


def test_no_model_has_a_text_that_is_held_to_nothing() -> None:
    """Every field that is plain text is refused a formula: a field that somebody adds is, too, without being listed here."""
    fields = [(model, name) for model in strict_models() if model.__module__.startswith("rga.") for name in texts_of(model)]
    assert len(fields) > 50
    for model, name in fields:
        with pytest.raises(ValidationError) as caught:
            model.model_validate({name: "a\u202eb"})
        said = [error for error in caught.value.errors() if error["loc"][:1] == (name,)]
        assert said, f"{model.__name__}.{name}"
        assert "not seen" in said[0]["msg"] or said[0]["type"] != "value_error", f"{model.__name__}.{name}: {said}"


def test_keys_of_mappings_and_members_of_lists_are_held_to_the_rules_too(tmp_path: Path) -> None:
    class Page(StrictModel):
        said: dict[str, list[str]] = {}

    assert refused(Page, said={"=1": ["a"]}) and refused(Page, said={"a": ["b", "\u202e"]}) and not refused(Page, said={"a": ["b"]})
    (tmp_path / "page.yaml").write_text("said:\n  a: [b]\n  c:\n  - d\n  - 'ask +8801711223344'\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 5: said.c.1: holds what may be a telephone number") as caught:
        load_yaml(tmp_path / "page.yaml", Page)
    assert "88017" not in str(caught.value), "the error is kept and published"


def test_sql_and_what_stands_in_a_file_keep_their_signs(repository: Path) -> None:
    indicator = {"title": "A", "module": "B"}
    assert not refused(Indicator, **indicator, numerator="age<b AND x > -1")
    assert refused(Indicator, **indicator, numerator="=1") and refused(Indicator, **indicator, numerator="a\u202eb")
    root = DataRoot(repository / "raw_data")
    said = root.specification("2020-r1_WSM").model_dump(mode="json", exclude_unset=True)
    age = {"column": "=age", "missing": {"-99": "refused"}}
    assert not refused(SurveySpecification, **said | {"variables": said["variables"] | {"age": age}})
    assert refused(SurveySpecification, **said | {"variables": said["variables"] | {"age": age | {"column": "+8801711223344"}}})
    assert PublicationRules.model_validate(root.publication_rules.model_dump()).corrections == "hold"


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_message_that_is_kept_has_nothing_of_a_hostile_text(text: str) -> None:
    for message in (text, f"cannot be read: {text}", f"two lines\n{text}"):
        told = publishable_message(message)
        assert not any(word in told for word in ("amina", "88017", "3456", "6.1234", "1234567", "\x1b", "\0", "\u202e", "\u2066"))
        assert not told.startswith(("=", "+", "-", "@", "\t", "\uff1d"))


@pytest.mark.parametrize(
    "message",
    [
        "file 2020-r1/PAK/microdata.sav, variable education (column s1_q4), code 2, 613 rows: not mapped\n    what to do: map it",
        "Failed since 2020-04-23T10:00:00+00:00: column `respondent/sex`, and/or 1,000 of 25,000 rows",
        "sha256 is 41b18015cbf5..., survey.yaml says 41b18015cbf5...",
    ],
)
def test_a_message_without_any_is_kept_as_it_is(message: str) -> None:
    assert publishable_message(message) == message


@pytest.mark.parametrize(
    "path", ["'/home/amina begum/a b.sav'", "/work/x/y.csv", r"D:\data\a.sav", "file:///home/amina/a.sav", "~/amina/a"]
)
def test_a_path_outside_the_data_root_is_not_told(path: str) -> None:
    assert publishable_message(f"[Errno 2] No such file: {path}") == "[Errno 2] No such file: (a path)"
