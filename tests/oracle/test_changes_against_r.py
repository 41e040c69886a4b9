"""Changes between rounds against R survey's (golden/changes_*, made by make_data_changes.py and make_golden_changes.R).

Belongs here: linked and independent rounds compared with R. Not here: anything that needs R, the published table.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Share, aggregate, estimates_and_gaps
from rga.survey.changes import independent_change, linked_changes
from rga.survey.linked import linked_rounds, shared

GOLDEN = Path(__file__).parent / "golden"
ANSWERS = pd.read_csv(GOLDEN / "changes_answers.csv")
SHARES = [Share("ill", "", "ill = 1"), Share("hardship", "", "hardship = 1")]
BREAKDOWNS: list[tuple[str, ...]] = [(), ("sex",), ("age_group",), ("sex", "age_group")]
DOMAINS = {
    "_T": ("level", "_T", "_T"), "F": ("level", "F", "_T"), "M": ("level", "M", "_T"), "older": ("level", "_T", "older"),
    "F*older": ("level", "F", "older"), "gap": ("gap", "_T", "_T"), "gap older": ("gap", "_T", "older"),
}  # fmt: skip
RELATIVE = 1e-9


def rounds(data: str) -> list[pd.DataFrame]:
    """Respondents of the earlier and of the later round, as they are staged."""
    texts = dict.fromkeys(["panel_id", "stratum", "psu", "sex", "age_group"], "str")
    frame = pd.read_csv(GOLDEN / f"changes_{'panel' if data == 'calibrated' else data}.csv", dtype=texts)
    if data == "calibrated":
        weights = pd.read_csv(GOLDEN / "changes_weights.csv")
        assert (weights["round"] == frame["round"]).all() and (weights["panel_id"] == frame["panel_id"]).all()
        # R was given the total of those without a category: a category like others, not one that is held at the sample's share.
        margins = {m: weights[m].str.split(" ").str[1].replace("_U", "unknown") for m in ("margin_1", "margin_2")}
        frame = frame.assign(weight_before_calibration=frame["weight"], **margins).assign(weight=weights["weight"])
    return [part.drop(columns="round") for _, part in frame.groupby("round")]


@cache
def linked(data: str) -> pd.DataFrame:
    with duckdb.connect() as con:
        for name, frame in zip(("first", "second"), rounds(data), strict=True):
            con.register(name, frame)
        design = linked_rounds(con, "first", "second", "stacked", people=data != "psus", psus=data == "psus")
        found = linked_changes((con, "stacked"), design, SHARES, BREAKDOWNS)
    return found.set_index(["indicator", "measure", "sex", "age_group"]).loc[lambda f: ~f.index.duplicated()]


def golden(data: str) -> pd.DataFrame:
    found = ANSWERS[ANSWERS["data"] == data]
    assert len(found) == 14
    return found


@pytest.mark.parametrize("data", ["panel", "psus", "calibrated"])
def test_changes_of_linked_rounds_and_of_their_gaps_equal_r(data: str) -> None:
    for row in golden(data).itertuples():
        ours = linked(data).loc[(row.y, *DOMAINS[row.domain])]
        assert ours["later"] - ours["earlier"] == pytest.approx(row.change, rel=RELATIVE, abs=1e-14), row
        assert ours["se"] == pytest.approx(row.se, rel=RELATIVE), row
        counts = ours[["df", "n_earlier", "n_later", "overlap"]].astype(int).tolist()
        assert counts == [row.df, row.n_earlier, row.n_later, row.overlap], row


def test_changes_of_independent_rounds_and_of_their_gaps_equal_r_with_satterthwaite_s_degrees_of_freedom() -> None:
    tables = []
    for frame in rounds("apart"):
        with duckdb.connect() as con:
            con.register("people", frame.assign(survey_id="s"))
            estimates, gaps = estimates_and_gaps(aggregate(con, "people", SHARES, BREAKDOWNS), BREAKDOWNS)
        levels = estimates.assign(measure="level")
        both = pd.concat([levels, gaps.assign(measure="gap", sex="_T", value=gaps["gap"])])
        tables.append(both.set_index(["indicator", "measure", "sex", "age_group"]).loc[lambda f: ~f.index.duplicated()])
    for row in golden("apart").itertuples():
        one, other = (table.loc[(row.y, *DOMAINS[row.domain])] for table in tables)
        se, df = independent_change(one["se"], one["df"], other["se"], other["df"])
        assert other["value"] - one["value"] == pytest.approx(row.change, rel=RELATIVE, abs=1e-14)
        assert float(se) == pytest.approx(row.se, rel=RELATIVE)
        assert float(df) == pytest.approx(row.welch, rel=RELATIVE)
        assert one["df"] + other["df"] == row.df and min(one["df"], other["df"]) <= df < row.df


def test_the_golden_rounds_are_linked_as_they_claim() -> None:
    answers = ANSWERS.set_index(["data", "y", "domain"])
    one, other = rounds("panel")
    assert len(set(one["panel_id"]) & set(other["panel_id"])) > 300 and set(other["panel_id"]) - set(one["panel_id"])
    # A panel without its link would have another standard error, and a calibrated one without its margins.
    apart = {}
    for name, frame in zip(("one", "other"), (one, other), strict=True):
        with duckdb.connect() as con:
            con.register("people", frame.assign(survey_id="s"))
            found = estimates_and_gaps(aggregate(con, "people", SHARES, [()]), [()])[0].set_index("indicator")
        apart[name] = found.loc["ill", "se"]
    assert answers.loc[("panel", "ill", "_T"), "se"] < 0.8 * np.hypot(apart["one"], apart["other"])
    assert abs(answers.loc[("calibrated", "ill", "_T"), "se"] / answers.loc[("panel", "ill", "_T"), "se"] - 1) > 0.01
    with duckdb.connect() as con:
        for name, frame in zip(("first", "second"), rounds("psus"), strict=True):
            con.register(name, frame)
            assert frame["psu"].nunique() > shared(con, name, name, "shared_psu") - 1
        both = shared(con, "first", "second", "shared_psu")
        assert 30 < both < min(frame["psu"].nunique() for frame in rounds("psus"))


def test_psus_of_one_name_are_others_unless_they_are_said_to_be_the_same() -> None:
    with duckdb.connect() as con:
        for name, frame in zip(("first", "second"), rounds("psus"), strict=True):
            con.register(name, frame)
        found = []
        for psus in (True, False):
            design = linked_rounds(con, "first", "second", "stacked", people=False, psus=psus)
            found.append(linked_changes((con, "stacked"), design, SHARES[:1], [()]).iloc[0])
    assert found[0]["overlap"] > 30 and found[1]["overlap"] == 0 and found[1]["df"] > found[0]["df"]
    assert isinstance(design, Design) and found[0]["later"] == found[1]["later"]
