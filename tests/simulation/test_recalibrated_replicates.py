"""Two ways to the uncertainty of calibrated surveys: residuals from the margins, and replicates calibrated again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assets.weights import weigh
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import prepare
from rga.survey import Design, Share, estimate_replicates, make_replicates, tabulate

REPLICATES = 400
# In the order of surveys by text message, on the web, of a panel, and clustered in PSUs.
SURVEYS = {"2020-r1_KHM": False, "2020-r1_WSM": False, "2021-r2_BGD": False, "2021-r2_PAK": True}


@pytest.mark.long
@pytest.mark.parametrize("survey_id", SURVEYS)
def test_replicates_calibrated_again_and_residuals_agree_within_chance(survey_id: str, repository: Path) -> None:
    root = DataRoot(repository / "raw_data")
    respondents = prepare(root, survey_id)
    weights = weigh(root, survey_id, respondents)
    assert weights.inputs is not None
    data = respondents.frame.merge(weights.frame, on=["survey_id", "respondent_id"], validate="1:1")
    margins = tuple(name for name in data if str(name).startswith("margin_"))
    codes = list(root.catalogue().indicators.items())[:30]
    statistics = [Share(code, item.universe, item.numerator) for code, item in codes]
    statistics += [Share("MARGIN", "", "education IN ('secondary', 'tertiary')")]
    by = [(), ("sex",)]
    units = {"stratum": "stratum", "psu": "psu"} if SURVEYS[survey_id] else {}

    before = Design("weight_before_calibration", **units)
    made, replicates = make_replicates(
        data, before, "bootstrap", count=REPLICATES, seed=7, recalibrate=lambda w: weights.inputs.calibrated(w).weights
    )
    with_replicates = data.join(pd.DataFrame(made, data.index, replicates.columns))
    again = estimate_replicates(with_replicates, Design("weight", replicates=replicates, **units), statistics, by).table
    calibrated = Design("weight", base_weight="weight_before_calibration", margins=margins, **units)
    ours, plain = (tabulate(data, design, statistics, by) for design in (calibrated, replace(calibrated, base_weight=None)))

    keys = ["code", "category", "breakdown", "sex"]
    both = ours.merge(again, on=keys, suffixes=("", "_again")).merge(plain, on=keys, suffixes=("", "_plain"))
    assert np.allclose(both["value"], both["value_again"], rtol=1e-9)
    usual = both[(both["code"] != "MARGIN") & (both["n"] * np.minimum(both["value"], 1 - both["value"]) > 30)]
    assert len(usual) > 25
    # The root of a variance of R replicates is known within 1 / sqrt(2 R), 3.5 %; linearisation adds a little.
    ratio = usual["se_again"] / usual["se"]
    assert abs(ratio.mean() - 1) < 0.04, ratio.describe()
    assert ((ratio - 1).abs() < 4.5 / np.sqrt(2 * REPLICATES)).all(), usual.assign(ratio=ratio)
    # What the margins fix varies in neither; without the margins it would.
    fixed = both[(both["code"] == "MARGIN") & both["sex"].isin(["F", "M"])]
    assert (fixed["se"] < 0.3 * fixed["se_plain"]).all() and (fixed["se_again"] < 0.3 * fixed["se_plain"]).all()
