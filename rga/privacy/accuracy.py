"""How far a research file is from the headline figures that are published, and how far it may be.

Belongs here: the bounds, the refusal, the table of the report. Not here: measuring (``headlines``), what lowers the error
(``shown_weights``, ``replicate_weights``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from rga.errors import InputError, Problem
from rga.privacy.headlines import GAP
from rga.survey import TOTAL
from rga.survey.design import MEN, WOMEN

MOST_ERROR = 0.5  # published standard errors between the file's figure and the printed one
RATIOS = (0.8, 1.25)  # of the file's standard error to the published one
WORDS = {TOTAL: "everybody", WOMEN: "women", MEN: "men", GAP: "gap"}
HEADER = ["indicator", "of", "published", "in the file", "error", "published se", "se in the file", "ratio of se"]


def refuse_inaccurate(figures: pd.DataFrame, reads: Mapping[str, list[str]], survey: str) -> None:
    """Raise InputError naming the indicators of ``figures`` (of ``headlines.compared``) that are out of bounds, the worst first, by
    how much, and which released columns (``reads``, by indicator) they are of."""
    low, high = RATIOS
    out = figures.assign(
        by=np.maximum(figures["error"].abs() / MOST_ERROR, np.maximum(figures["ratio"] / high, low / figures["ratio"]))
    )
    out = out[~(out["by"] <= 1)].sort_values("by", ascending=False)
    if out.empty:
        return
    problems = [
        Problem(
            f"is not released: {len(out)} of {len(figures)} headline figures would be more than {MOST_ERROR:g} published "
            f"standard errors from the printed ones, or have standard errors outside {low:g} to {high:g} times the published ones",
            "leave a column of each indicator below out of the file (`drop: {column: why}` in privacy.yaml), or let fewer of its "
            "answers be suppressed (coarsen another quasi-identifier first)",
            survey,
        )
    ]
    for indicator, rows in out.groupby("indicator", sort=False):
        told = "; ".join(_told(WORDS[of], *rest) for of, *rest in rows[["of", *MEASURES]].itertuples(index=False))
        problems.append(Problem(f"{told}; made of {', '.join(reads[str(indicator)])}", file=survey, variable=str(indicator)))
    raise InputError(problems)


MEASURES = ["value", "in_file", "error", "se", "se_in_file"]


def _told(who: str, value: float, in_file: float, error: float, se: float, se_in_file: float) -> str:
    return (
        f"{who} {100 * in_file:.2f} in the file (se {100 * se_in_file:.2f}), {100 * value:.2f} published (se {100 * se:.2f}), "
        f"{abs(error):.2f} standard errors away"
    )


def figures_as_data(figures: pd.DataFrame) -> list[dict[str, Any]]:
    """A record per figure: shares in per cent, gaps in percentage points, ``error`` in published standard errors."""
    return [
        {"indicator": indicator, "of": WORDS[of]}
        | {name: round(100 * number, 6) for name, number in zip(("published", "in_file", "se", "se_in_file"), percent, strict=True)}
        | {"error": round(error, 4), "se_ratio": round(ratio, 4)}
        for indicator, of, error, ratio, *percent in figures[
            ["indicator", "of", "error", "ratio", "value", "in_file", "se", "se_in_file"]
        ].itertuples(index=False)
    ]


def summary(figures: pd.DataFrame) -> dict[str, float | int]:
    """The largest error of a share and of a gap, gaps whose sign is not the printed one, the range of ratios; 0 without figures."""
    gaps = figures["of"] == GAP
    turned = gaps & (np.sign(figures["value"]) * np.sign(figures["in_file"]) < 0)
    return {
        "figures": len(figures),
        "largest_error_of_a_share": round(float(figures.loc[~gaps, "error"].abs().max() if (~gaps).any() else 0), 3),
        "largest_error_of_a_gap": round(float(figures.loc[gaps, "error"].abs().max() if gaps.any() else 0), 3),
        "gaps_of_other_sign": int(turned.sum()),
        "lowest_se_ratio": round(float(figures["ratio"].min() if len(figures) else 1), 3),
        "highest_se_ratio": round(float(figures["ratio"].max() if len(figures) else 1), 3),
    }


def accuracy_section(figures: pd.DataFrame, left_out: list[str]) -> list[str]:
    """The report's section, in Markdown."""
    found = summary(figures)
    low, high = RATIOS
    return [
        "## Headline figures: in the file and as published",
        "",
        f"{found['figures']} shares (of everybody, women and men) and gaps are in the release and can be computed from the file. "
        f"A share of the file is at most {found['largest_error_of_a_share']:.2f} published standard errors from the printed one, "
        f"a gap {found['largest_error_of_a_gap']:.2f}. Gaps whose sign is not the printed one: {found['gaps_of_other_sign']}, all "
        f"of them within half a standard error of zero. Standard errors in the file are {found['lowest_se_ratio']:.2f} to "
        f"{found['highest_se_ratio']:.2f} times the published ones.",
        "",
        f"No file is written with an error above {MOST_ERROR:g}, or a ratio of standard errors outside {low:g} to {high:g}. "
        "Figures that the release does not print were neither used nor compared.",
        "",
        "Shares are per cent, gaps percentage points, errors published standard errors.",
        "",
        *(
            [f"Not given by the file, as a column is left out, coarsened or was not asked: {', '.join(left_out)}.", ""]
            if left_out
            else []
        ),
        f"| {' | '.join(HEADER)} |",
        "|---|---|" + "---:|" * (len(HEADER) - 2),
        *(
            f"| {row['indicator']} | {row['of']} | {row['published']:.2f} | {row['in_file']:.2f} | {row['error']:+.2f} "
            f"| {row['se']:.2f} | {row['se_in_file']:.2f} | {row['se_ratio']:.2f} |"
            for row in figures_as_data(figures)
        ),
        "",
    ]
