"""Published estimates and gaps of countries into the tables of all countries of a round together.

Belongs here: who takes part in an aggregate and by which weight, and one form for what comes of it. Not here: the arithmetic
(``regional``, ``heterogeneity``), national estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import stdtr

from rga.survey.design import MEN, SEX, TOTAL, WOMEN
from rga.survey.estimation import POPULATION_SCALE
from rga.survey.gaps import benjamini_hochberg
from rga.survey.heterogeneity import heterogeneity
from rga.survey.intervals import logit_interval, t_interval
from rga.survey.precision import to_digits
from rga.survey.regional import Pooled, pool, pool_gaps, range_without

RULES = ("population_weighted", "simple_mean")
GAP = "F-M"  # in place of a sex: the gap between them
FEWEST = 2  # countries that make an aggregate
SET = ["round", "simulated", "indicator"]
SHOWN = "not shown: too few cases or confidential"
REASONS = {"altered": "question altered", "not_asked": "not asked", "asked": SHOWN}
NOT_PEOPLE = "weights do not add up to people"


@dataclass(frozen=True)
class Wide:
    """Rows of a published table as matrices sets x countries; ``sets`` has a row per set, ``countries`` names the columns."""

    sets: pd.DataFrame
    countries: np.ndarray
    measures: dict[str, np.ndarray]

    @classmethod
    def of(cls, frame: pd.DataFrame, keys: list[str], measures: list[str], countries: np.ndarray) -> Wide:
        grouped = frame.groupby(keys, sort=True)
        row, column = grouped.ngroup().to_numpy(), np.searchsorted(countries, frame["country"].to_numpy(dtype=str))
        sets = frame[keys].drop_duplicates().sort_values(keys).reset_index(drop=True)
        found = {}
        for name in measures:
            found[name] = np.full((len(sets), len(countries)), np.nan)
            if name in frame:
                found[name][row, column] = frame[name].to_numpy(dtype=np.float64)
        return cls(sets, countries, found)


def regional_tables(
    estimates: pd.DataFrame, gaps: pd.DataFrame, coverage: pd.DataFrame, surveys: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Rows of `regional_estimates`, `regional_gaps`, `regional_contributions` and `gap_heterogeneity`.

    ``estimates`` and ``gaps`` (shares in per cent), ``coverage`` and ``surveys`` (survey_id, country, round, simulated) are as
    published. An aggregate is of one round and indicator; real and simulated surveys have aggregates of their own. In it are the
    surveys that asked the question as it stands (coverage `asked`) and whose number is shown; the others of the round are named,
    with the reason. Weights: 1 (`simple_mean`), or the ``population`` of the estimate's cell (`population_weighted`), from which
    surveys are left out whose weights do not count people. Sets of fewer than two countries make no row.
    """
    status = coverage.merge(surveys[["survey_id", "country", "round", "simulated"]], on="survey_id")
    key = pd.MultiIndex.from_frame(status[["survey_id", "indicator"]])
    asked = key[(status["status"] == "asked").to_numpy()]
    cells = _usable(estimates[estimates["breakdown"].isin(["total", SEX])], asked, "value")
    cells = cells[cells[SEX].isin([WOMEN, MEN, TOTAL])]
    pairs = _usable(gaps[gaps["breakdown"] == SEX], asked, "gap")
    for side, sex in (("women", WOMEN), ("men", MEN)):
        of_side = cells.loc[cells[SEX] == sex, ["survey_id", "indicator", "se", "population", "n"]]
        names = {name: f"{name}_{side}" for name in ("se", "population", "n")}
        pairs = pairs.drop(columns=list(names.values()), errors="ignore")
        pairs = pairs.merge(of_side.rename(columns=names), on=["survey_id", "indicator"])
    countries = np.array(sorted(surveys["country"].unique()), dtype=str)
    of_shares = Wide.of(cells, [*SET, SEX], ["value", "se", "df", "n", "population", "rounded_to"], countries)
    sides = [f"{name}_{side}" for name in ("se", "population", "n") for side in ("women", "men")]
    of_gaps = Wide.of(pairs, SET, ["women", "men", "gap", "se", "df", "rounded_to", *sides], countries)
    why = _Reasons(status, countries)
    made = [made for rule in RULES for made in (_shares(of_shares, rule, why), _gaps(of_gaps, rule, why))]
    estimated, compared = (pd.concat([table for table, _ in made[i::2]], ignore_index=True) for i in (0, 1))
    compared["p_adjusted"] = np.nan
    for rows in compared.groupby(["round", "simulated", "aggregation"], sort=False).indices.values():
        compared.loc[rows, "p_adjusted"] = benjamini_hochberg(compared["p_value"].to_numpy()[rows])
    return {
        "regional_estimates": estimated,
        "regional_gaps": compared,
        "regional_contributions": pd.concat([table for _, table in made], ignore_index=True),
        "gap_heterogeneity": _heterogeneity(of_gaps),
    }


