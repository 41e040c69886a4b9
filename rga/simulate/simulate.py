"""From a list of surveys to a folder of simulated survey files with their truth.

Belongs here: the order of the steps and where things are written. Not here: any of the steps.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from rga.microdata.benchmarks import country_margins
from rga.microdata.catalogue import Catalogue, load_catalogue
from rga.simulate.coding import CODINGS, questionnaire
from rga.simulate.files import SIMULATED, source_frame, specification, write_file
from rga.simulate.population import simulate_population
from rga.simulate.programme import PROGRAMME, ROUNDS, SEED, Survey
from rga.simulate.sampling import answers, draw

URBAN = {"BGD": 0.38, "PAK": 0.37}  # World Factbook 2020, all ages
MARGINS = ["sex*age_group", "sex*education"]


def population_of(survey: Survey, raw_data: Path) -> pd.DataFrame:
    """The finite population behind a survey; the same at every call."""
    margins = country_margins(raw_data / "benchmarks" / f"wpp2019-{survey.year}", survey.country, MARGINS)
    rng = np.random.default_rng([SEED, survey.year, zlib.crc32(survey.country.encode())])
    sex_age, sex_education = (margins[name] for name in MARGINS)
    return simulate_population(survey.country, survey.year, sex_age, sex_education, URBAN[survey.country], rng)


def truth(people: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """True share (per cent) of each indicator that the population can answer: indicator, sex (`_T`, `F`, `M`), share."""
    parts = []
    with duckdb.connect() as connection:
        connection.register("answers", people)
        connection.execute("CREATE TABLE people AS SELECT * FROM answers").fetchall()
        for code, indicator in catalogue.indicators.items():
            if not catalogue.uses(code) <= set(people.columns):
                continue
            parts.append(
                f"SELECT '{code}' AS indicator, coalesce(sex, '_T') AS sex, round(100 * avg(y), 4) AS share FROM (SELECT sex, "
                f"CASE WHEN ({indicator.universe}) THEN (({indicator.numerator}))::INT END AS y FROM people) "
                f"GROUP BY GROUPING SETS ((), (sex)) HAVING count(y) > 0"
            )
        return connection.execute(" UNION ALL ".join(parts) + " ORDER BY indicator, sex").df()


def simulate(raw_data: Path, target: Path | None = None, surveys: Sequence[Survey] = PROGRAMME) -> list[Path]:
    """Write each survey's folder (file, survey.yaml, truth.csv, README.txt) below ``target``, by default ``raw_data``.

    ``raw_data`` gives catalogue and benchmarks. Returns the folders. The same call writes the same data again.
    """
    catalogue = load_catalogue(raw_data / "catalogue")
    return [_write(survey, raw_data, target or raw_data, catalogue) for survey in surveys]


def _write(survey: Survey, raw_data: Path, target: Path, catalogue: Catalogue) -> Path:
    people = population_of(survey, raw_data)
    rng = np.random.default_rng([SEED, 1, survey.year, zlib.crc32(survey.country.encode())])
    sample = draw(people, survey.n, survey.clustered, rng, survey.unobserved)
    asked = {name for name, v in catalogue.variables.items() if set(people.columns) & ({name} | {f"{name}_{i}" for i in v.items})}
    questions = questionnaire(catalogue, CODINGS[survey.coding], asked)
    said = answers(sample, [q.harmonised for q in questions], rng)
    folder = target / survey.round / survey.country
    folder.mkdir(parents=True, exist_ok=True)
    write_file(source_frame(said, questions, survey, rng), questions, folder / survey.file, date.fromisoformat(survey.fieldwork[1]))
    digest = hashlib.sha256((folder / survey.file).read_bytes()).hexdigest()
    absent = [name for name, v in catalogue.variables.items() if name not in asked and not v.derived]
    (folder / "survey.yaml").write_text(specification(survey, questions, absent, digest), encoding="utf-8")
    truth(people, catalogue).to_csv(folder / "truth.csv", index=False)
    (folder / "README.txt").write_text(f"{SIMULATED}.\ntruth.csv: shares in the simulated population.\n", encoding="utf-8")
    title, notes = ROUNDS[survey.round]
    (folder.parent / "round.yaml").write_text(f"title: {title}\nyear: {survey.year}\nnotes: >-\n  {notes}\n", encoding="utf-8")
    return folder
