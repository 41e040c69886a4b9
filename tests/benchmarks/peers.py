"""R survey and svy on the same respondents: how they are found, run, timed and compared with us.

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
SVY_VENV = REPOSITORY / ".venv-peers"
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
    return _seconds([str(_svy_python()), str(HERE / "peer_svy.py"), str(people), mode, str(folder)], limit)


def _first(path: Path, surveys: int, out: Path) -> Path:
    chosen = f"SELECT DISTINCT survey_id FROM read_parquet('{path}') ORDER BY survey_id LIMIT {surveys}"
    duckdb.execute(f"COPY (FROM read_parquet('{path}') WHERE survey_id IN ({chosen})) TO '{out}'").fetchall()
    return out


def _svy_python() -> Path:
    """The Python of a virtual environment with svy, made on the first call."""
    python = SVY_VENV / "bin" / "python"
    if not python.exists():
        try:
            subprocess.run([sys.executable, "-m", "venv", SVY_VENV], check=True, capture_output=True, timeout=60)
            install = [SVY_VENV / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", SVY]
            subprocess.run(install, check=True, capture_output=True, timeout=180)
        except subprocess.SubprocessError as error:
            shutil.rmtree(SVY_VENV, ignore_errors=True)
            raise NotMeasured(f"pip install {SVY} failed: is there a package index?") from error
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
