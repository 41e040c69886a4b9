"""SQL that people write in the catalogue and in specifications, checked before it is used.

Belongs here: what such SQL may contain. Not here: running it.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_ALLOWED: tuple[type[exp.Expression], ...] = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Is,
    exp.Case, exp.If, exp.Coalesce, exp.Add, exp.Sub, exp.Mul, exp.Neg,
)  # fmt: skip

# Of a statement over several files: nothing that reads elsewhere, makes rows or text out of nothing, or speaks of a value.
_FUNCTIONS: tuple[type[exp.Expression], ...] = (
    exp.And, exp.Or, exp.Xor, exp.Case, exp.If, exp.Coalesce, exp.Nullif, exp.Greatest, exp.Least, exp.Exists,
    exp.Cast, exp.TryCast, exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Min, exp.Max, exp.AnyValue, exp.First, exp.Last,
    exp.ArgMax, exp.ArgMin, exp.Median, exp.Mode, exp.Stddev, exp.StddevSamp, exp.StddevPop, exp.Variance, exp.VariancePop,
    exp.Quantile,
    exp.PercentileCont, exp.PercentileDisc, exp.LogicalAnd, exp.LogicalOr,
    exp.RowNumber, exp.Rank, exp.DenseRank, exp.PercentRank, exp.CumeDist, exp.Ntile, exp.Lag, exp.Lead,
    exp.FirstValue, exp.LastValue, exp.NthValue,
    exp.Upper, exp.Lower, exp.Trim, exp.Substring, exp.Left, exp.Right, exp.Length, exp.StrPosition, exp.Contains, exp.StartsWith,
    exp.EndsWith, exp.SplitPart, exp.Translate, exp.Concat, exp.ConcatWs, exp.RegexpLike, exp.RegexpFullMatch, exp.RegexpExtract,
    exp.Abs, exp.Ceil, exp.Floor, exp.Round, exp.Trunc, exp.Sign, exp.Sqrt, exp.Exp, exp.Ln, exp.Log, exp.Pow, exp.IsNan, exp.IsInf,
    exp.Extract, exp.Year, exp.Month, exp.Day, exp.StrToTime, exp.DateDiff, exp.DateFromParts, exp.DateTrunc, exp.TimestampTrunc,
)  # fmt: skip
_OTHER_FUNCTIONS = {"date_part", "date_diff"}  # that sqlglot has no class for
MOST_JOINED = 12  # pieces of text: each join within another doubles what the inner one made


def check_expression(text: str, columns: Mapping[str, set[str] | None]) -> set[str]:
    """Columns that the SQL expression ``text`` reads.

    ``columns`` maps each known column to its codes (None: numeric). Only comparisons, logic, CASE, COALESCE and plain
    arithmetic are allowed; a code compared with a categorical column must be one of its codes. Raises ValueError.
    """
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except SqlglotError as error:
        raise ValueError(f"not a valid SQL expression: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    for node in tree.walk():
        if not isinstance(node, _ALLOWED):
            raise ValueError(f"`{node.sql(dialect='duckdb')}` is not allowed in an expression")
    read = {column.name for column in tree.find_all(exp.Column)}
    for name in sorted(read - set(columns)):
        near = get_close_matches(name, list(columns), n=1)
        raise ValueError(f"unknown variable `{name}`" + (f"; did you mean `{near[0]}`?" if near else ""))
    for node in tree.find_all(exp.EQ, exp.NEQ, exp.In):
        _check_codes(node, columns)
    return read


def canonical_expression(text: str) -> str:
    """The same of two valid expressions that differ in blanks, brackets around the whole or how operators are written."""
    return sqlglot.parse_one(text, dialect="duckdb").unnest().sql(dialect="duckdb")


def _check_codes(node: exp.Condition, columns: Mapping[str, set[str] | None]) -> None:
    sides = [node.this, *node.expressions] if isinstance(node, exp.In) else [node.left, node.right]  # type: ignore[attr-defined]
    names = [side.name for side in sides if isinstance(side, exp.Column)]
    for name in names:
        codes = columns[name]
        for literal in (side for side in sides if isinstance(side, exp.Literal)):
            if codes is None and literal.is_string:
                raise ValueError(f"`{name}` is a number and is compared with the text '{literal.name}'")
            if codes is not None and literal.name not in codes:
                raise ValueError(f"`{name}` has no code '{literal.name}'; its codes: {', '.join(sorted(codes))}")


def check_select(text: str, tables: set[str]) -> tuple[set[str], set[str]]:
    """A survey's `respondents` statement: one SELECT over its own files, with functions that make little of much.

    Returns the columns it names and those it makes (`AS`). Raises ValueError.
    """
    try:
        trees = [tree for tree in sqlglot.parse(text, dialect="duckdb") if tree is not None]
    except SqlglotError as error:
        raise ValueError(f"not a valid SQL statement: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if len(trees) != 1 or not isinstance(trees[0], exp.Query):
        raise ValueError("must be one SELECT statement")
    tree = trees[0]
    if any(part.args.get("recursive") for part in tree.find_all(exp.With)):
        raise ValueError("WITH RECURSIVE is not allowed: it may have no end")
    ctes = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier) or table.db or table.name not in tables | ctes:
            raise ValueError(f"`{table.sql(dialect='duckdb')}` is not one of the files: {', '.join(sorted(tables))}")
    _check_functions(tree)
    columns = {column.name for column in tree.find_all(exp.Column)}
    for join in tree.find_all(exp.Join):
        columns |= {identifier.name for identifier in join.args.get("using") or []}
    return columns, {alias.alias for alias in tree.find_all(exp.Alias)}


def _check_functions(tree: exp.Query) -> None:
    for function in tree.find_all(exp.Func):
        name = function.name.lower() if isinstance(function, exp.Anonymous | exp.AnonymousAggFunc) else ""
        if not isinstance(function, _FUNCTIONS) and name not in _OTHER_FUNCTIONS:
            name = name or function.sql(dialect="duckdb").split("(")[0][:40]
            raise ValueError(f"`{name}` is not one of the functions that are allowed here; docs/add-a-survey.md lists them")
    if any(not pivot.args.get("unpivot") for pivot in tree.find_all(exp.Pivot)):
        raise ValueError("PIVOT is not allowed: it makes names of columns out of answers")
    pieces = sum(len(node.expressions) for node in tree.find_all(exp.Concat, exp.ConcatWs))
    if pieces + sum(1 for _ in tree.find_all(exp.DPipe)) > MOST_JOINED:
        raise ValueError(f"joins more than {MOST_JOINED} pieces of text")
