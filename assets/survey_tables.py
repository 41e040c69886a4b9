"""One survey, from its files to everything staged of it: respondents, weights, and its rows of the descriptive tables.

Belongs here: what is written per survey, and in which order. Not here: which surveys, or what Dagster is told (``surveys``).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from assets.corrections import Review, conflict, has_state, stage_state, survey_state
from assets.quality import OWN, subject_of
from assets.weighting_effects import effect_tables
from assets.weighting_tables import margin_rows, weighting_rows
from assets.weights import Weights, weigh
from rga.microdata.benchmarks import Source, load_source
from rga.microdata.catalogue import Catalogue
from rga.microdata.codebook import with_small_counts_hidden
from rga.microdata.data_root import DataRoot, split_survey_id
from rga.microdata.respondents import Respondents, prepare
from rga.microdata.specification import SurveySpecification
from rga.microdata.telling import publishable
from rga.publish.weights_picture import weights_svg
from rga.quality import finding_rows
from rga.quality.checks import findings_of
from rga.survey.precision import step_above
from rga.survey.weight_bins import weight_bins
from rga.warehouse.staging import Staging

TABLES = (
    *("surveys", "weighting", "weighting_effects", "weighting_sensitivity", "margins"),
    *("coverage", "item_nonresponse", "codebook", "specification", OWN),
)
LAST = OWN  # taken away before the others are written, and there again once the manifest says what they were made from: where it is
# absent, as after a kill in their midst, the survey is built again
CORRECTION = "correction"  # of what `stage_survey` returns: the `conflict` with releases, if any


def is_staged(staging: Staging, survey_id: str) -> bool:
    """Whether everything this module writes of the survey is there, from one time of writing."""
    version = staging.manifest().get(survey_id, {}).get("fingerprint", "")
    tables = (staging.table(name, survey_id) for name in TABLES)
    return staging.is_complete(survey_id) and has_state(staging, survey_id, version) and all(path.is_file() for path in tables)


def stage_survey(root: DataRoot, staging: Staging, reviewed: Review, survey_id: str) -> dict[str, dict[str, Any]]:
    """Read, weigh and stage one survey, all but the table LAST, in the pending part of ``staging``; nothing is written unless all
    of it can be, nor where the survey is to be held as few respondents differ from a release (`CORRECTION`, then alone).

    Returns facts by asset, for people; ``columns`` is a frame without rows, ``svg`` a picture. And LAST with its ``rows``, for the
    one who keeps the manifest. Raises InputError.
    """
    respondents = prepare(root, survey_id)
    weights = weigh(root, survey_id, respondents)
    effects, sensitivity = effect_tables(root, survey_id, respondents, weights)
    margins = margin_rows(survey_id, weights)
    tables = {
        "surveys": survey_row(root, survey_id, respondents, weights),
        "weighting": weighting_rows(survey_id, respondents, weights),
        "weighting_effects": effects,
        "weighting_sensitivity": sensitivity,
        "margins": margins,
        "coverage": coverage_rows(survey_id, root.catalogue(), root.specification(survey_id)),
        "item_nonresponse": nonresponse_rows(survey_id, respondents),
        "codebook": with_small_counts_hidden(respondents.codebook, root.catalogue().dimensions).assign(survey_id=survey_id),
        "specification": specification_row(root, survey_id),
    }
    findings = finding_rows(survey_id, findings_of(subject_of(root, survey_id, respondents, margins)))
    state = survey_state(root, respondents)
    found = conflict(root, staging, survey_id, state, tables, reviewed)
    if found and survey_id in reviewed.hold:
        return {CORRECTION: {"conflict": found}}
    stage_state(staging, survey_id, state, reviewed)
    staging = staging.pending()
    staging.write(respondents.frame, staging.restricted("respondents", survey_id))
    staging.write(weights.frame, staging.restricted("weights", survey_id))
    for name, frame in tables.items():
        staging.write(frame, staging.table(name, survey_id))
    final = weights.steps[-1]
    return {
        "respondents": {
            "rows": len(respondents.frame),
            "excluded": respondents.excluded,
            "columns": respondents.frame.iloc[:0],
            "files": respondents.source_files,
        },
        "weights": {
            "rows": len(weights.frame),
            "columns": weights.frame.iloc[:0],
            "n": final.diagnostics.n,
            "deff": round(final.diagnostics.kish_deff, 3),
            "n_effective": round(final.diagnostics.n_effective, 1),
            "sum_of_weights": round(final.diagnostics.total, 1),
            "svg": weights_svg(survey_id, tables["margins"], weight_bins(final.weights), root.specification(survey_id).simulated),
            "chain": weights.chain,
        },
        LAST: {"rows": findings},
        CORRECTION: {"conflict": found},
    }


def survey_row(root: DataRoot, survey_id: str, respondents: Respondents, weights: Weights) -> pd.DataFrame:
    """The survey's row of `surveys`, but for what the manifest knows at the time of the release."""
    specification = root.specification(survey_id)
    round_id, country = split_survey_id(survey_id)
    n, invited, final = len(respondents.frame), specification.all_invited, weights.steps[-1].diagnostics
    response, name, source = weights.response, specification.benchmark_used, _benchmark(root, specification)
    rate = response.unweighted if response else n / invited if invited else None
    row = {
        "survey_id": survey_id,
        "country": country,
        "round": round_id,
        "year": root.round(round_id).year,
        "title": specification.title,
        "producer": specification.producer,
        "citation": specification.citation,
        "licence": specification.licence,
        "mode": specification.mode,
        "fieldwork_start": specification.fieldwork.start,
        "fieldwork_end": specification.fieldwork.end,
        "population": specification.population.description,
        "sample_type": specification.sample_type,
        "benchmark": name,
        "benchmark_population": f"{source.concept or 'concept not stated'}: {source.population}" if source else None,
        "invited": invited,
        "sampled": response.sampled if response else None,
        "n": n,
        "excluded": respondents.excluded,
        "response_rate": None if rate is None else 100 * rate,
        "response_rate_weighted": 100 * response.weighted if response else None,
        "weighting": weights.chain,
        "weight_deff": final.kish_deff,
        "weight_n_effective": final.n_effective,
        "population_rounded_to": step_above(final.maximum),
        "source_files": ", ".join(f"{publishable(name)} sha256:{of}" for name, of in sorted(respondents.source_files.items())),
        "notes": specification.notes,
        "caution": specification.caution or None,
        "simulated": specification.simulated,
    }
    types = dict.fromkeys(["benchmark", "benchmark_population", "caution"], "string")
    types |= dict.fromkeys(["invited", "sampled"], "Int64") | dict.fromkeys(["response_rate", "response_rate_weighted"], "float64")
    return pd.DataFrame([row]).astype(types)


