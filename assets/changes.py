"""Estimates of two rounds of a country into the change between them.

Belongs here: which rounds are paired, how they are linked, what must be computed anew. Not here: verdicts on comparability
(``rga.microdata``), estimators (``rga.survey``), rows (``rga.warehouse``).
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from assets.estimates import joined
from assets.metadata import of_table
from assets.processes import each
from assets.survey_tables import read_specification
from assets.workspace import ESTIMATES, Progress, Workspace, code_of, told, where
from rga.microdata.benchmarks import Source
from rga.microdata.catalogue import Catalogue
from rga.microdata.comparability import Verdict, populations, questions, same_groups, same_sources
from rga.microdata.data_root import split_survey_id
from rga.microdata.specification import SurveySpecification
from rga.survey import SUPPRESS_BELOW, Share
from rga.survey.changes import linked_changes
from rga.survey.design import breakdown_name
from rga.survey.linked import ROUNDS, Link, linked_rounds, shared
from rga.warehouse import change_tables
from rga.warehouse.changes import Round, change_rows
from rga.warehouse.restricted import create_view
from rga.warehouse.staging import Staging
from rga.warehouse.tables import table

TABLE = "changes"
FAILED = "changes_failed"
PAIR = ["country", "earlier_round", "later_round"]


@dataclass(frozen=True)
class Survey:
    """A survey as it was when it was last built well."""

    key: str
    specification: SurveySpecification
    benchmark: Source | None
    coverage: dict[str, tuple[str, str]]
    round: Round

    @classmethod
    def staged(cls, staging: Staging, key: str, dimensions: list[str]) -> "Survey":
        specification, benchmark = read_specification(staging, key)
        coverage = staging.read("coverage", [key])
        reasons = coverage["reason"].fillna("")
        asked = dict(zip(coverage["indicator"], zip(coverage["status"], reasons, strict=True), strict=True))
        estimates, gaps = (staging.read(name, [key], Round.read(dimensions)) for name in ("estimates", "gender_gaps"))
        return cls(key, specification, benchmark, asked, Round(estimates, gaps))


@dg.asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    deps=["estimates", "gender_gaps"],
    group_name=ESTIMATES,
    kinds={"duckdb"},
    owners=["team:statistics"],
    description=(
        "**How much it changed**: later minus earlier round of a country, of estimates and of gender gaps, with standard errors "
        "that know of people or PSUs in both rounds.\n\nWhere question or population differ there is a reason instead of a number. "
        "Simulated and real surveys are never compared."
    ),
)
def changes(context: dg.AssetExecutionContext, workspace: Workspace, progress: dg.ResourceParam[Progress]) -> dg.MaterializeResult:
    root, staging = workspace.paths.data_root(), workspace.paths.staging()
    computed = bring_up_to_date(root.catalogue(), staging, progress, context.log)
    return dg.MaterializeResult(metadata=_metadata(staging, root.catalogue().dimensions, computed))


def bring_up_to_date(catalogue: Catalogue, staging: Staging, progress: Progress, log: logging.Logger) -> list[str]:
    """Compute the pairs of rounds of which either survey was estimated anew; says which.

    A survey's pairs with earlier rounds are one file, and its entry of the manifest says from which versions they were made, and
    which failed. A survey whose respondents are newer than its estimates, as these could not be made again, enters no new pair:
    pairs made of its last good estimates stay for as long as the other survey is the same.
    """
    manifest = staging.manifest()
    surveys = staging.read("surveys", [key for key in manifest if _is_estimated(staging, key)], ["survey_id", "simulated"])
    simulated = dict(zip(surveys["survey_id"], surveys["simulated"].astype(bool), strict=True)) if len(surveys) else {}
    due = {later: _due(manifest, pairs, later) for later, pairs in earlier_rounds(simulated).items()}
    computed_anew = [(earlier, later) for later, (_, new) in due.items() for earlier in new]
    # linked ones take longest: they come first, and nobody waits for the last of them
    computed_anew.sort(key=lambda pair: not any(_links(*(read_specification(staging, key)[0] for key in pair))))
    progress.begin("changes", len(computed_anew))
    found = dict(zip(computed_anew, each(partial(rows_of, catalogue, staging), computed_anew), strict=True))
    computed = []
    for later, (kept, new) in due.items():
        known = manifest[later].get(TABLE, {})
        if not new and kept.keys() == known.keys() and not manifest[later].get(FAILED):
            continue
        before = staging.read(TABLE, [later])
        failed: dict[str, str] = {}
        frames = [before[before["earlier_round"].isin([split_survey_id(key)[0] for key in kept])]] if len(before) else []
        for earlier, version in new.items():
            progress.step(f"{later} since {split_survey_id(earlier)[0]}")
            rows = found[earlier, later]
            if isinstance(rows, Exception):  # one pair must not hold back the release; without a version it is tried again
                failed[earlier] = told(f"{later} since {earlier}", rows)
                log.error(f"{later}: changes since {earlier} failed: {failed[earlier]}{where(rows)}")
                continue
            frames.append(rows)
            kept[earlier] = version
            computed.append(f"{earlier} {later}")
        if frames:
            staging.write(pd.concat(frames, ignore_index=True), staging.table(TABLE, later))
        staging.update_manifest(later, staging.manifest()[later] | {TABLE: kept, FAILED: failed})
    return computed


def rows_of(catalogue: Catalogue, staging: Staging, pair: tuple[str, str]) -> pd.DataFrame:
    """Rows of `changes` of an earlier and a later survey, as they are staged."""
    earlier, later = (Survey.staged(staging, key, catalogue.dimensions) for key in pair)
    return pair_rows(catalogue, staging, earlier, later)


def earlier_rounds(simulated: Mapping[str, bool]) -> dict[str, list[str]]:
    """Of each survey those of the same country's earlier rounds that are as it is: ``simulated``, or real."""
    ordered = sorted(simulated, key=_time)
    found: dict[str, list[str]] = {key: [] for key in ordered}
    for earlier, later in combinations(ordered, 2):
        if split_survey_id(earlier)[1] == split_survey_id(later)[1] and simulated[earlier] == simulated[later]:
            found[later].append(earlier)
    return found


