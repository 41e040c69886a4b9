"""`rga build` that stops at estimates with their errors, to see what the analysis of them adds to a build.

Belongs here: taking out gaps, crossings of three, changes, regions, adjusted gaps, groups furthest behind, the rules of publication
but the fewest cases, and the audits of all these. Not here: timing (``build``).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from assets import adjusted_gaps, changes, estimates, publication, regional, release
from pipelines.cli import main
from rga.microdata import data_root
from rga.microdata.catalogue import Catalogue
from rga.microdata.publication_rules import PublicationRules
from rga.survey import Sums, estimate
from rga.warehouse import verify


def only_estimates(sums: Sums, breakdowns: Sequence[tuple[str, ...]], lonely_psu: Any, *_: Any, **__: Any) -> Any:
    return estimate(sums, breakdowns, lonely_psu), pd.DataFrame({"survey_id": [], "indicator": []}, dtype="str")


def only_counted(
    frame: pd.DataFrame, gaps: pd.DataFrame, catalogue: Catalogue, rules: PublicationRules, *_: Any
) -> dict[str, pd.DataFrame]:
    few = (frame["n"] < rules.dhs.suppress_below).to_numpy()
    unjudged = {"dhs_rule": "show", "nchs_rule": "not_judged", "nchs_review": None, "rounded_to": np.nan, "conf_status": "F"}
    shown = frame.drop(columns="numerator_n").assign(
        se_from_total=np.nan,
        **unjudged,
        obs_status=np.where(few, "Q", "A"),
        reason=np.where(few, "few_cases", "none"),
    )
    shown.loc[few, publication.HIDDEN["estimates"]] = np.nan
    shown[publication.PER_CENT["estimates"]] *= 100
    for dimension in catalogue.dimensions:
        shown[dimension] = shown[dimension].replace(catalogue.columns[dimension].sdmx)
    return {"estimates": shown, "gender_gaps": gaps}


def take_out() -> None:
    whole = data_root.load_catalogue

    def without_crossings(folder: Path) -> Catalogue:
        found = whole(folder)
        return found.model_copy(update={"breakdowns": [by for by in found.breakdowns if len(by) < publication.THREE]})

    def nothing(*_: Any) -> Any:
        return pd.DataFrame({"survey_id": []}, dtype="str")

    def as_it_is(frame: Any, *_: Any) -> Any:
        return frame

    taken: list[tuple[Any, str, Any]] = [
        (data_root, "load_catalogue", without_crossings),
        (estimates, "estimates_and_gaps", only_estimates),
        (estimates, "published", only_counted),
        (estimates, "furthest_behind_rows", nothing),
        (adjusted_gaps, "is_due", lambda *_: False),
        (changes, "bring_up_to_date", lambda *_: []),
        (regional, "regional_rows", lambda *_: {name: pd.DataFrame() for name in regional.TABLES}),
        (release, "under_other_weights", as_it_is),
        (release, "codebook_as_published", as_it_is),
        (verify, "_hidden", lambda _: verify.Check("not asked", True)),
        (verify, "_gaps_disagree", lambda _: "SELECT 1 WHERE FALSE"),
        (verify, "_changes_disagree", lambda _: "SELECT 1 WHERE FALSE"),
    ]
    for place, name, instead in taken:
        setattr(place, name, instead)


take_out()  # also in processes that are started, as they import what `python -m` ran

if __name__ == "__main__":
    main()
