"""Weighted estimates of a population with their standard errors and degrees of freedom, from sums.

Belongs here: shares, means, ratios and totals in every cell of a breakdown, and what differences between cells need. Not here:
those differences (``gaps``), tables (``tables``), publication rules.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.survey.calibrated_variance import residuals
from rga.survey.design import MISSING, LonelyPsu, breakdown_name, lonely_psu_of
from rga.survey.grouping import Places, as_slice, sum_by
from rga.survey.sums import Crossing, Sums
from rga.survey.variance import Answered, Deviations, Sample, check_lonely, finished

# Weights that add up to more than this many times the respondents count people rather than respondents.
POPULATION_SCALE = 2.0
ROUNDING = 1e-9
PART = 400_000  # numbers in a matrix of PSUs x cells x statistics: what a processor's cache holds is done soonest


@dataclass(frozen=True)
class Part:
    """Estimates of some surveys in one breakdown: arrays surveys x cells x statistics.

    ``surveys`` numbers the surveys, ``codes`` the category of each dimension in each cell. ``value`` is NaN where ``n`` is 0, and
    of shares that negative weights bring out of 0..1.
    ``simple``: the variance of a simple random sample of that size. ``answered`` counts the PSUs with an answer, rows of ``sample``
    x cells x statistics. ``base`` is what sums are divided by (1 for totals); ``products`` are sums of w^2 y y, w^2 y x and w^2 x x
    in rows of respondents who are alone, those rows x cells x statistics.
    """

    surveys: range
    codes: dict[str, np.ndarray]
    n: np.ndarray
    numerator_n: np.ndarray
    population: np.ndarray
    value: np.ndarray
    simple: np.ndarray
    se: np.ndarray
    df: np.ndarray
    raw: np.ndarray
    sample: Sample
    deviations: Deviations
    answered: np.ndarray
    base: np.ndarray
    products: tuple[np.ndarray, ...]


def with_rules(sums: Sums, lonely_psu: Mapping[str, LonelyPsu] | LonelyPsu) -> pd.DataFrame:
    """The strata of ``sums`` with each survey's rule for lonely PSUs. Raises InputError under `fail` where one is lonely."""
    rules = {survey_id: lonely_psu_of(survey_id, lonely_psu) for survey_id in sums.surveys}
    strata = sums.strata.assign(lonely_psu=sums.strata["survey_id"].map(rules).astype(object))
    check_lonely(strata[strata["lonely_psu"] == "fail"])
    return strata


def parts(sums: Sums, breakdown: tuple[str, ...], strata: pd.DataFrame) -> Iterator[Part]:
    """Estimates in one breakdown, some surveys at a time: of those who asked for all of its dimensions."""
    if breakdown not in sums.crossings:
        raise ValueError(f"breakdown {breakdown_name(breakdown)} is not among those that were summed")
    crossing = sums.crossings[breakdown]
    survey = sums.psus["survey"][crossing.psu]
    columns = {name: strata[name].to_numpy() for name in ("psus", "fraction", "lonely_psu")}
    kept = np.ones(len(survey), dtype=bool)
    for name in breakdown:
        known = (sums.categories[name] != MISSING)[crossing.codes[name]]
        kept &= (np.bincount(survey, weights=known, minlength=len(sums.surveys)) > 0)[survey]
    groups = np.flatnonzero(kept)
    for surveys in _portions(sums, survey[groups]):
        first, last = np.searchsorted(survey[groups], [surveys.start, surveys.stop])
        if first < last:
            yield _part(sums, crossing, groups[first:last], Sample.of(sums, columns, surveys), surveys, breakdown)


def whole(sums: Sums, part: Part, strata: pd.DataFrame) -> Part:
    """Everybody in the surveys of ``part``: the breakdown `total` on the same rows."""
    crossing, columns = sums.crossings[()], {name: strata[name].to_numpy() for name in ("psus", "fraction", "lonely_psu")}
    survey = sums.psus["survey"][crossing.psu]
    groups = np.arange(*np.searchsorted(survey, [part.surveys.start, part.surveys.stop]))
    return _part(sums, crossing, groups, Sample.of(sums, columns, part.surveys), part.surveys, ())


