"""What of the benchmarks no survey uses: most often a misspelt name, or a margin somebody meant to calibrate to.

Belongs here: comparing benchmarks with specifications. Not here: reading either, or errors in them.
"""

from __future__ import annotations

from rga.errors import InputError
from rga.microdata.benchmarks import Source, countries, load_source
from rga.microdata.data_root import DataRoot, split_survey_id
from rga.microdata.specification import SurveySpecification
from rga.microdata.weighting_steps import Calibrate


def unused_benchmarks(root: DataRoot) -> list[str]:
    """In words: benchmarks, margins and countries that no survey is weighted to, and concepts not stated.

    Surveys and benchmarks that cannot be read are passed over: their own errors are told elsewhere.
    """
    by_benchmark: dict[str, dict[str, SurveySpecification]] = {}
    for survey_id in root.survey_ids():
        try:
            specification = root.specification(survey_id)
        except InputError:
            continue
        if name := specification.benchmark_used:
            by_benchmark.setdefault(name, {})[survey_id] = specification
    told = []
    for folder in sorted(path for path in (root.path / "benchmarks").glob("*/") if path.is_dir()):
        used = by_benchmark.get(folder.name, {})
        if not used:
            told.append(f"{folder.name}: no survey is weighted to it")
            continue
        try:
            source = load_source(folder)
            here = {country for margin in source.margins for country in countries(folder, margin)}
        except InputError:
            continue
        if idle := _idle_margins(source, list(used.values())):
            told.append(f"{folder.name}: margins that no survey is calibrated to: {', '.join(idle)}")
        if strangers := sorted(here - {split_survey_id(survey_id)[1] for survey_id in used}):
            told.append(f"{folder.name}: countries without a survey weighted to it: {', '.join(strangers)}")
        if source.concept is None:
            told.append(f"{folder.name}: `concept:` does not say whether it counts residents or citizens")
    return told


def _idle_margins(source: Source, specifications: list[SurveySpecification]) -> list[str]:
    """Margins that no calibration names, whole or summed over some of their variables, other than the reference."""
    steps = [step for specification in specifications for step in specification.weighting if isinstance(step, Calibrate)]
    named = {frozenset(margin.split("*")) for step in steps for margin in (*step.margins, *step.numbers)}
    known = {frozenset(margin.variables) for margin in source.margins}
    return [
        margin.margin
        for margin in source.margins
        if margin is not source.reference
        and frozenset(margin.variables) not in named
        and not any(variables not in known and variables < set(margin.variables) for variables in named)
    ]
