"""Estimates whose variances come from replicate weights: every statistic under every replicate, and what that spread says.

Belongs here: replicate estimates and their variances. Not here: making replicate weights (``replicates``), degrees of freedom
(``degrees``), Taylor linearisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.data import Data, opened, refuse_names
from rga.survey.degrees import PsuDegrees, RankDegrees
from rga.survey.design import TOTAL, Design, Replicates, breakdown_name
from rga.survey.estimation import POPULATION_SCALE, simple_random_variance
from rga.survey.intervals import korn_graubard, logit_interval, t_quantile
from rga.survey.joint import MEASURES
from rga.survey.quantiles import levels_at_the_top
from rga.survey.replicate_reader import Piece, Reader
from rga.survey.statistics import Distribution, Quantile, Share, Statistic, Total

COLUMNS = ["code", "category", "breakdown", *MEASURES]
SAME = 1e-12  # cumulative shares this close to the wanted one have reached it


@dataclass(frozen=True)
class ReplicateEstimates:
    """Results of ``estimate_replicates``: ``table`` has one row per result, ``replicates`` is results x replicates.

    A replicate that has nobody in the cell is NaN and left out of the variance, as in R. ``scale``, ``rscales`` and ``mse`` say
    how deviations add up.
    """

    table: pd.DataFrame
    replicates: np.ndarray
    scale: float
    rscales: np.ndarray
    mse: bool

    def covariance(self, rows: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Covariance matrix of the results at positions ``rows`` of the table (by default all): its diagonal is se squared.

        c_ij = scale * sum_r rscales_r (t_ri - m_i)(t_rj - m_j), over the replicates in which both are defined; m is their mean
        (over those with rscales > 0), or under ``mse`` the estimate (R ``svrVar``). NaN where either standard error is.
        """
        chosen = np.arange(len(self.table)) if rows is None else np.asarray(rows)
        value = self.table["value"].to_numpy()[chosen]
        deviation, known = _deviations(self.replicates[chosen], value, self.rscales, self.mse)
        scaled = deviation * self.rscales
        sums = scaled @ deviation.T
        if not known.all() and not self.mse:
            # Each pair has a mean of its own: over the replicates that both have.
            mask, used = known.astype(np.float64), (self.rscales > 0).astype(np.float64)
            mean = (deviation * used) @ mask.T / np.maximum((mask * used) @ mask.T, 1)
            cross = mean * (mask @ scaled.T)
            sums = sums - cross - cross.T + mean * mean.T * ((mask * self.rscales) @ mask.T)
        undefined = self.table["se"].isna().to_numpy()[chosen]
        return np.where(undefined[:, None] | undefined[None, :], np.nan, self.scale * sums)


def estimate_replicates(
    data: Data, design: Design, statistics: Sequence[Statistic], by: Sequence[tuple[str, ...]] = ((),)
) -> ReplicateEstimates:
    """Every statistic in every cell of every crossing in ``by``, in which somebody answered, with replicate variances.

    ``data`` is a pandas frame, the path of a Parquet file, a DuckDB relation, or a connection and the name of a table or view in
    it. It has the columns of ``design`` (whose ``replicates`` names the replicate weights) and whatever the statistics and
    crossings name. A respondent without weight is not in the sample. The file is read once, in pieces (twice with quantiles).

    The table has code, category, breakdown, a column per dimension (`_T` where not broken down, `_U` where not known), value, se,
    ci_low, ci_high (95 %), n (respondents of positive weight in the base), population (their weights), deff, df and cv. Shares are
    0..1.

    The variance of an estimate t is scale * sum_r rscales_r (t_r - m)^2, with m the mean of the replicates or under ``mse`` t
    itself (Wolter 2007, ch. 3-5; R ``svrVar``). A quantile is the smallest value whose cumulative share of weight reaches q; its
    limits and standard error are Woodruff's (1952): the replicate limits p -+ t se(p) of the share at or below it, inverted (R
    ``svyquantile``, ``interval.type = "mean"``); its covariances follow from those of that share by its slope, se / se(p).

    Degrees of freedom are those of the domain, its respondents who answered: PSUs minus strata where ``design.psu`` is known,
    otherwise the rank of their replicate weights minus 1 (R ``degf``). Limits: logit with t(df) for shares, Korn-Graubard at 0
    and 1, t for the rest.

    Not defined, and NaN: value where the weights (or a ratio's denominators) add up to 0; se where a single PSU (rank 1) holds
    all answers, as its replicates do not vary (R says 0), except of a share at 0 or 1 (se 0) and of totals, which do vary; limits
    without degrees of freedom; se of a quantile with a Woodruff limit outside 0..1; deff of quantiles and where nothing varies.
    Raises InputError where weights, scale factors or expressions are at fault, ValueError without ``design.replicates``.
    """
    if design.replicates is None:
        raise ValueError("the design has no replicate weights")
    with opened(data) as (con, relation):
        refuse_names({name for crossing in by for name in crossing}, COLUMNS)
        return _estimates(Reader(con, relation, design, design.replicates, statistics, by), design, design.replicates, by)


