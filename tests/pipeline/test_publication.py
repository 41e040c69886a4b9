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
from rga.simulate.programme import PROGRAMME
from rga.survey import Sums, estimates_and_gaps
from rga.survey.disclosure import models
from rga.survey.exact import attack
from rga.survey.margins import Cells, cells_of
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
    known = ["obs_status", "conf_status", "reason", "rounded_to", "dhs_rule", "nchs_rule", "nchs_review"]
    both = shown[[*keys, *known, "value", "se"]].astype(dict.fromkeys(keys, str))
    asked = frame[frame["indicator"].isin(shown["indicator"])]
    both = asked.rename(columns={"value": "exact"}).drop(columns="se").merge(both, on=keys, how="left", validate="one_to_one")
    both["published"] = both["obs_status"].notna()
    assert both["published"].sum() == len(shown)
    three = both["breakdown"].str.count(r"\*") == 2
    assert three[~both["published"]].all()
    with_three = set(both.loc[three & both["published"], "indicator"])  # of the others nothing is known of three dimensions
    return both[~three | both["indicator"].isin(with_three)].reset_index(drop=True)


def narrow(truth: pd.DataFrame, hidden: np.ndarray, cells: Cells) -> pd.DataFrame:
    """Published cells whose ``hidden`` number a reader can narrow too far, by counts or by weighted sums."""
    found = np.zeros(len(truth), dtype=bool)
    counts, weighted = models(cells, hidden, np.nan_to_num(truth["rounded_to"].to_numpy()), 4)
    for limits, true_table, whole in ((counts, cells.count, True), (weighted, cells.weighted, False)):
        low, high = attack(cells, limits, true_table, hidden, whole)
        # Sums with cycles: what limits miss of weighted sums is not worth a twentieth of a respondent.
        found |= hidden & truth["published"].to_numpy() & (high - low < limits.need * (1 if whole else 0.95) - 1e-6)
    assert (counts.need[hidden] == np.minimum(3, truth["n"][hidden])).all()
    return truth[found]


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
    assert narrow(truth, hidden, cells).empty


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
    found = narrow(truth, truth["value"].isna().to_numpy(), cells)
    assert found.empty, found[["indicator", "breakdown", "n"]].to_string()


def test_the_attack_succeeds_where_only_thin_cells_are_hidden(place: Place, truth: pd.DataFrame) -> None:
    few = truth[truth["indicator"].isin(sorted(truth["indicator"].unique())[:8])].reset_index(drop=True)
    cells = cells_of(few.assign(value=few["exact"]), place.paths.data_root().catalogue().breakdowns)
    thin = (few["n"] < 25).to_numpy()
    counts, _ = models(cells, thin, np.zeros(len(few)), 4)
    low, high = attack(cells, counts, cells.count, thin, whole=True)
    assert (thin & (high - low < counts.need)).sum() > 50


def test_what_is_shown_has_neither_small_count_nor_small_complement(truth: pd.DataFrame) -> None:
    shown = truth[truth["value"].notna()]
    for count in (shown["numerator_n"], shown["n"] - shown["numerator_n"]):
        assert not count.between(1, 4).any()
    assert shown["n"].min() >= 25


def test_a_rounded_share_is_a_multiple_and_nothing_beside_it_gives_the_exact_one_away(place: Place, truth: pd.DataFrame) -> None:
    rounded = truth[truth["rounded_to"].notna()]
    assert len(rounded) > 100
    multiples = rounded["value"] / rounded["rounded_to"]
    assert np.allclose(multiples, multiples.round(), atol=1e-6)
    assert (abs(rounded["value"] - 100 * rounded["exact"]) <= rounded["rounded_to"] / 2 + 1e-9).all()
    shown = place.ask(f"SELECT * FROM estimates WHERE survey_id = '{ATTACKED}' AND rounded_to IS NOT NULL")
    # Standard errors of two digits, and what else is there follows from them and the rounded share.
    assert np.allclose(shown["se"], shown["se"].map("{:.1e}".format).astype(float), rtol=1e-9, atol=0)
    assert np.allclose(shown["cv"], shown["se"] / shown["value"])
    assert shown[["deff", "n_effective"]].isna().all(axis=None), "with se they would give p(1 - p)"
    middle = np.log(shown["ci_low"] / (100 - shown["ci_low"])) + np.log(shown["ci_high"] / (100 - shown["ci_high"]))
    assert np.allclose(middle / 2, np.log(shown["value"] / (100 - shown["value"])))


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
    query = """SELECT count(*) AS n FROM weighting_effects e JOIN estimates t USING (survey_id, indicator, sex)
               WHERE t.breakdown IN ('total', 'sex') AND e.value IS NOT NULL AND (t.value IS NULL OR t.rounded_to IS NOT NULL)"""
    assert place.ask(query).n[0] == 0
    query = """SELECT count(*) FILTER (e.women IS NOT NULL) AS given, count(*) AS n
               FROM weighting_sensitivity e JOIN estimates t USING (survey_id, indicator)
               WHERE t.breakdown = 'sex' AND t.sex = 'F' AND (t.value IS NULL OR t.rounded_to IS NOT NULL)"""
    assert place.ask(query).given[0] == 0 < place.ask(query).n[0]


def test_reasons_say_which_rule_decided(truth: pd.DataFrame) -> None:
    truth = truth[truth["published"]]
    by_reason = {str(reason): rows for reason, rows in truth.groupby("reason", observed=True)}
    assert (by_reason["few_cases"]["n"] < 25).all() and (by_reason["few_cases"]["dhs_rule"] == "suppress").all()
    for rule in ("n_effective", "wide", "relative"):
        assert (by_reason[f"nchs_{rule}"]["nchs_rule"] == rule).all() and (by_reason[f"nchs_{rule}"]["n"] >= 25).all()
    assert by_reason["under_50_cases"]["n"].between(25, 49).all()
    assert by_reason["nchs_review"]["nchs_review"].notna().all()
    assert by_reason["rounded"]["rounded_to"].notna().all() and by_reason["none"]["rounded_to"].isna().all()
    hidden = {"few_cases", "no_variance", "nchs_n_effective", "nchs_wide", "nchs_relative", "confidential"}
    assert (truth["reason"].isin(hidden) == (truth["obs_status"] == "Q")).all()
    assert ((truth["conf_status"] == "C") == (truth["reason"] == "confidential")).all()


def test_without_rounding_more_is_hidden_and_nothing_rounded(place: Place, sums: Sums) -> None:
    root = place.paths.data_root()
    tables = estimates_and_gaps(sums, root.catalogue().breakdowns, root.specification(ATTACKED).design.lonely_psu, from_total=True)
    rules = root.publication_rules
    hiding = rules.model_copy(update={"disclosure": rules.disclosure.model_copy(update={"round_to": []})})
    rounding, only_hiding = (published(*tables, root.catalogue(), chosen)["estimates"] for chosen in (rules, hiding))
    assert only_hiding["rounded_to"].isna().all()
    assert (only_hiding["conf_status"] == "C").sum() > (rounding["conf_status"] == "C").sum()
