"""Published headline figures, and what a research file makes of them.

Belongs here: which indicators released columns give; shares and gaps under the file's weights, and how far they are from print. Not
here: making weights (``shown_weights``, ``replicate_weights``), words about it (``accuracy``).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from rga.microdata.catalogue import Catalogue
from rga.privacy.anonymise import Column
from rga.survey import TOTAL
from rga.survey.blas import one_blas_thread
from rga.survey.data import quoted
from rga.survey.design import MEN, SEX, WOMEN

GAP = "gap"
GROUPS = (TOTAL, WOMEN, MEN)


@dataclass(frozen=True)
class Answers:
    """The ``indicators`` that the columns of a file give: respondents x indicators, ``known`` those in the base, ``yes`` those who
    count. ``group`` says who is in each of ``GROUPS``. ``left_out``: the other indicators."""

    indicators: list[str]
    known: np.ndarray
    yes: np.ndarray
    group: dict[str, np.ndarray]
    left_out: list[str]

    def sums(self, group: str, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weighted sums of ``yes`` and of ``known`` in a group: indicators x whatever ``weights`` (respondents x ...) has."""
        within = self.group[group]
        return self.yes[within].T @ weights[within], self.known[within].T @ weights[within]

    def shares(self, group: str, weights: np.ndarray) -> np.ndarray:
        """Shares (0..1) in a group, indicators x whatever ``weights`` has; NaN without a base."""
        yes, known = self.sums(group, weights)
        return np.divide(yes, known, out=np.full_like(yes, np.nan), where=known > 0)


def answers(columns: dict[str, Column], original: pd.DataFrame, catalogue: Catalogue) -> Answers:
    """The indicators that the released ``columns`` give.

    Those are the indicators all of whose columns are released, and which are the same by them as by the ``original`` answers for
    every respondent who lost none: not those of a column that is coarsened, or top-coded where they need more.
    """
    read = {code: sorted(catalogue.reads(code)) for code in catalogue.indicators}
    found = [code for code, names in read.items() if all(name in columns for name in names)]
    used = list(dict.fromkeys(name for code in found for name in read[code]))
    released = pd.DataFrame({name: columns[name].values for name in used}, index=original.index)
    after, before = (_answered(frame, found, catalogue) for frame in (released, original[used]))
    kept = []
    for place, code in enumerate(found):
        whole = (released[read[code]].notna() | original[read[code]].isna()).all(axis=1).to_numpy()
        if np.array_equal(after[whole, place], before[whole, place]):
            kept.append(place)
    state = after[:, kept]
    sex = columns[SEX].values.fillna("").to_numpy() if SEX in columns else np.full(len(original), "")
    return Answers(
        indicators=[found[place] for place in kept],
        known=(state < UNKNOWN).astype(np.float64),
        yes=(state == 1).astype(np.float64),
        group={TOTAL: np.ones(len(original), dtype=bool), WOMEN: sex == WOMEN, MEN: sex == MEN},
        left_out=[code for code in catalogue.indicators if code not in {found[place] for place in kept}],
    )


UNKNOWN = 2


def _answered(frame: pd.DataFrame, indicators: list[str], catalogue: Catalogue) -> np.ndarray:
    """Respondents x indicators: 1 for who counts, 0 for who is in the base and does not, ``UNKNOWN`` for others."""
    if not indicators:
        return np.zeros((len(frame), 0), dtype=np.int64)
    parts = []
    for place, code in enumerate(indicators):
        item = catalogue.indicators[code]
        parts.append(f"CASE WHEN ({item.universe}) THEN COALESCE(CAST(({item.numerator}) AS TINYINT), {UNKNOWN}) "
                     f"ELSE {UNKNOWN} END AS a{place}")  # fmt: skip
    kinds: dict[str, str] = {str(name): "DOUBLE" if not catalogue.columns[str(name)].codes else "VARCHAR" for name in frame}
    table = frame.astype({name: "float64" if kind == "DOUBLE" else "object" for name, kind in kinds.items()})
    table = table.where(table.notna(), None).assign(_row=np.arange(len(frame)))
    cast = ", ".join(f"CAST({quoted(name)} AS {kind}) AS {quoted(name)}" for name, kind in kinds.items())
    with duckdb.connect() as connection:
        connection.register("given", table)
        query = f"SELECT {', '.join(parts)} FROM (SELECT _row{', ' * bool(kinds)}{cast} FROM given) ORDER BY _row"
        return connection.execute(query).df().to_numpy(dtype=np.int64)


def published(estimates: pd.DataFrame, gaps: pd.DataFrame) -> pd.DataFrame:
    """Headline figures as printed, from a survey's rows of `estimates` and `gender_gaps`: a row per indicator and ``of`` (one of
    ``GROUPS``, or ``GAP``) that is shown, with value, se (shares and percentage points 0..1) and step, what it is rounded to."""
    whole = estimates["breakdown"].eq("total") | (estimates["breakdown"].eq(SEX) & estimates[SEX].isin([WOMEN, MEN]))
    shares = estimates[whole & estimates["category"].eq(TOTAL)].assign(of=lambda frame: frame[SEX])
    differences = gaps[gaps["breakdown"].eq(SEX) & gaps["category"].eq(TOTAL)].assign(of=GAP, value=lambda frame: frame["gap"])
    names = ["indicator", "of", "value", "se", "rounded_to"]
    found = pd.concat([shares[names], differences[names]], ignore_index=True).rename(columns={"rounded_to": "step"})
    found = found[found["value"].notna() & (found["se"] > 0)]
    found["step"] = found["step"].fillna(0.0)
    found = found.sort_values("indicator", kind="stable", ignore_index=True)
    return found.assign(**{name: found[name] / 100 for name in ("value", "se", "step")})


@one_blas_thread
def compared(figures: pd.DataFrame, given: Answers, weight: np.ndarray, replicates: np.ndarray) -> pd.DataFrame:
    """``figures`` (of ``published``) of the indicators that the file gives, with ``in_file`` and ``se_in_file``, ``error`` (of the
    file, in standard errors as published) and ``ratio`` (of the file's standard error to the published one).

    A standard error in the file is the standard deviation of the replicate estimates (over replicates - 1).
    """
    place = {code: k for k, code in enumerate(given.indicators)}
    figures = figures[figures["indicator"].isin(place)].reset_index(drop=True)
    both = np.column_stack([weight, replicates])
    shares = {group: given.shares(group, both) for group in GROUPS}
    shares[GAP] = shares[WOMEN] - shares[MEN]
    rows = [shares[of][place[code]] for code, of in zip(figures["indicator"], figures["of"], strict=True)]
    found = np.array(rows).reshape(len(figures), both.shape[1])
    se = found[:, 1:].std(axis=1, ddof=1)
    return figures.assign(
        in_file=found[:, 0], se_in_file=se, error=(found[:, 0] - figures["value"]) / figures["se"], ratio=se / figures["se"]
    )
