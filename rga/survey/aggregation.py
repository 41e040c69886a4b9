"""The one pass over respondents: sums of weights by survey, stratum, PSU and cell, for every statistic at once.

Belongs here: the grouped-sum SQL and the arrays it becomes. Not here: what is computed from the sums, or where
respondents are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.data import quoted
from rga.survey.design import MISSING, Design
from rga.survey.statistics import Distribution, Ratio, Share, Statistic, columns_of


@dataclass(frozen=True)
class Sums:
    """Sums over groups of respondents who share survey, stratum, PSU and cell. Everything else follows from these.

    Groups are sorted by survey, stratum, PSU and cell. ``survey``, ``stratum`` and ``psu`` number them across the whole (a PSU id
    that returns in another stratum is another PSU); respondents without a PSU, who are one each, share a group with ``psu`` -1.
    ``codes`` numbers each dimension's category, of which ``categories`` has the names (`_U` where not known). ``strata`` has one
    row per stratum: survey_id, name, ``psus``, the number of PSUs in the whole sample, and ``fraction``, their share of the
    population's PSUs (0: drawn with replacement).

    The matrices are groups x statistics over those in the base, ``n`` and ``numerator_n`` counting respondents of positive weight:
    ``weight`` is the sum of w x and ``weighted`` that of w y, of which a statistic is the ratio (x is 1 but for ratios);
    ``population`` is the sum of w, and ``squares`` are those of w y^2, w y x and w x^2. ``moments`` has the sums of w^2 y^2,
    w^2 y x and w^2 x^2, which respondents without a PSU need; None where there are none. What is the same is one array under
    several names.
    ``cases`` (respondents of positive weight) and ``total_weight`` describe a group whatever was answered. Where respondents were
    summed by several crossings, ``crossing`` has the code of each group's, and these two are 0 but in the total's groups.
    """

    statistics: tuple[Statistic, ...]
    names: tuple[tuple[str, str], ...]
    surveys: tuple[str, ...]
    categories: dict[str, np.ndarray]
    survey: np.ndarray
    stratum: np.ndarray
    psu: np.ndarray
    codes: dict[str, np.ndarray]
    strata: pd.DataFrame
    crossing: np.ndarray | None
    cases: np.ndarray
    total_weight: np.ndarray
    n: np.ndarray
    numerator_n: np.ndarray
    weight: np.ndarray
    weighted: np.ndarray
    population: np.ndarray
    squares: tuple[np.ndarray, np.ndarray, np.ndarray]
    moments: tuple[np.ndarray, np.ndarray, np.ndarray] | None

    @property
    def dimensions(self) -> tuple[str, ...]:
        return tuple(self.categories)


STAGED = Design(weight="weight", stratum="stratum", psu="psu")


def aggregate(
    con: duckdb.DuckDBPyConnection,
    relation: str,
    statistics: Sequence[Statistic],
    dimensions: Sequence[str],
    design: Design = STAGED,
    survey: str | None = "survey_id",
    crossings: Sequence[tuple[str, ...]] | None = None,
) -> Sums:
    """Sum weights in one grouped statement over every survey in ``relation``.

    ``relation`` is a table or view with the columns of ``design``, the dimensions, whatever the statistics name (any but quantiles,
    which sums do not give), and ``survey``, which tells surveys apart (None: it is one). A respondent without weight is not in the
    sample; one without PSU is a PSU of its own; strata that are NULL are one. ``crossings``: no other breakdown will be asked for;
    respondents without PSU are then summed by each of them, not by the cells of all dimensions at once, which may be as many as
    they. Raises InputError where a weight is negative or not finite, or a stratum's fpc is less than its PSUs.
    """
    if design.ssu or design.replicates:
        raise ValueError("two stages and replicate weights take passes of their own: see `jointly` and `estimate_replicates`")
    columns = [(statistic, *column) for statistic in statistics for column in columns_of(con, relation, statistic)]
    if not columns:
        raise ValueError("no statistic to estimate")
    weight, psu_column = (quoted(name) if name else default for name, default in ((design.weight, "1.0"), (design.psu, "NULL")))
    lone = con.execute(f"SELECT count(*) > count({psu_column}) FROM {relation} WHERE {weight} IS NOT NULL").fetchall()[0][0]
    sets = None
    if lone and crossings is not None:  # by code, so that the same dimensions in another order are not summed twice
        sets = list({crossing_code(names, dimensions): names for names in [(), *crossings]}.values())
    statement = grouped_sums_sql(relation, [(s, y, x) for s, _, y, x in columns], dimensions, bool(lone), design, survey, sets)
    table = con.execute(statement).df()
    _check_weights(table)

    survey_code, surveys = _coded(table["survey_id"])
    stratum_code, stratum_names = _coded(table["stratum"], "")
    psu_code, _ = pd.factorize(table["psu"], sort=True)
    factors = {name: _coded(table[f"d{j}"], MISSING) for j, name in enumerate(dimensions)}
    crossing = table["crossing"].to_numpy()
    order = np.lexsort([*(codes for codes, _ in reversed(factors.values())), crossing, psu_code, stratum_code, survey_code])
    whole = (crossing == crossing_code((), dimensions))[order] if sets else np.ones(len(order), dtype=bool)
    survey_code, stratum_code, psu_code = survey_code[order], stratum_code[order], psu_code[order]
    new_stratum = changes(survey_code) | changes(stratum_code)
    stratum = np.cumsum(new_stratum) - 1
    new_psu = (new_stratum | changes(psu_code)) & (psu_code >= 0)
    psu = np.where(psu_code >= 0, np.cumsum(new_psu) - 1, -1)
    alone = np.where(whole & (psu_code < 0), table["respondents"].to_numpy()[order], 0)
    psus = np.bincount(stratum, weights=new_psu + alone, minlength=int(new_stratum.sum())).astype(np.int64)
    strata = pd.DataFrame(
        {
            "survey_id": surveys[survey_code[new_stratum]].astype(str),
            "name": stratum_names[stratum_code[new_stratum]].astype(str),
            "psus": psus,
            "fraction": _fraction(table["fpc"].to_numpy(dtype=np.float64, na_value=np.nan)[order], stratum, psus),
        }
    )

    made: dict[tuple[str, ...], np.ndarray] = {}

    def matrix(*prefixes: str) -> np.ndarray:
        """Groups x statistics of the first of ``prefixes`` that the statement has; 0 where it has none."""
        names = tuple(next((p + k for p in prefixes if p + k in table), "") for k in map(str, range(len(columns))))
        if names not in made:
            found = np.zeros((len(order), len(columns)))
            for k, name in enumerate(names):
                if name:
                    found[:, k] = table[name].to_numpy(dtype=np.float64, na_value=0.0)[order]
            made[names] = np.nan_to_num(found, copy=False)
        return made[names]

    return Sums(
        statistics=tuple(statistic for statistic, *_ in columns),
        names=tuple((statistic.code, category) for statistic, category, *_ in columns),
        surveys=tuple(map(str, surveys)),
        categories={name: categories for name, (_, categories) in factors.items()},
        survey=survey_code,
        stratum=stratum,
        psu=psu,
        codes={name: codes[order] for name, (codes, _) in factors.items()},
        strata=strata,
        crossing=crossing[order] if sets else None,
        cases=np.where(whole, table["cases"].to_numpy(dtype=np.int64)[order], 0),
        total_weight=np.where(whole, table["total_weight"].to_numpy(dtype=np.float64)[order], 0.0),
        n=matrix("n"),
        numerator_n=matrix("m"),
        weight=matrix("w"),
        weighted=matrix("t"),
        population=matrix("p", "w"),
        squares=(matrix("s", "t"), matrix("syx", "t"), matrix("sxx", "w")),
        moments=(matrix("yy"), matrix("yx", "yy"), matrix("xx")) if lone else None,
    )


def _coded(values: pd.Series, missing: str = "") -> tuple[np.ndarray, np.ndarray]:
    """A number per row and, sorted, the texts that the numbers stand for; null is ``missing``."""
    code, distinct = pd.factorize(values)
    texts, place = np.unique(np.array([*map(str, distinct), missing], dtype=object).astype(str), return_inverse=True)
    coded = place[code]  # -1, null, takes the last, which is `missing`
    used = np.unique(coded)
    return np.searchsorted(used, coded), texts[used].astype(object)


def _fraction(fpc: np.ndarray, stratum: np.ndarray, psus: np.ndarray) -> np.ndarray:
    """Sampling fraction of each stratum from its largest fpc: a number of PSUs, or a fraction already."""
    largest = np.zeros(len(psus))
    np.maximum.at(largest, stratum, np.nan_to_num(fpc))
    with np.errstate(divide="ignore"):
        fraction = np.where(largest > 1, psus / largest, largest)
    if (wrong := fraction > 1 + 1e-12).any():
        h = int(np.argmax(wrong))
        what = f"the population is said to have {largest[h]:g} PSUs in a stratum of which {psus[h]} are in the sample"
        raise InputError(Problem(what, "give the number of PSUs in the population, or the sampling fraction", variable="fpc"))
    return np.minimum(fraction, 1.0)


def changes(codes: np.ndarray) -> np.ndarray:
    """True where a run of equal values begins."""
    changed = np.ones(len(codes), dtype=bool)
    changed[1:] = codes[1:] != codes[:-1]
    return changed


def grouped_sums_sql(
    relation: str,
    columns: Sequence[tuple[Statistic, str, str]],
    dimensions: Sequence[str],
    lone: bool,
    design: Design = STAGED,
    survey: str | None = "survey_id",
    sets: Sequence[tuple[str, ...]] | None = None,
) -> str:
    """The statement itself: plain SQL that DuckDB and Spark both run.

    ``columns`` gives each column's statistic, y and x; ``lone``: some respondents have no PSU, and second moments are needed.
    A number times an unknown answer is unknown and not summed, which is how each statistic has its own denominator.
    """
    cells = [f"d{j}" for j in range(len(dimensions))]
    w = f"CAST({quoted(design.weight)} AS DOUBLE)" if design.weight else "CAST(1 AS DOUBLE)"
    given = {"survey_id": survey, "stratum": design.stratum, "psu": design.psu, "fpc": design.fpc}
    inner = [f"{quoted(column) if column else 'NULL'} AS {name}" for name, column in given.items()]
    inner += [f"{w} AS w", *([f"{w} * {w} AS w2"] if lone else [])]
    inner += [f"{quoted(name)} AS d{j}" for j, name in enumerate(dimensions)]
    outer = ["COUNT(*) AS respondents", "COUNT(CASE WHEN w > 0 THEN 1 END) AS cases"]
    outer += ["SUM(w) AS total_weight", "MIN(w) AS least_weight", "MAX(CAST(fpc AS DOUBLE)) AS fpc"]
    for k, (statistic, y, x) in enumerate(columns):
        universe = statistic.universe.strip()
        base = f"{w} > 0" + (f" AND ({universe})" if universe and universe != "TRUE" else "")
        outer.append(f"COUNT(y{k}) AS n{k}")
        if isinstance(statistic, Share | Distribution):
            inner.append(f"CASE WHEN {base} THEN CAST(({y}) AS TINYINT) END AS y{k}")
            outer += [f"COUNT(NULLIF(y{k}, 0)) AS m{k}", f"SUM(w + 0 * y{k}) AS w{k}", f"SUM(w * y{k}) AS t{k}"]
            outer += [f"SUM(w2 * y{k}) AS yy{k}", f"SUM(w2 + 0 * y{k}) AS xx{k}"] if lone else []
            continue
        inner.append(f"CASE WHEN {base} AND ({x}) IS NOT NULL THEN CAST(({y}) AS DOUBLE) END AS y{k}")
        inner.append(f"CASE WHEN {base} AND ({y}) IS NOT NULL THEN CAST(({x}) AS DOUBLE) END AS x{k}")
        if isinstance(statistic, Ratio):
            outer += [f"SUM(CASE WHEN y{k} IS NOT NULL THEN w END) AS p{k}"]
            outer += [f"SUM(w * y{k} * x{k}) AS syx{k}", f"SUM(w * x{k} * x{k}) AS sxx{k}"]
        outer += [f"SUM(w * x{k}) AS w{k}", f"SUM(w * y{k}) AS t{k}", f"SUM(w * y{k} * y{k}) AS s{k}"]
        if lone:
            outer += [f"SUM(w2 * y{k} * y{k}) AS yy{k}", f"SUM(w2 * y{k} * x{k}) AS yx{k}", f"SUM(w2 * x{k} * x{k}) AS xx{k}"]
    units = ["survey_id", "stratum", "psu"]
    keys, grouped, crossing = ", ".join([*units, *cells]), ", ".join([*units, *cells]), "0"
    if sets is not None:
        of_set = [", ".join([*units, *(cells[dimensions.index(name)] for name in names)]) for names in sets]
        grouped = f"GROUPING SETS ({', '.join(f'({names})' for names in of_set)})"
        crossing = f"GROUPING({', '.join(cells)})" if cells else "0"
    select_inner, select_outer = ",\n    ".join(inner), ",\n  ".join([keys, f"{crossing} AS crossing", *outer])
    return (
        f"SELECT\n  {select_outer}\n"
        f"FROM (\n  SELECT\n    {select_inner}\n  FROM {relation}\n  WHERE {w} IS NOT NULL\n) AS answers\n"
        f"GROUP BY {grouped}"
    )


def crossing_code(crossing: Sequence[str], dimensions: Sequence[str]) -> int:
    """SQL's GROUPING of a crossing: a bit for each dimension that it leaves out, the last dimension's the lowest."""
    return sum(1 << place for place, name in enumerate(reversed(dimensions)) if name not in crossing)


def _check_weights(table: pd.DataFrame) -> None:
    finite = np.isfinite(table["total_weight"].to_numpy(dtype=np.float64))
    wrong = ~finite | (table["least_weight"].to_numpy(dtype=np.float64) < 0)
    if wrong.any():
        raise InputError(
            [
                Problem(
                    f"{survey_id}: a weight is negative, infinite or not a number",
                    "correct the weight, or leave it empty for people who are not part of the sample",
                    variable="weight",
                )
                for survey_id in sorted(set(table.loc[wrong, "survey_id"]))
            ]
        )
