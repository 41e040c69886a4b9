"""How often a 95 % interval holds the truth, over repeated samples from populations whose every figure is known.

Belongs here: repeated sampling through the library's own weighting and estimation, summed up, and the page docs/coverage.md.
Not here: the designs (``coverage_designs``), what the page says (``coverage_page``), assertions (``test_interval_coverage``).

    python -m tests.simulation.coverage           # writes docs/coverage.md and docs/images/coverage.png; some minutes
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from rga.survey import Design, LonelyPsu, Quantile, aggregate, calibrate, estimates_and_gaps, joint_categories, tabulate
from rga.survey.intervals import t_quantile
from rga.survey.statistics import Statistic
from tests.simulation import rare_domains
from tests.simulation.coverage_designs import DESIGNS, RATIO_OF_SHARES, Quantity, SampleDesign
from tests.simulation.coverage_page import page, picture, save, with_reasons
from tests.simulation.known_population import MARGINS

ROOT = Path(__file__).resolve().parents[2]
DRAWS, BATCH = 1_000, 100
COLUMNS = ["value", "se", "ci_low", "ci_high", "n", "df"]


def tables(
    connection: duckdb.DuckDBPyConnection, statistics: Sequence[Statistic], crossings: Sequence[tuple[str, ...]], lonely: LonelyPsu
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Estimates and gaps of every sample in table `sample`, as `rga build` makes them."""
    sums = aggregate(connection, "sample", statistics, crossings, replace(_design(connection), fpc="fpc"))
    return estimates_and_gaps(sums, crossings, lonely)


def _design(connection: duckdb.DuckDBPyConnection) -> Design:
    """Of the samples in table `sample`, which has `base_weight` and, of raked ones, their categories under the margins' names."""
    raked = all(name in {column for column, *_ in connection.execute("DESCRIBE sample").fetchall()} for name in MARGINS)
    design = Design(weight="weight", stratum="stratum", psu="psu")
    return replace(design, base_weight="base_weight", margins=tuple(MARGINS)) if raked else design


def repeat(design: SampleDesign, draws: int = DRAWS) -> pd.DataFrame:
    """``draws`` samples: a row per draw and quantity, with `quantity` (its place), draw, value, se, limits, n and df.

    n is that of the smaller side of a gap, se unknown for a ratio of women and men; `psus`, of a rare domain, the PSUs in which its
    people are. A quantity that a sample says nothing of has no row.
    """
    population, rng = design.population(), np.random.default_rng(design.seed)
    margins = {name: joint_categories(population, variables) for name, variables in MARGINS.items()} if design.raked else {}
    targets = {name: known.value_counts().astype(float).to_dict() for name, known in margins.items()}
    found = []
    with duckdb.connect() as connection:
        connection.register("frame", population.drop(columns=["stratum", "psu"], errors="ignore").assign(**margins))
        connection.execute("CREATE TABLE people AS SELECT row_number() OVER () - 1 AS row, * FROM frame").fetchall()
        categories = pd.DataFrame(margins)
        for start in range(0, draws, BATCH):
            batch = [
                _weighted(design, population, categories, targets, draw, rng) for draw in range(start, min(start + BATCH, draws))
            ]
            connection.register("drawn", pd.concat(batch, ignore_index=True))
            connection.execute("CREATE OR REPLACE TABLE sample AS SELECT * FROM drawn JOIN people USING (row)").fetchall()
            found.append(_results(connection, design))
    return pd.concat(found, ignore_index=True)