def _usable(frame: pd.DataFrame, asked: pd.MultiIndex, value: str) -> pd.DataFrame:
    """Rows of shares that are shown with their error, of surveys that asked the question as it stands."""
    known = frame[value].notna() & frame["se"].notna() & (frame["obs_status"] != "Q") & (frame["statistic"] == "share")
    found = frame[known & (frame["category"] == TOTAL)]
    return found[pd.MultiIndex.from_frame(found[["survey_id", "indicator"]]).isin(asked)]


class _Reasons:
    """Why a survey of the round is not in an aggregate."""

    def __init__(self, status: pd.DataFrame, countries: np.ndarray) -> None:
        self.countries = countries
        self.of = {key: dict(zip(rows["country"], rows["status"], strict=True)) for key, rows in status.groupby(SET)}

    def said(self, sets: pd.DataFrame, inside: np.ndarray, shown: np.ndarray) -> tuple[list[str], list[int], list[str | None]]:
        """The countries in each set; how many others the round has; their names and why. ``shown``: whatever the weights."""
        taking, others, names = [], [], []
        for key, used, visible in zip(sets[SET].itertuples(index=False, name=None), inside, shown, strict=True):
            chosen = set(self.countries[used])
            weightless = set(self.countries[visible]) - chosen
            out = [
                f"{country} ({NOT_PEOPLE if country in weightless else REASONS[status]})"
                for country, status in sorted(self.of[key].items())
                if country not in chosen
            ]
            taking.append(", ".join(sorted(chosen)))
            others.append(len(out))
            names.append("; ".join(out) or None)
        return taking, others, names


def _weights(rule: str, population: np.ndarray, n: np.ndarray, shown: np.ndarray) -> np.ndarray:
    """The weight of each country, NaN where it has none."""
    if rule == "simple_mean":
        return np.where(shown, 1.0, np.nan)
    return np.where(shown & (population > POPULATION_SCALE * n), population, np.nan)


def _shares(wide: Wide, rule: str, why: _Reasons) -> tuple[pd.DataFrame, pd.DataFrame]:
    m = wide.measures
    shown = ~np.isnan(m["value"])
    weight = _weights(rule, m["population"], m["n"], shown)
    pooled = pool(m["value"], m["se"], m["df"], weight)
    value = np.clip(pooled.value, 0, 100)  # rounding of weights that add up to 1
    low, high = logit_interval(value / 100, np.where(pooled.se > 0, pooled.se / 100, np.nan), pooled.df)
    facts = {"value": value, "se": pooled.se, "ci_low": 100 * low, "ci_high": 100 * high}
    numbers = {"n": np.nansum(np.where(np.isnan(weight), np.nan, m["n"]), axis=1)}
    return _tables(wide, rule, why, pooled, shown, facts, numbers, "value")


