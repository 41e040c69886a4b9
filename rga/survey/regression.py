"""One survey regression for a notebook: coefficients, adjusted gap and decomposition, with design-based errors.

Belongs here: the public call, and the covariance of coefficients. Not here: fits (``glm``), the many regressions of a survey
(``adjustment``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from rga.survey.adjustment import ANY, Limits, Model, Outcome, model, results, without_rounding
from rga.survey.blas import one_blas_thread
from rga.survey.data import Data
from rga.survey.design import Design
from rga.survey.sample import sample_of


@dataclass(frozen=True)
class Regression:
    """``status`` (`rga.survey.adjustment.STATUSES`) and ``reason``; tables are empty where there is no estimate.

    ``coefficients``: by term, value, se, ci_low, ci_high, df, p_value; ``covariance`` of them, in that order. ``gaps``: `gap`,
    `adjusted_gap` (the average marginal effect of being a woman) and `composition`, then each covariate's part of the composition,
    with the same columns. Shares are proportions. ``n`` respondents of positive weight in the base.
    """

    status: str
    reason: str
    n: int
    coefficients: pd.DataFrame
    covariance: np.ndarray
    gaps: pd.DataFrame


@one_blas_thread
def regress(
    data: Data,
    design: Design,
    outcome: Outcome,
    covariates: Sequence[str] = (),
    domain: Mapping[str, Any] | None = None,
    limits: Limits = ANY,
) -> Regression:
    """Regress ``outcome`` on being a woman (column `sex`, F or M) and on ``covariates``; logistic of a share, linear of a mean.

    Covariates of text are categories (missing is one, `_U`; the largest is the reference), numbers are taken as they are, and must
    be known. ``domain`` narrows as in `rga.survey.joint.Result`; the design stays whole. Coefficients and covariance are
    those of R ``svyglm`` (``quasibinomial``, ``gaussian``; Binder 1983), also under calibration, and so are their df: PSUs minus
    strata + 1 minus coefficients. Gaps have PSUs minus strata. Raises as `rga.survey.joint.jointly`.
    """
    with sample_of(data, design) as sample:
        inside = sample.domains([domain])[:, 0] if domain else None
        found = model(sample, [outcome], covariates, limits=limits, domain=inside)
        adjustment = found.adjustment
        if not adjustment.fitted:
            empty = pd.DataFrame()
            return Regression(adjustment.status[0], adjustment.reason[0], int(adjustment.n[0]), empty, np.zeros((0, 0)), empty)
        coefficients, covariance = _coefficients(found)
        gaps = results(found).set_index("effect").drop(columns="outcome").rename_axis(None)
        return Regression(adjustment.status[0], adjustment.reason[0], int(adjustment.n[0]), coefficients, covariance, gaps)


def _coefficients(found: Model) -> tuple[pd.DataFrame, np.ndarray]:
    fits, sample = found.fits, found.sample
    own = np.flatnonzero(fits.used[0])
    score = fits.share * (fits.y - fits.mean) * (fits.x @ fits.basis[0])[:, own]
    value, z = fits.coefficients[0, own], score @ np.linalg.inv(fits.information[0][np.ix_(own, own)])
    scale = np.abs(fits.y).max(axis=0, initial=0.0) if fits.link.family == "linear" else np.ones(1)
    value, z = without_rounding(value, z, scale)
    units = found.matrix.units[np.ix_(own, own)]
    value, z = units @ value, z @ units.T
    one = found.uncertainty
    inside = np.repeat(one.inside, len(own), axis=1)
    covariance = sample.stages.covariance(sample.residuals(z), inside)
    several = type(one)(sample, np.repeat(one.base, len(own), axis=1))
    table = several.table(value, [z], several.df + 1 - len(own))
    table.index = pd.Index([found.matrix.names[column] for column in own], name="term")
    return table, covariance
