"""Every column of a survey's files is accounted for, exactly once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from rga.errors import InputError
from rga.microdata.columns import account
from tests.unit.test_respondents import SURVEY, data_root, rows

UNUSED = SURVEY + "unused: {phone: a direct identifier, email: a direct identifier}\npanel_id: panel\n"


def test_every_column_is_mapped_design_unused_or_unaccounted_and_only_one_of_them(tmp_path: Path) -> None:
    frame = rows().assign(panel=[7, None, 8, None], q99="x")
    found = account(data_root(tmp_path, frame, UNUSED), "2020-r1_BGD")
    assert found.mapped == ["q1", "q2", "q3a", "q3b"]
    assert found.design == ["ID", "w", "region", "place", "ea", "panel"]
    assert found.unused == ["phone"] and found.unaccounted == ["q99"] and found.vanished == ["email"]
    assert sorted(found.mapped + found.design + found.unused + found.unaccounted) == sorted(frame.columns)


def test_a_stratum_that_is_also_a_variable_counts_once(tmp_path: Path) -> None:
    survey = SURVEY.replace("  age:", "  never: {column: region, codes: {N: a, S: a}}\n  age:")
    found = account(data_root(tmp_path, rows(), survey), "2020-r1_BGD")
    assert "region" in found.mapped and "region" not in found.design


def test_mapped_columns_that_no_file_has_are_named(tmp_path: Path) -> None:
    found = account(data_root(tmp_path, rows().drop(columns=["q1", "ea"])), "2020-r1_BGD")
    assert found.vanished == ["ea", "q1"]


def test_keys_and_filters_of_a_join_serve_the_design(tmp_path: Path) -> None:
    survey = SURVEY.replace("files: {respondents: {path: FILE}}", "files: {a: {path: FILE}, b: {path: b.csv}}")
    join = survey + "respondents: SELECT a.*, b.sexe AS q1 FROM a JOIN b ON a.ID = b.person WHERE b.keep = '1'\n"
    root = data_root(tmp_path, rows().drop(columns="q1"), join)
    other = pd.DataFrame({"ID": [9], "person": [1], "sexe": [1], "keep": [1], "name": ["N"]})
    other.to_csv(tmp_path / "2020-r1" / "BGD" / "b.csv", index=False)
    found = account(root, "2020-r1_BGD")
    assert {"person", "sexe", "keep", "ID"} <= set(found.design)
    assert found.unaccounted == ["phone", "name"] and not found.vanished


def test_a_join_that_reaches_elsewhere_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not one of the files"):
        account(data_root(tmp_path, rows(), SURVEY + "respondents: SELECT * FROM other\n"), "2020-r1_BGD")
