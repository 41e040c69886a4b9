"""The one pass over respondents: sums of weights by survey, stratum, PSU and cell, for every indicator at once.

Belongs here: the grouped-sum SQL and the arrays it becomes. Not here: what is computed from the sums, or where
respondents are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.design import MISSING
from rga.survey.statistics import Share


@dataclass(frozen=True)
class Sums:
    """Sums over groups of respondents who share survey, stratum, PSU and cell. Everything else follows from these.

    ``keys`` has one row per group: survey_id, ``stratum`` and ``psu`` (integers, unique across surveys; a PSU id that
    returns in another stratum is another PSU), and one column per dimension (`_U` where not known). ``cases``
    (respondents of positive weight) and ``total_weight`` describe the groups whatever was answered. The matrices are
    groups x indicators, over those in the indicator's base: ``n`` and ``numerator_n`` count respondents of positive
    weight, ``weight`` and ``weighted`` are the sums of w and of w y. ``strata`` has one row per stratum, in the order
    of ``keys.stratum``: survey_id, name, and ``psus``, the number of PSUs in the whole sample.
    """

    indicators: tuple[str, ...]
    dimensions: tuple[str, ...]
    keys: pd.DataFrame
    strata: pd.DataFrame
    cases: np.ndarray
    total_weight: np.ndarray
    n: np.ndarray
    numerator_n: np.ndarray
    weight: np.ndarray
    weighted: np.ndarray

    @property
    def surveys(self) -> tuple[str, ...]:
        """Survey ids, sorted."""
        return tuple(self.keys["survey_id"].drop_duplicates())

    def rows(self, survey_id: str) -> slice:
        """Where the groups of one survey stand: they are contiguous."""
        found = np.flatnonzero((self.keys["survey_id"] == survey_id).to_numpy())
        return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def aggregate(con: duckdb.DuckDBPyConnection, relation: str, shares: list[Share], dimensions: list[str]) -> Sums:
    """Sum weights in one grouped statement over every survey in ``relation``.

    ``relation`` is a table or view with survey_id, respondent_id, stratum, psu, weight, the dimensions and whatever
    the shares name. A respondent without weight is not in the sample; one without PSU is a PSU of its own; strata that
    are NULL are one. Raises InputError where a weight is negative or not finite.
    """
    if not shares:
        raise ValueError("no share to estimate")
    frame = con.execute(grouped_sums_sql(relation, shares, dimensions)).df()
    _check_weights(frame)
    stratum_name = frame["stratum"].astype(object).where(frame["stratum"].notna(), "")
    codes = [pd.factorize(frame[column])[0] for column in ("survey_id", "stratum", "psu", "respondent")]
    # Rows come sorted by these four, so that each stratum and each PSU is one run of rows.
    new_stratum = _starts(codes[:2], len(frame))
    new_psu = _starts(codes, len(frame))
    keys = pd.DataFrame(
        {
            "survey_id": frame["survey_id"].astype(str),
            "stratum": np.cumsum(new_stratum) - 1,
            "psu": np.cumsum(new_psu) - 1,
        }
        | {name: frame[f"d{j}"].astype(str) for j, name in enumerate(dimensions)}
    )
    first = np.flatnonzero(new_stratum)
    strata = pd.DataFrame(
        {
            "survey_id": keys["survey_id"].to_numpy()[first],
            "name": stratum_name.to_numpy()[first].astype(str),
            "psus": np.bincount(keys["stratum"].to_numpy()[new_psu], minlength=len(first)),
        }
    )

    def matrix(prefix: str, dtype: type) -> np.ndarray:
        return frame[[f"{prefix}{k}" for k in range(len(shares))]].to_numpy(dtype=dtype)

    return Sums(
        indicators=tuple(share.code for share in shares),
        dimensions=tuple(dimensions),
        keys=keys,
        strata=strata,
        cases=frame["cases"].to_numpy(dtype=np.int64),
        total_weight=frame["total_weight"].to_numpy(dtype=np.float64),
        n=matrix("n", np.int64),
        numerator_n=matrix("m", np.int64),
        weight=matrix("w", np.float64),
        weighted=matrix("t", np.float64),
    )


def grouped_sums_sql(relation: str, shares: list[Share], dimensions: list[str]) -> str:
    """The statement itself: plain SQL that DuckDB and Spark both run."""
    cells = [f"d{j}" for j in range(len(dimensions))]
    inner = [
        "survey_id",
        "stratum",
        "psu",
        "CASE WHEN psu IS NULL THEN respondent_id END AS respondent",
        "CAST(weight AS DOUBLE) AS w",
        *(f"COALESCE(CAST({_quoted(name)} AS VARCHAR), '{MISSING}') AS d{j}" for j, name in enumerate(dimensions)),
        *(f"CASE WHEN ({share.universe.strip() or 'TRUE'}) THEN ({share.numerator}) END AS y{k}" for k, share in enumerate(shares)),
    ]
    keys = ", ".join(["survey_id", "stratum", "psu", "respondent", *cells])
    outer = [
        keys,
        "COUNT(CASE WHEN w > 0 THEN 1 END) AS cases",
        "SUM(w) AS total_weight",
        "MIN(w) AS least_weight",
    ]
    for k in range(len(shares)):
        outer += [
            f"COUNT(CASE WHEN w > 0 THEN y{k} END) AS n{k}",
            f"COUNT(CASE WHEN w > 0 AND y{k} THEN 1 END) AS m{k}",
            f"SUM(CASE WHEN y{k} IS NULL THEN 0 ELSE w END) AS w{k}",
            f"SUM(CASE WHEN y{k} THEN w ELSE 0 END) AS t{k}",
        ]
    select_inner, select_outer = ",\n    ".join(inner), ",\n  ".join(outer)
    return (
        f"SELECT\n  {select_outer}\n"
        f"FROM (\n  SELECT\n    {select_inner}\n  FROM {relation}\n  WHERE weight IS NOT NULL\n) AS answers\n"
        f"GROUP BY {keys}\nORDER BY {keys}"
    )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _starts(columns: list[np.ndarray], rows: int) -> np.ndarray:
    start = np.ones(rows, dtype=bool)
    if rows:
        start[1:] = np.any([column[1:] != column[:-1] for column in columns], axis=0)
    return start


def _check_weights(frame: pd.DataFrame) -> None:
    finite = np.isfinite(frame["total_weight"].to_numpy(dtype=np.float64))
    wrong = ~finite | (frame["least_weight"].to_numpy(dtype=np.float64) < 0)
    if wrong.any():
        raise InputError(
            [
                Problem(
                    f"{survey_id}: a weight is negative, infinite or not a number",
                    "correct the weight, or leave it empty for people who are not part of the sample",
                    variable="weight",
                )
                for survey_id in sorted(set(frame.loc[wrong, "survey_id"]))
            ]
        )
