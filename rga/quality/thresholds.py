"""From where on a check speaks up: `catalogue/quality.yaml`.

Belongs here: the thresholds, their defaults and what they mean. Not here: the checks that compare with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from rga.microdata.yaml_file import StrictModel, load_yaml

FILE = "quality.yaml"
PerCent = Annotated[float, Field(ge=0, le=100)]


class StraightLining(StrictModel):
    """``largest_excess``: points by which the share of respondents with one answer to all items may exceed what the items would
    give if they had nothing to do with each other."""

    largest_excess: PerCent = 10
    least_items: Annotated[int, Field(ge=2)] = 4
    exempt: dict[str, str] = {}


class InterviewDuration(StrictModel):
    """``shortest_to_median``: an interview shorter than this part of the median is too short, where the survey says no limit."""

    shortest_to_median: Annotated[float, Field(gt=0, lt=1)] = 1 / 3
    largest_share: PerCent = 2


class SampleComposition(StrictModel):
    """``largest_dissimilarity``: per cent of the sample who would have to be other people for a margin to be met."""

    largest_dissimilarity: PerCent = 15
    largest_ratio: Annotated[float, Field(gt=1)] = 5
    least_share: PerCent = 2


class ItemNonresponse(StrictModel):
    largest_share: PerCent = 10
    least_asked: Annotated[int, Field(ge=1)] = 30


class Changes(StrictModel):
    """``beyond``: points that a share may move in truth; ``level``: the chance that any of a survey's flags is false."""

    beyond: PerCent = 5
    level: Annotated[float, Field(gt=0, lt=1)] = 0.05
    least_n: Annotated[int, Field(ge=1)] = 50


class Duplicates(StrictModel):
    """``least_answers``: interviews with fewer answers may well be alike."""

    least_answers: Annotated[int, Field(ge=1)] = 15


class SameRespondents(StrictModel):
    """``largest_share``: per cent of the respondents matched with another survey who may have the same answers throughout, of at
    least ``least_asked`` questions. ``largest_kappa``: Cohen's kappa from which one question counts as carried over. Respondents
    with ``least_answers`` are known again without an id."""

    largest_share: PerCent = 50
    least_asked: Annotated[int, Field(ge=1)] = 5
    largest_kappa: Annotated[float, Field(gt=0, le=1)] = 0.95
    least_matched: Annotated[int, Field(ge=2)] = 30
    least_answers: Annotated[int, Field(ge=1)] = 15


class Skips(StrictModel):
    """``largest_share``: per cent of those whom a question was not for who may have answered it."""

    largest_share: PerCent = 0


class Thresholds(StrictModel):
    """All of them; whatever is left out of the file has its default."""

    straight_lining: StraightLining = StraightLining()
    interview_duration: InterviewDuration = InterviewDuration()
    sample_composition: SampleComposition = SampleComposition()
    item_nonresponse: ItemNonresponse = ItemNonresponse()
    change_between_rounds: Changes = Changes()
    duplicate_interviews: Duplicates = Duplicates()
    same_respondents: SameRespondents = SameRespondents()
    skip_violated: Skips = Skips()
    skipped_though_due: Skips = Skips()


def load_thresholds(catalogue: Path) -> Thresholds:
    """``catalogue``/quality.yaml, or the defaults where a data root has none. Raises InputError."""
    file = catalogue / FILE
    return load_yaml(file, Thresholds, f"{catalogue.name}/{FILE}") if file.exists() else Thresholds()
