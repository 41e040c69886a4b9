"""What readers of a release, or of two, can compute of the shares it hides.

Belongs here: attacks on finished files, with nothing but what they publish. Not here: what to hide (``rga.survey.disclosure``).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from rga.survey.margins import GROUP
from rga.warehouse.attack.findings import attack
from rga.warehouse.attack.published import read
from rga.warehouse.release_diff import SIDES, attached
from rga.warehouse.schema import quoted

ERROR = 1e-9  # of a share, relative to its base: what doubles and multiplications leave
FEW = 4  # respondents, as `small_count` of publication_rules.yaml
EQUAL = 1e-6  # of a respondent


def exposed_by(older: Path, newer: Path) -> pd.DataFrame:
    """Cells that ``newer`` hides and whoever kept ``older`` can still have: `shown_before`, or `narrowed` by the two together.

    A cell was shown before where the answers of as many to the same question were, whatever the weights, in a survey most of whose
    cells have the ``n`` they had; sums narrow those surveys that have the same data under the same weights. What was published
    cannot be taken back; this is for those who decide whether changing a rule is worth it.
    """
    releases = []
    for path in (older, newer):
        with duckdb.connect(str(path), read_only=True) as connection:
            releases.append(read(connection))
    before, after = releases
    with attached(older, newer) as connection:
        questions, weights = _same_questions(connection), _same_weights(connection)
    keys = [*GROUP, "breakdown", *(name for name in after.dimensions if name in before.cells)]
    old = before.cells.rename(columns={name: f"{name}_old" for name in before.cells if name not in keys})
    both = after.cells.merge(old, on=keys, how="left")
    asked = both["indicator"].isin(questions)
    same_n = both["n"].eq(both["n_old"])
    known = asked & same_n & same_n.groupby(both["survey_id"]).transform("mean").gt(0.5)
    shown = both["hidden"] & both["value_old"].notna() & known
    direct = both.loc[shown, [*keys, "n"]].assign(how="shown_before")
    together = after.cells.assign(**_agreeing(both, (asked & same_n & both["survey_id"].isin(weights)).to_numpy()))
    rest = attack(replace(after, cells=together)).cells[[*keys, "n"]].assign(how="narrowed")
    return pd.concat([direct, rest]).drop_duplicates(keys).reset_index(drop=True)


def _agreeing(both: pd.DataFrame, same: np.ndarray) -> dict[str, np.ndarray]:
    """Limits of the newer of two releases that lie within those of the older one too, of rows that are the ``same``. Where the two
    contradict each other the numbers changed, and the older says nothing."""
    found: dict[str, np.ndarray] = {}
    for low, high in (("low", "high"), ("population_low", "population_high")):
        sides = {name: both[name].to_numpy(np.float64) for name in (low, high, f"{low}_old", f"{high}_old")}
        least, most = np.fmax(sides[low], sides[f"{low}_old"]), np.fmin(sides[high], sides[f"{high}_old"])
        agree = same & (least <= most)
        found |= {low: np.where(agree, least, sides[low]), high: np.where(agree, most, sides[high])}
    return found


def _same_questions(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Indicators that two `attached` releases define alike."""
    query = "SELECT indicator FROM older.indicators JOIN newer.indicators USING (indicator, universe, numerator)"
    return [code for (code,) in connection.execute(query).fetchall()]


def _same_weights(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Surveys that have, as far as two `attached` releases say, the same weights: made from the same file, specification and
    benchmark, or else with the same design effect."""
    inputs = ("data_hash", "specification_hash", "benchmark_hash")
    has = [{name for name, *_ in connection.execute(f"DESCRIBE {side}.surveys").fetchall()} for side in SIDES]
    compared = [f"o.{name} IS NOT DISTINCT FROM n.{name}" for name in inputs if name in has[0] & has[1]]
    condition = " AND ".join(compared) or f"abs(o.weight_deff - n.weight_deff) <= {ERROR} * o.weight_deff"
    query = f"SELECT survey_id FROM older.surveys o JOIN newer.surveys n USING (survey_id) WHERE {condition}"
    return [survey_id for (survey_id,) in connection.execute(query).fetchall()]


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
            exact = " AND ".join(["value IS NOT NULL", *(f"{step} IS NULL" for step in ("precision", "rounded_to") if step in has)])
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
