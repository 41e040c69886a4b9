"""Checks on answers: skip patterns, missing answers, straight lines.

Belongs here: what respondents' harmonised answers show. Not here: how interviews were held (``interviews``), who was reached
(``sample``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from rga.microdata.harmonise import ANSWERED, BLANK
from rga.quality.finding import Finding
from rga.quality.subject import Subject

NOT_ANSWERED = ["dont_know", "refused", "missing"]
SKIPPED = [BLANK, "not_applicable"]


def skip_violated(subject: Subject) -> list[Finding]:
    """Answers of people whom the question was not for, by the catalogue's `asked_of`."""
    findings = []
    for name, due in subject.due.items():
        outside = due.eq(False).fillna(False).to_numpy(dtype=bool)
        answered = (subject.respondents.kinds[name] == ANSWERED).to_numpy(dtype=bool)
        rows, of = int((outside & answered).sum()), int(outside.sum())
        if rows and 100 * rows / of > subject.thresholds.skip_violated.largest_share:
            message = f"answered by {rows:,} of {of:,} whom it was not for (asked of: {_asked_of(subject, str(name))})"
            remedy = "have the questionnaire's routing looked at; they are in no indicator whose universe leaves them out"
            findings.append(Finding("skip_violated", "flag", message, remedy, str(name), None, rows, 100 * rows / of))
    return findings


def skipped_though_due(subject: Subject) -> list[Finding]:
    """People whom the question was for and who have a blank, or a code for not applicable."""
    findings = []
    for name, due in subject.due.items():
        inside = due.fillna(False).to_numpy(dtype=bool)
        skipped = subject.respondents.kinds[name].isin(SKIPPED).to_numpy(dtype=bool)
        rows, of = int((inside & skipped).sum()), int(inside.sum())
        if rows and 100 * rows / of > subject.thresholds.skipped_though_due.largest_share:
            message = f"not put to {rows:,} of {of:,} whom it was for (asked of: {_asked_of(subject, str(name))})"
            remedy = "have the routing looked at; where the survey asked fewer people on purpose, say so under `altered:`"
            findings.append(Finding("skipped_though_due", "flag", message, remedy, str(name), None, rows, 100 * rows / of))
    return findings


def _asked_of(subject: Subject, name: str) -> str:
    return " ".join((subject.catalogue.columns[name].asked_of or "").split())


def item_nonresponse(subject: Subject) -> list[Finding]:
    """Variables that too many of those asked did not answer. A blank counts where the question was for that person; where the
    catalogue does not say whom it was for, many blanks are told as such."""
    limits, kinds = subject.thresholds.item_nonresponse, subject.respondents.kinds
    findings = []
    for name in map(str, kinds):
        silent = kinds[name].isin(NOT_ANSWERED).to_numpy(dtype=bool)
        asked = silent | (kinds[name] == ANSWERED).to_numpy(dtype=bool)
        blank = (kinds[name] == BLANK).to_numpy(dtype=bool)
        if name in subject.due:  # a blank of somebody who should have answered
            blank_due = blank & subject.due[name].fillna(False).to_numpy(dtype=bool)
            silent, asked = silent | blank_due, asked | blank_due
        elif 100 * blank.mean() > limits.largest_share:
            rows, share = int(blank.sum()), 100 * float(blank.mean())
            message = f"blank for {rows:,} of {len(blank):,} ({share:.1f} %), and nothing says who was asked"
            remedy = "give the variable `asked_of:` in the catalogue, or its mapping `blank:`"
            findings.append(Finding("item_nonresponse", "flag", message, remedy, name, None, rows, share))
        rows, of = int(silent.sum()), int(asked.sum())
        if of >= limits.least_asked and 100 * rows / of > limits.largest_share:
            message = f"not answered by {rows:,} of {of:,} asked ({100 * rows / of:.1f} %)"
            remedy = "read what is made of it with care; ask the contractor why"
            findings.append(Finding("item_nonresponse", "flag", message, remedy, name, None, rows, 100 * rows / of))
    return findings


def straight_lining(subject: Subject) -> list[Finding]:
    """Batteries in which more people gave one answer to every item than the items' own distributions explain.

    Among those who answered every item, the share with one answer throughout is compared with the sum over codes of the product
    of the items' shares of that code, which is what items independent of each other would give.
    """
    limits, frame = subject.thresholds.straight_lining, subject.respondents.frame
    findings = []
    for name, variable in subject.catalogue.variables.items():
        columns = [f"{name}_{item}" for item in variable.items if f"{name}_{item}" in subject.respondents.kinds]
        if len(columns) < limits.least_items or name in limits.exempt:
            continue
        codes = np.column_stack([pd.Categorical(frame[column], categories=list(variable.codes)).codes for column in columns])
        answers = codes[(codes >= 0).all(axis=1)]  # of those who answered every item
        if not len(answers):
            continue
        same = (answers == answers[:, :1]).all(axis=1)
        share, chance = 100 * float(same.mean()), 100 * _by_chance(answers, len(variable.codes))
        if share - chance > limits.largest_excess:
            message = (
                f"one answer to all {len(columns)} items from {same.sum():,} of {len(answers):,} ({share:.1f} %; "
                f"{chance:.1f} % if items had nothing to do with each other)"
            )
            remedy = "look at these interviews by interviewer and duration; a battery read out as one question does this"
            findings.append(Finding("straight_lining", "flag", message, remedy, name, None, int(same.sum()), share))
    return findings


def _by_chance(answers: np.ndarray, codes: int) -> float:
    return float(sum(np.prod((answers == code).mean(axis=0)) for code in range(codes)))
