"""The simulated files: the same again at every call, as untidy as a contractor's, read back without loss."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyreadstat
import pytest

from rga.microdata.data_root import DataRoot
from rga.microdata.readers import column_names, read_columns, sha256
from rga.microdata.respondents import prepare
from rga.simulate.programme import PROGRAMME
from rga.simulate.simulate import simulate

KEYS = [survey.key for survey in PROGRAMME]
IDENTIFIERS = {"msisdn", "resp_name", "email", "gps_lat", "gps_lon"}


@pytest.fixture(scope="module")
def root(repository: Path) -> DataRoot:
    return DataRoot(repository / "raw_data")


@pytest.fixture(scope="module")
def again(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("simulated")
    simulate(repository / "raw_data", target)
    return target


def test_what_is_committed_is_what_simulate_writes_byte_for_byte(root: DataRoot, again: Path) -> None:
    written = sorted(path.relative_to(again) for path in again.rglob("*") if path.is_file())
    assert len(written) == 4 * len(PROGRAMME) + 2
    assert [str(path) for path in written if (root.path / path).read_bytes() != (again / path).read_bytes()] == []


def test_simulating_a_survey_alone_gives_what_simulating_all_gives(root: DataRoot, again: Path, tmp_path: Path) -> None:
    (folder,) = simulate(root.path, tmp_path, PROGRAMME[2:3])
    assert (folder / "microdata.csv").read_bytes() == (again / "2021-r2" / "BGD" / "microdata.csv").read_bytes()


def test_all_surveys_together_stay_small(root: DataRoot) -> None:
    assert sum(path.stat().st_size for path in root.path.rglob("*") if path.is_file()) < 6_000_000


@pytest.mark.parametrize("key", KEYS)
def test_identifiers_are_in_the_file_and_never_among_what_is_read(root: DataRoot, key: str) -> None:
    specification = root.specification(key)
    (path,) = root.files(key).values()
    assert IDENTIFIERS & set(column_names(path))
    assert not IDENTIFIERS & set(specification.columns_read)
    assert not IDENTIFIERS & set(prepare(root, key).frame.columns)


@pytest.mark.parametrize("key", KEYS)
def test_every_variable_is_mapped_or_declared_absent(root: DataRoot, key: str) -> None:
    specification = root.specification(key)
    known = {name for name, variable in root.catalogue().variables.items() if not variable.derived}
    assert set(specification.variables) | set(specification.absent) == known
    assert specification.simulated


@pytest.mark.parametrize("key", KEYS)
def test_a_file_reads_back_with_some_answers_missing_and_some_of_another_sex(root: DataRoot, key: str) -> None:
    respondents = prepare(root, key)
    frame = respondents.frame
    survey = PROGRAMME[KEYS.index(key)]
    assert abs(len(frame) - survey.n) <= (5 * survey.n**0.5 if survey.clustered else 0)
    assert 1 <= (frame["sex"] == "O").sum() <= 25
    for name in ("age", "education", "mental_health"):
        assert 0 < frame[name].isna().mean() < 0.07
    kinds = respondents.item_nonresponse
    silent = kinds[kinds["kind"].isin(["dont_know", "refused"])].groupby("kind")["n"].sum()
    assert (silent > 50).all() and len(silent) == 2
    not_working = frame["job_before"] == "not_working"
    assert frame.loc[not_working, "hours_change"].isna().all()


def test_spss_files_declare_missing_codes_and_label_values(root: DataRoot) -> None:
    path = root.folder("2020-r1_BGD") / "microdata.sav"
    _, meta = pyreadstat.read_sav(str(path), metadataonly=True, user_missing=True)
    sex = root.specification("2020-r1_BGD").variables["sex"].column
    assert [span["lo"] for span in meta.missing_ranges[sex]] == [98.0, 99.0]
    assert meta.variable_value_labels[sex][1.0] == "Women"
    assert "SIMULATED" in meta.file_label
    assert all(meta.column_names_to_labels[c] for c in root.specification("2020-r1_BGD").columns_read[1:])


def test_stata_files_have_extended_missing_values(root: DataRoot) -> None:
    path = root.folder("2020-r1_PAK") / "microdata.dta"
    sex = root.specification("2020-r1_PAK").variables["mental_health"].column
    values = read_columns(path, [str(sex)])[str(sex)]
    assert {".d", ".r"} <= set(values)
    assert "SIMULATED" in pyreadstat.read_dta(str(path), metadataonly=True)[1].file_label


def test_two_files_of_one_country_share_no_column_name(root: DataRoot) -> None:
    for country in ("BGD", "PAK"):
        names = [set(column_names(*root.files(f"{round_id}_{country}").values())) for round_id in ("2020-r1", "2021-r2")]
        assert not names[0] & names[1]


@pytest.mark.parametrize("key", KEYS)
def test_truth_is_beside_each_file_by_sex_and_in_per_cent(root: DataRoot, key: str) -> None:
    truth = pd.read_csv(root.folder(key) / "truth.csv")
    assert list(truth.columns) == ["indicator", "sex", "share"]
    assert set(truth["sex"]) == {"_T", "F", "M"}
    assert truth["share"].between(5, 95).all()
    later = {"FOOD_HARD", "VAX_2DOSE", "VAX_0"}
    assert set(truth["indicator"]) == set(root.catalogue().indicators) - (later if key.startswith("2020") else set())
    assert "SIMULATED" in (root.folder(key) / "README.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", KEYS)
def test_the_specification_names_the_hash_of_its_file(root: DataRoot, key: str) -> None:
    (path,) = root.files(key).values()
    assert root.specification(key).files["respondents"].sha256 == sha256(path)
