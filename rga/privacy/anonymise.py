"""One survey's respondents into records in which nobody stands out.

Belongs here: which columns are released, top-codes and bands, the recodes it takes, suppression, ids without meaning. Not here: the
rules (``rules``), measures of risk (``risk``), weights, files.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.microdata.catalogue import Catalogue
from rga.privacy.anonymity import class_sizes, suppress
from rga.privacy.rules import Numeric, PrivacyRules, Recode

CELLS_SHOWN = 5


@dataclass(frozen=True)
class Column:
    """A released variable: ``codes`` with their labels in order, none for a number; ``note`` says what was done to it."""

    label: str
    values: pd.Series
    codes: dict[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Anonymised:
    """``columns`` by name; ``quasi`` names those that identify, as released; ``before`` are their answers before recodes and
    suppression. ``suppressed`` counts answers removed by column, ``affected`` the respondents who lost one; ``recoded`` says what
    was coarsened, ``dropped`` which columns are left out, and why."""

    columns: dict[str, Column]
    quasi: list[str]
    before: pd.DataFrame
    suppressed: dict[str, int]
    affected: int
    recoded: list[str]
    dropped: dict[str, str]

    @property
    def known(self) -> pd.DataFrame:
        """The quasi-identifiers as released."""
        return pd.DataFrame({name: self.columns[name].values for name in self.quasi})


def anonymise(frame: pd.DataFrame, catalogue: Catalogue, rules: PrivacyRules, k: int, survey: str) -> Anonymised:
    """The columns of ``catalogue`` in ``frame`` (a row per respondent), k-anonymous on the quasi-identifiers of ``rules``.

    Of the columns that share a source with a quasi-identifier (age with age group) only that one is released. Raises InputError,
    naming cells and what to coarsen, where ``k`` is not reached within ``suppress_at_most``.
    """
    if len(frame) < k:
        raise InputError(Problem(f"{len(frame)} respondents cannot be {k} alike", "lower --k, or do not release it", survey))
    columns, dropped = _released(frame, catalogue, rules)
    quasi = [name for name in rules.quasi_identifiers if name in columns]
    before = pd.DataFrame({name: columns[name].values for name in quasi}, index=frame.index)
    recoded: list[str] = []
    steps = [step for step in rules.recodes if step.variable in quasi]
    while True:
        known = pd.DataFrame({name: columns[name].values for name in quasi}, index=frame.index)
        kept = suppress(known, k)
        lost = known.notna() & kept.isna()
        affected = int(lost.any(axis=1).sum())
        if 100 * affected <= rules.suppress_at_most * len(frame):
            break
        if not steps:
            raise InputError(_refusal(known, k, affected, rules, survey))
        step = steps.pop(0)
        if step.variable not in quasi:
            continue
        if step.drop:
            quasi.remove(step.variable)
            del columns[step.variable]
            dropped[step.variable] = f"to reach k = {k}"
            continue
        columns[step.variable] = _recoded(columns[step.variable], frame[step.variable], step)
        recoded.append(f"{step.variable}: {', '.join(columns[step.variable].codes.values())}")
    for name in quasi:
        columns[name] = replace(columns[name], values=kept[name].astype("string"))
    suppressed = {name: int(lost[name].sum()) for name in quasi if lost[name].any()}
    return Anonymised(columns, quasi, before, suppressed, affected, recoded, dropped)


def _released(frame: pd.DataFrame, catalogue: Catalogue, rules: PrivacyRules) -> tuple[dict[str, Column], dict[str, str]]:
    """Columns by name as they would be released, and why others are left out."""
    columns: dict[str, Column] = {}
    dropped = {
        name: why for name in ("respondent_id", "panel_id") if name in frame for why in ["ids are replaced by random numbers"]
    }
    quasi = set(rules.quasi_identifiers)
    sources = {source: name for name in rules.quasi_identifiers for source in catalogue.sources({name}) | {name}}
    batteries = {f"{name}_{item}": item_label for name, v in catalogue.variables.items() for item, item_label in v.items.items()}
    for name, variable in catalogue.columns.items():
        if name not in frame or frame[name].isna().all():
            continue
        shared = {sources[source] for source in catalogue.sources({name}) | {name} if source in sources}
        label = f"{variable.label}: {batteries[name]}" if name in batteries else variable.label
        if name in rules.drop:
            dropped[name] = rules.drop[name]
        elif shared and name not in quasi:
            dropped[name] = f"{', '.join(sorted(shared))} is released, which it would tell more of"
        elif variable.codes:
            columns[name] = Column(label, frame[name].astype("string"), dict(variable.codes))
        elif name in rules.numeric:
            columns[name] = _number(Column(label, frame[name].astype("float64")), rules.numeric[name])
        elif variable.derived:
            columns[name] = Column(label, frame[name].astype("float64"))
        else:
            dropped[name] = "a number, and privacy.yaml has no rule for it"
    return columns, dropped


def _number(column: Column, rule: Numeric) -> Column:
    if rule.cuts:
        return _banded(column, column.values, rule.cuts)
    limits = [
        f"{word} {limit:g}" for word, limit in (("bottom-coded at", rule.bottom), ("top-coded at", rule.top)) if limit is not None
    ]
    values = column.values.clip(rule.bottom, rule.top)
    return replace(column, values=values, note="; ".join(limits), label=f"{column.label} ({rule.top:g} means {rule.top:g} or more)")


def _banded(column: Column, numbers: pd.Series, cuts: list[float]) -> Column:
    """Numbers in bands by the value they begin at; the last is open, as is one below the first cut if anybody is in it."""
    edges = [-np.inf, *cuts, np.inf]
    codes = {"LT": f"Under {cuts[0]:g}"} if bool((numbers < cuts[0]).any()) else {}
    codes |= {f"GE{low:g}": f"{low:g} to under {high:g}" for low, high in pairwise(cuts)}
    codes |= {f"GE{cuts[-1]:g}": f"{cuts[-1]:g} or more"}
    names = np.array(["LT", *(f"GE{low:g}" for low in cuts)], dtype=object)
    place = np.searchsorted(edges[1:-1], numbers.fillna(cuts[0]), side="right")
    values = pd.Series(names[place], index=numbers.index, dtype="string").mask(numbers.isna())
    return replace(column, values=values, codes=codes, note="in bands")


def _recoded(column: Column, original: pd.Series, step: Recode) -> Column:
    if step.cuts:
        return _banded(column, original.astype("float64"), step.cuts)
    into = {old: new for new, codes in step.codes.items() for old in codes}
    codes: dict[str, str] = {}
    for old, label in column.codes.items():
        new = into.get(old, old)
        joined = " or ".join(column.codes.get(c, c) for c in step.codes[new]) if new in step.codes else label
        codes.setdefault(new, step.labels.get(new, joined))
    return replace(column, values=column.values.replace(into), codes=codes, note="coarsened")


def _refusal(known: pd.DataFrame, k: int, affected: int, rules: PrivacyRules, survey: str) -> list[Problem]:
    """Which cells are too small (never by how much: that would tell of the few), and what it would help most to coarsen."""
    sizes = class_sizes(known)
    small = known[sizes < k]
    without = {name: int((class_sizes(known.drop(columns=name)) < k).sum()) for name in known}
    best = sorted(without, key=lambda name: without[name])[:3]
    share = 100 * affected / len(known)
    told = ", ".join(
        f"{name} (fewer than {k} alike: {len(small):,} respondents now, {without[name]:,} without it)" for name in best
    )
    cells = small.astype("object").where(small.notna(), "missing").value_counts().tail(CELLS_SHOWN).index
    return [
        Problem(
            f"is not released: after every recode of privacy.yaml {share:.1f} % of respondents would lose an answer to be {k} "
            f"alike, "
            f"and `suppress_at_most` is {rules.suppress_at_most:g} %",
            f"add to `recodes:`, in privacy.yaml, a coarser {told}",
            survey,
            rows=affected,
        )
    ] + [
        Problem(f"fewer than {k} respondents: {', '.join(f'{n} {v}' for n, v in zip(known, cell, strict=True))}", file=survey)
        for cell in cells
    ]
