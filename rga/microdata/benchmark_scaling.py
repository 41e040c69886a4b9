"""Margins of several sources brought to one population, and by how much they disagreed.

Belongs here: shares into counts, one total, shared variables made equal. Not here: reading tables (``benchmarks``), weights.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.benchmarks import Margin, Source, load_source, read_margin

SHARE_TOLERANCE = 1.0  # percentage points by which published shares, each rounded, may miss 100
AGREEMENT = 1e-9  # relative: tables that agree to this are left as they are
ROUNDED = 0.25  # percentage points by which a few shares of one decimal each miss 100 at most
WORTH_SAYING = 0.05  # percentage points, or per cent of the total: less is rounding of published figures
MOST_CYCLES = 2_000


@dataclass(frozen=True)
class FittedMargin:
    """A margin in persons of the one population: ``table`` has its variables and `total`.

    ``published`` is its own total where it is in counts, ``factor`` what brought that to the population; ``conflict`` the largest
    change (percentage points) of the share of a category of variables that it has in common with the margin named ``against``.
    ``shares``: what shares add up to, that which is furthest from 100.
    """

    margin: Margin
    table: pd.DataFrame
    published: float | None = None
    factor: float = 1.0
    conflict: float = 0.0
    against: str = ""
    shares: float = 100.0

    def report(self) -> list[str]:
        """The disagreement in words, if it is worth saying."""
        notes = []
        if self.published and abs(self.factor - 1) > WORTH_SAYING / 100:
            notes.append(f"{self.margin.margin}: {self.published:,.0f} people as published, scaled by {self.factor:.4f}")
        if abs(self.shares - 100) > ROUNDED:
            notes.append(f"{self.margin.margin}: shares add up to {self.shares:.1f}, scaled to 100")
        if self.conflict > WORTH_SAYING:
            notes.append(f"{self.margin.margin}: shares moved by up to {self.conflict:.1f} points to agree with {self.against}")
        return notes


@dataclass(frozen=True)
class Benchmark:
    """``margins`` of one ``population`` (persons), ``totals`` of numbers over it, and what there is to report; ``published`` says
    where each margin and number comes from."""

    population: float
    source: Source
    margins: dict[str, FittedMargin]
    totals: dict[str, float]
    notes: list[str]
    published: dict[str, Margin]


def benchmark(
    folder: Path,
    iso3: str,
    wanted: Sequence[str],
    numbers: Sequence[str] = (),
    codes: Mapping[str, Collection[str]] | None = None,
) -> Benchmark:
    """Margins ``wanted`` of country ``iso3`` and totals of ``numbers``, all of one population.

    That population is the first margin in counts of source.yaml. A margin that the benchmark has only crossed with more variables
    is summed over these. Each wanted margin is brought to the population, and to the wanted ones before it, on the variables they
    share, by iterative proportional fitting of its table (Deming and Stephan 1940): margins that share a variable cannot then
    contradict each other on it. Raises InputError naming the margin, the country and what is missing, negative, repeated or
    unknown (``codes`` by variable).
    """
    source = load_source(folder)
    known = {margin.margin: margin for margin in source.margins}
    known |= {name: finer for name in wanted if name not in known and (finer := _finer(source, name))}
    for name in (*wanted, *numbers):
        if name not in known or (known[name].measure == "mean") != (name in numbers):
            has = ", ".join(m.margin for m in source.margins if (m.measure == "mean") == (name in numbers)) or "none"
            what = f"benchmark `{folder.name}` has no {'mean of' if name in numbers else 'margin'} `{name}`"
            raise InputError(Problem(what, f"it has: {has}", file="survey.yaml", variable="weighting"))
    codes = codes or {}
    table = read_margin(folder, source.reference, iso3, codes)
    population = float(table["total"].sum())
    reference = FittedMargin(source.reference, table, population)
    fitted: dict[str, FittedMargin] = {}
    for name in wanted:
        before = {reference.margin.margin: reference, **fitted}
        fitted[name] = before.get(name) or _fitted(folder, known[name], iso3, codes, before)
        if (variables := name.split("*")) != known[name].variables:  # summed over the variables that were not asked for
            table = fitted[name].table.groupby(variables, sort=False)["total"].sum().reset_index()
            fitted[name] = replace(fitted[name], table=table, margin=known[name].model_copy(update={"margin": name}))
    totals = {name: population * float(read_margin(folder, known[name], iso3, codes)["total"].iloc[0]) for name in numbers}
    notes = [note for margin in fitted.values() for note in margin.report()]
    concepts = {known[name].concept or source.concept or "not stated" for name in wanted}
    if len(concepts) > 1:
        notes.append(f"margins count different people: {' and '.join(sorted(concepts))}")
    return Benchmark(population, source, fitted, totals, notes, {name: known[name] for name in (*wanted, *numbers)})


def _finer(source: Source, name: str) -> Margin | None:
    """The first margin that has all variables of ``name``, and more or in another order."""
    wanted = set(name.split("*"))
    return next((m for m in source.margins if m.measure != "mean" and wanted <= set(m.variables)), None)


def country_margins(folder: Path, iso3: str, wanted: list[str]) -> dict[str, pd.DataFrame]:
    """Population counts of ``iso3`` for each wanted margin: its variables' columns and ``total`` (persons), as `benchmark`."""
    return {name: margin.table for name, margin in benchmark(folder, iso3, wanted).margins.items()}


