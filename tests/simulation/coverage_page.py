"""The page docs/coverage.md and its picture, from what ``coverage`` and ``rare_domains`` found.

Belongs here: tables, letters beside figures, the picture. Not here: why a figure has its letter (``coverage_reasons``), the words
around the tables (``coverage.md``).
"""

from __future__ import annotations

import re
import struct
import zlib
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd

from tests.simulation import coverage_reasons as reasons
from tests.simulation.coverage_designs import DESIGNS, Quantity, SampleDesign
from tests.simulation.rare_domains import KINDS

TEMPLATE = Path(__file__).parent / "coverage.md"
BY_KEY = {design.key: design for design in DESIGNS}
INK, QUIET, INSIDE, OUTSIDE, BAND = "#222222", "#6b6b6b", "#1b6ca8", "#c2410c", "#dcefdc"


def with_reasons(surveys: pd.DataFrame, domains: pd.DataFrame, arithmetic: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables with letters: `why` of the surveys' coverage, and one column `why_<kind>` per interval of the domains'.

    ``arithmetic``: `rare_domains.by_arithmetic` of each unclustered design, with `design`."""
    surveys = surveys.assign(why=[reasons.of_survey(row, BY_KEY[row["design"]].raked) for _, row in surveys.iterrows()])
    expected = arithmetic.set_index(["design", "share", "expected_n"])[KINDS]
    letters: dict[str, list[str]] = {f"why_{kind}": [] for kind in KINDS}
    for _, row in domains.iterrows():
        key = (row["design"], row["share"], row["expected_n"])
        for kind in KINDS:
            known = float(expected.loc[key, kind]) if key in expected.index else np.nan
            letters[f"why_{kind}"].append(reasons.of_domain(row, kind, known))
    return surveys, domains.assign(**letters)


def page(surveys: pd.DataFrame, domains: pd.DataFrame, arithmetic: pd.DataFrame, draws: int) -> str:
    """The text of docs/coverage.md; ``surveys`` and ``domains`` as of `with_reasons`."""
    used = set(surveys["why"]).union(*(domains[f"why_{kind}"] for kind in KINDS))
    text = TEMPLATE.read_text(encoding="utf-8")
    for letter in "mlkdc":  # the paragraph of a reason that nothing needs is left out
        pattern = rf"<!-- {letter} -->\n(.*?)<!-- /{letter} -->\n"
        text = re.sub(pattern, lambda found, kept=letter in used: found.group(1) if kept else "", text, flags=re.DOTALL)
    inside = (surveys["why"] == "").to_numpy()
    worst = surveys.loc[surveys["bias"].abs().idxmax()]
    figures = surveys["design"].str.startswith("A"), surveys["design"].str.startswith("B")
    defined = domains[[f"{kind}_margin" for kind in KINDS]].max()
    return text.format(
        draws=f"{draws:,}",
        figures=len(surveys),
        inside=int(inside.sum()),
        low=f"{surveys.loc[inside, 'coverage'].min():.1f}",
        high=f"{surveys.loc[inside, 'coverage'].max():.1f}",
        worst_bias=f"{abs(worst['bias']):.2f}",
        worst_of=f"{worst['quantity']} of {worst['design']}",
        designs="\n".join(f"| {d.key} | {d.title} |" for d in DESIGNS),
        unclustered="\n".join(map(_line, surveys[figures[0]].to_dict("records"))),
        clustered="\n".join(map(_line, surveys[figures[1]].to_dict("records"))),
        raked="\n".join(_raked(row) for row in surveys[surveys["why"] == "m"].to_dict("records")),
        domains="\n".join(map(_domain_line, domains.to_dict("records"))),
        margin=f"{domains['published_margin'][domains['no_df'] < 1].max():.1f}",
        logit_margin=f"{defined['logit_margin']:.1f}",
        arithmetic="\n".join(map(_arithmetic_line, arithmetic.to_dict("records"))),
        icc=f"{intraclass_correlation(BY_KEY['B1'].population(), 'works'):.2f}",
        **_domain_facts(domains),
    )


def _line(row: dict) -> str:
    unit = "points" if "minus" in row["quantity"] else "%"
    truth = f"{100 * row['truth']:.1f} {unit}" if row["percent"] else _number(row["truth"])
    coverage = f"{row['coverage']:.1f} {row['why']}".strip()
    cells = [
        row["design"],
        row["quantity"],
        truth,
        _signed(row["bias"]),
        f"{row['se_ratio']:.2f}",
        coverage,
        f"{row['margin']:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-0.00", "0.00").replace("+0.00", "0.00")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.2f}"


def _domain_line(row: dict) -> str:
    cells = [row["design"], f"{100 * row['truth']:.0f} %", str(row["expected_n"]), _signed(row["bias"]), f"{row['se_ratio']:.2f}"]
    cells += [f"{row[name]:.0f}" for name in ("extreme", "no_df", "withheld", "flagged")]
    cells += [f"{row[kind]:.1f} {row[f'why_{kind}']}".strip() for kind in KINDS]
    return f"| {' | '.join(cells)} | {row['width']:.0f} |"


def _arithmetic_line(row: dict) -> str:
    cells = [row["design"], {"p03": "3 %", "p50": "50 %", "p97": "97 %"}[row["share"]], str(row["expected_n"])]
    return f"| {' | '.join(cells + [f'{row[kind]:.1f}' for kind in KINDS])} |"


def _raked(row: dict) -> str:
    """How much of the variable the margins explain in the population, and the coverage that the standard error alone implies."""
    design = BY_KEY[row["design"]]
    quantity = next(q for q in design.quantities if q.label == row["quantity"])
    explained = 100 * margins_explain(design, quantity)
    expected = reasons.implied(row["se_ratio"], row["df"])
    cells = [
        row["design"],
        row["quantity"],
        f"{explained:.0f} %",
        f"{row['se_ratio']:.2f}",
        f"{1 / np.sqrt(1 - explained / 100):.2f}",
    ]
    return f"| {' | '.join(cells)} | {expected:.1f} % | {row['coverage']:.1f} % |"


def margins_explain(design: SampleDesign, quantity: Quantity) -> float:
    """R² of what each person adds to ``quantity`` on the categories of both margins, in the population."""
    people = design.population()
    groups = [people["sex"] + people[name] for name in ("age_group", "education")]
    x = np.concatenate([pd.get_dummies(group).to_numpy(dtype=float) for group in groups], axis=1)
    y = quantity.influence(people)
    fitted = x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return 1 - float(np.sum((y - fitted) ** 2) / np.sum((y - y.mean()) ** 2))


def intraclass_correlation(people: pd.DataFrame, column: str) -> float:
    """Of ``column`` in PSUs within strata, by analysis of variance."""
    y = people[column].astype(float)
    y -= y.groupby(people["stratum"]).transform("mean")
    psus = y.groupby(people["psu"])
    size, strata = psus.size(), people["stratum"].nunique()
    between = float((size * psus.mean() ** 2).sum()) / (len(size) - strata)
    within = float(((y - psus.transform("mean")) ** 2).sum()) / (len(y) - len(size))
    usual = (len(y) - float((size**2).sum()) / len(y)) / (len(size) - 1)
    return (between - within) / (between + (usual - 1) * within)


def _domain_facts(domains: pd.DataFrame) -> dict[str, str]:
    """What the page says of domains in words."""
    alone = domains[domains["design"].isin(["C1", "C2"])]
    staged = domains[domains["design"] == "C3"]
    shown = domains[domains["draws_shown"] >= reasons.ENOUGH_DRAWS]
    of_few = shown[shown["design"] == "C3"]

    def between(values: pd.Series) -> str:
        return f"{values.min():.1f} to {values.max():.1f} %"

    return {
        "published_range": between(alone["published"]),
        "logit_range": between(alone["logit"]),
        "kg_range": between(alone["korn_graubard"]),
        "wilson_range": between(alone["wilson"]),
        "staged_range": between(staged["published"]),
        "by_psus": between(staged.loc[staged["share"] == "p50", "by_psus"]),
        "logit_staged": between(staged.loc[staged["share"] == "p50", "logit"]),
        "no_df": f"{staged['no_df'].max():.0f}",
        "shown_range": between(shown.loc[shown["design"] != "C3", "shown"]),
        "shown_staged": between(of_few["shown"]),
        "width_10": f"{alone.loc[(alone['expected_n'] == 10) & (alone['share'] == 'p50'), 'width'].mean():.0f}",
        "width_staged": f"{staged.loc[(staged['expected_n'] == 20) & (staged['share'] == 'p50'), 'width'].mean():.0f}",
    }


def picture(surveys: pd.DataFrame, domains: pd.DataFrame) -> alt.VConcatChart:
    """Coverage by statistic, a panel per design, with the band of 93 to 97 per cent; below, rare domains by kind of interval."""
    shown = surveys[~surveys["design"].isin(["B6", "B7", "B8"])].copy()
    shown["is"] = np.where(shown["why"] == "", "93 to 97 %", "outside: see the page")
    place = alt.Scale(domain=["93 to 97 %", "outside: see the page"], range=[INSIDE, OUTSIDE])
    order = [quantity.label for quantity in BY_KEY["A0"].quantities]
    top = _panels(shown, "quantity", order, [90, 100], columns=4, colour=alt.Color("is:N", title=None, scale=place))
    rare = domains.assign(row=domains["truth"].map("{:.0%}".format) + " of about " + domains["expected_n"].astype(str))
    long = rare.melt(["design", "row"], KINDS, var_name="kind", value_name="coverage").replace("korn_graubard", "Korn-Graubard")
    kinds = [kind.replace("korn_graubard", "Korn-Graubard") for kind in KINDS]
    colours = alt.Scale(domain=kinds, range=["#1b6ca8", "#8c8c8c", "#c2410c", "#5b8c2a"])
    kind = alt.Color("kind:N", title="interval", sort=kinds, scale=colours)
    bottom = _panels(long, "row", list(dict.fromkeys(rare["row"])), [86, 100], columns=3, colour=kind)
    title = alt.Title(
        "How many intervals of 95 % hold the truth", fontSize=16, anchor="start", color=INK, offset=12,
        subtitle="Simulated. Band: 93 to 97 %. A0 to C3: the designs of the page's first table.",
        subtitleColor=QUIET, subtitleFontSize=12,
    )  # fmt: skip
    chart = alt.vconcat(top, bottom, title=title, spacing=28).resolve_scale(color="independent")
    return chart.configure(font="Liberation Sans, Arial, Helvetica, sans-serif", padding=12, background="white").configure_view(
        stroke="#d0d0d0"
    )


def save(chart: alt.VConcatChart, path: Path) -> None:
    """Write ``chart`` as PNG, without loss a third of the size that vl-convert makes it: it deflates for speed."""
    chart.save(str(path), scale_factor=1.25)
    source, place, parts, pixels = path.read_bytes(), 8, [], b""
    while place < len(source):
        size, kind = struct.unpack(">I4s", source[place : place + 8])
        body = source[place + 8 : place + 8 + size]
        place += 12 + size
        if kind == b"IDAT":
            pixels += body
        else:
            parts.append((kind, body))
    parts.insert(-1, (b"IDAT", zlib.compress(zlib.decompress(pixels), 9)))  # before IEND
    chunks = [struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts]
    path.write_bytes(source[:8] + b"".join(chunks))


def _panels(rows: pd.DataFrame, y: str, order: list[str], domain: list[int], columns: int, colour: alt.Color) -> alt.FacetChart:
    scale = alt.Scale(domain=domain, nice=False, clamp=True)
    axis = alt.Axis(
        title="coverage, %", labelColor=QUIET, titleColor=QUIET, titleFontWeight="normal", gridColor="#eeeeee", tickCount=5
    )
    base = alt.Chart(rows)
    band = base.mark_rect(color=BAND).encode(x=alt.datum(reasons.LOW, type="quantitative", scale=scale), x2=alt.datum(reasons.HIGH))
    dots = base.mark_point(filled=True, size=34, opacity=0.9).encode(
        x=alt.X("coverage:Q", scale=scale, axis=axis),
        y=alt.Y(f"{y}:N", sort=order, title=None, axis=alt.Axis(labelColor=INK, labelLimit=260, ticks=False, domain=False)),
        color=colour,
    )
    header = alt.Header(title=None, labelFontSize=12, labelFontWeight="bold", labelColor=INK)
    panel = alt.layer(band, dots).properties(width=130 if columns == 4 else 190, height=alt.Step(13))
    return panel.facet(facet=alt.Facet("design:N", header=header), columns=columns)
