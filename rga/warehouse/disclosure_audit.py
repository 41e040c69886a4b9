"""What readers of a release, or of two, can compute of the shares it hides.

Belongs here: attacks on finished files, with nothing but what they publish. Not here: what to hide (``rga.survey.disclosure``).
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from rga.survey.margins import GROUP, SLACK, Cells, cells_of, narrowed
from rga.warehouse.release_diff import SIDES, attached
from rga.warehouse.schema import quoted

ERROR = 1e-9  # of a share, relative to its base: what doubles and multiplications leave
FEW = 4  # respondents, as `small_count` of publication_rules.yaml
EQUAL = 1e-6  # of a respondent
READ = [*GROUP, "breakdown", "n", "population", "value", "precision", "rounded_to", "obs_status"]


def computable(connection: duckdb.DuckDBPyConnection, values: int = 2) -> pd.DataFrame:
    """Cells of ``connection``'s `estimates` that are hidden, and yet are narrowed to fewer than ``values`` respondents' worth
    by the sums between the cells that are shown."""
    frame, breakdowns = _read(connection)
    return _narrow(frame, breakdowns, *_limits(frame), values)


def exposed_by(older: Path, newer: Path, values: int = 2) -> pd.DataFrame:
    """Cells that ``newer`` hides and whoever kept ``older`` can still have: `shown_before`, or `narrowed` by the two together.

    A cell was shown before where the answers of as many to the same question were, whatever the weights, in a survey most of whose
    cells have the ``n`` they had; sums narrow those surveys that have the same data under the same weights. What was published
    cannot be taken back; this is for those who decide whether changing a rule is worth it.
    """
    frames = []
    for path in (older, newer):
        with duckdb.connect(str(path), read_only=True) as connection:
            frames.append(_read(connection))
    (old, _), (new, breakdowns) = frames
    with attached(older, newer) as connection:
        questions, weights = _same_questions(connection), _same_weights(connection)
    dimensions = [name for name in dict.fromkeys(d for by in breakdowns for d in by) if name in old]
    keys = [*GROUP, "breakdown", *dimensions]
    both = new[new["indicator"].isin(questions)].merge(old, on=keys, how="left", suffixes=("", "_old"))
    same_n = both["n"].eq(both["n_old"])
    known = same_n & same_n.groupby(both["survey_id"]).transform("mean").gt(0.5)
    shown = both["value"].isna() & both["value_old"].notna() & known
    direct = both.loc[shown, [*keys, "n"]].assign(how="shown_before")
    same = same_n & np.isclose(both["population"], both["population_old"], rtol=1e-9) & both["survey_id"].isin(weights)
    both = both[same.groupby(both["survey_id"]).transform("all")]
    rest = _narrowed_together(both, breakdowns, values)[[*keys, "n"]].assign(how="narrowed")
    return pd.concat([direct, rest[~rest.index.isin(direct.index)]]).reset_index(drop=True)


def _narrowed_together(both: pd.DataFrame, breakdowns: list[tuple[str, ...]], values: int) -> pd.DataFrame:
    """Rows hidden in the newer of two releases that what they show together narrows too far."""
    if both.empty:
        return both
    before = both[["n", "population"]].assign(
        value=both["value_old"], rounded_to=both["rounded_to_old"], precision=both["precision_old"]
    )
    (low, high), (low_old, high_old) = _limits(both), _limits(before)
    # Where the two contradict each other the numbers changed, and the older says nothing.
    agree = np.maximum(low, low_old) <= np.minimum(high, high_old)
    low, high = np.where(agree, np.maximum(low, low_old), low), np.where(agree, np.minimum(high, high_old), high)
    return _narrow(both, breakdowns, low, high, values)


def _same_questions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Indicators that two `attached` releases define alike."""
    query = "SELECT indicator FROM older.indicators JOIN newer.indicators USING (indicator, universe, numerator)"
    return [code for (code,) in connection.execute(query).fetchall()]


