"""`rga export microdata`: files that researchers can use, in which nobody can be found."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from scipy.linalg import lstsq

from assets.research_files import _dealing, export_survey
from rga.privacy.anonymise import Column, anonymise
from rga.privacy.anonymity import class_sizes
from rga.privacy.headlines import answers
from rga.privacy.rules import load_rules
from rga.privacy.variance_groups import variance_groups
from rga.survey.blas import one_blas_thread
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


def of_the_columns(released: pd.DataFrame, built: Place) -> np.ndarray:
    """All that weights may follow from: the answers as released, alone and crossed as the surveys' margins and headline indicators
    are."""
    catalogue = built.paths.data_root().catalogue()
    columns = {name: Column("", released[name], {}) for name in catalogue.columns if name in released}
    given = answers(columns, pd.DataFrame({name: column.values for name, column in columns.items()}), catalogue)
    crossed = released[["sex", "age_group", "education"]].fillna("?")
    told = released[[name for name in columns if not pd.api.types.is_float_dtype(released[name])]].fillna("?")
    told = told.assign(one=crossed["sex"] + crossed["age_group"], two=crossed["sex"] + crossed["education"])
    by_sex = [part * given.group[sex][:, None] for sex in ("F", "M") for part in (given.yes, given.known)]
    return np.hstack([pd.get_dummies(told, dtype=float).assign(all=1.0), given.yes, given.known, *by_sex])


@one_blas_thread
def left_over(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """By column of ``y``, the largest part that does not follow from ``x``."""
    return np.abs(y - x @ lstsq(x, y, lapack_driver="gelsy")[0]).max(axis=0)


@pytest.mark.parametrize("survey", [SURVEY, OF_STRATA_AND_PSUS])
def test_weights_tell_nothing_of_a_respondent_that_the_columns_do_not_show(exported: Path, whole_build: Place, survey: str) -> None:
    released = pd.read_parquet(exported / f"{survey}.parquet").astype({"weight": float})
    y = np.log(released["weight"].to_numpy())
    left, of_any_other = left_over(
        np.column_stack([y, np.random.default_rng(1).permutation(y)]), of_the_columns(released, whole_build)
    )
    assert left < 1e-6 and of_any_other > 0.1


def test_replicates_tell_nothing_but_the_group_that_the_columns_do_not_show(whole_build: Place, tmp_path: Path) -> None:
    """A replicate over the weight is a multiplier of the group times what follows from the columns."""
    staging, survey, seed = whole_build.paths.staging(), OF_STRATA_AND_PSUS, 5
    export_survey(whole_build.paths.data_root(), staging, survey, tmp_path, "parquet", 20, seed)
    data = staging.read_restricted("respondents", survey).merge(staging.read_restricted("weights", survey)).query("weight > 0")
    data = data.reset_index(drop=True)
    root = whole_build.paths.data_root()
    rules = load_rules(root.path / "catalogue", root.catalogue())
    known = anonymise(data, root.catalogue(), rules, rules.k, survey).known
    group = variance_groups(data, known, _dealing(data), survey)[np.random.default_rng(seed).permutation(len(data))]
    released = pd.read_parquet(tmp_path / f"{survey}.parquet")
    x = np.hstack([of_the_columns(released, whole_build), pd.get_dummies(group, dtype=float)])
    y = np.log(released[[f"replicate_{r}" for r in range(1, 21)]].to_numpy() / released[["weight"]].to_numpy())
    assert left_over(y, x).max() < 1e-6


def test_the_difference_from_a_published_margin_is_not_the_weight_of_who_lost_an_answer(exported: Path, whole_build: Place) -> None:
    """The attack: of a calibrated survey every sum of weights is published; less the sum of those who still show the category it is
    the weight of those who do not."""
    released = pd.read_parquet(exported / f"{SURVEY}.parquet").astype({"weight": float})
    margins = whole_build.ask(f"SELECT * FROM margins WHERE survey_id = '{SURVEY}' AND margin = 'sex*education'").set_index(
        "category"
    )
    into = {"to_primary": ["below_primary", "primary"], "from_secondary": ["secondary", "tertiary"]}
    for sex in ("F", "M"):
        for code, of in into.items():
            rows = margins.loc[[f"{sex}*{one}" for one in of]]
            shown = released[(released["sex"] == sex) & (released["education"] == code)]
            lost = rows["n"].sum() - len(shown)
            means = rows["after"] / rows["n"]
            missing = rows["after"].sum() - shown["weight"].sum()
            # nothing but that so many of the published mean weights are missing, within what any mixture of them comes to
            slack = 0.01 * rows["after"].sum()
            assert lost * means.min() - slack <= missing <= lost * means.max() + slack


def test_headline_shares_gaps_and_standard_errors_are_the_published_ones_and_the_report_says_how_nearly(
    exported: Path, whole_build: Place
) -> None:
    """Read as a researcher would, without our code: the file and the release."""
    for survey in (SURVEY, OF_STRATA_AND_PSUS):
        file = pd.read_parquet(exported / f"{survey}.parquet")
        weights = file[["weight", *(f"replicate_{r}" for r in range(1, REPLICATES + 1))]].to_numpy(dtype=float)
        told = json.loads((exported / f"{survey}-risk.json").read_text(encoding="utf-8"))["headline_figures"]
        each = {(row["indicator"], row["of"]): row for row in told["each"]}
        assert told["figures"] == len(each) > 200 and told["gaps_of_other_sign"] <= 2
        for code, column, yes in (("HLT_MENTAL", "mental_health", "yes"), ("INFO_CLEAR", "information", "clear")):
            shares = {}
            for sex in ("F", "M"):
                some = (file[column].notna() & (file["sex"] == sex)).to_numpy()
                count = (file[column] == yes).to_numpy()[some]
                shares[sex] = 100 * (count @ weights[some]) / weights[some].sum(axis=0)
            gap = shares["F"] - shares["M"]
            published = whole_build.ask(
                f"SELECT gap, se FROM gender_gaps WHERE survey_id = '{survey}' AND indicator = '{code}' AND breakdown = 'sex'"
            )
            assert abs(gap[0] - published["gap"][0]) <= 0.5 * published["se"][0]
            assert 0.8 <= gap[1:].std(ddof=1) / published["se"][0] <= 1.25
            assert each[code, "gap"]["in_file"] == pytest.approx(gap[0], abs=1e-4)
            assert each[code, "gap"]["se_in_file"] == pytest.approx(gap[1:].std(ddof=1), abs=1e-4)
        assert max(abs(row["error"]) for row in each.values()) <= 0.5
        assert all(0.8 <= row["se_ratio"] <= 1.25 for row in each.values())
        hidden = whole_build.ask(
            f"SELECT indicator FROM gender_gaps WHERE survey_id = '{survey}' AND breakdown = 'sex' AND obs_status = 'Q'"
        )
        assert len(hidden) and not any((code, "gap") in each for code in hidden["indicator"])
        assert "| HLT_MENTAL | gap |" in (exported / f"{survey}-risk.md").read_text(encoding="utf-8")


def test_a_file_that_cannot_give_a_published_figure_is_refused_with_indicator_and_amount(built: Place, tmp_path: Path) -> None:
    """Here because the printed figure is another's."""
    staging = built.paths.staging()
    frame = staging.read("estimates", [SURVEY])
    at = (frame["indicator"] == "HLT_MENTAL") & (frame["breakdown"] == "total")
    assert at.sum() == 1 and frame.loc[at, "obs_status"].item() != "Q"
    frame.loc[at, "value"] += 10 * frame.loc[at, "se"]
    staging.write(frame, staging.table("estimates", SURVEY))
    result = built.rga("export", "microdata", "--survey", SURVEY, "--out", str(tmp_path / "out"), "--replicates", "20")
    assert result.exit_code == 2 and "HLT_MENTAL" in result.output and "standard errors away" in result.output
    assert "mental_health" in result.output and "privacy.yaml" in result.output and "Traceback" not in result.output
    assert not (tmp_path / "out").exists()
    staging.table("estimates", SURVEY).unlink()
    again = built.rga("export", "microdata", "--survey", SURVEY, "--out", str(tmp_path / "out"), "--replicates", "20")
    assert again.exit_code == 2 and "rga build" in again.output and not (tmp_path / "out").exists()


def test_the_report_says_what_weights_still_tell_and_how_far_shares_moved(exported: Path) -> None:
    for survey, groups in ((SURVEY, False), (OF_STRATA_AND_PSUS, True)):
        told = json.loads((exported / f"{survey}-risk.json").read_text(encoding="utf-8"))
        assert told["before"]["split_by_design"] > 5 * told["after"]["split_by_design"]
        assert (told["after"]["split_by_design"] > 0) == groups
        assert 0 < told["largest_difference_from_published_shares"]["points"] < 1
        text = (exported / f"{survey}-risk.md").read_text(encoding="utf-8")
        assert (
            "random groups" in text
        ) == groups and "`weight` is made of the released columns and of published figures alone" in text


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
        assert abs(100 * value - published.value[0]) <= 0.5 * published.se[0]
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
