"""The gender table beside R survey, svy and the bare scan of the same columns, in one run.

Belongs here: what `make bench` prints of it. Not here: assertions; machines are shared and noisy, so read the ratios.

    python -m tests.benchmarks.gender_table --rows 36000 --peers none
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.peers import NotMeasured, furthest, r_survey, svy
from tests.benchmarks.population import Population, write
from tests.benchmarks.run import THREADS, Seconds, measure

ROWS = (36_000, 1_000_000, 10_000_000)
SURVEYS, INDICATORS = 18, 40
SMALL = 200_000  # below, a run takes so little that a median of more of them is due
RUNS_SMALL, RUNS = 7, 3
LIMIT = 240  # seconds a peer may take; its time is then extrapolated from fewer rows
FILE, MEMORY = "ours, from the file", "ours, in memory"  # the second as all peers have it: loaded before the clock starts
ANSWERS = {"all answered": 0.0, "5 % missing": 0.05}


@dataclass
class Report:
    """What was measured, by (rows, answers, what), and how far from R it was."""

    seconds: dict[tuple[int, str, str], Seconds] = field(default_factory=dict)
    peak_mb: dict[int, float] = field(default_factory=dict)
    from_r: list[float] = field(default_factory=list)

    def line(self, rows: int, answers: str, what: str, taken: Seconds, peak_mb: float | None = None, note: str = "") -> None:
        """Print one line: seconds, CPU seconds, peak MB, and both times over those of ours and of the scan."""
        self.seconds[rows, answers, what] = taken
        memory = "" if peak_mb is None else f"{peak_mb:,.0f}"
        ratios = ""
        for base in (MEMORY, "bare scan"):
            times = self.over(rows, answers, base, what)
            ratios += f" {times.wall:9.2f} {times.cpu:9.2f}" if times else f" {'':19}"
        print(f"  {what:26} {answers:12} {taken.wall:9.3f} {taken.cpu:9.3f} {memory:>7}{ratios}  {note}".rstrip(), flush=True)

    def over(self, rows: int, answers: str, base: str, what: str) -> Seconds | None:
        """How many times as long ``what`` took as ``base``; None where either was not measured."""
        one, other = self.seconds.get((rows, answers, what)), self.seconds.get((rows, answers, base))
        return Seconds(one.wall / other.wall, one.cpu / other.cpu) if one and other else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=ROWS, help="respondents in all, of 18 surveys")
    parser.add_argument("--peers", nargs="+", choices=("r", "svy", "none"), default=("r", "svy"))
    args = parser.parse_args()
    report = Report()
    print(f"Gender table: {SURVEYS} surveys x {INDICATORS} indicators x 23 cells, with gaps; {THREADS} threads\n")
    names = ["seconds", "CPU s", "MB", "x ours", "(CPU)", "x scan", "(CPU)"]
    print(f"  {'':39}" + "".join(f" {name:>{7 if name == 'MB' else 9}}" for name in names))
    for rows in args.rows:
        with tempfile.TemporaryDirectory() as name:
            one_size(report, rows, set(args.peers), Path(name))
    print_verdicts(report)


def one_size(report: Report, rows: int, peers: set[str], folder: Path) -> None:
    """Measure everything for one number of rows."""
    print(f"{rows:,} rows")
    for answers, missing in ANSWERS.items():
        path = write(Population(rows, SURVEYS, INDICATORS, missing), folder / "respondents.parquet")
        runs = RUNS_SMALL if rows < SMALL else RUNS
        try:
            ours = measure("ours", path, runs=runs, out=folder)
        except RuntimeError as error:
            print(f"  ours, {answers}: {error}")
            continue
        scan = measure("scan", path, runs=runs)
        report.peak_mb[rows] = max(ours.peak_mb, report.peak_mb.get(rows, 0))
        report.line(rows, answers, "bare scan", scan.warm, scan.peak_mb)
        report.line(rows, answers, FILE, ours.warm, ours.peak_mb)
        report.line(rows, answers, f"{FILE}, first", ours.cold)
        report.line(rows, answers, MEMORY, measure("ours", path, "table", runs).warm)
        run_peers(report, rows, answers, peers, path, folder)


def run_peers(report: Report, rows: int, answers: str, peers: set[str], path: Path, folder: Path) -> None:
    """Each peer on a few of the surveys, times 18 over those; with missing answers only R, at the smallest size."""
    few = 2 if rows < SMALL else 1
    jobs = {"R survey": lambda: r_survey(path, few, folder, LIMIT)} if "r" in peers else {}
    if answers != "all answered":
        if rows >= SMALL:
            return
    elif "svy" in peers:
        jobs |= {f"svy {mode}": lambda mode=mode: svy(path, few, mode, folder, LIMIT) for mode in ("mean", "prop")}
    for what, job in jobs.items():
        try:
            taken = job()
        except NotMeasured as error:
            extrapolated = linear(report, answers, what, rows)
            if extrapolated:
                report.line(rows, answers, what, extrapolated, note=f"{error}: on the line through fewer rows")
            else:
                print(f"  {what}, {answers}: {error}")
            continue
        times = SURVEYS / few
        report.line(rows, answers, what, Seconds(taken.wall * times, taken.cpu * times), note=f"{few} of {SURVEYS} surveys")
        try:
            differences = furthest(folder, folder, what)
        except NotMeasured as error:
            print(f"    NOT the same table as {what}: {error}")
            differences = {"cells": float("inf")}
        print("    furthest from it: " + ", ".join(f"{name} {value:.0e}" for name, value in differences.items()))
        if what == "R survey":
            report.from_r.append(max(differences.values()))


def linear(report: Report, answers: str, what: str, rows: int) -> Seconds | None:
    """The straight line through the two sizes measured before; None with fewer."""
    points = sorted((r, s) for (r, a, w), s in report.seconds.items() if a == answers and w == what)[-2:]
    if len(points) < 2:
        return None
    (r0, s0), (r1, s1) = points
    wall, cpu = (one + (one - less) / (r1 - r0) * (rows - r1) for less, one in zip(s0, s1, strict=True))
    return Seconds(wall, cpu)


def print_verdicts(report: Report) -> None:
    """Each figure of the acceptance that this run can judge."""
    print("\nAcceptance (in brackets the same in CPU seconds, which other people's work disturbs less)")
    small, large = ROWS[0], ROWS[-1]
    every, missing = ANSWERS
    for rows, peer, least in [
        (small, "R survey", 100),
        (small, "svy mean", 60),
        (large, "R survey", 200),
        (large, "svy mean", 100),
    ]:
        verdict(f"{rows:,} rows: x as fast as {peer}", report.over(rows, every, MEMORY, peer), least, at_least=True)
        if read := report.over(rows, every, FILE, peer):
            print(f"  {'':12} the same where ours reads the file meanwhile: {read.wall:,.3g} ({read.cpu:,.3g})")
    verdict(f"{large:,} rows, 5 % missing: x the bare scan", report.over(large, missing, "bare scan", FILE), 4)
    verdict(f"{large:,} rows: peak MB", report.peak_mb.get(large), 2048)
    verdict("furthest from R survey, relative", max(report.from_r) if report.from_r else None, 1e-9)


def verdict(what: str, value: float | Seconds | None, bound: float, at_least: bool = False) -> None:
    """Print ``met`` or ``NOT met`` by the clock, or that it was not measured."""
    if value is None:
        print(f"  {'not measured':12} {what}")
        return
    wall, cpu = value if isinstance(value, Seconds) else (value, None)
    met = wall >= bound if at_least else wall <= bound
    beside = f" ({cpu:,.3g})" if cpu is not None else ""
    print(f"  {'met' if met else 'NOT met':12} {what}: {wall:,.3g}{beside}, {'at least' if at_least else 'at most'} {bound:,}")


if __name__ == "__main__":
    main()
