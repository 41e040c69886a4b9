"""Draw each simulated survey many times and hold its estimates against the truth: what weighting repairs, and what it does not.

Belongs here: repeated sampling through the product's own weighting and estimation, and the page docs/simulation.md made of it.
Not here: assertions (``test_repeated_draws``).

    python -m tests.simulation.repeated_draws      # writes docs/simulation.md
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from assets.weights import weigh
from rga.microdata.catalogue import Catalogue
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import Respondents
from rga.simulate.programme import PROGRAMME, Survey
from rga.simulate.sampling import OTHER_SEX, answers, draw
from rga.simulate.simulate import earlier_round, population_of, rng_of, with_derived
from rga.survey import SUPPRESS_BELOW, Share, aggregate, estimate, gender_gaps

ROOT = Path(__file__).resolve().parents[2]
DRAWS, BATCH = 200, 25
MISSING_ON_MARGIN = 0.03
GAP = "F-M"
HEADLINE = ("UDW_INC_ANY", "HLT_MENTAL")
NEEDED = ["sex", "age_group", "education", "residence", "region", "area", "frailty", "person"]  # to draw and weigh


@dataclass(frozen=True)
class Repeated:
    """Many draws of one survey.

    ``results`` has a row per indicator and sex (`_T`, `F`, `M`, and the gap `F-M`): `truth`, mean `unweighted` and `weighted`
    estimate (per cent), `noise` (Monte Carlo standard error of the weighted mean), `covered` (share of 95 % intervals that hold
    the truth), `draws`.
    """

    survey: Survey
    results: pd.DataFrame

    @property
    def bias_unweighted(self) -> float:
        """Root mean square over estimates, percentage points, less what the finite number of draws explains."""
        return self._rms("unweighted")

    @property
    def bias_weighted(self) -> float:
        return self._rms("weighted")

    def _rms(self, estimate: str) -> float:
        bias = self.results[estimate] - self.results["truth"]
        return float(np.sqrt(max(0.0, float((bias**2 - self.results["noise"] ** 2).mean()))))

    @property
    def coverage(self) -> float:
        """Per cent of intervals that hold the truth."""
        return 100 * float(self.results["covered"].mean())


def repeat(survey: Survey, draws: int = DRAWS) -> Repeated:
    """``draws`` samples of ``survey``'s population, weighted and estimated as `rga build` does."""
    root, rng, before = DataRoot(ROOT / "raw_data"), rng_of(survey, 3), earlier_round(survey)
    everything = population_of(survey, root.path)
    true, answers = (answers_of(people, root.catalogue()) for people in (everything, with_item_nonresponse(everything, rng)))
    people = everything[NEEDED].assign(row=np.arange(len(everything)))
    people_before = population_of(before, root.path)[NEEDED] if before else None

    def one(number: int) -> pd.DataFrame:
        earlier = None
        if before is not None and people_before is not None:
            earlier = draw(people_before, before.n, before.clustered, rng, before.unobserved)["person"].to_numpy()
        sample = draw(people, survey.n, survey.clustered, rng, survey.unobserved, earlier)
        return weighted(root, survey, sample, number, rng)

    with duckdb.connect() as connection:
        connection.register("frame", answers.assign(row=people["row"]))
        connection.execute("CREATE TABLE answers AS SELECT * FROM frame").fetchall()
        batches = [range(start, min(start + BATCH, draws)) for start in range(0, draws, BATCH)]
        found = [_estimates(connection, pd.concat(map(one, batch), ignore_index=True), list(answers)) for batch in batches]
    return Repeated(survey, _summary(pd.concat(found), truth_of(true, people["sex"])))


