"""`rga export microdata`: files that researchers can use, in which nobody can be found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from rga.privacy.anonymity import class_sizes, classes
from tests.pipeline.place import Place

SURVEY = "2020-r1_PAK"
OF_STRATA_AND_PSUS = "2021-r2_PAK"
REPLICATES = 100


@pytest.fixture(scope="module")
def exported(whole_build: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("research")
    for form in ("sav", "dta", "parquet"):
        arguments = ["--survey", SURVEY, "--format", form, "--out", str(folder), "--replicates", str(REPLICATES)]
        result = whole_build.rga("export", "microdata", *arguments)
        assert result.exit_code == 0, result.output
    arguments = ["--survey", OF_STRATA_AND_PSUS, "--format", "parquet", "--out", str(folder), "--replicates", str(REPLICATES)]
    assert whole_build.rga("export", "microdata", *arguments).exit_code == 0
    return folder


def test_in_every_format_nobody_stands_out_and_the_file_says_that_it_is_simulated(exported: Path) -> None:
    sav, sav_meta = pyreadstat.read_sav(exported / f"{SURVEY}.sav", apply_value_formats=True)
    dta, dta_meta = pyreadstat.read_dta(exported / f"{SURVEY}.dta", apply_value_formats=True)
    parquet = pd.read_parquet(exported / f"{SURVEY}.parquet")
    told = json.loads((exported / f"{SURVEY}-risk.json").read_text(encoding="utf-8"))
    for frame in (sav, dta, parquet):
        assert class_sizes(frame[told["quasi_identifiers"]].astype("object")).min() >= 5
        assert len(frame) == len(sav) and {"weight", "replicate_1", f"replicate_{REPLICATES}"} <= set(frame.columns)
    assert "SIMULATED" in sav_meta.file_label and "SIMULATED" in dta_meta.file_label
    assert (parquet["simulated"] == "1").all()
    assert sav_meta.column_names_to_labels["sex"] and set(sav["sex"].dropna()) <= {"Women", "Men", "Other"}


def test_ids_order_weights_and_design_are_not_those_of_the_survey(exported: Path, whole_build: Place) -> None:
    staging = whole_build.paths.staging()
    weights = staging.read_restricted("weights", SURVEY)
    released = pd.read_parquet(exported / f"{SURVEY}.parquet")
    used = weights.loc[weights["weight"] > 0, "weight"].to_numpy()
    assert released["weight"].sum() == pytest.approx(used.sum()) and not np.isin(released["weight"], used).any()
    assert not {"stratum", "psu"} & set(pd.read_parquet(exported / f"{OF_STRATA_AND_PSUS}.parquet"))
    ids = set(weights["respondent_id"].astype(str))
    written = {str(value) for name in released if name != "weight" for value in released[name].dropna().unique()}
    assert len(ids & written) < 0.01 * len(ids) or all(text.isdigit() and len(text) < 6 for text in ids & written)


@pytest.mark.parametrize("survey", [SURVEY, OF_STRATA_AND_PSUS])
def test_weights_and_replicates_tell_nothing_of_a_respondent_that_the_columns_do_not_show(exported: Path, survey: str) -> None:
    """A replicate over the weight shows the raking cell, and a weight does: neither may split those who look alike. Over the weight
    every replicate is a whole number of draws times the same for all of a class."""
    released = pd.read_parquet(exported / f"{survey}.parquet").astype({"weight": float})
    quasi = json.loads((exported / f"{survey}-risk.json").read_text(encoding="utf-8"))["quasi_identifiers"]
    look = classes(released[quasi])
    for r in range(1, REPLICATES + 1):
        ratio = (released[f"replicate_{r}"] / released["weight"]).to_numpy()
        once = pd.Series(ratio).where(ratio > 0).groupby(look).transform("min").to_numpy()
        drawn = [ratio[look == c][ratio[look == c] > 0] / np.nanmin(once[look == c]) for c in np.unique(look[ratio > 0])]
        twice = 2 * np.concatenate(drawn)  # the fewest draws may be two: then three are one and a half
        assert np.mean(np.abs(twice - np.round(twice)) < 1e-6) > 0.99
    shown = [name for name in released if not name.startswith("replicate_") and name not in ("respondent", "simulated", "weight")]
    crossed = released[["sex", "age_group", "education"]].fillna("?")
    told = released[[name for name in shown if not pd.api.types.is_float_dtype(released[name])]].fillna("?")
    told = told.assign(one=crossed["sex"] + crossed["age_group"], two=crossed["sex"] + crossed["education"])
    x = pd.get_dummies(told, dtype=float).assign(all=1.0).to_numpy()
    y = np.log(released["weight"].to_numpy())
    assert np.abs(y - x @ np.linalg.lstsq(x, y, rcond=None)[0]).max() < 1e-6


def test_the_report_says_what_weights_still_tell_and_how_far_shares_moved(exported: Path) -> None:
    for survey, groups in ((SURVEY, False), (OF_STRATA_AND_PSUS, True)):
        told = json.loads((exported / f"{survey}-risk.json").read_text(encoding="utf-8"))
        assert told["before"]["split_by_design"] > 5 * told["after"]["split_by_design"]
        assert (told["after"]["split_by_design"] > 0) == groups
        assert 0 < told["largest_difference_from_published_shares"]["points"] < 1
        text = (exported / f"{survey}-risk.md").read_text(encoding="utf-8")
        assert ("random groups" in text) == groups and "`weight` is made of the released columns alone" in text


def test_replicate_weights_give_about_the_published_standard_errors(exported: Path, whole_build: Place) -> None:
    released = pd.read_parquet(exported / f"{SURVEY}.parquet")
    replicates = released[[f"replicate_{r}" for r in range(1, REPLICATES + 1)]].to_numpy()
    ratios = []
    for code, column, yes in (("HLT_MENTAL", "mental_health", "yes"), ("INFO_CLEAR", "information", "clear")):
        known = released[column].notna().to_numpy()
        answer = (released[column] == yes).to_numpy()[known]
        shares = (replicates[known] * answer[:, None]).sum(axis=0) / replicates[known].sum(axis=0)
        value = np.average(answer, weights=released["weight"][known])
        published = whole_build.ask(
            f"SELECT value, se, rounded_to FROM estimates WHERE survey_id = '{SURVEY}' AND indicator = '{code}' "
            "AND breakdown = 'total'"
        )
        assert abs(100 * value - published.value[0]) <= np.nan_to_num(published.rounded_to[0]) / 2 + 1e-6
        ratios.append(100 * shares.std(ddof=1) / published.se[0])
    assert all(0.65 < ratio < 1.5 for ratio in ratios), ratios


def test_a_survey_exported_under_one_set_of_rules_is_not_exported_under_another(built: Place, tmp_path: Path) -> None:
    arguments = ["export", "microdata", "--survey", SURVEY, "--format", "parquet", "--replicates", "20", "--out"]
    assert built.rga(*arguments, str(tmp_path / "first")).exit_code == 0
    rules = built.raw_data / "catalogue" / "privacy.yaml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.replace("k: 5", "k: 6"), encoding="utf-8")
    second = built.rga(*arguments, str(tmp_path / "second"))
    assert second.exit_code == 2 and "k = 5" in second.output and not (tmp_path / "second").exists()
    rules.write_text(text, encoding="utf-8")
    assert built.rga(*arguments, str(tmp_path / "second")).exit_code == 0


def test_a_survey_that_cannot_be_made_safe_is_refused_and_no_file_is_written(built: Place, tmp_path: Path) -> None:
    rules = built.raw_data / "catalogue" / "privacy.yaml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.split("recodes:")[0].replace("suppress_at_most: 5", "suppress_at_most: 0"), encoding="utf-8")
    result = built.rga("export", "microdata", "--survey", SURVEY, "--out", str(tmp_path / "out"), "--replicates", "20")
    assert result.exit_code == 2 and SURVEY in result.output and "not released" in result.output
    assert "Traceback" not in result.output and not list((tmp_path / "out").glob(f"{SURVEY}.*"))
