"""R survey, svy and leafblower on the same respondents: how they are found, run, timed and compared with us.

Belongs here: everything about other people's software. Not here: our own table. None of it is a dependency: what is not
installed is said and left out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from tests.benchmarks.run import REPOSITORY, THREADS, Seconds, last_error

SVY = "svy==0.35.*"
LEAFBLOWER = "leafblower==0.1.*"
PEERS_VENV = REPOSITORY / ".venv-peers"
HERE = Path(__file__).parent


class NotMeasured(Exception):
    """A peer that is not installed, failed, or took too long; the message says which."""


def r_survey(path: Path, surveys: int, folder: Path, limit: float) -> Seconds:
    """How long R survey takes for the first ``surveys`` surveys of ``path``; its numbers go to ``folder``."""
    if not shutil.which("Rscript"):
        raise NotMeasured("R is not installed (apt-get install r-base-core r-cran-survey r-cran-data.table)")
    people = _first(path, surveys, folder / "r.csv")
    return _seconds(["Rscript", str(HERE / "peer_survey.R"), str(people), str(folder)], limit)


def svy(path: Path, surveys: int, mode: str, folder: Path, limit: float) -> Seconds:
    """How long svy takes, by its ``mode`` mean (fastest) or prop (logit limits); its numbers go to ``folder``."""
    people = _first(path, surveys, folder / "svy.parquet")
    return _seconds([str(_python_with(SVY)), str(HERE / "peer_svy.py"), str(people), mode, str(folder)], limit)


def _first(path: Path, surveys: int, out: Path) -> Path:
    chosen = f"SELECT DISTINCT survey_id FROM read_parquet('{path}') ORDER BY survey_id LIMIT {surveys}"
    duckdb.execute(f"COPY (FROM read_parquet('{path}') WHERE survey_id IN ({chosen})) TO '{out}'").fetchall()
    return out


def r_rake(people: pd.DataFrame, targets: pd.DataFrame, folder: Path, limit: float) -> tuple[Seconds, np.ndarray]:
    """How long R ``rake`` takes for ``people`` in memory, and its weights."""
    if not shutil.which("Rscript"):
        raise NotMeasured("R is not installed (apt-get install r-base-core r-cran-survey r-cran-data.table)")
    files = [folder / name for name in ("people.csv", "targets.csv", "r_weights.csv")]
    con = duckdb.connect()
    for frame, path in zip((people, targets), files, strict=False):
        con.register("frame", frame)
        con.execute(f"COPY frame TO '{path}'").fetchall()
    taken = _seconds(["Rscript", str(HERE / "peer_rake.R"), *map(str, files)], limit)
    return taken, con.execute(f"SELECT weight FROM read_csv('{files[2]}')").fetchnumpy()["weight"]


def leafblower(folder: Path, method: str, limit: float) -> tuple[Seconds, np.ndarray]:
    """How long leafblower takes for people.parquet and targets.parquet of ``folder``, and its weights."""
    files = [str(folder / f"{name}.parquet") for name in ("people", "targets")]
    out = folder / "leafblower_weights.parquet"
    taken = _seconds([str(_python_with(LEAFBLOWER)), str(HERE / "peer_leafblower.py"), *files, method, str(out)], limit)
    return taken, pd.read_parquet(out)["weight"].to_numpy()


def _python_with(requirement: str) -> Path:
    """The Python of a virtual environment with a peer (and what reads our files), installed on the first call."""
    python, module = PEERS_VENV / "bin" / "python", requirement.partition("==")[0]
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", PEERS_VENV], check=True, capture_output=True, timeout=60)
        if subprocess.run([python, "-c", f"import {module}, pandas, pyarrow"], capture_output=True, timeout=60).returncode:
            install = [
                PEERS_VENV / "bin" / "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                requirement,
                "pandas",
                "pyarrow",
            ]
            subprocess.run(install, check=True, capture_output=True, timeout=180)
    except subprocess.SubprocessError as error:
        raise NotMeasured(f"pip install {requirement} failed: is there a package index?") from error
    return python


def _seconds(command: list[str], limit: float) -> Seconds:
    threads = {name: str(THREADS) for name in ("POLARS_MAX_THREADS", "RAYON_NUM_THREADS", "OMP_NUM_THREADS")}
    try:
        done = subprocess.run(command, env=os.environ | threads, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired as error:
        raise NotMeasured(f"not done after {limit:.0f} s") from error
    if done.returncode:
        raise NotMeasured(last_error(done.stderr))
    wall, cpu = done.stdout.split()[-2:]
    return Seconds(float(wall), float(cpu))


def furthest(ours: Path, theirs: Path, peer: str) -> dict[str, float]:
    """The largest relative difference between our numbers and those of ``peer``, by number.

    A gap may be anything down to 0: its difference is taken relative to its standard error where that is larger. Raises
    NotMeasured where the cells are not the same ones, or a number is known to one side only.
    """
    differences = {}
    for table in ("estimates", "gaps"):
        if peer == "R survey":
            other = pd.read_csv(theirs / f"r_{table}.csv", keep_default_na=False, na_values=["NA"])
        else:
            other = pd.read_parquet(theirs / f"svy_{table}.parquet")
        mine = pd.read_parquet(ours / f"{table}.parquet")
        mine = mine[mine["survey_id"].isin(other["survey_id"])]
        mine = mine.assign(cell=_cells(mine, table))
        keys = ["survey_id", "indicator", "breakdown", "cell"]
        both = mine.merge(other, on=keys, how="outer", suffixes=("", "_theirs"))
        # Where nobody or everybody has the characteristic, R has no limits and no design effect.
        both = both[~both["value"].isin([0, 1]) if table == "estimates" else both["se"] != 0]
        for name in other.columns.difference(keys):
            here, there = both[name], both[f"{name}_theirs"]
            if here.isna().any() or there.isna().any():
                raise NotMeasured(f"{table}: {name} is known to one side only")
            size = np.maximum(there.abs(), both["se"]) if name == "gap" else there.abs()
            differences["se of gap" if (table, name) == ("gaps", "se") else name] = float(((here - there).abs() / size).max())
    return differences


def _cells(frame: pd.DataFrame, table: str) -> pd.Series:
    """The categories of a row's breakdown joined by a dot, as the peers' scripts name them."""
    other = frame["age_group"].where(
        frame["age_group"] != "_T", frame["residence"].where(frame["residence"] != "_T", frame["education"])
    )
    parts = [frame["sex"], other] if table == "estimates" else [other]
    cell = pd.concat(parts, axis=1).astype(object).replace("_T", "").agg(".".join, axis=1).str.strip(".")
    return cell.mask(frame["breakdown"] == "total", "all")
