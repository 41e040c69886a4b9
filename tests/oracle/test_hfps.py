"""Ten real surveys against R: the World Bank phone surveys through examples/hfps, every number before suppression."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from rga.microdata.data_root import DataRoot
from rga.microdata.respondents import prepare
from rga.survey import Share, aggregate, estimate, gender_gaps
from rga.survey.intervals import korn_graubard

COUNTRIES = {"uga": "UGA", "mwi": "MWI"}


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict:
    return json.loads((shared / "reference" / "hfps_r_survey.json").read_text())


@pytest.fixture(scope="module")
def data_root(shared: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example's data root with the shared files linked in, as a user would put them there."""
    root = tmp_path_factory.mktemp("hfps") / "hfps"
    shutil.copytree(repository / "examples" / "hfps", root, ignore=shutil.ignore_patterns("warehouse", "*.dta"))
    for file in (shared / "microdata" / "hfps").glob("*.dta"):
        (root / "files" / file.name).symlink_to(file)
    return root


@pytest.fixture(scope="module")
def results(data_root: Path) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Estimates and gaps by the reference's key (`uga_r1`), all surveys aggregated in one scan."""
    root = DataRoot(data_root)
    catalogue = root.catalogue()
    frames = [prepare(root, survey_id).frame for survey_id in root.survey_ids()]
    respondents = pd.concat(frames).rename(columns={"base_weight": "weight"})
    shares = [Share(code, item.universe, item.numerator) for code, item in catalogue.indicators.items()]
    with duckdb.connect() as connection:
        connection.register("respondents", respondents)
        sums = aggregate(connection, "respondents", shares, catalogue.dimensions)
    found = {}
    for name, frame in (
        ("estimates", estimate(sums, catalogue.breakdowns)),
        ("gaps", gender_gaps(sums, catalogue.breakdowns)),
    ):
        for survey_id, rows in frame.groupby("survey_id"):
            country, number = str(survey_id)[-3:].lower(), str(survey_id).split("_")[0].rsplit("-r", 1)[1]
            found.setdefault(f"{country}_r{number}", {})[name] = rows
    return {key: (value["estimates"], value["gaps"]) for key, value in found.items()}


def test_every_survey_of_the_reference_is_there(reference: dict, results: dict) -> None:
    assert set(reference) == set(results) and len(reference) == 10


def test_every_estimate_equals_r(reference: dict, results: dict) -> None:
    compared = 0
    for key, expected in reference.items():
        frame = results[key][0].set_index(["indicator", "sex", "residence"])
        assert frame.loc[(slice(None), "_T", "_T"), "n"].max() <= expected["n"]
        for row in expected["estimates"]:
            ours = frame.loc[(row["indicator"], row["sex"], row["residence"])]
            assert ours["n"] == row["n"] and ours["df"] == row["df"], (key, row)
            low, high = korn_graubard(ours["value"], ours["se"], ours["n"], ours["df"])
            pairs = {
                "value": ours["value"], "se": ours["se"], "ci_low": ours["ci_low"], "ci_high": ours["ci_high"],
                "population": ours["population"], "deff_srs": ours["deff"], "kg_low": low, "kg_high": high,
            }  # fmt: skip
            for name, value in pairs.items():
                assert float(value) == pytest.approx(row[name], rel=1e-9, abs=0), (key, row, name)
                compared += 1
    assert compared == 10 * 14 * 8


def test_every_gap_equals_r(reference: dict, results: dict) -> None:
    for key, expected in reference.items():
        frame = results[key][1].query("breakdown == 'sex'").set_index("indicator")
        for row in expected["gaps"]:
            ours = frame.loc[row["indicator"]]
            assert ours["df"] == row["df"]
            assert float(ours["gap"]) == pytest.approx(row["gap"], rel=1e-9, abs=0)
            assert float(ours["se"]) == pytest.approx(row["se"], rel=1e-9, abs=0)