def _portions(sums: Sums, survey: np.ndarray) -> Iterator[range]:
    """Surveys that follow one another, as many as make a ``PART``."""
    count = len(sums.surveys)
    psus = np.bincount(sums.psus["survey"], minlength=count)
    groups = np.bincount(survey, minlength=count)
    size, start = 0, 0
    for number in range(count):
        cells = groups[number] / max(psus[number], 1)  # a lower bound of its cells
        more = int(psus[number] * max(cells, 10) * len(sums.names))
        if size and size + more > PART:
            yield range(start, number)
            size, start = 0, number
        size += more
    if count:
        yield range(start, count)


@np.errstate(over="ignore", invalid="ignore")  # an infinite answer, or one too large to be squared: not a number in the end
def _part(sums: Sums, crossing: Crossing, groups: np.ndarray, sample: Sample, surveys: range, breakdown: tuple[str, ...]) -> Part:
    """The value is R = sum T / sum X over the PSUs of a cell, T and X the sums of w y and w x; its linearised value per PSU is
    z_c = (T_c - R X_c) / sum X (Wolter 2007, ch. 6). A total's is T_c itself."""
    at, statistics = sums.summands, len(sums.names)
    codes = {name: crossing.codes[name][groups] for name in breakdown}
    key = _key(sums, codes, breakdown, len(groups))
    distinct, first, cell = np.unique(key, return_index=True, return_inverse=True)
    row = crossing.psu[groups] - sample.first_psu
    shape = (len(surveys), len(first), statistics)
    place = sample.survey[row] * len(first) + cell  # in surveys x cells
    weighted = crossing.weighted[as_slice(groups)]
    of_cell = sum_by(place, shape[0] * shape[1], weighted)
    strata, one = np.unique(crossing.stratum_cell[groups], return_index=True)  # of a stratum's PSUs in a cell one stands for all
    counted = crossing.counted[strata]
    counts = sum_by(place[one], len(of_cell), counted)
    n, numerator_n = counts[:, at.known], counts[:, at.y]
    total, divisor, population = (of_cell[:, which] for which in (at.y, at.x, at.known))

    is_share, is_total = sums.is_share, sums.is_total
    with np.errstate(divide="ignore", invalid="ignore"):
        value = total / divisor
    # Exact where all or none say yes, whatever the rounding of the sums.
    value[is_share & (numerator_n == 0)] = 0.0
    value[is_share & (numerator_n == n)] = 1.0
    value[:, is_total] = total[:, is_total]
    value[(n == 0) | ~np.isfinite(value)] = np.nan
    ratio = np.where(is_total, 0.0, np.nan_to_num(value))
    base = np.where(is_total | (divisor == 0), 1.0, divisor)

    def in_psus(of_groups: np.ndarray) -> np.ndarray:
        """Groups x statistics as PSUs x cells x statistics: 0 where a PSU has nobody in the cell."""
        dense = np.zeros((len(sample.survey) * len(first), statistics))
        dense[row * len(first) + cell] = of_groups
        return dense.reshape(len(sample.survey), len(first), statistics)

    z = weighted[:, at.y] * (1 / base)[place]
    z -= weighted[:, at.x] * (ratio / base)[place]
    own, products = None, ()
    if crossing.squared is not None and sample.alone.any():
        squared, r = crossing.squared[groups], ratio[place]
        yy, yx, xx = (squared[:, which] for which in (at.yy, at.yx, at.xx))
        own = in_psus((yy - 2 * r * yx + r**2 * xx) / base[place] ** 2)[sample.alone]
        products = tuple(in_psus(sums_of)[sample.alone] for sums_of in (yy, yx, xx))
    present = weighted if crossing.squared is None else crossing.squared[groups]
    answered = (present[:, at.known] > 0).astype(np.float64)
    if sample.alone.any():
        alone = sample.alone[row]
        answered[alone] = crossing.counted[:, at.known][crossing.stratum_cell[groups[alone]]]
    psu_z, fitted = in_psus(z), []
    if crossing.by_margin:
        of_margins = _key(sums, crossing.by_margin.codes, breakdown, len(crossing.by_margin.joint))
        near = np.minimum(np.searchsorted(distinct, of_margins), len(distinct) - 1)
        margin_cell = np.where(distinct[near] == of_margins, near, -1)
        left = residuals(sums, crossing.by_margin, margin_cell, sample, surveys, psu_z, ratio.reshape(shape), base.reshape(shape))
        psu_z, fitted = left.z, left.alone
    deviations = Deviations(sample, psu_z, own, fitted)
    answers = in_psus(answered)
    raw = deviations.variance()
    variance, df = finished(raw, Answered.of(sample, answers), sample.average, is_total)

    n, numerator_n, population, value = (np.reshape(array, shape) for array in (n, numerator_n, population, value))
    numerator_n = np.where(is_share, numerator_n, 0)
    se = np.where(is_share & ((value == 0) | (value == 1)), 0.0, np.sqrt(variance))
    value[is_share & no_share(value)] = np.nan
    se[np.isnan(value) | np.isinf(se)] = np.nan
    yy, yx, xx = (of_cell[:, which] for which in (at.yy, at.yx, at.xx))
    squares, left = yy - 2 * ratio * yx + ratio**2 * xx, total - ratio * divisor
    at_scale = (sums.total_weight[surveys] > POPULATION_SCALE * sums.cases[surveys])[:, None, None]
    simple = simple_random_variance(n, population, squares.reshape(shape), left.reshape(shape), at_scale)
    simple /= base.reshape(shape) ** 2
    of_first = {name: code[first] for name, code in codes.items()}
    parted = (sample, deviations, answers, base.reshape(shape), products)
    return Part(surveys, of_first, n, numerator_n, population, value, simple, se, df, raw, *parted)