def with_item_nonresponse(people: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """``people`` without the answers that each of them would not give if asked; who they are is known."""
    known = {*NEEDED, "age", "marital_status", "n_children"}
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


def weighted(root: DataRoot, survey: Survey, sample: pd.DataFrame, number: int, rng: np.random.Generator) -> pd.DataFrame:
    """The sample as it is weighed: some of another sex, some who do not tell their age or schooling; with `weight`."""
    frame = pd.DataFrame({"survey_id": f"{number:04d}", "respondent_id": sample.index.astype(str), "row": sample["row"]})
    for name in ("stratum", "psu"):
        frame[name] = sample[name].astype("string") if survey.clustered else pd.Series(pd.NA, frame.index, dtype="string")
    frame["base_weight"] = sample["base_weight"] if survey.clustered else 1.0
    frame["sex"] = sample["sex"].astype("string").mask(rng.random(len(frame)) < OTHER_SEX, "O")
    for name in ("age_group", "education"):
        frame[name] = sample[name].astype("string").mask(rng.random(len(frame)) < MISSING_ON_MARGIN)
    respondents = Respondents(frame, pd.DataFrame(), 0, {}, sample=frame.assign(responded=True, eligible=True))
    return frame.assign(weight=weigh(root, survey.key, respondents).frame["weight"])


def _estimates(connection: duckdb.DuckDBPyConnection, drawn: pd.DataFrame, codes: list[str]) -> pd.DataFrame:
    """Per draw, indicator and sex: weighted estimate with its interval, and the unweighted share."""
    connection.register("drawn", drawn)
    connection.execute("CREATE OR REPLACE TABLE sample AS SELECT * FROM drawn JOIN answers USING (row)").fetchall()
    sums = aggregate(connection, "sample", [Share(code, "TRUE", code) for code in codes], [(), ("sex",)])
    plain = ", ".join(f"avg({code}::INT) AS {code}" for code in codes)
    by_sex = "GROUP BY GROUPING SETS ((survey_id), (survey_id, sex))"
    wide = connection.execute(f"SELECT survey_id, coalesce(sex, '_T') AS sex, {plain} FROM sample {by_sex}").df()
    unweighted = wide.melt(["survey_id", "sex"], var_name="indicator", value_name="unweighted")
    found = estimate(sums, [(), ("sex",)]).merge(unweighted, on=["survey_id", "sex", "indicator"])
    by_sex = unweighted.pivot(index=["survey_id", "indicator"], columns="sex", values="unweighted")
    gaps = gender_gaps(sums, [("sex",)]).assign(sex=GAP).rename(columns={"gap": "value"})
    gaps["n"] = gaps[["n_women", "n_men"]].min(axis=1)
    gaps = gaps.merge((by_sex["F"] - by_sex["M"]).rename("unweighted").reset_index(), on=["survey_id", "indicator"])
    columns = ["indicator", "sex", "value", "se", "ci_low", "ci_high", "n", "unweighted"]
    return pd.concat([found[columns], gaps[columns]], ignore_index=True)


def _summary(found: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    found = found[(found["n"] >= SUPPRESS_BELOW) & found["se"].notna()].merge(truth, on=["indicator", "sex"])
    shares = ["value", "ci_low", "ci_high", "unweighted"]
    found = found.assign(**{name: 100 * found[name] for name in shares})
    found["covered"] = found["truth"].between(found["ci_low"], found["ci_high"])
    summary = found.groupby(["indicator", "sex"]).agg(
        truth=("truth", "first"), unweighted=("unweighted", "mean"), weighted=("value", "mean"), noise=("value", "std"),
        covered=("covered", "mean"), draws=("value", "size"),
    )  # fmt: skip
    summary["noise"] /= np.sqrt(summary["draws"])
    return summary.reset_index()


def repeat_all(surveys: Sequence[Survey] = PROGRAMME, draws: int = DRAWS) -> list[Repeated]:
    """All of ``surveys``, as many at a time as there are cores."""
    with ProcessPoolExecutor(max_workers=os.cpu_count()) as pool:
        return list(pool.map(repeat, surveys, [draws] * len(surveys)))


def report(found: list[Repeated]) -> str:
    """The page docs/simulation.md."""
    template = (Path(__file__).parent / "simulation.md").read_text(encoding="utf-8")
    hidden = [line for repeated in found if repeated.survey.unobserved for line in _headlines(repeated)]
    draws = int(found[0].results["draws"].max())
    return template.format(draws=draws, surveys="\n".join(map(_line, found)), detail="\n".join(hidden))


def _line(found: Repeated) -> str:
    survey, before, after = found.survey, found.bias_unweighted, found.bias_weighted
    how = survey.mode + (", clustered" if survey.clustered else "") + (", panel" if survey.panel else "")
    cells = [survey.key, how, "yes" if survey.unobserved else "no", f"{before:.2f}", f"{after:.2f}"]
    return f"| {' | '.join(cells)} | {100 * after / before:.0f} % | {found.coverage:.1f} % |"


def _headlines(found: Repeated) -> list[str]:
    chosen = found.results[found.results["indicator"].isin(HEADLINE) & found.results["sex"].isin(["F", "M"])]
    return [
        f"| {found.survey.key} | {row.indicator} | {row.sex} | {row.truth:.1f} | {row.unweighted:.1f} | {row.weighted:.1f} | "
        f"{row.weighted - row.truth:+.1f} | {100 * row.covered:.0f} % |"
        for row in chosen.itertuples()
    ]


if __name__ == "__main__":
    keys = sys.argv[1:]
    text = report(repeat_all([s for s in PROGRAMME if not keys or s.key in keys]))
    if not keys:
        (ROOT / "docs" / "simulation.md").write_text(text, encoding="utf-8")
    print(text)
