"""From a file to harmonised respondents: nothing lost, nothing read that is not needed, errors that name the place."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from rga.errors import InputError
from rga.microdata import readers
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import prepare

SURVEY = """
title: Test
producer: Nobody
citation: None
licence: None
simulated: true
fieldwork: {start: 2020-05-01, end: 2020-05-20}
mode: sms
population: {description: Adults, age_min: 18}
files: {respondents: {path: FILE}}
id: ID
design: {weight: w, stratum: [region, place], psu: ea}
weighting: []
variables:
  sex: {column: q1, codes: {1: M, 2: F}, missing: {9: refused}}
  age: {column: q2, missing: {-99: dont_know}}
  chores: {columns: {cook: q3a, clean: q3b}, codes: {1: more, 2: less}}
"""
CATALOGUE = {
    "variables": """
        variables:
          sex: {label: Sex, module: r, codes: {F: Women, M: Men}}
          age: {label: Age, module: r, minimum: 0, maximum: 120}
          old: {label: Old, module: r, codes: {y: Yes, n: No}, 
                derived: "CASE age < 60 WHEN TRUE THEN 'n' WHEN FALSE THEN 'y' END"}
          age_group:
            {label: Age, module: r, codes: {Y0T17: under 18, Y15T19: 15 to 19, Y18T59: 18 to 59, Y_GE60: 60 and over},
             derived: "CASE WHEN age < 18 THEN 'Y0T17' WHEN age < 60 THEN 'Y18T59' WHEN age >= 60 THEN 'Y_GE60' END"}
          chores: {label: Chores, module: u, items: {cook: Cooking, clean: Cleaning}, codes: {more: More, less: Less}}
          never: {label: Never asked, module: u, codes: {a: A}}
        """,
    "indicators": "indicators:\n  COOK: {title: Cooks more, module: u, numerator: chores_cook = 'more'}\n",
    "breakdowns": "breakdowns: [total, sex]\n",
}


def rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "ID": [1, 2, 3, 4],
            "w": [1.5, 2.0, 0.0, 3.0],
            "region": ["N", "N", "S", "S"],
            "place": [1, 2, 1, 2],
            "ea": [11, 12, 21, 22],
            "q1": [1, 2, 9, 2],
            "q2": [30, 65, -99, 17],
            "q3a": [1, 2, 1, None],
            "q3b": [2, 2, None, 1],
            "phone": ["0171", "0172", "0173", "0174"],
        }
    )


def data_root(tmp_path: Path, frame: pd.DataFrame, survey: str = SURVEY, file: str = "data.csv") -> DataRoot:
    folder = tmp_path / "2020-r1" / "BGD"
    folder.mkdir(parents=True)
    (tmp_path / "catalogue").mkdir()
    for name, text in CATALOGUE.items():
        (tmp_path / "catalogue" / f"{name}.yaml").write_text(textwrap.dedent(text))
    (folder.parent / "round.yaml").write_text("title: One\nyear: 2020\n")
    (folder / "survey.yaml").write_text(survey.replace("FILE", file))
    match Path(file).suffix:
        case ".csv":
            frame.to_csv(folder / file, index=False)
        case ".xlsx":
            frame.to_excel(folder / file, index=False)
        case ".parquet":
            frame.to_parquet(folder / file)
        case ".dta":
            pyreadstat.write_dta(frame, folder / file)
        case ".sav":
            pyreadstat.write_sav(frame, folder / file)
        case ".por":
            pyreadstat.write_por(frame, folder / file)
        case ".xpt":
            pyreadstat.write_xport(frame, folder / file)
    return DataRoot(tmp_path)


@pytest.mark.parametrize("file", ["data.csv", "data.xlsx", "data.parquet", "data.dta", "data.sav", "data.por", "data.xpt"])
def test_every_format_gives_the_same_respondents(tmp_path: Path, file: str) -> None:
    survey = SURVEY
    if file == "data.por":  # which knows only capitals
        survey = re.sub(rf"\b({'|'.join(rows().columns)})\b", lambda name: name[0].upper(), survey)
    result = prepare(data_root(tmp_path, rows(), survey, file), "2020-r1_BGD")
    frame = result.frame
    assert frame.respondent_id.tolist() == ["1", "2", "3"] and result.excluded == 1  # the fourth is 17
    assert frame.stratum.tolist() == ["N*1", "N*2", "S*1"] and frame.psu.tolist() == ["11", "12", "21"]
    assert frame.sex.tolist()[:2] == ["M", "F"] and frame.sex.isna().tolist() == [False, False, True]
    assert frame.age.tolist()[:2] == [30, 65] and frame.old.fillna("?").tolist() == ["n", "y", "?"]
    assert frame.chores_cook.tolist() == ["more", "less", "more"] and frame.chores_clean.isna().sum() == 1
    assert frame.never.isna().all() and "phone" not in frame
    kinds = result.item_nonresponse.set_index(["variable", "kind"]).n.to_dict()
    assert kinds[("sex", "refused")] == 1 and kinds[("age", "dont_know")] == 1 and kinds[("chores_clean", "blank")] == 1
    assert not any(variable in {"never", "old"} for variable, _ in kinds)


def test_answers_of_every_variable_add_up_to_the_respondents(tmp_path: Path) -> None:
    result = prepare(data_root(tmp_path, rows()), "2020-r1_BGD")
    assert (result.item_nonresponse.groupby("variable").n.sum() == len(result.frame)).all()


def test_columns_neither_mapped_nor_design_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    original = readers._STATISTICAL[".sav"]

    def spy(*args, **kwargs):  # type: ignore[no-untyped-def]
        frame, meta = original(*args, **kwargs)
        loaded.extend(frame.columns if len(frame) else [])
        return frame, meta

    root = data_root(tmp_path, rows(), file="data.sav")
    monkeypatch.setitem(readers._STATISTICAL, ".sav", spy)
    prepare(root, "2020-r1_BGD")
    assert loaded and "phone" not in loaded


def problem(tmp_path: Path, frame: pd.DataFrame, survey: str = SURVEY) -> str:
    with pytest.raises(InputError) as caught:
        prepare(data_root(tmp_path, frame, survey), "2020-r1_BGD")
    return str(caught.value)


def test_an_unknown_code_is_named_with_file_variable_code_and_rows(tmp_path: Path) -> None:
    message = problem(tmp_path, rows().assign(q1=[1, 7, 7, 2]))
    for part in ("2020-r1/BGD/data.csv", "sex", "q1", "code 7", "2 rows", "what to do"):
        assert part in message


def test_a_declared_missing_code_is_no_unknown_code(tmp_path: Path) -> None:
    message = problem(tmp_path, rows().assign(q1=[1, 9, 9, 3]))
    assert "code 3" in message and "code 9" not in message


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ID": [1, 1, 2, 3]}, ["ids appear more than once", "ID", "2 rows"]),
        ({"ID": [1, None, 2, 3]}, ["without an id", "1 row"]),
        ({"w": [1, -1, -2, 3]}, ["negative weights", "2 rows"]),
        ({"w": [1, None, 2, 3]}, ["without a weight", "1 row"]),
        ({"w": ["1", "heavy", "2", "3"]}, ["weights that are not numbers", "1 row"]),
        ({"w": [0, 0, 0, 0]}, ["every weight is zero"]),
        ({"ea": [1, None, 2, 3]}, ["without a PSU", "1 row"]),
        ({"q2": [30, 300, 40, 50]}, ["outside 0 to 120: 300", "age", "1 row"]),
        ({"q2": ["30", "old", "40", "50"]}, ["not numbers: old", "1 row"]),
        ({"ea2": [7, 7, None, None]}, ["panel ids appear more than once", "ea2", "2 rows"]),
        ({"q2": [3, 4, 5, 6]}, ["no respondent is 18 or older", "4 rows"]),
    ],
)
def test_bad_values_are_named_with_their_rows(tmp_path: Path, change: dict[str, list], expected: list[str]) -> None:
    survey = SURVEY + "panel_id: ea2\n" if "ea2" in change else SURVEY
    message = problem(tmp_path, rows().assign(**change), survey)
    assert all(part in message for part in [*expected, "data.csv"]), message


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("column: q1", "column: q11", ["no such column", "did you mean `q1`", "data.csv"]),
        ("weight: w", "weight: W", ["no such column", "did you mean `w`"]),
        ("2: F", "2: W", ["the catalogue has no such code", "code W", "F, M"]),
        ("  sex:", "  gender:", ["gender", "not in catalogue"]),
        ("cook: q3a", "cooking: q3a", ["no item `cooking`"]),
        ("column: q1,", "column: q1, separator: ';',", ["separator", "no battery of two codes", "sex"]),
        ("columns: {cook: q3a, clean: q3b}, codes: {1: more, 2: less}", "column: q3a, codes: {1: more}", ["separator"]),
        ("columns: {cook: q3a, clean: q3b}, codes: {1: more, 2: less}", "column: q3a, separator: ';'", ["needs `codes:`"]),
        (
            "columns: {cook: q3a, clean: q3b}, codes: {1: more, 2: less}",
            "column: q3a, separator: ';', codes: {1: cook, 2: sew}",
            ["no item `sew`", "cook, clean"],
        ),
        ("codes: {1: M, 2: F}", "codes: {1: M, 2: F}, blank: nobody", ["code nobody", "blank", "F, M, dont_know"]),
        ("missing: {-99: dont_know}", "missing: {-99: dont_know}, blank: 0", ["code 0", "age", "blank"]),
        ("mode: sms", "mode: sms\naltered: {never: other words}", ["never", "altered", "not mapped"]),
        ("path: FILE", "path: ../../../data.csv", ["leaves the data root"]),
        ("path: FILE", "path: gone.csv", ["no such file"]),
        ("path: FILE", f"path: FILE, sha256: '{'0' * 64}'", ["content has changed", "data.csv"]),
        ("mode: sms", "mode: pigeon", ["line 8", "mode", "sms"]),
    ],
)
def test_bad_specifications_are_named(tmp_path: Path, old: str, new: str, expected: list[str]) -> None:
    message = problem(tmp_path, rows(), SURVEY.replace(old, new))
    assert all(part in message for part in expected), message


@pytest.mark.parametrize("file", ["data.sav", "data.dta", "data.xlsx", "data.parquet", "data.por", "data.xpt"])
def test_a_truncated_file_is_an_error_naming_it(tmp_path: Path, file: str) -> None:
    root = data_root(tmp_path, rows(), file=file)
    path = tmp_path / "2020-r1" / "BGD" / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(InputError, match=file):
        prepare(root, "2020-r1_BGD")


def test_sql_joins_files_and_cannot_read_others(tmp_path: Path) -> None:
    survey = SURVEY.replace("files: {respondents: {path: FILE}}", "files: {a: {path: FILE}, b: {path: b.csv}}")
    join = survey + "respondents: SELECT a.*, b.q1 FROM a JOIN b ON a.ID = b.person WHERE b.keep = '1'\n"
    root = data_root(tmp_path, rows().drop(columns="q1"), join)
    folder = tmp_path / "2020-r1" / "BGD"
    pd.DataFrame({"person": [1, 2, 3], "q1": [1, 2, 2], "keep": [1, 1, 0]}).to_csv(folder / "b.csv", index=False)
    assert prepare(root, "2020-r1_BGD").frame.sex.tolist() == ["M", "F"]
    (folder / "survey.yaml").write_text(
        join.split("respondents: SELECT")[0].replace("FILE", "data.csv") + "respondents: SELECT * FROM read_csv('b.csv')\n"
    )
    with pytest.raises(InputError, match="not one of the files"):
        prepare(root, "2020-r1_BGD")


def test_the_fingerprint_follows_the_content_and_nothing_else(tmp_path: Path) -> None:
    root = data_root(tmp_path, rows(), SURVEY.replace("FILE", "data.csv"))
    before = root.inputs("2020-r1_BGD")
    (tmp_path / "2020-r1" / "BGD" / "data.csv").touch()
    assert DataRoot(tmp_path).inputs("2020-r1_BGD") == before
    with (tmp_path / "2020-r1" / "BGD" / "survey.yaml").open("a") as file:
        file.write("notes: more\n")
    assert DataRoot(tmp_path).inputs("2020-r1_BGD") != before
    (tmp_path / "2020-r1" / "BGD" / "survey.yaml").write_text("broken: [")
    assert DataRoot(tmp_path).inputs("2020-r1_BGD")  # a broken survey has a fingerprint too


def test_the_fingerprint_follows_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    files = "files: {a: {path: data.csv}, b: {path: wave1/data.csv}, c: {path: wave2/data.csv}}"
    join = "respondents: SELECT * FROM a JOIN b USING (ID) JOIN c USING (ID)\n"
    root = data_root(tmp_path, rows(), SURVEY.replace("files: {respondents: {path: FILE}}", files) + join)
    paths = [tmp_path / "2020-r1" / "BGD" / place / "data.csv" for place in (".", "wave1", "wave2")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("ID\n1\n")
    known = {root.inputs("2020-r1_BGD")["data"]}
    for path in paths:
        path.write_text("ID\n2\n")
        known.add(DataRoot(tmp_path).inputs("2020-r1_BGD")["data"])
    assert len(known) == 4


def test_stata_extended_and_spss_user_missing_are_told_apart(tmp_path: Path) -> None:
    survey = SURVEY.replace("missing: {9: refused}", "missing: {.r: refused, .d: dont_know}")
    frame = rows().astype({"q1": object})
    frame["q1"] = [1.0, "r", "d", 2.0]
    root = data_root(tmp_path, frame, survey)
    folder = tmp_path / "2020-r1" / "BGD"
    pyreadstat.write_dta(frame, folder / "data.dta", missing_user_values={"q1": ["r", "d"]})
    (folder / "survey.yaml").write_text(survey.replace("FILE", "data.dta"))
    kinds = prepare(root, "2020-r1_BGD").item_nonresponse.set_index(["variable", "kind"]).n.to_dict()
    assert kinds[("sex", "refused")] == 1 and kinds[("sex", "dont_know")] == 1


def test_a_misnamed_folder_is_named_instead_of_passed_over(tmp_path: Path) -> None:
    root = data_root(tmp_path, rows())
    (tmp_path / "2020-r1" / "BGD").rename(tmp_path / "2020-r1" / "bgd")
    assert root.survey_ids() == []
    (problem,) = root.misnamed()
    assert "2020-r1/bgd/survey.yaml" in str(problem) and "three-letter" in str(problem)


def test_a_derived_variable_that_the_file_has_is_taken_from_it(tmp_path: Path) -> None:
    survey = SURVEY.replace("  chores:", "  old: {column: is_old, codes: {1: y, 2: n}, missing: {9: refused}}\n  chores:")
    frame = rows().assign(q2=[30, 65, 40, 70], is_old=[1, 1, 2, 9])  # of 30 and 40 years, one says to be old
    result = prepare(data_root(tmp_path, frame, survey), "2020-r1_BGD")
    assert result.frame.old.fillna("-").tolist() == ["y", "y", "n", "-"]
    assert result.frame.age_group.tolist() == ["Y18T59", "Y_GE60", "Y18T59", "Y_GE60"]  # still derived
    kinds = result.item_nonresponse.set_index(["variable", "kind"]).n.to_dict()
    assert kinds[("old", "refused")] == 1 and kinds[("old", "answered")] == 3


def test_who_is_too_young_is_left_out_by_age_group_where_no_age_is_known(tmp_path: Path) -> None:
    bands = "  age_group: {column: band, codes: {0: Y0T17, 1: Y15T19, 2: Y18T59, 3: Y_GE60}, missing: [9]}\n"
    survey = SURVEY.replace("  age: {column: q2, missing: {-99: dont_know}}\n", bands)
    frame = rows().assign(band=[0, 1, 3, 9])
    result = prepare(data_root(tmp_path, frame, survey), "2020-r1_BGD")
    assert result.frame.respondent_id.tolist() == ["2", "3", "4"] and result.excluded == 1  # 15 to 19 may well be 19
    assert result.frame.age.isna().all() and result.frame.old.isna().all()
    assert (result.item_nonresponse.groupby("variable").n.sum() == 3).all()


def test_a_known_age_outdoes_the_age_group(tmp_path: Path) -> None:
    bands = "  age_group: {column: band, codes: {0: Y0T17, 2: Y18T59}}\n  chores:"
    frame = rows().assign(band=[0, 0, 0, 2])  # aged 30, 65, unknown and 17
    result = prepare(data_root(tmp_path, frame, SURVEY.replace("  chores:", bands)), "2020-r1_BGD")
    assert result.frame.respondent_id.tolist() == ["1", "2"] and result.excluded == 2


@pytest.mark.parametrize("file", ["data.csv", "data.sav", "data.xlsx"])
def test_panel_ids_are_the_same_text_in_every_format_and_blank_outside_the_panel(tmp_path: Path, file: str) -> None:
    frame = rows().assign(panel=[101, None, 103, None])
    result = prepare(data_root(tmp_path, frame, SURVEY + "panel_id: panel\n", file), "2020-r1_BGD")
    assert result.frame.panel_id.fillna("-").tolist() == ["101", "-", "103"]


def test_without_panel_every_panel_id_is_null(tmp_path: Path) -> None:
    frame = prepare(data_root(tmp_path, rows()), "2020-r1_BGD").frame
    assert frame.panel_id.isna().all() and frame.panel_id.dtype == "string"


def test_people_who_were_not_shown_a_question_by_plan_are_not_asked_and_no_nonresponse(tmp_path: Path) -> None:
    frame = rows().assign(form=["A", "B", "A", "B"], q3a=[1, None, None, None])
    survey = SURVEY.replace(
        "q3b}, codes: {1: more, 2: less}}", "q3b}, codes: {1: more, 2: less}, shown_to: {column: form, codes: [A]}}"
    )
    result = prepare(data_root(tmp_path, frame.assign(q3b=[1, None, 2, None]), survey), "2020-r1_BGD")
    kinds = result.item_nonresponse.set_index(["variable", "kind"]).n.to_dict()
    assert {kind: n for (name, kind), n in kinds.items() if name == "chores_cook"} == {"answered": 1, "blank": 1, "not_asked": 1}
    assert {kind: n for (name, kind), n in kinds.items() if name == "chores_clean"} == {"answered": 2, "not_asked": 1}
    assert result.frame.chores_clean.fillna("?").tolist() == ["more", "?", "less"]


def test_an_answer_of_somebody_who_was_not_shown_the_question_is_an_error(tmp_path: Path) -> None:
    frame = rows().assign(form=["A", "B", "A", "B"])
    survey = SURVEY.replace(
        "q3b}, codes: {1: more, 2: less}}", "q3b}, codes: {1: more, 2: less}, shown_to: {column: form, codes: [A]}}"
    )
    text = problem(tmp_path, frame, survey)
    assert "`shown_to` (form)" in text and "chores_cook" in text and "1 row" in text


def test_what_is_the_same_for_everybody_is_given_as_a_value(tmp_path: Path) -> None:
    survey = SURVEY.replace("  chores:", "  old: {value: n}\n  chores:")
    result = prepare(data_root(tmp_path, rows(), survey), "2020-r1_BGD")
    assert result.frame.old.tolist() == ["n", "n", "n"]
    assert result.item_nonresponse.query("variable == 'old'").n.tolist() == [3]


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("old: {value: perhaps}", "the catalogue has no such code"),
        ("age: {value: young}", "is no number"),
        ("chores: {value: more}", "cannot have one `value`"),
        ("old: {value: n, missing: [9]}", "nothing else can be given beside it"),
        ("old: {}", "or `value`"),
    ],
)
def test_a_value_that_does_not_suit_its_variable_is_refused(tmp_path: Path, mapping: str, told: str) -> None:
    name = mapping.split(":")[0]
    kept = [line for line in SURVEY.splitlines() if not line.startswith(f"  {name}:")]
    assert told in problem(tmp_path, rows(), "\n".join([*kept, f"  {mapping}"]))


def test_age_is_computed_from_the_year_of_birth_in_the_files_sql(tmp_path: Path) -> None:
    frame = rows().assign(born=[1990, 1955, 9999, 2003]).drop(columns="q2")
    survey = SURVEY.replace("column: q2,", "column: years,") + (
        "respondents: |\n"
        "  SELECT *, CASE WHEN born = '9999' THEN -99 ELSE 2020 - CAST(born AS INTEGER) END AS years FROM respondents\n"
    )
    result = prepare(data_root(tmp_path, frame, survey), "2020-r1_BGD")
    assert result.frame.age.tolist()[:2] == [30, 65] and result.excluded == 1


@pytest.mark.parametrize("fpc", [[10, 10, 20, 20], [0.1, 0.1, 0.5, 0.5]])
def test_the_population_of_a_stratum_may_be_given_as_psus_or_as_the_fraction_sampled(tmp_path: Path, fpc: list[float]) -> None:
    survey = SURVEY.replace("[region, place], psu: ea", "[region], psu: ea, fpc: n_psu")
    frame = prepare(data_root(tmp_path, rows().assign(n_psu=fpc), survey), "2020-r1_BGD").frame
    assert frame["fpc"].tolist() == fpc[:3]


@pytest.mark.parametrize(
    "fpc, told, wrong",
    [
        ([10, 11, 20, 20], "varies", 2),
        ([10, 10, 1.5, 1.5], "more PSUs in the file", 2),
        ([10, 10, -1, -1], "not positive", 2),
        ([10, 10, None, 20], "without one", 1),
        (["ten", "ten", "20", "20"], "not numbers", 2),
    ],
)
def test_a_population_of_psus_that_cannot_be_is_an_error(tmp_path: Path, fpc: list, told: str, wrong: int) -> None:
    survey = SURVEY.replace("[region, place], psu: ea", "[region], psu: ea, fpc: n_psu")
    with pytest.raises(InputError, match=told) as error:
        prepare(data_root(tmp_path, rows().assign(n_psu=fpc), survey), "2020-r1_BGD")
    (problem,) = error.value.problems
    assert problem.variable == "n_psu" and problem.rows == wrong and problem.remedy
