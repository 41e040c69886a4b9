"""What is planted in survey files to identify people is in nothing that is made of them: release, staging, state, logs, exports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import pyreadstat
import pytest

from pipelines.build import BuildOutcome
from rga.microdata.codes import canonical_code
from rga.warehouse.restricted import KEY
from tests.pipeline.place import Place
from tests.planted import FORMS, KINDS, NAMES, found, people

KHM, PAK = "2020-r1_KHM", "2021-r2_PAK"
PLANTED = {KHM: people(1_153, 7), PAK: people(3_823, 8)}


def plant(place: Place, survey_id: str) -> None:
    """Twelve kinds of identifiers into the survey's file, its ids replaced by telephone numbers."""
    file = next(iter(place.paths.data_root().files(survey_id).values()))
    data, planted = pd.read_csv(file, dtype=str), PLANTED[survey_id]
    assert len(data) == len(planted)
    key = place.paths.data_root().specification(survey_id).id
    data = data.drop(columns=[*NAMES.values()], errors="ignore").join(planted.rename(columns=NAMES))
    data[key] = planted["telephone number"]
    data.to_csv(file, index=False)
    place.edit(survey_id, r", sha256: [0-9a-f]{64}", "")


def leaks(folder: Path, but: str = "") -> dict[str, dict[str, set[str]]]:
    """Planted values by the file that holds them, in plain sight or inside tables."""
    held = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and (not but or but not in path.relative_to(folder).parts):
            text = path.read_bytes().decode("latin-1") + path.name + _values(path)
            for planted in PLANTED.values():
                if values := found(text, planted):
                    held[str(path.relative_to(folder))] = values
    return held


def _values(path: Path) -> str:
    """Every value of a table, as text."""
    if path.suffix in {".sav", ".dta"}:
        read = pyreadstat.read_sav if path.suffix == ".sav" else pyreadstat.read_dta
        frame, _ = read(str(path))
        return "\n".join(canonical_code(v) for c in frame if not c.startswith("replicate_") for v in frame[c].dropna().unique())
    if path.suffix not in {".parquet", ".duckdb"}:
        return ""
    parts = []
    with duckdb.connect() if path.suffix == ".parquet" else duckdb.connect(str(path), read_only=True) as connection:
        if path.suffix == ".parquet":
            connection.read_parquet(str(path)).create_view("content")
        for (name,) in connection.execute("SELECT table_name FROM information_schema.tables").fetchall():
            frame = connection.execute(f'SELECT DISTINCT COLUMNS(*)::VARCHAR FROM "{name}"').df()
            parts += [value for column in frame for value in frame[column].dropna().unique()]
    return "\n".join(parts)


def told(text: str) -> list[dict[str, set[str]]]:
    return [values for planted in PLANTED.values() if (values := found(text, planted))]


def test_the_scan_sees_every_kind_that_is_planted(tmp_path: Path) -> None:
    assert len(KINDS) >= 10 and set(FORMS) == set(KINDS)
    planted = PLANTED[KHM]
    planted.head(3).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "b.log").write_text("\n".join(map(str, planted.tail(1).to_numpy().ravel())))
    pyreadstat.write_sav(planted.head(2).rename(columns=NAMES), tmp_path / "c.sav", row_compress=True)
    for held in leaks(tmp_path).values():
        assert set(held) == set(KINDS)
    assert len(leaks(tmp_path)) == 3


@pytest.mark.long
def test_no_planted_identifier_is_in_release_staging_state_logs_messages_or_research_files(
    unbuilt: Callable[..., Place], capfd: pytest.CaptureFixture[str]
) -> None:
    place = unbuilt(KHM, PAK)
    plant(place, KHM)
    plant(place, PAK)
    checked = place.rga("check")
    assert checked.exit_code == 0, checked.output
    for survey_id in PLANTED:
        line = next(line for line in checked.output.splitlines() if line.strip().startswith(f"{survey_id}  identify people"))
        assert all(kind in line for kind in KINDS), line
    said = [checked.output, place.rga("build", "--debug").output]
    exported = place.folder / "out"
    for form in ("sav", "dta", "parquet"):
        result = place.rga("export", "microdata", "--format", form, "--out", str(exported), "--replicates", "20")
        assert result.exit_code == 0, result.output
        said.append(result.output)
    said.append(place.rga("export", "parquet", "--to", str(exported / "tables")).output)
    assert len(list(exported.glob("2*"))) == 10
    # every kind mapped in turn, then a survey that fails half way: the messages, and what Dagster keeps of them
    for column in ("resp_name", "email"):
        place.edit(PAK, rf"{column}: '[^']*',\s*", "")  # from `unused:`
    good = place.survey_yaml(PAK).read_text(encoding="utf-8")
    for kind in KINDS:
        place.edit(PAK, r"^( +)column: (\w+)\n( +codes: \{\w+: F)", rf"\1column: {NAMES[kind]}\n\3")
        said.append(place.rga("check", "--survey", PAK).output)
        assert "looks like a direct identifier" in said[-1] and kind in said[-1]
        if kind == "telephone number":
            said.append(place.rga("build").output)
            place.edit(PAK, r"^variables:", f"not_identifiers: {{{NAMES[kind]}: only for this test}}\nvariables:")
            said.append(place.rga("build", "--debug").output)
            assert "variable sex" in said[-1]
        place.survey_yaml(PAK).write_text(good, encoding="utf-8")
    said += capfd.readouterr()
    assert not told("\n".join(said))
    assert not leaks(place.warehouse, but="restricted")
    assert not leaks(exported)
    # the restricted folder has the ids that this test made of telephone numbers, and no other kind
    assert {kind for held in leaks(place.warehouse / "restricted").values() for kind in held} == {"telephone number"}


