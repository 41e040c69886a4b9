"""What is estimated: shares, means, totals, ratios, distributions and quantiles, as SQL over the respondents' table.

Belongs here: what each statistic is, and its value for every respondent. Not here: how any is estimated.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import numpy as np

from rga.errors import InputError, Problem
from rga.survey.data import FLOATS, literal, telling
from rga.survey.design import shown


@dataclass(frozen=True)
class Share:
    """The share of those with ``numerator`` true among those with ``universe`` true who answered.

    Both are SQL boolean expressions over the columns of the respondents' table, under three-valued logic: where either
    is NULL the respondent is not in the base. An empty ``universe`` is everybody. Numbers and text may stand for true and false, as
    0, 1, `true` and `false` do; any other answer, such as a code of -98 for a refusal, is an error.
    """

    code: str
    universe: str
    numerator: str


@dataclass(frozen=True)
class Mean:
    """The mean of the number ``value`` over those in ``universe`` for whom it is known."""

    code: str
    universe: str
    value: str


@dataclass(frozen=True)
class Total:
    """The population total of the number ``value`` over those in ``universe`` for whom it is known; 1 counts people."""

    code: str
    universe: str
    value: str = "1"


@dataclass(frozen=True)
class Ratio:
    """The total of ``numerator`` over the total of ``denominator``, over those in ``universe`` for whom both are known."""

    code: str
    universe: str
    numerator: str
    denominator: str


@dataclass(frozen=True)
class Distribution:
    """The shares of every category of ``value`` (any SQL expression) over those in ``universe`` for whom it is known."""

    code: str
    universe: str
    value: str


@dataclass(frozen=True)
class Quantile:
    """The ``q`` quantile of the number ``value`` over those in ``universe`` for whom it is known; by default the median.

    Raises ValueError where ``q`` is not between 0 and 1: the least and the largest answer of a sample have no standard error.
    """

    code: str
    universe: str
    value: str
    q: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.q < 1:
            what = f"quantile {self.code or self.value}: q is {self.q:g}, and must be between 0 and 1, both excluded"
            raise ValueError(f"{what}: the least or largest answer of a sample says nothing of those who were not asked")


Statistic = Share | Mean | Total | Ratio | Distribution | Quantile
NUMBERS = {
    "TINYINT",
    "SMALLINT",
    "INTEGER",
    "BIGINT",
    "HUGEINT",
    "UTINYINT",
    "USMALLINT",
    "UINTEGER",
    "UBIGINT",
    "UHUGEINT",
    *FLOATS,
}
ANSWERS = 5  # that an error names
EXPRESSIONS = ("universe", "value", "numerator", "denominator")


@dataclass(frozen=True)
class Values:
    """Every statistic for every respondent, as a ratio of two sums: y / x, respondents x statistics.

    ``y`` and ``x`` are 0 where ``known`` is false (not in the base). x is 1 for a share, a mean, a quantile and a total (whose
    estimate is the sum of y alone). ``names`` gives code and category (`_T` but for a distribution) of each column.
    """

    names: list[tuple[str, str]]
    statistics: list[Statistic]
    y: np.ndarray
    x: np.ndarray
    known: np.ndarray


def values_of(con: duckdb.DuckDBPyConnection, relation: str, statistics: list[Statistic], order: str) -> Values:
    """Values of ``statistics`` for the respondents of ``relation``, in the order of its column (or expression) ``order``.

    Raises InputError where an expression does not fit the table.
    """
    check(con, relation, statistics)
    names: list[tuple[str, str]] = []
    kinds: list[Statistic] = []
    ys: list[str] = []
    xs: list[str] = []
    for statistic in statistics:
        for category, y, x in columns_of(con, relation, statistic):
            names.append((statistic.code, category))
            kinds.append(statistic)
            universe = statistic.universe.strip() or "TRUE"
            ys.append(f"CASE WHEN ({universe}) AND ({x}) IS NOT NULL THEN CAST(({y}) AS DOUBLE) END")
            # Where everybody counts 1 the base is who has a y: it takes no column.
            xs.append("" if x == "1" else f"CASE WHEN ({universe}) AND ({y}) IS NOT NULL THEN CAST(({x}) AS DOUBLE) END")
    # A distribution that nobody answered has no column.
    columns = {f"y{k}": y for k, y in enumerate(ys)} | {f"x{k}": x for k, x in enumerate(xs) if x}
    selected = ", ".join(["1 AS everybody", *(f"{sql} AS {name}" for name, sql in columns.items())])
    table = con.execute(f"SELECT {selected} FROM {relation} ORDER BY {order}").fetchnumpy()  # a frame of so many columns is slow
    top = np.full((len(table["everybody"]), len(ys)), np.nan)
    for k in range(len(ys)):
        top[:, k] = np.ma.filled(table[f"y{k}"], np.nan)
    base = np.where(np.isnan(top), np.nan, 1.0)
    for k in (k for k, x in enumerate(xs) if x):
        base[:, k] = np.ma.filled(table[f"x{k}"], np.nan)
    known = ~np.isnan(top) & ~np.isnan(base)
    return Values(names, kinds, np.where(known, top, 0.0), np.where(known, base, 0.0), known)


def check(con: duckdb.DuckDBPyConnection, relation: str, statistics: Sequence[Statistic]) -> None:
    """Raise InputError naming the first statistic with an expression that does not fit ``relation``, or all with a universe or a
    share's numerator that is something else than true and false.

    Expressions stand in queries beside columns that are named here; alone, none of these can be taken for one of the data.
    """

    def bind(those: Sequence[Statistic]) -> None:
        expressions = [f"({getattr(s, part)})" for s in those for part in EXPRESSIONS if getattr(s, part, "").strip()]
        con.execute(f"SELECT 1 FROM {relation} WHERE [{', '.join(f'{e} IS NULL' for e in expressions)}] IS NULL LIMIT 0").fetchall()

    try:
        bind(statistics)
    except (duckdb.ProgrammingError, duckdb.DataError):
        for statistic in statistics:
            with telling(statistic.code):
                bind([statistic])
        raise
    _check_answers(con, relation, statistics)


def _check_answers(con: duckdb.DuckDBPyConnection, relation: str, statistics: Sequence[Statistic]) -> None:
    """SQL takes any number but 0 as true, and so a code for a refusal as a yes."""
    conditions = [(s.code, "TRUE", universe) for s in statistics if (universe := s.universe.strip())]
    conditions += [(s.code, s.universe.strip() or "TRUE", s.numerator) for s in statistics if isinstance(s, Share)]
    if not conditions:
        return
    distinct = list(dict.fromkeys(text for *_, text in conditions))
    described = con.execute(f"DESCRIBE SELECT {', '.join(f'({text}) AS c{k}' for k, text in enumerate(distinct))} FROM {relation}")
    types = {text: kind for text, (_, kind, *_) in zip(distinct, described.fetchall(), strict=True)}
    problems = []
    for code, universe, text in conditions:
        if types[text] == "BOOLEAN":
            continue
        number = types[text] in NUMBERS or types[text].startswith("DECIMAL")
        meant = f"({text}) IN (0, 1)" if number else f"lower(CAST(({text}) AS VARCHAR)) IN ('0', '1', 'true', 'false')"
        inside = "TRUE" if universe == "TRUE" else f"TRY_CAST(({universe}) AS BOOLEAN)"
        found = f"SELECT CAST(({text}) AS VARCHAR) AS answer FROM {relation} WHERE {inside} AND NOT ({meant})"
        rows = con.execute(f"SELECT answer, count(*) FROM ({found}) GROUP BY answer ORDER BY count(*) DESC, answer").fetchall()
        if not rows:
            continue
        answers = [f"{shown(answer)} ({n:,} row{'s' if n > 1 else ''})" for answer, n in rows[:ANSWERS]]
        answers += [f"{len(rows) - ANSWERS:,} other answers"] * (len(rows) > ANSWERS)
        what = f"`{text.strip()}` is {', '.join(answers)}, where 0, 1, true, false or NULL is wanted"
        remedy = "write a condition, such as `works = 1`, that is NULL for whom it is not known"
        problems.append(Problem(what, remedy, variable=code, code=shown(rows[0][0]), rows=sum(n for _, n in rows)))
    if problems:
        raise InputError(problems)


def columns_of(con: duckdb.DuckDBPyConnection, relation: str, statistic: Statistic) -> list[tuple[str, str, str]]:
    """Category, y and x (SQL) of each column that ``statistic`` takes."""
    match statistic:
        case Share():
            return [("_T", f"CAST(({statistic.numerator}) AS BOOLEAN)", "1")]
        case Ratio():
            return [("_T", statistic.numerator, statistic.denominator)]
        case Distribution():
            universe = statistic.universe.strip() or "TRUE"
            category = f"CAST(({statistic.value}) AS VARCHAR)"
            query = f"SELECT DISTINCT {category} AS c FROM {relation} WHERE ({universe}) AND c IS NOT NULL ORDER BY c"
            found = con.execute(query).fetchall()
            literals = [(str(c), literal(str(c))) for (c,) in found]
            return [(c, f"({category} = {text})", "1") for c, text in literals]
        case _:
            return [("_T", statistic.value, "1")]
