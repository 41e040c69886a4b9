"""How much being a woman shifts an outcome, others held equal: the average marginal effect, with its influence values.

Belongs here: predictions under both sexes, averaged over the sample. Not here: the fit (``glm``), variances (``multistage``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rga.survey.glm import Fits
from rga.survey.model_matrix import WOMAN


@dataclass(frozen=True)
class Effects:
    """Per outcome: ``value`` (K), its influence values ``z`` (respondents x K), which add up, to first order, to its error."""

    value: np.ndarray
    z: np.ndarray


def effect_of_being_a_woman(fits: Fits) -> Effects:
    """The mean over the base, women and men, of p(woman, x_i) - p(man, x_i) (Graubard and Korn 1999, predictive margins).

    With d_i that difference and a_i the respondent's share of the base's weight, theta = sum a_i d_i, and

        z_i = a_i (d_i - theta) + (d theta / d b)' I^-1 a_i (y_i - mean_i) x_i,

    the first part for averaging over a sample, the second for the coefficients. The respondents are the sample's, not a fixed
    population: leaving the first part out understates the error.
    """
    share, link = fits.share, fits.link
    shift = fits.coefficients[:, WOMAN]
    as_man = fits.eta - fits.x[:, [WOMAN]] * shift
    men, women = link.mean(as_man), link.mean(as_man + shift)
    value = (share * (women - men)).sum(axis=0)
    slope_men, slope_women = link.slope(men), link.slope(women)
    gradient = (share * (slope_women - slope_men)).T @ fits.x
    gradient[:, WOMAN] = (share * slope_women).sum(axis=0)
    return Effects(value, share * (women - men - value) + fits.through_coefficients(gradient))
