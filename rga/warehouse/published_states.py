"""What respondents of published surveys were like, for as long as a release that was made from them is kept.

Belongs here: which state of a survey is in which release, the files of states under `restricted/published`, and their end. Not
here: what a state is, or whether two differ by few (``corrections``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import duckdb
import pandas as pd

from rga.warehouse import release, restricted
from rga.warehouse.corrections import COUNTED, counts_of_few, of_few
from rga.warehouse.schema import quoted
from rga.warehouse.staging import Staging

FOLDER = "published"
Versions = dict[str, dict[str, list[str]]]  # by survey and fingerprint, the releases made from that state, oldest first


def state_path(staging: Staging, survey_id: str, version: str) -> Path:
    """The state that a survey has where all it is made from has the hash ``version``."""
    return staging.restricted(FOLDER, f"{survey_id}.{version[:16]}")


def published_versions(warehouse: Path, survey_ids: Collection[str] | None = None) -> Versions:
    """The states of ``survey_ids`` (all by default) that are in any of the releases kept."""
    found: Versions = {}
    for release_id in release.list_releases(warehouse):
        for survey_id, version in _versions(warehouse, release_id):
            if survey_ids is None or survey_id in survey_ids:
                found.setdefault(survey_id, {}).setdefault(version, []).append(release_id)
    return found


def _versions(warehouse: Path, release_id: str) -> list[tuple[str, str]]:
    with duckdb.connect(str(release.release_path(warehouse, release_id)), read_only=True) as connection:
        return connection.execute("SELECT survey_id, fingerprint FROM surveys").fetchall()


def counted_tables(path: Path, survey_id: str) -> dict[str, pd.DataFrame]:
    """A survey's rows of the tables of counts, from a release's file, without the counts of answers, which are rounded there."""
    with duckdb.connect(str(path), read_only=True) as connection:
        query = "SELECT * FROM {} WHERE survey_id = ?"
        found = {name: connection.execute(query.format(quoted(name)), [survey_id]).df() for name in COUNTED}
    codebook = found["codebook"]
    return found | {"codebook": codebook.assign(n=codebook["n"].mask(codebook["kind"] == "answered"))}


def differ_by_few(
    staging: Staging,
    survey_id: str,
    version: str,
    releases: Sequence[str],
    state: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    breakdowns: Sequence[Sequence[str]],
    least_base: int,
    few: int,
) -> list[str]:
    """Indicators and variables by which a survey's ``state`` and ``tables`` differ by few respondents from those of ``releases``,
    which were made from its state ``version``.

    Where that state is gone, as after the folder `restricted/` was lost, or tells of no difference, counts are compared: those
    staged, if they are of that state, else those published, of which fewer are shown.
    """
    path, found = state_path(staging, survey_id, version), list[str]()
    if path.is_file():
        before = restricted.read_table(path).to_pandas()
        found = of_few(before, state, breakdowns, least_base, few)
        if found or not _same(before, state):
            return found
    if staging.manifest().get(survey_id, {}).get("fingerprint") == version:
        counted = {name: staging.read(name, [survey_id]) for name in COUNTED}
    else:
        counted = counted_tables(release.release_path(staging.warehouse, releases[-1]), survey_id)
    return counts_of_few(counted, tables, few)


def _same(before: pd.DataFrame, after: pd.DataFrame) -> bool:
    return len(before) == len(after) and not of_few(before, after, [], few=len(before) + len(after))


def differences_between(staging: Staging, older: str, newer: str) -> dict[str, int] | None:
    """By survey, of how many indicators and variables few respondents differ between two releases; None where the state of a survey
    that both have is not kept."""
    versions = [dict(_versions(staging.warehouse, release_id)) for release_id in (older, newer)]
    with duckdb.connect(str(release.release_path(staging.warehouse, newer)), read_only=True) as connection:
        listed = connection.execute("SELECT dimensions FROM breakdowns").fetchall()
    breakdowns = [text.split(", ") if text else [] for (text,) in listed]
    found = {}
    for survey_id in sorted(set(versions[0]) & set(versions[1])):
        before, after = (of[survey_id] for of in versions)
        if before == after:
            continue
        paths = [state_path(staging, survey_id, version) for version in (before, after)]
        if not all(path.is_file() for path in paths):
            return None
        one, other = (restricted.read_table(path).to_pandas() for path in paths)
        if few := of_few(one, other, breakdowns):
            found[survey_id] = len(few)
    return found


def forget_unused(staging: Staging) -> None:
    """Remove states that no release and no staged survey is made from; encrypt those left where there is a key by now."""
    used = {state_path(staging, key, version) for key, of in published_versions(staging.warehouse).items() for version in of}
    for key, entry in staging.manifest().items():
        used |= {state_path(staging, key, str(entry.get(fact) or "")) for fact in ("fingerprint", "estimated")}
    for path in (staging.warehouse / "restricted" / FOLDER).glob("*.parquet"):
        if path not in used:
            path.unlink()
        elif restricted.key() is not None and not restricted.is_encrypted(path):
            staging.write(restricted.read_table(path).to_pandas(), path)
