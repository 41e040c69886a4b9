"""How results, and gaps between women and men, changed from one round to a later one.

Belongs here: changes of independent and of linked samples, with their tests. Not here: which rounds may be compared, how linked
rounds come to be one table (``linked``), tables that are published.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.survey.blas import one_blas_thread
from rga.survey.data import Data, quoted
from rga.survey.design import MEN, MISSING, OTHER, SEX, TOTAL, WOMEN, Design, breakdown_name
from rga.survey.grouping import sum_by
from rga.survey.intervals import t_interval
from rga.survey.linearisation import ROUNDING
from rga.survey.linked import ROUND, ROUNDS
from rga.survey.sample import ROW, TABLE, Sample, sample_of
from rga.survey.statistics import Distribution, Quantile, Share, Statistic, Total, Values

LEVEL, GAP = "level", "gap"
MEASURES = ["earlier", "later", "se", "df", "n_earlier", "n_later", "overlap"]
THREADS = 2


def independent_change(
    se_earlier: np.ndarray, df_earlier: np.ndarray, se_later: np.ndarray, df_later: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Standard error and degrees of freedom of a difference between two samples that share nobody.

    se^2 = v1 + v2, df = (v1 + v2)^2 / (v1^2/df1 + v2^2/df2) (Satterthwaite 1946; Welch 1947), which is between the smaller of the
    two and their sum: PSUs minus strata of both rounds together, as R counts a stacked design, would let a large unclustered round
    vouch for a clustered one with few PSUs. The sum where neither varies; 0 where one that varies has no degrees of freedom.
    """
    v1, v2 = np.square(se_earlier, dtype=np.float64), np.square(se_later, dtype=np.float64)
    df1, df2 = (np.asarray(df, dtype=np.float64) for df in (df_earlier, df_later))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = [np.where(v > 0, v**2 / df, 0.0) for v, df in ((v1, df1), (v2, df2))]
        df = np.where(v1 + v2 > 0, (v1 + v2) ** 2 / (terms[0] + terms[1]), df1 + df2)
    return np.sqrt(v1 + v2), df


def inference(change: np.ndarray, se: np.ndarray, df: np.ndarray) -> dict[str, np.ndarray]:
    """ci_low, ci_high (95 %) and the two-sided p_value of no change, by t(df); NaN where se is 0 or there is no df."""
    df = np.asarray(df, dtype=np.float64)
    spread = np.where(np.asarray(se) > 0, se, np.nan)
    low, high = t_interval(change, spread, df)
    p_value = np.where(df > 0, 2 * stdtr(np.where(df > 0, df, 1.0), -np.abs(np.asarray(change) / spread)), np.nan)
    return {"ci_low": low, "ci_high": high, "p_value": p_value}


