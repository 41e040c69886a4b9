"""Adjusted gaps as published: what a row says, and when it is computed anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from assets.adjusted_gaps import computed, part_of_indicator
from assets.publication_beside import adjusted_as_published, of_published_gaps
from rga.microdata.data_root import DataRoot
from rga.survey import benjamini_hochberg
from tests.pipeline.place import SURVEYS, Place

PAK = "2020-r1_PAK"


def test_the_gap_that_is_adjusted_is_the_published_gap(whole_build: Place) -> None:
    both = whole_build.ask(
        "SELECT a.gap - g.gap AS off, a.n_women - g.n_women AS n, a.df - g.df AS df FROM adjusted_gaps a "
        "JOIN gender_gaps g USING (survey_id, indicator) WHERE g.breakdown = 'sex' AND a.gap IS NOT NULL"
    )
    assert len(both) > 200 and both["off"].abs().max() < 1e-9 and (both[["n", "df"]] == 0).all(axis=None)


def test_adjusted_p_values_can_be_had_from_the_p_values_shown(whole_build: Place) -> None:
    hidden = whole_build.ask("FROM adjusted_gaps WHERE status = 'ok' AND obs_status = 'Q' AND reason LIKE 'the gap is not shown%'")
    assert len(hidden), "what is fitted and not shown is no part of it"
    for _, rows in whole_build.ask("FROM adjusted_gaps").groupby("survey_id"):
        again = benjamini_hochberg(rows["p_value"].to_numpy())
        assert np.allclose(rows["p_adjusted"], again, rtol=1e-3, atol=0, equal_nan=True) and (~np.isnan(again)).sum() > 40


def test_every_indicator_asked_has_a_row_with_a_number_or_the_reason_for_none(whole_build: Place) -> None:
    rows = whole_build.ask(
        "SELECT * FROM adjusted_gaps FULL JOIN (FROM coverage SELECT survey_id, indicator WHERE status <> 'not_asked') AS c "
        "USING (survey_id, indicator)"
    )
    assert rows["status"].notna().all()
    numbers = ["gap", "adjusted_gap", "se", "ci_low", "ci_high", "p_value", "composition", "composition_se"]
    shown = rows["obs_status"] != "Q"
    assert rows.loc[shown, numbers].notna().all(axis=None) and rows.loc[~shown, numbers].isna().all(axis=None)
    assert (rows.loc[~shown, "reason"].str.len() > 10).all() and shown.sum() > 200 and (~shown).sum() > 20
    assert rows["simulated"].all()


def test_gap_and_composition_come_apart_without_a_remainder(whole_build: Place) -> None:
    off = whole_build.ask(
        "SELECT a.composition - d.parts AS parts, a.gap - a.composition - a.adjusted_gap AS whole, a.se FROM adjusted_gaps a JOIN "
        "(SELECT survey_id, indicator, sum(composition) AS parts FROM gap_decomposition GROUP BY ALL) d "
        "USING (survey_id, indicator)"
    )
    assert len(off) > 100 and off["whole"].abs().max() < 1e-9
    assert (off["parts"].abs() <= 0.3 * off["se"]).all(), "what is printed of the gap and of the adjusted gap is rounded"
    rows = whole_build.ask("FROM gap_decomposition")
    assert set(rows["variable"]) >= {"age_group", "education", "residence", "marital_status", "employment", "nonlinearity"}


def test_nothing_that_is_shown_of_a_rounded_gap_adds_up_to_the_exact_one(whole_build: Place) -> None:
    root, staging = whole_build.paths.data_root(), whole_build.paths.staging()
    exact = pd.concat([computed(root, staging, key)[0] for key in SURVEYS])[["survey_id", "indicator", "gap", "adjusted_gap"]]
    shown = whole_build.ask(
        "SELECT a.*, g.rounded_to, p.parts FROM adjusted_gaps a JOIN gender_gaps g USING (survey_id, indicator) LEFT JOIN "
        "(SELECT survey_id, indicator, count(*) AS parts FROM gap_decomposition GROUP BY ALL) p USING (survey_id, indicator) "
        "WHERE g.breakdown = 'sex' AND a.gap IS NOT NULL"
    )
    both = shown.merge(exact, on=["survey_id", "indicator"], suffixes=("", "_exact"))
    rounded = both[both["rounded_to"].notna()]
    assert len(rounded) >= 4 and rounded["parts"].isna().all() and both.loc[both["rounded_to"].isna(), "parts"].notna().all()
    steps = rounded["adjusted_gap"] / rounded["rounded_to"]
    assert (steps - steps.round()).abs().max() < 1e-9
    off, added = rounded["gap"] - rounded["gap_exact"], rounded["composition"] + rounded["adjusted_gap"]
    assert (added - rounded["gap"]).abs().max() < 1e-9 and (off.abs() > 1e-6).mean() > 0.9
    assert (rounded["adjusted_gap"] - rounded["adjusted_gap_exact"]).abs().le(rounded["rounded_to"] / 2 + 1e-9).all()
    t = (rounded["ci_high"] - rounded["adjusted_gap"]) / rounded["se"]
    assert t.between(1.9, 13).all(), "limits lead back to what is printed, not to what was computed"
    assert np.allclose(rounded["ci_high"] + rounded["ci_low"], 2 * rounded["adjusted_gap"], atol=0.02)


def test_who_are_alike_in_a_circumstance_are_not_adjusted_for_it(whole_build: Place) -> None:
    rows = whole_build.ask("SELECT indicator, adjusted_for, left_out FROM adjusted_gaps").set_index("indicator")
    for indicator, variable in (("EMP_HOURS_DOWN_FORMAL", "employment"), ("EDU_CLOSED", "children")):
        own = rows.loc[[indicator]]
        assert len(own) and not own["adjusted_for"].str.contains(variable).any(), indicator
        assert own["left_out"].str.contains(f"{variable}: alike for everybody").all()
    assert rows.loc[["EMP_HOURS_DOWN"], "adjusted_for"].str.contains("employment").all()  # workers differ in how they work


def test_what_an_indicator_is_made_of_is_no_covariate_of_it(repository: Path) -> None:
    catalogue = DataRoot(repository / "raw_data").catalogue()
    code = next(iter(catalogue.indicators))
    works = catalogue.indicators[code].model_copy(update={"numerator": "job_before <> 'not_working' AND sex = 'F'"})
    catalogue.indicators[code] = works
    own = part_of_indicator(catalogue, set())
    assert own[code] == {"employment", "sex"} and not own["EDU_CLOSED"]


def test_only_changed_surveys_are_fitted_again(built: Place) -> None:
    def times() -> dict[str, int]:
        return {key: built.paths.staging().table("adjusted_gaps", key).stat().st_mtime_ns for key in SURVEYS}

    before = times()
    built.build()
    assert times() == before
    built.edit(PAK, r"^mode: sms", "mode: web")
    built.build()
    assert [key for key in SURVEYS if times()[key] != before[key]] == [PAK]


def test_a_lost_file_is_made_again_to_the_bit(built: Place) -> None:
    before = built.ask("FROM adjusted_gaps ORDER BY survey_id, indicator")
    built.paths.staging().table("gap_decomposition", PAK).unlink()
    outcome = built.build()
    assert outcome.error is None and built.paths.staging().table("gap_decomposition", PAK).is_file()
    pd.testing.assert_frame_equal(built.ask("FROM adjusted_gaps ORDER BY survey_id, indicator"), before)


def test_a_release_without_any_decomposition_has_its_adjusted_gaps(whole_build: Place) -> None:
    adjusted, gaps = whole_build.ask("FROM adjusted_gaps"), whole_build.ask("FROM gender_gaps")
    rules = whole_build.paths.data_root().publication_rules.disclosure
    published, parts = adjusted_as_published(adjusted, pd.DataFrame({"survey_id": []}), gaps, rules)
    assert len(published) == len(adjusted) and parts.empty


def test_what_is_kept_for_a_release_gives_away_no_more_than_the_release(whole_build: Place) -> None:
    staging = whole_build.paths.staging()
    for name in ("adjusted_gaps", "gap_decomposition"):
        kept, columns = (
            staging.read(name, SURVEYS),
            ["survey_id", "indicator", *(["variable"] if name == "gap_decomposition" else [])],
        )
        shown = whole_build.ask(f"FROM {name}")
        kept, shown = (frame.sort_values(columns, ignore_index=True) for frame in (kept, shown))
        numbers = [column for column in shown.select_dtypes("float") if column in kept]
        assert len(kept) == len(shown) > 200 and len(numbers) > 3
        pd.testing.assert_frame_equal(kept[numbers], shown[numbers], check_dtype=False)


def test_an_adjusted_gap_of_another_gap_than_the_published_one_is_not_shown(whole_build: Place) -> None:
    adjusted, parts, gaps = (whole_build.ask(f"FROM {name}") for name in ("adjusted_gaps", "gap_decomposition", "gender_gaps"))
    same, whole = of_published_gaps(adjusted, parts, gaps)
    pd.testing.assert_frame_equal(same, adjusted)
    assert len(whole) == len(parts)
    row = adjusted[adjusted["gap"].notna()].iloc[0]
    here = (gaps["survey_id"] == row["survey_id"]) & (gaps["indicator"] == row["indicator"])
    for gap in (row["gap"] + 1, np.nan):
        found, left = of_published_gaps(adjusted, parts, gaps.assign(gap=gaps["gap"].mask(here, gap)))
        changed = found[(found["survey_id"] == row["survey_id"]) & (found["indicator"] == row["indicator"])].iloc[0]
        assert changed["obs_status"] == "Q" and np.isnan(changed["adjusted_gap"]) and "before these" in changed["reason"]
        assert found["gap"].notna().sum() == adjusted["gap"].notna().sum() - 1
        assert not ((left["survey_id"] == row["survey_id"]) & (left["indicator"] == row["indicator"])).any()


def test_without_a_breakdown_by_sex_no_adjusted_gap_is_shown(whole_build: Place) -> None:
    root = whole_build.paths.data_root()
    adjusted, parts = computed(root, whole_build.paths.staging(), PAK)
    shown, left = adjusted_as_published(adjusted, parts, pd.DataFrame(), root.publication_rules.disclosure)
    assert adjusted["gap"].notna().any() and shown["gap"].isna().all() and left.empty and (shown["obs_status"] == "Q").all()
