"""How far published errors are from those of replicates that are weighed again: column `se_ratio` of table `weighting`."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from assets import weighting_replicates
from assets.weighting_replicates import se_ratio
from assets.weights import Weights, weigh
from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import Respondents, prepare
from rga.microdata.weighting_steps import Calibrate

WEB, CLUSTERED = "2020-r1_WSM", "2021-r2_PAK"


def weighed(root: DataRoot, survey_id: str) -> tuple[Respondents, Weights]:
    respondents = prepare(root, survey_id)
    return respondents, weigh(root, survey_id, respondents)


def test_trimmed_calibration_is_said_to_be_conservative_by_how_much(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = DataRoot(repository / "raw_data")
    assert se_ratio(root, WEB, *weighed(root, WEB)) is None, "linearisation takes in all of its steps"
    given = root.specification(WEB)
    steps = [step.model_copy(update={"trim": 5.1}) if isinstance(step, Calibrate) else step for step in given.weighting]
    monkeypatch.setattr(DataRoot, "specification", lambda *_: given.model_copy(update={"weighting": steps}))
    respondents, weights = weighed(root, WEB)
    found = se_ratio(root, WEB, respondents, weights)
    assert found is not None and 0.85 < found < 0.95
    assert se_ratio(root, WEB, respondents, weights) == found, "replicates are the same every time"


def test_steps_carried_out_again_with_the_same_weights_give_the_published_ones(repository: Path) -> None:
    root = DataRoot(repository / "raw_data")
    for survey_id in (CLUSTERED, "2020-r1_NPL"):
        _, weights = weighed(root, survey_id)
        assert weights.again is not None
        assert weights.again.weighed(weights.again.weights) == pytest.approx(weights.frame["weight"].to_numpy(), rel=1e-9)


def test_where_hardly_a_replicate_can_be_weighed_nothing_is_said(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = DataRoot(repository / "raw_data")
    respondents, weights = weighed(root, CLUSTERED)
    monkeypatch.setattr(weighting_replicates, "FEWEST", np.inf)
    assert se_ratio(root, CLUSTERED, respondents, weights) is None


def test_the_ratio_stands_with_the_last_step_of_surveys_that_trim_or_adjust(release: duckdb.DuckDBPyConnection) -> None:
    found = release.sql("""
        SELECT survey_id, bool_or(action = 'nonresponse' OR trimmed > 0) AS estimated, max(se_ratio) AS ratio,
               max(step) FILTER (se_ratio IS NOT NULL) = max(step) AS is_last
        FROM weighting GROUP BY survey_id""").df()
    assert (found["ratio"].notna() == found["estimated"]).all() and found["estimated"].sum() == 7
    assert found["ratio"].dropna().between(0.9, 1.1).all() and found["is_last"].dropna().all()
