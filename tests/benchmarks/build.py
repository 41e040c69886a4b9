"""The gender table against the bare scan of the same columns, and a cold build of the default data root.

Belongs here: what `make bench` prints. Not here: assertions; machines are shared and noisy, so read the ratios.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from rga.survey import Share, aggregate, estimate, gender_gaps

SURVEYS, INDICATORS = 18, 40
DIMENSIONS = ["sex", "age_group", "residence", "education"]
BREAKDOWNS = [(), ("sex",), ("sex", "age_group"), ("sex", "residence"), ("sex", "education")]


def simulate(connection: duckdb.DuckDBPyConnection, rows: int) -> None:
    """A table of ``rows`` respondents: 18 surveys, 8 strata of 30 PSUs each, 40 indicators, no missing answers."""
    connection.execute("SELECT setseed(0.2024)").fetchall()
    answers = ", ".join(f"random() < {0.1 + 0.02 * k} AS i{k}" for k in range(INDICATORS))
    connection.execute(f"""
        CREATE OR REPLACE TABLE respondents AS
        SELECT '2020-r1_' || chr(65 + (r % {SURVEYS})::INT) AS survey_id, r::VARCHAR AS respondent_id,
               (hash(r) % 8)::VARCHAR AS stratum, (hash(r) // 8 % 30)::VARCHAR AS psu, 500 + 2500 * random() AS weight,
               CASE WHEN random() < 0.52 THEN 'F' ELSE 'M' END AS sex, 'Y' || (5 * random())::INT AS age_group,
               CASE WHEN random() < 0.45 THEN 'U' ELSE 'R' END AS residence,
               'E' || (2 * random())::INT AS education, {answers}
        FROM range({rows}) AS t(r)""").fetchall()


def main() -> None:
    shares = [Share(f"I{k}", "TRUE", f"i{k}") for k in range(INDICATORS)]
    plain = ", ".join(f"sum(CASE WHEN i{k} THEN weight END)" for k in range(INDICATORS))
    scan = f"SELECT {plain}, max(sex), max(age_group), max(residence), max(education), max(psu) FROM respondents"
    print(f"gender table: {SURVEYS} surveys x {INDICATORS} indicators x {len(BREAKDOWNS)} breakdowns")
    print(f"{'rows':>10} {'scan s':>8} {'sums s':>8} {'numbers s':>10} {'ratio to scan':>14}")
    with duckdb.connect() as connection:
        for rows in (36_000, 1_000_000):
            simulate(connection, rows)
            start = time.perf_counter()
            connection.execute(scan).fetchall()
            scanned = time.perf_counter()
            sums = aggregate(connection, "respondents", shares, DIMENSIONS)
            summed = time.perf_counter()
            cells = len(estimate(sums, BREAKDOWNS)) + len(gender_gaps(sums, BREAKDOWNS))
            done = time.perf_counter()
            ratio = (done - scanned) / (scanned - start)
            print(f"{rows:>10,} {scanned - start:>8.2f} {summed - scanned:>8.2f} {done - summed:>10.2f} {ratio:>14.1f}")
            print(f"{'':>10} {cells:,} estimates and gaps")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")
    with tempfile.TemporaryDirectory() as folder:
        command = [str(Path(sys.executable).parent / "rga"), "build", "--warehouse", folder]
        for name in ("cold", "unchanged"):
            start = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True)
            print(f"rga build, {name}: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
