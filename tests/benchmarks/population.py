"""Respondents to measure with: many surveys with clustered answers, written to Parquet piece by piece.

Belongs here: what the benchmarked table looks like. Not here: realistic questionnaires (``rga.simulate``), measuring.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

CATEGORIES: dict[str, dict[str, float]] = {
    "sex": {"F": 0.52, "M": 0.48},
    "age_group": {"Y18T24": 0.22, "Y25T34": 0.25, "Y35T44": 0.23, "Y45T54": 0.18, "Y55T64": 0.12},
    "residence": {"U": 0.45, "R": 0.55},
    "education": {"primary": 0.3, "secondary": 0.45, "tertiary": 0.25},
    "marital_status": {"S": 0.3, "M": 0.55, "W": 0.07, "D": 0.08},
    "children": {"yes": 0.6, "no": 0.4},
    "employment": {"employed": 0.5, "self_employed": 0.2, "unemployed": 0.1, "inactive": 0.2},
    "disability": {"yes": 0.1, "no": 0.9},
}
GENDER_TABLE = ("sex", "age_group", "residence", "education")
CATALOGUE = tuple(CATEGORIES)
PIECE = 122_880  # rows: a row group as DuckDB writes them, so that memory does not grow with the file


@dataclass(frozen=True)
class Population:
    """``surveys`` of equal size, ``rows`` in all (rounded down), sorted by survey, with 0/1 indicators i01, i02, ...

    ``missing``: the chance that an answer is NULL, for each indicator apart. ``strata`` of ``psus`` PSUs in each survey; with 0
    PSUs, stratum and psu are NULL, as in a survey by text message.
    """

    rows: int
    surveys: int = 18
    indicators: int = 40
    missing: float = 0.0
    strata: int = 8
    psus: int = 30
    dimensions: tuple[str, ...] = GENDER_TABLE
    seed: int = 2024


def write(population: Population, path: Path) -> Path:
    """Write the respondents to ``path``: the same ones for the same population, whatever was written before."""
    effects = _Effects(population, np.random.default_rng(population.seed))
    rows = population.rows // population.surveys * population.surveys
    writer = None
    try:
        for start in range(0, rows, PIECE):
            piece = _piece(population, effects, np.arange(start, min(start + PIECE, rows)), rows // population.surveys)
            if writer is None:
                repeated = [name for name in piece.column_names if name not in ("respondent_id", "weight")]
                writer = pq.ParquetWriter(path, piece.schema, use_dictionary=repeated)
            writer.write_table(piece, row_group_size=PIECE)
    finally:
        if writer is not None:
            writer.close()
    return path


class _Effects:
    """What respondents of a survey, a stratum or a PSU have in common."""

    def __init__(self, population: Population, rng: np.random.Generator) -> None:
        surveys, indicators = population.surveys, population.indicators
        self.psus = max(population.strata * population.psus, 1)
        self.level = rng.uniform(-3.2, 1.2, indicators)
        self.survey = rng.normal(0, 0.3, (indicators, surveys))
        self.psu = rng.normal(0, 0.45, surveys * self.psus).astype(np.float32)
        self.psu_matters = rng.uniform(0.3, 1, indicators)
        self.urban_psu = rng.random(surveys * self.psus) < 0.45
        self.weight = rng.uniform(500, 3000, surveys)
        self.stratum_weight = np.exp(rng.normal(0, 0.3, surveys * max(population.strata, 1)))
        scale = {"sex": 0.3, "age_group": 0.15}
        self.slope = {name: scale.get(name, 0.2) * rng.normal(size=indicators) for name in population.dimensions}


def _piece(population: Population, effects: _Effects, row: np.ndarray, per_survey: int) -> pa.Table:
    # Its own generator, so that a piece does not depend on how many numbers the pieces before it took.
    rng = np.random.default_rng([population.seed, int(row[0])])
    n = len(row)
    survey = row // per_survey
    psu = rng.integers(0, effects.psus, n)
    place = survey * effects.psus + psu
    stratum = psu // max(population.psus, 1)
    weight = np.exp(rng.normal(0, 0.5, n)) * effects.weight[survey]
    weight *= effects.stratum_weight[survey * max(population.strata, 1) + stratum]
    columns: dict[str, pa.Array] = {
        "survey_id": _text(survey, [f"S{s:04}" for s in range(population.surveys)]),
        "respondent_id": pa.array(row % per_survey).cast(pa.string()),
        "stratum": _text(stratum, [f"H{h}" for h in range(population.strata)]) if population.psus else pa.nulls(n, pa.string()),
        "psu": _text(psu, [f"P{p:03}" for p in range(effects.psus)]) if population.psus else pa.nulls(n, pa.string()),
        "weight": pa.array(weight),
    }
    codes = {}
    for name in population.dimensions:
        shares = list(CATEGORIES[name].values())
        codes[name] = np.searchsorted(np.cumsum(shares)[:-1], rng.random(n), side="right")
        if name == "residence" and population.psus:
            codes[name] = np.where(rng.random(n) < 0.9, effects.urban_psu[place], ~effects.urban_psu[place]) ^ 1
        columns[name] = _text(codes[name], list(CATEGORIES[name]))
    centred = {name: (code - (len(CATEGORIES[name]) - 1) / 2).astype(np.float32) for name, code in codes.items()}
    shared = effects.psu[place]
    for k in range(population.indicators):
        logit = (effects.level[k] + effects.survey[k]).astype(np.float32)[survey] + np.float32(effects.psu_matters[k]) * shared
        for name, code in centred.items():
            logit += np.float32(effects.slope[name][k]) * code
        answer = (rng.random(n, dtype=np.float32) < 1 / (1 + np.exp(-logit))).astype(np.int8)
        unanswered = rng.random(n, dtype=np.float32) < population.missing if population.missing else None
        columns[f"i{k + 1:02}"] = pa.array(answer, mask=unanswered)
    return pa.table(columns)


def _text(code: np.ndarray, names: list[str]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(code.astype(np.int32)), pa.array(names))
