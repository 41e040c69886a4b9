"""Who the population is: margins of a country's adults, from `benchmarks/<name>/`.

Belongs here: reading and checking margins as published. Not here: fitting weights to them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.yaml_file import StrictModel, load_yaml

SHARE_TOLERANCE = 1.0  # percentage points by which published shares, each rounded, may miss 100


class Margin(StrictModel):
    """One table of margins and its source. ``share_within`` gives per cent within each category of ``within``."""

    margin: str
    file: str
    measure: Literal["count", "share_within"]
    within: list[str] = []
    producer: str
    licence: str
    citation: str


class Source(StrictModel):
    title: str
    population: str
    year: int
    margins: list[Margin]


def load_source(folder: Path) -> Source:
    """Read ``folder``/source.yaml. Raises InputError."""
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in folder.parent.glob("*/"))) or "none"
        what, remedy = f"there is no benchmark `{folder.name}`", f"correct it; benchmarks/ has: {known}"
        raise InputError(Problem(what, remedy, file="survey.yaml", variable="population.benchmark"))
    return load_yaml(folder / "source.yaml", Source, f"benchmarks/{folder.name}/source.yaml")


def country_margins(folder: Path, iso3: str, wanted: list[str]) -> dict[str, pd.DataFrame]:
    """Population counts of ``iso3`` for each wanted margin: its variables' columns and ``total`` (persons).

    Shares within a variable are turned into counts with the totals of the first count margin that has it.
    Raises InputError naming the margin, the country and what is missing, negative or repeated.
    """
    source = load_source(folder)
    known = {margin.margin: margin for margin in source.margins}
    for name in wanted:
        if name not in known:
            raise InputError(
                Problem(
                    f"benchmark `{folder.name}` has no margin `{name}`",
                    f"it has: {', '.join(known)}",
                    file="survey.yaml",
                    variable="weighting",
                )
            )
    counts = {m.margin: _table(folder, m, iso3) for m in source.margins if m.measure == "count"}
    tables: dict[str, pd.DataFrame] = {}
    for name in wanted:
        margin = known[name]
        tables[name] = counts[name] if name in counts else _scaled(folder, margin, iso3, counts)
    return tables


def _table(folder: Path, margin: Margin, iso3: str) -> pd.DataFrame:
    file = f"benchmarks/{folder.name}/{margin.file}"
    path = folder / margin.file
    if path.resolve().parent != folder.resolve() or not path.is_file():
        raise InputError(Problem("there is no such file in the benchmark's folder", "add it", file=file))
    try:
        frame = pd.read_csv(path, dtype={"iso3": str})
    except (ValueError, UnicodeDecodeError) as error:
        raise InputError(
            Problem(f"cannot be read as CSV: {str(error).splitlines()[0]}", "save it as UTF-8 CSV", file=file)
        ) from None
    variables, value = margin.margin.split("*"), "population" if margin.measure == "count" else "share"
    if absent := [name for name in ["iso3", *variables, value] if name not in frame]:
        raise InputError(Problem(f"lacks the column {absent[0]}", "add it", file=file))
    table = frame.loc[frame.iso3 == iso3, [*variables, value]].rename(columns={value: "total"}).reset_index(drop=True)
    if table.empty:
        raise InputError(Problem(f"has no rows for {iso3}", "add the country or name another benchmark", file=file))
    if table["total"].isna().any() or not pd.api.types.is_numeric_dtype(table["total"]) or (table["total"] < 0).any():
        raise InputError(Problem(f"{iso3}: {value} missing, negative or not a number", "correct it", file=file))
    if table.duplicated(variables).any():
        twice = "*".join(map(str, table.loc[table.duplicated(variables), variables].iloc[0]))
        raise InputError(Problem(f"{iso3}: category {twice} appears twice", "keep one of them", file=file))
    return table


def _scaled(folder: Path, margin: Margin, iso3: str, counts: dict[str, pd.DataFrame]) -> pd.DataFrame:
    table = _table(folder, margin, iso3)
    base = next((t for t in counts.values() if set(margin.within) <= set(t.columns)), None)
    if base is None or not margin.within:
        raise InputError(
            Problem(
                f"shares of {margin.margin} need `within` and a count margin that has it",
                "add the margin of counts",
                file=f"benchmarks/{folder.name}/source.yaml",
            )
        )
    sums = table.groupby(margin.within)["total"].transform("sum")
    if ((sums - 100).abs() > SHARE_TOLERANCE).any():
        raise InputError(
            Problem(
                f"{iso3}: shares add up to {sums.iloc[(sums - 100).abs().argmax()]:.1f}, not 100",
                "correct the shares",
                file=f"benchmarks/{folder.name}/{margin.file}",
            )
        )
    people = base.groupby(margin.within)["total"].sum().rename("people").reset_index()
    merged = table.merge(people, on=margin.within, how="left")
    merged["total"] = merged["total"] / sums * merged["people"]
    return merged.drop(columns="people")
