"""The stage that compares rounds: what it publishes, and what it computes again."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from assets import changes, processes
from assets.changes import bring_up_to_date, earlier_rounds
from assets.workspace import Progress
from rga.microdata.catalogue import Catalogue
from rga.survey import benjamini_hochberg
from rga.survey.precision import to_digits
from rga.warehouse.staging import Staging
from tests.pipeline.place import Place

PAIRS = ["2020-r1_BGD 2021-r2_BGD", "2020-r1_PAK 2021-r2_PAK"]
CELL = "indicator, statistic, category, breakdown, sex, age_group, residence, education"


def again(place: Place) -> list[str]:
    """What the stage would compute now."""
    return bring_up_to_date(place.paths.data_root().catalogue(), place.paths.staging(), Progress(), logging.getLogger())


def forget(place: Place, *survey_ids: str) -> None:
    """As if the estimates of some surveys were new."""
    staging = place.paths.staging()
    for key in survey_ids:
        staging.update_manifest(key, staging.manifest()[key] | {"fingerprint": "new", "estimated": "new"})


def test_levels_and_gaps_of_independent_rounds_change_by_the_published_difference(whole_build: Place) -> None:
    rows = whole_build.ask(f"""
        SELECT c.*, e.value AS e_value, e.se AS e_se, l.value AS l_value, l.se AS l_se, e.df + l.df AS most
        FROM changes c JOIN estimates e USING (country, {CELL}) JOIN estimates l USING (country, {CELL})
        WHERE c.country = 'PAK' AND measure = 'level' AND e.round = earlier_round AND l.round = later_round
          AND e.marital_status = c.marital_status AND l.marital_status = c.marital_status AND e.children = c.children
          AND l.children = c.children AND e.employment = c.employment AND l.employment = c.employment
          AND e.disability = c.disability AND l.disability = c.disability AND c.obs_status <> 'Q'""")
    assert len(rows) > 1500 and (rows["sample"] == "independent").all() and rows["overlap"].isna().all()
    assert np.abs(rows["change"] - (rows["l_value"] - rows["e_value"])).max() < 1e-9
    assert np.allclose(rows["se"], to_digits(np.hypot(rows["e_se"], rows["l_se"])), rtol=0.1, atol=0)
    assert (np.abs(rows["se"] / to_digits(np.hypot(rows["e_se"], rows["l_se"])) - 1) < 1e-9).mean() > 0.99
    assert (rows["df"] <= rows["most"] * (1 + 1e-12)).all() and (rows["df"] < 0.9 * rows["most"]).any()
    gaps = whole_build.ask("""
        SELECT c.*, l.gap - e.gap AS change_of_gap, sqrt(l.se ** 2 + e.se ** 2) AS apart, l.n_women + l.n_men AS n
        FROM changes c JOIN gender_gaps e USING (country, indicator, breakdown)
        JOIN gender_gaps l USING (country, indicator, breakdown)
        WHERE measure = 'gap' AND breakdown = 'sex' AND country = 'PAK' AND e.round = earlier_round AND l.round = later_round
          AND c.obs_status <> 'Q'""")
    assert len(gaps) > 50 and (gaps["n"] == gaps["n_later"]).all()
    assert np.abs(gaps["change"] - gaps["change_of_gap"]).max() < 1e-9 and np.allclose(
        gaps["se"], to_digits(gaps["apart"].to_numpy()), rtol=1e-9
    )


def test_rounds_of_a_panel_are_linked_by_person(whole_build: Place) -> None:
    rows = whole_build.ask("""
        SELECT c.*, sqrt(e.se ** 2 + l.se ** 2) AS apart, least(e.n, l.n) AS fewest, l.value - e.value AS difference
        FROM changes c JOIN estimates e USING (country, indicator, breakdown, sex)
        JOIN estimates l USING (country, indicator, breakdown, sex)
        WHERE c.country = 'BGD' AND breakdown = 'sex' AND e.round = earlier_round AND l.round = later_round
          AND c.obs_status <> 'Q'""")
    assert len(rows) > 100 and (rows["sample"] == "panel").all()
    assert np.abs(rows["change"] - rows["difference"]).max() < 1e-9
    assert rows["overlap"].isna().all(), "with that of women and men, subtraction would give that of others away"
    everybody = whole_build.ask("FROM changes WHERE country = 'BGD' AND breakdown = 'total' AND comparable")
    fewest = everybody[["n_earlier", "n_later"]].min(axis=1)
    assert (everybody["overlap"] <= fewest).all() and (everybody["overlap"] > 24).sum() > 50
    ratio = rows["se"] / rows["apart"]
    assert ratio.between(0.6, 1.3).all() and (np.abs(ratio - 1) > 1e-4).mean() > 0.8, "with the covariance between the rounds"


def test_p_values_are_adjusted_within_pair_measure_and_breakdown_over_what_is_shown(whole_build: Place) -> None:
    rows = whole_build.ask(
        "FROM changes WHERE country = 'PAK' AND measure = 'level' AND breakdown = 'sex*age_group' AND p_value IS NOT NULL"
    )
    assert len(rows) > 100
    assert np.allclose(rows["p_adjusted"], benjamini_hochberg(rows["p_value"].to_numpy()), rtol=1e-3)
    withheld = whole_build.ask("FROM changes WHERE obs_status = 'Q'")
    assert len(withheld) > 100 and withheld[["earlier", "later", "change", "se", "p_value"]].isna().all(axis=None)
    assert withheld[["n_earlier", "n_later"]].notna().all(axis=None)
    assert whole_build.ask("SELECT count(*) FROM changes WHERE overlap BETWEEN 1 AND 24").iloc[0, 0] == 0
    thin = whole_build.ask("SELECT count(*) FROM changes WHERE change IS NOT NULL AND least(n_earlier, n_later) < 25").iloc[0, 0]
    assert thin == 0


def test_what_may_not_be_compared_has_one_row_with_the_reason(whole_build: Place) -> None:
    coverage = whole_build.ask("SELECT * FROM coverage")
    absent = coverage[(coverage["survey_id"] == "2020-r1_BGD") & (coverage["status"] == "not_asked")]["indicator"]
    rows = whole_build.ask("FROM changes WHERE country = 'BGD' AND comparability = 'not_asked'")
    assert set(rows["indicator"]) == set(absent) and len(rows) == len(absent) > 3
    assert not rows["comparable"].any() and rows["reason"].str.startswith("not asked in the earlier round").all()
    assert rows[["earlier", "later", "change", "se", "n_earlier", "obs_status"]].isna().all(axis=None)
    caution = whole_build.ask("SELECT DISTINCT reason FROM changes WHERE country = 'BGD' AND comparability = 'with_caution'")
    assert caution["reason"].str.contains("by text message, then by telephone").all()


def test_nothing_is_compared_again_that_has_not_changed(built: Place) -> None:
    assert again(built) == []
    forget(built, "2020-r1_PAK")
    before = built.paths.staging().table("changes", "2021-r2_BGD").stat().st_mtime_ns
    assert again(built) == [PAIRS[1]] and again(built) == []
    assert built.paths.staging().table("changes", "2021-r2_BGD").stat().st_mtime_ns == before


def test_a_survey_with_respondents_newer_than_its_estimates_is_not_compared_anew(built: Place) -> None:
    staging = built.paths.staging()
    staging.update_manifest("2021-r2_PAK", staging.manifest()["2021-r2_PAK"] | {"fingerprint": "newer"})
    assert again(built) == [] and len(staging.read("changes", ["2021-r2_PAK"])) > 1000, "the pair of good estimates stays"
    forget(built, "2020-r1_PAK")
    assert again(built) == [] and staging.read("changes", ["2021-r2_PAK"]).empty, "of two versions that do not fit there is none"


def test_a_round_that_is_removed_takes_its_changes_with_it(built: Place) -> None:
    built.paths.staging().remove("2020-r1_BGD")
    assert again(built) == []
    assert built.paths.staging().read("changes", ["2021-r2_BGD"]).empty
    assert len(built.paths.staging().read("changes", ["2021-r2_PAK"])) > 1000


def test_an_altered_question_another_age_limit_and_a_broken_specification(built: Place) -> None:
    built.edit(
        "2021-r2_PAK", r"^absent: ", "altered: {mental_health: asked about the past month, marital_status: in two groups}\nabsent: "
    )
    built.edit("2021-r2_BGD", "age_min: 18", "age_min: 20")
    assert built.build().error is None
    rows = built.ask("FROM changes WHERE country = 'PAK' AND NOT comparable AND comparability = 'altered_question'")
    of_question = rows[rows["breakdown"] == "total"]
    assert len(of_question) >= 1
    assert of_question["reason"].eq("the later round asked about the past month").all()
    of_groups = rows[rows["breakdown"] == "sex*marital_status"]
    assert len(of_groups) > 10 and of_groups["reason"].str.contains("marital_status: the later round in two groups").all()
    assert not of_groups.duplicated("indicator").any() and len(of_question) + len(of_groups) == len(rows)
    differs = built.ask(
        "SELECT DISTINCT comparability, reason, change FROM changes WHERE country = 'BGD' AND comparability <> 'not_asked'"
    )
    assert differs["comparability"].tolist() == ["population_differs"] and pd.isna(differs["change"].iloc[0])
    assert differs["reason"].iloc[0] == "population differs: the age limit is 18 and over, then 20 and over"
    published = built.ask("SELECT count(*) FROM changes").iloc[0, 0]
    built.edit("2021-r2_PAK", "^mode: .*", "mode: by pigeon")
    assert built.build().error is None, "the others are published"
    assert built.ask("SELECT count(*) FROM changes").iloc[0, 0] == published, "a broken specification keeps its last changes"


def test_a_pair_that_fails_is_named_and_tried_again_and_holds_nothing_back(built: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    right = changes.pair_rows

    def wrong(catalogue: Catalogue, staging: Staging, earlier: changes.Survey, later: changes.Survey) -> pd.DataFrame:
        if later.key == "2021-r2_BGD":
            raise ZeroDivisionError("nobody")
        return right(catalogue, staging, earlier, later)

    for key in ("2020-r1_BGD", "2020-r1_PAK"):
        built.edit(key, "^mode: sms", "mode: web")
    monkeypatch.setattr(changes, "pair_rows", wrong)
    monkeypatch.setattr(processes, "processors", lambda: 1)  # other processes have it as it is
    outcome = built.build()
    assert outcome.error is None and outcome.new_release
    (pair, told), *others = outcome.other_problems.items()
    assert pair == "2021-r2_BGD since 2020-r1_BGD" and "ZeroDivisionError" in told and "nobody" not in told and not others
    assert set(built.ask("SELECT DISTINCT country FROM changes")["country"]) == {"PAK"}
    monkeypatch.undo()
    assert built.build().other_problems == {}
    assert set(built.ask("SELECT DISTINCT country FROM changes")["country"]) == {"BGD", "PAK"}


def test_simulated_and_real_surveys_are_never_paired() -> None:
    simulated = {"2020-r1_BGD": True, "2020-r2_BGD": False, "2020-r10_BGD": True, "2021-r1_BGD": False, "2020-r1_PAK": True}
    assert earlier_rounds(simulated) == {
        "2020-r1_BGD": [],
        "2020-r1_PAK": [],
        "2020-r2_BGD": [],
        "2020-r10_BGD": ["2020-r1_BGD"],
        "2021-r1_BGD": ["2020-r2_BGD"],
    }


@pytest.mark.parametrize("column", ["panel_id", "respondent_id", "person"])
def test_nobody_s_id_is_published_with_changes(built: Place, column: str) -> None:
    assert column not in built.ask("FROM changes LIMIT 1")
