"""The simulated files: the same again at every call, as untidy as a contractor's, read back without loss."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from assets.survey_tables import coverage_rows
from assets.weights import weigh
from rga.microdata.codes import canonical_code
from rga.microdata.columns import account
from rga.microdata.data_root import DataRoot
from rga.microdata.readers import read_columns, sha256
from rga.microdata.respondents import prepare
from rga.microdata.weighting_steps import Selection
from rga.simulate.coding import CODINGS, translations
from rga.simulate.files import IDENTIFIERS, unused_columns
from rga.simulate.programme import PROGRAMME, Survey
from rga.simulate.simulate import simulate
from rga.survey import Calibration

KEYS = [survey.key for survey in PROGRAMME]
SURVEYS = dict(zip(KEYS, PROGRAMME, strict=True))
ONE_OF_EACH_FORMAT = ["2020-r1_BGD", "2020-r1_KHM", "2020-r1_PAK", "2020-r1_PHL", "2021-r2_WSM"]
PACKED = {".zsav", ".xlsx"}  # their bytes depend on the machine's zlib, their content does not
SCRIPTS = {"bn": "\u0980-\u09ff", "ne": "\u0900-\u097f", "th": "\u0e00-\u0e7f"}


@pytest.fixture(scope="module")
def root(repository: Path) -> DataRoot:
    return DataRoot(repository / "raw_data")


def content(path: Path) -> object:
    """What is in a file, for comparison: bytes, or the decoded table where packing may differ."""
    if path.suffix not in PACKED:
        return path.read_bytes()
    if path.suffix == ".xlsx":
        return pd.read_excel(path, engine="calamine", keep_default_na=False).to_csv()
    return pyreadstat.read_sav(path, user_missing=True)[0].to_csv()


def written_again(root: DataRoot, target: Path, surveys: list[Survey]) -> list[str]:
    """Files that ``simulate`` writes and that differ from the committed ones."""
    simulate(root.path, target, surveys)
    files = sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file() and path.name != "survey.yaml")
    assert len(files) == 3 * len(surveys) + len({survey.round for survey in surveys})
    different = [str(path) for path in files if content(root.path / path) != content(target / path)]
    for survey in surveys:  # but for the hash, which is of the packed file
        texts = [(base / survey.round / survey.country / "survey.yaml").read_text("utf-8") for base in (root.path, target)]
        lines = [[line for line in text.splitlines() if "sha256" not in line] for text in texts]
        different += [survey.key] if lines[0] != lines[1] else []
    return different


def test_what_is_committed_is_what_simulate_writes_in_every_format(root: DataRoot, tmp_path: Path) -> None:
    assert written_again(root, tmp_path, [SURVEYS[key] for key in ONE_OF_EACH_FORMAT]) == []


@pytest.mark.long
def test_what_is_committed_is_what_simulate_writes(root: DataRoot, tmp_path: Path) -> None:
    assert written_again(root, tmp_path, PROGRAMME) == []


def test_the_programme_is_two_rounds_of_eleven_and_seven_countries(root: DataRoot) -> None:
    countries = {round_id: {s.country for s in PROGRAMME if s.round == round_id} for round_id in ("2020-r1", "2021-r2")}
    assert countries["2020-r1"] == {"AFG", "BGD", "KHM", "IDN", "MDV", "NPL", "PAK", "PHL", "WSM", "SLB", "THA"}
    assert countries["2021-r2"] == {"BGD", "IDN", "KIR", "PAK", "PNG", "SLB", "WSM"}
    assert root.survey_ids() == sorted(KEYS)
    assert "could not be confirmed" in root.round("2021-r2").notes
    assert {s.file.split(".")[1] for s in PROGRAMME} == {"sav", "zsav", "dta", "csv", "xlsx"}
    assert {s.coding for s in PROGRAMME} == set(CODINGS)


def test_files_stay_small(root: DataRoot) -> None:
    sizes = {path: path.stat().st_size for path in root.path.rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 15_000_000
    assert not [path for path, size in sizes.items() if size > 2_000_000 and path.suffix not in {".csv", ".yaml"}]


@pytest.mark.parametrize("key", KEYS)
def test_every_column_of_a_file_is_mapped_design_auxiliary_or_deliberately_unused(root: DataRoot, key: str) -> None:
    found = account(root, key)
    assert not found.unaccounted and not found.vanished
    assert set(found.unused) == set(unused_columns(SURVEYS[key]))


@pytest.mark.parametrize("key", KEYS)
def test_identifiers_are_never_among_what_is_read(root: DataRoot, key: str) -> None:
    identifiers = {name for columns in IDENTIFIERS.values() for name in columns}
    specification = root.specification(key)
    assert not identifiers & set(specification.columns_read)
    assert not identifiers & set(prepare(root, key).frame.columns)
    assert bool(identifiers & set(specification.unused)) == SURVEYS[key].identifiers


@pytest.mark.parametrize("key", KEYS)
def test_every_variable_is_mapped_or_declared_absent_and_the_survey_says_that_it_is_simulated(root: DataRoot, key: str) -> None:
    specification = root.specification(key)
    given = set(specification.variables) | set(specification.absent)
    assert {name for name, variable in root.catalogue().variables.items() if not variable.derived} <= given
    assert specification.simulated and "simulated" in specification.title
    folder = root.folder(key)
    assert "SIMULATED" in (folder / "README.txt").read_text("utf-8")
    assert (folder / "survey.yaml").read_text("utf-8").startswith("# SIMULATED DATA")


@pytest.mark.parametrize("key", KEYS)
def test_a_file_reads_back_with_some_answers_missing_and_some_of_another_sex(root: DataRoot, key: str) -> None:
    respondents, survey = prepare(root, key), SURVEYS[key]
    frame = respondents.frame
    by_chance = survey.sampling in ("areas", "panel")  # where it is not known beforehand how many answer
    assert abs(len(frame) - survey.n) <= (5 * survey.n**0.5 if by_chance else 5)
    assert (respondents.excluded > 0) == survey.minors
    assert 1 <= (frame["sex"] == "O").sum() <= 60
    for name in ("age_group", "education", "mental_health"):
        assert 0 < frame[name].isna().mean() < 0.07, name
    kinds = respondents.item_nonresponse.groupby("kind")["n"].sum()
    assert (kinds[["dont_know", "refused", "not_applicable"]] > 50).all(), kinds
    assert frame.loc[frame["job_before"] == "not_working", "hours_change"].isna().all()
    assert (frame["psu"].notna().all() and frame["stratum"].nunique() == 8) == survey.clustered


@pytest.mark.parametrize("key", KEYS)
def test_truth_is_beside_each_file_by_sex_and_in_per_cent(root: DataRoot, key: str) -> None:
    truth = pd.read_csv(root.folder(key) / "truth.csv")
    assert list(truth.columns) == ["indicator", "sex", "share"]
    assert set(truth["sex"]) == {"_T", "F", "M"} and truth["share"].between(0.5, 99.5).all()
    coverage = coverage_rows(key, root.catalogue(), root.specification(key))
    assert set(truth["indicator"]) == set(coverage.loc[coverage["status"] != "not_asked", "indicator"])


@pytest.mark.parametrize("key", KEYS)
def test_the_specification_names_the_hash_of_its_file(root: DataRoot, key: str) -> None:
    (path,) = root.files(key).values()
    assert root.specification(key).files["respondents"].sha256 == sha256(path)


@pytest.mark.parametrize("key", [key for key in KEYS if SURVEYS[key].file.endswith(("sav", "zsav"))])
def test_spss_files_declare_missing_codes_and_label_values_in_the_survey_s_language(root: DataRoot, key: str) -> None:
    (path,) = root.files(key).values()
    _, meta = pyreadstat.read_sav(str(path), metadataonly=True, user_missing=True)
    specification, words = root.specification(key), translations(SURVEYS[key].language)
    sex = specification.variables["sex"]
    assert sex.column
    assert {span["lo"] for span in meta.missing_ranges[sex.column]} == {float(code) for code in sex.missing}
    women = next(float(code) for code, ours in sex.codes.items() if ours == "F")
    assert meta.variable_value_labels[sex.column][women] == words.get("Women", "Women")
    assert "SIMULATED" in meta.file_label
    assert all(meta.column_names_to_labels[s.column] for s in specification.variables.values() if s.column)


@pytest.mark.parametrize("language", ["bn", "ne", "th"])
def test_files_carry_labels_in_the_script_of_the_country(root: DataRoot, language: str) -> None:
    survey = next(s for s in PROGRAMME if s.language == language and "sav" in s.file)
    _, meta = pyreadstat.read_sav(str(next(iter(root.files(survey.key).values()))), metadataonly=True)
    labels = pd.Series([label for label in meta.column_labels if label])
    assert labels.str.contains(f"[{SCRIPTS[language]}]").mean() > 0.9


def test_stata_files_have_extended_missing_values(root: DataRoot) -> None:
    path = root.folder("2020-r1_PAK") / "microdata.dta"
    column = str(root.specification("2020-r1_PAK").variables["formal_job"].column)
    assert {".d", ".r", ".n"} <= set(read_columns(path, [column])[column])
    assert "SIMULATED" in pyreadstat.read_dta(str(path), metadataonly=True)[1].file_label


def test_several_answers_in_one_column_in_ticks_and_in_yes_and_no_are_read_alike(root: DataRoot) -> None:
    layouts = {"2020-r1_WSM": " ", "2020-r1_KHM": ";", "2020-r1_PHL": "", "2020-r1_BGD": ""}
    for key, separator in layouts.items():
        source = root.specification(key).variables["help"]
        assert (source.separator or "") == separator and bool(source.columns) == (not separator)
        answers = prepare(root, key).frame
        truth = pd.read_csv(root.folder(key) / "truth.csv").set_index(["indicator", "sex"])["share"]
        for item in ("partner", "daughters", "nobody"):
            women = answers.loc[answers["sex"] == "F", f"help_{item}"].dropna()
            assert abs(100 * (women == "yes").mean() - truth[f"HELP_{item}", "F"]) < 6, f"{key} {item}"
    assert root.specification("2020-r1_PHL").variables["help"].blank == "no"


def test_two_files_of_one_country_share_no_question_s_name_and_order_differs(root: DataRoot) -> None:
    for country in ("BGD", "IDN", "PAK", "SLB", "WSM"):
        first, second = (root.specification(f"{round_id}_{country}") for round_id in ("2020-r1", "2021-r2"))
        of_questions = [
            {c for s in spec.variables.values() for c in (s.column, *s.columns.values()) if c} for spec in (first, second)
        ]
        assert not of_questions[0] & of_questions[1], country
    orders = {tuple(root.specification(key).variables) for key in KEYS}
    assert len(orders) == len(KEYS)


@pytest.mark.parametrize("country", ["BGD", "IDN", "WSM"])
def test_all_of_a_panel_s_first_round_are_in_the_second_with_the_ids_and_answers_they_gave(root: DataRoot, country: str) -> None:
    first, second = (prepare(root, f"{round_id}_{country}") for round_id in ("2020-r1", "2021-r2"))
    before = first.frame.set_index("panel_id")
    assert first.frame["panel_id"].notna().all() and second.frame["panel_id"].notna().all()
    assert len(second.sample) == len(before) and 0.5 < second.sample["responded"].mean() < 0.9
    both = second.frame.merge(before.reset_index(), on="panel_id", suffixes=("_now", "_before"))
    same = both[["sex_now", "sex_before"]].dropna()
    assert len(same) > 1_000
    assert (same["sex_now"] == same["sex_before"]).mean() > 0.98  # a few say another sex in one round
    ages = both[["age_now", "age_before"]].dropna()
    assert (ages["age_now"] - ages["age_before"]).between(0, 1).all()
    answers = ["mental_health", "physical_illness", "family_illness", "government_support", "health_insurance", "knows_help"]
    pairs = [both[[f"{name}_now", f"{name}_before"]].dropna() == "yes" for name in answers]
    assert np.mean([pair.corr().iloc[0, 1] for pair in pairs]) > 0.02, "answers of one person hang together, if loosely"
    (path,) = root.files(f"2021-r2_{country}").values()
    ids = read_columns(path, ["r1_id"])["r1_id"].map(canonical_code)
    told = before.loc[ids].reset_index()
    for name in ("age_group", "education", "residence", "mental_health"):
        assert second.sample[f"r1_{name}"].tolist() == told[name].fillna("not_known").tolist(), name
    if "operator" in second.sample:
        assert second.sample["operator"].tolist() == first.sample["operator"].tolist()


@pytest.mark.parametrize("key", [key for key in KEYS if SURVEYS[key].sampling in ("areas", "panel")])
def test_who_did_not_answer_has_a_row_of_what_the_list_knows_and_no_answers(root: DataRoot, key: str) -> None:
    specification, respondents = root.specification(key), prepare(root, key)
    (path,) = root.files(key).values()
    response = specification.response
    assert response and response.complete == ["1"]
    columns = [*specification.columns_read, *specification.unused]
    table = read_columns(path, list(dict.fromkeys(columns)))
    code = table[response.column].map(canonical_code)
    assert set(code) == {"1", "2", "3", "4"}
    silent = table[code != "1"]
    assert len(silent) == (~respondents.sample["responded"]).sum() > 300
    known = set(specification.design_columns) | {"resp_name"}
    assert silent[list(known & set(columns))].notna().all().all()
    answers = silent.drop(columns=list(known), errors="ignore")
    assert (answers.isna() | (answers == "")).all().all(), "neither answers nor what an interview gives away"
    assert specification.invited == len(table) == len(respondents.sample)


CHAINS = {
    "operators": ["selection", "multiplicity", "calibrate raking"],
    "web": ["calibrate logit"],  # or linear
    "areas": ["nonresponse classes", "calibrate raking"],
    "dialling": ["multiplicity", "calibrate raking"],
    "panel": ["nonresponse propensity", "calibrate raking"],
}


@pytest.mark.parametrize("key", KEYS)
def test_each_survey_is_weighted_by_the_chain_that_fits_its_mode_with_a_line_saying_why(root: DataRoot, key: str) -> None:
    survey, specification = SURVEYS[key], root.specification(key)
    wanted = list(CHAINS[survey.sampling])
    if survey.panel and root.specification(f"{survey.panel}_{survey.country}").mode == "sms":
        wanted = CHAINS["operators"][:2] + wanted
    if survey.linear:
        wanted[-1] = "calibrate linear"
    assert [" ".join([step.step, getattr(step, "method", "")]).strip() for step in specification.weighting] == wanted
    assert all(20 < len(step.why) <= 300 for step in specification.weighting)
    assert specification.sample_type == ("probability" if survey.mode == "cati" and not survey.panel else "non_probability")
    for step in specification.weighting:
        if isinstance(step, Selection):
            first = SURVEYS[f"{survey.panel or survey.round}_{survey.country}"]
            assert sum(step.invited.values()) == first.invited
            assert all(step.invited[operator] < lines for operator, lines in step.population.items())


@pytest.mark.parametrize("key", ["2020-r1_AFG", "2020-r1_BGD", "2020-r1_THA", "2020-r1_WSM", "2021-r2_BGD", "2021-r2_KIR"])
def test_a_simulated_survey_is_weighted_without_a_step_that_fails(root: DataRoot, key: str) -> None:
    respondents = prepare(root, key)
    weights = weigh(root, key, respondents)
    assert [step.action for step in weights.steps[1:]] == [step.step for step in root.specification(key).weighting]
    assert len(weights.frame) == len(respondents.frame) and (weights.frame["weight"] > 0).all()
    calibration = weights.steps[-1].calibration
    assert calibration and calibration.error < 1e-9


def calibration_of(root: DataRoot, key: str) -> tuple[Calibration, pd.DataFrame]:
    respondents = prepare(root, key)
    calibration = weigh(root, key, respondents).steps[-1].calibration
    assert calibration is not None
    return calibration, respondents.frame


def test_bounds_and_trimming_bind_for_those_whom_their_why_names(root: DataRoot) -> None:
    held, people = calibration_of(root, "2020-r1_THA")
    low = people[held.factor <= 0.3 + 1e-9]
    assert held.bounds_hit == {"low": len(low), "high": 0} and len(low) > 100 and "held at 0.3" in why(root, "2020-r1_THA")
    assert set(low["sex"]) == {"M"} and set(low["education"]) == {"tertiary"} and set(low["age_group"]) <= {"Y18T24", "Y25T34"}
    cut, people = calibration_of(root, "2020-r1_NPL")
    assert cut.cap is not None and "at 28 times the median" in why(root, "2020-r1_NPL")
    largest = people[cut.weights >= cut.cap * (1 - 1e-9)]
    assert cut.trimmed == len(largest) > 5 and set(largest["sex"]) == {"F"} and set(largest["age_group"]) == {"Y_GE65"}
    assert cut.cap == pytest.approx(28 * np.median(cut.weights)) and cut.error < 1e-9


def test_linear_factors_of_kiribati_stay_below_those_of_raking_as_its_why_says(root: DataRoot) -> None:
    found, people = calibration_of(root, "2021-r2_KIR")
    largest = people[found.factor > found.factor.max() - 1e-9]
    assert set(largest["sex"]) == {"F"} and set(largest["age_group"]) == {"Y_GE65"}
    respondents = prepare(root, "2021-r2_KIR")
    weights = weigh(root, "2021-r2_KIR", respondents)
    assert weights.inputs is not None
    step = weights.inputs.step.model_copy(update={"method": "raking", "bounds": None})
    raked = replace(weights.inputs, step=step).calibrated(weights.steps[-2].weights)
    said = [float(number) for number in re.findall(r"goe?s? (?:do not go )?(?:beyond|to) (\d\.\d)", why(root, "2021-r2_KIR"))]
    assert said == [round(found.factor.max(), 1), round(raked.factor.max(), 1)]


def why(root: DataRoot, key: str) -> str:
    return root.specification(key).weighting[-1].why
