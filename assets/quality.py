"""Data quality of surveys: what each file shows, and what moved since the round before.

Belongs here: bringing a survey before the checks of ``rga.quality``, and their findings to staging and Dagster. Not here: checks
themselves, words and layout.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from assets.evidence import ALL
from assets.metadata import column_schema, preview
from assets.repeats import flags, kin, staged_answers
from assets.weights import Weights
from assets.workspace import ESTIMATES, Workspace
from rga.microdata.catalogue import Catalogue, load_synonyms
from rga.microdata.columns import account
from rga.microdata.data_root import DataRoot, split_survey_id
from rga.microdata.respondents import Respondents
from rga.quality import CHECKS, Finding, Subject, Thresholds, finding_rows, load_thresholds
from rga.quality.changes import changed_shares, previous_rounds
from rga.survey import Share, aggregate, estimate
from rga.survey.aggregation import STAGED
from rga.warehouse.quality_tables import DATA_QUALITY
from rga.warehouse.staging import Staging

OWN = "quality"  # staged per survey; `data_quality` adds what takes two rounds
COMPARED = ["indicator", "value", "se", "df", "n"]
UNREADABLE = "the newest input cannot be used, and the estimates are of the last good one"


def thresholds(root: DataRoot) -> Thresholds:
    """Raises InputError."""
    return load_thresholds(root.path / "catalogue")


def subject_of(root: DataRoot, survey_id: str, respondents: Respondents, margins: pd.DataFrame) -> Subject:
    """The survey as its checks want it. Raises InputError."""
    year, catalogue = root.round(split_survey_id(survey_id)[0]).year, root.catalogue()
    synonyms = load_synonyms(root.path / "catalogue", catalogue)
    columns, limits = account(root, survey_id), thresholds(root)
    return Subject(catalogue, root.specification(survey_id), respondents, columns, margins, limits, year, synonyms)


def totals(root: DataRoot, survey_id: str, respondents: Respondents, weights: Weights, asked: list[str]) -> pd.DataFrame:
    """Shares (per cent) of all respondents for the indicators ``asked``, without staging: indicator, value, se, df, n."""
    catalogue = root.catalogue()
    shares = [Share(code, catalogue.indicators[code].universe, catalogue.indicators[code].numerator) for code in asked]
    margins = tuple(sorted(name for name in map(str, weights.frame) if name.startswith("margin_")))
    design = replace(STAGED, fpc="fpc", base_weight="weight_before_calibration" if margins else None, margins=margins)
    own = weights.frame.drop(columns=["survey_id", "respondent_id"])
    with duckdb.connect() as connection:
        connection.register("weighted", pd.concat([respondents.frame, own], axis=1))
        sums = aggregate(connection, "weighted", shares, [()], design)
    frame = estimate(sums, [()], root.specification(survey_id).design.lonely_psu)
    frame[["value", "se"]] *= 100
    return frame[COMPARED]


def staged_totals(staging: Staging, survey_id: str) -> pd.DataFrame:
    """The same from staged estimates, of indicators that were asked unaltered."""
    frame = staging.read("estimates", [survey_id], ["breakdown", *COMPARED])
    if frame.empty:
        return pd.DataFrame(columns=COMPARED)
    coverage = staging.read("coverage", [survey_id])
    asked = set(coverage.loc[coverage["status"] == "asked", "indicator"])
    return frame.loc[(frame["breakdown"] == "total") & frame["indicator"].isin(asked), COMPARED]


def all_findings(staging: Staging, limits: Thresholds, catalogue: Catalogue) -> pd.DataFrame:
    """Rows of `data_quality` for every survey that has estimates: its own findings, changes against its previous round, respondents
    who gave the same answers in another, and an error where its newest input failed."""
    manifest = staging.manifest()
    surveys = staging.read("surveys", [key for key in sorted(manifest) if staging.table("estimates", key).is_file()])
    if surveys.empty:
        return data_quality([], {})
    simulated = dict(zip(surveys["survey_id"], surveys["simulated"].astype(bool), strict=True))
    found = {key: staged_totals(staging, key) for key in simulated}
    before = previous_rounds(simulated)
    pairs = kin({key: _hashes(files) for key, files in zip(surveys["survey_id"], surveys["source_files"], strict=True)})
    repeated = flags({key: staged_answers(staging, key, catalogue) for key in sorted({*chain(*pairs)})}, pairs, limits)
    frames = []
    for key in simulated:
        more = changed_shares(found[before[key]], found[key], before[key], limits.change_between_rounds) if key in before else []
        more += repeated.get(key, [])
        if error := manifest[key].get("error"):
            more.append(Finding("specification", "error", f"{UNREADABLE}. {error}", "see status_note of table surveys"))
        frames += [staging.read(OWN, [key]), finding_rows(key, more)]
    return data_quality(frames, simulated)


def _hashes(source_files: str) -> list[str]:
    """Of the files in table surveys."""
    return re.findall(r"sha256:([0-9a-f]{64})", source_files)


def staged_findings(staging: Staging, survey_ids: list[str]) -> pd.DataFrame:
    """Rows of `data_quality` for ``survey_ids``."""
    frame = staging.read("data_quality", [ALL])
    return frame[frame["survey_id"].isin(survey_ids)] if len(frame) else frame


def data_quality(frames: list[pd.DataFrame], simulated: Mapping[str, bool]) -> pd.DataFrame:
    """``frames`` of findings as rows of the published table, numbered within each survey, errors first."""
    frame = pd.concat([f for f in frames if len(f)] or [finding_rows("", [])], ignore_index=True)
    frame = frame.sort_values(["survey_id", "severity"], kind="stable", ignore_index=True)
    return frame.assign(
        finding=frame.groupby("survey_id").cumcount() + 1,
        simulated=frame["survey_id"].map(dict(simulated)).astype("boolean"),
    )


@dg.asset(
    name="data_quality",
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    deps=["estimates"],
    group_name=ESTIMATES,
    kinds={"parquet"},
    owners=["team:data"],
    check_specs=[dg.AssetCheckSpec(name, asset="data_quality", description=f"{text}.") for name, text in CHECKS.items()],
    description=(
        "**What deserves a look in each survey**: codes, skips, duplicates, straight lines, durations, the make-up of the sample, "
        "missing answers, and shares that moved between rounds by more than their error allows. Counts only, no respondents.\n\n"
        "Flags are published with the survey and stop nothing. Thresholds stand in `catalogue/quality.yaml`."
    ),
)
def data_quality_table(workspace: Workspace) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    root, staging = workspace.paths.data_root(), workspace.paths.staging()
    frame = all_findings(staging, thresholds(root), root.catalogue())
    staging.write(frame, staging.table("data_quality", ALL))
    counts = frame.groupby(["survey_id", "check_name", "severity"], sort=True).size().rename("findings").reset_index()
    yield dg.MaterializeResult(
        metadata={
            "dagster/row_count": len(frame),
            "dagster/column_schema": column_schema(frame, DATA_QUALITY.comments),
            "findings": preview(counts, len(counts)),
        }
    )
    for name in CHECKS:
        found = frame[frame["check_name"] == name]
        yield dg.AssetCheckResult(check_name=name, **verdict(found))


def verdict(found: pd.DataFrame) -> dict[str, Any]:
    """What an asset check says of findings: passed without any, a warning where they are flags."""
    worst = dg.AssetCheckSeverity.ERROR if (found["severity"] == "error").any() else dg.AssetCheckSeverity.WARN
    shown = found[["survey_id", "check_name", "severity", "variable", "code", "n", "share", "message"]]
    facts: dict[str, Any] = {"findings": preview(shown, 40)} if len(found) else {}
    return {"passed": found.empty, "severity": worst, "metadata": {"count": len(found), **facts}}
