"""Respondents for golden/changes_*.csv, taken from this project's simulated surveys: python -m tests.oracle.make_data_changes

Belongs here: a small part of two panel rounds, of two independent rounds, and of a survey split into two rounds that share their
PSUs. Not here: R's answers on them (make_golden_changes.R, run after this). Simulated: no finding about any country.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from assets.weights import weigh
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import prepare

GOLDEN = Path(__file__).parent / "golden"
COLUMNS = ["round", "panel_id", "stratum", "psu", "weight", "sex", "age_group", "ill", "hardship"]


def of_survey(root: DataRoot, key: str) -> pd.DataFrame:
    """Weights before calibration, and two answers: 1, 0 or missing."""
    respondents = prepare(root, key)
    weights = weigh(root, key, respondents).frame["weight_before_calibration"]
    frame = respondents.frame.assign(weight=(weights / weights.mean()).map(lambda w: float(f"{w:.7g}")).to_numpy())
    for name, source, yes in (("ill", "mental_health", ["yes"]), ("hardship", "access_food", ["some", "major"])):
        known = frame[source].notna() & (frame[source] != "not_needed")
        frame[name] = pd.Series(np.where(frame[source].isin(yes), 1, 0), frame.index, dtype="Int64").where(known)
    old = frame["age_group"].isin(["Y45T54", "Y55T64", "Y_GE65"])
    frame["age_group"] = pd.Series(np.where(old, "older", "younger"), frame.index, dtype="str").where(frame["age_group"].notna())
    return frame


def main() -> None:
    root, draw = DataRoot(Path(__file__).parents[2] / "raw_data"), np.random.default_rng(20211)
    first, second = (of_survey(root, f"{name}_BGD") for name in ("2020-r1", "2021-r2"))
    kept = draw.choice(first["panel_id"].to_numpy(), 500, replace=False)
    first, second = (frame[frame["panel_id"].isin(kept)].copy() for frame in (first, second))
    # Simulated answers of two years are all but independent; here most people say again what they said.
    again = second.merge(first, on="panel_id", suffixes=("", "_before"))
    for name in ("ill", "hardship"):
        same = (draw.random(len(again)) < 0.7) & again[f"{name}_before"].notna()
        second[name] = again[name].mask(same, again[f"{name}_before"]).to_numpy()
    second.loc[second.index[:20], "panel_id"] = [f"new {k}" for k in range(20)]  # joined later
    save("panel", first, second)

    clustered = of_survey(root, "2021-r2_PAK")
    clustered = clustered[draw.random(len(clustered)) < 0.5]
    half = draw.random(len(clustered)) < 0.5
    names = sorted(clustered["psu"].unique())
    gone, new = names[::9], names[4::9]  # PSUs of the earlier round only, and of the later
    psu = clustered["psu"]
    save("psus", clustered[half & ~psu.isin(new).to_numpy()], clustered[~half & ~psu.isin(gone).to_numpy()])

    before, after = of_survey(root, "2020-r1_PAK"), of_survey(root, "2021-r2_PAK")
    save("apart", before[draw.random(len(before)) < 0.2], after[draw.random(len(after)) < 0.25])


def save(name: str, earlier: pd.DataFrame, later: pd.DataFrame) -> None:
    stacked = pd.concat([earlier.assign(round="earlier"), later.assign(round="later")])
    ids = {text: f"p{number}" for number, text in enumerate(stacked["panel_id"].dropna().unique())}
    stacked["panel_id"] = stacked["panel_id"].map(ids)
    stacked[COLUMNS].to_csv(GOLDEN / f"changes_{name}.csv", index=False, float_format="%.7g")


if __name__ == "__main__":
    main()
