"""SQL written in YAML: what is let through, what is refused."""

from __future__ import annotations

import re

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


@pytest.mark.parametrize(
    ("what", "message"),
    [
        *((f"{name}('x', 100)", "allowed here") for name in ("repeat", "lpad", "rpad", "range", "generate_series", "list")),
        *((f"{name}('x')", f"`{name}` is not") for name in ("getenv", "current_setting", "error", "no_such")),
        *((f"{name}('x')", "allowed here") for name in ("read_text", "read_blob", "string_agg")),
        ("replace(id, 'a', 'aaaaaaaaaaaaaa')", "`REPLACE`"),
        ("id.repeat(100)", "`repeat`"),
        ("||".join(["id"] * 20), "pieces of text"),
        (f"concat({', '.join(['id'] * 20)})", "pieces of text"),
    ],
)
@pytest.mark.parametrize("statement", ["SELECT *, {} AS x FROM member", "SELECT * FROM member WHERE length({}) > 1"])
def test_functions_that_are_not_listed_are_refused_by_name(statement: str, what: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check_select(statement.format(what), {"household", "member"})


def test_a_pivot_which_makes_columns_of_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="PIVOT"):
        check_select("SELECT * FROM member PIVOT (count(*) FOR name IN ('a'))", {"member"})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT *, row_number() OVER (PARTITION BY hhid ORDER BY id) AS n FROM member QUALIFY n = 1",
        "SELECT hhid, count(*) AS members, max(age) FILTER (WHERE who = 1) AS oldest, avg(age) AS mean FROM member GROUP BY hhid",
        "SELECT CASE WHEN who ~ 'a.*' THEN lower(trim(who)) ELSE upper(left(who, 2)) END AS w, date_part('year', d) AS y FROM m",
        "SELECT TRY_CAST(translate(w, ',', '.') AS DOUBLE) AS w, datediff('year', strptime(b, '%Y'), d) AS age FROM member",
    ],
)
def test_what_joins_and_computed_columns_need_is_allowed(sql: str) -> None:
    assert check_select(sql, {"member", "m"})[1]
