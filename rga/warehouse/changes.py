"""Rows of `changes`: two rounds of a country side by side.

Belongs here: which rows the table has, what is withheld, and multiple testing. Not here: standard errors of changes
(``rga.survey.changes``), verdicts on comparability (``rga.microdata.comparability``), DDL (``change_tables``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from rga.microdata.comparability import Verdict
from rga.survey import benjamini_hochberg
from rga.survey.changes import GAP, LEVEL, independent_change, inference
from rga.survey.design import MISSING, SEX, TOTAL
from rga.survey.gaps import variance_if_alike
from rga.survey.intervals import mover
from rga.survey.precision import to_digits, with_rounding
from rga.survey.reliability import SUPPRESS_BELOW

NUMBERS = ["earlier", "later", "change", "se", "ci_low", "ci_high", "p_value", "p_adjusted"]
STATUSES = {"obs_status": ["A", "U", "Q"], "conf_status": ["F", "C"]}  # from the best to the worst
SIDE = ["value", "se", "ci_low", "ci_high", "df", "n", "precision", "rounded_to", "bound", *STATUSES]


@dataclass(frozen=True)
class Round:
    """A survey's published rows of `estimates` and `gender_gaps`; of their columns those that ``read`` names are enough."""

    estimates: pd.DataFrame
    gaps: pd.DataFrame

    @staticmethod
    def read(dimensions: list[str]) -> list[str]:
        return [*_keys(dimensions)[1:], *SIDE, "gap", "women", "men", "n_women", "n_men"]

    def rows(self, dimensions: list[str]) -> pd.DataFrame:
        """Levels and gaps as rows of one shape: measure, keys, value, se, df, n, the statuses, and whether it is the share of
        nobody or everybody, or the gap of one."""
        estimates, gaps = self.estimates, self.gaps.rename(columns={"gap": "value"})
        if len(gaps):
            bound = gaps["women"].isin([0, 100]) | gaps["men"].isin([0, 100])
            gaps = gaps.assign(n=gaps["n_women"] + gaps["n_men"], bound=bound, **{SEX: TOTAL})
        if len(estimates):
            estimates = estimates.assign(bound=estimates["value"].isin([0, 100]) & (estimates["statistic"] == "share"))
        found = [
            frame.reindex(columns=[*_keys(dimensions)[1:], *SIDE]).assign(measure=measure)
            for measure, frame in ((LEVEL, estimates), (GAP, gaps))
            if len(frame)
        ]
        return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=[*_keys(dimensions), *SIDE])


