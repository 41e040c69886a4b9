"""Gaps between women and men with other circumstances held equal, of many outcomes of one sample.

Belongs here: which outcomes can be adjusted and for what, their fits, and the errors of what follows. Not here: any formula
(``glm``, ``marginal_effects``, ``decomposition``), which covariates make sense (the pipeline).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from rga.survey.data import quoted
from rga.survey.decomposition import decompose
from rga.survey.design import MEN, MISSING, SEX, WOMEN
from rga.survey.glm import Fits, fit
from rga.survey.links import Link
from rga.survey.marginal_effects import effect_of_being_a_woman
from rga.survey.model_matrix import WOMAN, Columns, ModelMatrix, aliased, columns_of, model_matrix
from rga.survey.patterns import Patterns
from rga.survey.sample import ROW, TABLE, Sample
from rga.survey.separation import separating_columns
from rga.survey.statistics import Mean, Share
from rga.survey.uncertainty import Uncertainty

Outcome = Share | Mean
STATUSES = ("ok", "collinear", "too_few", "separation", "not_converged")


@dataclass(frozen=True)
class Limits:
    """What an adjusted gap needs.

    ``women_or_men``: respondents of each sex. ``per_coefficient``: cases (or non-cases, whichever are fewer) per coefficient of a
    logistic regression: below 5 its estimates are off by more than they should be (Vittinghoff and McCulloch 2007). ``category``:
    respondents of a category; thinner ones are pooled. ``missing``: a covariate that a larger part of the base did not answer is
    left out; otherwise missing is a category.
    """

    women_or_men: int = 25
    per_coefficient: float = 5.0
    category: int = 25
    missing: float = 0.10


ROUNDING_ERRORS = 1e-11  # of sums over a survey, relative
ANY = Limits(women_or_men=1, per_coefficient=0.0, category=1, missing=1.0)


@dataclass
class Adjustment:
    """What became of each outcome before a number was computed: K each.

    ``adjusted_for`` and ``left_out`` (with the reason) are words for people; ``per_coefficient`` as in `Limits` (NaN of a mean).
    """

    status: list[str]
    reason: list[str]
    adjusted_for: list[list[str]]
    left_out: list[list[str]]
    n: np.ndarray
    n_women: np.ndarray
    n_men: np.ndarray
    per_coefficient: np.ndarray
    fitted: list[int] = field(default_factory=list)

    def settle(self, k: int, status: str, reason: str) -> None:
        self.status[k], self.reason[k] = status, reason


@dataclass(frozen=True)
class Model:
    """The regressions of one sample: ``fits`` are of the outcomes ``adjustment.fitted``."""

    sample: Sample
    matrix: ModelMatrix
    columns: Columns
    base: np.ndarray
    adjustment: Adjustment
    fits: Fits

    @property
    def uncertainty(self) -> Uncertainty:
        return Uncertainty(self.sample, self.base[:, self.adjustment.fitted])


def model(
    sample: Sample,
    outcomes: Sequence[Outcome],
    covariates: Sequence[str],
    left_out: Mapping[str, Mapping[str, str]] | None = None,
    limits: Limits = Limits(),
    domain: np.ndarray | None = None,
) -> Model:
    """Regress each outcome (shares: logistic; means: linear; all alike) on being a woman and on ``covariates``. Raises ValueError
    where one is named twice, or a number is infinite.

    The base of an outcome is those who answered, women and men whose weight is not 0, in ``domain`` (boolean) where one is given; a
    number among the covariates must be known. ``left_out`` gives, by outcome's code, covariates not to be used and why.
    """
    kinds = {type(outcome) for outcome in outcomes}
    if len(kinds) != 1:
        raise ValueError("outcomes are to be all shares or all means")
    if twice := sorted({name for name in covariates if list(covariates).count(name) > 1}):
        raise ValueError(f"covariates: {', '.join(twice)}: named twice")
    link = Link("logistic" if kinds == {Share} else "linear")
    names = ", ".join(quoted(name) for name in [SEX, *covariates])
    frame = sample.con.execute(f"SELECT {names} FROM {TABLE} ORDER BY {ROW}").df()
    sex, given = frame[SEX].to_numpy(), frame[list(covariates)]
    matrix = model_matrix(sex == WOMEN, given)
    values = sample.values(list(outcomes))
    if infinite := [matrix.names[column] for column in matrix.numbers if np.isinf(matrix.x[:, column]).any()]:
        raise ValueError(f"{', '.join(infinite)}: infinite for some respondents: leave these out")
    endless = np.isinf(np.where(values.known, values.y, 0.0)).any(axis=0)
    if infinite := [outcomes[int(k)].code for k in np.flatnonzero(endless)]:
        raise ValueError(f"{', '.join(infinite)}: infinite for some respondents; make these values missing")
    here = (sample.weight != 0) & ((sex == WOMEN) | (sex == MEN)) & ~np.isnan(matrix.x).any(axis=1)
    base = values.known & (here if domain is None else here & domain)[:, None]
    matrix = matrix.standardised(here)
    y = np.where(base, values.y, 0.0)
    counts = base.astype(np.float64).T @ matrix.x
    codes = [outcome.code for outcome in outcomes]
    taken, refused = _taken(given, base, [(left_out or {}).get(code, {}) for code in codes], limits)
    columns = columns_of(matrix, counts, taken, limits.category)
    n, women = base.sum(axis=0), counts[:, WOMAN].astype(int)
    blank = np.full(len(codes), np.nan)
    adjustment = Adjustment(["ok"] * len(codes), [""] * len(codes), [], [], n, women, n - women, blank)
    patterns = Patterns(matrix.x)
    used = _without_aliased(adjustment, matrix, columns, patterns, base * np.abs(sample.weight)[:, None])
    _say(adjustment, matrix, columns, taken, refused, used)
    _too_few(adjustment, link, y, base, used, limits, sample)
    _one_sided(adjustment, link, matrix, columns, used, y, base)
    _negative(adjustment, base & (sample.weight < 0)[:, None])
    ready = [k for k, status in enumerate(adjustment.status) if status == "ok" or (status == "collinear" and used[k, WOMAN])]
    fits = fit(patterns, y[:, ready], base[:, ready] * sample.weight[:, None], columns.basis[ready], used[ready], link)
    good = _converged(adjustment, ready, fits, matrix, base)
    adjustment.fitted = [ready[i] for i in good]
    return Model(sample, matrix, columns, base, adjustment, fits.only(good))


def results(found: Model) -> pd.DataFrame:
    """Rows of effect, outcome, value, se, ci_low, ci_high, df, p_value. For each effect a row per outcome fitted (its place among
    all): `gap`, `adjusted_gap` and `composition`, then by covariate, with `rga.survey.decomposition.NONLINEAR`, its part of the
    composition."""
    rest = effect_of_being_a_woman(found.fits)
    apart = decompose(found.fits, rest, found.matrix.blocks)
    effects = {"gap": apart.gap, "adjusted_gap": rest, "composition": apart.composition} | apart.parts
    scale = np.abs(found.fits.y).max(axis=0, initial=0.0)
    exact = [without_rounding(effect.value, effect.z, scale) for effect in effects.values()]
    table = found.uncertainty.table(np.concatenate([value for value, _ in exact]), [z for _, z in exact])
    table.insert(0, "effect", np.repeat(np.array(list(effects), dtype=object), len(found.adjustment.fitted)))
    table.insert(1, "outcome", np.tile(np.array(found.adjustment.fitted, dtype=np.int64), len(effects)))
    return table


def without_rounding(value: np.ndarray, z: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """K results and their influence values (respondents x K), 0 where they are no more than rounding errors of numbers of size
    ``scale``: a composition of nothing, or the gap of an answer that everybody gave, would be tested otherwise."""
    silent = np.abs(z).sum(axis=0) <= ROUNDING_ERRORS * scale
    return np.where(np.abs(value) <= ROUNDING_ERRORS * scale, 0.0, value), np.where(silent, 0.0, z)


def _taken(
    given: pd.DataFrame, base: np.ndarray, left_out: list[Mapping[str, str]], limits: Limits
) -> tuple[list[list[str]], list[dict[str, str]]]:
    missing = {str(name): (column.isna() | (column == MISSING)).to_numpy() for name, column in given.items()}
    n = np.maximum(base.sum(axis=0), 1)
    part = {name: gone.astype(np.float64) @ base / n for name, gone in missing.items()}
    taken, refused = [], []
    for k, reasons in enumerate(left_out):
        why = dict(reasons)
        for name in missing:
            if name not in why and missing[name].all():
                why[name] = "not asked"
            elif name not in why and part[name][k] > limits.missing:
                why[name] = f"missing for {100 * part[name][k]:.0f} %"
        taken.append([name for name in missing if name not in why])
        refused.append(why)
    return taken, refused


def _without_aliased(
    adjustment: Adjustment, matrix: ModelMatrix, columns: Columns, patterns: Patterns, weight: np.ndarray
) -> np.ndarray:
    gram = patterns.gram(patterns.sums(weight), columns.basis, columns.used)
    gone = aliased(gram, columns.used)
    for k in map(int, np.flatnonzero(gone.any(axis=1))):
        if gone[k, WOMAN]:
            adjustment.settle(k, "collinear", "sex follows from the covariates: no woman is like any man")
        else:
            names = [matrix.names[column] for column in np.flatnonzero(gone[k])]
            adjustment.settle(k, "collinear", f"dropped, as it follows from the others: {', '.join(names)}")
    return columns.used & ~gone


def _say(
    adjustment: Adjustment,
    matrix: ModelMatrix,
    columns: Columns,
    taken: list[list[str]],
    refused: list[dict[str, str]],
    used: np.ndarray,
) -> None:
    for k, names in enumerate(taken):
        kept = [name for name in names if used[k, matrix.blocks[name]].any()]
        pooled = {name: f" ({' and '.join(levels)} pooled)" for name, levels in columns.pooled[k].items()}
        adjustment.adjusted_for.append([name + pooled.get(name, "") for name in kept])
        alike = columns.constant[k]
        gone = {name: "alike for everybody" if name in alike else "follows from the others" for name in names if name not in kept}
        adjustment.left_out.append([f"{name}: {why}" for name, why in (refused[k] | gone).items()])


def _too_few(
    adjustment: Adjustment, link: Link, y: np.ndarray, base: np.ndarray, used: np.ndarray, limits: Limits, sample: Sample
) -> None:
    width = used.sum(axis=1)
    df = sample.stages.df(sample.stages.by_unit(base))
    if link.family == "logistic":
        cases = np.where(base, y, 0.0).sum(axis=0)
        adjustment.per_coefficient = np.minimum(cases, adjustment.n - cases) / width
    for k in range(len(width)):
        if min(adjustment.n_women[k], adjustment.n_men[k]) < limits.women_or_men:
            adjustment.settle(k, "too_few", f"{adjustment.n_women[k]} women and {adjustment.n_men[k]} men answered")
        elif adjustment.per_coefficient[k] < limits.per_coefficient:
            # Not how many: a count of cases under five is nobody's to know.
            least = f"fewer than {limits.per_coefficient:g} cases, or non-cases, for each of {width[k]} coefficients"
            adjustment.settle(k, "too_few", least)
        elif df[k] + 1 - width[k] < 1:
            adjustment.settle(k, "too_few", f"{df[k]} degrees of freedom for {width[k]} coefficients")


def _one_sided(
    adjustment: Adjustment, link: Link, matrix: ModelMatrix, columns: Columns, used: np.ndarray, y: np.ndarray, base: np.ndarray
) -> None:
    """Find the plain case of separation: a category of whom all, or nobody, has the outcome."""
    if link.family == "linear":
        return
    n, cases = base.astype(np.float64).T @ matrix.x, y.T @ matrix.x
    for k, status in enumerate(adjustment.status):
        if status not in ("ok", "collinear"):
            continue
        size, hits = n[k] @ columns.basis[k], cases[k] @ columns.basis[k]
        alone = used[k] & ((hits == 0) | (hits == size))
        alone[matrix.numbers] = False
        if alone.any():
            adjustment.settle(k, "separation", f"all or nobody of {', '.join(matrix.names[j] for j in np.flatnonzero(alone))}")


def _negative(adjustment: Adjustment, negative: np.ndarray) -> None:
    """With negative weights there is no largest likelihood (R ``svyglm`` refuses them)."""
    for k in map(int, np.flatnonzero(negative.any(axis=0))):
        if adjustment.status[k] in ("ok", "collinear"):
            adjustment.settle(k, "not_converged", "some weights are negative, for which a regression has no solution")


def _converged(adjustment: Adjustment, ready: list[int], fits: Fits, matrix: ModelMatrix, base: np.ndarray) -> list[int]:
    good = []
    for i, k in enumerate(ready):
        if fits.converged[i]:
            good.append(i)
            continue
        own = np.flatnonzero(fits.used[i])
        x = (matrix.x @ fits.basis[i])[base[:, k]][:, own]
        if len(found := separating_columns(x, fits.y[base[:, k], i])):
            names = ", ".join(matrix.names[own[j]] for j in found if own[j] or len(found) == 1)
            adjustment.settle(k, "separation", f"told apart without error by {names}")
        else:
            adjustment.settle(k, "not_converged", "the fit did not settle")
    return good
