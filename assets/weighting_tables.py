"""What weighting did, as rows of the published tables `weighting` and `margins`.

Belongs here: diagnostics of each step, margins before and after. Not here: weights (``weights``), what the steps do to estimates
(``weighting_effects``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from assets.weights import Step, Weights
from rga.microdata.respondents import Respondents
from rga.survey import Collapsed, diagnose
from rga.survey.design import MEN, SEX, WOMEN
from rga.survey.precision import step_above, to_step

MET = 1e-6  # relative difference from a benchmark that is met
COUNTS = ["iterations", "missing_on_margin", "bounds_hit", "trimmed", "negative", "n_sample"]
NUMBERS = [f"{name}_{who}" for name in ("deff", "n_effective") for who in ("women", "men")] + [
    *("response_rate", "max_margin_error", "se_ratio")
]


def weighting_rows(survey_id: str, respondents: Respondents, weights: Weights, se_ratio: float | None = None) -> pd.DataFrame:
    """Rows of `weighting`, one per step. Margins are those of the last calibration, before it and after; ``se_ratio``
    (``weighting_replicates``) stands with the last step."""
    sex = respondents.frame[SEX] if SEX in respondents.frame else pd.Series(pd.NA, respondents.frame.index, dtype="string")
    members = {
        "women": (sex == WOMEN).to_numpy(dtype=bool, na_value=False),
        "men": (sex == MEN).to_numpy(dtype=bool, na_value=False),
    }
    rows = [
        {"survey_id": survey_id, "step": number}
        | _of_step(step, members)
        | {"max_margin_error": margin_error(weights, step.weights)}
        | {"se_ratio": se_ratio if number == len(weights.steps) - 1 else None}
        for number, step in enumerate(weights.steps)
    ]
    types = dict.fromkeys(COUNTS, "Int64") | dict.fromkeys(NUMBERS, "float64") | dict.fromkeys(["method", "why", "note"], "string")
    return pd.DataFrame(rows).astype(types)


def _of_step(step: Step, members: dict[str, np.ndarray]) -> dict[str, object]:
    found, calibration, nonresponse = step.diagnostics, step.calibration, step.nonresponse
    notes = [f"{found.zero} of weight 0"] * bool(found.zero) + [f"{found.missing} without weight"] * bool(found.missing)
    by_sex = {who: diagnose(step.weights[of]) for who, of in members.items() if (step.weights[of] > 0).any()}
    return {
        "action": step.action,
        "method": step.method,
        "why": step.why or None,
        "n": found.n,
        "sum_of_weights": float(to_step(np.nansum(step.weights), step_above(found.maximum))),
        "deff": found.kish_deff,
        "n_effective": found.n_effective,
        **{f"deff_{who}": by_sex[who].kish_deff if who in by_sex else None for who in members},
        **{f"n_effective_{who}": by_sex[who].n_effective if who in by_sex else None for who in members},
        "min_weight": found.minimum,
        "median_weight": found.median,
        "max_weight": found.maximum,
        "max_to_median": found.max_to_median,
        "top_1pct_share": found.top_share,
        "n_sample": int(nonresponse.classes["n_sample"].sum()) if nonresponse else None,
        "response_rate": 100 * nonresponse.response_rate if nonresponse else None,
        "iterations": calibration.iterations if calibration else None,
        "missing_on_margin": calibration.missing_any if calibration else None,
        "bounds_hit": sum(calibration.bounds_hit.values()) if calibration else None,
        "trimmed": calibration.trimmed if calibration else step.trimmed,
        "negative": int(np.sum(step.weights < 0)),
        "note": "; ".join([*step.notes, *notes]) or None,
    }


def margin_rows(survey_id: str, weights: Weights) -> pd.DataFrame:
    """Rows of `margins` of the last calibration; sums of weights are scaled to the benchmark, to compare like with like."""
    columns = ["survey_id", "margin", "category", "n", "benchmark", "before", "after", "source", "scaled_by", "conflict"]
    at = weights.calibrated
    if at is None or weights.inputs is None:
        return pd.DataFrame(columns=columns)
    before, after = (_fitted(weights, w) for w in (weights.steps[at - 1].weights, weights.steps[-1].weights))
    step = step_above(weights.steps[-1].diagnostics.maximum)
    met = np.isclose(after["value"], before["benchmark"], rtol=MET, atol=0)
    frame = before.assign(
        survey_id=survey_id,
        before=to_step(before["value"].to_numpy(), step),
        after=np.where(met, before["benchmark"], to_step(after["value"].to_numpy(), step)),
    )
    benchmark = weights.inputs.benchmark
    said, source = (
        benchmark.margins,
        {name: f"{m.producer}, {m.year or benchmark.source.year}" for name, m in benchmark.published.items()},
    )
    frame["source"] = frame["margin"].map(source).astype("string")
    frame["scaled_by"] = (
        frame["margin"].map({name: m.factor if m.published else None for name, m in said.items()}).astype("float64")
    )
    frame["conflict"] = frame["margin"].map({name: m.conflict for name, m in said.items()}).astype("float64")
    return frame[columns]


def margin_error(weights: Weights, of: np.ndarray) -> float | None:
    """The largest relative error of a category of the last calibration's margins under other weights, scaled to the benchmark."""
    if weights.calibrated is None:
        return None
    frame = _fitted(weights, of)
    wanted = frame[frame["benchmark"] > 0]
    return float((wanted["value"] / wanted["benchmark"] - 1).abs().max())


def _fitted(weights: Weights, of: np.ndarray) -> pd.DataFrame:
    """The last calibration's margins with `value`: the sums of weights ``of``, scaled to each margin's benchmark."""
    at = weights.calibrated
    assert at is not None and weights.inputs is not None
    calibration = weights.steps[at].calibration
    assert calibration is not None
    frame = calibration.margins[["margin", "category", "n", "benchmark"]].copy()
    known = ~np.isnan(of)
    sums: dict[tuple[str, str], float] = {}
    for margin, categories in weights.inputs.categories.items():
        totals = pd.Series(of[known]).groupby(categories.to_numpy()[known]).sum()
        for category, total in totals.items():
            key = (str(margin), _as_fitted(str(category), str(margin), calibration.collapsed))
            sums[key] = sums.get(key, 0.0) + float(total)
    if weights.inputs.numbers is not None:
        for name, values in weights.inputs.numbers.items():
            mean = weights.inputs.benchmark.totals[str(name)] / weights.inputs.benchmark.population  # of who gave none, as fitted
            sums[(str(name), "_T")] = float(values.fillna(mean).to_numpy()[known] @ of[known])
    pairs = zip(frame["margin"], frame["category"], strict=True)
    frame["value"] = [sums.get((str(margin), str(category)), 0.0) for margin, category in pairs]
    people = frame["category"] != "_T"
    first = frame["margin"] == frame.loc[people, "margin"].iloc[0]
    scale = frame.loc[first, "benchmark"].sum() / frame.loc[first, "value"].sum()
    frame["value"] *= scale
    return frame


def _as_fitted(category: str, margin: str, collapsed: list[Collapsed]) -> str:
    """A category of a crossing with the categories of its variables that the calibration merged."""
    merged = {(c.variable, old): c.into for c in collapsed if c.margin == margin for old in c.categories}
    codes = category.split("*")
    return "*".join(merged.get((name, code), code) for name, code in zip(margin.split("*"), codes, strict=False))
