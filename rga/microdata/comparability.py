"""Whether two rounds of a country may be compared, and the reason in words where they may not, or only with care.

Belongs here: verdicts from what specifications say. Not here: the comparison itself, or whether people are the same in both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from rga.microdata.benchmarks import Source
from rga.microdata.catalogue import Catalogue
from rga.microdata.specification import SurveySpecification

Comparability = Literal["comparable", "with_caution", "altered_question", "population_differs", "not_asked"]
ORDER: list[Comparability] = ["comparable", "with_caution", "altered_question", "population_differs", "not_asked"]
MODES = {
    "sms": "by text message", "web": "on the web", "cati": "by telephone", "ivr": "by automatic calls", "capi": "in person",
    "mixed": "in several modes",
}  # fmt: skip
SAMPLES = {"probability": "a probability sample", "non_probability": "a non-probability sample"}


@dataclass(frozen=True)
class Verdict:
    """``reason`` is empty where nothing stands against comparing."""

    status: Comparability = "comparable"
    reason: str = ""

    @property
    def comparable(self) -> bool:
        """Whether numbers are given, be it with caution."""
        return self.status in ("comparable", "with_caution")

    def __and__(self, other: Verdict) -> Verdict:
        """The worse of two verdicts, with the reasons of that kind; of both, where both ask for caution."""
        if self.status == other.status:
            return Verdict(self.status, "; ".join(dict.fromkeys(filter(None, (self.reason, other.reason)))))
        return max(self, other, key=lambda verdict: ORDER.index(verdict.status))


def populations(
    earlier: SurveySpecification, later: SurveySpecification, benchmarks: tuple[Source | None, Source | None]
) -> Verdict:
    """Whether both rounds speak of the same people; ``benchmarks`` are those that their weights were fitted to, if any.

    The population differs where the age limit does, where one round is weighted to a benchmark and the other is not, where both
    are and these count different people (residents, citizens), or where neither is and the descriptions are not the same words.
    A caution: another mode, kind of sample or description of who could be reached, for rounds weighted to the same population.
    """
    one, other = earlier.population, later.population
    if one.age_min != other.age_min:
        return _differs(f"the age limit is {_age(one.age_min)}, then {_age(other.age_min)}")
    described = [" ".join(text.split()) for text in (one.description, other.description)]
    same_words = described[0].casefold() == described[1].casefold()
    first, second = benchmarks
    verdict = Verdict()
    if (first is None) != (second is None):
        fitted = ["weighted to a benchmark" if source else "not weighted to any benchmark" for source in benchmarks]
        return _differs(f"{fitted[0]}, then {fitted[1]}")
    if first is None or second is None:
        if not same_words:
            return _differs(f"{described[0]}; then: {described[1]}")
    elif first.concept != second.concept:
        stated = [source.concept or "not stated" for source in (first, second)]
        if first.concept and second.concept:
            return _differs(f"weighted to {stated[0]}, then to {stated[1]}")
        verdict &= _caution(f"weighted to a population whose concept is {stated[0]}, then {stated[1]}")
    if earlier.mode != later.mode:
        verdict &= _caution(
            f"interviewed {MODES[earlier.mode]}, then {MODES[later.mode]}: who is reached and what is told may differ"
        )
    elif not same_words:
        verdict &= _caution(f"those reached are described as: {described[0]}; then: {described[1]}")
    if earlier.sample_type != later.sample_type:
        verdict &= _caution(f"{SAMPLES[earlier.sample_type]}, then {SAMPLES[later.sample_type]}")
    return verdict


def questions(earlier: tuple[str, str], later: tuple[str, str]) -> Verdict:
    """Whether both rounds asked the same; each is a survey's `coverage` of an indicator: status and reason.

    A question altered in the same words in both rounds is the same question.
    """
    absent = [which for which, (status, _) in (("earlier", earlier), ("later", later)) if status == "not_asked"]
    if absent:
        rounds = "either round" if len(absent) == 2 else f"the {absent[0]} round"
        reasons = "; ".join(dict.fromkeys(reason for status, reason in (earlier, later) if status == "not_asked" and reason))
        return Verdict("not_asked", f"not asked in {rounds}" + (f": {reasons}" if reasons else ""))
    if earlier == later:
        return Verdict()
    said = [f"the {which} round {reason}" for which, (_, reason) in (("earlier", earlier), ("later", later)) if reason]
    return Verdict("altered_question", "; ".join(said) or "altered in one round")


def same_sources(catalogue: Catalogue, columns: set[str], earlier: SurveySpecification, later: SurveySpecification) -> Verdict:
    """Whether ``columns`` (what an indicator reads, or a dimension) come from the same questions.

    One round may have asked directly what the other derived, as a yes/no on disability for the questions on functioning.
    """
    used = [_asked(catalogue, columns, survey) for survey in (earlier, later)]
    only = [", ".join(sorted(one - other)) or "fewer questions" for one, other in (used, used[::-1])]
    return Verdict() if used[0] == used[1] else _caution(f"taken from {only[0]}, then from {only[1]}")


def same_groups(catalogue: Catalogue, dimension: str, earlier: SurveySpecification, later: SurveySpecification) -> Verdict:
    """Whether the groups of a dimension are the same in both rounds: asked, and altered if at all, in the same words."""
    verdict, said = same_sources(catalogue, {dimension}, earlier, later), []
    for survey in (earlier, later):
        altered = _asked(catalogue, {dimension}, survey) & set(survey.altered)
        said.append(("altered" if altered else "asked", "; ".join(survey.altered[name] for name in sorted(altered))))
    verdict &= questions(*said)
    return replace(verdict, reason=f"{dimension}: {verdict.reason}" if verdict.reason else "")


def _asked(catalogue: Catalogue, columns: set[str], survey: SurveySpecification) -> set[str]:
    """Variables (of a battery's items the battery) that ``columns`` come from in a survey."""
    batteries = {f"{name}_{item}": name for name, variable in catalogue.variables.items() for item in variable.items}
    return {batteries.get(column, column) for column in catalogue.sources(columns, survey.harmonised_columns)}


def _age(age_min: int | None) -> str:
    return "not stated" if age_min is None else f"{age_min} and over"


def _differs(reason: str) -> Verdict:
    return Verdict("population_differs", f"population differs: {reason}")


def _caution(reason: str) -> Verdict:
    return Verdict("with_caution", reason)
