"""The asset graph as a whole, and the rules of the house that concern it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import yaml

from pipelines.definitions import build_defs

SNAPSHOT = Path(__file__).with_name("asset_graph.json")


def described() -> dict[str, dict[str, object]]:
    definitions = build_defs()
    graph = definitions.resolve_asset_graph()
    found: dict[str, dict[str, object]] = {}
    for key in sorted(graph.get_all_asset_keys()):
        node = graph.get(key)
        found[key.to_user_string()] = {
            "group": node.group_name,
            "needs": sorted(parent.to_user_string() for parent in node.parent_keys),
            "partitions": node.partitions_def.name if isinstance(node.partitions_def, dg.DynamicPartitionsDefinition) else None,
            "kinds": sorted(node.kinds or []),
            "checks": sorted(check.name for check in node.check_keys),
        }
    return found


def test_the_asset_graph_is_the_one_agreed_on() -> None:
    """After a change that is meant: python -m tests.pipeline.test_definitions"""
    assert described() == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_asset_is_described_for_people_and_owned() -> None:
    graph = build_defs().resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description and len(node.description) > 60 and node.owners, key


def test_no_check_can_stop_the_other_surveys() -> None:
    graph = build_defs().resolve_asset_graph()
    assert not [key for key in graph.asset_check_keys if graph.get(key).blocking]


def test_a_backfill_comes_to_every_asset_after_those_it_needs() -> None:
    """Else it leaves the asset to a later run, which is never started where a survey fails.

    Dagster's order (`bfs_filter_asset_graph_view`): assets of one step by the deepest of them, then by name.
    """
    graph = build_defs().resolve_asset_graph()
    depth = {key: number for number, level in enumerate(graph.toposorted_asset_keys_by_level) for key in level}
    turn = {key: max(depth[sibling] for sibling in graph.get(key).execution_set_asset_keys) for key in depth}
    together = {key: graph.get(key).execution_set_asset_keys for key in depth}
    needs = {(key, parent) for key in depth for parent in graph.get(key).parent_keys if parent not in together[key]}
    assert not [(key, parent) for key, parent in needs if turn[parent] >= turn[key]]


def test_builds_of_one_warehouse_wait_for_each_other_in_the_ui(repository: Path) -> None:
    settings = yaml.safe_load((repository / "dagster.yaml").read_text(encoding="utf-8"))
    assert settings["concurrency"]["runs"]["max_concurrent_runs"] == 1
    assert settings["telemetry"] == {"enabled": False}


def test_the_command_line_answers_for_help_without_loading_dagster() -> None:
    code = "import sys, pipelines.cli; sys.exit(bool({'dagster', 'pandas', 'duckdb'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


if __name__ == "__main__":
    SNAPSHOT.write_text(json.dumps(described(), indent=2) + "\n", encoding="utf-8")
