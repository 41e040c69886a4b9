"""The spread of weights in bins that hide nobody alone, and the picture of weights."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from rga.publish.weights_picture import weights_svg
from rga.survey.weight_bins import weight_bins


def test_every_bin_holds_five_respondents_or_more_and_none_is_lost() -> None:
    weights = np.r_[np.random.default_rng(3).lognormal(0, 1.0, 500), 400.0, 0.0, np.nan]
    bins = weight_bins(weights)
    assert (bins["n"] >= 5).all() and bins["n"].sum() == 501
    assert (bins["low"].to_numpy()[1:] == bins["high"].to_numpy()[:-1]).all() and (bins["low"] < bins["high"]).all()
    mean = np.nanmean(weights[weights > 0])
    assert bins["low"].iloc[0] == pytest.approx(np.nanmin(weights[weights > 0]) / mean)
    assert bins["high"].iloc[-1] == pytest.approx(400 / mean)


def test_weights_that_are_all_the_same_or_few_are_one_bin() -> None:
    assert weight_bins(np.full(30, 2.0))["n"].tolist() == [30]
    assert weight_bins(np.array([1.0, 2.0, 3.0]))["n"].tolist() == [3]


def test_the_picture_shows_each_margin_before_after_and_the_benchmark_and_what_is_simulated() -> None:
    rows = [("sex", "F", 50.0, 30.0, 50.0), ("sex", "M<1", 50.0, 70.0, 50.0), ("size", "_T", 450.0, 400.0, 450.0)]
    margins = pd.DataFrame(rows, columns=["margin", "category", "benchmark", "before", "after"])
    svg = weights_svg("2020-r1_BGD", margins, weight_bins(np.arange(1, 100)), simulated=True)
    root = ElementTree.fromstring(svg)
    texts = ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"2020-r1_BGD", "SIMULATED DATA: not a finding about any country", "F", "M<1", "sex, per cent"} <= set(texts)
    dots = [float(node.get("cx", "")) for node in root.iter("{http://www.w3.org/2000/svg}circle")][2:]
    # per cent, on a scale from 0 at 132 to 70 at 432: before and after of F, then of M
    assert dots == pytest.approx([132 + 300 * p / 70 for p in (30, 50, 70, 50)], abs=0.06)
    assert len(svg) < 40_000


def test_a_survey_that_is_not_calibrated_has_the_histogram_only() -> None:
    svg = weights_svg("2020-r1_BGD", pd.DataFrame({"margin": [], "category": []}), weight_bins(np.arange(1, 100)), simulated=False)
    assert "Respondents by weight" in svg and "per cent" not in svg and "SIMULATED" not in svg