@one_blas_thread
def linked_changes(
    data: Data, design: Design, statistics: Sequence[Statistic], breakdowns: Sequence[tuple[str, ...]], n_min: int = 1
) -> pd.DataFrame:
    """Every statistic in every cell of ``breakdowns``, and every gap, in both rounds of one table, with the error of the change.

    ``data`` has the respondents of both rounds (`rga.survey.linked.linked_rounds` stacks them): column `round` says `earlier` or
    `later`, and a PSU (a person, where people are linked) has the same stratum and PSU in both. Each round is then a domain of one
    sample, and the change has influence values z_i(later) - z_i(earlier), so that its variance holds every covariance between
    the rounds: v1 + v2 - 2 c12 for a level, all of women and men in both rounds for a gap (Kish 1965, section 12.4; Wood 2008;
    R ``svycontrast`` on a stacked design).

    A frame: measure (`level`; `gap`: women minus men, without sex), indicator, category, breakdown, one column per dimension (`_T`
    where not broken down), earlier, later, se, df (PSUs minus strata among those with an answer in either round), n_earlier,
    n_later (respondents who answered) and overlap (PSUs, or persons, with an answer in both). Only cells of known categories with
    ``n_min`` respondents in each round, and an answer in both. se is NaN where a round's own is. Raises as
    `rga.survey.sample.sample_of`; ValueError for quantiles.
    """
    if any(isinstance(statistic, Quantile) for statistic in statistics):
        raise ValueError("changes of quantiles are contrasts of `jointly`")
    with sample_of(data, design) as sample:
        stacked = _Stacked.of(sample, statistics, list(dict.fromkeys(name for by in breakdowns for name in by)))
        with ThreadPoolExecutor(THREADS) as pool:  # NumPy lets go of the interpreter while it computes
            rows = [row for found in pool.map(lambda by: list(stacked.changes(by, n_min)), breakdowns) for row in found]
    dimensions = list(stacked.codes)
    keys = pd.DataFrame([key for key, _ in rows], columns=["measure", "breakdown", *dimensions])
    width = len(stacked.values.names)
    names = pd.DataFrame(stacked.values.names, columns=["indicator", "category"])
    frame = keys.loc[keys.index.repeat(width)].reset_index(drop=True)
    frame = pd.concat(
        [frame[["measure"]], pd.concat([names] * len(rows), ignore_index=True), frame.drop(columns="measure")], axis=1
    )
    for name in MEASURES:
        frame[name] = np.concatenate([measures[name] for _, measures in rows]) if rows else np.zeros(0)
    answered = (frame["n_earlier"] > 0) & (frame["n_later"] > 0)
    return frame[answered].reset_index(drop=True).astype(dict.fromkeys(["df", "n_earlier", "n_later", "overlap"], np.int64))


@dataclass(frozen=True)
class _Cell:
    """One domain in one round: per statistic ``value``, ``n`` and ``known`` (has it a standard error?); units x statistics:
    ``z``, influence values, and ``inside``, whether the unit has an answer; ``onto``, what margins know of ``z``."""

    value: np.ndarray
    n: np.ndarray
    known: np.ndarray
    z: np.ndarray
    onto: np.ndarray
    inside: np.ndarray

    def __sub__(self, other: _Cell) -> _Cell:
        """The gap between two domains."""
        n = np.where((self.n > 0) & (other.n > 0), self.n + other.n, 0)
        known, inside = self.known & other.known, self.inside | other.inside
        return _Cell(self.value - other.value, n, known, self.z - other.z, self.onto - other.onto, inside)