def coverage_rows(survey_id: str, catalogue: Catalogue, specification: SurveySpecification) -> pd.DataFrame:
    """Rows of `coverage`: an indicator is not asked where any question it uses was not, altered where the survey says so of one."""
    variables = {
        f"{name}_{item}" if item else name: name
        for name, variable in catalogue.variables.items()
        for item in variable.items or [""]
    }
    given = specification.harmonised_columns
    rows = []
    for indicator in catalogue.indicators:
        used = catalogue.uses(indicator, given)
        absent = {
            name: specification.absent.get(name) or specification.absent.get(variables[name]) for name in sorted(used - given)
        }
        altered = sorted({variables[name] for name in used} & set(specification.altered))
        status = "not_asked" if absent else "altered" if altered else "asked"
        reasons = [reason or f"{name} not asked" for name, reason in absent.items()]
        reasons = reasons or [specification.altered[name] for name in altered]
        rows.append((survey_id, indicator, status, "; ".join(dict.fromkeys(reasons)) or None))
    return pd.DataFrame(rows, columns=["survey_id", "indicator", "status", "reason"]).astype({"reason": "string"})


def nonresponse_rows(survey_id: str, respondents: Respondents) -> pd.DataFrame:
    """Rows of `item_nonresponse`, with per cent of the survey's respondents."""
    counts = respondents.item_nonresponse
    return counts.assign(survey_id=survey_id, share=100 * counts["n"] / len(respondents.frame))


def specification_row(root: DataRoot, survey_id: str) -> pd.DataFrame:
    """The specification and the benchmark's source as they are now: what is staged must be described by what it was made from,
    also when the specification is broken later. Not published."""
    specification = root.specification(survey_id)
    source = _benchmark(root, specification)
    said = {
        "specification": specification.model_dump_json(exclude_unset=True),
        "benchmark": source.model_dump_json(exclude_unset=True) if source else None,
    }
    return pd.DataFrame([{"survey_id": survey_id} | said]).astype({"benchmark": "string"})


def read_specification(staging: Staging, survey_id: str) -> tuple[SurveySpecification, Source | None]:
    """What `specification_row` staged."""
    row = staging.read("specification", [survey_id]).iloc[0]
    source = None if pd.isna(row["benchmark"]) else Source.model_validate_json(row["benchmark"])
    return SurveySpecification.model_validate_json(row["specification"]), source


def _benchmark(root: DataRoot, specification: SurveySpecification) -> Source | None:
    """The source of the benchmark that weights were fitted to."""
    name = specification.benchmark_used
    return load_source(root.path / "benchmarks" / name) if name else None
