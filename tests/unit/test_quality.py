"""Every check finds the defect that was planted for it, and nothing in a survey without one."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.errors import InputError, Problem
from rga.microdata.columns import account
from rga.microdata.data_root import DataRoot
from rga.microdata.interviews import as_date
from rga.microdata.respondents import prepare
from rga.quality import CHECKS, Finding, Subject, Thresholds, finding_rows, load_thresholds, of_problems
from rga.quality.changes import changed_shares, previous_rounds
from rga.quality.checks import findings_of, not_possible
from rga.quality.thresholds import Changes

N = 600
SURVEY = """
title: Test
producer: Nobody
citation: None
licence: None
simulated: true
fieldwork: {start: 2020-05-01, end: 2020-05-20}
mode: cati
population: {description: Adults, age_min: 18}
files: {respondents: {path: data.csv}}
id: ID
design: {weight: w}
duration: {column: seconds, unit: seconds, shortest: 240}
interviewed: day
weighting: []
variables:
  sex: {column: q1, codes: {1: M, 2: F}, missing: {9: refused}}
  age: {column: q2, missing: {9: refused}}
  job: {column: q3, codes: {1: works, 2: works_not}, missing: {9: refused}}
  hours: {column: q4, codes: {1: more, 2: same, 3: less}, missing: {9: refused}, blank: not_applicable}
  chores: {columns: {cook: q5a, clean: q5b, water: q5c, shop: q5d}, codes: {1: more, 2: same, 3: less}, missing: {9: refused}}
  rent: {column: q6, missing: {9: refused}}
