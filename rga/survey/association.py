"""Is one categorical variable independent of another? Design-based tests of a two-way table.

Belongs here: the tests of Rao and Scott, and of Wald. Not here: the covariance of the table's cells (``multistage``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import chdtrc, fdtrc

from rga.survey.data import Data
from rga.survey.design import Design
from rga.survey.sample import Domain, sample_of
from rga.survey.statistics import Distribution


@dataclass(frozen=True)
class Independence:
    """A two-way table and the tests of its independence.

    ``table``: estimated shares of the whole, rows x columns; ``n`` respondents of weight other than 0 who answered both; ``df``:
    PSUs minus strata among them. ``tests`` is indexed by name: `F` (Rao-Scott, second order: the one to quote), `Chisq`
    (Rao-Scott, first order), `Wald`, `adjWald`; columns statistic, df1, df2 (infinite for `Chisq`), p_value. NaN means not
    defined: all tests where the table has one row or one column, the sample says nothing of the variance (df 0), the margins know
    the table, or so many cells are empty that no test exists.
    """

    table: pd.DataFrame
    n: int
    df: int
    tests: pd.DataFrame


def independence(
    data: Data,
    design: Design,
    rows: str,
    columns: str,
    universe: str = "",
    domain: Domain | None = None,
) -> Independence:
    """Test whether ``rows`` and ``columns`` (SQL expressions) are independent among those in ``universe`` and ``domain``.

    A respondent with either missing is in neither; a category in which nobody of a weight other than 0 is is left out of the table.
    With P the shares, V their covariance, C contrasts for interaction, D = diag(P), and eigenvalues from
    Delta = (C'D^-1 C / n)^-1 (C'D^-1 V D^-1 C), X^2 Pearson's statistic of the table scaled to n:

        Chisq    X^2 / mean eigenvalue on (r-1)(c-1) df                                  (Rao and Scott 1981)
        F        X^2 / tr Delta, F on d and d df, with d = (tr Delta)^2 / tr(Delta^2)    (Rao and Scott 1984; Thomas and Rao 1987)
        Wald     Y' Var(Y)^-1 Y / q, F on q and df; Y the q = (r-1)(c-1) totals less the product of their margins
        adjWald  Wald (df - q + 1)/df, F on q and df - q + 1                             (Koch, Freeman and Freeman 1975)

    Of calibrated weights V is that of the residuals, of shares and of totals (`rga.survey.sample.Sample.residuals`).
    An empty cell has no weight in D^-1, as in R: ``svychisq`` on the subset of those who answered both. (Given missing answers, R
    4.1-1 counts those who did not answer in n and in df.) The statistic of `Chisq` is reported as it is compared, X^2 / mean
    eigenvalue, where R prints X^2. Raises as `rga.survey.joint.jointly`.
    """
    with sample_of(data, design) as sample:
        both = [
            sample.values([Distribution("", f"({universe.strip() or 'TRUE'}) AND ({other}) IS NOT NULL", variable)])
            for variable, other in ((rows, columns), (columns, rows))
        ]
        inside = sample.domains([domain or {}])[:, 0] & both[0].known.any(axis=1) & (sample.weight != 0)
        weight, stages = sample.weight, sample.stages
    row, column = (np.where(inside[:, None], values.y, 0.0) for values in both)
    seen = [side.sum(axis=0) > 0 for side in (row, column)]
    row, column = row[:, seen[0]], column[:, seen[1]]
    names = [[name for (_, name), kept in zip(v.names, k, strict=True) if kept] for v, k in zip(both, seen, strict=True)]
    r, c = len(names[0]), len(names[1])
    member = (row[:, :, None] * column[:, None, :]).reshape(len(weight), r * c)
    population = weight @ inside
    shares = weight @ member / population if inside.any() else np.zeros(0)
    z = sample.residuals(weight[:, None] * np.where(inside[:, None], member - shares, 0.0) / (population or 1.0))
    answered = np.repeat(stages.by_unit(inside[:, None]), max(r * c, 1), axis=1)
    df = int(stages.df(answered)[0])
    n = int(inside.sum())
    table = pd.DataFrame(shares.reshape(r, c), index=pd.Index(names[0], name="row"), columns=pd.Index(names[1], name="column"))
    tests = pd.DataFrame(np.nan, index=pd.Index(["F", "Chisq", "Wald", "adjWald"], name="test"), columns=TEST_COLUMNS)
    if r > 1 and c > 1 and df > 0 and not stages.silent(answered, np.ones(r * c, dtype=bool)).any():
        _rao_scott(tests, shares.reshape(r, c), stages.covariance(z, answered), n, df)
        totals = sample.residuals(weight[:, None] * member / population)
        _wald(tests, shares.reshape(r, c), stages.covariance(totals, answered), n, df)
    return Independence(table, n, df, tests)


KNOWN = 1e-12  # of a simple random sample's variance: what calibration leaves of a table that it knows
TEST_COLUMNS = ["statistic", "df1", "df2", "p_value"]


def _rao_scott(tests: pd.DataFrame, p: np.ndarray, v: np.ndarray, n: int, df: int) -> None:
    r, c = p.shape
    # Any basis of the interaction space does: sums to zero over rows and over columns.
    contrast = np.kron(_deviations(r), _deviations(c))
    inverse = np.divide(1.0, p.ravel(), out=np.zeros(p.size), where=p.ravel() > 0)
    under_srs = contrast.T @ (inverse[:, None] * contrast) / n
    if np.linalg.matrix_rank(under_srs) < len(under_srs):
        return
    weighted = inverse[:, None] * contrast
    delta = np.linalg.solve(under_srs, weighted.T @ v @ weighted)
    trace, q = float(np.trace(delta)), len(delta)
    expected = np.outer(p.sum(axis=1), p.sum(axis=0))
    x2 = n * float(((p - expected) ** 2 / expected).sum())
    if trace <= KNOWN * q:
        return
    d = trace**2 / float(np.trace(delta @ delta))
    tests.loc["F"] = [x2 / trace, d, d * df, fdtrc(d, d * df, x2 / trace)]
    tests.loc["Chisq"] = [x2 * q / trace, q, np.inf, chdtrc(q, x2 * q / trace)]


def _wald(tests: pd.DataFrame, p: np.ndarray, v: np.ndarray, n: int, df: int) -> None:
    r, c = p.shape
    row, column = p.sum(axis=1), p.sum(axis=0)
    # d(N_ij - N_i. N_.j / N) / d N_kl, as R: totals, whose sum is estimated too.
    same_row, same_column = np.kron(np.eye(r), np.ones((c, c))), np.kron(np.ones((r, r)), np.eye(c))
    product = np.outer(row, column).ravel()[:, None]
    jacobian = np.eye(r * c) - same_row * np.tile(column, r)[:, None] - same_column * np.repeat(row, c)[:, None] + product
    use = np.arange(r * c).reshape(r, c)[1:, 1:].ravel()
    y = (p - np.outer(row, column)).ravel()[use]
    variance = (jacobian @ v @ jacobian.T)[np.ix_(use, use)]
    q = len(use)
    under_srs = (np.diag(p.ravel()) - np.outer(p, p)) / n
    if np.linalg.matrix_rank(variance) < q or np.trace(variance) <= KNOWN * np.trace(under_srs):
        return
    statistic = float(y @ np.linalg.solve(variance, y)) / q
    tests.loc["Wald"] = [statistic, q, df, fdtrc(q, df, statistic)]
    if df - q + 1 > 0:
        statistic *= (df - q + 1) / df
        tests.loc["adjWald"] = [statistic, q, df - q + 1, fdtrc(q, df - q + 1, statistic)]


def _deviations(k: int) -> np.ndarray:
    """A basis (k x k-1) of the vectors that add up to zero."""
    return np.vstack([np.eye(k - 1), -np.ones(k - 1)])
