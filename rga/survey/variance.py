"""Taylor-linearised variance with ultimate clusters, for every cell and every statistic of many surveys at once.

Belongs here: squares and products of linearised values over PSUs and strata, lonely PSUs. Not here: what is linearised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.design import WHOLE, shown
from rga.survey.grouping import Places, sum_by
from rga.survey.sums import Sums


@dataclass(frozen=True)
class Sample:
    """The PSUs and strata of some surveys that follow one another, numbered from 0.

    PSUs are rows, sorted by survey and stratum; a row that is ``alone`` stands for ``respondents`` who are a PSU each. ``psus`` are
    those of a stratum in the whole sample, n_h; ``scale`` is (1 - f_h) n_h / (n_h - 1), or what the rule for lonely PSUs puts in
    its place: 1 - f_h under `adjust`, 0 under the others. ``whole``: strata all of whose PSUs are in the sample, which are never
    lonely; ``informs``: strata that the rule does not leave out. ``average``: surveys under that rule.
    """

    first_psu: int
    first_stratum: int
    survey: np.ndarray  # row -> survey
    stratum: np.ndarray  # row -> stratum
    alone: np.ndarray
    respondents: np.ndarray
    first_row_of_survey: np.ndarray
    first_row_of_stratum: np.ndarray
    psus: np.ndarray
    survey_of_stratum: np.ndarray
    whole: np.ndarray
    informs: np.ndarray
    scale: np.ndarray
    average: np.ndarray

    @classmethod
    def of(cls, sums: Sums, strata: Mapping[str, np.ndarray], surveys: range) -> Sample:
        """``strata`` has columns of ``sums.strata``, and `lonely_psu`; ``surveys`` by number."""
        survey, stratum = sums.psus["survey"], sums.psus["stratum"]
        first, last = np.searchsorted(survey, [surveys.start, surveys.stop])
        survey, stratum = survey[first:last] - surveys.start, stratum[first:last]
        of_first = stratum[0] if len(stratum) else 0
        stratum = stratum - of_first
        here = slice(of_first, of_first + (stratum[-1] + 1 if len(stratum) else 0))
        starts = np.flatnonzero(np.diff(stratum, prepend=-1))
        n_h, rule = strata["psus"][here], strata["lonely_psu"][here]
        whole = strata["fraction"][here] > WHOLE
        others = np.bincount(survey[starts], weights=n_h)[survey[starts]] > 1 if len(starts) else whole
        informs = (n_h > 1) | ((rule == "adjust") & others) | whole
        scale = np.where(informs & ~whole, n_h / np.maximum(n_h - 1, 1), 0.0) * (1 - strata["fraction"][here])
        return cls(
            int(first),
            int(of_first),
            survey,
            stratum,
            sums.psus["alone"][first:last],
            sums.psus["respondents"][first:last],
            np.flatnonzero(np.diff(survey, prepend=-1)),
            starts,
            n_h,
            survey[starts],
            whole,
            informs,
            scale,
            (rule == "average")[np.flatnonzero(np.diff(survey[starts], prepend=-1))],
        )

    def by_survey(self, rows: np.ndarray) -> np.ndarray:
        """Sum rows (any shape after the first axis) over surveys."""
        return np.add.reduceat(rows, self.first_row_of_survey, axis=0)

    def products_by_survey(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Sum ``left`` times ``right``, both rows x cells x statistics, over surveys, without an array of the products."""
        ends = [*self.first_row_of_survey[1:], len(left)]
        spans = [slice(*span) for span in zip(self.first_row_of_survey, ends, strict=True)]
        return np.stack([np.einsum("rcs,rcs->cs", left[span], right[span]) for span in spans])

    def by_stratum(self, rows: np.ndarray) -> np.ndarray:
        return np.add.reduceat(rows, self.first_row_of_stratum, axis=0)

    def strata_by_survey(self, strata: np.ndarray) -> np.ndarray:
        return np.add.reduceat(strata, np.searchsorted(self.survey_of_stratum, np.arange(len(self.first_row_of_survey))), axis=0)