def _time(survey_id: str) -> tuple[int, int]:
    year, number = split_survey_id(survey_id)[0].split("-r")
    return int(year), int(number)


def _is_estimated(staging: Staging, key: str) -> bool:
    return all(staging.table(name, key).is_file() for name in ("surveys", "specification", "coverage", "estimates", "gender_gaps"))


def _due(manifest: Mapping[str, Any], pairs: list[str], later: str) -> tuple[dict[str, str], dict[str, str]]:
    """Versions of the pairs of ``later`` that stand as they are, and of those to be computed, by the earlier survey."""
    known, kept, new = manifest[later].get(TABLE, {}), {}, {}
    for earlier in pairs:
        entries = [manifest[key] for key in (earlier, later)]
        said = json.dumps([[entry.get("estimated") for entry in entries], code_of(Path(change_tables.__file__).parent)])
        version = hashlib.sha256(said.encode()).hexdigest()
        if known.get(earlier) == version:
            kept[earlier] = version
        elif all(entry.get("estimated") and entry["estimated"] == entry["fingerprint"] for entry in entries):
            new[earlier] = version
    return kept, new


def pair_rows(catalogue: Catalogue, staging: Staging, earlier: Survey, later: Survey) -> pd.DataFrame:
    """Rows of `changes` of one pair of rounds."""
    indicators, breakdowns = verdicts(catalogue, earlier, later)
    codes = [code for code, verdict in indicators.items() if verdict.comparable]
    link, linked = linked_by(catalogue, staging, earlier, later, codes) if codes else (None, None)
    rows = change_rows(
        earlier.round, later.round, catalogue.dimensions, indicators, breakdowns, link or "independent", linked
    )  # fmt: skip
    (first, country), (second, _) = split_survey_id(earlier.key), split_survey_id(later.key)
    said: dict[str, Any] = {
        "country": country,
        "earlier_round": first,
        "later_round": second,
        "simulated": later.specification.simulated,
    }
    return rows.assign(**said)


