"""Corrections of few respondents: which surveys are held because of one, until somebody decides.

Belongs here: how the manifest says it, when a survey is held or released, what Dagster and people are told. Not here: comparing
states of surveys (``rga.warehouse.corrections``), staging them (``surveys``).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import dagster as dg
import pandas as pd

from assets.metadata import preview
from assets.workspace import NEVER_BUILT, Workspace, now
from rga.errors import InputError, Problem
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import Respondents
from rga.warehouse import release
from rga.warehouse.corrections import state_of
from rga.warehouse.published_states import Versions, differ_by_few, published_versions, state_path
from rga.warehouse.staging import Staging

Decision = Literal["publish", "withdraw", "wait"]
HELD, FEW, WITHDRAW = "held", "differs_by_few", "withdraw"  # facts of a survey in the manifest
DECIDE = {
    "publish": "publish it all the same, as where nobody outside has the older release",
    "withdraw": "publish it, and remove the older releases that would give the respondents away",
    "wait": "keep what is published until more respondents have changed",
}
NOTE = (
    "in its newest input 1 to 4 respondents differ from what was published. Whoever has both releases could compute their answers. "
    "These are the numbers published last."
)


@dataclass(frozen=True)
class Conflict:
    """Releases kept from which a survey's new state differs by few respondents, and in how many indicators and variables."""

    releases: list[str]
    questions: int


@dataclass(frozen=True)
class Review:
    """What a survey's new state is compared with before it is staged: by survey the ``versions`` now and those ``published``;
    surveys of ``hold`` are not staged where few respondents differ."""

    versions: Mapping[str, str] = field(default_factory=dict)
    published: Versions = field(default_factory=dict)
    hold: frozenset[str] = frozenset()


def review(root: DataRoot, staging: Staging, versions: Mapping[str, str]) -> Review:
    """For surveys that are about to be staged. Raises InputError for the rules."""
    if not versions:
        return Review()
    manifest, rule = staging.manifest(), root.publication_rules.corrections
    decided = {key for key, version in versions.items() if _decision(manifest.get(key, {}), version) in ("publish", "withdraw")}
    hold = frozenset(set(versions) - decided) if rule == "hold" else frozenset()
    return Review(versions, published_versions(staging.warehouse, set(versions)), hold)


def _decision(entry: Mapping[str, Any], version: str) -> Decision | None:
    """What was decided on the survey as it is now: whoever decides to publish means what there was to see."""
    held = entry.get(HELD) or {}
    return held.get("decision") if held.get("version") == version else None


def survey_state(root: DataRoot, respondents: Respondents) -> pd.DataFrame:
    """What of a survey's respondents enters published tables."""
    catalogue = root.catalogue()
    shares = {code: (item.universe, item.numerator) for code, item in catalogue.indicators.items()}
    return state_of(respondents.frame, respondents.kinds, shares, catalogue.dimensions)


def conflict(
    root: DataRoot, staging: Staging, survey_id: str, state: pd.DataFrame, tables: Mapping[str, pd.DataFrame], reviewed: Review
) -> Conflict | None:
    """Where ``state`` and ``tables`` differ by few respondents from a release that is kept."""
    rules, breakdowns = root.publication_rules, root.catalogue().breakdowns
    releases, questions = list[str](), 0
    for version, made in reviewed.published.get(survey_id, {}).items():
        if version == reviewed.versions.get(survey_id):
            continue
        least, few = rules.dhs.suppress_below, rules.disclosure.small_count
        if found := differ_by_few(staging, survey_id, version, made, state, tables, breakdowns, least, few):
            releases, questions = releases + made, max(questions, len(found))
    return Conflict(sorted(releases), questions) if releases else None


def stage_state(staging: Staging, survey_id: str, state: pd.DataFrame, reviewed: Review) -> None:
    """Keep ``state`` for comparison with whatever comes later."""
    staging.write(state, state_path(staging, survey_id, reviewed.versions[survey_id]))


def has_state(staging: Staging, survey_id: str, version: str) -> bool:
    return state_path(staging, survey_id, version).is_file()


def held_fact(before: Mapping[str, Any], version: str, found: Conflict) -> dict[str, Any]:
    """The entry of a survey that is held: since when, which version, from what it differs, and what was decided.

    The decision to wait stands for whatever comes; any other is for one version.
    """
    earlier = before.get(HELD) or {}
    decision = earlier.get("decision")
    return {
        "since": earlier.get("since") or now(),
        "version": version,
        "releases": found.releases,
        "questions": found.questions,
        "decision": decision if decision == "wait" else None,
    }