def _same_weights(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Surveys whose weights have the same design effect in two `attached` releases: no other set of weights has."""
    query = f"""SELECT survey_id FROM older.surveys o JOIN newer.surveys n USING (survey_id)
                WHERE abs(o.weight_deff - n.weight_deff) <= {ERROR} * o.weight_deff"""
    return [survey_id for (survey_id,) in connection.execute(query).fetchall()]


def given_away(older: Path, newer: Path) -> tuple[int, dict[str, int]]:
    """How many cells that ``newer`` hides can be had with ``older``, and by survey, how many cells differ by few respondents."""
    few = differences_of_few(older, newer)
    return len(exposed_by(older, newer)), dict(zip(few["survey_id"], few["cells"].astype(int), strict=True))


def differences_of_few(older: Path, newer: Path) -> pd.DataFrame:
    """By survey, how many cells of `estimates` differ by 1 to 4 respondents between two releases: whoever has both subtracts one
    from the other, and what remains are the answers of those few.

    A cell differs by the difference of its ``n``; with ``n``, question and weights as they were, by that of its share times ``n``,
    shown exactly in both. Columns: survey_id, cells, respondents_before, respondents. Indicators and breakdowns that both releases
    have are compared; a cell that one of them lacks has nobody in it.
    """
    with attached(older, newer) as connection:
        columns = [{name for name, *_ in connection.execute(f"DESCRIBE {side}.estimates").fetchall()} for side in SIDES]
        listed = connection.execute("SELECT dimensions FROM newer.breakdowns").fetchall()
        dimensions = sorted({name for (text,) in listed for name in text.split(", ")} & columns[0] & columns[1])
        keys = [*GROUP, "breakdown", *dimensions]

        def cells(side: str, has: set[str], other: str) -> str:
            exact = "value IS NOT NULL AND rounded_to IS NULL" if "rounded_to" in has else "value IS NOT NULL"
            chosen = ", ".join(f"CAST({quoted(name)} AS VARCHAR) AS {quoted(name)}" for name in keys)
            return f"""SELECT {chosen}, n, population,
                    CASE WHEN statistic = 'share' AND {exact} THEN value * n / 100 END AS numerator
                FROM {side}.estimates
                WHERE (survey_id, indicator) IN (SELECT (survey_id, indicator) FROM {other}.estimates)
                  AND breakdown IN (SELECT breakdown FROM {other}.breakdowns)"""

        same = " AND ".join(f"a.{quoted(name)} = b.{quoted(name)}" for name in keys)
        questions, weights = _same_questions(connection), _same_weights(connection)
        return connection.execute(
            f"""
            WITH a AS ({cells("older", columns[0], "newer")}), b AS ({cells("newer", columns[1], "older")}),
            few AS (
                SELECT coalesce(a.survey_id, b.survey_id) AS survey_id, count(*) AS cells FROM a FULL JOIN b ON {same}
                WHERE abs(coalesce(a.n, 0) - coalesce(b.n, 0)) BETWEEN 1 AND {FEW}
                   OR (a.n = b.n AND abs(a.population - b.population) <= {ERROR} * a.population
                       AND list_contains($questions, a.indicator) AND list_contains($weights, a.survey_id)
                       AND abs(a.numerator - b.numerator) > {EQUAL} AND abs(a.numerator - b.numerator) < {FEW} + 1)
                GROUP BY 1
            )
            SELECT survey_id, cells, o.n AS respondents_before, n.n AS respondents
            FROM few JOIN older.surveys o USING (survey_id) JOIN newer.surveys n USING (survey_id) ORDER BY survey_id""",
            {"questions": questions, "weights": weights},
        ).df()


def _read(connection: duckdb.DuckDBPyConnection) -> tuple[pd.DataFrame, list[tuple[str, ...]]]:
    listed = connection.execute("SELECT dimensions FROM breakdowns").fetchall()
    present = {name for name, *_ in connection.execute("DESCRIBE estimates").fetchall()}
    crossed = [tuple(text.split(", ")) if text else () for (text,) in listed]
    breakdowns = [by for by in crossed if present.issuperset(by)]
    dimensions = list(dict.fromkeys(name for by in breakdowns for name in by))
    columns = ", ".join(f'"{name}"' for name in [*READ, *dimensions] if name in present)
    cells = connection.execute(f"SELECT {columns} FROM estimates WHERE statistic = 'share'").to_arrow_table()
    frame = cells.to_pandas()  # by way of Arrow: read several times as fast
    frame["value"] /= 100
    for step in ("precision", "rounded_to"):
        if step not in frame:
            frame[step] = np.nan
    texts = [*GROUP, "breakdown", *dimensions]
    return frame.astype(dict.fromkeys(texts, "str")), breakdowns


def _limits(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Shares of 1 between which a reader knows each cell to be, before any sums."""
    value = frame["value"].to_numpy(np.float64)
    within = np.nan_to_num(np.fmax(frame["rounded_to"], frame["precision"]).to_numpy(np.float64)) / 200 + ERROR
    return np.where(np.isnan(value), 0.0, value - within), np.where(np.isnan(value), 1.0, value + within)


def _narrow(frame: pd.DataFrame, breakdowns: list[tuple[str, ...]], low: np.ndarray, high: np.ndarray, values: int) -> pd.DataFrame:
    """Hidden rows of ``frame`` that sums narrow too far."""
    cells: Cells = cells_of(frame.assign(numerator_n=0), breakdowns)
    rows, weight = slice(0, cells.published), cells.weight
    least, most = np.zeros(len(weight)), weight.copy()
    least[rows], most[rows] = low * weight[rows], high * weight[rows]
    least, most = narrowed(cells, least, most)
    worth = np.divide(weight, cells.n, out=np.zeros(len(weight)), where=cells.n > 0)
    need = np.minimum(values - 1, cells.n) * worth
    return frame[frame["value"].isna().to_numpy() & (most - least < need - SLACK)[rows]]
