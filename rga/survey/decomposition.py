"""The gap between women and men, taken apart into composition and the rest (Kitagawa, Oaxaca, Blinder).

Belongs here: gap, composition, and each covariate's part of it, with influence values. Not here: the rest itself, which is the
adjusted gap (``marginal_effects``); variances (``multistage``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rga.survey.glm import Fits
from rga.survey.marginal_effects import Effects
from rga.survey.model_matrix import WOMAN


@dataclass(frozen=True)
class Decomposition:
    """Per outcome: ``gap`` and ``composition``; ``parts``: by covariate, and of what is left to curvature, ``NONLINEAR``."""

    gap: Effects
    composition: Effects
    parts: dict[str, Effects]


NONLINEAR = "nonlinearity"


def decompose(fits: Fits, rest: Effects, blocks: dict[str, np.ndarray]) -> Decomposition:
    """Twofold decomposition of the gap of each outcome; ``rest`` is `effect_of_being_a_woman`, ``blocks`` the columns by covariate.

    The reference is the pooled regression of women and men *with* sex in it: neither sex's own way of turning circumstances into
    outcomes is declared the norm, and what sex does is not credited to circumstances that go with it, as a pooled regression
    without sex would (Jann 2008; Fortin 2008). The canonical link makes fitted and observed means of each sex equal, so with
    C_s = mean over women of p(s, x) - mean over men of p(s, x), and A, B the shares of women and men in the base,

        gap = composition + rest,   composition = A C_man + B C_woman,   rest = mean over all of p(woman, x) - p(man, x).

    In the linear model both C_s are (mean x of women - mean x of men)' b and rest is the coefficient of sex. The part of covariate
    v is

        slope * (mean x_v of women - mean x_v of men)' b_v,   slope = mean of p (1 - p) over the base (1 in the linear model),

    which does not depend on the order of covariates or on reference categories, and stays finite where parts cancel, where the
    weights of Yun (2004), of the same linearisation, divide by nearly 0. What the parts leave of the composition is `NONLINEAR`.
    All influence values follow the coefficients, the means of covariates and the means over the base.
    """
    woman = fits.x[:, WOMAN] > 0.5
    of_women, of_men = (_scaled(np.where(those[:, None], fits.share, 0.0)) for those in (woman, ~woman))
    mean_women, mean_men = (of_women * fits.y).sum(axis=0), (of_men * fits.y).sum(axis=0)
    gap = Effects(mean_women - mean_men, of_women * (fits.y - mean_women) - of_men * (fits.y - mean_men))
    composition = Effects(gap.value - rest.value, gap.z - rest.z)

    mean = fits.mean
    slopes = fits.link.slope(mean)
    slope = (fits.share * slopes).sum(axis=0)
    bend = (fits.share * fits.link.curvature(mean)).T @ fits.x
    slope_z = fits.share * (slopes - slope)
    women_x, men_x, apart = of_women.T @ fits.x, of_men.T @ fits.x, of_women - of_men
    parts = {}
    for name, block in blocks.items():
        b, of_all = fits.coefficients[:, block], (women_x[:, block], men_x[:, block])
        in_women, in_men = ((means * b).sum(axis=1) for means in of_all)
        distance = in_women - in_men
        centred = apart * (fits.x[:, block] @ b.T) - of_women * in_women + of_men * in_men
        gradient = distance[:, None] * bend
        gradient[:, block] += slope[:, None] * (of_all[0] - of_all[1])
        z = slope * centred + distance * slope_z + fits.through_coefficients(gradient)
        parts[name] = Effects(slope * distance, z)
    left = Effects(composition.value.copy(), composition.z.copy())
    for part in parts.values():
        left = Effects(left.value - part.value, left.z - part.z)
    return Decomposition(gap, composition, parts | {NONLINEAR: left})


def _scaled(weight: np.ndarray) -> np.ndarray:
    return weight / np.maximum(weight.sum(axis=0), 1e-300)