unused: {note: the interviewer's remarks}
"""
CATALOGUE = {
    "variables": """
        variables:
          sex: {label: Sex, module: r, codes: {F: Women, M: Men}}
          age: {label: Age, module: r, minimum: 0, maximum: 120}
          job: {label: Job, module: r, codes: {works: Works, works_not: Does not}}
          hours: {label: Hours, module: r, asked_of: job = 'works', codes: {more: More, same: Same, less: Less}}
          chores:
            {label: Chores, module: u, items: {cook: Cooking, clean: Cleaning, water: Water, shop: Shopping},
             codes: {more: More, same: Same, less: Less}}
          rent: {label: Rent, module: r, minimum: 0}
        """,
    "indicators": "indicators:\n  COOK: {title: Cooks more, module: u, numerator: chores_cook = 'more'}\n",
    "breakdowns": "breakdowns: [total, sex]\n",
}
MARGINS = pd.DataFrame(
    {"margin": "sex", "category": ["F", "M"], "n": [300, 300], "before": [300.0, 300.0], "benchmark": [51.0, 49.0]}
)


def answers() -> pd.DataFrame:
    """A file in which there is nothing to find."""
    rng = np.random.default_rng(20260101)
    frame = pd.DataFrame({"ID": range(N), "w": rng.uniform(0.5, 2, N), "q1": rng.integers(1, 3, N), "q2": rng.integers(18, 80, N)})
    frame["q3"] = rng.integers(1, 3, N)
    frame["q4"] = pd.Series(rng.integers(1, 4, N), dtype="Int64").mask(frame["q3"] == 2)
    for item in "abcd":
        frame[f"q5{item}"] = rng.integers(1, 4, N)
    frame["q6"] = rng.integers(10_000, 999_999, N)
    frame.loc[:9, ["q1", "q2", "q3", "q5a"]] = 9
    frame.loc[:9, "q4"] = pd.NA
    frame["seconds"] = rng.uniform(600, 1800, N)
    frame["day"] = [f"2020-05-{day:02d}T10:00:00" for day in rng.integers(1, 21, N)]
    return frame.assign(note="")


def subject(
    tmp_path: Path, frame: pd.DataFrame, survey: str = SURVEY, margins: pd.DataFrame = MARGINS, limits: Thresholds | None = None
) -> Subject:
    folder = tmp_path / "2020-r1" / "BGD"
    folder.mkdir(parents=True)
    (tmp_path / "catalogue").mkdir()
    for name, text in CATALOGUE.items():
        (tmp_path / "catalogue" / f"{name}.yaml").write_text(textwrap.dedent(text))
    (folder.parent / "round.yaml").write_text("title: One\nyear: 2020\n")
    (folder / "survey.yaml").write_text(survey)
    frame.to_csv(folder / "data.csv", index=False)
    root = DataRoot(tmp_path)
    limits = limits or Thresholds.model_validate({"duplicate_interviews": {"least_answers": 8}})
    respondents = prepare(root, "2020-r1_BGD")
    columns, specification = account(root, "2020-r1_BGD"), root.specification("2020-r1_BGD")
    return Subject(root.catalogue(), specification, respondents, columns, margins, limits, 2020)


def test_a_survey_without_defects_gives_no_finding(tmp_path: Path) -> None:
    assert findings_of(subject(tmp_path, answers())) == []


def straight(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[:200], ["q5b", "q5c", "q5d"]] = np.repeat(frame["q5a"].to_numpy()[:200, None], 3, axis=1)


def set_to(column: str, rows: int, value: object) -> Callable[[pd.DataFrame], None]:
    def change(frame: pd.DataFrame) -> None:
        frame.loc[frame.index[20 : 20 + rows], column] = value

    return change


def answered_out_of_turn(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[frame["q3"] == 2][:7], "q4"] = 1


def not_asked_in_turn(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[frame["q3"] == 1][:7], "q4"] = pd.NA


def sent_twice(frame: pd.DataFrame) -> None:
    columns = [c for c in frame if c.startswith("q")]
    frame.loc[frame.index[40:43], columns] = frame.loc[frame.index[30:33], columns].to_numpy()


def nobody_says_less(frame: pd.DataFrame) -> None:
    frame["q4"] = frame["q4"].replace(3, 1)


PLANTED: list[tuple[str, str | None, int | None, Callable[[pd.DataFrame], None]]] = [
    ("straight_lining", "chores", None, straight),
    ("item_nonresponse", "chores_clean", 100, set_to("q5b", 100, 9)),
    ("item_nonresponse", "chores_clean", 100, set_to("q5b", 100, "")),
    ("skip_violated", "hours", 7, answered_out_of_turn),
    ("skipped_though_due", "hours", 7, not_asked_in_turn),
    ("duplicate_interviews", None, 6, sent_twice),
    ("interview_duration", "seconds", 60, set_to("seconds", 60, 100)),
    ("interview_duration", "seconds", 3, set_to("seconds", 3, -5)),
    ("impossible_dates", "day", 5, set_to("day", 5, "2020-07-01")),
    ("impossible_dates", "day", 5, set_to("day", 5, "the other day")),
    ("out_of_population", None, 12, set_to("q2", 12, 16)),
    ("unused_codes", "hours", 0, nobody_says_less),
    ("unmapped_columns", None, None, lambda frame: frame.insert(0, "extra", 1)),
]


@pytest.mark.parametrize(("check", "variable", "rows", "plant"), PLANTED, ids=[f"{p[0]}-{n}" for n, p in enumerate(PLANTED)])
def test_a_planted_defect_is_found_counted_and_nothing_else_is(
    tmp_path: Path, check: str, variable: str | None, rows: int | None, plant: Callable[[pd.DataFrame], None]
) -> None:
    frame = answers().astype(object).where(lambda f: f.notna(), "")
    plant(frame)
    (found,) = findings_of(subject(tmp_path, frame))
    assert (found.check, found.severity, found.variable) == (check, "flag", variable) and found.remedy
    assert rows is None or found.rows == rows


@pytest.mark.parametrize(
    ("check", "old", "new"),
    [
        ("unmentioned_variables", "  job: {column: q3, codes: {1: works, 2: works_not}, missing: {9: refused}}\n", ""),
        ("unmapped_columns", "unused: {note:", "unused: {fax: a number, note:"),
        ("unused_codes", "missing: {9: refused}, blank", "missing: {9: refused, 88: dont_know}, blank"),
        ("impossible_dates", "start: 2020-05-01, end: 2020-05-20", "start: 2012-05-01, end: 2012-05-20"),
    ],
)
def test_a_defect_of_the_specification_is_found(tmp_path: Path, check: str, old: str, new: str) -> None:
    assert old in SURVEY
    text = SURVEY.replace(old, new)
    found = findings_of(subject(tmp_path, answers(), text))
    assert check in {finding.check for finding in found}


def test_a_sample_unlike_the_population_is_found_by_all_of_it_or_by_one_small_group(tmp_path: Path) -> None:
    far = MARGINS.assign(before=[100.0, 500.0])
    groups = pd.DataFrame(
        {"margin": "sex", "category": ["F", "M"], "n": [3, 597], "before": [3.0, 597.0], "benchmark": [3.0, 97.0]}
    )
    whole, one = (findings_of(subject(tmp_path / str(n), answers(), margins=margins)) for n, margins in enumerate((far, groups)))
    assert [f.check for f in whole] == [f.check for f in one] == ["sample_composition"]
    assert whole[0].share == pytest.approx(34.3, abs=0.1) and "men: 83.3 % (population 49.0 %)" in whole[0].message
    assert "women: 0.5 % (population 3.0 %)" in one[0].message


def test_a_battery_that_is_naturally_the_same_is_left_alone_where_its_items_explain_it_or_it_is_exempt(tmp_path: Path) -> None:
    frame = answers()
    rng = np.random.default_rng(1)
    for item in "abcd":
        frame[f"q5{item}"] = np.where(rng.random(len(frame)) < 0.95, 2, rng.integers(1, 4, len(frame)))
    assert findings_of(subject(tmp_path / "a", frame)) == []
    straight(frame := answers())
    exempt = Thresholds.model_validate({"straight_lining": {"exempt": {"chores": "asked as one question"}}})
    assert findings_of(subject(tmp_path / "b", frame, limits=exempt)) == []


def test_what_has_nothing_to_go_by_is_said_rather_than_passed(tmp_path: Path) -> None:
    plain = SURVEY.replace("duration: {column: seconds, unit: seconds, shortest: 240}\n", "unused: {seconds: x, note: y}\n")
    plain = plain.replace("unused: {note: the interviewer's remarks}\n", "")
    empty = subject(tmp_path, answers(), plain, MARGINS.iloc[:0])
    assert set(not_possible(empty)) == {"interview_duration", "sample_composition"}


def test_without_a_limit_interviews_much_shorter_than_the_median_are_too_short(tmp_path: Path) -> None:
    frame = answers()
    frame.loc[frame.index[:50], "seconds"] = 300
    found = findings_of(subject(tmp_path, frame, SURVEY.replace(", shortest: 240", "")))
    assert [(f.check, f.rows) for f in found] == [("interview_duration", 50)]


def shares(values: list[float], se: float = 1.0, n: int = 1000) -> pd.DataFrame:
    names = [f"I{number}" for number in range(len(values))]
    return pd.DataFrame({"indicator": names, "value": values, "se": se, "df": n - 1, "n": n})


def test_a_share_that_moved_by_more_than_tolerance_and_error_is_named_and_no_other() -> None:
    before, after = shares([50.0, 50.0, 50.0]), shares([50.0, 57.0, 30.0])
    (found,) = changed_shares(before, after, "2020-r1_BGD", Changes())
    assert found.variable == "I2" and found.share == pytest.approx(-20) and "2020-r1_BGD" in found.message
    assert {f.variable for f in changed_shares(before, after, "x", Changes(beyond=0))} == {"I1", "I2"}
    assert changed_shares(before, shares([50.0, 57.0, 30.0], se=12.0), "x", Changes()) == []
    assert changed_shares(before, shares([50.0, 57.0, 30.0], n=49), "x", Changes()) == []


def test_where_nothing_changed_about_one_survey_in_twenty_has_a_flag_however_many_its_shares() -> None:
    rng = np.random.default_rng(7)
    before = shares([50.0] * 80)
    flagged = sum(
        bool(changed_shares(before, shares(list(rng.normal(50, np.sqrt(2), 80))).assign(se=1.0), "x", Changes(beyond=0)))
        for _ in range(400)
    )
    assert 8 <= flagged <= 34  # 20 expected; the 0.1 % and 99.9 % points of a binomial


def test_rounds_are_compared_with_the_one_before_of_the_same_country_and_kind() -> None:
    surveys = {"2020-r1_BGD": True, "2021-r10_BGD": True, "2021-r2_BGD": True, "2020-r1_PAK": True, "2021-r2_PAK": False}
    assert previous_rounds(surveys) == {"2021-r2_BGD": "2020-r1_BGD", "2021-r10_BGD": "2021-r2_BGD"}


def test_errors_become_findings_of_the_check_they_belong_to(tmp_path: Path) -> None:
    frame = answers()
    frame.loc[frame.index[:3], "q3"] = 7
    frame.loc[frame.index[3:5], "q2"] = 130
    frame.loc[frame.index[5:7], "ID"] = 100_000
    with pytest.raises(InputError) as error:
        subject(tmp_path, frame)
    assert {f.check: f.rows for f in of_problems(error.value.problems)} == {
        "unknown_codes": 3, "impossible_values": 2, "duplicate_ids": 2,
    }  # fmt: skip
    assert {f.severity for f in of_problems(error.value.problems)} == {"error"}
    assert of_problems([Problem("no such column")])[0].check == "specification"


def test_rows_of_findings_have_the_same_types_with_and_without_a_finding() -> None:
    some = finding_rows("2020-r1_BGD", [Finding("skip_violated", "flag", "x", rows=3, share=1.5)])
    assert list(some.dtypes) == list(finding_rows("2020-r1_BGD", []).dtypes) and some["n"].tolist() == [3]


def test_dates_are_read_as_text_and_as_spss_and_stata_keep_them() -> None:
    noon = pd.Timestamp("2020-05-03 12:00")
    stata_ms, stata_days = (noon - pd.Timestamp("1960-01-01")) / pd.Timedelta("1ms"), (noon - pd.Timestamp("1960-01-01")).days
    spss = (noon - pd.Timestamp("1582-10-14")) / pd.Timedelta("1s")
    written = pd.Series(["2020-05-03 12:00", "2020-05-03T12:00:00+06:00", stata_ms, spss, stata_days, "soon", None], dtype=object)
    read = as_date(written)
    assert list(read[:4]) == [noon] * 4 and read[4] == noon.normalize() and read[5:].isna().all()


def test_the_thresholds_of_the_repository_name_checks_and_a_misspelt_one_is_an_error(repository: Path, tmp_path: Path) -> None:
    assert set(Thresholds.model_fields) <= set(CHECKS)
    assert load_thresholds(repository / "raw_data" / "catalogue").item_nonresponse.largest_share == 10
    assert load_thresholds(tmp_path) == Thresholds()
    (tmp_path / "quality.yaml").write_text("straight_linning: {largest_excess: 5}\n")
    with pytest.raises(InputError, match="did you mean `straight_lining`"):
        load_thresholds(tmp_path)
