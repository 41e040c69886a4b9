"""What the Dagster UI shows of the tables that a run has made."""

from __future__ import annotations

import json

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from assets.metadata import of_table, preview
from assets.workspace import Paths
from pipelines.instance import open_instance
from rga.warehouse.tables import table
from tests.pipeline.place import Place

SHOWN = [
    *("estimates", "gender_gaps", "furthest_behind", "changes", "adjusted_gaps", "gap_decomposition"),
    *("regional_estimates", "regional_gaps", "regional_contributions", "gap_heterogeneity", "search_interest", "data_quality"),
]


def _latest(place: Place, asset: str) -> dict[str, dg.MetadataValue]:
    with open_instance(place.warehouse) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(asset))
    assert event is not None and event.asset_materialization is not None
    return dict(event.asset_materialization.metadata)


@pytest.mark.parametrize("name", SHOWN)
def test_every_column_of_a_published_table_is_described_where_its_asset_is_looked_at(built: Place, name: str) -> None:
    schema = _latest(built, name)["dagster/column_schema"].value
    comments = table(name, _dimensions(built.paths)).comments
    published = [column for column in schema.columns if column.name in comments]
    assert published and {c.name: c.description for c in published} == {c.name: comments[c.name] for c in published}
    assert len(published) >= len(schema.columns) - 2, "two columns at most are there for later steps only"


@pytest.mark.parametrize("name", ["estimates", "gender_gaps", "furthest_behind", "changes", "adjusted_gaps", "regional_estimates"])
def test_an_assets_page_shows_its_first_rows(built: Place, name: str) -> None:
    found = _latest(built, name)
    assert len(found["preview"].value.records) > 0 and found["dagster/row_count"].value > 0
    json.dumps([record.data for record in found["preview"].value.records], allow_nan=False)  # the UI cannot read NaN


def test_gaps_in_any_kind_of_column_are_empty_in_a_preview() -> None:
    some = pd.DataFrame(
        {"text": ["x", None], "number": [1.234, np.nan], "count": pd.array([3, None], "Int64"), "yes": [True, False]}
    )
    shown = [record.data for record in preview(some).records]
    assert shown[0] == {"text": "x", "number": "1.23", "count": "3", "yes": "True"}
    assert shown[1] == {"text": None, "number": None, "count": None, "yes": "False"}


def test_answers_of_respondents_are_described_by_the_catalogues_labels_and_never_shown(built: Place) -> None:
    found = _latest(built, "respondents")
    described = {column.name: column.description for column in found["dagster/column_schema"].value.columns}
    labels = {name: variable.label for name, variable in built.paths.data_root().catalogue().columns.items()}
    assert described["education"] == labels["education"]
    assert not any(isinstance(value, dg.TableMetadataValue) for value in found.values())


def test_of_a_table_without_rows_only_their_number_is_told() -> None:
    assert of_table(table("changes", ["sex"]), 0, pd.DataFrame()) == {"dagster/row_count": 0}


def test_where_no_row_is_worth_showing_the_columns_are_described_all_the_same() -> None:
    found = of_table(table("changes", ["sex"]), 5, pd.DataFrame(columns=["country", "change"]))
    assert [column.name for column in found["dagster/column_schema"].columns] == ["country", "change"]
    assert found["preview"].value.records == []


def _dimensions(paths: Paths) -> list[str]:
    return paths.data_root().catalogue().dimensions
