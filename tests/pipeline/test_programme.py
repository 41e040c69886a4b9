"""The default data root, whole: eighteen surveys in one build, and nobody's identity in anything that comes of it."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pandas as pd

from pipelines.build import BuildOutcome
from rga.microdata.data_root import DataRoot
from rga.microdata.readers import read_columns
from rga.simulate.files import IDENTIFIERS
from rga.simulate.programme import PROGRAMME
from rga.warehouse.staging import Staging

MODULES = {
    "information", "employment", "livelihoods", "support", "unpaid domestic work", "unpaid care", "help in the household", "health",
    "access to services", "education", "safety", "food", "vaccination",
}  # fmt: skip
TOO_COMMON = {"device", "minutes"}


def test_eighteen_surveys_and_more_than_fifty_indicators_of_every_module_are_published(
    programme: tuple[Path, BuildOutcome], release: duckdb.DuckDBPyConnection
) -> None:
    _, outcome = programme
    assert outcome.error is None and outcome.count("built") == len(PROGRAMME) == 18
    indicators = release.sql("SELECT indicator, module FROM indicators").df()
    assert len(indicators) >= 50 and set(indicators["module"]) == MODULES
    estimated = release.sql("SELECT count(DISTINCT indicator) FROM estimates WHERE obs_status = 'A'").fetchall()[0][0]
    assert estimated == len(indicators)
    assert set(outcome.seconds) >= {"surveys", "estimation", "release"}


def test_the_build_warns_of_nothing_in_any_process(programme: tuple[Path, BuildOutcome]) -> None:
    """Warnings are errors here (`tests/conftest.py`), in the processes of the build too. A pair of rounds that fails is not an
    error of the build, and is asked for by itself."""
    warehouse, outcome = programme
    assert not [survey for survey in outcome.surveys if survey.status == "failed"] and not outcome.other_problems
    manifest = Staging(warehouse).manifest()
    assert {key: entry.get("changes_failed") or None for key, entry in manifest.items()} == dict.fromkeys(manifest)


def test_every_number_carries_its_mode_its_kind_of_sample_and_how_its_question_differed(release: duckdb.DuckDBPyConnection) -> None:
    for table in ("estimates", "gender_gaps"):
        wrong = release.sql(f"""
            SELECT count(*) FROM {table} JOIN surveys USING (survey_id) JOIN coverage USING (survey_id, indicator)
            WHERE {table}.mode <> surveys.mode OR {table}.sample_type <> surveys.sample_type
               OR comparability IS DISTINCT FROM coverage.reason""").fetchall()
        assert wrong == [(0,)]
        assert len(release.sql(f"SELECT DISTINCT sample_type FROM {table}").fetchall()) == 2
        assert release.sql(f"SELECT count(comparability) > 0 FROM {table}").fetchall() == [(True,)]


def test_verdicts_agree_with_the_gaps_and_the_direction_of_the_indicator(release: duckdb.DuckDBPyConnection) -> None:
    counts = (
        release.sql("""
        SELECT verdict, min(p_adjusted) AS low, max(p_adjusted) AS high, count(*) AS n,
               bool_and((gap > 0) = (direction = 'more_is_worse')) AS women_lose
        FROM gender_gaps JOIN indicators USING (indicator) GROUP BY verdict""")
        .df()
        .set_index("verdict")
    )
    assert {"women worse", "men worse", "no clear gap", "too few cases"} <= set(counts.index)
    assert counts.loc["women worse", "women_lose"] and counts.loc["women worse", "high"] <= 0.05 < counts.loc["no clear gap", "low"]
    assert release.sql("SELECT bool_and(obs_status = 'Q') FROM gender_gaps WHERE verdict = 'too few cases'").fetchall() == [(True,)]


def test_the_codebook_traces_every_answer_of_every_variable_to_a_column_and_a_code(release: duckdb.DuckDBPyConnection) -> None:
    unlike = release.sql("""
        WITH traced AS (
            SELECT survey_id, variable, kind, sum(n) AS n, bool_or(n IS NULL) AS hidden FROM codebook
            GROUP BY ALL HAVING sum(n) IS DISTINCT FROM 0
        )
        SELECT count(*) FROM traced FULL JOIN item_nonresponse AS told USING (survey_id, variable, kind)
        WHERE NOT coalesce(hidden, FALSE) AND CASE WHEN kind = 'answered' THEN traced.n IS NULL OR told.n IS NULL
                OR abs(traced.n - told.n) > 0.2 * told.n ELSE traced.n IS DISTINCT FROM told.n END""").fetchall()
    assert unlike == [(0,)]
    assert release.sql(
        "SELECT count(*) FROM codebook WHERE n BETWEEN 1 AND 4 AND kind = 'answered' AND variable <> 'sex'"
    ).fetchall() == [(0,)]


def test_every_breakdown_of_the_catalogue_has_estimates_for_women_and_men(release: duckdb.DuckDBPyConnection) -> None:
    counts = release.sql("""
        SELECT breakdown, count(*) FILTER (sex = 'F') AS women, count(*) FILTER (sex = 'M') AS men,
               count(DISTINCT survey_id) AS surveys
        FROM estimates WHERE obs_status = 'A' GROUP BY breakdown""")
    wide = counts.df().set_index("breakdown")
    crossed = [
        f"sex*{name}" for name in ("age_group", "residence", "education", "marital_status", "children", "employment", "disability")
    ]
    thrice = [f"sex*{name}*residence" for name in ("age_group", "education", "disability")]
    assert set(wide.index) == {"total", "sex", *crossed, *thrice}
    assert (wide.loc[["sex", *crossed], ["women", "men"]] > 200).all(axis=None)
    assert wide.loc["sex*disability", "surveys"] < 18, "not every survey asked about disability"


def test_coverage_says_of_every_indicator_whether_it_was_asked_and_why_not(release: duckdb.DuckDBPyConnection) -> None:
    coverage = release.sql("SELECT * FROM coverage").df()
    assert len(coverage) == 18 * release.sql("SELECT count(*) FROM indicators").fetchall()[0][0]
    assert (coverage["reason"].notna() == (coverage["status"] != "asked")).all()
    by_key = coverage.set_index(["survey_id", "indicator"])
    assert by_key.loc[("2020-r1_AFG", "SAFE_DV"), "status"] == "not_asked"
    assert "safety" in by_key.loc[("2020-r1_AFG", "SAFE_DV"), "reason"]
    assert by_key.loc[("2020-r1_PHL", "EMP_HOURS_DOWN"), "status"] == "altered"
    assert by_key.loc[("2021-r2_KIR", "INC_ANY_DOWN"), "status"] == "not_asked"
    assert by_key.loc[("2021-r2_KIR", "INC_DOWN_pension"), "reason"] == "no such item"
    estimated = {tuple(row) for row in release.sql("SELECT DISTINCT survey_id, indicator FROM estimates").fetchall()}
    assert estimated == set(by_key.index[by_key["status"] != "not_asked"])


def test_item_nonresponse_counts_every_respondent_of_every_question_once(release: duckdb.DuckDBPyConnection) -> None:
    counts = release.sql("""
        SELECT survey_id, variable, sum(i.n) AS counted, any_value(s.n) AS n, sum(share) AS share
        FROM item_nonresponse i JOIN surveys s USING (survey_id) GROUP BY ALL""").df()
    assert len(counts) > 18 * 40
    assert (counts["counted"] == counts["n"]).all() and (counts["share"] - 100).abs().max() < 0.06


def test_not_an_income_source_and_not_usually_done_leave_the_base(release: duckdb.DuckDBPyConnection) -> None:
    for indicator, everybody in (("INC_DOWN_farm", "HLT_MENTAL"), ("UDW_INC_ANY", "UDW_INC_ANY_ALL")):
        n = release.sql(f"""
            SELECT survey_id, max(n) FILTER (indicator = '{indicator}') AS base,
                   max(n) FILTER (indicator = '{everybody}') AS everybody
            FROM estimates WHERE breakdown = 'sex' AND sex = 'M' GROUP BY survey_id""").df()
        assert (n["base"] < n["everybody"]).all()


def test_what_is_published_is_close_to_the_truth_where_selection_follows_the_margins(
    release: duckdb.DuckDBPyConnection, repository: Path
) -> None:
    """One draw: intervals hold the truth about as often as they promise, and far less often where a hidden trait selects."""
    parts = [pd.read_csv(repository / "raw_data" / s.round / s.country / "truth.csv").assign(survey_id=s.key) for s in PROGRAMME]
    found = release.sql("""
        SELECT * FROM estimates ANTI JOIN (FROM coverage WHERE status = 'altered') USING (survey_id, indicator)
        WHERE breakdown IN ('total', 'sex') AND obs_status <> 'Q'""").df()
    both = found.merge(pd.concat(parts), on=["survey_id", "indicator", "sex"])
    both["covered"] = both["share"].between(both["ci_low"], both["ci_high"])
    hidden = both["survey_id"].isin([s.key for s in PROGRAMME if s.unobserved])
    assert 0.92 < both.loc[~hidden, "covered"].mean() < 0.98
    assert both.loc[hidden, "covered"].mean() < 0.8


def test_surveys_that_weighting_cannot_repair_say_so_in_the_release(release: duckdb.DuckDBPyConnection) -> None:
    caution = dict(release.sql("SELECT survey_id, caution FROM surveys").fetchall())
    for survey in PROGRAMME:
        assert ("which no margin knows" in (caution[survey.key] or "")) == bool(survey.unobserved), survey.key
    assert release.sql("SELECT count(*) FROM surveys WHERE NOT simulated").fetchall() == [(0,)]


def test_no_identifier_reaches_staging_or_release(programme: tuple[Path, BuildOutcome], repository: Path) -> None:
    root, planted = DataRoot(repository / "raw_data"), set()
    for survey in PROGRAMME:
        if survey.identifiers:
            (path,) = root.files(survey.key).values()
            frame = read_columns(path, IDENTIFIERS[survey.mode])
            # A short coordinate, such as 5.9 or -2.379, is also a printed number: these have four digits, few of them more.
            texts = {str(value).strip() for name in frame for value in frame[name].dropna()}
            planted |= {text for text in texts if len(text) > 5 and len(re.sub(r"^-?0*\.?0*|\.", "", text)) > 5}
    assert len(planted) > 20_000
    written = [
        path for path in programme[0].rglob("*") if path.suffix in {".parquet", ".duckdb", ".json"} and not path.is_symlink()
    ]
    assert len(written) > 18 * 9
    folders = {path.parent for path in written if path.suffix == ".parquet"}
    for path in [*folders, *(path for path in written if path.suffix != ".parquet")]:
        leaked = _of_these_in(path, planted)
        assert not leaked, f"{path.name}: {leaked[:3]}"


def _of_these_in(path: Path, texts: set[str]) -> list[str]:
    """Which of ``texts`` are a value in a file, or in a folder's Parquet files."""
    if path.suffix == ".json":
        return sorted(texts & set(path.read_text(encoding="utf-8").split('"')))
    found: set[str] = set()
    with duckdb.connect() if path.is_dir() else duckdb.connect(str(path), read_only=True) as connection:
        if path.is_dir():
            connection.execute(f"CREATE TABLE content AS FROM read_parquet('{path}/*.parquet', union_by_name = TRUE)")
        for (name,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
            (columns,) = connection.execute(f'SELECT list(DISTINCT CAST(COLUMNS(*) AS VARCHAR)) FROM "{name}"').fetchall()
            found = found.union(*(texts.intersection(values or []) for values in columns))
    return sorted(found)
