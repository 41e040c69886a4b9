"""A data root and its warehouse, and what tests do with them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import yaml
from click.testing import CliRunner, Result

from assets.workspace import Paths
from pipelines.build import BuildOutcome, build
from pipelines.cli import main
from pipelines.resources import paths

MODULES = {"employment", "health", "unpaid domestic work", "education"}
BREAKDOWNS = ["total", "sex", "sex*age_group", "sex*residence", "sex*education", "sex*marital_status", "sex*age_group*residence"]
SURVEYS = ["2020-r1_BGD", "2020-r1_PAK", "2021-r2_BGD", "2021-r2_PAK"]


@dataclass(frozen=True)
class Place:
    """A data root and its warehouse."""

    folder: Path

    @property
    def raw_data(self) -> Path:
        return self.folder / "raw_data"

    @property
    def warehouse(self) -> Path:
        return self.folder / "warehouse"

    @property
    def paths(self) -> Paths:
        return paths(self.raw_data, self.warehouse)

    def survey_yaml(self, survey_id: str) -> Path:
        return self.raw_data / survey_id.replace("_", "/") / "survey.yaml"

    def edit(self, survey_id: str, pattern: str, replacement: str) -> None:
        """Change one place of a survey.yaml."""
        file = self.survey_yaml(survey_id)
        text, count = re.subn(pattern, replacement, file.read_text(encoding="utf-8"), count=1, flags=re.MULTILINE)
        assert count == 1, f"{pattern} is not in {file}"
        file.write_text(text, encoding="utf-8")

    def drop_a_code(self, survey_id: str) -> None:
        """Break the survey as people do: a code of the file that nobody mapped."""
        self.edit(survey_id, r"(codes: \{\d+: below_primary), \d+: primary", r"\1")

    def build(self, surveys: list[str] | None = None, force: bool = False) -> BuildOutcome:
        return build(self.paths, surveys, force)

    def rga(self, *arguments: str) -> Result:
        """Run a command that reads this data root and writes this warehouse."""
        where = {"RGA_RAW_DATA": str(self.raw_data), "RGA_WAREHOUSE": str(self.warehouse)}
        return CliRunner().invoke(main, list(arguments), env=where)

    def ask(self, query: str) -> pd.DataFrame:
        # The path behind the link: DuckDB may answer from an earlier file of the same name within one process.
        with duckdb.connect(str((self.warehouse / "rga.duckdb").resolve()), read_only=True) as connection:
            return connection.execute(query).df()


def fresh(repository: Path, folder: Path, surveys: Collection[str] = SURVEYS, whole_catalogue: bool = False) -> Place:
    """A copy of the repository's data root with ``surveys`` only, and nothing built; without the ``whole_catalogue``, which takes
    longer to build, a few indicators and breakdowns."""
    place = Place(folder)
    shutil.copytree(repository / "raw_data", place.raw_data)
    for survey_id in set(place.paths.data_root().survey_ids()) - set(surveys):
        shutil.rmtree(place.survey_yaml(survey_id).parent)
    if not whole_catalogue:
        _shorten(place.raw_data / "catalogue")
    return place


def _shorten(catalogue: Path) -> None:
    file = catalogue / "indicators.yaml"
    every = yaml.safe_load(file.read_text(encoding="utf-8"))["indicators"]
    some = {code: item for code, item in every.items() if item["module"] in MODULES}
    file.write_text(yaml.safe_dump({"indicators": some}, allow_unicode=True), encoding="utf-8")
    (catalogue / "breakdowns.yaml").write_text(yaml.safe_dump({"breakdowns": BREAKDOWNS}), encoding="utf-8")


def statuses(outcome: BuildOutcome) -> dict[str, str]:
    return {survey.survey_id: survey.status for survey in outcome.surveys}
