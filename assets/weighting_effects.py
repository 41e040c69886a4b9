"""What weighting did to the estimates: headline indicators after each step, and under other weights.

Belongs here: rows of the published tables `weighting_effects` and `weighting_sensitivity`. Not here: weights (``weights``),
published estimates and their errors (``estimates``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa

from assets.calibration_inputs import raked
from assets.weights import Weights
from rga.errors import InputError
from rga.microdata.catalogue import Catalogue
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import Respondents
from rga.microdata.sample import ELIGIBLE, RESPONDED
from rga.microdata.specification import SurveySpecification
from rga.survey import SUPPRESS_BELOW, TOTAL
from rga.survey.design import MEN, SEX, WOMEN

SEXES = (WOMEN, MEN, TOTAL)
DRAWN = ("base", "selection", "multiplicity")  # steps that say how people were drawn, and those that adjust for who answered
ADJUSTS = ("nonresponse", "calibrate")


def headlines(catalogue: Catalogue, specification: SurveySpecification) -> list[str]:
    """The first indicator of each module that the survey asked for."""
    given, chosen = specification.harmonised_columns, {}
    for code, indicator in catalogue.indicators.items():
        if indicator.module not in chosen and catalogue.uses(code, given) <= given:
            chosen[indicator.module] = code
    return list(chosen.values())


@dataclass(frozen=True)
class Shares:
    """Weighted shares of ``indicators`` under ``variants`` of the weights.

    ``n`` and ``value`` (per cent) are arrays sex (F, M, _T) x variant x indicator; a cell of fewer than 25 cases has no value.
    """

    variants: list[Any]
    indicators: list[str]
    n: np.ndarray
    value: np.ndarray


def effect_tables(root: DataRoot, survey_id: str, respondents: Respondents, weights: Weights) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows of `weighting_effects` (headline indicators by sex after each step), and of `weighting_sensitivity` (their gaps under
    the published weights and others)."""
    specification = root.specification(survey_id)
    by_step: dict[Any, np.ndarray] = {number: step.weights for number, step in enumerate(weights.steps)}
    others = _others(root, respondents, weights)
    found = shares(root.catalogue(), headlines(root.catalogue(), specification), respondents.frame, by_step | others)
    facts: dict[str, Any] = {"survey_id": survey_id, "simulated": specification.simulated}
    steps = len(by_step)
    sexes, numbers, indicators = np.meshgrid(SEXES, np.arange(steps), found.indicators, indexing="ij")
    effects = {"step": numbers, "indicator": indicators, SEX: sexes, "n": found.n[:, :steps], "value": found.value[:, :steps]}
    variants, indicators = np.meshgrid(np.array(list(others), dtype=object), found.indicators, indexing="ij")
    (women, men, _), (n_women, n_men, _) = found.value[:, steps:], found.n[:, steps:]
    gaps = {"variant": variants, "indicator": indicators, "women": women, "men": men, "gap": women - men}
    tables = (effects, gaps | {"n_women": n_women, "n_men": n_men})
    first, second = (pd.DataFrame({name: values.reshape(-1) for name, values in table.items()}).assign(**facts) for table in tables)
    return first, second


def _others(root: DataRoot, respondents: Respondents, weights: Weights) -> dict[Any, np.ndarray]:
    """The published weights and others, by name. Raked ones start from what came before any calibration; margins that cannot be
    met together have no variant."""
    actions = [step.action for step in weights.steps]
    adjusted = next((number for number, action in enumerate(actions) if action in ADJUSTS), len(actions))
    drawn = max(number for number in range(adjusted) if actions[number] in DRAWN)
    variants = {"unweighted": np.ones(len(respondents.frame)), "base": weights.steps[drawn].weights}
    if "nonresponse" in actions:
        variants["nonresponse"] = weights.steps[actions.index("nonresponse")].weights
    if (inputs := weights.inputs) is not None:
        margins, numbers = inputs.step.margins, inputs.step.numbers
        answers = _answered(respondents)
        more = inputs.unused_margins(set(answers.columns[answers.notna().any()]))
        fewer = margins if len(margins) > 1 or numbers else margins[0].split("*")
        raked_to: dict[str, tuple[list[str], list[str]]] = {
            f"{margin} only": ([margin], []) for margin in fewer if numbers or [margin] != margins
        }
        if more:
            raked_to[f"more margins: {', '.join(more)}"] = ([*_beside(margins, more), *more], numbers)
        before = weights.steps[actions.index("calibrate") - 1].weights
        for name, (to, of) in raked_to.items():
            with suppress(InputError):
                variants[name] = raked(root, inputs, to, of, answers, before)
    return variants | {"published": weights.steps[-1].weights}


def _answered(respondents: Respondents) -> pd.DataFrame:
    """All that is known of respondents, auxiliary variables included."""
    sample = respondents.sample[respondents.sample[RESPONDED] & respondents.sample[ELIGIBLE]].reset_index(drop=True)
    return pd.concat([respondents.frame, sample.drop(columns=respondents.frame.columns, errors="ignore")], axis=1)


def _beside(margins: list[str], more: list[str]) -> list[str]:
    """``margins`` that none of ``more`` includes: those would only repeat it."""
    return [name for name in margins if not any(set(name.split("*")) <= set(other.split("*")) for other in more)]


def shares(catalogue: Catalogue, indicators: list[str], frame: pd.DataFrame, variants: Mapping[Any, np.ndarray]) -> Shares:
    """Shares of ``indicators`` among the respondents in ``frame`` under each of ``variants`` of their weights."""
    given = answers(catalogue, indicators, frame)
    sex = frame[SEX].to_numpy(dtype=object, na_value="") if SEX in frame else np.full(len(frame), "")
    weight = np.nan_to_num(np.stack([np.asarray(w, dtype=np.float64) for w in variants.values()]))
    known, yes = ~np.isnan(given), np.nan_to_num(given)
    n, value = [], []
    for code in SEXES:
        inside = (sex == code) if code != TOTAL else np.ones(len(sex), dtype=bool)
        of, base_of = weight[:, inside], known[inside].astype(np.float64)
        base = of @ base_of
        cases = (of > 0).astype(np.float64) @ base_of
        shown = (cases >= SUPPRESS_BELOW) & (base > 0)
        n.append(np.rint(cases).astype(np.int64))
        value.append(np.where(shown, 100 * (of @ yes[inside]) / np.where(shown, base, 1), np.nan))
    return Shares(list(variants), indicators, np.stack(n), np.stack(value))


def answers(catalogue: Catalogue, chosen: list[str], frame: pd.DataFrame) -> np.ndarray:
    """Respondents x indicators ``chosen``: 1 yes, 0 no, NaN for who is not in the base."""
    items = [catalogue.indicators[code] for code in chosen]
    read = sorted({column for item in items for text in (item.universe, item.numerator) for column in catalogue.check(text)})
    if not chosen:
        return np.empty((len(frame), 0))
    columns = ", ".join(
        f"CAST(CASE WHEN ({item.universe}) THEN ({item.numerator}) END AS DOUBLE) AS {code}"
        for code, item in zip(chosen, items, strict=True)
    )
    with duckdb.connect() as connection:
        connection.register("respondents", pa.Table.from_pandas(frame[read], preserve_index=False))
        return connection.execute(f"SELECT {columns} FROM respondents").df().to_numpy(dtype=np.float64)