def _estimates(reader: Reader, design: Design, given: Replicates, by: Sequence[tuple[str, ...]]) -> ReplicateEstimates:
    totals = [_Totals(reader, breakdown) for breakdown in by]
    cells, columns = [len(total.cells) for total in totals], len(reader.names)
    degrees: PsuDegrees | RankDegrees = PsuDegrees(cells, columns)
    if design.psu is None:
        degrees = RankDegrees(cells, columns, reader.rows, len(given.columns))
    largest = np.zeros(len(given.columns))
    for piece in reader.pieces():
        codes = [total.add(piece) for total in totals]
        degrees.add(codes, piece.known, piece.weights, piece.stratum, piece.psu)
        largest = np.maximum(largest, piece.factors.max(axis=0))
    scale, rscales = coefficients(given, largest)
    frames, kept = [], []
    for position, total in enumerate(totals):
        df, alone = degrees.of(position)
        frame, replicates = total.table(reader.dimensions, df, alone, scale, rscales, given.mse)
        frames.append(frame)
        kept.append(replicates)
    return ReplicateEstimates(pd.concat(frames, ignore_index=True), np.concatenate(kept), scale, rscales, given.mse)


def coefficients(replicates: Replicates, largest: np.ndarray) -> tuple[float, np.ndarray]:
    """``scale`` and ``rscales`` of a method over R replicates, where the file's producer gives none; as R ``svrepdesign``.

    BRR 1/R; Fay 1/(R (1 - rho)^2) (Judkins 1990); JK1 (R - 1)/R; bootstrap 1/(R - 1). JKn takes 1/``largest`` (the largest factor
    of each replicate, n_h/(n_h - 1)) as rscales where the columns are factors. Raises InputError where nothing can be said.
    """
    count = len(replicates.columns)
    if replicates.method == "Fay" and not 0 <= replicates.rho < 1:
        raise InputError(Problem(f"Fay's rho is {replicates.rho:g}", "give a rho from 0 to below 1", variable="rho"))
    if replicates.rscales is not None and len(replicates.rscales) != count:
        found = len(replicates.rscales)
        raise InputError(Problem(f"{found} rscales for {count} replicates", "give one for each column", variable="rscales"))
    given = replicates.rscales is not None
    rscales = np.asarray(replicates.rscales, dtype=np.float64) if replicates.rscales is not None else np.ones(count)
    if replicates.method == "JKn" and not given:
        if replicates.combined:
            raise InputError(Problem("JKn weights without rscales", "give (n_h - 1)/n_h of each replicate", variable="rscales"))
        with np.errstate(divide="ignore"):
            rscales = 1 / largest
    if replicates.method == "other" and not given and replicates.scale is None:
        raise InputError(Problem("replicate weights of an unnamed method", "give scale or rscales", variable="scale"))
    default = {
        "BRR": 1 / count,
        "Fay": 1 / (count * (1 - replicates.rho) ** 2),
        "JK1": (count - 1) / count,
        "bootstrap": 1 / max(count - 1, 1),
    }
    return replicates.scale if replicates.scale is not None else default.get(replicates.method, 1.0), rscales


