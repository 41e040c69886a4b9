"""One measured job in a process of its own, so that its memory and its first run are not mixed with those of others.

Belongs here: our table, the bare scan, and how a process is measured. Not here: what is compared with what.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import duckdb

REPOSITORY = Path(__file__).parents[2]
THREADS = 2
# A job that would take the machine down fails instead, and is reported as such.
MEMORY_LIMIT = 10 * 2**30
TIME_LIMIT = 400  # seconds, all runs of a job together


class Seconds(NamedTuple):
    """By the clock, and of processor time: on a machine shared with others the second is the steadier one."""

    wall: float
    cpu: float


@dataclass(frozen=True)
class Measured:
    """The first run, the later ones (medians), peak memory of the first, and how many rows came out."""

    cold: Seconds
    warm: Seconds
    peak_mb: float
    results: int


def measure(job: str, path: Path, source: str = "parquet", runs: int = 3, indicators: int = 0, out: Path | None = None) -> Measured:
    """Run ``job`` (ours, scan) over the Parquet file ``path`` ``runs`` times in a new process.

    ``source``: parquet, or a table of an in-memory database, loaded before the clock starts. ``indicators``: how many (0: all).
    ``out``: where our estimates and gaps go. Raises RuntimeError where the process fails, takes
    too long or too much memory.
    """
    command = [sys.executable, "-m", "tests.benchmarks.run", job, str(path), source, str(runs), str(indicators), str(out or "")]
    try:
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"not done after {TIME_LIMIT} s") from error
    if done.returncode:
        raise RuntimeError(last_error(done.stderr))
    found = json.loads(done.stdout)
    return Measured(Seconds(*found["cold"]), Seconds(*found["warm"]), found["peak_mb"], found["results"])


def last_error(stderr: str) -> str:
    """The line that says what went wrong: DuckDB writes advice below it."""
    lines = stderr.strip().splitlines() or ["killed"]
    return next((line for line in reversed(lines) if "Error" in line), lines[-1])[:200]


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, kind in {"job": str, "path": Path, "source": str, "runs": int, "indicators": int, "out": str}.items():
        parser.add_argument(name, type=kind)
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_LIMIT, MEMORY_LIMIT))
    con = duckdb.connect(config={"threads": THREADS})
    relation = f"read_parquet('{args.path}')"
    if args.source == "table":
        load(con, relation)
        relation = "respondents"
    columns = [name for name, *_ in con.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
    asked = [name for name in columns if re.fullmatch(r"i\d+", name)]
    dimensions = [name for name in columns if name not in {"survey_id", "respondent_id", "stratum", "psu", "weight", *asked}]
    asked = asked[: args.indicators or None]
    jobs: dict[str, Callable[..., int]] = {"ours": ours, "scan": scan}
    taken = []
    for repeat in range(args.runs):
        start, start_cpu = time.perf_counter(), time.process_time()
        results = jobs[args.job](con, relation, asked, dimensions, args.out if repeat == 0 else "")
        taken.append(Seconds(time.perf_counter() - start, time.process_time() - start_cpu))
        if repeat == 0:
            peak = peak_mb()
    warm = Seconds(*map(statistics.median, zip(*(taken[1:] or taken), strict=True)))
    print(json.dumps(vars(Measured(taken[0], warm, peak, results))))


def load(con: duckdb.DuckDBPyConnection, relation: str) -> None:
    """Make a table ``respondents`` in memory, its texts enumerated: as R has factors, and polars and pandas categories."""
    columns = con.execute(f"DESCRIBE SELECT * EXCLUDE respondent_id FROM {relation}").fetchall()
    texts = [name for name, kind, *_ in columns if kind == "VARCHAR"]
    for name in texts:
        con.execute(f"CREATE TYPE type_of_{name} AS ENUM (SELECT DISTINCT {name} FROM {relation} ORDER BY 1)")
    typed = ", ".join(f"CAST({name} AS type_of_{name}) AS {name}" for name in texts)
    con.execute(f"CREATE TABLE respondents AS SELECT * EXCLUDE respondent_id REPLACE ({typed}) FROM {relation}")


def ours(con: duckdb.DuckDBPyConnection, relation: str, asked: list[str], dimensions: list[str], out: str) -> int:
    """Every share and every gap between women and men: total, by sex, and by sex within each other dimension."""
    from rga.survey import Share, aggregate, estimates_and_gaps

    breakdowns: list[tuple[str, ...]] = [(), ("sex",), *(("sex", name) for name in dimensions if name != "sex")]
    shares = [Share(name, "", f"{name} = 1") for name in asked]
    sums = aggregate(con, relation, shares, breakdowns)
    estimates, gaps = estimates_and_gaps(sums, breakdowns, "adjust")
    if out:
        estimates.to_parquet(f"{out}/estimates.parquet")
        gaps.to_parquet(f"{out}/gaps.parquet")
    return len(estimates) + len(gaps)


def scan(con: duckdb.DuckDBPyConnection, relation: str, asked: list[str], dimensions: list[str], _out: str) -> int:
    """The cheapest query that reads every column once: min, max and count would be answered from Parquet's statistics."""
    texts = ["survey_id", "stratum", "psu", *dimensions]
    sums = [*(f"sum({name})" for name in ("weight", *asked)), *(f"sum(strlen({name}))" for name in texts)]
    return len(con.execute(f"SELECT {', '.join(sums)} FROM {relation}").fetchall())


def peak_mb() -> float:
    """Peak resident memory of this process. VmHWM starts anew with the program; ru_maxrss would include the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.findall(r"VmHWM:\s+(\d+)", status.read_text())[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
