"""What a file says of the interviews themselves: how long each took, and when it was.

Belongs here: durations in minutes, dates. Not here: answers (``harmonise``), judging either (``rga.quality``).
"""

from __future__ import annotations

import pandas as pd

from rga.microdata.harmonise import as_number, is_blank
from rga.microdata.specification import SurveySpecification

EPOCHS = {"spss": "1582-10-14", "stata": "1960-01-01"}
PLAUSIBLE = (pd.Timestamp("1990-01-01"), pd.Timestamp("2100-01-01"))


def interviews(source: pd.DataFrame, specification: SurveySpecification) -> pd.DataFrame:
    """Per row of ``source``: `minutes` (null: not known, or no number), `interviewed` (time of the interview, null: not known),
    `no_date` (nothing is written)."""
    minutes = pd.Series(float("nan"), source.index)
    if duration := specification.duration:
        minutes = as_number(source[duration.column])[0] / duration.per_minute
    dates, blank = pd.Series(pd.NaT, source.index, dtype="datetime64[ns]"), pd.Series(True, source.index)
    if column := specification.interviewed:
        dates, blank = as_date(source[column]), is_blank(source[column])
    return pd.DataFrame({"minutes": minutes, "interviewed": dates, "no_date": blank})


def as_date(values: pd.Series) -> pd.Series:
    """``values`` as times without zone: ISO text, or the numbers of SPSS (seconds since 1582-10-14) and Stata (milliseconds, or
    days, since 1960-01-01), told apart by what gives a date from 1990 to 2100; null where none does."""
    numbers, _ = as_number(values)
    found = pd.Series(pd.NaT, values.index, dtype="datetime64[ns]")
    text = values.where(numbers.isna()).astype("string").str.strip().str.replace(r"(Z|[+-]\d\d:?\d\d)$", "", regex=True)
    found = found.fillna(pd.to_datetime(text, errors="coerce", format="ISO8601").astype("datetime64[ns]"))
    for epoch, per_day in (("spss", 86_400), ("stata", 86_400_000), ("stata", 1)):
        origin = pd.Timestamp(EPOCHS[epoch])
        low, high = ((edge - origin).days * per_day for edge in PLAUSIBLE)
        days = (numbers.where((numbers >= low) & (numbers < high)) / per_day) + (origin - pd.Timestamp("1970-01-01")).days
        found = found.fillna(pd.to_datetime(days, unit="D", errors="coerce").astype("datetime64[ns]"))
    return found
