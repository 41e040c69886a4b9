"""Who the population is: margins of a country's adults, from `benchmarks/<name>/`.

Belongs here: reading and checking margins as published. Not here: bringing them to one population (``benchmark_scaling``), fitting
weights to them (``rga.survey``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Literal

import pandas as pd
from pydantic import model_validator

from rga.errors import InputError, Problem
from rga.microdata.yaml_file import StrictModel, load_yaml

Concept = Literal["residents", "citizens"]
MOST_PEOPLE = 1e11
COLUMN = {"count": "population", "share": "share", "share_within": "share", "mean": "mean"}  # of the CSV, by measure


class Margin(StrictModel):
    """One table and its source.

    `count`: persons (not thousands of them); `share`: per cent of the population; `share_within`: per cent within each category
    of ``within``; `mean`: of the number that ``margin`` names, one row per country.

    ``year`` and ``concept`` are given where they differ from the benchmark's.
    """

    margin: str
    file: str
    measure: Literal["count", "share", "share_within", "mean"]
    within: list[str] = []
    year: int | None = None
    concept: Concept | None = None
    producer: str
    licence: str
    citation: str

    @property
    def variables(self) -> list[str]:
        return self.margin.split("*")

    @model_validator(mode="after")
    def _within_what(self) -> Margin:
        if self.measure == "share_within" and not (self.within and set(self.within) < set(self.variables)):
            raise ValueError("`share_within` needs `within: [...]`, some of the margin's variables")
        if self.measure == "mean" and len(self.variables) > 1:
            raise ValueError("`mean` is of one number, not of a crossing")
        return self


class Source(StrictModel):
    """``population`` says in words who is counted; ``concept`` whether residents (whoever lives there) or citizens."""

    title: str
    population: str
    concept: Concept | None = None
    year: int
    margins: list[Margin]

    @model_validator(mode="after")
    def _one_population(self) -> Source:
        names = [margin.margin for margin in self.margins]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"margin {twice[0]} is listed twice")
        if not any(margin.measure == "count" for margin in self.margins):
            raise ValueError("some margin must be in counts, to say how many people there are")
        return self

    @property
    def reference(self) -> Margin:
        """The first margin in counts: the population that all others are scaled to."""
        return next(margin for margin in self.margins if margin.measure == "count")


def load_source(folder: Path) -> Source:
    """Read ``folder``/source.yaml. Raises InputError."""
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in folder.parent.glob("*/"))) or "none"
        what, remedy = f"there is no benchmark `{folder.name}`", f"correct it; benchmarks/ has: {known}"
        raise InputError(Problem(what, remedy, file="survey.yaml", variable="population.benchmark"))
    return load_yaml(folder / "source.yaml", Source, f"benchmarks/{folder.name}/source.yaml")


def read_margin(folder: Path, margin: Margin, iso3: str, codes: Mapping[str, Collection[str]]) -> pd.DataFrame:
    """The margin's variables and ``total``, in the measure as published.

    Raises InputError for a category that is repeated, absent from the crossing or not among ``codes`` (by variable, where given),
    and for figures that are missing, negative or no numbers.
    """
    file = f"benchmarks/{folder.name}/{margin.file}"
    variables, value = [] if margin.measure == "mean" else margin.variables, COLUMN[margin.measure]
    frame = _read(folder, margin.file)
    if absent := [name for name in ["iso3", *variables, value] if name not in frame]:
        raise InputError(Problem(f"lacks the column {absent[0]}", "add it", file=file))
    table = frame.loc[frame.iso3 == iso3, [*variables, value]].rename(columns={value: "total"}).reset_index(drop=True)
    if table.empty:
        raise InputError(Problem(f"has no rows for {iso3}", "add the country or name another benchmark", file=file))
    text, table["total"] = table["total"], pd.to_numeric(table["total"], errors="coerce").astype("float64")
    low = -MOST_PEOPLE if margin.measure == "mean" else 0  # an index may be below 0 on average
    if (wrong := ~table["total"].between(low, MOST_PEOPLE)).any():
        first = table.index[wrong][0]
        where = f" in category {'*'.join(table.loc[first, variables])}" if variables else ""
        found = text[first].strip() or "nothing"
        problem = Problem(f"{iso3}: {value} missing, negative or not a number{where}: {found}", "correct it", file=file)
        raise InputError(replace(problem, rows=int(wrong.sum())))
    if table.duplicated(variables or None).any() or (not variables and len(table) > 1):
        twice = "*".join(map(str, table.loc[table.duplicated(variables or None), variables].iloc[0])) if variables else iso3
        raise InputError(Problem(f"{iso3}: category {twice} appears twice", "keep one of them", file=file))
    problems = [
        Problem(f"{iso3}: {name} has no code {code}", f"codes: {', '.join(codes[name])}", file=file, variable=name, code=code)
        for name in variables
        if name in codes
        for code in sorted(set(table[name]) - set(codes[name]))
    ]
    given = set(table[variables].itertuples(index=False, name=None)) if variables else set()
    crossing = product(*(sorted(table[name].unique()) for name in variables)) if variables else ()
    for cell in (cell for cell in crossing if cell not in given):
        what = f"{iso3}: there is no row for {'*'.join(cell)}"
        problems.append(Problem(what, "add it, with 0 if there is nobody", file=file, variable=margin.margin))
    if margin.measure != "mean" and not table["total"].sum() > 0:
        problems.append(Problem(f"{iso3}: every {value} is 0", "correct it", file=file, variable=margin.margin))
    if problems:
        raise InputError(problems)
    return table


def countries(folder: Path, margin: Margin) -> list[str]:
    """Countries that the margin has rows for. Raises InputError."""
    frame = _read(folder, margin.file)
    return sorted(frame["iso3"].dropna().unique()) if "iso3" in frame else []


def _read(folder: Path, name: str) -> pd.DataFrame:
    path, file = folder / name, f"benchmarks/{folder.name}/{name}"
    if path.resolve().parent != folder.resolve() or not path.is_file():
        raise InputError(Problem("there is no such file in the benchmark's folder", "add it", file=file))
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False)  # a code may read NA, or 01
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(
            Problem(f"cannot be read as CSV: {str(error).splitlines()[0]}", "save it as UTF-8 CSV", file=file)
        ) from None
