"""The attacker's program on the releases of this repository: as they were printed, and as they are."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from pipelines.build import BuildOutcome
from pipelines.resources import paths
from rga.simulate.programme import PROGRAMME
from rga.warehouse.attack.findings import Findings, findings
from tests.pipeline.handed_over import KEY, handed_over, printed_to_all_digits

pytestmark = pytest.mark.long
SURVEYS = sorted(survey.key for survey in PROGRAMME)


def with_truth(found: Findings, true: pd.DataFrame) -> pd.DataFrame:
    keys = [*KEY, *(name for name in found.cells if name in true and name not in {*KEY, "n", "obs_status", "conf_status"})]
    both = found.cells.merge(true[[*keys, "numerator_n"]], on=keys, validate="one_to_one")
    assert len(both) == len(found.cells)
    return both


@pytest.mark.parametrize(("survey_id", "exact", "narrowed"), [("2020-r1_WSM", 75, 97), ("2020-r1_THA", 1, 1)])
def test_numbers_printed_to_all_digits_give_hidden_ones_away(
    programme: tuple[Path, BuildOutcome],
    release: duckdb.DuckDBPyConnection,
    repository: Path,
    survey_id: str,
    exact: int,
    narrowed: int,
) -> None:
    """The attack can find: in 2020-r1_WSM, sex*age_group, of women and men, at least 75 exact and 22 more with fewer than four
    values, as in the issue that asked for it. None is wrong."""
    where = paths(repository / "raw_data", programme[0])
    connection, true = printed_to_all_digits(release, where.data_root(), where.staging(), survey_id)
    found = with_truth(findings(connection), true)
    assert found["numerator_n"].between(found["lowest"], found["highest"]).all()
    by_age = found[(found["breakdown"] == "sex*age_group") & found["sex"].isin(["F", "M"])]
    assert (by_age["left"] == 1).sum() >= exact and len(by_age) >= narrowed


def test_the_release_gives_nothing_away(release: duckdb.DuckDBPyConnection) -> None:
    found = findings(release)
    assert found.cells.empty and not found.surveys and found.hidden > 10_000


@pytest.mark.parametrize("survey_id", SURVEYS)
def test_who_has_all_true_weights_finds_no_secret(
    programme: tuple[Path, BuildOutcome], release: duckdb.DuckDBPyConnection, repository: Path, survey_id: str
) -> None:
    """What stayed open is printed: sums too large to try all of, of which a sample does not show either that they are safe."""
    where = paths(repository / "raw_data", programme[0])
    told = handed_over(release, where.data_root(), where.staging(), survey_id, weights=True)
    found = findings(release, [survey_id], told)
    print(f"{survey_id}: {found.hidden} hidden cells, {found.unfinished} sums not finished")
    assert told.secrets is not None
    assert found.cells.empty, with_truth(found, told.secrets).to_string()
