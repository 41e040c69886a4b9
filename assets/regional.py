"""Countries of a round taken together: comparisons of published estimates.

Belongs here: which staged rows they are made from, and what Dagster is told. Not here: how (``rga.survey``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import dagster as dg
import numpy as np
import pandas as pd

from assets.evidence import ALL
from assets.metadata import of_table
from assets.workspace import ESTIMATES, Workspace
from rga.survey.precision import to_digits
from rga.survey.regional_tables import regional_tables
from rga.warehouse.schema import DIGITS
from rga.warehouse.staging import Staging
from rga.warehouse.tables import table

TABLES = ("regional_estimates", "regional_gaps", "regional_contributions", "gap_heterogeneity")
READ = [  # of both tables what they have of it
    *("survey_id", "country", "round", "simulated", "indicator", "statistic", "category", "breakdown", "sex"),
    *("value", "women", "men", "gap", "se", "df", "n", "population", "n_women", "n_men", "rounded_to", "obs_status"),
]
DESCRIBED = {
    "regional_estimates": (
        "**Surveyed countries of a round together**: shares by sex, by population and as a simple mean of countries, each named as "
        "such, with the countries counted and named and the range when one is left out. Never representative of a region."
    ),
    "regional_gaps": (
        "**Women minus men over the surveyed countries of a round**, with the covariance of people in shared PSUs, and the part of "
        "the gap that lies within countries."
    ),
    "regional_contributions": (
        "**Each country's part in each aggregate**: its weight, what it adds, and the value of the others without it."
    ),
    "gap_heterogeneity": (
        "**How much the gap differs from country to country**: Q, I2, tau2 by three estimators, and a random-effects mean with its "
        "Hartung-Knapp and prediction intervals."
    ),
}


def estimated(staging: Staging) -> list[str]:
    """Surveys with estimates, be they of today or the last good ones."""
    return [key for key in sorted(staging.manifest()) if staging.table("estimates", key).is_file()]


@dg.multi_asset(
    backfill_policy=dg.BackfillPolicy.single_run(),  # so that a backfill makes all that follows the surveys in one run
    name="regional",
    specs=[
        dg.AssetSpec(
            name,
            deps=["estimates", "gender_gaps"],
            group_name=ESTIMATES,
            kinds={"numpy"},
            owners=["team:statistics"],
            description=text,
        )
        for name, text in DESCRIBED.items()
    ],
)
def regional(workspace: Workspace) -> Iterator[dg.MaterializeResult]:
    staging = workspace.paths.staging()
    made = regional_rows(staging, estimated(staging))
    for name in TABLES:
        staging.write(made[name], staging.table(name, ALL))
        yield dg.MaterializeResult(name, metadata=of_table(table(name, []), len(made[name]), made[name]))


def regional_rows(staging: Staging, survey_ids: list[str]) -> Mapping[str, pd.DataFrame]:
    """The four tables of ``survey_ids`` together; none has rows where there is no survey."""
    if not survey_ids:
        return {name: pd.DataFrame() for name in TABLES}
    staged = (staging.read(name, survey_ids, READ) for name in ("estimates", "gender_gaps"))
    estimates, gaps = (frame if len(frame) else pd.DataFrame(columns=READ) for frame in staged)
    found = regional_tables(estimates, gaps, staging.read("coverage", survey_ids), staging.read("surveys", survey_ids))
    sides = {side: to_digits(found["regional_gaps"][side].to_numpy(), DIGITS) for side in ("women", "men")}
    gap = np.round(sides["women"] - sides["men"], 10)  # of what is printed
    return found | {"regional_gaps": found["regional_gaps"].assign(**sides, gap=gap)}
