"""Real files that nobody here designed: the World Bank's phone survey of Uganda and the American National Election Study."""

from __future__ import annotations

from pathlib import Path

import pytest

from rga.microdata.data_root import DataRoot
from rga.onboarding.draft import Draft, Request, draft


def drafted(repository: Path, files: list[Path], country: str) -> Draft:
    return draft(DataRoot(repository / "raw_data"), Request(files, country, "2020-r1"))


@pytest.fixture(scope="module")
def anes(shared: Path, repository: Path) -> Draft:
    return drafted(repository, [shared / "microdata" / "anes_2020_stata_example.dta"], "USA")


@pytest.fixture(scope="module")
def uganda(shared: Path, repository: Path) -> Draft:
    return drafted(repository, [shared / "microdata" / "hfps" / f"uga_{name}.dta" for name in ("hh", "ind")], "UGA")


def test_the_election_study_s_sex_age_weight_stratum_and_psu_are_found(anes: Draft) -> None:
    found = {guess.variable: guess for guess in anes.guesses}
    assert found["sex"].columns == {"": "V201600"} and found["sex"].match.codes == {"1": "M", "2": "F"}
    assert found["sex"].match.missing == {"-9": "refused"}
    assert found["age"].columns == {"": "V201507x"} and found["age"].match.missing == {"-9": "refused"}
    design = anes.design
    assert design.id and design.weight and design.psu
    assert (design.id.column, design.weight.column, design.psu.column) == ("V200001", "V200010b", "V200010c")
    assert [proposal.column for proposal in design.stratum] == ["V200010d"]


def test_questions_on_voting_are_not_taken_for_the_catalogue_s(anes: Draft) -> None:
    assert {guess.variable for guess in anes.guesses} <= {"sex", "age", "education"}


def test_uganda_s_sex_age_weight_strata_and_psu_are_found_in_two_files(uganda: Draft) -> None:
    found = {guess.variable: guess for guess in uganda.guesses}
    assert found["sex"].columns == {"": "sex"} and found["sex"].match.codes == {"1": "M", "2": "F"}
    assert found["age"].columns[""] in {"age", "age_p"} and found["residence"].match.codes == {"1": "R", "2": "U"}
    design = uganda.design
    assert design.id and design.weight and design.psu
    assert (design.id.column, design.weight.column, design.psu.column) == ("hhid", "wt_r1", "ea")
    assert [proposal.column for proposal in design.stratum] == ["region", "rural"]
    assert {proposal.confidence for proposal in design.stratum} == {"low"}, "no column is called a stratum"


def test_uganda_s_files_are_joined_by_household_and_the_respondent_s_row(uganda: Draft) -> None:
    assert "WHERE respond_r1 = 1) AS uga_ind USING (hhid)" in uganda.text
    assert "WHERE uga_hh.wt_r1 IS NOT NULL" in uganda.text


def test_high_confidence_is_right_on_real_files_too(uganda: Draft, anes: Draft) -> None:
    sure = {(g.variable, g.columns.get("")) for d in (uganda, anes) for g in d.guesses if g.confidence == "high"}
    assert sure <= {("sex", "sex"), ("education", "educ"), ("residence", "rural"), ("sex", "V201600"), ("age", "V201507x"),
                    ("age", "age_p")}  # fmt: skip
