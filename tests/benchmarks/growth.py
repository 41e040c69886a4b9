"""How time grows with rows, with indicators and with surveys.

Belongs here: what `make bench` prints of it. Not here: other software (``gender_table``), assertions.

    python -m tests.benchmarks.growth --of surveys
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from tests.benchmarks.gender_table import verdict
from tests.benchmarks.population import CATALOGUE, Population, write
from tests.benchmarks.run import Measured, measure

ROWS = (36_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
INDICATORS = (10, 40, 76)
SURVEYS = (18, 180, 1_800)
MISSING = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"rows": rows, "indicators": indicators, "surveys": surveys}
    parser.add_argument("--of", nargs="+", choices=parts, default=parts)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for part in args.of:
            parts[part](Path(name) / "respondents.parquet")


def rows(path: Path) -> None:
    """18 surveys x 40 indicators x 23 cells."""
    found = [(n, timed(write(Population(n, missing=MISSING), path), f"{n:>10,} rows", 4 if n < 200_000 else 2)) for n in ROWS]
    large = [(n, run.warm.cpu) for n, run in found if run and n >= 1_000_000]
    # From a million rows on: below, what does not depend on rows (18 x 23 cells) hides the growth.
    verdict("time linear in rows: exponent of CPU seconds from 1M to 10M rows", exponent(large), 1.1)


def indicators(path: Path) -> None:
    """18 surveys, a million rows, 23 cells."""
    write(Population(1_000_000, indicators=max(INDICATORS), missing=MISSING), path)
    found = [(k, timed(path, f"{k:>10} indicators", 3, k)) for k in INDICATORS]
    print(f"  exponent {exponent([(k, run.warm.cpu) for k, run in found if run]) or float('nan'):.2f}")


def surveys(path: Path) -> None:
    """2,000 respondents each without PSUs, 50 indicators, the nine breakdowns of the catalogue."""
    found = {}
    for count in SURVEYS:
        people = Population(2_000 * count, count, 50, MISSING, strata=0, psus=0, dimensions=CATALOGUE)
        found[count] = timed(write(people, path), f"{count:>10,} surveys without PSUs", 2 if count < 1_000 else 1)
    largest = found[max(SURVEYS)]
    print(f"  exponent {exponent([(count, run.warm.cpu) for count, run in found.items() if run]) or float('nan'):.2f}")
    verdict("1,800 surveys in one pass: seconds", largest.cold.wall if largest else float("inf"), 60)
    verdict("1,800 surveys in one pass: peak MB", largest.peak_mb if largest else float("inf"), 4096)


def timed(path: Path, what: str, runs: int, indicators: int = 0) -> Measured | None:
    """Measure our table and print a line of it."""
    try:
        run = measure("ours", path, runs=runs, indicators=indicators)
    except RuntimeError as error:
        print(f"  {what}: {error}", flush=True)
        return None
    print(
        f"  {what}: {run.cold.wall:8.2f} s first, {run.warm.wall:8.2f} s warm, {run.warm.cpu:8.2f} s CPU, {run.peak_mb:8,.0f} MB, "
        f"{run.results:,} estimates and gaps",
        flush=True,
    )
    return run


def exponent(points: list[tuple[int, float]]) -> float | None:
    """The slope of log seconds on log size; None with fewer than two points."""
    if len(points) < 2:
        return None
    return float(np.polyfit(*np.log(np.array(points, dtype=float)).T, 1)[0])


if __name__ == "__main__":
    main()
