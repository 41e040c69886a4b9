"""What the data root around a draft offers: a benchmark for its country, and a first weighting.

Belongs here: choosing among what is there. Not here: reading benchmarks for weighting (``rga.microdata.benchmarks``).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from rga.microdata.data_root import DataRoot
from rga.onboarding.design import DesignGuess
from rga.onboarding.matching import Guess


def benchmark_for(root: DataRoot, country: str, year: int) -> str | None:
    """The benchmark with rows of ``country`` whose name ends in the year nearest to ``year``."""
    folders = [path for path in sorted((root.path / "benchmarks").glob("*")) if path.is_dir() and _has(path, country)]

    def distance(path: Path) -> int:
        found = re.findall(r"\d{4}", path.name)
        return abs(int(found[-1]) - year) if found else 9999

    return min(folders, key=distance).name if folders else None


def _has(folder: Path, country: str) -> bool:
    for path in folder.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            if any(row and row[0] == country for row in csv.reader(file)):
                return True
    return False


def weighting_lines(design: DesignGuess, guesses: Sequence[Guess], benchmark: str | None) -> tuple[list[str], dict[str, str]]:
    """`weighting:` as far as it can be known, the file's own weight, or calibration to the benchmark, and what is to be confirmed
    of it."""
    mapped = {guess.variable for guess in guesses}
    ages = bool({"age", "age_group"} & mapped)
    margins = ["sex*age_group"] * ("sex" in mapped and ages) + ["sex*education"] * ({"sex", "education"} <= mapped)
    if (design.weight or design.open.get("weight")) and not design.response:
        why = "# The weight that came with the file; docs/add-a-survey.md says which steps suit which mode."
        return [why, "weighting: []"], {}
    if benchmark and margins:
        lines = ["# A first weighting; docs/add-a-survey.md says which steps suit which mode."]
        if design.response:
            lines.append("# Non-respondents are in the file: a step `nonresponse` before this one can use what is known of them.")
        return [*lines, "weighting:", f"- {{step: calibrate, method: raking, margins: [{', '.join(margins)}]}}"], {}
    if design.weight:
        why = "# The weight that came with the file, though non-respondents are in it: docs/add-a-survey.md says what can be done."
        return [why, "weighting: []"], {}
    reason = "no benchmark has this country" if not benchmark else "sex and age are not mapped yet"
    told = f"no weight was found, and {reason}: does everybody count alike? Else name `design.weight`, or a benchmark and steps"
    return [f"# {told[0].upper()}{told[1:]}", "# (docs/add-a-survey.md).", "weighting: equal"], {"weighting": told}
