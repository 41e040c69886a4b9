"""What is told beside a research file: how it was made, how safe it is, how to use its weights.

Belongs here: the report as data and as Markdown. Not here: any measurement.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rga.privacy.anonymise import Anonymised
from rga.privacy.risk import Risk


@dataclass(frozen=True)
class Account:
    """All that a report tells of one research file. ``diversity`` gives by sensitive variable what ``risk.diversity`` does."""

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
    clustered: bool
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
        "replicate_weights": {"count": told.replicates, "method": "Rao-Wu bootstrap", "calibrated_again": told.recalibrated},
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
        "- ids are random, rows are in random order, stratum and PSU are numbers without meaning, panel links are cut",
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
        ("respondents alone once their weight is known too", a.split_by_weight, b.split_by_weight),
    ]


def _shown(value: object) -> str:
    if value is None:
        return "not estimated: weights do not count people"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}"


def _weights(told: Account) -> list[str]:
    last = told.replicates
    strata = "stratum" if told.clustered else "1"
    again = "each calibrated again to the survey's margins" if told.recalibrated else "the survey was not calibrated"
    return [
        "## Weights",
        "",
        f"`weight` is the published weight. `replicate_1` to `replicate_{last}` are whole weights of Rao-Wu bootstrap replicates, "
        f"{again}; the variance of an estimate is that of its replicates around their mean, over {last - 1}. `stratum` and `psu` "
        "give Taylor's variance as well, without what calibration gains.",
        "",
        "```r",
        'design <- svrepdesign(data = d, weights = ~weight, repweights = "replicate_[0-9]+", type = "bootstrap",',
        f"                      combined.weights = TRUE, scale = 1 / {last - 1}, rscales = rep(1, {last}), mse = FALSE)",
        "```",
        "",
        "```stata",
        f"svyset [pweight = weight], bsrweight(replicate_1-replicate_{last}) vce(bootstrap)",
        "```",
        "",
        f"For Taylor: `svydesign(ids = {'~psu' if told.clustered else '~1'}, strata = "
        f"{'~stratum' if strata == 'stratum' else 'NULL'}, weights = ~weight, data = d)`.",
        "",
        "Weights are exact, so that published figures can be had from the file. They are known to nobody outside the survey, but "
        "respondents of one class can be told apart by them, and a weight hints at the margins it was calibrated on: give the file "
        "to researchers under an agreement, not to everybody.",
        "",
        *(f"- {note}" for note in told.notes),
    ]
