"""Whether rounds may be compared: populations, questions, groups, and the reason in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from rga.microdata.benchmarks import Source
from rga.microdata.catalogue import Catalogue, load_catalogue
from rga.microdata.comparability import Verdict, populations, questions, same_groups, same_sources
from rga.microdata.data_root import DataRoot
from rga.microdata.specification import SurveySpecification

ALTERED, ASKED, ABSENT = ("altered", "asked about last week"), ("asked", ""), ("not_asked", "left out")


@pytest.fixture(scope="module")
def catalogue(repository: Path) -> Catalogue:
    return load_catalogue(repository / "raw_data" / "catalogue")


@pytest.fixture(scope="module")
def survey(repository: Path) -> SurveySpecification:
    return DataRoot(repository / "raw_data").specification("2021-r2_SLB")


def but(survey: SurveySpecification, **changes: object) -> SurveySpecification:
    """The survey with other facts; of its population those in ``population``."""
    people = survey.population.model_copy(update=changes.pop("population", {}))  # type: ignore[arg-type]
    return survey.model_copy(update={"population": people, **changes})


def benchmark(concept: str | None) -> Source:
    margin = {"margin": "sex", "file": "sex.csv", "measure": "count", "producer": "p", "licence": "l", "citation": "c"}
    return Source.model_validate({"title": "t", "population": "p", "concept": concept, "year": 2020, "margins": [margin]})


def test_rounds_alike_in_all_are_comparable_without_a_word(survey: SurveySpecification) -> None:
    assert populations(survey, survey, (benchmark("residents"), benchmark("residents"))) == Verdict()
    assert populations(survey, survey, (None, None)) == Verdict()


@pytest.mark.parametrize(
    ("changes", "benchmarks", "status", "words"),
    [
        ({"population": {"age_min": 15}}, (None, None), "population_differs", "age limit is 18 and over, then 15 and over"),
        ({"population": {"age_min": None}}, (None, None), "population_differs", "18 and over, then not stated"),
        (
            {"population": {"description": "Household heads"}},
            (None, None),
            "population_differs",
            "by telephone; then: Household heads",
        ),
        ({}, (benchmark("residents"), None), "population_differs", "weighted to a benchmark, then not"),
        ({}, (benchmark("residents"), benchmark("citizens")), "population_differs", "weighted to residents, then to citizens"),
        ({}, (benchmark("residents"), benchmark(None)), "with_caution", "residents, then not stated"),
        ({"mode": "sms"}, (benchmark(None), benchmark(None)), "with_caution", "by telephone, then by text message"),
        ({"sample": "non_probability"}, (None, None), "with_caution", "a probability sample, then a non-probability sample"),
        (
            {"population": {"description": "Adults who own a phone"}},
            (benchmark("residents"), benchmark("residents")),
            "with_caution",
            "then: Adults who own a phone",
        ),
        ({"population": {"description": "Adults aged 18  and over\nreached by Telephone"}}, (None, None), "comparable", ""),
    ],
)
def test_what_differs_between_populations_is_said_and_weighed(
    survey: SurveySpecification,
    changes: dict[str, object],
    benchmarks: tuple[Source | None, Source | None],
    status: str,
    words: str,
) -> None:
    verdict = populations(survey, but(survey, **changes), benchmarks)
    assert verdict.status == status and words in verdict.reason
    assert verdict.comparable == (status in ("comparable", "with_caution"))


@pytest.mark.parametrize(
    ("earlier", "later", "verdict"),
    [
        (ASKED, ASKED, Verdict()),
        (ALTERED, ALTERED, Verdict()),
        (ASKED, ALTERED, Verdict("altered_question", "the later round asked about last week")),
        (ALTERED, ("altered", "x"), Verdict("altered_question", "the earlier round asked about last week; the later round x")),
        (ABSENT, ASKED, Verdict("not_asked", "not asked in the earlier round: left out")),
        (ALTERED, ABSENT, Verdict("not_asked", "not asked in the later round: left out")),
        (ABSENT, ABSENT, Verdict("not_asked", "not asked in either round: left out")),
    ],
)  # fmt: skip
def test_questions_are_the_same_if_asked_or_altered_in_the_same_words(
    earlier: tuple[str, str], later: tuple[str, str], verdict: Verdict
) -> None:
    assert questions(earlier, later) == verdict


def test_the_worst_verdict_counts_and_cautions_add_up() -> None:
    caution, worse = Verdict("with_caution", "a"), Verdict("altered_question", "b")
    assert Verdict() & caution == caution & Verdict() == caution
    assert caution & worse == worse & caution == worse
    assert caution & Verdict("with_caution", "c") == Verdict("with_caution", "a; c")
    assert Verdict("population_differs", "p") & worse & Verdict("not_asked", "n") == Verdict("not_asked", "n")


def test_an_answer_asked_in_one_round_and_derived_in_the_other_asks_for_caution(
    catalogue: Catalogue, repository: Path, survey: SurveySpecification
) -> None:
    functioning = DataRoot(repository / "raw_data").specification("2021-r2_KIR")
    assert "disability" in survey.variables and "functioning" in functioning.variables
    verdict = same_sources(catalogue, {"disability"}, survey, functioning)
    assert verdict == Verdict("with_caution", "taken from disability, then from functioning")
    assert (
        same_groups(catalogue, "disability", survey, functioning).reason
        == "disability: taken from disability, then from functioning"
    )
    assert same_groups(catalogue, "sex", survey, functioning) == Verdict()


def test_groups_of_an_altered_question_are_not_the_same_unless_altered_alike(
    catalogue: Catalogue, survey: SurveySpecification
) -> None:
    altered = but(survey, altered={"n_children": "counted up to three"})
    verdict = same_groups(catalogue, "children", altered, survey)  # derived from n_children
    assert verdict == Verdict("altered_question", "children: the earlier round counted up to three")
    assert same_groups(catalogue, "children", altered, altered) == Verdict()
