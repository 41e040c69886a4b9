"""The page docs/simulation.md, made of repeated draws.

Belongs here: tables and text of the page. Not here: the draws (``repeated_draws``).

    python -m tests.simulation.page      # writes docs/simulation.md; takes long
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from rga.simulate.programme import PROGRAMME
from tests.simulation.repeated_draws import DRAWS, FEW, ROOT, Repeated, repeat_all
from tests.simulation.weighing import STEPS

HEADLINE = ("UDW_INC_ANY", "HLT_MENTAL")
DRAWN = {
    "operators": "text messages", "web": "web link", "areas": "lists in areas", "dialling": "random dialling",
    "panel": "first round",
}  # fmt: skip


def report(found: list[Repeated]) -> str:
    """Text of docs/simulation.md."""
    template = (Path(__file__).parent / "simulation.md").read_text(encoding="utf-8")
    hidden = [line for repeated in found if repeated.survey.unobserved for line in _headlines(repeated)]
    draws = int(max(repeated.results["draws"].max() for repeated in found))
    repaired = [repeated for repeated in found if not repeated.survey.unobserved]
    rare = pd.concat([repeated.rare for repeated in repaired]).to_numpy()
    covered = pd.concat([repeated.results["covered"] for repeated in repaired])
    return template.format(
        draws=draws, steps=" | ".join(STEPS), rules="---|" * len(STEPS), surveys="\n".join(map(_line, found)),
        detail="\n".join(hidden), few=FEW,
        rare=f"{100 * rare.mean():.0f} %", covered_rare=f"{100 * covered[rare].mean():.1f} %",
        covered_others=f"{100 * covered[~rare].mean():.1f} %",
    )  # fmt: skip


def _line(found: Repeated) -> str:
    survey = found.survey
    bias = [f"{found.bias(step):.2f}" if step in found.steps else "" for step in STEPS]
    left = f"{100 * found.bias_weighted / found.bias_unweighted:.0f} %"
    cells = [survey.key, DRAWN[survey.sampling], "yes" if survey.unobserved else "", *bias, left, f"{found.coverage:.1f} %"]
    return f"| {' | '.join(cells)} |"


def _headlines(found: Repeated) -> list[str]:
    chosen = found.results[found.results["indicator"].isin(HEADLINE) & found.results["sex"].isin(["F", "M"])]
    return [
        f"| {found.survey.key} | {row.indicator} | {row.sex} | {row.truth:.1f} | {row.unweighted:.1f} | {row.weighted:.1f} | "
        f"{row.weighted - row.truth:+.1f} | {100 * row.covered:.0f} % |"
        for row in chosen.itertuples()
    ]


if __name__ == "__main__":
    keys = sys.argv[1:]
    text = report(repeat_all([s for s in PROGRAMME if not keys or s.key in keys], DRAWS))
    if not keys:
        (ROOT / "docs" / "simulation.md").write_text(text, encoding="utf-8")
    print(text)
