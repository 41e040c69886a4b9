"""Everything staged into one DuckDB file, verified and switched to.

Belongs here: which rows make a release, and when there is nothing new to release. Not here: how a file is built or checked
(``rga.warehouse``).
"""

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandas as pd

from assets import corrections, regional
from assets.evidence import ALL, staged_search_interest
from assets.metadata import preview
from assets.publication_beside import codebook_as_published, of_published_gaps, under_other_weights
from assets.quality import staged_findings
from assets.workspace import RELEASE, Progress, Workspace, code_of
from rga.errors import ReleaseError
from rga.microdata.catalogue import Catalogue
from rga.microdata.countries import country_name
from rga.microdata.data_root import DataRoot
from rga.warehouse import release as releases
from rga.warehouse.descriptive_tables import INPUTS
from rga.warehouse.disclosure_audit import exposed_by
from rga.warehouse.published_states import forget_unused
from rga.warehouse.staging import Staging
from rga.warehouse.tables import tables
from rga.warehouse.verify import Check, verify

STAGED = (
    *("surveys", "coverage", "estimates", "gender_gaps", "item_nonresponse", "codebook"),
    *("furthest_behind", "changes", "adjusted_gaps", "gap_decomposition"),
    *("weighting", "weighting_effects", "weighting_sensitivity", "margins"),
)
OF_ALL = regional.TABLES  # one file for all surveys
SIMULATED = ("coverage", "item_nonresponse", "codebook", "weighting", "margins")  # tables whose rows are yet to say it
COMPARABILITY = ("adjusted_gaps", "gap_decomposition", "furthest_behind")

# Columns of tables with the same shares under other weights, and the sex that each is of.
GIVEN_AWAY_BY = {"weighting_effects": {"value": "sex"}, "weighting_sensitivity": {"women": "F", "men": "M"}}


