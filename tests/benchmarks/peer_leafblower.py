"""Raking by leafblower, run by the Python of .venv-peers: leafblower is no dependency of ours.

python peer_leafblower.py people.parquet targets.parquet method weights.parquet   prints seconds and CPU seconds (medians of three),
nothing being read or written in them. Columns stay strings, the form it is fastest with.
"""

import statistics
import sys
import time

import leafblower
import pandas as pd


def main():
    path, targets_path, method, out = sys.argv[1:]
    people, targets = pd.read_parquet(path), pd.read_parquet(targets_path)
    margins = list(targets["margin"].unique())
    shares = {m: (t.set_index("category")["total"] / t["total"].sum()).to_dict() for m, t in targets.groupby("margin")}
    data, base = people[margins].astype("str"), people["base_weight"].to_numpy()
    taken = []
    for _ in range(3):
        start, start_cpu = time.perf_counter(), time.process_time()
        found = leafblower.harvest(data, shares, method=method, max_weight=1e6, attach_weights=False, start_weights=base)
        taken.append((time.perf_counter() - start, time.process_time() - start_cpu))
    pd.DataFrame({"weight": found["weights"]}).to_parquet(out)
    print(*(statistics.median(times) for times in zip(*taken, strict=True)))


if __name__ == "__main__":
    main()
