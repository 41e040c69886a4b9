"""A cold build of the default data root, one with nothing to do, and what the analysis of its estimates adds.

Belongs here: what `make bench` prints of it. Not here: assertions; machines are shared and noisy.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

RGA = [str(Path(sys.executable).parent / "rga")]
WITHOUT_ANALYSIS = [sys.executable, "-m", "tests.benchmarks.without_analysis"]
ASKED = 10  # seconds, at most
PAIRS = 3  # in turn, as the speed of a shared machine changes from minute to minute
SAME = ("start", "surveys")  # stages before any estimate


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "unchanged"):
            print(f"rga build, {name}: {build(RGA, folder)}")
    added = [after_surveys(RGA) - after_surveys(WITHOUT_ANALYSIS) for _ in range(PAIRS)]
    verdict = "met" if statistics.median(added) < ASKED else "not met"
    seconds = ", ".join(f"{value:.1f}" for value in added)
    print(f"the analysis adds to estimates and their errors: {seconds} s (asked: less than {ASKED}; {verdict})")


def build(command: list[str], warehouse: str) -> str:
    """Where the time went, in the words of `rga build`."""
    done = subprocess.run([*command, "build", "--warehouse", warehouse], check=True, capture_output=True, text=True)
    return next(line for line in done.stdout.splitlines() if line.startswith("Time")).split(maxsplit=1)[1]


def after_surveys(command: list[str]) -> float:
    """Seconds of a cold build from the first estimate on."""
    with tempfile.TemporaryDirectory() as folder:
        said = build(command, folder)
    stages = {name.strip(): float(seconds) for name, seconds in re.findall(r"([a-z ]+) ([\d.]+)", said.partition(":")[2])}
    return sum(seconds for name, seconds in stages.items() if name not in SAME)


if __name__ == "__main__":
    main()
