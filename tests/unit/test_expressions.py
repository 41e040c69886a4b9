"""SQL written in YAML: what is let through, what is refused."""

from __future__ import annotations

import pytest

from rga.microdata.expressions import check_expression, check_select

COLUMNS = {"sex": {"F", "M"}, "age": None, "job": {"employee", "none"}}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("TRUE", set()),
        ("sex = 'F'", {"sex"}),
        ("job IN ('employee') AND NOT age < 18", {"job", "age"}),
        ("CASE WHEN age BETWEEN 18 AND 24 THEN 1 ELSE 0 END + 1 >= 2", {"age"}),
        ("COALESCE(job, 'none') <> 'none' OR sex IS NULL", {"job", "sex"}),
    ],
)
def test_plain_conditions_are_allowed_and_their_variables_known(text: str, read: set[str]) -> None:
    assert check_expression(text, COLUMNS) == read


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sax = 'F'", "did you mean `sex`"),
        ("sex = 'W'", "no code 'W'"),
        ("job IN ('employee', 'employr')", "no code 'employr'"),
        ("age = 'old'", "is a number"),
        ("sex = ", "not a valid SQL"),
        ("read_text('x') = 'a'", "not allowed"),
        ("(SELECT 1) = 1", "not allowed"),
        ("sex = 'F'; DROP TABLE x", "not allowed"),
        ("getenv('HOME') IS NULL", "not allowed"),
    ],
)
def test_anything_else_is_refused_with_its_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_expression(text, COLUMNS)


def test_a_select_over_the_surveys_own_files_is_allowed() -> None:
    sql = "WITH a AS (SELECT id FROM member WHERE who = 1) SELECT h.*, a.id AS pid FROM household h JOIN a USING (hhid)"
    named, made = check_select(sql, {"household", "member"})
    assert named >= {"id", "who", "hhid"} and made == {"pid"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('secrets.csv')",
        "SELECT * FROM 'secrets.csv'",
        "SELECT * FROM other",
        "COPY household TO 'x'",
        "INSTALL httpfs",
        "SELECT 1; SELECT 2",
        "ATTACH 'x.db'",
    ],
)
def test_a_statement_that_reaches_elsewhere_is_refused(sql: str) -> None:
    with pytest.raises(ValueError):
        check_select(sql, {"household", "member"})
