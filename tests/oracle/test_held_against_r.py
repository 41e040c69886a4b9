"""Calibrated designs with people without a PSU or a category on a margin, against R (golden/held_*, made by make_golden_held.R).

Belongs here: standard errors and tests of independence of such designs. Not here: the weights, anything that needs R installed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Mean, Result, Share, Total, independence, joint_categories, jointly, tabulate

GOLDEN = Path(__file__).parent / "golden"
TEXTS = dict.fromkeys(["stratum", "psu", "common", "sex_m", "education_m"], "str")
PERSONS = pd.read_csv(GOLDEN / "held_persons.csv", dtype=TEXTS)
ESTIMATES = pd.read_csv(GOLDEN / "held_estimates.csv", keep_default_na=False)
TESTS = pd.read_csv(GOLDEN / "held_tests.csv")
PAIRS = list(TESTS[["rows", "columns"]].drop_duplicates().itertuples(index=False, name=None))
MARGINS = {
    "complete": (("sex", "age_group"), ("sex", "education")),
    "apart": (("sex_m",), ("age_group",), ("education_m",)),
    "within": (("sex_m", "age_group"), ("sex_m", "education_m")),
}
STATISTICS = {
    "common": Share("common", "", "common = 'yes'"),
    "amount": Mean("amount", "", "amount"),
    "total": Total("total", "", "amount"),
    "no education": Share("no education", "", "education_m IS NULL"),
}
BY: list[tuple[str, ...]] = [(), ("sex",), ("region",), ("sex", "region")]


def calibrated(problem: str) -> tuple[pd.DataFrame, Design]:
    weight = f"{problem}.{'raking' if problem == 'complete' else 'linear'}"
    margins = {f"margin_{k}": joint_categories(PERSONS, list(names)) for k, names in enumerate(MARGINS[problem])}
    return PERSONS.assign(**margins), Design(weight, "stratum", "psu", base_weight="base_weight", margins=tuple(margins))


@pytest.mark.parametrize("problem", MARGINS)
def test_the_one_pass_has_r_s_errors_with_people_without_psu_or_category(problem: str) -> None:
    data, design = calibrated(problem)
    assert 50 < data["psu"].isna().sum() < 200
    ours = tabulate(data, design, list(STATISTICS.values()), BY)
    cells = ours["sex"].where(ours["sex"] != "_T", "") + "*" + ours["region"].where(ours["region"] != "_T", "")
    ours["domain"] = cells.str.strip("*").replace("", "_T")
    theirs = ESTIMATES[ESTIMATES["problem"] == problem]
    both = theirs.merge(ours, left_on=["y", "domain"], right_on=["code", "domain"], suffixes=("_r", ""), validate="1:1")
    assert len(both) == len(theirs) >= 15
    assert both["value"].to_numpy() == pytest.approx(both["value_r"].to_numpy(), rel=1e-9)
    # A derivative by differences is known to some 1e-8.
    assert both["se"].to_numpy() == pytest.approx(both["se_r"].to_numpy(), rel=1e-8 if problem == "complete" else 1e-6)


@pytest.mark.parametrize("problem", MARGINS)
def test_influence_values_have_r_s_errors_with_people_without_psu_or_category(problem: str) -> None:
    data, design = calibrated(problem)
    theirs = ESTIMATES[ESTIMATES["problem"] == problem]
    domains = {
        "_T": {},
        "F": {"sex": "F"},
        "M": {"sex": "M"},
        "north": {"region": "north"},
        "F*north": {"sex": "F", "region": "north"},
    }
    joint = jointly(data, design, [Result(STATISTICS[row.y], domains[row.domain]) for row in theirs.itertuples()])
    assert joint.table["se"].to_numpy() == pytest.approx(theirs["se"].to_numpy(), rel=1e-8 if problem == "complete" else 1e-6)


@pytest.mark.parametrize(("rows", "columns"), PAIRS)
def test_independence_under_calibration_is_r_s_test(rows: str, columns: str) -> None:
    data, design = calibrated("complete")
    theirs = TESTS[(TESTS["rows"] == rows) & (TESTS["columns"] == columns)].set_index("test")
    ours = independence(data, design, rows, columns).tests
    assert ours["p_value"].to_numpy() == pytest.approx(theirs.loc[ours.index, "p"].to_numpy(), rel=1e-6)
    of_same_scale = ["F", "Wald", "adjWald"]  # R prints Pearson's statistic beside `Chisq`
    assert ours.loc[of_same_scale, "statistic"].to_numpy() == pytest.approx(
        theirs.loc[of_same_scale, "statistic"].to_numpy(), rel=1e-6
    )
    # Without the margins the answer is another.
    plain = independence(data, Design(design.weight, "stratum", "psu"), rows, columns).tests
    assert np.abs(plain["statistic"] / ours["statistic"] - 1).max() > 0.01
