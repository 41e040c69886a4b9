"""Broken input of every class: one screen that says what and where, no traceback, no hang, the other survey unharmed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from rga.errors import InputError
from rga.microdata import joins
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import prepare
from tests.pipeline.place import Place
from tests.unit.test_respondents import SURVEY, data_root, rows

SCREEN = 40  # lines
SECONDS = 60  # far more than any of them takes
HARM = Callable[[Path], None]  # breaks a survey's folder


def place(tmp_path: Path, frame: pd.DataFrame | None = None, survey: str = SURVEY, file: str = "data.csv") -> Place:
    """Two surveys: 2020-r1_BGD as given, and a sound 2020-r1_PAK."""
    frame = pd.concat([rows()] * 10, ignore_index=True).assign(ID=range(40)) if frame is None else frame
    root = data_root(tmp_path / "raw_data", frame, survey, file)
    sound = root.path / "2020-r1" / "PAK"
    sound.mkdir()
    own = rows().assign(q3a=[2, 1, 1, None])
    pd.concat([own] * 10, ignore_index=True).assign(ID=range(40)).to_csv(sound / "data.csv", index=False)
    (sound / "survey.yaml").write_text(SURVEY.replace("FILE", "data.csv"))
    return Place(tmp_path)


def told(broken: Place, *words: str) -> str:
    """What `rga check` says of the broken survey, after making sure of all that is promised."""
    start = time.monotonic()
    result = broken.rga("check")
    assert time.monotonic() - start < SECONDS
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output and "internal error" not in result.output
    lines = result.output.splitlines()
    sound = next(line for line in lines if line.startswith("2020-r1_PAK"))
    assert sound.split()[1] == "30", "the other survey is harmed"
    begin = next(n for n, line in enumerate(lines) if line.startswith("2020-r1_BGD cannot be built"))
    end = next((n for n, line in enumerate(lines) if n > begin and not line.strip()), len(lines))
    error = "\n".join(lines[begin:end])
    assert end - begin <= SCREEN and len(error) < 4000, error
    for word in words:
        assert word in error, error
    return error


def cut(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: len(content) * 2 // 3])


def in_the_middle_of_a_row(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])


@pytest.mark.parametrize("name", ["data.sav", "data.dta", "data.xlsx", "data.parquet", "data.por", "data.zsav", "data.xpt"])
def test_a_truncated_file(tmp_path: Path, name: str) -> None:
    broken = place(tmp_path, file=name if name != "data.zsav" else "data.sav")
    file = tmp_path / "raw_data/2020-r1/BGD" / name
    if name == "data.zsav":
        pyreadstat.write_sav(rows(), file, compress=True)
        (file.parent / "survey.yaml").write_text(SURVEY.replace("FILE", name))
    cut(file)
    told(broken, name)


@pytest.mark.parametrize("harm", [cut, in_the_middle_of_a_row])
def test_a_truncated_text_file(tmp_path: Path, harm: HARM) -> None:
    broken = place(tmp_path)
    file = tmp_path / "raw_data/2020-r1/BGD/data.csv"
    in_the_middle_of_a_row(file)
    told(broken, "data.csv")


@pytest.mark.parametrize("end", [b"7,1", b'"', b'5,"Dhaka'])
def test_a_text_file_that_ends_within_a_row_is_said_to_be_cut(tmp_path: Path, end: bytes) -> None:
    broken = place(tmp_path)
    file = tmp_path / "raw_data/2020-r1/BGD/data.csv"
    file.write_bytes(file.read_bytes() + end)
    error = told(broken, "data.csv", "cut short")
    assert "no such column" not in error


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "latin-1", "utf-16", "cp1251"])
def test_a_text_file_in_another_encoding(tmp_path: Path, encoding: str) -> None:
    frame = rows().assign(region=["Ñorte", "Ñorte", "Süd", "Süd"] if encoding != "cp1251" else ["Север", "Север", "Юг", "Юг"])
    broken = place(tmp_path, frame)
    frame.to_csv(tmp_path / "raw_data/2020-r1/BGD/data.csv", index=False, encoding=encoding)
    told(broken, "data.csv", "UTF-8")


def renamed(to: str, of: str) -> HARM:
    def harm(folder: Path) -> None:
        (folder / of).rename(folder / to)
        (folder / "survey.yaml").write_text(SURVEY.replace("FILE", to))

    return harm


@pytest.mark.parametrize(
    ("of", "to"),
    [
        ("data.csv", "data.sav"), ("data.csv", "data.dta"), ("data.csv", "data.xlsx"), ("data.csv", "data.parquet"),
        ("data.sav", "data.csv"), ("data.sav", "data.dta"), ("data.xlsx", "data.csv"), ("data.parquet", "data.sav"),
        ("data.csv", "data.pdf"), ("data.csv", "data"),
    ],
)  # fmt: skip
def test_a_file_with_another_formats_ending(tmp_path: Path, of: str, to: str) -> None:
    broken = place(tmp_path, file=of)
    renamed(to, of)(tmp_path / "raw_data/2020-r1/BGD")
    told(broken, to)


@pytest.mark.parametrize("name", ["data.csv", "data.sav", "data.dta", "data.xlsx", "data.parquet"])
@pytest.mark.parametrize("nothing", ["no rows", "no bytes"])
def test_a_file_without_rows(tmp_path: Path, name: str, nothing: str) -> None:
    if nothing == "no rows":
        broken = place(tmp_path, rows().iloc[:0], file=name)
        told(broken, name)
        return
    broken = place(tmp_path, file=name)
    (tmp_path / "raw_data/2020-r1/BGD" / name).write_bytes(b"")
    told(broken, name)


@pytest.mark.parametrize(("name", "twice"), [("data.csv", "q1"), ("data.csv", "Q1"), ("data.xlsx", "q1")])
def test_a_column_name_that_is_there_twice(tmp_path: Path, name: str, twice: str) -> None:
    frame = rows()
    frame = pd.concat([frame, frame[["q1"]].set_axis([twice], axis=1)], axis=1)
    broken = place(tmp_path, frame, file=name)
    told(broken, name, "q1", "twice")


def test_ten_thousand_columns_are_read_or_missed_in_one_screen(tmp_path: Path) -> None:
    wide = pd.concat([rows(), pd.DataFrame(1, range(4), [f"x{n}" for n in range(10_000)])], axis=1)
    broken = place(tmp_path, wide.drop(columns="q1"))
    told(broken, "q1", "no such column")
    wide.to_csv(tmp_path / "raw_data/2020-r1/BGD/data.csv", index=False)
    start, result = time.monotonic(), broken.rga("check")
    assert result.exit_code == 0 and time.monotonic() - start < SECONDS, result.output
    assert "9991" in result.output and "x9999" not in result.output and len(result.output) < 10_000  # the rest is counted


@pytest.mark.parametrize(("name", "weights"), [
    ("data.csv", [1, 2, -3, 1]), ("data.sav", [1.0, 2.0, -0.001, 1.0]), ("data.csv", [1, 2, "-inf", 1]),
    ("data.csv", [1, "many", 1, 1]), ("data.dta", [1.0, -2.0, -3.0, 1.0]), ("data.csv", [0, 0, 0, 0]),
    ("data.csv", [1, None, 1, 1]), ("data.csv", ["1e308"] * 4), ("data.csv", [1, 1, 1, "1e13"]),
])  # fmt: skip
def test_weights_that_are_none(tmp_path: Path, name: str, weights: list) -> None:
    told(place(tmp_path, rows().assign(w=weights), file=name), name, "variable w", "weight")


@pytest.mark.parametrize(
    "code", [7, "seven", 1.5, "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "\x1b[2J\x1b[31m", "x" * 5000]
)
def test_an_unknown_code_whatever_it_is(tmp_path: Path, code: object) -> None:
    frame = pd.concat([rows()] * 10, ignore_index=True).assign(ID=range(40))
    frame["q1"] = frame["q1"].astype(object)
    frame.loc[4:6, "q1"] = code
    error = told(place(tmp_path, frame), "data.csv", "variable sex (column q1)", "3 rows", "neither mapped nor declared missing")
    assert "\x1b" not in error


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
YAML = {
    "aliases that multiply": (LAUGHS, "aliases"),
    "a merge key": ("base: &b {x: 1}\n<<: *b\n", "aliases"),
    "nested without end": ("a: " + "[" * 20_000, "nested too deeply"),
    "nested and closed": ("a: " + "[" * 5_000 + "]" * 5_000, "nested too deeply"),
    "two megabytes and more": ("notes: |\n" + "  text\n" * 400_000, "larger than"),
    "nearly as large as is read": ("".join(f"key{n}: {{a: [1, 2]}}\n" for n in range(10_000)), "survey.yaml"),
    "a Python object": ("title: !!python/object/apply:os.system ['true']\n", "could not determine a constructor"),
    "a number without end": ("title: " + "9" * 100_000, "survey.yaml"),
    "no text": (b"\xff\xfe\x00\x01", "UTF-8"),
    "a zero byte": ("title: a\0b\n", "survey.yaml"),
    "a list": ("- a\n- b\n", "survey.yaml"),
}  # fmt: skip


@pytest.mark.parametrize("text, word", YAML.values(), ids=YAML)
def test_yaml_made_to_exhaust_or_to_run(tmp_path: Path, text: str | bytes, word: str) -> None:
    broken = place(tmp_path)
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "raw_data/2020-r1/BGD/survey.yaml").write_bytes(content)
    told(broken, "2020-r1/BGD/survey.yaml", word)


def linked_folder(root: Path) -> str:
    (root.parent / "elsewhere").mkdir()
    rows().to_csv(root.parent / "elsewhere" / "data.csv", index=False)
    os.symlink(root.parent / "elsewhere", root / "2020-r1/BGD/link")
    return "link/data.csv"


def loop(root: Path) -> str:
    os.symlink("loop.csv", root / "2020-r1/BGD/loop.csv")
    return "loop.csv"


@pytest.mark.parametrize(
    "path",
    ["../../../outside.csv", "/etc/passwd", "a/../../../../outside.csv", "..", ".", "/dev/zero", '"a\\0b.csv"', "http://127.0.0.1/x.csv",
     "*.csv", "../PAK/../../../outside.csv", linked_folder, loop],
)  # fmt: skip
def test_a_path_that_leads_out_of_the_root_or_nowhere(tmp_path: Path, path: str | Callable[[Path], str]) -> None:
    broken = place(tmp_path)
    (tmp_path / "outside.csv").write_text("secret\n")
    written = path(broken.raw_data) if callable(path) else path
    broken.survey_yaml("2020-r1_BGD").write_text(SURVEY.replace("FILE", written))
    error = told(broken)
    assert "2020-r1" in error and "secret" not in error and "root:" not in error


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')", "SELECT * FROM read_parquet('x')", "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')", "COPY respondents TO 'x'", "COPY (SELECT 1) TO 'x'", "ATTACH 'x.db'", "INSTALL httpfs",
        "LOAD httpfs", "PRAGMA database_list", "SET enable_external_access = true", "EXPORT DATABASE 'x'",
        "CREATE TABLE x AS SELECT 1",
        "SELECT *, getenv('HOME') AS sex FROM respondents", "SELECT * FROM respondents; SELECT 1", "CALL pragma_version()",
        "SELECT * FROM respondents WHERE (SELECT count(*) FROM read_text('/etc/passwd')) > 0",
        "WITH x AS (SELECT * FROM read_blob('/etc/passwd')) SELECT * FROM x", "SELECT * FROM duckdb_settings()",
        "SELECT * FROM information_schema.tables", "SELECT * FROM duckdb_secrets()", "SELECT * FROM range(1000000000000)",
        "SELECT * FROM respondents, generate_series(1, 1000000000000)", "SELECT * FROM respondents a, range(10000000) b",
        "SELECT * FROM sniff_csv('/etc/passwd')", "SELECT * FROM query('SELECT 1')", "SELECT * FROM query_table('respondents')",
        "FROM read_csv('/etc/passwd')", "SELECT content FROM read_text('/etc/passwd')", "DESCRIBE respondents",
        "SUMMARIZE respondents",
        "SELECT * FROM respondents ORDER BY read_text('x')", "SELECT * FROM postgres_scan('a', 'b', 'c')", "DROP TABLE respondents",
        "SELECT * FROM respondents CROSS JOIN UNNEST(range(100000000000))",
        "SELECT repeat('x', 10000000000) AS ID FROM respondents",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT n AS ID FROM t",
    ],
)  # fmt: skip
def test_respondents_sql_that_reaches_out_or_has_no_end(tmp_path: Path, sql: str) -> None:
    broken = place(
        tmp_path, survey=SURVEY + f"respondents: {sql!r}\n" if '"' not in repr(sql) else SURVEY + f"respondents: |\n  {sql}\n"
    )
    start = time.monotonic()
    with pytest.raises(InputError, match="respondents") as error:
        prepare(DataRoot(broken.raw_data), "2020-r1_BGD")
    assert time.monotonic() - start < SECONDS and "root:" not in str(error.value) and len(str(error.value)) < 2000


@pytest.mark.parametrize(
    "sql",
    ["read_text('x') = 'a'", "getenv('HOME') IS NULL", "(SELECT 1) = 1", "EXISTS (FROM read_csv('x'))", "sex = 'F'; COPY x TO 'y'",
     "sex IN (SELECT content FROM read_text('x'))", "sex SIMILAR TO '(a+)+'", "repeat(sex, 1000000000) = 'F'",
     "(" * 3000 + "TRUE" + ")" * 3000],
)  # fmt: skip
@pytest.mark.parametrize("where", ["universe", "numerator", "asked_of", "derived"])
def test_sql_of_the_catalogue_that_reaches_out(tmp_path: Path, sql: str, where: str) -> None:
    broken = place(tmp_path)
    if where in ("universe", "numerator"):
        entry = {"title": "T", "module": "m", "numerator": "sex = 'F'"} | {where: sql}
        text = "indicators:\n  A:\n" + "".join(f"    {key}: |\n      {value}\n" for key, value in entry.items())
        file = "indicators.yaml"
    else:
        old = (broken.raw_data / "catalogue/variables.yaml").read_text()
        text, file = old + f"  more:\n    label: More\n    module: m\n    {where}: |\n      {sql}\n", "variables.yaml"
    (broken.raw_data / "catalogue" / file).write_text(text)
    with pytest.raises(InputError) as error:
        DataRoot(broken.raw_data).catalogue()
    assert f"catalogue/{file}" in str(error.value) and len(str(error.value)) < 2000


@pytest.mark.parametrize("label", ["=cmd|' /C calc'!A0", "@SUM(1+1)", "+1", "<img src=x onerror=alert(1)>", "Women</td><script>"])
@pytest.mark.parametrize("where", ["title", "notes", "caution", "label", "code"])
def test_formulas_and_html_in_labels(tmp_path: Path, label: str, where: str) -> None:
    broken = place(tmp_path)
    quoted = '"' + label + '"'
    if where in ("title", "notes", "caution"):
        broken.edit("2020-r1_BGD", "^title: Test", f"{where}: {quoted}" + ("" if where == "title" else "\ntitle: Test"))
        told(broken, "2020-r1/BGD/survey.yaml", "line 2", where)
        return
    file = broken.raw_data / "catalogue/variables.yaml"
    old = "label: Sex" if where == "label" else "F: Women"
    file.write_text(file.read_text().replace(old, old.split(":")[0] + ": " + quoted, 1))
    result = broken.rga("check")
    assert result.exit_code == 2 and "catalogue/variables.yaml" in result.output and "sex" in result.output
    assert "Traceback" not in result.output and len(result.output.splitlines()) < SCREEN


@pytest.mark.parametrize(
    ("sql", "seconds", "words"),
    [
        ("SELECT a.* FROM respondents a, respondents b, respondents c, respondents d", 60, "selects more than"),
        ("SELECT a.* FROM respondents a, respondents b, respondents c, respondents d, respondents e "
         "WHERE a.q1 || b.q1 || c.q1 || d.q1 || e.q1 = 'no'", 0.5, "was stopped after 0.5 seconds"),
    ],
)  # fmt: skip
def test_a_join_of_every_row_with_every_other_is_stopped(
    tmp_path: Path, sql: str, seconds: float, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pd.concat([rows()] * 300, ignore_index=True).assign(ID=range(1200))
    broken = place(tmp_path, frame, SURVEY + f"respondents: |\n  {sql}\n")
    monkeypatch.setattr(joins, "LONGEST_STATEMENT", seconds)
    start = time.monotonic()
    with pytest.raises(InputError, match=words):
        prepare(DataRoot(broken.raw_data), "2020-r1_BGD")
    assert time.monotonic() - start < SECONDS


def test_a_statement_that_runs_out_of_memory_is_the_surveys_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = place(tmp_path, survey=SURVEY + "respondents: SELECT * FROM respondents ORDER BY q2\n")
    monkeypatch.setitem(joins._SHUT_IN, "memory_limit", "1kB")
    with pytest.raises(InputError, match="needs more memory"):
        prepare(DataRoot(broken.raw_data), "2020-r1_BGD")


@pytest.mark.parametrize("name", ["2020-r1/BGD/survey.yaml", "2020-r1/round.yaml", "catalogue/variables.yaml", "2020-r1/BGD"])
def test_a_specification_that_is_a_link_out_of_the_root_is_not_read(tmp_path: Path, name: str) -> None:
    broken = place(tmp_path)
    path, outside = broken.raw_data / name, tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    result = broken.rga("check")
    assert result.exit_code != 0 and "link that leaves the data root" in result.output and name in result.output
    assert "Traceback" not in result.output and len(result.output.splitlines()) < SCREEN


def test_a_specification_may_be_a_link_within_the_root(tmp_path: Path) -> None:
    sound = place(tmp_path)
    path = sound.survey_yaml("2020-r1_BGD")
    path.rename(path.with_name("shared.yaml"))
    path.symlink_to("shared.yaml")
    assert sound.rga("check").exit_code == 0
