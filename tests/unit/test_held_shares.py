"""Standard errors of surveys with respondents whose category of a margin is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rga.survey import Design, Mean, Result, Share, Total, calibrate, independence, joint_categories, jointly, tabulate

BENCHMARK = {
    "sex": {"F": 0.52, "M": 0.48},
    "age": {"young": 0.4, "old": 0.6},
    "education": {"low": 0.5, "middle": 0.3, "high": 0.2},
}
POPULATION = 50_000
MARGINS = [("sex", "age", "education"), ("sex*age", "sex*education"), ("sex*age*education",)]


def respondents(n: int = 160) -> pd.DataFrame:
    """Of whom some miss sex, some education, some both; 1 in 4 has no PSU."""
    rng = np.random.default_rng(31)
    frame = pd.DataFrame({name: rng.choice(list(shares), n, p=list(shares.values())) for name, shares in BENCHMARK.items()})
    frame["y"] = np.where(rng.random(n) < 0.3 + 0.3 * (frame["sex"] == "F") - 0.2 * (frame["education"] == "high"), 1.0, 0.0)
    frame["amount"] = rng.normal(20, 5, n) + 8 * frame["y"]
    frame["missing"] = rng.random(n) < np.where(frame["sex"] == "F", 0.4, 0.15)
    frame["education"] = frame["education"].astype(object).where(~frame["missing"], None)
    frame["sex"] = frame["sex"].astype(object).where(rng.random(n) > 0.1, None)
    frame["base"] = rng.uniform(0.5, 2, n)
    frame["stratum"] = rng.choice(["a", "b"], n)
    frame["psu"] = pd.Series(rng.integers(0, 9, n).astype(str), dtype=object).where(rng.random(n) > 0.25, None)
    return frame


def categories(frame: pd.DataFrame, margins: tuple[str, ...]) -> pd.DataFrame:
    return pd.DataFrame({margin: joint_categories(frame, margin.split("*")) for margin in margins})


def targets(margins: tuple[str, ...]) -> dict[str, dict[str, float]]:
    found = {}
    for margin in margins:
        shares = {"": float(POPULATION)}
        for name in margin.split("*"):
            shares = {
                f"{stem}*{c}".strip("*"): total * part for stem, total in shares.items() for c, part in BENCHMARK[name].items()
            }
        found[margin] = shares
    return found


def weighed(frame: pd.DataFrame, margins: tuple[str, ...], base: np.ndarray, method: str = "linear") -> np.ndarray:
    return calibrate(categories(frame, margins), base, targets(margins), method).weights  # type: ignore[arg-type]


STATISTICS = [
    Share("y", "", "y = 1"),
    Share("missing", "", "missing"),
    Mean("amount", "", "amount"),
    Total("total", "", "amount"),
]


@pytest.mark.parametrize("margins", MARGINS, ids=["apart", "within sex", "one crossing"])
def test_influence_values_are_the_derivatives_of_the_whole_calibration_and_of_what_it_holds(margins: tuple[str, ...]) -> None:
    """Every weight before calibration is moved a little, and all is done again: the linear method's influence values are exact."""
    frame = respondents()
    base = frame["base"].to_numpy()
    y = np.column_stack([frame["y"], frame["missing"], frame["amount"], frame["amount"]]).astype(float)
    women = (frame["sex"] == "F").to_numpy()

    def estimates(d: np.ndarray) -> np.ndarray:
        w = weighed(frame, margins, d)
        everybody, of_women = w @ y / w.sum(), (w * women) @ y / (w @ women)
        return np.concatenate([[*everybody[:3], w @ y[:, 3]], [*of_women[:3], (w * women) @ y[:, 3]]])

    z = np.zeros((len(frame), 8))
    for i, d in enumerate(base):
        step = 1e-4 * d
        up, down = base.copy(), base.copy()
        up[i], down[i] = d + step, d - step
        z[i] = d * (estimates(up) - estimates(down)) / (2 * step)
    n = len(frame)
    expected = np.sqrt(n / (n - 1) * ((z - z.mean(axis=0)) ** 2).sum(axis=0))
    assert (expected[[0, 1, 2, 3]] > 0).all()

    design = Design("weight", base_weight="base", margins=margins)
    data = frame.assign(weight=weighed(frame, margins, base), **categories(frame, margins))
    joint = jointly(data, design, [Result(s, domain) for domain in ({}, {"sex": "F"}) for s in STATISTICS])
    assert joint.table["se"].to_numpy() == pytest.approx(expected, rel=1e-6)
    table = tabulate(data, design, STATISTICS, [(), ("sex",)])
    table = table[table["sex"].isin(["_T", "F"])]
    assert table["se"].to_numpy() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("margins", MARGINS, ids=["apart", "within sex", "one crossing"])
@pytest.mark.parametrize("psu", [None, "psu"])
def test_the_one_pass_and_influence_values_agree_with_people_missing_and_some_of_them_without_psu(
    margins: tuple[str, ...], psu: str | None
) -> None:
    frame = respondents()
    data = frame.assign(weight=weighed(frame, margins, frame["base"].to_numpy(), "raking"), **categories(frame, margins))
    design = Design("weight", "stratum", psu, base_weight="base", margins=margins)
    table = tabulate(data, design, STATISTICS, [(), ("sex",)])
    joint = jointly(
        data, design, [*map(Result, STATISTICS), *(Result(s, {"sex": c}) for s in STATISTICS for c in ("F", "M", "_U"))]
    )
    assert table["se"].to_numpy() == pytest.approx(joint.table["se"].to_numpy(), rel=1e-9)


def test_the_share_that_is_missing_has_the_error_of_the_weights_before_calibration() -> None:
    frame, margins = respondents(), ("sex", "age", "education")
    data = frame.assign(weight=weighed(frame, margins, frame["base"].to_numpy(), "raking"), **categories(frame, margins))
    missing = [Share("missing", "", "missing")]
    calibrated = tabulate(data, Design("weight", base_weight="base", margins=margins), missing)
    assert calibrated["se"].item() == pytest.approx(tabulate(data, Design("base"), missing)["se"].item(), rel=1e-9)


def test_where_nobody_is_missing_nothing_is_added() -> None:
    frame, margins = respondents(), ("age",)
    data = frame.assign(weight=weighed(frame, margins, frame["base"].to_numpy()))
    table = tabulate(data, Design("weight", base_weight="base", margins=margins), [Share("old", "", "age = 'old'")])
    assert table["se"].item() < 1e-9


def test_a_table_whose_cells_are_all_known_from_the_margins_has_no_test_of_independence() -> None:
    frame = respondents()
    frame["education"], frame["sex"] = frame["education"].fillna("low"), frame["sex"].fillna("M")
    margins = ("sex*education",)
    data = frame.assign(weight=weighed(frame, margins, frame["base"].to_numpy()), **categories(frame, margins))
    found = independence(data, Design("weight", base_weight="base", margins=margins), "sex", "education")
    assert found.tests["statistic"].isna().all()