def _fitted(
    folder: Path, margin: Margin, iso3: str, codes: Mapping[str, Collection[str]], before: Mapping[str, FittedMargin]
) -> FittedMargin:
    file, table = f"benchmarks/{folder.name}/{margin.file}", read_margin(folder, margin, iso3, codes)
    published = float(table["total"].sum()) if margin.measure == "count" else None
    shares = 100.0
    if margin.measure in ("share", "share_within"):
        sums = _shares(table, margin)
        shares = float(sums.iloc[(sums - 100).abs().argmax()])
        table = _counts(table, margin, iso3, file, before)
    elif published:
        reference = next(iter(before.values()))
        table["total"] *= float(reference.table["total"].sum()) / published
    start = table["total"].copy()
    scaled, conflict, against = table, 0.0, ""
    for _ in range(MOST_CYCLES):
        worst = 0.0
        for other in before.values():
            scaled, off = _agreeing(scaled, margin, other, iso3, file)
            worst = max(worst, off)
        if worst < AGREEMENT:
            break
    else:
        what = f"{iso3}: {margin.margin} cannot be brought to agree with {', '.join(before)}"
        raise InputError(Problem(what, "take the margins from sources that agree, or use fewer", file=file))
    for name, other in before.items():
        shared = [v for v in margin.variables if v in other.margin.variables]
        moved = _by(table.assign(total=start), shared) - _by(scaled, shared)
        if shared and (points := 100 * float(moved.abs().max() / start.sum())) > conflict:
            conflict, against = points, name
    factor = float(scaled["total"].sum()) / published if published else 1.0
    return FittedMargin(margin, scaled, published, factor, conflict, against, shares)


def _by(table: pd.DataFrame, variables: list[str]) -> pd.Series:
    return table.groupby(variables)["total"].sum() if variables else pd.Series([table["total"].sum()])


def _counts(table: pd.DataFrame, margin: Margin, iso3: str, file: str, before: Mapping[str, FittedMargin]) -> pd.DataFrame:
    """Shares into persons: of the whole, or of the people in each category of ``within`` in the first margin that has it."""
    within = margin.within
    sums = _shares(table, margin)
    if ((sums - 100).abs() > SHARE_TOLERANCE).any():
        worst = sums.iloc[(sums - 100).abs().argmax()]
        raise InputError(Problem(f"{iso3}: shares add up to {worst:.1f}, not 100", "correct the shares", file=file))
    base = next((m for m in before.values() if set(within) <= set(m.margin.variables)), None)
    if base is None:
        what, where = f"shares of {margin.margin} are within {'*'.join(within)}, which no margin before has", "source.yaml"
        raise InputError(Problem(what, "add a margin of counts that has it", file=f"{file.rsplit('/', 1)[0]}/{where}"))
    if not within:
        return table.assign(total=table["total"] / sums * float(base.table["total"].sum()))
    people = base.table.groupby(within)["total"].sum().rename("people").reset_index()
    merged = table.merge(people, on=within, how="left")
    if (lost := merged["people"].isna()).any():
        code = "*".join(map(str, merged.loc[lost, within].iloc[0]))
        what = f"{iso3}: category {code} is not in margin {base.margin.margin}"
        raise InputError(Problem(what, "use the same categories in both", file=file))
    merged["total"] = merged["total"] / sums * merged["people"]
    return merged.drop(columns="people")


def _shares(table: pd.DataFrame, margin: Margin) -> pd.Series:
    """What the shares of each row's whole add up to."""
    if not margin.within:
        return pd.Series(table["total"].sum(), table.index)
    return table.groupby(margin.within)["total"].transform("sum")


def _agreeing(table: pd.DataFrame, margin: Margin, other: FittedMargin, iso3: str, file: str) -> tuple[pd.DataFrame, float]:
    """``table`` scaled to ``other`` on the variables they share (none: on the total), and how far off it was, relative."""
    shared = [name for name in margin.variables if name in other.margin.variables]
    wanted, given = _by(other.table, shared), _by(table, shared)
    if one_sided := sorted(set(map(_code, wanted.index)) ^ set(map(_code, given.index))):
        what = f"{iso3}: category {one_sided[0]} is only in one of the margins {margin.margin} and {other.margin.margin}"
        raise InputError(Problem(what, "use the same categories in both", file=file, variable="*".join(shared)))
    if (empty := (given == 0) & (wanted > 0)).any():
        what = f"{iso3}: nobody in category {_code(empty.idxmax())}, in which {other.margin.margin} has some"
        raise InputError(Problem(what, "correct one of them", file=file, variable="*".join(shared)))
    ratio = (wanted / given.where(given > 0, 1)).where(given > 0, 1.0)
    off = float((ratio - 1).abs().max())
    if off < AGREEMENT:
        return table, off
    if not shared:
        return table.assign(total=table["total"] * float(ratio.iloc[0])), off
    factor = table[shared].merge(ratio.rename("ratio").reset_index(), on=shared, how="left")["ratio"]
    return table.assign(total=table["total"] * factor.to_numpy()), off


def _code(label: object) -> str:
    return "*".join(map(str, label)) if isinstance(label, tuple) else str(label)
