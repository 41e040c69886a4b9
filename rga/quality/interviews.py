"""Checks on how interviews were held: twice, too fast, on the wrong day.

Belongs here: duplicates, durations, dates. Not here: what was answered (``answers``).
"""

from __future__ import annotations

import pandas as pd

from rga.quality.finding import Finding
from rga.quality.subject import Subject

ASK = "ask the contractor for the record of these interviews"


def duplicate_interviews(subject: Subject) -> list[Finding]:
    """Respondents whose every answer, missing ones included, is that of another, though their ids differ."""
    kinds = subject.respondents.kinds
    enough = (kinds == "answered").sum(axis=1) >= subject.thresholds.duplicate_interviews.least_answers
    rows = 0
    if enough.any():
        answers, missing = subject.respondents.frame.loc[enough, list(kinds)], kinds[enough]
        hashes = pd.DataFrame({n: pd.util.hash_pandas_object(part, index=False) for n, part in enumerate((answers, missing))})
        rows = int(hashes.duplicated(keep=False).sum())
    if not rows:
        return []
    message = f"{rows:,} respondents gave the same answers to all {len(kinds.columns)} questions as another"
    remedy = "compare them in the file: the same interview sent twice, or made up by copying?"
    return [Finding("duplicate_interviews", "flag", message, remedy, rows=rows, share=100 * rows / len(kinds))]


def interview_duration(subject: Subject) -> list[Finding]:
    """Interviews shorter than survey.yaml's `duration.shortest` or, without it, than a part of the median; and negative ones."""
    duration, limits = subject.specification.duration, subject.thresholds.interview_duration
    minutes = subject.respondents.interviews["minutes"].dropna()
    if duration is None or minutes.empty:
        return []
    findings = []
    if rows := int((minutes < 0).sum()):
        message = f"{rows:,} interviews end before they start"
        findings.append(Finding("interview_duration", "flag", message, ASK, duration.column, None, rows, 100 * rows / len(minutes)))
    median = float(minutes.median())
    shortest = limits.shortest_to_median * median if duration.shortest is None else duration.shortest_minutes
    fast = (minutes >= 0) & (minutes < shortest)
    rows, share = int(fast.sum()), 100 * float(fast.mean())
    if share > limits.largest_share:
        message = f"{rows:,} of {len(minutes):,} interviews took less than {shortest:.1f} minutes (median {median:.1f})"
        findings.append(Finding("interview_duration", "flag", message, ASK, duration.column, None, rows, share))
    return findings


def impossible_dates(subject: Subject) -> list[Finding]:
    """Interviews before or after fieldwork, where the file has their dates, and fieldwork in another year than the round's."""
    fieldwork, column = subject.specification.fieldwork, subject.specification.interviewed
    findings = []
    if not fieldwork.start.year - 1 <= subject.year <= fieldwork.end.year + 1:
        message = f"fieldwork from {fieldwork.start} to {fieldwork.end}, in a round of {subject.year}"
        findings.append(Finding("impossible_dates", "flag", message, "correct `fieldwork:` or round.yaml"))
    dates = subject.respondents.interviews["interviewed"]
    known = dates.dropna()
    if column is None:
        return findings
    if unread := int((dates.isna() & ~subject.respondents.interviews["no_date"]).sum()):
        message = f"{unread:,} are not dates, or could be several"
        remedy = "write dates as 2020-05-31"
        findings.append(Finding("impossible_dates", "flag", message, remedy, column, None, unread, 100 * unread / len(dates)))
    outside = (known < pd.Timestamp(fieldwork.start)) | (known >= pd.Timestamp(fieldwork.end) + pd.Timedelta(days=1))
    if rows := int(outside.sum()):
        message = f"{rows:,} of {len(known):,} interviews are not between {fieldwork.start} and {fieldwork.end}"
        remedy = f"correct `fieldwork:`, or {ASK}"
        findings.append(Finding("impossible_dates", "flag", message, remedy, column, None, rows, 100 * rows / len(known)))
    return findings
