"""What is told beside a research file: how it was made, how safe it is, how to use its weights.

Belongs here: the report as data and as Markdown. Not here: any measurement.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from rga.privacy.accuracy import accuracy_section, figures_as_data, summary
from rga.privacy.anonymise import Anonymised
from rga.privacy.risk import Risk
from rga.privacy.shown_weights import FEWEST, Difference


@dataclass(frozen=True)
class Account:
    """All that a report tells of one research file. ``diversity`` gives by sensitive variable what ``risk.diversity`` does;
    ``groups`` is the number of variance groups, None where every respondent varies alone; ``figures`` are those of
    ``headlines.compared``, ``left_out`` the indicators that the file does not give."""

    survey_id: str
    title: str
    simulated: bool
    k: int
    anonymised: Anonymised
    before: Risk
    after: Risk
    diversity: dict[str, tuple[int, int, int]]
    replicates: int
    recalibrated: bool
    groups: int | None
    difference: Difference
    figures: pd.DataFrame
    left_out: list[str]
    notes: list[str]


def as_data(told: Account) -> dict[str, Any]:
    """The report for machines."""
    done = told.anonymised
    return {
        "survey_id": told.survey_id,
        "title": told.title,
        "simulated": told.simulated,
        "k_asked": told.k,
        "quasi_identifiers": done.quasi,
        "before": asdict(told.before),
        "after": asdict(told.after),
        "recoded": done.recoded,
        "suppressed_answers": done.suppressed,
        "respondents_with_suppressed_answers": done.affected,
        "dropped": done.dropped,
        "diversity": {
            name: {"fewest_answers": fewest, "classes_alike": alike, "respondents_alike": people}
            for name, (fewest, alike, people) in told.diversity.items()
        },
        "replicate_weights": {
            "count": told.replicates,
            "method": "generalised bootstrap, gamma multipliers",
            "calibrated_again": told.recalibrated,
            "variance_groups": told.groups,
        },
        "largest_difference_from_published_shares": asdict(told.difference) | {"points": round(told.difference.points, 2)},
        "headline_figures": summary(told.figures) | {"not_in_the_file": told.left_out, "each": figures_as_data(told.figures)},
        "notes": told.notes,
    }


def as_markdown(told: Account) -> str:
    """The report for people."""
    done, n = told.anonymised, told.after.respondents
    lines = [f"# Research file {told.survey_id}: how it was anonymised, and what risk is left", ""]
    if told.simulated:
        lines += ["**SIMULATED DATA: no real respondents, no finding about any country.**", ""]
    lines += [
        f"{told.title}. {n:,} respondents. Every combination of the quasi-identifiers ({', '.join(done.quasi)}) that is in the "
        f"file is shared by {told.after.k} respondents or more (k asked for: {told.k}).",
        "",
        "| | before | after |",
        "|---|---:|---:|",
        *(f"| {what} | {_shown(a)} | {_shown(b)} |" for what, a, b in _rows(told)),
        "",
        "Population figures take a class as a Bernoulli sample of its population (Benedetti and Franconi 1998); they say how many "
        "would be found by somebody who knows all quasi-identifiers and searches the whole population.",
        "",
        "## What was done",
        "",
        *([f"- coarsened: {text}" for text in done.recoded] or ["- nothing was coarsened beyond the variables' own bands"]),
        f"- suppressed: {sum(done.suppressed.values()):,} answers of {done.affected:,} respondents "
        f"({100 * done.affected / n:.2f} %)"
        + (f": {', '.join(f'{name} {count:,}' for name, count in done.suppressed.items())}" if done.suppressed else ""),
        "- ids are random, rows are in random order, stratum and PSU are left out, panel links are cut",
        *(f"- {name}: {column.note}" for name, column in done.columns.items() if column.note and column.note != "coarsened"),
        "",
        "## What is left out",
        "",
        *(f"- `{name}`: {why}" for name, why in done.dropped.items()),
        "",
        "## Sensitive answers within classes (l-diversity)",
        "",
        "Where all of a class answered alike, who is known to be in the class is known to have answered so.",
        "",
        "| variable | fewest different answers in a class | classes that answered alike | respondents in these |",
        "|---|---:|---:|---:|",
        *(f"| `{name}` | {few} | {alike:,} | {people:,} |" for name, (few, alike, people) in told.diversity.items()),
        "",
        *accuracy_section(told.figures, told.left_out),
        *_weights(told),
    ]
    return "\n".join(lines) + "\n"


def _rows(told: Account) -> list[tuple[str, object, object]]:
    a, b = told.before, told.after
    return [
        ("smallest class (k)", a.k, b.k),
        ("classes", a.classes, b.classes),
        (f"respondents in classes below {told.k}", a.below, b.below),
        ("sample uniques", a.uniques, b.uniques),
        ("of these expected to be unique in the population", a.population_uniques, b.population_uniques),
        ("expected re-identifications", a.reidentified, b.reidentified),
        ("respondents alone once what weights and replicates tell is known too", a.split_by_design, b.split_by_design),
    ]


def _shown(value: object) -> str:
    if value is None:
        return "not estimated: weights do not count people"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _weights(told: Account) -> list[str]:
    last, moved = told.replicates, told.difference
    again = "calibrated to the margins as released and" if told.recalibrated else "calibrated"
    freedom = "" if told.groups is None else f", degf = {told.groups - 1}"
    return [
        "## Weights",
        "",
        "`weight` is made of the released columns and of published figures alone, so that it tells nothing of suppressed or "
        "coarsened answers: equal weights raked to the headline shares above, to the survey's margins, and to what the published "
        f"weights, rounded, add up to on answers that {FEWEST} or more gave. Shares of all respondents differ from published "
        f"ones by {moved.points:.2f} percentage points at most"
        + (f" (`{moved.variable}`: {moved.answer})" if moved.variable else "")
        + ", apart from suppressed answers; those of subgroups may differ more.",
        "",
        f"`replicate_1` to `replicate_{last}` are whole weights of generalised bootstrap replicates (gamma multipliers), {again} "
        "to headline shares that vary by their published standard errors; the variance of an estimate is that of its replicates "
        f"around their mean, over {last - 1}.",
        "",
        *([] if told.groups is None else [_grouped(told.groups), ""]),
        "```r",
        'design <- svrepdesign(data = d, weights = ~weight, repweights = "replicate_[0-9]+", type = "bootstrap",',
        f"                      combined.weights = TRUE, scale = 1 / {last - 1}, rscales = rep(1, {last}), mse = FALSE{freedom})",
        "```",
        "",
        "```stata",
        f"svyset [pweight = weight], bsrweight(replicate_1-replicate_{last}) vce(bootstrap)"
        + ("" if told.groups is None else f" dof({told.groups - 1})"),
        "```",
        "",
        "k-anonymity does not hide what a whole class has in common: give the file to researchers under an agreement, not to "
        "everybody.",
        "",
        *(f"- {note}" for note in told.notes),
    ]


def _grouped(groups: int) -> str:
    return (
        f"Strata and PSUs would tell more of a respondent than the columns do, so PSUs were dealt to {groups} random groups that "
        f"mix the strata, and multipliers are of groups: standard errors have {groups - 1} degrees of freedom. Replicates show who "
        "shares a group, which follows from nothing that is known of a respondent; to somebody who knows who shares a PSU with "
        "whom it narrows the search, and the table counts who would then be alone."
    )
