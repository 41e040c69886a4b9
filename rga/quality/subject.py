"""What the checks of one survey look at.

Belongs here: the survey as a build has it, in one place. Not here: checks, or reading the survey.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import duckdb
import pandas as pd
import pyarrow as pa

from rga.microdata.catalogue import Catalogue, Synonyms
from rga.microdata.columns import Account
from rga.microdata.respondents import Respondents
from rga.microdata.specification import SurveySpecification
from rga.quality.thresholds import Thresholds


@dataclass(frozen=True)
class Subject:
    """One survey. ``margins`` are its rows of the published table of that name: margin, category, before, benchmark (none: not
    calibrated); ``year`` is that of its round; ``synonyms`` are other words for what the catalogue has."""

    catalogue: Catalogue
    specification: SurveySpecification
    respondents: Respondents
    columns: Account
    margins: pd.DataFrame
    thresholds: Thresholds
    year: int
    synonyms: Synonyms = field(default_factory=Synonyms)

    @property
    def round_number(self) -> int:
        """N of a round such as 2020-rN."""
        return int(self.survey_id.rpartition("_")[0].rpartition("-r")[2])

    @property
    def country(self) -> str:
        return self.survey_id.rpartition("_")[2]

    @property
    def survey_id(self) -> str:
        return str(self.respondents.frame["survey_id"].iloc[0])

    @cached_property
    def due(self) -> pd.DataFrame:
        """For each column that the catalogue's `asked_of` speaks of and the survey gives: whether the question was for each
        respondent; null where that is not known."""
        of = {
            name: variable.asked_of
            for name, variable in self.catalogue.columns.items()
            if variable.asked_of and name in self.respondents.kinds
        }
        frame = self.respondents.frame
        if not of:
            return pd.DataFrame(index=frame.index)
        read = sorted(set().union(*(self.catalogue.check(expression) for expression in of.values())))
        wanted = ", ".join(f'({expression}) AS "{name}"' for name, expression in of.items())
        with duckdb.connect() as connection:
            connection.register("respondents", pa.Table.from_pandas(frame[read], preserve_index=False))
            found = connection.execute(f"SELECT {wanted} FROM respondents").df()
        return found.astype("boolean").set_index(frame.index)
