"""What calibration takes away from linearised values: the part that the margins explain.

Belongs here: fitted values of linearised values on the margins, from sums. Not here: fitting weights (``calibration``), what the
margins owe to the sample itself (``held_shares``), variances.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rga.survey.grouping import Places, sum_by
from rga.survey.held_shares import of_margins
from rga.survey.sums import ByMargin, Sums
from rga.survey.variance import Alone, Sample


@dataclass(frozen=True)
class Residuals:
    """``z`` less the fitted part, PSUs x cells x statistics, and what rows that are alone need."""

    z: np.ndarray
    alone: list[Alone]


def residuals(
    sums: Sums,
    by_margin: ByMargin,
    cell: np.ndarray,
    sample: Sample,
    surveys: range,
    z: np.ndarray,
    ratio: np.ndarray,
    base: np.ndarray,
) -> Residuals:
    """Residuals of ``z`` from the margins, in surveys that were calibrated; of the others ``z`` itself.

    With x_j the categories of joint cell j, B = (sum d x x')^+ sum d x z by the weights d before calibration, and h_j = x_j' B, a
    PSU's residual is Z_c - sum_j W_cj h_j, W_cj its sum of final weights in cell j: respondents outside a domain have z = 0 and
    a fitted value all the same (Deville and Särndal 1992, eq. 3.4; R ``calibrate``). Margins take the shares of missing categories
    from the sample, which brings d c_j back for each respondent of cell j (`_fitted`). ``cell`` gives the breakdown's cell of
    each row of ``by_margin``, -1 for none; ``ratio`` and ``base`` (surveys x cells x statistics) make z of sums: (sum y - ratio
    sum x) / base.
    """
    margins = sums.margins
    assert margins is not None
    at, shape = sums.summands, ratio.shape[1:]
    survey = margins.cells[by_margin.joint, 0] - surveys.start
    z, found = z.copy(), []
    for s in range(len(surveys)):
        joint = np.flatnonzero(margins.cells[:, 0] == surveys.start + s)
        here = np.flatnonzero(np.isin(margins.joint, joint))
        size = sum_by(margins.joint[here] - joint[0], len(joint), margins.weights[here])
        if not size[:, 2].any():
            continue
        rows = np.flatnonzero((survey == s) & (cell >= 0))
        place = (by_margin.joint[rows] - joint[0]) * shape[0] + cell[rows]
        y, x = _summed(place, len(joint), shape, by_margin.based[rows], [at.y, at.x])
        fitted = _fitted(margins.cells[joint, 1:], margins.categories, size, (y - ratio[s] * x) / base[s])
        psu = margins.psu[here] - sample.first_psu
        first, last = psu.min(), psu.max() + 1
        weights = np.zeros((last - first, len(joint), 2))
        weights[psu - first, margins.joint[here] - joint[0]] = margins.weights[here, :2]
        z[first:last] -= np.tensordot(weights[:, :, 0], fitted, axes=1)
        for row in np.flatnonzero(sample.alone[first:last]) + first:
            w2 = weights[row - first, :, 1][:, None, None]
            assert by_margin.squared is not None
            of_stratum = by_margin.alone[rows] & (by_margin.stratum[rows] == sample.stratum[row] + sample.first_stratum)
            squared = by_margin.squared[rows[of_stratum]]
            y, x, yy, yx, xx = _summed(place[of_stratum], len(joint), shape, squared, [at.y, at.x, at.yy, at.yx, at.xx])
            total = (y - ratio[s] * x) / base[s]
            mean = np.divide(total, w2, out=np.zeros_like(total), where=w2 > 0)
            squares = (yy - 2 * ratio[s] * yx + ratio[s] ** 2 * xx) / base[s] ** 2
            own = squares - total * mean
            own[own < 1e-13 * squares] = 0.0  # where a margin explains all, this is a difference of equals
            within = mean * np.sqrt(w2)
            around = fitted * np.sqrt(w2) - within
            found.append(Alone(int(row), (own + around**2).sum(axis=0), around, within))
    return Residuals(z, found)


def _summed(place: np.ndarray, joint: int, shape: tuple[int, ...], rows: np.ndarray, which: list[Places]) -> list[np.ndarray]:
    """Sums of ``rows`` in each ``place`` (joint cell and cell), a matrix joint cells x cells x statistics for each of ``which``."""
    total = sum_by(place, joint * shape[0], rows)
    return [total[:, some].reshape(joint, *shape) for some in which]


def _fitted(codes: np.ndarray, categories: tuple[np.ndarray, ...], sizes: np.ndarray, z: np.ndarray) -> np.ndarray:
    """What of each joint cell's z, per unit of w, is known: x_j' B, less what the held shares bring back, d c_j / w.

    ``codes`` are joint cells x margins, ``sizes`` the cells' sums of w, of w^2 and of d, ``z`` those of d z. With B' the derivative
    of a result in the totals of the margins' categories, and ``slope`` that of these totals in the held shares, c_j adds up slope B
    times the influence on each share (``held_shares``). Within a joint cell d is in proportion to w (all but for trimmed weights).
    """
    after, weight = sizes[:, 0], sizes[:, 2]
    starts = np.cumsum([0, *map(len, categories)])
    x = np.zeros((len(codes), starts[-1]))
    for code, start in zip(codes.T, starts, strict=False):
        x[np.arange(len(codes)), start + code] = 1.0
    root = np.sqrt(weight)[:, None]
    # The projection onto root x, by its singular vectors: margins overlap, and so do their columns.
    left, singular, right = np.linalg.svd(x * root, full_matrices=False)
    kept = singular > 1e-10 * singular.max()
    basis = left[:, kept]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = basis.T @ np.where(root > 0, z.reshape(len(z), -1) / root, 0.0)
        fitted = np.where(root > 0, basis @ scaled / root, 0.0)
        held = of_margins(codes, categories, weight, after)
        if held.influence.shape[1]:
            of_shares = (held.slope @ (right[kept].T / singular[kept])) @ scaled
            per_weight = np.where(after != 0, weight / after, 0.0)[:, None]
            fitted -= per_weight * (held.influence @ of_shares)
    return fitted.reshape(z.shape)
