"""Draw each simulated survey many times and hold its estimates against the truth: what each step of weighting repairs, and what
no step does.

Belongs here: repeated sampling through the product's own weighting and estimation. Not here: the page made of it (``page``),
assertions (``test_repeated_draws``).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from rga.microdata.catalogue import Catalogue
from rga.microdata.data_root import DataRoot
from rga.simulate.programme import PROGRAMME, Survey
from rga.simulate.sampling import answers, draw, recorded
from rga.simulate.simulate import earlier_round, invitations_of, population_of, rates_of, rng_of, with_derived
from rga.survey import SUPPRESS_BELOW, Share, aggregate, estimates_and_gaps
from rga.survey.aggregation import STAGED
from tests.simulation.weighing import STEPS, weights_by_step

ROOT = Path(__file__).resolve().parents[2]
DRAWS, BATCH = 200, 25
GAP = "F-M"
FEW = 5
TOLD = ["age", "job_before", "mental_health"]  # of the first round of a panel, besides what draws need
NEEDED = [
    "sex", "age_group", "education", "residence", "region", "area", "frailty", "person", "phones", "adults", "listed", "operator",
    "other_operator", *TOLD,
]  # fmt: skip


@dataclass(frozen=True)
class Repeated:
    """Many draws of one survey.

    ``results`` has a row per indicator and sex (`_T`, `F`, `M`, and the gap `F-M`): `truth`, the mean estimate (per cent) after
    each of ``steps`` and as published (`weighted`), their Monte Carlo standard errors (`noise_weighted`, ...), `covered` (share of
    95 % intervals that hold the truth), `draws`. ``steps`` are those of ``STEPS`` that the survey's chain has.
    """

    survey: Survey
    results: pd.DataFrame
    steps: list[str]

    def bias(self, step: str) -> float:
        """Root mean square over estimates, percentage points, less what the finite number of draws explains."""
        bias = self.results[step] - self.results["truth"]
        return float(np.sqrt(max(0.0, float((bias**2 - self.results[f"noise_{step}"] ** 2).mean()))))

    @property
    def bias_unweighted(self) -> float:
        return self.bias("unweighted")

    @property
    def bias_weighted(self) -> float:
        return self.bias("weighted")

    @property
    def rare(self) -> pd.Series:
        """Which results rest on fewer than ``FEW`` respondents of the rarer answer, counted as a simple random sample of the same
        precision would have them; a gap does where a sex does. No interval for shares is good then."""
        share, variance = self.results["truth"] / 100, (self.results["noise_weighted"] / 100) ** 2 * self.results["draws"]
        few = np.minimum(share, 1 - share) * share * (1 - share) / variance < FEW
        of_a_sex = few.groupby(self.results["indicator"]).transform("any")
        return few.where(self.results["sex"] != GAP, of_a_sex)

    @property
    def coverage(self) -> float:
        """Per cent of intervals that hold the truth."""
        return 100 * float(self.results["covered"].mean())


def repeat(survey: Survey, draws: int = DRAWS) -> Repeated:
    """``draws`` samples of ``survey``'s population, weighted and estimated as `rga build` does."""
    root, rng = DataRoot(ROOT / "raw_data"), rng_of(survey, 3)
    everything = population_of(survey, root.path)
    true, told = (answers_of(people, root.catalogue()) for people in (everything, with_item_nonresponse(everything, rng)))
    people = _needed(everything).assign(row=np.arange(len(everything)))
    before, rates = earlier_round(survey), rates_of(invitations_of(survey, root.path))
    people_before = _needed(population_of(before, root.path)) if before else None
    yes, asked = (told == True).to_numpy(np.float32, na_value=0), told.notna().to_numpy(np.float32)  # noqa: E712

    def one(number: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        earlier = None
        if before is not None and people_before is not None:
            first = draw(people_before, before, rng, rates)
            earlier = recorded(answers(first, ["education", "residence", *TOLD], rng))
        drawn = draw(people, survey, rng, rates, earlier)
        sample = weights_by_step(root, survey, drawn, f"{number:04d}", rng)
        rows = sample["row"].to_numpy()
        return sample, _points(sample, yes[rows], asked[rows], list(told))

    with duckdb.connect() as connection:
        connection.register("frame", told.assign(row=people["row"]))
        connection.execute("CREATE TABLE answers AS SELECT * FROM frame").fetchall()
        found = []
        for start in range(0, draws, BATCH):
            samples, points = zip(*map(one, range(start, min(start + BATCH, draws))), strict=True)
            estimates = _estimates(connection, pd.concat(samples, ignore_index=True), list(told))
            found.append(estimates.merge(pd.concat(points), on=["survey_id", "indicator", "sex"]))
    estimates = pd.concat(found)
    steps = [step for step in STEPS if step in estimates]
    return Repeated(survey, _summary(estimates, truth_of(true, people["sex"]), [*steps, "weighted"]), steps)


def _needed(people: pd.DataFrame) -> pd.DataFrame:
    return people[people.columns.intersection(NEEDED)]


def with_item_nonresponse(people: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """``people`` without the answers that each of them would not give if asked; who they are is known."""
    known = {*NEEDED, "marital_status", "n_children"} - {"job_before", "mental_health"}
    said = answers(people, [str(name) for name in people if name not in known], rng)
    silent = {name: said[name].isin(["!dont_know", "!refused"]) for name in said if name not in known}
    return people.assign(**{str(name): people[name].mask(missing) for name, missing in silent.items()})


def answers_of(people: pd.DataFrame, catalogue: Catalogue) -> pd.DataFrame:
    """People x indicators that they can answer: true, false, or missing for who is not in the base."""
    complete = with_derived(people, catalogue)
    items = {code: item for code, item in catalogue.indicators.items() if catalogue.uses(code) <= set(complete.columns)}
    columns = [f"CASE WHEN ({item.universe}) THEN ({item.numerator}) END AS {code}" for code, item in items.items()]
    with duckdb.connect() as connection:
        connection.register("people", complete)
        return connection.execute(f"SELECT {', '.join(columns)} FROM people").df().astype("boolean")


def truth_of(answers: pd.DataFrame, sex: pd.Series) -> pd.DataFrame:
    """Share, per cent, of every indicator: indicator, sex, truth."""
    numbers = answers.astype("Float64") * 100
    groups = {"_T": numbers, "F": numbers[sex == "F"], "M": numbers[sex == "M"]}
    table = pd.DataFrame({name: frame.mean().astype(float) for name, frame in groups.items()}).rename_axis("indicator")
    table[GAP] = table["F"] - table["M"]
    return table.reset_index().melt("indicator", var_name="sex", value_name="truth")


def _points(sample: pd.DataFrame, yes: np.ndarray, asked: np.ndarray, codes: list[str]) -> pd.DataFrame:
    """Shares (0 to 1) of one sample after each step, by indicator and sex; ``yes`` and ``asked`` are its rows'."""
    sex = sample["sex"].to_numpy(dtype=object, na_value="")
    columns = {}
    for step in sample.columns.intersection(STEPS):
        weight = sample[step].to_numpy(np.float32)
        shares = {}
        for group in ("_T", "F", "M"):
            w = weight if group == "_T" else weight * (sex == group)
            shares[group] = np.divide(w @ yes, w @ asked, out=np.full(len(codes), np.nan, np.float32), where=w @ asked > 0)
        shares[GAP] = shares["F"] - shares["M"]
        columns[step] = pd.DataFrame(shares, index=pd.Index(codes, name="indicator")).stack()
    points = pd.DataFrame(columns).rename_axis(["indicator", "sex"]).reset_index()
    return points.assign(survey_id=sample["survey_id"].iloc[0])


def _estimates(connection: duckdb.DuckDBPyConnection, drawn: pd.DataFrame, codes: list[str]) -> pd.DataFrame:
    """Per draw, indicator and sex: the weighted estimate with its interval, shares 0 to 1."""
    connection.register("drawn", drawn)
    connection.execute("CREATE OR REPLACE TABLE sample AS SELECT * FROM drawn JOIN answers USING (row)").fetchall()
    margins = sorted(str(name) for name in drawn if str(name).startswith("margin_"))
    design = replace(STAGED, base_weight="weight_before_calibration", margins=tuple(margins))
    statistics, breakdowns = [Share(code, "TRUE", code) for code in codes], [(), ("sex",)]
    shares, gaps = estimates_and_gaps(aggregate(connection, "sample", statistics, breakdowns, design), breakdowns)
    gaps = gaps.assign(sex=GAP).rename(columns={"gap": "value"})
    gaps["n"] = gaps[["n_women", "n_men"]].min(axis=1)
    columns = ["survey_id", "indicator", "sex", "value", "se", "ci_low", "ci_high", "n"]
    found = pd.concat([shares[columns], gaps[columns]], ignore_index=True)
    return found.rename(columns={"value": "weighted"})


def _summary(found: pd.DataFrame, truth: pd.DataFrame, told: list[str]) -> pd.DataFrame:
    found = found[(found["n"] >= SUPPRESS_BELOW) & found["se"].notna()].merge(truth, on=["indicator", "sex"])
    found = found.assign(**{name: 100 * found[name] for name in [*told, "ci_low", "ci_high"]})
    found["covered"] = found["truth"].between(found["ci_low"], found["ci_high"])
    groups = found.groupby(["indicator", "sex"])
    summary = groups.agg(truth=("truth", "first"), covered=("covered", "mean"), draws=("weighted", "size"))
    noise = groups[told].std().div(np.sqrt(summary["draws"]), axis=0).add_prefix("noise_")
    return pd.concat([summary, groups[told].mean(), noise], axis=1).reset_index()


def repeat_all(surveys: Sequence[Survey] = PROGRAMME, draws: int = DRAWS) -> list[Repeated]:
    """All of ``surveys``, as many at a time as there are cores."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # threads of several processes for small matrices cost ten times what they bring
    with ProcessPoolExecutor(max_workers=os.cpu_count(), mp_context=get_context("spawn")) as pool:
        return list(pool.map(repeat, surveys, [draws] * len(surveys)))
