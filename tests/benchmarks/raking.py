"""Raking a million people to four margins, writing the weights included, beside R survey's rake and the fastest Python peer.

Belongs here: the people, our side of the comparison, the report. Not here: other people's software (peers.py, peer_*), other
benchmarks.

    python -m tests.benchmarks.raking [--rows 1000000] [--peers r leafblower]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from rga.survey import calibrate
from tests.benchmarks.gender_table import verdict
from tests.benchmarks.peers import NotMeasured, leafblower, r_rake
from tests.benchmarks.run import Seconds

ROWS = 1_000_000
POPULATION = 1e8
RUNS = 5
LIMIT = 300.0  # seconds for a peer
MARGINS = {
    "sex": ["F", "M"],
    "age_group": ["Y18T24", "Y25T34", "Y35T44", "Y45T54", "Y55T64", "Y_GE65"],
    "education": ["none", "primary", "secondary", "college", "tertiary"],
    "region": [f"region {number}" for number in range(9)],
}
R, PEERS = "R rake", ("leafblower raking", "leafblower oris")


def population(rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """People with unequal base weights (four columns of categories), and benchmarks that differ from them by up to a half."""
    rng = np.random.default_rng(1940)
    chosen = {
        name: pd.Categorical.from_codes(rng.choice(len(levels), rows, p=rng.dirichlet(np.full(len(levels), 8.0))), levels)
        for name, levels in MARGINS.items()
    }
    people = pd.DataFrame(chosen).assign(base_weight=rng.lognormal(0, 0.4, rows) * POPULATION / rows)
    targets = []
    for name in MARGINS:
        total = people.groupby(name, observed=True)["base_weight"].sum() * rng.lognormal(0, 0.25, len(MARGINS[name]))
        targets.append(
            pd.DataFrame({"margin": name, "category": total.index.astype(str), "total": total / total.sum() * POPULATION})
        )
    return people, pd.concat(targets, ignore_index=True)


def ours(people: pd.DataFrame, targets: pd.DataFrame, out: Path) -> np.ndarray:
    """Rake, and write respondent and weight as Parquet."""
    margins = {name: dict(zip(t["category"], t["total"], strict=True)) for name, t in targets.groupby("margin", sort=False)}
    weights = calibrate(people, people["base_weight"].to_numpy(), margins).weights
    table = pa.table({"respondent_id": np.arange(len(people)), "weight": weights})
    pq.write_table(table, out, use_dictionary=False, compression="none")
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--peers", nargs="*", choices=("r", "leafblower"), default=("r", "leafblower"))
    args = parser.parse_args()
    people, targets = population(args.rows)
    cells = len(people.drop(columns="base_weight").drop_duplicates())
    print(f"Raking {args.rows:,} people to {len(MARGINS)} margins ({cells:,} joint cells); peers' times are without writing\n")
    print(f"  {'':34} {'seconds':>9} {'CPU s':>9}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weights = ours(people, targets, folder / "weights.parquet")
        texts = people.astype(dict.fromkeys(MARGINS, "str"))
        line("ours, columns of categories", fastest := timed(lambda: ours(people, targets, folder / "weights.parquet")))
        line("ours, columns of strings", timed(lambda: ours(texts, targets, folder / "weights.parquet")))
        others = measured_peers(folder, texts, targets, set(args.peers), weights)
    print("\nAcceptance (in brackets the same in CPU seconds, which other people's work disturbs less)")
    best = min((others[peer] for peer in PEERS if peer in others), default=None)
    verdict(f"{args.rows:,} people: x as fast as {R}", over(others.get(R), fastest), 20, at_least=True)
    verdict(f"{args.rows:,} people: x as fast as leafblower, the faster of its ways", over(best, fastest), 3, at_least=True)


def measured_peers(
    folder: Path, people: pd.DataFrame, targets: pd.DataFrame, chosen: set[str], weights: np.ndarray
) -> dict[str, Seconds]:
    """Seconds by peer; how far its weights are from ours is printed."""
    people.to_parquet(folder / "people.parquet")
    targets.to_parquet(folder / "targets.parquet")
    jobs: dict[str, Callable[[], tuple[Seconds, np.ndarray]]] = {}
    if "r" in chosen:
        jobs[R] = lambda: r_rake(people, targets, folder, LIMIT)
    if "leafblower" in chosen:
        jobs |= {peer: partial(leafblower, folder, peer.split()[1], LIMIT) for peer in PEERS}
    taken = {}
    for peer, job in jobs.items():
        try:
            taken[peer], theirs = job()
        except NotMeasured as error:
            print(f"  {peer}: {error}")
            continue
        apart = np.max(np.abs(theirs / theirs.sum() / (weights / weights.sum()) - 1))
        line(peer, taken[peer], f"furthest from ours, relative: {apart:.0e}")
    return taken


def timed(job: Callable[[], object]) -> Seconds:
    """The median of several runs; the first has been."""
    taken = []
    for _ in range(RUNS):
        start, start_cpu = time.perf_counter(), time.process_time()
        job()
        taken.append(Seconds(time.perf_counter() - start, time.process_time() - start_cpu))
    return Seconds(*map(statistics.median, zip(*taken, strict=True)))


def over(other: Seconds | None, mine: Seconds) -> Seconds | None:
    return Seconds(other.wall / mine.wall, other.cpu / mine.cpu) if other else None


def line(what: str, taken: Seconds, note: str = "") -> None:
    print(f"  {what:34} {taken.wall:9.3f} {taken.cpu:9.3f}  {note}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
