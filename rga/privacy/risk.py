"""What risk of recognition is left in a research file.

Belongs here: measures of risk. Not here: lowering it, or the words of the report (``report``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import hyp2f1

from rga.privacy.anonymity import class_sizes, classes

POPULATION_SCALE = 1.5  # mean weight from which weights are taken to count people


TERMS = 500


@dataclass(frozen=True)
class Risk:
    """Of respondents by their quasi-identifiers: ``k`` is the size of the smallest class, ``below`` how many are in classes smaller
    than was asked for, ``uniques`` how many are alone in the sample.

    ``population_uniques`` is how many of these are expected to be alone in the population too, ``reidentified`` how many of all
    would be found by somebody who knows their quasi-identifiers and that they may be in the population (both None where weights do
    not count people). ``split_by_design`` are respondents alone in their class once what weights and design tell is known as well.
    """

    respondents: int
    classes: int
    k: int
    below: int
    uniques: int
    population_uniques: float | None
    reidentified: float | None
    split_by_design: int


def risk(known: pd.DataFrame, weight: np.ndarray, k: int, design: pd.DataFrame | None = None) -> Risk:
    """Risk of respondents whose quasi-identifiers are ``known`` (respondents x variables) and who stand for ``weight`` people.

    ``design`` has columns by which weights and replicates tell respondents apart beyond ``known``; none where they do not.

    A class of f respondents with weights adding up to W is taken for a Bernoulli sample of its population at the rate p = f / W:
    given f, its population F is negative binomial, and a respondent's risk is E(1/F | f) = p^f / f * 2F1(f, f; f + 1; 1 - p); a
    sample unique is unique in the population with probability p (Benedetti and Franconi 1998; Franconi and Polettini 2004).
    """
    found, sizes = classes(known), class_sizes(known)
    frequency = np.bincount(found).astype(np.float64)
    total = np.bincount(found, np.nan_to_num(weight))
    uniques, expected = int((sizes == 1).sum()), None
    reidentified = None
    if np.nanmean(weight) >= POPULATION_SCALE:
        rate = np.clip(frequency / np.maximum(total, frequency), 1e-12, 1.0)
        expected = float(rate[frequency == 1].sum())
        reidentified = float((frequency * individual_risk(frequency, rate)).sum())
    told = sizes if design is None else class_sizes(known.assign(**{f"_{name}": design[name].to_numpy() for name in design}))
    return Risk(
        respondents=len(known),
        classes=len(frequency),
        k=int(sizes.min(initial=len(known))),
        below=int((sizes < k).sum()),
        uniques=uniques,
        population_uniques=expected,
        reidentified=reidentified,
        split_by_design=int((told == 1).sum()),
    )


def individual_risk(frequency: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """E(1/F | f) of classes of ``frequency`` f sampled at ``rate`` p; 1 - p replaced by what makes the series converge fast.

    By Euler's transformation 2F1(f, f; f+1; z) = (1-z)^(1-f) 2F1(1, 1; f+1; z), so that p^f cancels for large f.
    """
    rest = 1 - rate
    found = hyp2f1(1.0, 1.0, frequency + 1, rest)
    if (lost := ~np.isfinite(found)).any():  # SciPy loses large f; there the series, sum of n! / (f + 1)_n z^n, converges fast
        n = np.arange(1, TERMS)[:, None]
        found[lost] = 1 + np.cumprod(n / (frequency[lost] + n) * rest[lost], axis=0).sum(axis=0)
    return rate / frequency * found


def diversity(known: pd.DataFrame, sensitive: pd.Series) -> tuple[int, int, int]:
    """l-diversity (Machanavajjhala et al. 2007) of a variable, not answered being no value: the fewest different answers in a class
    with any, the number of classes with one answer only, and the respondents who gave it."""
    answered = sensitive.notna().to_numpy()
    table = pd.DataFrame({"class": classes(known)[answered], "value": sensitive[answered].astype(str).to_numpy()})
    if table.empty:
        return 0, 0, 0
    groups = table.groupby("class")["value"].agg(["nunique", "size"])
    alike = groups[groups["nunique"] == 1]
    return int(groups["nunique"].min()), len(alike), int(alike["size"].sum())