@dataclass(frozen=True)
class Alone:
    """What calibration changes in squares and products of a row of respondents who are a PSU each: see ``calibrated_variance``.

    Of joint cell j of the margins, ``within`` has q_j = sum w^2 z / sqrt(sum w^2), ``fitted`` h_j sqrt(sum w^2) - q_j, both joint
    cells x cells x statistics: the sum of w^2 (z_f - h_f)(z_m - h_m) is that of w^2 z_f z_m, plus fitted_f fitted_m - within_f
    within_m. ``own`` is that of w^2 (z - h)^2.
    """

    row: int
    own: np.ndarray
    fitted: np.ndarray
    within: np.ndarray


class Deviations:
    """What linearised values differ by from the mean of their stratum, and so every variance and covariance.

    ``z`` are the PSUs' sums of linearised values, PSUs x cells x statistics; of rows that are alone ``own`` has the sums of
    their squares. With n_h PSUs in stratum h, of which those with nobody in the cell are at 0,

        V = sum_h (1 - f_h) n_h / (n_h - 1) * sum_c (z_hc - mean_h z)^2,          (Wolter 2007, ch. 6; R survey::svyrecvar)

    A stratum with one PSU in the whole sample adds its square around the mean over all PSUs of its survey (`adjust`; 0 for a ratio)
    or nothing.
    """

    def __init__(self, sample: Sample, z: np.ndarray, own: np.ndarray | None, alone: Sequence[Alone] = ()) -> None:
        self.sample = sample
        self._fitted = alone
        n_h = sample.psus
        totals = sample.by_stratum(z)
        mean = totals / n_h[:, None, None]
        lonely = np.flatnonzero(n_h == 1)
        if len(lonely):
            mean[lonely] = _over_the_sample(sample, z)[sample.survey_of_stratum[lonely]]
        root = np.sqrt(sample.scale)[:, None, None]
        # Centred before it is squared: the sum of squares minus the squared sum would lose digits and can turn negative.
        self._psus = mean[sample.stratum]
        np.subtract(z, self._psus, out=self._psus)
        self._psus *= root[sample.stratum]
        self._alone = np.flatnonzero(sample.alone)
        if len(self._alone):
            assert own is not None
            of_row = sample.stratum[self._alone]
            self._psus[self._alone] = 0
            self._scale = sample.scale[of_row][:, None, None]
            self._own, self._z, self._mean = own, z[self._alone], mean[of_row]
            for part in alone:
                self._own[np.searchsorted(self._alone, part.row)] = part.own
            self._size = sample.respondents[self._alone][:, None, None]

    def variance(self) -> np.ndarray:
        """Surveys x cells x statistics, before the rule `average`."""
        found = self.sample.products_by_survey(self._psus, self._psus)
        if len(self._alone):
            squares = self._own - 2 * self._mean * self._z + self._size * self._mean**2
            found += self._of_alone(squares)
        return np.maximum(found, 0.0)

    def covariance(self, left: Places, right: Places) -> np.ndarray:
        """Of the cells ``left[i]`` and ``right[i]``, which have no respondent in common but may have PSUs and strata."""
        found = self.sample.products_by_survey(self._psus[:, left], self._psus[:, right])
        if len(self._alone):
            (z, u), (a, b) = ((array[:, left], array[:, right]) for array in (self._z, self._mean))
            found += self._of_alone(self._size * a * b - b * z - a * u + self._of_margins(left, right))
        return found

    def variance_from(self, other: Deviations, products: np.ndarray) -> np.ndarray:
        """Variance of each cell's value less that of ``other``, the one cell that has everybody, on the same rows: surveys x cells
        x statistics, before the rule `average`. ``products`` are, of rows that are alone, the sums of w^2 z z of the two, z being
        as before calibration."""
        apart = self._psus - other._psus
        found = self.sample.products_by_survey(apart, apart)
        if len(self._alone):
            squares = self._own + other._own - 2 * products
            for row, part, of_all in zip(self._fitted_rows, self._fitted, other._fitted, strict=True):
                squares[row] -= 2 * (part.fitted * of_all.fitted - part.within * of_all.within).sum(axis=0)
            mean = self._mean - other._mean
            found += self._of_alone(np.maximum(squares, 0.0) - 2 * mean * (self._z - other._z) + self._size * mean**2)
        return np.maximum(found, 0.0)

    @property
    def _fitted_rows(self) -> np.ndarray:
        return np.searchsorted(self._alone, [part.row for part in self._fitted])

    def _of_margins(self, left: Places, right: Places) -> np.ndarray | float:
        """What calibration adds to sums of products over respondents who are alone."""
        if not self._fitted:
            return 0.0
        found = np.zeros_like(self._z[:, left])
        for row, part in zip(self._fitted_rows, self._fitted, strict=True):
            found[row] = (part.fitted[:, left] * part.fitted[:, right] - part.within[:, left] * part.within[:, right]).sum(axis=0)
        return found

    def _of_alone(self, squares: np.ndarray) -> np.ndarray:
        sample = self.sample
        surveys = len(sample.first_row_of_survey)
        flat = (self._scale * squares).reshape(len(self._alone), -1)
        return sum_by(sample.survey[self._alone], surveys, flat).reshape(surveys, *squares.shape[1:])


