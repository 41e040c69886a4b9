"""How far each group is from everybody: the standard error of a cell's value less that of the whole population.

Belongs here: differences between a part and the whole it belongs to. Not here: differences of groups without a common respondent
(``gaps``), which groups are furthest behind (``furthest_behind``).
"""

from __future__ import annotations

import numpy as np

from rga.survey.estimation import Part
from rga.survey.variance import Answered, finished


def se_from_total(part: Part, everybody: Part, is_total: np.ndarray) -> np.ndarray:
    """Standard error of the value of each cell of ``part`` less that of ``everybody``: surveys x cells x statistics.

    The difference of two ratios on one sample has the linearised values z_g - z, z_g being 0 outside the group (Wolter 2007,
    ch. 6); its variance is that of any linearised value, calibration residuals and lonely PSUs included. For respondents who are a
    PSU each, sum z_g z = sum over the group of w^2 (y - R_g x)(y - R x) / (X_g X). R: the standard error of ``svytotal`` of
    z_g - z. NaN for totals (``is_total``), where the group is everybody, and where it says
    nothing of its own error: no se, or all answers alike.
    """
    ratio, of_all = np.nan_to_num(part.value), np.nan_to_num(everybody.value)
    products = np.zeros(0)
    if part.products:
        survey = part.sample.survey[part.sample.alone]
        yy, yx, xx = part.products
        a, b = ratio[survey], of_all[survey]
        products = (yy - (a + b) * yx + a * b * xx) / (part.base * everybody.base)[survey]
    raw = part.deviations.variance_from(everybody.deviations, products)
    answered = Answered.of(part.sample, everybody.answered)
    shape = raw.shape
    wide = Answered(*(np.broadcast_to(counts, shape) for counts in vars(answered).values()))
    variance, _ = finished(raw, wide, part.sample.average)
    unknown = np.isnan(part.se) | (part.se == 0) | is_total | (part.n == everybody.n)
    return np.where(unknown, np.nan, np.sqrt(variance))
