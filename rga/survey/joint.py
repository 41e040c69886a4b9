"""Results of one table of respondents with the covariance of any two, and whatever follows from several of them.

Belongs here: what is computed on request from respondents' influence values: across indicators, domains, surveys stacked into one
table, and rounds. Not here: the published tables, which come from sums (``aggregation``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.survey.data import Data, refuse_names
from rga.survey.design import TOTAL, Design
from rga.survey.estimation import POPULATION_SCALE, no_share
from rga.survey.intervals import korn_graubard, logit_interval, mover, t_interval
from rga.survey.linearisation import influence, simple_random_variance
from rga.survey.multistage import Stages
from rga.survey.quantiles import woodruff
from rga.survey.sample import Domain, Sample, sample_of
from rga.survey.statistics import Distribution, Quantile, Share, Statistic, Total, Values

# Respondents x results held at a time: what memory the influence values take, however many results are wanted.
BLOCK = 4_000_000
MEASURES = ["value", "se", "ci_low", "ci_high", "n", "population", "deff", "df", "cv"]


@dataclass(frozen=True)
class Result:
    """A statistic wanted in a domain: ``Result(share, {"sex": "F"})``; no domain is everybody. `_T` and `_U` as in the tables."""

    statistic: Statistic
    domain: Domain = field(default_factory=dict)


@dataclass(frozen=True)
class Joint:
    """Results, and what they have in common.

    ``table``: one row per result (one per category of a distribution), indexed by its label such as ``lost sex=F`` or
    ``job:farm sex=F``; columns code, category (`_T` but for a distribution), one per column that a domain names (`_T` where not
    narrowed), value, se, ci_low, ci_high (95 %), n (who answered, weight not 0), population (their weights), deff,
    df, cv. ``covariance``: results x results, in the table's order. NaN means not defined: value where nobody answered,
    or negative weights bring a share out of 0..1; se, and the
    row of the covariance, where the sample says nothing of it (one PSU holds all answers, every stratum is left out as lonely,
    Woodruff's interval leaves the sample); limits without degrees of freedom; deff where there is no variance to divide by, and for
    quantiles; cv at 0.

    Limits: logit with t(df) of shares (Korn-Graubard at 0 and 1), Woodruff's of quantiles, t(df) of the rest.
    """

    table: pd.DataFrame
    covariance: np.ndarray
    _stages: Stages
    _z: np.ndarray  # ultimate units x results
    _inside: np.ndarray  # ultimate units x results: has it an answer of weight other than 0?

    def contrast(self, coefficients: Mapping[int | str, float] | Any, name: str | Sequence[str] = "") -> pd.DataFrame:
        """Linear combinations c'v of the results v: coefficients by label (or row number), or as a matrix with a row for each.

        A frame with a row per combination: name, value, se, ci_low, ci_high, df, p_value (two-sided, of 0). The variance is that
        of the combined influence values, c'Vc with V the covariance (under ``lonely_psu="average"`` the mean is taken over the
        strata of the union of the domains, as R does for a subset). df: PSUs minus strata among those with an answer to any
        result that takes part. NaN: everything but the value where a result that takes part has no se; limits and p_value without
        df or where the combination has no variance; but shares of 0 and 1, such as 0 % of women and of men, give limits by their
        own (`rga.survey.intervals.mover`). R ``svycontrast``. Raises KeyError for a label that is not there, ValueError
        for one that is there twice.
        """
        if isinstance(coefficients, Mapping):
            matrix = np.zeros((1, len(self.table)))
            for key, coefficient in coefficients.items():
                matrix[0, self._row(key)] += coefficient
        else:
            matrix = np.atleast_2d(np.asarray(coefficients, dtype=np.float64))
        values = self.table["value"].to_numpy()
        value = np.where(matrix != 0, matrix * values, 0.0).sum(axis=1)
        found = self._derived([name] if isinstance(name, str) else list(name), value, matrix)
        limits = mover(values, *(self.table[side].to_numpy() for side in ("ci_low", "ci_high")), matrix)
        certain = (found["se"] == 0) & ((matrix != 0) <= (self.table["se"] == 0).to_numpy()).all(axis=1)
        for side, limit in zip(("ci_low", "ci_high"), limits, strict=True):
            found[side] = found[side].where(~certain, limit)
        return found

    def smooth(self, function: Callable[[np.ndarray], Any], name: str | Sequence[str] = "") -> pd.DataFrame:
        """Smooth functions of the results: ``joint.smooth(lambda v: np.log(v[0] / v[1]))``; v is the values in the table's order.

        ``function`` gives a number or a vector of them. A frame as of `contrast`, by the delta method (Wolter 2007, ch. 6): the
        gradient at the estimate takes the place of the coefficients; df counts the results it depends on. The column
        ``derivative`` says how the gradient was had: ``complex step`` (exact to rounding; Squire and Trapp 1998), or ``central
        differences`` (about 1e-9) where the function is not analytic: it refuses complex numbers, or the two disagree, as with
        abs.
        """
        values = self.table["value"].to_numpy()
        value = np.atleast_1d(np.asarray(function(values.copy()), dtype=np.float64))
        gradient, how = _gradient(function, values, value)
        return self._derived([name] if isinstance(name, str) else list(name), value, gradient).assign(derivative=how)

    def _row(self, key: int | str) -> int:
        if not isinstance(key, str):
            return key
        found = np.flatnonzero(self.table.index == key)
        if len(found) != 1:
            raise (ValueError if len(found) else KeyError)(f"{len(found)} results are labelled {key!r}")
        return int(found[0])

    def _derived(self, names: list[str], value: np.ndarray, gradient: np.ndarray) -> pd.DataFrame:
        takes_part = (gradient != 0).astype(np.float32)
        inside = self._inside.astype(np.float32) @ takes_part.T > 0
        variance = np.diag(self._stages.covariance(self._z @ np.nan_to_num(gradient).T, inside))
        unknown = takes_part @ self.table["se"].isna().to_numpy() > 0
        se = np.where(unknown | np.isnan(value), np.nan, np.sqrt(variance))
        df = self._stages.df(inside)
        spread = np.where(se > 0, se, np.nan)
        low, high = t_interval(value, spread, df)
        p_value = np.where(df > 0, 2 * stdtr(np.maximum(df, 1), -np.abs(value / spread)), np.nan)
        names = names * len(value) if len(names) == 1 else names
        columns = {"value": value, "se": se, "ci_low": low, "ci_high": high, "df": df, "p_value": p_value}
        return pd.DataFrame({"name": names} | columns)


def jointly(data: Data, design: Design, results: Sequence[Result]) -> Joint:
    """Estimate every one of ``results`` from one table of respondents, with their covariance.

    ``data``: as `rga.survey.data.opened` takes it. Influence values:
    `rga.survey.linearisation.influence`; covariance: `rga.survey.multistage.Stages.covariance`. Covariances with a quantile take
    its Bahadur representation with the density that Woodruff's interval implies, 2 t se(F) over its width.

    Several surveys stacked into one table: let ``stratum`` tell them apart, and name the survey in the domains. Rounds that are
    linked: stack them, with a ``psu`` that is the same in both, the panel's id for respondents or the shared PSU, in a
    ``stratum`` that is the same in both; who is in one round only has an id of her or his own. Each round is then a domain of one
    sample, and the covariance comes from PSUs in both. The margins of surveys that were calibrated apart are to have categories
    that tell the survey before a `*` (`later*F`, `later*_U`). Raises InputError and ValueError as
    `rga.survey.sample.sample_of` does, InputError for a domain's column that is not there, or called like one of the table's,
    and where an expression does not fit the data.
    """
    refuse_names({name for result in results for name in result.domain}, ["code", "category", *MEASURES])
    with sample_of(data, design) as sample:
        return _joint(sample, results)


@np.errstate(over="ignore", invalid="ignore")  # an infinite answer, or one too large to be squared: not a number in the end
def _joint(sample: Sample, results: Sequence[Result]) -> Joint:
    statistics = list(dict.fromkeys(result.statistic for result in results))
    if not statistics:
        raise ValueError("no result to estimate")
    values = sample.values(statistics)
    columns_of = {s: [k for k, kind in enumerate(values.statistics) if kind is s] for s in statistics}
    pairs = [(column, j) for j, result in enumerate(results) for column in columns_of[result.statistic]]
    column, result_of = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    domain = sample.domains([result.domain for result in results])[:, result_of]
    kinds = [values.statistics[k] for k in column]
    stages, weight = sample.stages, sample.weight
    at_scale = float(weight.sum()) > POPULATION_SCALE * float((weight != 0).sum())
    parts = []
    for block in np.array_split(np.arange(len(kinds)), 1 + len(weight) * len(kinds) // BLOCK):
        found = influence(values, weight, column[block], domain[:, block])
        simple = simple_random_variance(found, weight, at_scale)
        units = sample.residuals(found.z), stages.by_unit(found.answered)
        parts.append((found.value, found.n, found.population, found.level, simple, *units))
    value, n, population, level, simple, z, inside = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    df = stages.df(inside)

    is_share = np.array([isinstance(kind, Share | Distribution) for kind in kinds], dtype=bool)
    is_quantile = np.array([isinstance(kind, Quantile) for kind in kinds], dtype=bool)
    is_total = np.array([isinstance(kind, Total) for kind in kinds], dtype=bool)
    value = np.where(np.isinf(value) | (is_share & no_share(value)), np.nan, value)
    bound = is_share & ((value == 0) | (value == 1))
    covariance = stages.covariance(z, inside)
    unknown = (stages.silent(inside, ~is_total) & ~bound) | np.isnan(value)
    se = np.where(unknown | ~np.isfinite(np.diag(covariance)), np.nan, np.sqrt(np.diag(covariance)))

    low, high = t_interval(value, se, df)
    inner = logit_interval(np.where(is_share, value, np.nan), se, df)
    outer = korn_graubard(np.where(bound, value, np.nan), se, n, df)
    low, high = (np.where(bound, o, np.where(is_share, i, t)) for t, i, o in zip((low, high), inner, outer, strict=True))
    stretch = np.ones(len(kinds))
    for k in np.flatnonzero(is_quantile & ~np.isnan(value)):
        those = values.known[:, column[k]] & domain[:, k] & (weight != 0)
        level_se = se[k]
        q = kinds[k].q  # type: ignore[union-attr]
        low[k], high[k], se[k] = woodruff(values.y[those, column[k]], weight[those], q, level[k], level_se, df[k])
        stretch[k] = -se[k] / level_se if level_se > 0 else 0.0
    stretch = np.nan_to_num(stretch)
    z, covariance = z * stretch, covariance * np.outer(stretch, stretch)

    with np.errstate(divide="ignore", invalid="ignore"):
        deff = np.where(is_quantile | ~(simple > 0), np.nan, se**2 / simple)
        cv = np.where(value != 0, se / np.abs(value), np.nan)
    covariance[np.isnan(se)] = np.nan
    covariance[:, np.isnan(se)] = np.nan
    measures = dict(zip(MEASURES, (value, se, low, high, n, population, deff, df, cv), strict=True))
    return Joint(_keys(values, results, column, result_of).assign(**measures), covariance, stages, z, inside)


def _keys(values: Values, results: Sequence[Result], column: np.ndarray, result_of: np.ndarray) -> pd.DataFrame:
    """Code, category and domain of every row, indexed by label."""
    names = [values.names[k] for k in column]
    domains = [results[j].domain for j in result_of]
    dimensions = list(dict.fromkeys(name for domain in domains for name in domain))
    labels = [
        " ".join([code if category == TOTAL else f"{code}:{category}", *(f"{name}={c}" for name, c in domain.items())])
        for (code, category), domain in zip(names, domains, strict=True)
    ]
    table = {"code": [code for code, _ in names], "category": [category for _, category in names]}
    table |= {name: [str(domain.get(name, TOTAL)) for domain in domains] for name in dimensions}
    return pd.DataFrame(table, index=pd.Index(labels, name="result"))


def _gradient(function: Callable[[np.ndarray], Any], at: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Functions x results: the derivatives at ``at``; and for each function how they were had."""
    exact, rough = np.zeros((2, len(value), len(at)))
    tolerance = np.zeros_like(rough)
    analytic = np.ones(len(value), dtype=bool)
    for k in range(len(at)):
        size = abs(at[k]) if np.isfinite(at[k]) and at[k] != 0 else 1.0
        for side in (1, -1):
            moved = at.copy()
            moved[k] += side * 6e-6 * size
            rough[:, k] += side * np.atleast_1d(np.asarray(function(moved), dtype=np.float64)) / (2 * 6e-6 * size)
        tolerance[:, k] = 1e-4 * np.abs(rough[:, k]) + 1e-7 * np.abs(value) / size
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # a part that was dropped, a branch that was compared
                moved = at.astype(np.complex128)
                moved[k] += 1e-30j * size
                exact[:, k] = np.atleast_1d(np.asarray(function(moved), dtype=np.complex128)).imag / (1e-30 * size)
        except (TypeError, ValueError, AttributeError, Warning):
            analytic[:] = False
    analytic &= ~np.isfinite(value) | (np.abs(exact - rough) <= tolerance).all(axis=1)
    return np.where(analytic[:, None], exact, rough), np.where(analytic, "complex step", "central differences")