def _over_the_sample(sample: Sample, z: np.ndarray) -> np.ndarray:
    """Mean of z over all PSUs of each survey. A linearised ratio's is 0 but for rounding, and is set to 0."""
    total, size = sample.by_survey(z), sample.by_survey(np.abs(z))
    psus = sample.strata_by_survey(sample.psus)[:, None, None]
    return np.where(np.abs(total) > 1e-12 * size, total, 0.0) / psus


@dataclass(frozen=True)
class Answered:
    """PSUs and strata with an answer in a domain, surveys x domains x statistics; ``counted``: strata that say what varies;
    ``drawn``: strata that are not in the sample whole."""

    psus: np.ndarray
    strata: np.ndarray
    counted: np.ndarray
    drawn: np.ndarray

    @classmethod
    def of(cls, sample: Sample, answered: np.ndarray) -> Answered:
        """``answered`` counts the PSUs of a row with an answer: 0 or 1, or respondents where they are alone."""
        by_stratum = sample.by_stratum(answered)
        has = by_stratum > 0
        among = [has & some[:, None, None] for some in (sample.informs, ~sample.whole)]
        strata = [sample.strata_by_survey(which.astype(np.int64)) for which in (has, *among)]
        return cls(sample.strata_by_survey(by_stratum).astype(np.int64), *strata)


def finished(
    raw: np.ndarray, answered: Answered, average: np.ndarray, is_total: np.ndarray | bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Variance and degrees of freedom (PSUs minus strata) of surveys x domains x statistics; ``average``: surveys under that rule,
    whose lonely strata count as the mean of the domain's others, as R has it.

    Where every stratum of a domain is left out, or one PSU, drawn from others, holds all answers, z says nothing of the variance:
    NaN (R says 0). A total's (``is_total``) does vary with one PSU.
    """
    rescaled = raw * answered.strata / np.maximum(answered.counted, 1)
    variance = np.where(average[:, None, None], rescaled, raw)
    alone = (answered.psus == 1) & (answered.drawn > 0)
    variance[(alone & ~np.asarray(is_total)) | (answered.counted == 0)] = np.nan
    return variance, answered.psus - answered.strata


def check_lonely(strata: pd.DataFrame) -> None:
    """Raise InputError naming every stratum of ``strata`` (survey_id, name, psus, fraction) that has one PSU of several: the rule
    `fail`."""
    lonely = strata[(strata["psus"] == 1) & (strata["fraction"] <= WHOLE)]
    if len(lonely):
        raise InputError(
            [
                Problem(
                    f"{survey_id}: stratum {shown(name)} has only one PSU, which leaves no variance".removeprefix(": "),
                    "merge it with a similar stratum, or choose `lonely_psu: adjust` under `design`",
                    file="survey.yaml",
                    variable="design.stratum",
                )
                for survey_id, name in zip(lonely["survey_id"], lonely["name"], strict=True)
            ]
        )
