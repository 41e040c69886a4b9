"""What every asset is handed: where input and output are, one build at a time, whom to tell how far it got, and what went wrong.

Belongs here: the interfaces of resources, the partitions of assets, how the manifest is kept. Not here: which folders those are
(``pipelines.resources``).
"""

import hashlib
import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from rga.errors import InputError, Problem
from rga.microdata.data_root import DataRoot, one_hash
from rga.microdata.texts import publishable_message
from rga.warehouse.staging import Staging

surveys = dg.DynamicPartitionsDefinition(name="survey")

# Dagster sorts groups by name; the numbers make that the order in which the data flows.
SURVEYS, ESTIMATES, EVIDENCE, RELEASE = "1_surveys", "2_estimates", "3_evidence", "4_release"


class Paths(dg.ConfigurableResource):
    """The data root that is read and the warehouse that is written."""

    raw_data: str = Field(description="Data root: catalogue, benchmarks and one folder per round.")
    warehouse: str = Field(description="Folder of releases, staging and Dagster's own state.")

    def data_root(self) -> DataRoot:
        """Raises InputError where the folder is no data root."""
        return DataRoot(Path(self.raw_data))

    def staging(self) -> Staging:
        return Staging(Path(self.warehouse))


class Workspace(dg.ConfigurableResource):
    """The paths, held by one build: a second one in the same warehouse is refused for as long as the run lasts."""

    paths: dg.ResourceDependency[Paths]
    lock: bool = Field(default=True, description="False where the caller holds the lock already.")

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Workspace"]:
        with self.paths.staging().lock() if self.lock else nullcontext():
            yield self


class Progress:
    """Told what is being done; in the Dagster UI, which shows progress itself, it keeps silent."""

    def begin(self, stage: str, steps: int) -> None:
        """A stage of ``steps`` steps starts."""

    def step(self, label: str) -> None:
        """One step of the stage, called ``label``, starts."""


def code_of(*folders: Path) -> str:
    """Hash of the Python files in ``folders``."""
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.glob("*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def inputs(root: DataRoot, survey_id: str) -> dict[str, str]:
    """Hashes of all that a survey's numbers come from, by kind (`DataRoot.inputs`), with the code of this layer in that of code."""
    found = root.inputs(survey_id)
    return found | {"code": one_hash({"rga": found["code"], "assets": code_of(Path(__file__).resolve().parent)})}


def fingerprint(root: DataRoot, survey_id: str) -> str:
    """One hash of all of them."""
    return one_hash(inputs(root, survey_id))


NEVER_BUILT = {"tried": "", "fingerprint": "", "built": None, "error": None, "error_since": None}


def begun(staging: Staging, survey_ids: list[str], fact: str) -> dict[str, Any]:
    """Take ``fact`` out of the manifest, whose files are about to be written: killed before it is noted that they were, a survey's
    are written again. Returns what it was, by survey, for where nothing came of it."""
    manifest = staging.manifest()
    if survey_ids:
        staging.write_manifest(manifest | {key: manifest[key] | {fact: ""} for key in survey_ids})
    return {key: manifest[key].get(fact) for key in survey_ids}


def succeeded(staging: Staging, survey_id: str, stage: str, **facts: Any) -> None:
    """Note ``facts`` in the survey's entry of the manifest; an error of this stage is past."""
    entry = staging.manifest().get(survey_id, NEVER_BUILT)
    past = {"error": None, "error_since": None} if entry.get("failed_in") == stage else {}
    if (current := entry | past | facts) != entry:
        staging.update_manifest(survey_id, current)


def told(what: str, error: Exception) -> str:
    """What went wrong, fit to be kept and published: no path, nothing that may name somebody. Of an error that nobody foresaw, only
    its kind: its words may be a respondent's."""
    if isinstance(error, InputError):
        return publishable_message(str(error))
    said = f"{what}: internal error, not the survey's fault: {type(error).__name__}"
    return str(InputError(Problem(said, "report it, with the place in the code that the log gives")))


def where(error: Exception) -> str:
    """The places in the code that an error came through, without its words."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(["", *(line for line in lines if line.lstrip().startswith('File "'))])


def failed(staging: Staging, survey_id: str, stage: str, error: Exception, log: logging.Logger, **facts: Any) -> str:
    """Note what went wrong, and ``facts``, in the survey's entry of the manifest; says it, as people are told."""
    unexpected, message = not isinstance(error, InputError), told(survey_id, error)
    log.error(f"{survey_id} failed; its last good numbers are kept:\n{message}{where(error) if unexpected else ''}")
    entry = NEVER_BUILT | staging.manifest().get(survey_id, {})
    since = entry["error_since"] or now()
    staging.update_manifest(survey_id, entry | facts | {"error": message, "error_since": since, "failed_in": stage})
    return message


def now() -> str:
    """UTC, to the second, as the manifest writes it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