def _weighted(
    design: SampleDesign, population: pd.DataFrame, categories: pd.DataFrame, targets: dict[str, dict[str, float]], draw: int,
    rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    sampled = design.draw(population, rng)
    weight = sampled.base_weight
    if design.raked:
        weight = calibrate(categories.iloc[sampled.row], weight, targets).weights
    columns = {name: getattr(sampled, name) for name in ("stratum", "psu", "fpc")}
    frame = pd.DataFrame({"survey_id": f"{draw:04d}", "row": sampled.row, "base_weight": sampled.base_weight, "weight": weight})
    return frame.assign(
        **{name: np.full(len(frame), np.nan) if found is None else found for name, found in columns.items()}
    ).astype({"stratum": "Int64", "psu": "Int64"})


def _results(connection: duckdb.DuckDBPyConnection, design: SampleDesign) -> pd.DataFrame:
    summed = [q for q in design.quantities if not isinstance(q.statistic, Quantile)]
    statistics = list(dict.fromkeys(q.statistic for q in summed))
    crossings = list(dict.fromkeys([(), *(q.breakdown for q in summed)]))
    estimates, gaps = tables(connection, statistics, crossings, design.lonely_psu)
    parts = []
    for place, quantity in enumerate(design.quantities):
        if isinstance(quantity.statistic, Quantile):
            rows = _quantiles(connection, quantity.statistic)
        else:
            rows = _rows(gaps if quantity.contrast else estimates, quantity)
        parts.append(rows[["survey_id", *COLUMNS]].assign(quantity=place, domain=quantity.domain.get("domain")))
    found = pd.concat(parts, ignore_index=True)
    if found["domain"].notna().any():
        query = "SELECT survey_id, domain, count(DISTINCT (stratum, psu)) AS psus FROM sample GROUP BY ALL"
        found = found.merge(connection.execute(query).df(), on=["survey_id", "domain"], how="left")
    return found.drop(columns="domain").rename(columns={"survey_id": "draw"})


def _rows(table: pd.DataFrame, quantity: Quantity) -> pd.DataFrame:
    """The rows of one quantity, one per sample, under the names of ``COLUMNS``."""
    here = (table["indicator"] == quantity.statistic.code) & (table["breakdown"] == ("*".join(quantity.breakdown) or "total"))
    here &= table["statistic"] == type(quantity.statistic).__name__.lower()
    for name, category in quantity.domain.items():
        here &= table[name] == category
    rows = table[here]
    if quantity.contrast:
        rows = rows.assign(n=rows[["n_women", "n_men"]].min(axis=1), value=rows["gap"])
    if quantity.contrast == RATIO_OF_SHARES:
        rows = rows.assign(value=rows["ratio"], ci_low=rows["ratio_low"], ci_high=rows["ratio_high"], se=np.nan)
    return rows


def _quantiles(connection: duckdb.DuckDBPyConnection, statistic: Quantile) -> pd.DataFrame:
    """Sums give no quantiles: a pass of its own over each sample."""
    design = _design(connection)
    margins = [f'"{name}"' for name in design.margins]
    columns = ", ".join(["survey_id, weight, base_weight, stratum, psu", statistic.value, *margins])
    samples = connection.execute(f"SELECT {columns} FROM sample ORDER BY survey_id, row, weight").df().groupby("survey_id")
    parts = [tabulate(sample, design, [statistic]).assign(survey_id=str(key)) for key, sample in samples]
    return pd.concat(parts, ignore_index=True)


def summary(design: SampleDesign, found: pd.DataFrame) -> pd.DataFrame:
    """A row per quantity, in the design's order.

    truth; `bias`, of the mean estimate, in standard deviations of the estimate; `se_ratio`, the mean standard error over that
    standard deviation; `coverage`, the per cent of intervals that hold the truth, of those that are defined; `undefined`, the per
    cent of samples without one; `margin`, 1.96 Monte Carlo standard errors of the coverage, in points.
    """
    population, draws = design.population(), found["draw"].nunique()
    rows = []
    for place, quantity in enumerate(design.quantities):
        some, truth = found[found["quantity"] == place], quantity.truth(population)
        value, se, low, high = (some[name].to_numpy() for name in ("value", "se", "ci_low", "ci_high"))
        shown = truth
        if quantity.contrast == RATIO_OF_SHARES:
            truth, value, low, high = (np.log(x) for x in (truth, value, low, high))
            se = (high - low) / (2 * t_quantile(some["df"].to_numpy()))
        covered, known = (low <= truth) & (truth <= high), ~np.isnan(low)
        spread, share = float(np.nanstd(value, ddof=1)), float(covered[known].mean())
        rows.append(
            {
                "design": design.key, "quantity": quantity.label, "percent": quantity.percent, "truth": shown,
                "bias": (float(np.nanmean(value)) - truth) / spread,
                "se_ratio": float(np.nanmean(se)) / spread if np.isfinite(se).any() else np.nan,
                "coverage": 100 * share, "undefined": 100 * (1 - known.sum() / draws),
                "margin": 196 * np.sqrt(max(share * (1 - share), 0.5 / draws) / known.sum()),
                "df": float(some["df"].median()), "draws": draws,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def run(draws: int = DRAWS) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Everything the page is made of: `summary` of every design but those of rare domains, theirs (`rare_domains.summary`), and
    what arithmetic says of the latter; as many designs at a time as there are cores."""
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        expected = pool.map(_arithmetic, ["C1", "C2"])
        found = list(pool.map(_one, [design.key for design in DESIGNS], [draws] * len(DESIGNS)))
        arithmetic = pd.concat(list(expected), ignore_index=True)
    kinds = [pd.concat([t for t, d in zip(found, DESIGNS, strict=True) if (d.key[0] == "C") is rare]) for rare in (False, True)]
    return kinds[0].reset_index(drop=True), kinds[1].reset_index(drop=True), arithmetic


def _one(key: str, draws: int) -> pd.DataFrame:
    design = next(d for d in DESIGNS if d.key == key)
    found = repeat(design, draws)
    return rare_domains.summary(design, found, draws) if design.key[0] == "C" else summary(design, found)


def _arithmetic(key: str) -> pd.DataFrame:
    """Of design ``key``: who is in the sample, by weight, is what the chances of being drawn make of the population."""
    design = next(d for d in DESIGNS if d.key == key)
    sampled = design.draw(design.population(), np.random.default_rng(0)).base_weight
    chance = design.population()["operator_chance"].to_numpy() if len(np.unique(sampled)) > 1 else np.ones(1)
    values, counts = np.unique(chance, return_counts=True)
    shares = values * counts / (values * counts).sum()
    return rare_domains.by_arithmetic({1 / float(v): float(s) for v, s in zip(values, shares, strict=True)}).assign(design=key)


def main() -> None:
    surveys, domains, arithmetic = run()
    surveys, domains = with_reasons(surveys, domains, arithmetic)
    (ROOT / "docs" / "coverage.md").write_text(page(surveys, domains, arithmetic, DRAWS), encoding="utf-8")
    save(picture(surveys, domains), ROOT / "docs" / "images" / "coverage.png")


if __name__ == "__main__":
    main()
