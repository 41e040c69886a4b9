"""What a release shows and hides: attacked with nothing but what is published."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from assets.estimates import sums_of
from assets.publication import published
from pipelines.build import BuildOutcome
from pipelines.resources import paths
from rga.microdata.data_root import DataRoot
from rga.microdata.publication_rules import PublicationRules
from rga.simulate.programme import PROGRAMME
from rga.survey import Sums, estimates_and_gaps
from rga.survey.disclosure import models
from rga.survey.exact import attack
from rga.survey.margins import Cells, cells_of
from rga.survey.secrets import Values, values_of
from rga.warehouse.tables import tables
from tests.pipeline.place import SURVEYS, Place

ATTACKED = SURVEYS[1]
KEY = ["survey_id", "indicator", "statistic", "category", "breakdown"]


@pytest.fixture(scope="module")
def place(whole_build: Place) -> Place:
    return whole_build


@pytest.fixture(scope="module")
def sums(place: Place) -> Sums:
    return sums_of(place.paths.staging(), [ATTACKED], place.paths.data_root().catalogue())


@pytest.fixture(scope="module")
def truth(place: Place, sums: Sums) -> pd.DataFrame:
    shown = place.ask(f"SELECT * FROM estimates WHERE survey_id = '{ATTACKED}'")
    return truth_of(place.paths.data_root(), sums, shown, ATTACKED)


def truth_of(root: DataRoot, sums: Sums, shown: pd.DataFrame, survey_id: str) -> pd.DataFrame:
    """What only the data team knows: the number of respondents behind each row of ``shown`` (the release's estimates), and behind
    the cells of three dimensions that are not published (``published`` is false)."""
    catalogue = root.catalogue()
    frame, _ = estimates_and_gaps(sums, catalogue.breakdowns, root.specification(survey_id).design.lonely_psu)
    for name in catalogue.dimensions:
        frame[name] = frame[name].replace(catalogue.columns[name].sdmx)
    keys = [*KEY, *catalogue.dimensions]
    known = ["obs_status", "conf_status", "reason", "precision", "rounded_to", "dhs_rule", "nchs_rule", "nchs_review"]
    both = shown[[*keys, *known, "value", "se"]].astype(dict.fromkeys(keys, str))
    asked = frame[frame["indicator"].isin(shown["indicator"])]
    both = asked.rename(columns={"value": "exact"}).drop(columns="se").merge(both, on=keys, how="left", validate="one_to_one")
    both["published"] = both["obs_status"].notna()
    assert both["published"].sum() == len(shown)
    three = both["breakdown"].str.count(r"\*") == 2
    assert three[~both["published"]].all()
    with_three = set(both.loc[three & both["published"], "indicator"])  # of the others nothing is known of three dimensions
    return both[~three | both["indicator"].isin(with_three)].reset_index(drop=True)


def promised(place_rules: PublicationRules, truth: pd.DataFrame, cells: Cells) -> Values:
    """Which of ``cells`` are secrets, and how many values of each must remain."""
    padding = np.zeros(len(cells.n) - len(truth), dtype=bool)
    withheld = ((truth["obs_status"] == "Q") & (truth["reason"] != "confidential")).to_numpy()
    return values_of(
        cells.count,
        cells.n,
        np.append(withheld, padding),
        np.append(truth["published"].to_numpy(), padding),
        place_rules.disclosure,
    )


def narrow(truth: pd.DataFrame, hidden: np.ndarray, cells: Cells, rules: PublicationRules) -> pd.DataFrame:
    """Secrets whose number a reader can narrow too far, where ``hidden`` cells are in no table: by counts or by weighted sums."""
    values = promised(rules, truth, cells)
    step = np.zeros(len(cells.n))
    step[: len(truth)] = np.nan_to_num(np.fmax(truth["rounded_to"], truth["precision"]).to_numpy(np.float64))
    open_ = np.ones(len(cells.n), dtype=bool)
    open_[: len(truth)] = hidden
    target, found = open_ & values.secret, np.zeros(len(open_), dtype=bool)
    for limits, true_table, whole in zip(
        models(cells, open_, step, values), (cells.count, cells.weighted), (True, False), strict=True
    ):
        low, high = attack(cells, limits, true_table, target, whole)
        # Sums with cycles: what limits miss of weighted sums is not worth a twentieth of a respondent.
        slack = 0.0 if whole else 0.05 * limits.unit
        found |= target & limits.too_few(low - slack, high + slack)
    return truth[found[: len(truth)]]


def hidden_and_cells(place: Place, truth: pd.DataFrame, shown_too: pd.DataFrame | None = None) -> tuple[np.ndarray, Cells]:
    """Cells of the release whose share is in no table: neither estimates nor ``shown_too`` (gender_gaps)."""
    open_ = np.array(truth["value"].isna())
    if shown_too is not None:
        others = [name for name in place.paths.data_root().catalogue().dimensions if name != "sex"]
        for sex, column in (("F", "women"), ("M", "men")):
            seen = shown_too.loc[shown_too[column].notna(), [*KEY, *others]].astype(str)
            index = pd.MultiIndex.from_frame(truth[[*KEY, *others]].astype(str))
            open_ &= ~(index.isin(pd.MultiIndex.from_frame(seen)) & (truth["sex"] == sex).to_numpy())
    return open_, cells_of(truth.assign(value=truth["exact"]), place.paths.data_root().catalogue().breakdowns)


def test_no_hidden_count_can_be_narrowed_to_fewer_than_four_values(place: Place, truth: pd.DataFrame) -> None:
    """By integer programming over estimates and gaps; all values where a base has fewer than three respondents. The reader knows
    the count of every cell that shows a share (of rounded ones, what it rounds from), then its weighted sum instead."""
    gaps = place.ask(f"SELECT * FROM gender_gaps WHERE survey_id = '{ATTACKED}'")
    hidden, cells = hidden_and_cells(place, truth, gaps)
    assert (hidden & (truth["n"] >= 25)).sum() > 1000 and (truth["conf_status"] == "C").sum() > 5
    found = narrow(truth, hidden, cells, place.paths.data_root().publication_rules)
    assert found.empty, found[["indicator", "breakdown", "sex", "n", "numerator_n", "conf_status"]].to_string()


@pytest.mark.long
@pytest.mark.parametrize("survey_id", sorted(survey.key for survey in PROGRAMME))
def test_no_hidden_count_of_any_survey_can_be_narrowed(
    programme: tuple[Path, BuildOutcome], release: duckdb.DuckDBPyConnection, repository: Path, survey_id: str
) -> None:
    where = paths(repository / "raw_data", programme[0])
    root = where.data_root()
    sums = sums_of(where.staging(), [survey_id], root.catalogue())
    shown = release.execute("SELECT * FROM estimates WHERE survey_id = ?", [survey_id]).df()
    truth = truth_of(root, sums, shown, survey_id)
    cells = cells_of(truth.assign(value=truth["exact"]), root.catalogue().breakdowns)
    found = narrow(truth, truth["value"].isna().to_numpy(), cells, root.publication_rules)
    assert found.empty, found[["indicator", "breakdown", "n"]].to_string()


def test_the_attack_succeeds_where_only_thin_cells_are_hidden(place: Place, truth: pd.DataFrame) -> None:
    few = truth[truth["indicator"].isin(sorted(truth["indicator"].unique())[:8])].reset_index(drop=True)
    cells = cells_of(few.assign(value=few["exact"]), place.paths.data_root().catalogue().breakdowns)
    thin = (few["n"] < 25).to_numpy()
    values = promised(place.paths.data_root().publication_rules, few.assign(obs_status="Q", reason="few_cases"), cells)
    counts, _ = models(cells, thin, np.zeros(len(few)), values)
    low, high = attack(cells, counts, cells.count, thin, whole=True)
    assert counts.too_few(low, high).sum() > 30


def test_what_is_shown_has_neither_small_count_nor_small_complement(truth: pd.DataFrame) -> None:
    shown = truth[truth["value"].notna()]
    for count in (shown["numerator_n"], shown["n"] - shown["numerator_n"]):
        assert not count.between(1, 4).any()
    assert shown["n"].min() >= 25


def test_a_rounded_share_is_a_multiple_and_nothing_beside_it_gives_the_exact_one_away(place: Place, truth: pd.DataFrame) -> None:
    rounded = truth[truth["rounded_to"].notna()]
    assert len(rounded) > 50
    multiples = rounded["value"] / rounded["rounded_to"]
    assert np.allclose(multiples, multiples.round(), atol=1e-6)
    assert (abs(rounded["value"] - 100 * rounded["exact"]) <= rounded["rounded_to"] / 2 + 1e-9).all()
    shown = place.ask(f"SELECT * FROM estimates WHERE survey_id = '{ATTACKED}' AND rounded_to IS NOT NULL")
    # Standard errors of two digits, and what else is there follows from them and the rounded share.
    assert np.allclose(shown["se"], shown["se"].map("{:.1e}".format).astype(float), rtol=1e-9, atol=0)
    assert np.allclose(shown["cv"], shown["se"] / shown["value"], rtol=0.051)
    middle = np.log(shown["ci_low"] / (100 - shown["ci_low"])) + np.log(shown["ci_high"] / (100 - shown["ci_high"]))
    assert np.allclose(middle / 2, np.log(shown["value"] / (100 - shown["value"])), atol=0.01)


def test_gaps_are_hidden_and_rounded_with_their_shares(place: Place) -> None:
    both = place.ask("""
        SELECT g.*, w.value AS w, m.value AS m, w.obs_status AS w_status, m.obs_status AS m_status
        FROM gender_gaps g
        JOIN estimates w USING (survey_id, indicator, breakdown, age_group, residence, education, marital_status, children,
                                employment, disability)
        JOIN estimates m USING (survey_id, indicator, breakdown, age_group, residence, education, marital_status, children,
                                employment, disability)
        WHERE w.sex = 'F' AND m.sex = 'M'""")
    hidden = both["w"].isna() | both["m"].isna()
    assert hidden.any() and (both["obs_status"] == "Q").equals(hidden)
    assert both.loc[hidden, ["women", "men", "gap", "se", "p_value", "p_adjusted", "ratio"]].isna().all(axis=None)
    shown = both[~hidden]
    assert np.allclose(shown["gap"], shown["w"] - shown["m"]) and np.allclose(shown["women"], shown["w"])
    confidential = both[both["conf_status"] == "C"]
    assert len(confidential) and (confidential["reason"] == "confidential").all()
    verdicts = both.groupby("verdict")["conf_status"].unique().map(list).to_dict()
    assert verdicts["withheld"] == ["C"] and (confidential["verdict"] == "withheld").all(), "it has cases enough"
    assert verdicts["too few cases"] == ["F"]


def test_other_weights_do_not_give_a_hidden_share_away(place: Place) -> None:
    """Hidden with the published share; where others than women and men are hidden, rounded to half its error and without a
    total."""
    effects = place.ask("""SELECT e.*, t.obs_status, t.se,
               EXISTS (FROM estimates h WHERE h.survey_id = e.survey_id AND h.indicator = e.indicator
                       AND h.breakdown IN ('total', 'sex') AND h.obs_status = 'Q') AS open
        FROM weighting_effects e JOIN estimates t USING (survey_id, indicator, sex) WHERE t.breakdown IN ('total', 'sex')""")
    assert effects.loc[effects["obs_status"] == "Q", "value"].isna().all() and effects["open"].any()
    narrowed = effects[effects["open"] & effects["value"].notna()]
    assert "_T" not in set(narrowed["sex"]) and {"F", "M"} == set(narrowed["sex"])
    assert (narrowed["rounded_to"] > 0.5 * narrowed["se"]).all() and (narrowed["rounded_to"] <= 1.05 * narrowed["se"]).all()
    hidden = place.ask("""SELECT women FROM weighting_sensitivity e JOIN estimates t USING (survey_id, indicator)
               WHERE t.breakdown = 'sex' AND t.sex = 'F' AND t.value IS NULL""")
    assert hidden["women"].isna().all()


def test_reasons_say_which_rule_decided(truth: pd.DataFrame) -> None:
    truth = truth[truth["published"]]
    by_reason = {str(reason): rows for reason, rows in truth.groupby("reason", observed=True)}
    assert (by_reason["few_cases"]["n"] < 25).all() and (by_reason["few_cases"]["dhs_rule"] == "suppress").all()
    for rule in ("n_effective", "wide", "relative"):
        assert (by_reason[f"nchs_{rule}"]["nchs_rule"] == rule).all() and (by_reason[f"nchs_{rule}"]["n"] >= 25).all()
    assert by_reason["under_50_cases"]["n"].between(25, 49).all()
    assert by_reason["nchs_review"]["nchs_review"].notna().all()
    assert by_reason["rounded"]["rounded_to"].notna().all() and by_reason["none"]["rounded_to"].isna().all()
    hidden = {"few_cases", "no_variance", "nchs_n_effective", "nchs_wide", "nchs_relative", "nchs_interval", "confidential"}
    assert (truth["reason"].isin(hidden) == (truth["obs_status"] == "Q")).all()
    assert ((truth["conf_status"] == "C") == (truth["reason"] == "confidential")).all()


def test_without_rounding_more_is_hidden_and_nothing_rounded(place: Place, sums: Sums) -> None:
    root = place.paths.data_root()
    tables = estimates_and_gaps(sums, root.catalogue().breakdowns, root.specification(ATTACKED).design.lonely_psu, from_total=True)
    rules = root.publication_rules
    hiding = rules.model_copy(update={"disclosure": rules.disclosure.model_copy(update={"round_to": []})})
    rounding, only_hiding = (
        published(*tables, root.catalogue(), chosen, {ATTACKED: 1.0})["estimates"] for chosen in (rules, hiding)
    )
    assert only_hiding["rounded_to"].isna().all()
    assert (only_hiding["conf_status"] == "C").sum() > (rounding["conf_status"] == "C").sum()


def test_what_is_printed_loses_at_most_a_tenth_of_its_error(truth: pd.DataFrame) -> None:
    """Of shares without protective rounding; half a standard error of those with."""
    shown = truth[truth["value"].notna()]
    loss = (shown["value"] - 100 * shown["exact"]).abs() / shown["se"].where(shown["se"] > 0)
    rounded = shown["rounded_to"].notna()
    assert len(shown) > 1000 and loss[~rounded].max() <= 0.11 and loss[rounded].max() <= 0.55  # the error printed has two digits


def test_gaps_and_changes_lose_little_more(place: Place, sums: Sums) -> None:
    _, gaps = estimates_and_gaps(sums, place.paths.data_root().catalogue().breakdowns, "adjust")
    printed = place.ask(
        f"SELECT * FROM gender_gaps WHERE survey_id = '{ATTACKED}' AND breakdown = 'sex' AND gap IS NOT NULL AND rounded_to IS NULL"
    )
    both = printed.merge(gaps[gaps["breakdown"] == "sex"], on=["survey_id", "indicator"], suffixes=("", "_exact"))
    loss = (both["gap"] - 100 * both["gap_exact"]).abs() / (100 * both["se_exact"])
    assert len(both) > 20 and loss.max() <= 0.142 and (loss <= 0.1).mean() > 0.9


def test_no_number_of_a_release_has_more_digits_than_its_column_declares(place: Place) -> None:
    for table in tables(place.paths.data_root().catalogue().dimensions):
        frame = place.ask(f"FROM {table.name}")
        pd.testing.assert_frame_equal(frame, table.as_printed(frame), check_exact=True)


def test_no_difference_of_bases_gives_a_weight(place: Place) -> None:
    """Bases of one cell that differ by one respondent differ by 0 or by a whole step, whatever that respondent weighs."""
    step, heaviest = place.ask(
        f"""SELECT population_rounded_to, max_weight FROM surveys JOIN weighting USING (survey_id)
            WHERE survey_id = '{ATTACKED}' ORDER BY step DESC LIMIT 1"""
    ).iloc[0]
    weight = place.paths.staging().read_restricted("weights", ATTACKED)["weight"]
    assert weight.max() <= step < 6 * weight.max() and heaviest == pytest.approx(weight.max(), rel=0.35)
    for table in ("estimates", "furthest_behind"):
        people = place.ask(f"SELECT population FROM {table} WHERE survey_id = '{ATTACKED}' AND population IS NOT NULL")[
            "population"
        ]
        assert len(people) > 100 and np.allclose(people / step, (people / step).round())