@dataclass(frozen=True)
class _Stacked:
    """Both rounds as arrays. ``codes`` are categories of each dimension, respondents long; ``terms``, respondents x three times
    the statistics, are w y, w x and whether she or he answered; ``explained`` is summed by unit."""

    sample: Sample
    values: Values
    rounds: tuple[np.ndarray, np.ndarray]
    codes: dict[str, pd.Categorical]
    unit: np.ndarray
    terms: np.ndarray
    onto: np.ndarray
    explained: np.ndarray

    @classmethod
    def of(cls, sample: Sample, statistics: Sequence[Statistic], dimensions: list[str]) -> _Stacked:
        columns = ", ".join(f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" for name in [ROUND, *dimensions])
        frame = sample.con.execute(f"SELECT {columns} FROM {TABLE} ORDER BY {ROW}").df()
        codes = {name: pd.Categorical(frame[name].fillna(MISSING)) for name in dimensions}
        earlier, later = (np.flatnonzero(frame[ROUND].to_numpy(dtype=object) == name) for name in ROUNDS)
        onto, explained = sample.projection
        values, weight = sample.values(list(statistics)), sample.weight[:, None]
        terms = np.hstack([weight * values.y, weight * values.x, values.known & (weight != 0)])
        return cls(sample, values, (earlier, later), codes, sample.stages.unit, terms, onto, explained)

    def changes(self, by: tuple[str, ...], n_min: int) -> Iterator[tuple[tuple[str, ...], dict[str, np.ndarray]]]:
        """Measure, breakdown and category of each dimension; and the measures of every statistic there."""
        name, others = breakdown_name(by), [dimension for dimension in by if dimension != SEX]
        waiting: dict[tuple[str, ...], dict[str, tuple[_Cell, _Cell]]] = {}
        for cell in self._cells(by, n_min):
            categories = dict(zip(by, cell, strict=True))
            rounds = self._estimate(categories, 0), self._estimate(categories, 1)
            yield (LEVEL, name, *(categories.get(dimension, TOTAL) for dimension in self.codes)), self._change(*rounds)
            without = tuple(categories[dimension] for dimension in others)
            if categories.get(SEX) in (WOMEN, MEN) and OTHER not in without:
                pair = waiting.setdefault(without, {})
                pair[categories[SEX]] = rounds
                if len(pair) == 2:
                    categories = categories | {SEX: TOTAL}
                    of_gap = self._change(*(women - men for women, men in zip(pair[WOMEN], pair[MEN], strict=True)))
                    yield (GAP, name, *(categories.get(dimension, TOTAL) for dimension in self.codes)), of_gap
                    del waiting[without]

    def _cells(self, by: tuple[str, ...], n_min: int) -> list[tuple[str, ...]]:
        """Combinations of known categories that so many have in each round."""
        if not by:
            return [()]
        found = [Counter(zip(*(self.codes[name][rows] for name in by), strict=True)) for rows in self.rounds]
        return sorted(cell for cell, n in found[0].items() if MISSING not in cell and min(n, found[1][cell]) >= n_min)

    def _estimate(self, categories: dict[str, str], number: int) -> _Cell:
        """As `rga.survey.linearisation.influence`, of which this is the case of one domain and no quantile, many times over."""
        rows = self.rounds[number]
        for name, code in categories.items():
            rows = rows[self.codes[name].codes[rows] == self.codes[name].categories.get_loc(code)]
        terms, kinds = self.terms[rows], self.values.statistics
        numerator, denominator, n = np.split(terms.sum(axis=0), 3)
        y, x, answered = np.split(terms, 3, axis=1)
        units = len(self.explained)
        inside = sum_by(self.unit[rows], units, answered) > 0
        is_share, is_total = (np.array([isinstance(s, kind) for s in kinds], bool) for kind in (Share | Distribution, Total))
        scale = np.where(is_total | (denominator == 0), 1.0, denominator)
        value = np.where((n == 0) | ((denominator == 0) & ~is_total), np.nan, numerator / scale)
        slope = np.where(is_total | np.isnan(value), 0.0, value)
        bound = is_share & ((value == 0) | (value == 1))
        of_rows = (y - slope * x) / scale
        of_rows[:, bound | self._alike(rows, slope, ~is_share & ~is_total)] = 0.0  # no variance, nor rounding in its place
        z, onto = sum_by(self.unit[rows], units, of_rows), self.onto[rows].T @ of_rows
        known = ~np.isnan(value) & (~self.sample.stages.silent(inside, ~is_total) | bound)
        return _Cell(value, n, known, z, onto, inside)

    def _alike(self, rows: np.ndarray, slope: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Of the statistics ``which``, those of which every respondent has the same y / x."""
        found = which.copy()
        if which.any():
            y, x = self.values.y[np.ix_(rows, which)], slope[which] * self.values.x[np.ix_(rows, which)]
            found[which] = (np.abs(y - x) <= ROUNDING * (np.abs(y) + np.abs(x))).all(axis=0)
        return found

    def _change(self, earlier: _Cell, later: _Cell) -> dict[str, np.ndarray]:
        either = earlier.inside | later.inside
        residual = later.z - earlier.z
        residual -= self.explained @ (later.onto - earlier.onto)
        variance = self.sample.stages.variance(residual, either)
        return {
            "earlier": earlier.value, "later": later.value, "n_earlier": earlier.n, "n_later": later.n,
            "se": np.where(earlier.known & later.known, np.sqrt(variance), np.nan),
            "df": self.sample.stages.df(either), "overlap": (earlier.inside & later.inside).sum(axis=0),
        }  # fmt: skip
