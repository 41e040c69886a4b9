"""The list of checks.

Belongs here: which checks a survey goes through, in which order. Not here: any of them.
"""

from __future__ import annotations

from collections.abc import Callable

from rga.quality import answers, coding, interviews, labels, sample
from rga.quality.finding import Finding
from rga.quality.subject import Subject

OF_ONE_SURVEY: list[Callable[[Subject], list[Finding]]] = [
    coding.withheld_labels,
    coding.unmapped_columns,
    coding.unmentioned_variables,
    labels.unused_design,
    labels.other_round,
    labels.contradicted_labels,
    labels.other_country,
    coding.unused_codes,
    interviews.impossible_dates,
    interviews.duplicate_interviews,
    interviews.interview_duration,
    sample.out_of_population,
    sample.zero_weights,
    sample.sample_composition,
    answers.skip_violated,
    answers.skipped_though_due,
    answers.item_nonresponse,
    answers.straight_lining,
]


def not_possible(subject: Subject) -> dict[str, str]:
    """Checks that have nothing to go by in this survey, and why."""
    said = {}
    if subject.specification.duration is None:
        said["interview_duration"] = "survey.yaml names no `duration:`"
    if subject.margins.empty:
        said["sample_composition"] = "the survey is not calibrated to a benchmark"
    if subject.due.empty:
        said["skip_violated"] = said["skipped_though_due"] = "no question of the survey has `asked_of:` in the catalogue"
    return said


def findings_of(subject: Subject) -> list[Finding]:
    """What every check of one survey finds; changes between rounds take two (``changes``)."""
    return [finding for check in OF_ONE_SURVEY for finding in check(subject)]
