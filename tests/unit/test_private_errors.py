"""Errors say what is wrong with a file without giving away who is in it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rga.errors import InputError
from rga.microdata.respondents import prepare
from tests.unit.test_respondents import SURVEY, data_root, rows


def test_no_value_of_a_wrongly_named_column_is_in_the_error(tmp_path: Path) -> None:
    frame = pd.concat([rows()] * 8, ignore_index=True)
    frame["ID"], frame["phone"] = range(len(frame)), [f"0170012{number:04d}" for number in range(len(frame))]
    for place, column in enumerate(("column: q1", "column: q2")):
        root = data_root(tmp_path / str(place), frame, SURVEY.replace(column, "column: phone"))
        with pytest.raises(InputError) as error:
            prepare(root, "2020-r1_BGD")
        assert "variable" in str(error.value) and "32 rows" in str(error.value)
        assert "170012" not in str(error.value) and "1.7" not in str(error.value)


def test_an_error_of_the_sql_quotes_no_cell(tmp_path: Path) -> None:
    cast = "respondents: SELECT * REPLACE (CAST(region AS DATE) AS region) FROM respondents\n"
    with pytest.raises(InputError, match="respondents:") as error:
        prepare(data_root(tmp_path, rows().assign(region="Jane Doe"), SURVEY.lstrip() + cast), "2020-r1_BGD")
    assert "Jane" not in str(error.value)


def test_a_column_that_is_listed_as_unused_and_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"survey\.yaml: column `q1` is listed under `unused`, and yet read"):
        prepare(data_root(tmp_path, rows(), SURVEY + "unused: {q1: direct identifier}\n"), "2020-r1_BGD")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * REPLACE (CAST(region AS DATE) AS region) FROM respondents",
        "SELECT * FROM respondents WHERE strptime(region, '%Y') IS NULL",
        "SELECT *, (SELECT a.ID FROM respondents a WHERE a.region = b.region) AS n FROM respondents b",
    ],
)
def test_no_error_of_the_sql_quotes_a_name_with_an_apostrophe(tmp_path: Path, sql: str) -> None:
    survey = SURVEY.lstrip() + f"respondents: |\n  {sql}\n"
    with pytest.raises(InputError, match="respondents:") as error:
        prepare(data_root(tmp_path, rows().assign(region='Siti O\'Brien 12 "Jane" Doe'), survey), "2020-r1_BGD")
    assert not any(word in str(error.value) for word in ("Siti", "Brien", "Jane", "Doe"))
