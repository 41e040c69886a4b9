"""Simulated populations hit their benchmark and their levels; files read back; everything says that it is simulated."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
import yaml

from rga.microdata.benchmarks import country_margins
from rga.microdata.catalogue import load_catalogue
from rga.microdata.data_root import DataRoot
from rga.microdata.readers import column_names
from rga.microdata.respondents import prepare
from rga.simulate.levels import level
from rga.simulate.population import SIZE
from rga.simulate.programme import PROGRAMME, Survey
from rga.simulate.simulate import MARGINS, population_of, simulate, truth

KEYS = [survey.key for survey in PROGRAMME]
SURVEYS = {survey.key: survey for survey in PROGRAMME}


@pytest.fixture(scope="module")
def raw_data(repository: Path) -> Path:
    return repository / "raw_data"


@pytest.fixture(scope="module")
def people(raw_data: Path) -> pd.DataFrame:
    return population_of(PROGRAMME[0], raw_data)


def read(path: Path) -> pd.DataFrame:
    match path.suffix:
        case ".sav":
            return pyreadstat.read_sav(path, user_missing=True)[0]
        case ".dta":
            return pyreadstat.read_dta(path, user_missing=True)[0]
    return pd.read_csv(path, dtype=str)


def test_the_population_has_the_benchmarks_margins(people: pd.DataFrame, raw_data: Path) -> None:
    margins = country_margins(raw_data / "benchmarks" / "wpp2019-2020", "BGD", MARGINS)
    for name, table in margins.items():
        variables = name.split("*")
        ours = people.groupby(variables).size().rename("ours").reset_index().merge(table, on=variables, how="outer").fillna(0)
        assert (ours["ours"] / SIZE - ours["total"] / ours["total"].sum()).abs().max() < 10 / SIZE


def test_levels_are_hit_to_the_person(people: pd.DataFrame) -> None:
    for sex, target in zip(("F", "M"), level("BGD", 2020, "mental_health"), strict=True):
        share = (people.loc[people.sex == sex, "mental_health"] == "yes").mean()
        assert abs(share - target) < 1 / (people.sex == sex).sum()
    women, men = level("BGD", 2020, "mental_health")
    assert men > women  # the gap that Bangladesh published is reversed


def test_truth_is_a_recount_of_the_population(people: pd.DataFrame, raw_data: Path) -> None:
    found = truth(people, load_catalogue(raw_data / "catalogue")).set_index(["indicator", "sex"])["share"]
    teachers = people[(people.care_teaching != "not_done") & (people.sex == "F")]
    assert found["UCW_TEACH_INC", "F"] == pytest.approx(100 * (teachers.care_teaching == "increased").mean(), abs=1e-4)
    workers = people[people.job_before != "not_working"]
    assert found["EMP_HOURS_DOWN", "_T"] == pytest.approx(
        100 * workers.hours_change.isin(["decreased", "lost_job"]).mean(), abs=1e-4
    )
    assert "VAX_0" not in found.index.get_level_values(0)  # nobody was asked in 2020


def test_committed_files_are_what_the_simulator_writes(raw_data: Path, tmp_path: Path) -> None:
    """Decoded, because SPSS and Stata files carry the time at which they were written."""
    for folder, survey in zip(simulate(raw_data, tmp_path), PROGRAMME, strict=True):
        committed = raw_data / survey.round / survey.country
        pd.testing.assert_frame_equal(read(folder / survey.file), read(committed / survey.file))
        assert (folder / "truth.csv").read_text() == (committed / "truth.csv").read_text()


@pytest.mark.parametrize("key", KEYS)
def test_every_column_of_a_file_is_mapped_design_or_listed_as_unused(raw_data: Path, key: str) -> None:
    root = DataRoot(raw_data)
    specification, (path,) = root.specification(key), root.files(key).values()
    listed = {*specification.columns_read, *specification.unused}
    assert set(column_names(path)) == listed


@pytest.mark.parametrize("key", KEYS)
def test_direct_identifiers_stay_in_the_file(raw_data: Path, key: str) -> None:
    frame = prepare(DataRoot(raw_data), key).frame
    survey: Survey = SURVEYS[key]
    source = read(raw_data / survey.round / survey.country / survey.file)
    planted = [name for name in ("msisdn", "resp_name", "email") if name in source]
    assert planted
    text = frame.astype(str).to_csv()
    assert not any(str(value) in text for name in planted for value in source[name].head(200))


@pytest.mark.parametrize("key", KEYS)
def test_every_survey_says_that_it_is_simulated(raw_data: Path, key: str) -> None:
    survey = SURVEYS[key]
    folder = raw_data / survey.round / survey.country
    document = yaml.safe_load((folder / "survey.yaml").read_text())
    assert document["simulated"] is True and "simulated" in document["title"]
    assert "SIMULATED" in (folder / "README.txt").read_text()


def test_men_the_young_and_the_educated_are_over_represented(raw_data: Path, people: pd.DataFrame) -> None:
    sample = prepare(DataRoot(raw_data), "2020-r1_BGD").frame
    for column, code in (("sex", "M"), ("age_group", "Y18T24"), ("education", "tertiary")):
        assert (sample[column] == code).mean() > (people[column] == code).mean() * 1.2
