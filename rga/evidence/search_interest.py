"""Published figures on searches related to violence against women.

Belongs here: reading `evidence/search_interest.csv` of a data root. Not here: any claim on prevalence: a search is neither an
incident nor a person.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
from pydantic import Field, StringConstraints, ValidationError

from rga.errors import InputError, Problem
from rga.microdata.yaml_file import StrictModel


class Figure(StrictModel):
    """One published figure, its unit and where it was printed."""

    iso3: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    measure: Annotated[str, StringConstraints(min_length=1)]
    period: Annotated[str, StringConstraints(min_length=1)]
    value: Annotated[float, Field(allow_inf_nan=False)]
    unit: Literal["searches per 100 000 people", "per cent change"]
    source: Annotated[str, StringConstraints(min_length=1)]
    note: str = ""


def read_search_interest(raw_data: Path) -> pd.DataFrame:
    """Rows of table `search_interest`; none where the data root has no such file. Raises InputError naming file and line."""
    path = raw_data / "evidence" / "search_interest.csv"
    if not path.is_file():
        return pd.DataFrame(columns=list(Figure.model_fields))
    figures, problems = [], []
    with path.open(encoding="utf-8", newline="") as file:
        for line, row in enumerate(csv.DictReader(file), start=2):
            try:
                figures.append(Figure.model_validate(row).model_dump())
            except ValidationError as error:
                first = error.errors()[0]
                problems.append(
                    Problem(
                        f"line {line}: {'.'.join(map(str, first['loc']))}: {first['msg']}",
                        "correct the line",
                        file="evidence/search_interest.csv",
                    )
                )
    if problems:
        raise InputError(problems)
    return pd.DataFrame(figures, columns=list(Figure.model_fields))