def change_rows(
    earlier: Round,
    later: Round,
    dimensions: list[str],
    indicators: Mapping[str, Verdict],
    breakdowns: Mapping[str, Verdict],
    sample: str = "independent",
    linked: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Rows of `changes` for a pair of rounds, without country, rounds and simulated.

    A comparable indicator has a row for each cell of known categories that both rounds have, of each comparable breakdown;
    one that is not comparable has a single row with the reason and no numbers, as has a breakdown whose groups are not.
    ``linked``: `rga.survey.changes.linked_changes` in per cent, for rounds that share people or PSUs (``sample`` says which);
    otherwise samples are independent.
    """
    keys = _keys(dimensions)
    one, other = (side.rows(dimensions) for side in (earlier, later))
    both = one.merge(other, on=keys, suffixes=("_earlier", "_later"))
    both = both[~both[dimensions].isin([MISSING]).any(axis=1) & both["indicator"].isin(list(indicators))].reset_index(drop=True)
    pairs = [(str(code), str(breakdown)) for code, breakdown in zip(both["indicator"], both["breakdown"], strict=True)]
    verdicts = {(code, by): indicators[code] & breakdowns.get(by, Verdict()) for code, by in dict.fromkeys(pairs)}
    found = [verdicts[pair] for pair in pairs]
    kept = np.array([verdict.comparable for verdict in found], dtype=bool)
    rows = both[kept].assign(
        comparability=[verdict.status for verdict in found if verdict.comparable],
        reason=[verdict.reason for verdict in found if verdict.comparable],
    )
    table = _with_numbers(rows.reset_index(drop=True), keys, sample, linked)
    refused = {(code, "total"): verdict for code, verdict in indicators.items() if not verdict.comparable}
    refused |= {pair: verdict for pair, verdict in verdicts.items() if not verdict.comparable and indicators[pair[0]].comparable}
    reasons = pd.DataFrame(
        [(code, breakdown, verdict.status, verdict.reason) for (code, breakdown), verdict in refused.items()],
        columns=["indicator", "breakdown", "comparability", "reason"],
    ).assign(measure=LEVEL, statistic="share", category=TOTAL, sample=sample, **dict.fromkeys(dimensions, TOTAL))
    columns = [
        *keys,
        *NUMBERS,
        "df",
        "n_earlier",
        "n_later",
        "sample",
        "overlap",
        "comparability",
        "reason",
        "rounded_to",
        *STATUSES,
    ]
    frame = pd.concat([table, reasons]) if len(reasons) else table
    frame = frame.reindex(columns=columns).reset_index(drop=True)
    texts = dict.fromkeys([*keys, "sample", "comparability", "reason", *STATUSES], "string")
    frame["conf_status"] = frame["conf_status"].fillna("F")
    frame["reason"] = frame["reason"].replace("", None)
    frame.insert(columns.index("comparability"), "comparable", frame["comparability"].isin(["comparable", "with_caution"]))
    counts = dict.fromkeys(["n_earlier", "n_later", "overlap"], "Int64")
    return frame.astype(texts | counts | dict.fromkeys([*NUMBERS, "df", "rounded_to"], "float64"))


def _with_numbers(rows: pd.DataFrame, keys: list[str], sample: str, linked: pd.DataFrame | None) -> pd.DataFrame:
    independent, df = independent_change(
        *(rows[name].to_numpy(dtype=np.float64) for name in ("se_earlier", "df_earlier", "se_later", "df_later"))
    )
    if linked is None:
        rows["se"], rows["df"], rows["overlap"] = independent, df, np.nan
    else:
        on = [name for name in keys if name != "statistic"]
        rows = rows.merge(linked[[*on, "se", "df", "overlap"]], on=on, how="left", validate="1:1")
        rows["se"] = _as_rounded(rows)
        # Few in both would be singled out among those counted in each. They could be had by subtraction (everybody less women
        # less men) if any cell but everybody's had its number.
        everybody = (rows["measure"] == LEVEL) & (rows["breakdown"] == "total")
        rows["overlap"] = rows["overlap"].where(everybody & ~rows["overlap"].between(1, SUPPRESS_BELOW - 1))
    rows["se"] = to_digits(_at_bounds(rows, independent))
    rows = rows.rename(columns={"value_earlier": "earlier", "value_later": "later"})
    rows["change"] = np.round(rows["later"] - rows["earlier"], 10)
    rows["rounded_to"] = rows[["rounded_to_earlier", "rounded_to_later"]].max(axis=1)
    for name, order in STATUSES.items():
        number = {status: k for k, status in enumerate(order)}
        worst = np.maximum(rows[f"{name}_earlier"].map(number), rows[f"{name}_later"].map(number)).astype(int)
        rows[name] = np.array(order, dtype=object)[worst]
    rows.loc[rows["se"].isna() | rows["change"].isna(), "obs_status"] = "Q"
    rows.loc[(rows["obs_status"] == "A") & (rows["df"] < 1), "obs_status"] = "U"
    for name, numbers in inference(*(rows[name].to_numpy(dtype=np.float64) for name in ("change", "se", "df"))).items():
        rows[name] = numbers
    # No change between shares of nobody, or of everybody, has no error; the rounds' own limits say how much it may be.
    both = [np.stack([rows[f"{name}_later"], rows[f"{name}_earlier"]], axis=-1) for name in ("ci_low", "ci_high")]
    limits = mover(np.stack([rows["later"], rows["earlier"]], axis=-1), *both, np.array([1.0, -1.0]))
    for name, limit in zip(("ci_low", "ci_high"), limits, strict=True):
        rows[name] = rows[name].where(rows["se"] != 0, limit)
    shown = rows["obs_status"] != "Q"
    tests, adjusted = rows["p_value"].where(shown).to_numpy(dtype=np.float64), np.full(len(rows), np.nan)
    for place in rows.groupby(["measure", "breakdown"], sort=False).indices.values():
        adjusted[place] = benjamini_hochberg(tests[place])
    rows["p_adjusted"] = adjusted
    rows.loc[~shown, [*NUMBERS, "rounded_to"]] = np.nan
    return rows.assign(sample=sample)


def _at_bounds(rows: pd.DataFrame, independent: np.ndarray) -> np.ndarray:
    """Standard errors; where a share is that of nobody or everybody, whose own error is 0, at least what they would be if the
    rounds were alike (`rga.survey.gaps.variance_if_alike`). Of the change of a gap of such a share (a gap is no share: one of 0
    says that women and men are alike) at least those of ``independent`` samples, in whose gaps that is."""
    se, least = rows["se"].to_numpy(dtype=np.float64), independent.copy()
    bound = (rows["bound_earlier"] | rows["bound_later"]).to_numpy(dtype=bool) & ~np.isnan(se)
    of_shares = bound & (rows["measure"] == LEVEL).to_numpy()
    sides = [rows.loc[of_shares, [f"{name}_{side}" for name in ("value", "se", "n")]] for side in ("earlier", "later")]
    numbers = [array for side in sides for array in side.to_numpy(dtype=np.float64).T / [[100], [100], [1]]]
    least[of_shares] = 100 * np.sqrt(variance_if_alike(*numbers))
    return np.where(bound, np.fmax(se, least), se)


def _as_rounded(rows: pd.DataFrame) -> np.ndarray:
    """Standard errors of linked rounds, to two digits and with the error of the rounding in them (of a gap, that of both its
    shares): the exact one would tell, with the shares, how many said yes in both rounds."""
    of_gap = np.sqrt(1 + (rows["measure"] == GAP).to_numpy())
    steps = [of_gap * np.fmax(rows[f"rounded_to_{side}"], rows[f"precision_{side}"]) for side in ("earlier", "later")]
    return to_digits(with_rounding(rows["se"].to_numpy(dtype=np.float64), *steps))


def _keys(dimensions: list[str]) -> list[str]:
    return ["measure", "indicator", "statistic", "category", "breakdown", *dimensions]
