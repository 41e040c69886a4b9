"""Checks on who was reached.

Belongs here: the sample against the population. Not here: weights that repair it (``rga.survey``).
"""

from __future__ import annotations

import pandas as pd

from rga.quality.finding import Finding
from rga.quality.subject import Subject


def out_of_population(subject: Subject) -> list[Finding]:
    """Respondents who are left out as too young."""
    rows, kept = subject.respondents.excluded, len(subject.respondents.frame)
    if not rows:
        return []
    message = f"{rows:,} respondents are younger than {subject.specification.population.age_min}, and left out"
    remedy = "none where the sample was drawn from people of all ages; else ask who was interviewed"
    return [Finding("out_of_population", "flag", message, remedy, rows=rows, share=100 * rows / (rows + kept))]


def zero_weights(subject: Subject) -> list[Finding]:
    """Respondents whose base weight is 0: counted, and without a say."""
    weights = subject.respondents.frame["base_weight"]
    if not (rows := int((weights == 0).sum())):
        return []
    message = f"{rows:,} respondents have a weight of 0: their answers count for nothing, in no estimate and no `n` of one"
    remedy = "ask the producer why; leave them out with `respondents:` if they do not belong to the sample"
    column = subject.specification.design.weight
    return [Finding("zero_weights", "flag", message, remedy, column, rows=rows, share=100 * rows / len(weights))]


def sample_composition(subject: Subject) -> list[Finding]:
    """Margins on which the sample is far from the benchmark, by the weights before calibration (so that a group which was drawn
    more often on purpose is not taken for one that came forward): by Duncan and Duncan's (1955) index of dissimilarity, half the
    sum of the absolute differences of shares in per cent, or in one category by ratio."""
    limits, findings = subject.thresholds.sample_composition, []
    margins = subject.margins[subject.margins["category"] != "_T"]  # `_T` is a total of numbers, not of people
    for margin, frame in margins.groupby("margin", sort=False):
        sample = 100 * frame["before"] / frame["before"].sum()
        population = 100 * frame["benchmark"] / frame["benchmark"].sum()
        dissimilarity = float((sample - population).abs().sum() / 2)
        ratio = (sample / population).where(population >= limits.least_share)
        far = (ratio > limits.largest_ratio) | (ratio < 1 / limits.largest_ratio)
        if dissimilarity <= limits.largest_dissimilarity and not far.any():
            continue
        furthest = _furthest(_in_words(subject, str(margin), frame["category"]), sample, population, far)
        message = f"{dissimilarity:.0f} % of the sample would have to be other people: {furthest}"
        remedy = "weights adjust for it, at a price in precision (`weight_deff`); recruit those who are missing next time"
        findings.append(Finding("sample_composition", "flag", message, remedy, str(margin), None, None, dissimilarity))
    return findings


def _furthest(category: pd.Series, sample: pd.Series, population: pd.Series, far: pd.Series) -> str:
    """Those of whom there are most too many and most too few, and those far off by ratio."""
    off = sample - population
    places = dict.fromkeys([off.idxmax(), off.idxmin(), *far[far].index])
    return "; ".join(f"{category[p]}: {sample[p]:.1f} % (population {population[p]:.1f} %)" for p in list(places)[:4])


def _in_words(subject: Subject, margin: str, categories: pd.Series) -> pd.Series:
    """Categories such as `M*Y18T24` as `Men, 18 to 24`, where the margin's variables are the catalogue's."""
    labels = [subject.catalogue.columns[name].codes if name in subject.catalogue.columns else {} for name in margin.split("*")]

    def said(category: str) -> str:
        parts = str(category).split("*")
        words = [of.get(part, part) for of, part in zip(labels, parts, strict=False)]
        return ", ".join(word[:1].lower() + word[1:] for word in words) if len(parts) == len(labels) else str(category)

    return categories.map(said)