def staged_facts(before: Mapping[str, Any], version: str, found: Conflict | None) -> dict[str, Any]:
    """Facts of a survey that was staged: it is not held, and may differ by few from older releases, or be there to replace them."""
    withdrawn = found.releases if found and _decision(before, version) == "withdraw" else []
    few = {"releases": found.releases, "questions": found.questions} if found else None
    return {HELD: None, FEW: few, WITHDRAW: withdrawn}


def held_surveys(manifest: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Surveys that are held, and what the manifest says of it; one whose newest input failed since is failed, not held."""
    return {key: entry[HELD] for key, entry in sorted(manifest.items()) if entry.get(HELD) and not entry.get("error")}


def newly_of_few(staging: Staging, manifest: Mapping[str, Mapping[str, Any]], surveys: Sequence[str]) -> dict[str, int]:
    """Surveys staged though few respondents differ from a release that is kept, that no release has yet: in how many indicators
    and variables."""
    kept, published = set(release.list_releases(staging.warehouse)), published_versions(staging.warehouse, set(surveys))
    found = {key: manifest[key].get(FEW) for key in surveys}
    return {
        key: int(few["questions"])
        for key, few in found.items()
        if few and kept & set(few["releases"]) and manifest[key]["fingerprint"] not in published.get(key, {})
    }


def carry_out_withdrawals(staging: Staging, log: logging.Logger) -> list[str]:
    """Remove releases that a correction was to replace, once the live one has it. Returns those removed."""
    manifest, live = staging.manifest(), release.live_release(staging.warehouse)
    removed: list[str] = []
    for key, entry in manifest.items():
        if not entry.get(WITHDRAW) or live is None:
            continue
        if live not in published_versions(staging.warehouse, {key}).get(key, {}).get(entry["fingerprint"], []):
            continue
        for release_id in entry[WITHDRAW]:
            if release_id != live and release_id in release.list_releases(staging.warehouse):
                release.remove(staging.warehouse, release_id)
                log.info(f"{key}: its correction replaces release {release_id}, which is removed")
                removed.append(release_id)
        staging.update_manifest(key, entry | {WITHDRAW: []})
    return removed


def decide(staging: Staging, survey_id: str, decision: Decision) -> None:
    """Note what is to become of a survey that is held. The next build acts on it. Raises InputError where it is not held."""
    manifest = staging.manifest()
    held = held_surveys(manifest)
    if survey_id not in held:
        known = f"held are: {', '.join(held)}" if held else "no survey is held"
        raise InputError(Problem(f"{survey_id} is not held", known))
    again = {} if decision == "wait" else {"tried": ""}  # the sensor asks for a run
    staging.update_manifest(survey_id, NEVER_BUILT | manifest[survey_id] | again | {HELD: held[survey_id] | {"decision": decision}})


def compare_again(staging: Staging) -> None:
    """Have the sensor ask for surveys that are held, as after a release was removed."""
    manifest = staging.manifest()
    staging.write_manifest({key: entry | {"tried": ""} if entry.get(HELD) else entry for key, entry in manifest.items()})


def in_words(survey_id: str, held: Mapping[str, Any]) -> str:
    """One survey that is held, for people: since when, how far, what was decided."""
    decided = f"; decided: {held['decision']}" if held.get("decision") else ""
    return (
        f"{survey_id} since {held['since']}: 1 to 4 respondents differ in {held['questions']} indicators and variables "
        f"from release {', '.join(held['releases'])}{decided}"
    )


def commands(survey_id: str) -> list[str]:
    """What can be done with a survey that is held."""
    return [f"rga releases {decision} {survey_id}: {what}" for decision, what in DECIDE.items()]


@dg.asset_check(
    asset="manifest",
    additional_deps=["estimates"],
    description=(
        "No survey is held because its newest input differs by 1 to 4 respondents from what was published, or somebody decided to "
        "wait. Stops nothing: a held survey keeps its last published numbers."
    ),
)
def corrections_decided(workspace: Workspace) -> dg.AssetCheckResult:
    held = held_surveys(workspace.paths.staging().manifest())
    rows = [
        {"survey": key, "since": one["since"], "decided": one["decision"] or "", "what to do": "; ".join(commands(key))}
        for key, one in held.items()
    ]
    undecided = sum(one["decision"] is None for one in held.values())
    facts = {"held surveys": preview(pd.DataFrame(rows))} if rows else {}
    return dg.AssetCheckResult(
        passed=not undecided,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"held": len(held), "undecided": undecided, **facts},
    )
