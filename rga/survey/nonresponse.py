"""Those who answered stand for those who did not: adjustment within classes.

Belongs here: classes given, and classes of estimated response propensity. Not here: base weights, calibration to benchmarks.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from rga.errors import InputError, Problem
from rga.survey.design import MISSING, shown

STEPS = 50
NEAR, FAR = 1e-10, 1e3  # of a step, in log odds: the maximum is reached; there is none


@dataclass(frozen=True)
class NonresponseAdjustment:
    """``weights``: adjusted for those who responded, 0 for the others, of the same sum.

    ``classes`` has a row per class: n_sample, n_responded, response_rate (0..1, weighted), factor (one over it). ``response_rate``
    is that of the whole sample, weighted.
    """

    weights: np.ndarray
    classes: pd.DataFrame
    response_rate: float
    notes: list[str]


def weighting_classes(weights: np.ndarray, responded: np.ndarray, cells: pd.DataFrame, min_n: int = 20) -> NonresponseAdjustment:
    """Weights of the sample over those of its respondents, within each crossing of the categories in ``cells``.

    The weighting-class estimator (Särndal and Lundström 2005; Valliant, Dever and Kreuter 2018, chapter 13).
    ``weights`` (of the sample), ``responded`` and ``cells`` have a row per member of the sample; not known is a class of its
    own. A class with fewer than ``min_n`` respondents is pooled with those that differ from it in the last of ``cells`` only; if
    they still have too few, in the last two; and so on. Raises InputError where the whole sample has too few.
    """
    columns = [cells[name].astype(object).where(cells[name].notna(), MISSING).astype(str) for name in cells]
    nested = ["all", *accumulate(columns, lambda left, right: left + "*" + right)] if columns else ["all"]
    levels = [pd.Series(level, index=cells.index) for level in nested]
    label, notes = levels[-1].copy(), []
    for level, coarser in zip(levels[:0:-1], levels[-2::-1], strict=True):
        answered = pd.Series(responded, index=cells.index).groupby(label).sum()
        small = set(answered.index[answered < min_n]) & set(level[label == level])
        if small:
            pooled = coarser.isin(coarser[label.isin(small)])
            label = label.mask(pooled, coarser)
            notes.append(f"too few respondents in {_listed(small)}: pooled into {_listed(set(label[pooled]))}")
    return _within(weights, responded, label, min_n, notes)


def propensity_design(weights: np.ndarray, responded: np.ndarray, predictors: pd.DataFrame) -> np.ndarray:
    """The matrix (members of the sample x coefficients) of the regression of `propensity_classes`. Raises InputError where that has
    no answer."""
    design, problems = _design_matrix(predictors, responded, weights)
    if problems:
        raise InputError(problems)
    return design


def propensity_classes(
    weights: np.ndarray, responded: np.ndarray, predictors: pd.DataFrame | np.ndarray, classes: int = 5, min_n: int = 20
) -> NonresponseAdjustment:
    """Weights adjusted within ``classes`` of the propensity to respond, estimated by weighted logistic regression.

    Main effects of ``predictors`` (or `propensity_design` of them, where that is at hand): categorical ones as indicators (not
    known: a category), numbers as they are (not known: the mean, with an indicator). The sample is cut at weighted quantiles of the
    fitted propensity, and each class adjusted by its own response rate, which is stabler than one over each propensity (Little
    1986; Valliant, Dever and Kreuter 2018, chapter 13). A class of fewer than ``min_n`` respondents is joined with the next.
    Raises InputError where the regression has no answer: a category of which all or none responded, predictors that say the same,
    separation.
    """
    design = propensity_design(weights, responded, predictors) if isinstance(predictors, pd.DataFrame) else predictors
    propensity = _fitted(design, responded, weights)
    order = np.argsort(propensity, kind="stable")
    # cut at weighted quantiles; people of one propensity stay together
    below = np.cumsum(weights[order]) - weights[order] / 2
    _, place = np.unique(propensity.round(12), return_inverse=True)
    middle = np.zeros(place.max() + 1)
    mass = np.bincount(place, weights=weights)
    np.add.at(middle, place[order], weights[order] * below)
    middle = middle / np.where(mass > 0, mass, 1) / weights.sum()
    quantile = np.minimum((middle[place] * classes).astype(int), classes - 1)
    label, joined = _joined(quantile, responded, min_n)
    notes = [f"{joined} of {classes} classes joined with the next: too few respondents"] if joined else []
    names = pd.Series(label).map(lambda number: f"propensity class {number + 1}")
    return _within(weights, responded, names, min_n, notes)


def _within(weights: np.ndarray, responded: np.ndarray, label: pd.Series, min_n: int, notes: list[str]) -> NonresponseAdjustment:
    frame = pd.DataFrame({"label": label.to_numpy(), "n_responded": responded, "sample": weights, "answered": weights * responded})
    table = frame.groupby("label").agg(
        n_sample=("sample", "size"), n_responded=("n_responded", "sum"), sample=("sample", "sum"), answered=("answered", "sum")
    )
    if (few := table[(table["n_responded"] < min_n) | (table["answered"] <= 0)]).size:
        name, row = str(few.index[0]), few.iloc[0]
        raise InputError(
            Problem(
                f"class {name} has {int(row['n_responded'])} respondents for {int(row['n_sample'])} members of the sample, "
                f"fewer than {min_n} with a weight",
                "choose coarser classes, lower `min_n`, or leave the step out",
                variable="nonresponse",
                rows=int(row["n_sample"]),
            )
        )
    table["response_rate"] = table["answered"] / table["sample"]
    table["factor"] = table["sample"] / table["answered"]
    adjusted = weights * responded * table["factor"].loc[label].to_numpy()
    rate = float(table["answered"].sum() / table["sample"].sum())
    low, high = 100 * table["response_rate"].min(), 100 * table["response_rate"].max()
    told = f"{len(table)} classes, of which {low:.1f} to {high:.1f} % responded" if len(table) > 1 else "one class"
    columns = ["n_sample", "n_responded", "response_rate", "factor"]
    return NonresponseAdjustment(adjusted, table[columns].rename_axis("class").reset_index(), rate, [told, *notes])


def _design_matrix(predictors: pd.DataFrame, responded: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, list[Problem]]:
    """An intercept and the columns of each predictor, and which of them keep the regression from having an answer."""
    columns, problems = [np.ones((len(predictors), 1))], []
    for name, values in ((str(name), values) for name, values in predictors.items()):
        if pd.api.types.is_numeric_dtype(values):
            numbers = values.to_numpy(dtype=np.float64, na_value=np.nan)
            unknown = np.isnan(numbers)
            numbers = np.where(unknown, np.average(numbers[~unknown]) if (~unknown).any() else 0.0, numbers)
            spread = numbers.std()
            block = ((numbers - numbers.mean()) / (spread or 1.0))[:, None]
            if unknown.any():
                problems += _separated(name, MISSING, unknown, responded)
                block = np.column_stack([block, unknown])
        else:
            text = values.astype(object).where(values.notna(), MISSING).astype(str).to_numpy()
            codes = sorted(set(text))
            problems += [problem for code in codes for problem in _separated(name, code, text == code, responded)]
            block = (text[:, None] == np.array(codes[1:])[None, :]).astype(np.float64).reshape(len(text), -1)
        before, with_it = np.hstack(columns), np.hstack([*columns, block])
        used = weights > 0
        if np.linalg.matrix_rank(with_it[used]) < before.shape[1] + block.shape[1] or not block.shape[1]:
            what = "says nothing that the predictors before it do not say (collinear), or is the same for everybody"
            problems.append(Problem(what, "leave it out of `predictors`", variable=name))
            continue
        columns.append(block.astype(np.float64))
    return np.hstack(columns), problems


def _separated(name: str, code: str, members: np.ndarray, responded: np.ndarray) -> list[Problem]:
    n, answered = int(members.sum()), int(responded[members].sum())
    if 0 < answered < n:
        return []
    what = f"{'all' if answered else 'none'} of its {n} members of the sample responded, so its propensity cannot be estimated"
    remedy = "merge it with another category under `codes:`, or leave the predictor out"
    return [Problem(what, remedy, variable=name, code=shown(code) if name in ("stratum", "psu") else code, rows=n)]


def _fitted(design: np.ndarray, responded: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Fitted propensities (pseudo maximum likelihood: weights as frequencies; Newton's steps). Raises InputError where they run to
    0 or 1."""
    share, y = weights / weights.sum(), responded.astype(np.float64)
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = logit(np.clip(share @ y, 1e-6, 1 - 1e-6))
    for _ in range(STEPS):
        fitted = expit(design @ coefficients)
        information = design.T @ (design * (share * fitted * (1 - fitted))[:, None])
        step = np.linalg.lstsq(information, design.T @ (share * (y - fitted)), rcond=None)[0]
        coefficients += step
        size = np.abs(design @ step).max()
        if not size < FAR or size < NEAR:
            break
    fitted = expit(design @ coefficients)
    if not size < NEAR or min(fitted.min(), 1 - fitted.max()) < 1e-6:
        what = "the predictors together tell apart people who all responded or who all did not (separation)"
        raise InputError(Problem(what, "leave a predictor out, or merge categories under `codes:`", variable="predictors"))
    return fitted


def _joined(quantile: np.ndarray, responded: np.ndarray, min_n: int) -> tuple[np.ndarray, int]:
    """Classes numbered anew, small ones joined with the next, the last ones with the one before; and how many vanished."""
    present = np.unique(quantile)
    answered = {number: int(responded[quantile == number].sum()) for number in present}
    new, current, held = {}, 0, 0
    for number in present:
        new[number] = current
        held += answered[number]
        if held >= min_n:
            current, held = current + 1, 0
    last = current - 1 if current else 0
    label = np.array([min(new[number], last) for number in quantile])
    return label, len(present) - len(np.unique(label))


def _listed(labels: set[str]) -> str:
    shown = sorted(labels)
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