class _Totals:
    """Weighted sums of y and x in every cell of one crossing, under the full weight and under every replicate."""

    def __init__(self, reader: Reader, breakdown: tuple[str, ...]) -> None:
        self.reader, self.breakdown = reader, breakdown
        present = reader.present
        key = reader.key(reader.codes(present), breakdown, len(present))
        self.keys, first = np.unique(key, return_index=True)
        self.cells = present.iloc[first][list(breakdown)].reset_index(drop=True)
        shape = (len(self.keys), len(reader.names))
        self.sums = np.zeros((shape[0], 1 + len(reader.replicates.columns), 2 * shape[1]))
        self.population, self.n, self.positive = (np.zeros(shape) for _ in range(3))
        self.squares = np.zeros((3, *shape))  # of y y, y x and x x, by the full weight
        self.weight = self.cases = 0.0
        self.quantiles = _Quantiles(reader, breakdown, self.keys)

    def add(self, piece: Piece) -> np.ndarray:
        """Add a piece's respondents; gives their cells."""
        rows = len(piece.y)
        cell = np.searchsorted(self.keys, self.reader.key(piece.codes, self.breakdown, rows))
        order = np.argsort(cell, kind="stable")
        bounds = np.searchsorted(cell[order], np.arange(len(self.keys) + 1))
        self.weight += piece.weights[:, 0].sum()
        self.cases += np.count_nonzero(piece.weights[:, 0])
        for c in np.flatnonzero(np.diff(bounds)).tolist():
            members = order[bounds[c] : bounds[c + 1]] if len(self.keys) > 1 else slice(None)
            weights, known, x = piece.weights[members], piece.known[members], piece.x[members]
            y = self.quantiles.at_or_below(c, piece.y[members], known)
            self.sums[c] += weights.T @ np.hstack([y, x])
            self.squares[:, c] += [weights[:, 0] @ product for product in (y * y, y * x, x * x)]
            full = weights[:, 0]
            present = (full > 0).astype(np.float64)
            self.population[c] += full @ known
            self.n[c] += present @ known
            self.positive[c] += present @ (y > 0)
        return cell

    def table(
        self, dimensions: list[str], df: np.ndarray, alone: np.ndarray, scale: float, rscales: np.ndarray, mse: bool
    ) -> tuple[pd.DataFrame, np.ndarray]:
        """Rows of the table, and their replicate estimates (results x replicates)."""
        statistics = self.reader.statistics
        y, x = np.split(self.sums, 2, axis=2)
        is_total, is_share, is_quantile = (
            np.array([isinstance(s, kind) for s in statistics], dtype=bool) for kind in (Total, (Share, Distribution), Quantile)
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            estimates = np.where(is_total, y, y / x)
        k, c = (index.ravel() for index in np.mgrid[: len(statistics), : len(self.keys)])
        keep = self.n[c, k] > 0
        k, c = k[keep], c[keep]
        theta = estimates[c, :, k]
        n, positive, degrees = self.n[c, k], self.positive[c, k], df[c, k]
        # Exact where all or none say yes, whatever the rounding of the sums.
        at_0, at_1 = is_share[k] & (positive == 0), is_share[k] & (positive == n)
        theta = np.where((at_0 | at_1)[:, None] & ~np.isnan(theta), at_1[:, None].astype(np.float64), theta)
        value, replicates = theta[:, 0], theta[:, 1:]
        value = np.where(np.isinf(value), np.nan, value)
        se = _standard_errors(replicates, value, scale, rscales, mse)
        se[np.isnan(value) | (alone[c, k] & ~is_total[k] & ~at_0 & ~at_1)] = np.nan
        reach = t_quantile(degrees) * se
        low, high = value - reach, value + reach
        logit, exact = logit_interval(value, se, degrees), korn_graubard(value, se, n, degrees)
        bound = at_0 | at_1
        low = np.where(is_share[k], np.where(bound, exact[0], logit[0]), low)
        high = np.where(is_share[k], np.where(bound, exact[1], logit[1]), high)
        simple = self._simple(is_total)[c, k]
        with np.errstate(divide="ignore", invalid="ignore"):
            deff = np.where(bound | is_quantile[k] | ~(simple > 0), np.nan, se**2 / simple)
        for row in np.flatnonzero(is_quantile[k]):
            share, place = value[row], (int(c[row]), int(k[row]))
            value[row] = self.quantiles.estimate[place]
            levels = (low[row], high[row])
            if at_the_top := share >= 1 - SAME and not np.isnan(se[row]):
                levels = levels_at_the_top(int(n[row]), degrees[row], statistics[k[row]].q)  # type: ignore[union-attr]
            low[row], high[row] = (self.quantiles.inverse(*place, p) for p in levels)
            with np.errstate(divide="ignore", invalid="ignore"):
                slope = np.where(se[row] > 0, (high[row] - low[row]) / (2 * reach[row]), 0.0)
            se[row] = (high[row] - low[row]) / (2 * t_quantile(degrees[row])) if at_the_top else slope * se[row]
            replicates[row] = value[row] - (replicates[row] - share) * slope
        names = self.reader.names
        table: dict[str, object] = {
            "code": pd.array([names[i][0] for i in k], dtype="str"),
            "category": pd.array([names[i][1] for i in k], dtype="str"),
            "breakdown": breakdown_name(self.breakdown),
        }
        for dimension in dimensions:
            table[dimension] = self.cells[dimension].to_numpy()[c] if dimension in self.breakdown else TOTAL
        measures = {"value": value, "se": se, "ci_low": low, "ci_high": high, "n": n.astype(np.int64)}
        with np.errstate(divide="ignore", invalid="ignore"):
            cv = np.where(value != 0, se / np.abs(value), np.nan)
        measures |= {"population": self.population[c, k], "deff": deff, "df": degrees, "cv": cv}
        return pd.DataFrame(table | measures).astype({name: "str" for name in ["breakdown", *dimensions]}), replicates

    def _simple(self, is_total: np.ndarray) -> np.ndarray:
        """Variance of a simple random sample, cells x statistics."""
        y, x = np.split(self.sums[:, 0], 2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio, base = np.where(is_total, 0.0, y / x), np.where(is_total, 1.0, x)
            yy, yx, xx = self.squares
            squares, left = yy - 2 * ratio * yx + ratio**2 * xx, y - ratio * x
            at_scale = np.array(self.weight > POPULATION_SCALE * self.cases)
            return simple_random_variance(self.n, self.population, squares, left, at_scale) / base**2


class _Quantiles:
    """Quantiles under the full weight, per cell and column, and the distribution functions they were read from."""

    def __init__(self, reader: Reader, breakdown: tuple[str, ...], keys: np.ndarray) -> None:
        values, weight, codes = reader.quantile_values
        self.columns = list(values)
        self.estimate = np.full((len(keys), len(reader.names)), np.nan)
        self.functions: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}
        cell = np.searchsorted(keys, reader.key(codes, breakdown, len(weight))) if values else np.empty(0)
        for k, x in values.items():
            q = reader.statistics[k].q  # type: ignore[union-attr]
            order = np.lexsort((x, cell))
            order = order[~np.isnan(x[order]) & (weight[order] > 0)]
            bounds = np.searchsorted(cell[order], np.arange(len(keys) + 1))
            for c in np.flatnonzero(np.diff(bounds)).tolist():
                members = order[bounds[c] : bounds[c + 1]]
                cumulative = np.cumsum(weight[members])
                self.functions[c, k] = x[members], cumulative / cumulative[-1]
                self.estimate[c, k] = self.inverse(c, k, q)

    def at_or_below(self, c: int, y: np.ndarray, known: np.ndarray) -> np.ndarray:
        """``y`` with each quantile's column replaced by 1 at or below the quantile of cell ``c``, otherwise 0."""
        if self.columns:
            y = y.copy()
            y[:, self.columns] = known[:, self.columns] & (y[:, self.columns] <= self.estimate[c, self.columns])
        return y

    def inverse(self, c: int, k: int, p: float) -> float:
        """The smallest value whose cumulative share reaches ``p``; NaN outside 0..1."""
        if not 0 <= p <= 1:
            return np.nan
        x, share = self.functions[c, k]
        return float(x[min(int(np.searchsorted(share, p - SAME)), len(x) - 1)])


def _deviations(replicates: np.ndarray, value: np.ndarray, rscales: np.ndarray, mse: bool) -> tuple[np.ndarray, np.ndarray]:
    """Deviations of results x replicates (0 where not defined), and which are defined."""
    known = ~np.isnan(replicates)
    centre = value
    if not mse:
        used = known & (rscales > 0)
        centre = np.where(used, replicates, 0.0).sum(axis=1) / np.maximum(used.sum(axis=1), 1)
    with np.errstate(invalid="ignore"):
        return np.where(known, replicates - centre[:, None], 0.0), known


def _standard_errors(replicates: np.ndarray, value: np.ndarray, scale: float, rscales: np.ndarray, mse: bool) -> np.ndarray:
    deviation, known = _deviations(replicates, value, rscales, mse)
    with np.errstate(invalid="ignore"):
        variance = scale * (deviation**2 @ rscales)
    return np.sqrt(np.where(known.any(axis=1) & np.isfinite(variance), variance, np.nan))