def verdicts(catalogue: Catalogue, earlier: Survey, later: Survey) -> tuple[dict[str, Verdict], dict[str, Verdict]]:
    """Whether indicators, and the groups of breakdowns, are comparable."""
    one, other = earlier.specification, later.specification
    people = populations(one, other, (earlier.benchmark, later.benchmark))
    unknown = ("not_asked", "")
    indicators = {}
    for code in catalogue.indicators:
        asked = questions(earlier.coverage.get(code, unknown), later.coverage.get(code, unknown))
        indicators[code] = asked & people & same_sources(catalogue, catalogue.reads(code), one, other)
    groups = {name: same_groups(catalogue, name, one, other) for name in catalogue.dimensions}
    breakdowns = {}
    for by in catalogue.breakdowns:
        breakdowns[breakdown_name(by)] = Verdict()
        for name in by:
            breakdowns[breakdown_name(by)] &= groups[name]
    return indicators, breakdowns


def linked_by(
    catalogue: Catalogue, staging: Staging, earlier: Survey, later: Survey, codes: list[str]
) -> tuple[Link | None, pd.DataFrame | None]:
    """What the rounds share, and changes with its covariance in per cent; None where samples are independent."""
    specifications = [earlier.specification, later.specification]
    panel, psus = _links(*specifications)
    if not panel and not psus:
        return None, None
    unread = set(catalogue.columns).difference(catalogue.dimensions, *map(catalogue.reads, codes))
    with duckdb.connect() as con:
        for name, key in zip(ROUNDS, (earlier.key, later.key), strict=True):
            for kind in ("respondents", "weights"):
                create_view(con, f"{name}_{kind}", [staging.restricted(kind, key)])
            joined(con, name, f"{name}_respondents", f"{name}_weights", unread)
        panel = panel and shared(con, *ROUNDS, "panel") > 0
        psus = psus and shared(con, *ROUNDS, "shared_psu") > 0
        if not panel and not psus:
            return None, None
        design = linked_rounds(con, *ROUNDS, "stacked", panel, psus)
        rule = specifications[1].design.lonely_psu  # `fail` has been asked of each round
        shares = [Share(code, catalogue.indicators[code].universe, catalogue.indicators[code].numerator) for code in codes]
        design = replace(design, lonely_psu="adjust" if rule == "fail" else rule)
        frame = linked_changes((con, "stacked"), design, shares, catalogue.breakdowns, SUPPRESS_BELOW)
    frame[["earlier", "later", "se"]] *= 100
    for dimension in catalogue.dimensions:
        frame[dimension] = frame[dimension].replace(catalogue.columns[dimension].sdmx)
    return ("panel" if panel else "shared_psu"), frame


def _links(*specifications: SurveySpecification) -> tuple[bool, bool]:
    """Whether all say who was in another round, and which PSUs were."""
    panel = all(specification.panel_id for specification in specifications)
    return panel, all(specification.design.shared_psus and specification.design.psu for specification in specifications)


def _metadata(staging: Staging, dimensions: list[str], computed: list[str]) -> dict[str, Any]:
    surveys = sorted(staging.manifest())
    frame = staging.read(TABLE, surveys, [*PAIR, "change", "comparable"])
    first = next((rows for key in surveys if len(rows := staging.read(TABLE, [key]))), frame)
    if len(first):
        first = first[(first["breakdown"] == "total") & first["change"].notna()]
    facts = of_table(table(TABLE, dimensions), len(frame), first) | {"computed": computed}
    if frame.empty:
        return facts
    return facts | {
        "pairs": len(frame[PAIR].drop_duplicates()),
        "shown": int(frame["change"].notna().sum()),
        "not comparable": int((~frame["comparable"]).sum()),
    }
