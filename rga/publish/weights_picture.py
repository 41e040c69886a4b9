"""A picture of one survey's weights: margins before and after against the benchmark, and how the weights are spread.

Belongs here: drawing it, as SVG. Not here: the figures in it (``rga.survey``), or where it is shown.

Drawn by hand rather than by Altair, whose pictures take 0.1 to 0.4 s and some 100 kB each: this one is made for every survey that
is built, in a few milliseconds, and has some 15 kB.
"""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

INK, QUIET, GRID, BEFORE, AFTER, WARNING = "#222222", "#6b6b6b", "#e6e6e6", "#e08214", "#6a3d9a", "#b00020"
LABEL, PLOT, ROW, HISTOGRAM = 132, 300, 15, 250  # pixels: width of labels, of the margins' plot; height of a row; histogram
TOP, GAP = 58, 28
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"


def weights_svg(title: str, margins: pd.DataFrame, bins: pd.DataFrame, simulated: bool) -> str:
    """The picture as SVG text.

    ``margins`` has margin, category, benchmark, before, after (persons; empty where nothing was calibrated) and ``bins`` low, high
    (over the mean weight) and n.
    """
    people = margins[margins["category"] != "_T"]
    names = list(people["margin"].unique())
    rows = len(people) + 3 * len(names)
    left, top = (LABEL, TOP + ROW * rows + GAP) if names else (24, TOP)  # below the margins: a page may be narrow
    height = top + 210
    parts = [_text(16, 22, title, size=15, weight="bold")]
    if simulated:
        parts.append(_text(16, 39, "SIMULATED DATA: not a finding about any country", size=11, colour=WARNING))
    parts += _margins(people, names) + _histogram(bins, left, top)
    width = left + (PLOT if names else HISTOGRAM) + 24
    background = f'<rect width="{width}" height="{height}" fill="white"/>'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{FONT}">{background}{"".join(parts)}</svg>'


def _margins(people: pd.DataFrame, names: list[str]) -> list[str]:
    """One row per category: before and after, joined, and the benchmark as a tick; per cent of the population."""
    if not names:
        return []
    columns = ["benchmark", "before", "after"]
    share = (100 * people[columns] / people.groupby("margin")[columns].transform("sum")).to_numpy(dtype=np.float64)
    top = float(np.ceil(share.max() / 10) * 10)
    parts, y = [], float(TOP)
    legend = (("before", BEFORE, "circle"), ("after", AFTER, "circle"), ("benchmark", INK, "tick"))
    for at, (what, colour, mark) in enumerate(legend):
        x = LABEL + at * 80
        parts += [_dot(x, TOP - 4, colour) if mark == "circle" else _tick(x, TOP - 4), _text(x + 8, TOP, what, colour=QUIET)]
    for name in names:
        parts.append(_text(16, y + ROW * 1.2, f"{name}, per cent", weight="bold"))
        y += ROW * 2.2
        rows = np.flatnonzero(people["margin"] == name)
        bottom = y + ROW * len(rows) + 4
        for value in np.linspace(0, top, 3):
            x = LABEL + PLOT * value / top
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y + 4:.1f}" y2="{bottom:.1f}" stroke="{GRID}"/>')
            parts.append(_text(x, y, f"{value:g}", colour=QUIET, anchor="middle"))
        for row in rows:
            y += ROW
            benchmark, before, after = LABEL + PLOT * share[row] / top
            ends = f'x1="{before:.1f}" x2="{after:.1f}" y1="{y - 4:.1f}" y2="{y - 4:.1f}"'
            parts.append(_text(LABEL - 10, y, str(people["category"].iloc[row]), anchor="end"))
            parts.append(f'<line {ends} stroke="#8c8c8c" stroke-width="2"/>')
            parts += [_dot(before, y - 4, BEFORE), _dot(after, y - 4, AFTER), _tick(benchmark, y - 4)]
        y += ROW * 0.4
    return parts


def _histogram(bins: pd.DataFrame, left: float, top: float) -> list[str]:
    """Respondents by weight over the mean weight, on a log scale; a wide bar is several bins of few respondents."""
    low, high = (np.log2(bins[name].to_numpy()) for name in ("low", "high"))
    start, end = min(float(low.min()), -1.0), max(float(high.max()), 1.0)
    density = bins["n"].to_numpy() / np.maximum(high - low, 0.05)
    bottom, tall = top + GAP + 140, 140

    def x(value: float) -> float:
        return left + HISTOGRAM * (value - start) / (end - start)

    parts = [_text(left, top + 6, "Respondents by weight, over the mean", weight="bold")]
    for at, until, dense in zip(low, high, density, strict=True):
        wide, height = max(x(until) - x(at) - 1, 2), tall * dense / density.max()
        box = f'x="{x(at):.1f}" y="{bottom - height:.1f}" width="{wide:.1f}" height="{height:.1f}"'
        parts.append(f'<rect {box} fill="{AFTER}" opacity="0.75"/>')
    for power in range(int(np.ceil(start)), int(np.floor(end)) + 1, max(1, int((end - start) // 7))):
        parts.append(_text(x(power), bottom + 14, f"{2.0**power:g}", colour=QUIET, anchor="middle"))
    parts.append(f'<line x1="{left}" x2="{left + HISTOGRAM}" y1="{bottom}" y2="{bottom}" stroke="{QUIET}"/>')
    return parts


def _text(
    x: float, y: float, text: str, size: float = 10.5, weight: str = "normal", colour: str = INK, anchor: str = "start"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" font-size="{size}" font-weight="{weight}" fill="{colour}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(text)}</text>"


def _dot(x: float, y: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.6" fill="{colour}"/>'


def _tick(x: float, y: float) -> str:
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y - 6:.1f}" y2="{y + 6:.1f}" stroke="{INK}" stroke-width="1.6"/>'