@pytest.mark.long
def test_stray_cells_that_name_somebody_are_in_nothing_that_a_failing_survey_leaves(
    unbuilt: Callable[..., Place], capfd: pytest.CaptureFixture[str]
) -> None:
    """Telephone numbers, names and all other kinds as unknown codes of mapped columns: categories, numbers, batteries, design."""
    place = unbuilt(KHM, PAK)
    said = [place.rga("build").output]
    assert "0 failed" in said[0]
    specification = place.paths.data_root().specification(PAK)
    file = next(iter(place.paths.data_root().files(PAK).values()))
    clean, planted = pd.read_csv(file, dtype=str), PLANTED[PAK]
    place.edit(PAK, r", sha256: [0-9a-f]{64}", "")
    columns = [*specification.mapped_columns, *specification.design.stratum, specification.design.psu, specification.design.weight]
    assert len(columns) > 20
    for columns_now, lonely in ((columns, "adjust"), (specification.design.stratum, "fail")):
        data = clean.copy()
        for place_of_column, column in enumerate(filter(None, columns_now)):
            for kind_place, kind in enumerate(KINDS):
                row = (place_of_column * len(KINDS) + kind_place) % len(data)
                data.loc[row, column] = planted.loc[row, kind]
        data.to_csv(file, index=False)
        place.edit(PAK, r"lonely_psu: \w+", f"lonely_psu: {lonely}")
        said.append(place.rga("check", "--html", str(place.folder / "pages")).output)
        said.append(place.rga("build", "--debug").output)
        assert "1 failed" in said[-1] and (place.folder / "pages" / f"{PAK}.html").exists()
    assert "neither mapped nor declared missing" in said[-4] + said[-3] and "only one PSU" in said[-1]
    said += capfd.readouterr()
    assert not told("\n".join(said))
    assert not leaks(place.folder / "pages")
    assert not leaks(place.warehouse, but="restricted")


def test_ids_order_and_replicates_are_new_at_every_export_and_nothing_in_the_file_names_a_psu(
    first_build: tuple[Place, BuildOutcome], tmp_path: Path
) -> None:
    frames = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        options = ("--survey", PAK, "--format", "parquet", "--replicates", "20", "--out", str(folder))
        assert first_build[0].rga("export", "microdata", *options).exit_code == 0
        frames.append(pd.read_parquet(folder / f"{PAK}.parquet"))
    for name in ("respondent", "weight", "replicate_1"):
        assert (frames[0][name] != frames[1][name]).any(), name
    assert sorted(frames[0]["weight"]) == sorted(frames[1]["weight"])
    replicates = [f"replicate_{r}" for r in range(1, 21)]
    answers = [name for name in frames[0] if name not in ("respondent", "weight", *replicates)]
    respondents = first_build[0].paths.staging().read_restricted("respondents", PAK)
    psus = set(respondents["psu"].dropna().astype(str)) if "psu" in respondents else set()
    assert not psus & {str(value) for frame in frames for name in answers for value in frame[name].unique()}


def test_a_build_with_a_key_leaves_nothing_of_respondents_in_plain_text(
    unbuilt: Callable[..., Place], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = unbuilt("2020-r1_BGD", "2021-r2_BGD")  # a panel: changes read respondents of both rounds
    monkeypatch.setenv(KEY, "ab" * 32)
    result = place.rga("build")
    assert result.exit_code == 0, result.output
    files = list((place.warehouse / "restricted").rglob("*.parquet"))
    assert len(files) == 6 and {path.read_bytes()[:4] for path in files} == {b"PARE"}
    assert place.rga("export", "microdata", "--out", str(tmp_path / "out"), "--replicates", "20").exit_code == 0
    monkeypatch.setenv(KEY, "cd" * 32)
    for command in (("build",), ("export", "microdata", "--out", str(tmp_path / "no"))):
        result = place.rga(*command)
        assert result.exit_code == 2 and "is not the key it was written with" in result.output, result.output
        assert "Traceback" not in result.output and not (tmp_path / "no").exists()
