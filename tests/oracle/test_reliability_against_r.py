"""The NCHS presentation standards against the rules of CDC's surveytable, written out in R (golden/reliability.csv, made by
make_golden_reliability.R)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.microdata.publication_rules import PublicationRules, load_publication_rules
from rga.survey import korn_graubard
from rga.survey.reliability import FLAG_BELOW, SUPPRESS_BELOW, nchs

GOLDEN = Path(__file__).parent / "golden" / "reliability.csv"


@pytest.fixture(scope="module")
def rules(repository: Path) -> PublicationRules:
    return load_publication_rules(repository / "raw_data" / "catalogue")


@pytest.fixture(scope="module")
def golden() -> pd.DataFrame:
    return pd.read_csv(GOLDEN, keep_default_na=False)


def test_the_golden_table_has_every_branch(golden: pd.DataFrame) -> None:
    assert set(golden["rule"]) == {"n_effective", "narrow", "wide", "relative", "passed"}
    assert {"", "complement", "df", "bound", "complement,df", "df,bound"} == set(golden["review"])
    assert golden["rule"].value_counts().min() >= 15


def test_every_decision_equals_surveytables(golden: pd.DataFrame, rules: PublicationRules) -> None:
    found = nchs(*(golden[name].to_numpy() for name in ("p", "se", "n", "df")), rules.nchs)
    assert found.step.tolist() == golden["rule"].tolist()
    for name, flags in (("complement", found.complement), ("df", found.few_df), ("bound", found.bound)):
        assert flags.tolist() == [name in review.split(",") for review in golden["review"]], name
    assert found.suppressed.tolist() == [rule not in {"narrow", "passed"} for rule in golden["rule"]]


def test_the_width_of_the_interval_is_rs(golden: pd.DataFrame) -> None:
    inside = golden[(golden["p"] > 0) & (golden["p"] < 1)]
    low, high = korn_graubard(*(inside[name].to_numpy() for name in ("p", "se", "n", "df")))
    assert np.allclose(high - low, inside["width"], rtol=1e-9, atol=0)


def test_a_share_without_error_or_degrees_of_freedom_is_suppressed(rules: PublicationRules) -> None:
    found = nchs(np.array([0.5, 0.5, np.nan]), np.array([np.nan, 0.01, np.nan]), np.full(3, 500), np.array([9, 0, 9]), rules.nchs)
    assert (found.step == "undefined").all() and found.suppressed.all() and not found.flagged.any()


def test_the_file_and_the_librarys_defaults_say_the_same(rules: PublicationRules) -> None:
    assert (rules.dhs.suppress_below, rules.dhs.flag_below) == (SUPPRESS_BELOW, FLAG_BELOW)