@dg.asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    deps=[
        *("estimates", "gender_gaps", "changes", "adjusted_gaps", "gap_decomposition"),
        *("furthest_behind", *regional.TABLES, "data_quality", "search_interest"),
    ],
    group_name=RELEASE,
    kinds={"duckdb"},
    owners=["team:data"],
    check_specs=[
        dg.AssetCheckSpec(
            "release_verified",
            asset="release",
            description="The finished file was opened read-only and checked before the link was switched to it.",
        )
    ],
    description=(
        "**The published database**, `warehouse/rga.duckdb`: estimates, gaps, and all that describes them; no respondents. Built "
        "beside the live one, verified, then switched to. Where nothing changed, the live one stands.\n\n"
        "A survey that failed keeps its last good estimates, with status `stale`. One of which 1 to 4 respondents were corrected "
        "keeps its last published ones, with status `held`, until somebody decides."
    ),
)
def release(
    context: dg.AssetExecutionContext, workspace: Workspace, progress: dg.ResourceParam[Progress]
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    root, staging = workspace.paths.data_root(), workspace.paths.staging()
    warehouse, catalogue = staging.warehouse, root.catalogue()
    progress.begin("release", 1)
    surveys = regional.estimated(staging)
    if not surveys:
        raise dg.Failure("There is no survey to publish: none could be read so far.", allow_retries=False)
    content = content_hash(root, staging, surveys)
    live, exposed = releases.live_release(warehouse), 0
    few = corrections.newly_of_few(staging, staging.manifest(), surveys)
    if live and releases.release_facts(warehouse, live)["fingerprint"] == content:
        context.log.info(f"Nothing changed: release {live} stands")
        path, new = releases.release_path(warehouse, live), False
        rows = count_rows(path)
        checks = verify(path, tables(catalogue.dimensions), rows)
    else:
        created = datetime.now(UTC).replace(tzinfo=None, microsecond=0)
        progress.step("writing and verifying")
        try:
            built = releases.build_release(
                warehouse, frames(root, staging, surveys, created, content), catalogue.dimensions, created, content
            )
        except ReleaseError as error:
            yield dg.AssetCheckResult(check_name="release_verified", passed=False, metadata={"problem": str(error)})
            raise dg.Failure(f"No release was made; the live one stands. {error}", allow_retries=False) from None
        exposed = _exposed(warehouse, live, built.path)
        if exposed:
            context.log.warning(f"{exposed:,} cells that this release hides can be had with the help of the release before, {live}")
        for key, questions in few.items():
            context.log.warning(
                f"{key}: 1 to 4 respondents differ from an older release in {questions:,} indicators and variables: the two give "
                "their answers away"
            )
        live, path, new, rows, checks = built.id, built.path, True, built.rows, built.checks
    withdrawn = corrections.carry_out_withdrawals(staging, context.log)
    forget_unused(staging)
    facts = _metadata(live, path, new, rows) | {"exposed_by_the_release_before": exposed}
    facts |= {"differs_by_few": dg.MetadataValue.json(few), "withdrawn": dg.MetadataValue.json(withdrawn)}
    facts |= {"held": dg.MetadataValue.json(list(corrections.held_surveys(staging.manifest())))}
    yield dg.MaterializeResult(metadata=facts, data_version=dg.DataVersion(content))
    yield _verified(checks)


def _exposed(warehouse: Path, before: str | None, path: Path) -> int:
    """How many cells that the release at ``path`` hides can be had with the release ``before``, which cannot be taken back."""
    older = releases.release_path(warehouse, before) if before else None
    return len(exposed_by(older, path)) if older and older.is_file() else 0


def content_hash(root: DataRoot, staging: Staging, surveys: list[str]) -> str:
    """Hash of what a release of ``surveys`` is made from: two releases of one hash differ in nothing but their time."""
    manifest = staging.manifest()
    of_survey, held = ("fingerprint", "estimated", "changes", "error"), corrections.held_surveys(manifest)
    said = {key: [*(manifest[key].get(fact) for fact in of_survey), held.get(key, {}).get("since")] for key in surveys}
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    for path in [*sorted((root.path / "catalogue").glob("*.yaml")), staging.table("search_interest", ALL)]:
        digest.update(path.name.encode() + (path.read_bytes() if path.is_file() else b""))
    digest.update(release_code().encode())
    return digest.hexdigest()


def release_code() -> str:
    """Hash of the code that makes releases of what is staged."""
    here = Path(__file__).resolve().parent
    return code_of(here, here.parent / "rga" / "warehouse")


def frames(root: DataRoot, staging: Staging, surveys: list[str], created: datetime, content: str) -> dict[str, pd.DataFrame]:
    """The release's rows by table."""
    catalogue = root.catalogue()
    with ThreadPoolExecutor(releases.THREADS) as pool:
        found = dict(zip(STAGED, pool.map(lambda name: staging.read(name, surveys), STAGED), strict=True))
    found["search_interest"] = staged_search_interest(staging)
    found |= {name: staging.read(name, [ALL]) for name in OF_ALL}
    for name, sides in GIVEN_AWAY_BY.items():
        if len(found[name]):
            found[name] = under_other_weights(found[name], found["estimates"], sides)
    found["adjusted_gaps"], found["gap_decomposition"] = of_published_gaps(
        found["adjusted_gaps"], found["gap_decomposition"], found["gender_gaps"]
    )
    uses = {code: catalogue.uses(code) | catalogue.reads(code) for code in catalogue.indicators}
    found["codebook"] = codebook_as_published(found["codebook"], found["estimates"], uses)
    of_survey = found["surveys"].set_index("survey_id")["simulated"]
    found |= {name: found[name].assign(simulated=found[name]["survey_id"].map(of_survey)) for name in SIMULATED if len(found[name])}
    differed = found["coverage"].set_index(["survey_id", "indicator"])["reason"].astype("string")
    for name in (name for name in COMPARABILITY if len(found[name])):
        asked = pd.MultiIndex.from_frame(found[name][["survey_id", "indicator"]])
        found[name] = found[name].assign(comparability=differed.reindex(asked).array)
    found["data_quality"] = staged_findings(staging, surveys)
    found["surveys"] = with_status(found["surveys"], staging.manifest())
    found |= described(root, catalogue, found["surveys"])
    simulated = found["surveys"]["simulated"]
    facts = {
        "release_id": f"{created:%Y%m%dT%H%M%SZ}-{content[:8]}",
        "created": created,
        "code_version": code_version(),
        "fingerprint": content,
        "code_hash": release_code(),
        "surveys": len(surveys),
        "indicators": len(catalogue.indicators),
        "estimates": len(found["estimates"]),
        "hidden_cells": None,  # until it is attacked
        "attack_unfinished": None,
        "simulated": "all" if simulated.all() else "some" if simulated.any() else "none",
    }
    counts = dict.fromkeys(["hidden_cells", "attack_unfinished"], "Int64")
    return found | {"release": pd.DataFrame([facts]).astype(counts)}


def code_version() -> str:
    """This software's version; `unknown` where it runs from a folder without being installed."""
    try:
        return version("rga")
    except PackageNotFoundError:
        return "unknown"


def with_status(surveys: pd.DataFrame, manifest: dict[str, dict[str, Any]]) -> pd.DataFrame:
    """Rows of `surveys` with what the manifest says of them."""
    entries, held = [manifest[key] for key in surveys["survey_id"]], corrections.held_surveys(manifest)
    states = ["stale" if manifest[key].get("error") else "held" if key in held else "current" for key in surveys["survey_id"]]
    notes = {
        key: f"Failed since {manifest[key]['error_since']}:\n{manifest[key]['error']}"
        if state == "stale"
        else f"Held since {held[key]['since']}: {corrections.NOTE}"
        for key, state in zip(surveys["survey_id"], states, strict=True)
        if state != "current"
    }
    return surveys.assign(
        fingerprint=[entry.get("estimated") or entry["fingerprint"] for entry in entries],
        **{f"{kind}_hash": pd.array([entry.get("inputs", {}).get(kind) for entry in entries], dtype="str") for kind in INPUTS},
        built=pd.to_datetime([entry["built"] for entry in entries]).tz_localize(None),
        status=states,
        status_note=surveys["survey_id"].map(notes).astype("string"),
    )


def described(root: DataRoot, catalogue: Catalogue, surveys: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Tables that say what is in the others: countries, rounds, indicators, variables, breakdowns."""
    rounds = [{"round": key, **root.round(key).model_dump()} for key in sorted(surveys["round"].unique())]
    indicators = [{"indicator": code, **item.model_dump()} for code, item in catalogue.indicators.items()]
    variables = [
        {
            "variable": name,
            "label": item.items.get(name.removeprefix(_battery(catalogue, name) + "_"), item.label) if item.items else item.label,
            "module": item.module,
            "type": item.kind,
            "codes": "; ".join(f"{code} {label}" for code, label in item.codes.items()),
            "question": item.question,
            "derived": item.derived,
        }
        for name, item in catalogue.columns.items()
    ]
    breakdowns = [{"breakdown": "*".join(crossed) or "total", "dimensions": ", ".join(crossed)} for crossed in catalogue.breakdowns]
    countries = surveys.groupby("country").size().rename("surveys").rename_axis("iso3").reset_index()
    countries.insert(1, "name", countries["iso3"].map(country_name))
    return {
        "countries": countries,
        "rounds": pd.DataFrame(rounds),
        "indicators": pd.DataFrame(indicators),
        "variables": pd.DataFrame(variables).astype({"derived": "string"}),
        "breakdowns": pd.DataFrame(breakdowns),
    }


def _battery(catalogue: Catalogue, column: str) -> str:
    return next(name for name, item in catalogue.variables.items() if item.items and column.startswith(f"{name}_"))


def count_rows(path: Path) -> dict[str, int]:
    with duckdb.connect(str(path), read_only=True) as connection:
        names = [row[0] for row in connection.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()]
        return {name: connection.execute(f'SELECT count(*) FROM "{name}"').fetchall()[0][0] for name in names}


def _metadata(release_id: str, path: Path, new: bool, rows: dict[str, int]) -> dict[str, Any]:
    with duckdb.connect(str(path), read_only=True) as connection:
        surveys = connection.execute(
            "SELECT survey_id, n, mode, sample_type, status, simulated, weight_deff, caution FROM surveys ORDER BY survey_id"
        ).df()
    return {
        "release_id": release_id,
        "new": new,
        "path": dg.MetadataValue.path(str(path)),
        "link": dg.MetadataValue.path(str(path.parent.parent / "rga.duckdb")),
        "rows": dg.MetadataValue.json(rows),
        "surveys": preview(surveys, len(surveys)),
    }


def _verified(checks: list[Check]) -> dg.AssetCheckResult:
    table = pd.DataFrame([{"check": c.name, "passed": c.passed, "detail": c.detail} for c in checks])
    return dg.AssetCheckResult(
        check_name="release_verified",
        passed=all(check.passed for check in checks),
        metadata={"checks": preview(table), "count": len(checks)},
    )
