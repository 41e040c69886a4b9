"""Merging neighbouring categories that too few respondents carry, in every margin at once.

Belongs here: which categories to merge, and the record of it. Not here: other ways out of a margin that cannot be met.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from rga.errors import InputError, Problem
from rga.survey.joint_cells import JointCells

Targets = dict[str, dict[str, float]]
NOT_THERE = 1 << 62  # a margin without the category asks for no merging


@dataclass(frozen=True)
class Collapsed:
    """Categories of ``variable`` that were merged in ``margin``, in their order, because too few respondents carried one of them:
    ``n`` respondents with a base weight each before, now together ``into``."""

    survey: str | None
    margin: str
    variable: str
    categories: tuple[str, ...]
    n: tuple[int, ...]
    into: str

    def __str__(self) -> str:
        counts = ", ".join(f"{category} ({n:,})" for category, n in zip(self.categories, self.n, strict=True))
        return f"margin {self.margin}: {self.variable} {counts} merged into {self.into}"


def collapse_small(
    cells: JointCells,
    targets: Mapping[str, Mapping[str, float]],
    order: Mapping[str, Sequence[str]],
    below: int,
    survey: str | None,
) -> tuple[JointCells, Targets, list[Collapsed]]:
    """Merge categories of the variables in ``order`` (variable -> its categories in order) that are carried by fewer than
    ``below`` respondents in some margin (`F*Y_GE75` counts for Y_GE75 of age_group), or that the benchmark has nobody in, or lacks.

    The smallest is merged with the smaller of its neighbours, first, until none is left or all are one. Raises InputError where
    a benchmark has a category that the order lacks, or a variable is on no margin.
    """
    merged: Targets = {margin: {str(c): float(people) for c, people in target.items()} for margin, target in targets.items()}
    records: list[Collapsed] = []
    for variable, levels in order.items():
        within = {margin: margin.split("*").index(variable) for margin in merged if variable in margin.split("*")}
        _check(variable, levels, within, merged)
        n = {margin: cells.counts(margin) for margin in within}
        known = {_part(category, at) for m, at in within.items() for category in [*merged[m], *n[m]]}
        for group in _grouped([level for level in levels if level in known], within, merged, n, below):
            into = "+".join(group)
            if len(group) == 1:
                continue
            for margin, at in within.items():
                counts = tuple(_size(n[margin], at, [level]) for level in group)
                records.append(Collapsed(survey, margin, variable, tuple(group), counts, into))
                merged[margin] = _merge(merged[margin], at, group, into)
                names = [_renamed(category, at, group, into) for category in cells.levels[margin]]
                cells = replace(cells, levels=cells.levels | {margin: names})
    return cells, merged, records


def _grouped(
    levels: list[str], within: Mapping[str, int], targets: Targets, n: Mapping[str, Mapping[str, int]], below: int
) -> list[list[str]]:
    """``levels``, neighbours together until each group has ``below`` respondents in every margin, or all are one."""

    def fewest_of(group: list[str]) -> int:
        return min(_counts(targets[m], n[m], at, group) for m, at in within.items())

    groups = [[level] for level in levels]
    fewest = [fewest_of(group) for group in groups]
    size = [sum(_size(n[m], at, group) for m, at in within.items()) for group in groups]
    while len(groups) > 1:
        least = min(range(len(groups)), key=fewest.__getitem__)
        if fewest[least] >= below:
            break
        other = min((i for i in (least - 1, least + 1) if 0 <= i < len(groups)), key=size.__getitem__)
        two = slice(min(least, other), max(least, other) + 1)
        together = groups[two][0] + groups[two][1]
        groups[two], fewest[two], size[two] = [together], [fewest_of(together)], [sum(size[two])]
    return groups


def _check(variable: str, levels: Sequence[str], within: Mapping[str, int], targets: Targets) -> None:
    if not within:
        raise InputError(Problem("is to be collapsed, but is on no margin", "leave it out of `collapse`", variable=variable))
    unknown = {c.split("*")[at] for m, at in within.items() for c in targets[m] if at < len(c.split("*"))} - set(levels)
    if unknown:
        raise InputError(
            Problem(
                f"the order of categories lacks {', '.join(sorted(unknown))}, which the benchmark has",
                "list all categories of the variable, in order",
                variable=variable,
            )
        )


def _part(category: str, at: int) -> str | None:
    parts = category.split("*")
    return parts[at] if at < len(parts) else None


def _counts(target: Mapping[str, float], n: Mapping[str, int], at: int, group: Sequence[str]) -> int:
    """The fewest respondents that a category of ``group`` has once merged; none where the benchmark has nobody, or lacks it."""
    sums: dict[str, tuple[int, float]] = {}
    counted = {_part(category, at) for category in target}
    for category in [*target, *(category for category in n if _part(category, at) not in counted)]:
        if _part(category, at) in group:
            name = _renamed(category, at, group, "")
            cases, total = sums.get(name, (0, 0.0))
            sums[name] = cases + n.get(category, 0), total + target.get(category, 0.0)
    return min((cases if total > 0 else 0 for cases, total in sums.values() if cases or total > 0), default=NOT_THERE)


def _size(n: Mapping[str, int], at: int, group: Sequence[str]) -> int:
    return sum(cases for category, cases in n.items() if _part(category, at) in group)


def _renamed(category: str, at: int, group: Sequence[str], into: str) -> str:
    parts = category.split("*")
    return "*".join([*parts[:at], into, *parts[at + 1 :]]) if at < len(parts) and parts[at] in group else category


def _merge(target: Mapping[str, float], at: int, group: Sequence[str], into: str) -> dict[str, float]:
    merged: dict[str, float] = {}
    for category, people in target.items():
        name = _renamed(category, at, group, into)
        merged[name] = merged.get(name, 0.0) + people
    return merged