def _gaps(wide: Wide, rule: str, why: _Reasons) -> tuple[pd.DataFrame, pd.DataFrame]:
    m = wide.measures
    shown = ~np.isnan(m["gap"])
    weight = [_weights(rule, m[f"population_{side}"], m[f"n_{side}"], shown) for side in ("women", "men")]
    inside = ~np.isnan(weight[0]) & ~np.isnan(weight[1])
    pooled, women, men = pool_gaps((m["women"], m["men"]), (m["se_women"], m["se_men"], m["se"]), m["df"], (weight[0], weight[1]))
    spread = np.where(pooled.se > 0, pooled.se, np.nan)
    low, high = t_interval(pooled.value, spread, pooled.df)
    p_value = 2 * stdtr(pooled.df, -np.abs(pooled.value / spread))
    within = np.nansum(pooled.weight * m["gap"], axis=1)
    facts = {"women": women, "men": men, "gap": pooled.value, "se": pooled.se, "ci_low": low, "ci_high": high}
    facts |= {"p_value": p_value, "gap_within_countries": within}
    numbers = {f"n_{side}": np.nansum(np.where(inside, m[f"n_{side}"], np.nan), axis=1) for side in ("women", "men")}
    return _tables(wide, rule, why, pooled, shown, facts, numbers, "gap")


def _tables(
    wide: Wide, rule: str, why: _Reasons, pooled: Pooled, shown: np.ndarray, facts: Mapping[str, np.ndarray],
    numbers: Mapping[str, np.ndarray], measure: str,
) -> tuple[pd.DataFrame, pd.DataFrame]:  # fmt: skip
    """Rows of an aggregate's table, and of its countries."""
    inside = ~np.isnan(pooled.weight)
    kept = inside.sum(axis=1) >= FEWEST
    sets, inside = wide.sets[kept].reset_index(drop=True), inside[kept]
    taking, others, names = why.said(sets, inside, shown[kept])
    lowest, highest, low_at, high_at = (found[kept] for found in range_without(pooled.without))
    table = sets.assign(
        aggregation=rule,
        **{name: found[kept] for name, found in facts.items()},
        df=pooled.df[kept],
        **{name: found[kept].astype(np.int64) for name, found in numbers.items()},
        rounded_to=_rounding(wide.measures["rounded_to"], pooled.weight)[kept],
        countries=inside.sum(axis=1),
        country_list=taking,
        left_out=others,
        left_out_list=pd.array(names, dtype="string"),
        without_low=lowest,
        without_low_country=wide.countries[low_at],
        without_high=highest,
        without_high_country=wide.countries[high_at],
    )
    row, column = np.nonzero(inside)
    each = {
        "weight_share": pooled.weight, "value": wide.measures[measure], "se": wide.measures["se"], "part": pooled.part,
        "variance_share": pooled.variance_share, "without": pooled.without, "rounded_to": wide.measures["rounded_to"],
    }  # fmt: skip
    of_countries = sets.iloc[row].reset_index(drop=True).assign(aggregation=rule, country=wide.countries[column])
    if SEX not in of_countries:
        of_countries[SEX] = GAP
    return table, of_countries.assign(**{name: found[kept][row, column] for name, found in each.items()})


def _rounding(steps: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """By row, how far the rounding of countries' numbers can move their mean, as a step; NaN where none is rounded."""
    found = np.nansum(np.nan_to_num(steps) * np.nan_to_num(weight), axis=1)
    return to_digits(np.where(found > 0, found, np.nan))


def _heterogeneity(wide: Wide) -> pd.DataFrame:
    effect, se = wide.measures["gap"], wide.measures["se"]
    found = heterogeneity(effect, se**2)
    table = wide.sets.assign(**vars(found)).rename(columns={"k": "countries"})
    used = [", ".join(wide.countries[row]) for row in (~np.isnan(effect) & (np.nan_to_num(se) > 0))]
    table.insert(len(SET) + 1, "country_list", used)
    table["rounded_to"] = np.fmax.reduce(wide.measures["rounded_to"], axis=1)
    return table[(found.k >= FEWEST) & ~np.isnan(found.tau2)].reset_index(drop=True)
