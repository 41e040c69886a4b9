"""One chart of women and men, country by country, from a release.

Belongs here: the picture and what it must say of its own data. Not here: which picture goes where (``docs``), or any estimate.
"""

from __future__ import annotations

import math
import textwrap
from pathlib import Path

import altair as alt
import duckdb
import pandas as pd

from rga.errors import InputError, Problem

WOMEN, MEN = "#6a3d9a", "#e08214"  # purple and orange, which colour-blind readers tell apart
INK, QUIET, WARNING = "#222222", "#6b6b6b", "#b00020"
PANEL, ROW, GAP_AT = 252, 26, 306  # pixels: width of a round's plot, height of a country, right edge of the column of gaps
TITLE_LINE, SUBTITLE_LINE = 72, 116  # characters
SIMULATED = "SIMULATED DATA: not a finding about any country"

_ROWS = """
    SELECT g.round, o.name || CASE WHEN s.caution IS NOT NULL OR c.status = 'altered' THEN ' *' ELSE '' END AS country,
           g.women, g.men, g.gap, coalesce(g.p_adjusted <= 0.05, FALSE) AS clear, g.simulated, g.n_women, g.n_men,
           w.ci_low AS women_low, w.ci_high AS women_high, m.ci_low AS men_low, m.ci_high AS men_high
    FROM gender_gaps g
    JOIN estimates w USING (survey_id, indicator, statistic, category, breakdown)
    JOIN estimates m USING (survey_id, indicator, statistic, category, breakdown)
    JOIN surveys s USING (survey_id) JOIN coverage c USING (survey_id, indicator) JOIN countries o ON o.iso3 = g.country
    WHERE g.indicator = ? AND g.breakdown = 'sex' AND w.sex = 'F' AND m.sex = 'M' AND g.gap IS NOT NULL
    ORDER BY g.round, g.gap DESC, g.country
"""
CAUTION = "* Read with care: `caution` in table surveys, or `reason` in table coverage, says why."


def gap_chart(connection: duckdb.DuckDBPyConnection, indicator: str, question: str | None = None) -> alt.ConcatChart:
    """Women and men who ``indicator`` counts, one panel per round, countries by the size of the gap.

    ``connection`` is open on a release; suppressed gaps are left out. ``question`` is the chart's title. Raises InputError
    where there is nothing to show.
    """
    rows = connection.execute(_ROWS, [indicator]).df()
    if rows.empty:
        raise InputError(Problem("has no gap between women and men that may be shown", "name another", variable=indicator))
    facts = connection.execute("SELECT * FROM indicators WHERE indicator = ?", [indicator]).df().iloc[0].map(str)
    limits = rows[["women_low", "men_low", "women_high", "men_high"]].to_numpy(dtype=float)
    scale = alt.Scale(domain=[math.floor(limits.min() / 10) * 10, math.ceil(limits.max() / 10) * 10], nice=False)
    rounds = [_panel(rows[rows["round"] == name], scale) for name in rows["round"].unique()]
    panels = alt.concat(*rounds, columns=2, spacing=24)
    if rows["simulated"].any():
        panels = panels.properties(title=alt.Title(SIMULATED, color=WARNING, fontSize=13, anchor="start", offset=14))
    return (
        alt.concat(
            panels,
            title=alt.Title(
                textwrap.wrap(question or f"{facts['title']}: women more than men?", TITLE_LINE),
                color=INK,
                subtitle=_subtitle(facts, rows, titled=question is None),
                fontSize=19,
                anchor="start",
                offset=16,
                subtitleColor=QUIET,
                subtitleFontSize=12.5,
                subtitleLineHeight=17,
                subtitlePadding=8,
            ),
        )
        .configure(font="Liberation Sans, Arial, Helvetica, sans-serif", padding=16, background="white")
        .configure_view(stroke=None)
    )


def _subtitle(facts: pd.Series[str], rows: pd.DataFrame, titled: bool) -> list[str]:
    """Unit, base and number of cases, in lines; what is counted as well, unless the chart's title has it (``titled``)."""
    universe, notes, n = " ".join(facts["universe"].split()), facts["notes"], rows[["n_women", "n_men"]].to_numpy(dtype=int)
    who = "all who answered" if universe == "TRUE" else universe if len(universe) < SUBTITLE_LINE else "see `indicators.universe`"
    base = "" if notes.startswith("Base") else f"Base: {who}. "
    text = [
        "Per cent of women and of men." if titled else f"{facts['title']}, per cent of women and of men.",
        base + (f"{notes}." if notes else ""),
        f"{n.sum():,} respondents, {n.min():,} to {n.max():,} behind each dot.",
        "Bars: 95 % confidence intervals. Gap: women minus men in percentage points, bold where it is clear: p at most 0.05, "
        "adjusted for the number of indicators.",
        CAUTION if rows["country"].str.endswith("*").any() else "",
    ]
    return [line for sentence in text for line in textwrap.wrap(sentence, SUBTITLE_LINE)]


def _panel(rows: pd.DataFrame, scale: alt.Scale) -> alt.LayerChart | alt.FacetChart:
    """One round; its first row also carries the names that a legend would."""
    y = alt.Y("country:N", scale=alt.Scale(domain=rows["country"].tolist()), title=None).axis(
        ticks=False, domain=False, labelFontSize=12, labelColor=INK, labelPadding=8
    )
    grid = alt.Axis(
        title="per cent", gridColor="#e6e6e6", ticks=False, domain=False, tickCount=5, labelFlush=False,
        labelColor=QUIET, titleColor=QUIET, titleFontWeight="normal",
    )  # fmt: skip

    def x(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=scale, axis=grid)

    every, first = alt.Chart(rows), alt.Chart(rows.head(1))
    people = (("men", MEN), ("women", WOMEN))
    right = "women" if rows["gap"].iloc[0] >= 0 else "men"  # who stands to the right in the first row
    bars, dots, names, gaps = [], [], [], []
    for who, colour in people:
        bar = every.mark_bar(height=9, cornerRadius=4.5, color=colour, opacity=0.28)
        bars.append(bar.encode(x(f"{who}_low"), x2=f"{who}_high", y=y))
        dots.append(every.mark_circle(color=colour, size=95, opacity=1).encode(x(who), y))
        name = first.mark_text(
            text=who.capitalize(), color=colour, fontSize=12, fontWeight="bold", dy=-15,
            align="left" if who == right else "right", dx=-3 if who == right else 3,
        )  # fmt: skip
        names.append(name.encode(x(who), y))
    between = every.mark_rule(color="#8c8c8c", strokeWidth=2).encode(x("men"), x2="women", y=y)
    for clear in (True, False):
        number = every.transform_filter(alt.datum.clear == clear).transform_calculate(text="format(datum.gap, '+.1f')")
        text = number.mark_text(align="right", fontSize=12, fontWeight="bold" if clear else "normal", color=INK)
        gaps.append(text.encode(x=alt.value(GAP_AT), y=y, text="text:N"))
    names.append(first.mark_text(text="gap", align="right", dy=-15, color=QUIET, fontSize=12).encode(x=alt.value(GAP_AT), y=y))
    return alt.layer(*bars, between, *dots, *names, *gaps).properties(
        width=PANEL,
        height=alt.Step(ROW),
        title=alt.Title(f"Round {rows['round'].iloc[0]}", anchor="start", fontSize=13, offset=14, color=INK),
    )


def save(chart: alt.ConcatChart, path: Path) -> None:
    """Write ``chart`` as .png, at twice its size in pixels, or .svg."""
    chart.save(str(path), scale_factor=2)