def no_share(value: np.ndarray) -> np.ndarray:
    """Which shares negative weights have brought out of 0..1, and say nothing."""
    return (value < -ROUNDING) | (value > 1 + ROUNDING)


def _key(sums: Sums, codes: Mapping[str, np.ndarray], breakdown: tuple[str, ...], size: int) -> np.ndarray:
    """One number for each combination of categories."""
    key = np.zeros(size, dtype=np.int64)
    for name in breakdown:
        key = key * len(sums.categories[name]) + codes[name]
    return key


def simple_random_variance(
    n: np.ndarray, population: np.ndarray, squares: np.ndarray, total: np.ndarray, at_scale: np.ndarray
) -> np.ndarray:
    """Variance of the sum of w u, were the cell's ``n`` a simple random sample: W (sum w u^2 - (sum w u)^2 / W) / (n - 1), W being
    the cell's ``population``; times 1 - n/W where weights count people (``at_scale``; R ``svymean(deff = TRUE)``), else that with
    replacement.

    ``squares`` and ``total`` are the sums of w u^2 and of w u. For a share it is p (1 - p) / (n - 1).
    """
    weight = np.maximum(population, 1e-300)
    finite = np.where(at_scale & (population > n), 1 - n / weight, 1.0)
    whole, around = weight * squares, weight * squares - total**2
    around = np.where(around > 1e-13 * whole, around, 0.0)  # where all are alike, a difference of equals
    return around / np.maximum(n - 1, 1) * finite


def union(sample: Sample, answered: np.ndarray, left: Places, right: Places) -> Answered:
    """PSUs and strata with an answer in either of two cells. Respondents who are alone are in one of them only."""
    one, other = answered[:, left], answered[:, right]
    psus = np.maximum(one, other)
    psus[sample.alone] = one[sample.alone] + other[sample.alone]
    return Answered.of(sample, psus)
