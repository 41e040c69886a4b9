"""One call for a table of estimates, whatever the statistic and the design.

Belongs here: which way of computing fits a statistic and a design, and one form for what comes back. Not here: any computing.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.survey.aggregation import aggregate
from rga.survey.data import Data, opened, quoted, refuse_names, require
from rga.survey.design import MISSING, TOTAL, Design, breakdown_name
from rga.survey.joint import MEASURES, Result, jointly
from rga.survey.replication import estimate_replicates
from rga.survey.statistics import Quantile, Statistic
from rga.survey.tables import estimate

Source = tuple[duckdb.DuckDBPyConnection, str]
NAMES = ["code", "category", "breakdown"]


def tabulate(data: Data, design: Design, statistics: Sequence[Statistic], by: Sequence[tuple[str, ...]] = ((),)) -> pd.DataFrame:
    """Every statistic in every cell of every crossing in ``by``, in which somebody answered: a tidy frame.

    ``data`` is a pandas frame, the path of a Parquet file, a DuckDB relation, or a connection with the name of a table. Columns:
    code, category (`_T` but for a distribution), breakdown, one per dimension (`_T` where not broken down, `_U` where not known),
    value (shares 0..1), se, ci_low, ci_high (95 %), n, population, deff, df, cv; NaN where something is not defined.

    One-stage designs go through the sums of one pass (`rga.survey.aggregation`), which takes any number of rows; quantiles, two
    stages and continuous margins through influence values (`rga.survey.joint`), replicate weights through theirs
    (`rga.survey.replication`): these say what each formula is and what they raise.

    >>> people = pd.DataFrame({"sex": ["F", "F", "M", "M"], "y": [1, 0, 1, 1], "w": [1.0, 2.0, 1.5, 0.5]})
    >>> tabulate(people, Design(weight="w"), [Share("works", "", "y = 1")], [("sex",)])[["sex", "value", "n"]]
      sex     value  n
    0   F  0.333333  2
    1   M  1.000000  2
    """
    if not statistics:
        raise ValueError("no statistic to estimate")
    dimensions = list(dict.fromkeys(name for crossing in by for name in crossing))
    refuse_names(dimensions, [*NAMES, *MEASURES])
    with opened(data) as source:
        if design.replicates is not None:
            table = estimate_replicates(source, design, statistics, by).table
        else:
            quantiles = [s for s in statistics if isinstance(s, Quantile) or design.ssu or design.numbers]
            summed = [s for s in statistics if s not in quantiles]
            parts = [_summed(source, design, summed, by, dimensions)] if summed else []
            parts += [_jointly(source, design, quantiles, crossing, dimensions) for crossing in by] if quantiles else []
            table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=NAMES)
    _refuse_total(table, by)
    order = {statistic.code: place for place, statistic in enumerate(statistics)}
    crossings = {breakdown_name(crossing): place for place, crossing in enumerate(by)}
    keys = [table["breakdown"].map(crossings), table["code"].map(order)]
    sorted_rows = np.lexsort((np.arange(len(table)), *reversed([key.to_numpy() for key in keys])))
    columns = [*NAMES, *dimensions, *MEASURES]
    return table.reindex(columns=columns).iloc[sorted_rows].reset_index(drop=True)


def _summed(
    source: Source, design: Design, statistics: Sequence[Statistic], by: Sequence[tuple[str, ...]], dimensions: list[str]
) -> pd.DataFrame:
    sums = aggregate(*source, statistics, by, design, survey=None)
    return estimate(sums, by, design.lonely_psu).rename(columns={"indicator": "code"})


def _jointly(
    source: Source, design: Design, statistics: Sequence[Statistic], crossing: tuple[str, ...], dimensions: list[str]
) -> pd.DataFrame:
    """Each cell of ``crossing`` is a domain of one sample."""
    con, relation = source
    require(con, relation, [design.weight, *crossing])
    present = f"WHERE {quoted(design.weight)} IS NOT NULL" if design.weight else ""
    if not con.execute(f"SELECT 1 FROM {relation} {present} LIMIT 1").fetchall():
        return pd.DataFrame(columns=[*NAMES, *dimensions, *MEASURES])
    names = ", ".join(f"COALESCE(CAST({quoted(d)} AS VARCHAR), '{MISSING}') AS {quoted(d)}" for d in dict.fromkeys(crossing))
    query = f"SELECT DISTINCT {names} FROM {relation} ORDER BY ALL"
    cells = con.execute(query).df().to_dict("records") if crossing else [{}]
    results = [Result(statistic, {str(d): category for d, category in cell.items()}) for statistic in statistics for cell in cells]
    table = jointly(source, design, results).table
    table = table[table["n"] > 0].reset_index(drop=True)
    for dimension in dimensions:
        table[dimension] = table[dimension] if dimension in crossing and dimension in table else TOTAL
    return table.assign(breakdown=breakdown_name(crossing))


def _refuse_total(table: pd.DataFrame, by: Sequence[tuple[str, ...]]) -> None:
    """Raise InputError naming the dimensions of which a category is called as everybody is."""
    within = {name: table.loc[table["breakdown"] == breakdown_name(crossing), name] for crossing in by for name in crossing}
    if clash := [name for name, codes in within.items() if (codes == TOTAL).any()]:
        what = f"a category is called {TOTAL}, which stands for everybody"
        raise InputError([Problem(what, "give the category another name", variable=name) for name in clash])
