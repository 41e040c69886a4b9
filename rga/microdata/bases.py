"""Indicators whose counts the bases of others tell: the n of every cell is published, hidden cells' too.

Belongs here: finding them among the catalogue's expressions. Not here: which answers a release hides (``rga.survey.disclosure``).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Protocol

import duckdb

from rga.errors import Problem
from rga.microdata.expressions import canonical_expression

MOST = 100_000  # combinations of answers that are looked at


class Expressions(Protocol):
    """An indicator: SQL conditions on who is in its base, and on who counts."""

    universe: str
    numerator: str


def told_by_bases(
    indicators: Mapping[str, Expressions], reads: Mapping[str, tuple[set[str], set[str]]], codes: Mapping[str, Collection[str]]
) -> list[Problem]:
    """A problem for each indicator of whose answers the base of another is made: the difference of their n bounds its count.

    ``reads``: columns of universe and of numerator by indicator; ``codes``: those of each column, none of a number. Expressions of
    categorical columns are compared over every combination of answers, missing ones too; of numbers, as they are written.
    """
    counting = _counting_a_base(indicators)
    known = {problem.variable for problem in counting}
    return counting + _of_answers({code: item for code, item in indicators.items() if code not in known}, reads, codes)


def _counting_a_base(indicators: Mapping[str, Expressions]) -> list[Problem]:
    bases = {canonical_expression(item.universe): code for code, item in indicators.items()}
    everybody = canonical_expression("TRUE")
    return [
        Problem(
            f"counts who is in the base of `{bases[counted]}`, whose n is shown in every cell: no count of it could be hidden",
            "leave it out: the share is that n by the n of an indicator of everybody",
            variable=code,
        )
        for code, item in indicators.items()
        if canonical_expression(item.universe) == everybody and (counted := canonical_expression(item.numerator)) in bases
    ]


def _of_answers(
    indicators: Mapping[str, Expressions], reads: Mapping[str, tuple[set[str], set[str]]], codes: Mapping[str, Collection[str]]
) -> list[Problem]:
    pairs: dict[tuple[str, str, str], list[tuple[str, str]]] = {}  # of a base and an indicator, by their expressions
    for code, item in indicators.items():
        for other, base in indicators.items():
            if base.universe != item.universe and reads[code][1] & reads[other][0]:
                pairs.setdefault((item.universe, item.numerator, base.universe), []).append((other, code))
    told: dict[str, list[str]] = {}  # by the indicator whose base tells, whose counts it tells
    for key, found in pairs.items():
        other, code = found[0]
        columns = {name: codes[name] for name in sorted({*reads[code][0], *reads[code][1], *reads[other][0]})}
        size = math.prod(len(given) + 1 if given else MOST + 1 for given in columns.values())
        if size <= MOST and _tells(*key, columns):
            for other, code in found:
                told.setdefault(other, []).append(f"`{code}`")
    return [
        Problem(
            f"makes its base of an answer that {', '.join(counted)} counts: the n of both bound how many gave it",
            f"give it the universe of {counted[0]}, and let its numerator say who of them counts: `... AND ...`",
            variable=f"{other}.universe",
        )
        for other, counted in told.items()
    ]


def _tells(universe: str, numerator: str, base: str, columns: Mapping[str, Collection[str]]) -> bool:
    """Whether, of those who ``universe`` is of and whose answer to ``numerator`` is known, the members of ``base`` all count, or
    none does, or all others count. (That none of the others counts is plain where more people are asked than it can be true of.)"""
    values = {name: ", ".join(f"('{code}')" for code in given) for name, given in columns.items()}  # codes and names are words
    answers = ", ".join(f"(VALUES {listed}, (NULL)) AS t{k}({name})" for k, (name, listed) in enumerate(values.items()))
    query = f"""
        SELECT count(*) FILTER (b), count(*) FILTER (b AND counts), count(*) FILTER (NOT b), count(*) FILTER (NOT b AND counts)
        FROM (SELECT coalesce({base}, FALSE) AS b, ({numerator}) AS counts FROM {answers} WHERE ({universe}))
        WHERE counts IS NOT NULL"""
    with duckdb.connect() as connection:
        ((inside, inside_counted, outside, outside_counted),) = connection.execute(query).fetchall()
    return bool(inside and outside and (inside_counted in (0, inside) or outside_counted == outside))
