"""From a list of surveys to a folder of simulated survey files with their truth.

Belongs here: the order of the steps and where things are written. Not here: any of the steps.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from rga.microdata.benchmark_scaling import country_margins
from rga.microdata.catalogue import Catalogue, load_catalogue
from rga.simulate.auxiliary import auxiliary
from rga.simulate.coding import Question, questionnaire
from rga.simulate.files import SIMULATED, respondent_ids, source_frame, write_file
from rga.simulate.frames import invitations, with_frame
from rga.simulate.population import population
from rga.simulate.programme import PROGRAMME, ROUNDS, SEED, URBAN, Survey
from rga.simulate.responses import respond
from rga.simulate.sampling import answers, draw, recorded, with_minors
from rga.simulate.specification import specification

MARGINS = ["sex*age_group", "sex*education"]
README = "truth.csv: true shares of what the survey asked, in the simulated population it was drawn from."


def rng_of(survey: Survey, purpose: int) -> np.random.Generator:
    """Random numbers of one survey for one purpose: the same whichever surveys are simulated besides."""
    return np.random.default_rng([SEED, purpose, survey.year, zlib.crc32(survey.country.encode())])


def earlier_round(survey: Survey) -> Survey | None:
    """The survey whose respondents are in this one's panel."""
    return next((s for s in PROGRAMME if s.round == survey.panel and s.country == survey.country), None)


@lru_cache(maxsize=3)
def population_of(survey: Survey, raw_data: Path) -> pd.DataFrame:
    """The finite population behind a survey with all it would answer; the same at every call. Not to be changed."""
    margins = country_margins(raw_data / "benchmarks" / f"wpp2019-{survey.year}", survey.country, MARGINS)
    rng, before = rng_of(survey, 0), earlier_round(survey)
    people = population(
        survey.size,
        margins["sex*age_group"],
        margins["sex*education"],
        URBAN[survey.country],
        rng,
        population_of(before, raw_data) if before else None,
    )
    return with_frame(respond(people, survey.country, survey.year, rng), survey, rng_of(survey, 4))


def invitations_of(survey: Survey, raw_data: Path) -> pd.DataFrame | None:
    """Lines and invitations by operator, for a survey drawn by operators or a panel of such a one; None for the others."""
    first = earlier_round(survey) or survey
    if first.sampling != "operators" or first.invited is None:
        return None
    margin = country_margins(raw_data / "benchmarks" / f"wpp2019-{first.year}", first.country, MARGINS[:1])[MARGINS[0]]
    return invitations(population_of(first, raw_data), first, first.invited, float(margin["total"].sum()))


def rates_of(invited: pd.DataFrame | None) -> pd.Series | None:
    """Invitations per line, by operator."""
    return None if invited is None else invited["invited"] / invited["population"]


def sample_of(survey: Survey, raw_data: Path) -> pd.DataFrame:
    """Everybody drawn whom the file knows of, with what they would answer, and whether they `answered`; the same at every call."""
    before, rng = earlier_round(survey), rng_of(survey, 1)
    earlier = recorded(said_of(before, raw_data)[1]) if before else None
    sample = draw(population_of(survey, raw_data), survey, rng, rates_of(invitations_of(survey, raw_data)), earlier)
    return with_minors(sample, rng) if survey.minors else sample


def said_of(survey: Survey, raw_data: Path) -> tuple[list[Question], pd.DataFrame, np.random.Generator]:
    """The survey's questions and what its sample said to them; the generator goes on where these left it."""
    catalogue, rng = load_catalogue(raw_data / "catalogue"), rng_of(survey, 2)
    sample, questions = sample_of(survey, raw_data), questionnaire(catalogue, survey, rng)
    asked_besides = [] if survey.panel else [q for q in auxiliary(survey) if q.missing]  # a panel was asked the year before
    asked = [q.harmonised for q in [*questions, *asked_besides] if not q.separator]
    asked += [f"{q.variable}_{item}" for q in questions if q.separator for item in q.codes]
    return questions, answers(with_derived(sample, catalogue), asked, rng), rng


def with_derived(people: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """``people`` with the catalogue's derived variables, as far as what they are derived from is there."""
    people = people.copy()
    with duckdb.connect() as connection:
        for name, variable in catalogue.variables.items():
            if variable.derived and catalogue.sources({name}) <= set(people.columns):
                connection.register("people", people)
                people[name] = connection.execute(f"SELECT ({variable.derived}) AS y FROM people").df()["y"].to_numpy()
    return people


def truth(people: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """True share (per cent) of each indicator that the population can answer: indicator, sex (`_T`, `F`, `M`), share."""
    people = with_derived(people, catalogue)
    codes = [code for code in catalogue.indicators if catalogue.uses(code) <= set(people.columns)]
    shares = ", ".join(
        f"100 * avg(CASE WHEN ({item.universe}) THEN ({item.numerator})::INT END) AS {code}"
        for code in codes
        if (item := catalogue.indicators[code])
    )
    with duckdb.connect() as connection:
        connection.register("people", people)
        wide = connection.execute(
            f"SELECT coalesce(sex::VARCHAR, '_T') AS sex, {shares} FROM people GROUP BY GROUPING SETS ((), (sex))"
        ).df()
    long = wide.melt("sex", var_name="indicator", value_name="share").dropna()
    return long.assign(share=long["share"].round(4)).sort_values(["indicator", "sex"])[["indicator", "sex", "share"]]


def simulate(raw_data: Path, target: Path | None = None, surveys: Sequence[Survey] = PROGRAMME) -> list[Path]:
    """Write each survey's folder (file, survey.yaml, truth.csv, README.txt) below ``target``, by default ``raw_data``.

    ``raw_data`` gives catalogue and benchmarks. Returns the folders. The same call writes the same data again.
    """
    catalogue = load_catalogue(raw_data / "catalogue")
    by_country = sorted(surveys, key=lambda survey: (survey.country, survey.round))  # a panel's populations one after the other
    return [_write(survey, raw_data, target or raw_data, catalogue) for survey in by_country]


def _write(survey: Survey, raw_data: Path, target: Path, catalogue: Catalogue) -> Path:
    questions, said, rng = said_of(survey, raw_data)
    before, panel_ids = earlier_round(survey), None
    if before:
        persons = sample_of(before, raw_data)["person"]
        panel_ids = dict(zip(persons, respondent_ids(before, len(persons)), strict=True))
    folder = target / survey.round / survey.country
    folder.mkdir(parents=True, exist_ok=True)
    frame = source_frame(said, questions, survey, panel_ids, rng)
    write_file(frame, [*auxiliary(survey), *questions], folder / survey.file, date.fromisoformat(survey.fieldwork[1]))
    digest = hashlib.sha256((folder / survey.file).read_bytes()).hexdigest()
    text = specification(survey, questions, catalogue, digest, len(said), invitations_of(survey, raw_data))
    (folder / "survey.yaml").write_text(text, encoding="utf-8")
    people = population_of(survey, raw_data)
    not_asked = {column for name in survey.absent for column in map(str, people) if column == name or column.startswith(f"{name}_")}
    truth(people.drop(columns=list(not_asked)), catalogue).to_csv(folder / "truth.csv", index=False)
    (folder / "README.txt").write_text(f"{SIMULATED}.\n{README}\n", encoding="utf-8")
    title, publication, notes = ROUNDS[survey.round]
    (folder.parent / "round.yaml").write_text(
        f"title: {title}\nyear: {survey.year}\npublication: >-\n  {publication}\nnotes: >-\n  {notes}\n", encoding="utf-8"
    )
    return folder
