"""The Dagster UI in a real browser: what a person clicks, and what they see."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.build import BuildOutcome
from tests.browser.cross_site import EVIL, attack, attackers_page, names
from tests.browser.rga_ui import RGA, Server, wait_for
from tests.pipeline.place import SURVEYS, Place

BROKEN, DROPPED = "2020-r1_PAK", "2021-r2_WSM"
ASSETS = ["respondents", "weights", "manifest", "estimates", "gender_gaps", "search_interest", "release", "survey_outcomes"]
RUNS = "locations/pipelines.definitions/jobs/build/runs"
RUN_ENDS = 240  # seconds

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def person(server: Server, browser: Any, place: Place) -> Person:
    page = browser.new_context(viewport={"width": 1500, "height": 900}).new_page()
    page.goto(server.links[-1])
    page.get_by_text("Overview").first.wait_for()
    return Person(page, server.address, place.folder)


class Person:
    """What somebody in front of the UI does; screenshots go to ``folder``, or to RGA_SCREENSHOTS."""

    def __init__(self, page, server: str, folder: Path) -> None:  # type: ignore[no-untyped-def]
        self.page, self.server = page, server
        self.screenshots = Path(os.environ.get("RGA_SCREENSHOTS") or folder / "screenshots")

    def opens(self, path: str) -> None:
        self.page.goto(f"{self.server}/{path}", wait_until="domcontentloaded")

    def asks(self, query: str) -> dict[str, Any]:
        """As the UI's own pages do."""
        post = """query => fetch('/graphql', {method: 'POST', headers: {'content-type': 'application/json'},
            body: JSON.stringify({query})}).then(answer => answer.json())"""
        return dict(self.page.evaluate(post, query)["data"])

    def photographs(self, name: str) -> None:
        self.page.screenshot(path=self.screenshots / f"{name}.png")

    def expands_all_groups(self) -> None:
        self.page.get_by_text("4_release").first.wait_for()
        self.page.wait_for_timeout(1500)
        size = self.page.viewport_size
        self.page.mouse.click(size["width"] - 200, size["height"] - 120, button="right")
        self.page.get_by_text("Expand all groups").locator("visible=true").first.click()
        self.page.get_by_text("survey_outcomes").first.wait_for()
        self.page.wait_for_timeout(1500)

    def materializes_all_surveys(self) -> None:
        """On a page with a graph: Materialize all, All partitions, Launch."""
        self.page.get_by_role("button", name="Materialize all").first.click()
        dialog = self.page.locator("[role=dialog]")
        dialog.get_by_text("All", exact=True).click()
        for survey in SURVEYS:
            dialog.get_by_text(survey, exact=True).first.wait_for()
        dialog.get_by_role("button", name="Launch backfill").click()
        dialog.wait_for(state="detached")

    def reads(self, path: str) -> str:
        self.opens(path)
        self.page.wait_for_timeout(2500)
        return str(self.page.locator("body").inner_text())

    def waits_for(self, words: str, path: str) -> str:
        """Reload until the page says ``words``."""
        seen = [""]

        def there() -> bool:
            seen[0] = self.reads(path)
            return words in seen[0]

        wait_for(there, RUN_ENDS, lambda: seen[0])
        return seen[0]


def run_rga_build(place: Place) -> None:
    """In a process of its own: this one belongs to the browser's event loop."""
    where = os.environ | {"RGA_RAW_DATA": str(place.raw_data), "RGA_WAREHOUSE": str(place.warehouse)}
    subprocess.run([*RGA, "build"], env=where, capture_output=True, timeout=RUN_ENDS, check=True)


def test_without_the_link_nothing_is_shown_and_the_link_works_once(server: Server, browser: Any, person: Person) -> None:
    used, unused = server.links[0], server.links[-1]
    assert used != unused, "the one that the person opened has been followed by another"
    assert server.log.read_text().count(used) == 1, "it is announced, and not logged when it is used"
    private = [
        folder for folder in Path(tempfile.gettempdir()).glob("rga-ui-*") if any(file.is_socket() for file in folder.iterdir())
    ]
    assert private and all(folder.stat().st_mode & 0o077 == 0 for folder in private), "Dagster's own sockets"
    stranger = browser.new_context()
    page = stranger.new_page()
    for path in ("", "assets", "graphql?query={version}", "favicon.png", "server_info", "enter", "logs/a.out"):
        assert page.goto(f"{server.address}/{path}").status == 401, path
    assert page.goto(used).status == 401 and stranger.cookies() == []
    person.photographs("let-in")
    page.screenshot(path=person.screenshots / "kept-out.png")
    page.goto(unused)
    page.get_by_text("Overview").first.wait_for()
    (cookie,) = stranger.cookies()
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict" and cookie["path"] == "/"
    assert cookie["name"].endswith(server.address.rpartition(":")[2])
    assert "key=" not in page.evaluate("document.referrer")
    listen = "new Promise(done => { const s = new WebSocket('/graphql', 'graphql-ws'); s.onopen = s.onerror = e => done(e.type); })"
    assert page.evaluate(listen) == "open"
    with attackers_page() as port:  # whoever is led here by a page of another origin goes on with one click
        page.goto(f"http://{EVIL}:{port}")
        page.evaluate("at => { document.body.innerHTML = `<a href='${at}'>deep</a>` }", f"{server.address}/runs")
        page.get_by_text("deep").click()
        page.get_by_text("go on from here").click()
        page.get_by_text("Launched by").first.wait_for()
    stranger.close()


@pytest.mark.parametrize("attacker", ["127.0.0.1", EVIL], ids=["from another port", "from another site"])
def test_no_request_of_a_page_of_another_origin_is_accepted(attacker: str, server: Server, person: Person) -> None:
    """In the browser of the person who is let in. Chromium itself stops one or two; the server refuses all that reach it."""
    person.page.goto("about:blank")
    page = person.page.context.new_page()
    with attackers_page() as port:
        page.goto(f"http://{attacker}:{port}")
        attacks = names(page)
        answers = attack(page, server.address, attacks)
    assert len(attacks) >= 20 and len(answers) >= 15 and set(answers) <= {401, 403}, "of some, Chromium hides the answer"
    assert page.goto(f"http://{EVIL}:{server.address.rpartition(':')[2]}/").status == 403, "DNS rebinding"
    page.close()

    person.opens("runs")
    found = person.asks("""{
        runsOrError { ... on Runs { results { tags { key } } } }
        assetOrError(assetKey: {path: "release"}) { ... on Asset { assetMaterializations { runId } assetObservations { runId } } }
    }""")
    by = [{tag["key"] for tag in run["tags"]} for run in found["runsOrError"]["results"]]
    assert all("dagster/sensor_name" in tags for tags in by), "no run but the sensor's was launched"
    events = found["assetOrError"].get("assetMaterializations", []) + found["assetOrError"].get("assetObservations", [])
    assert all(event["runId"] for event in events), "no event was reported from outside of a run"


def test_the_graph_shows_every_asset_wide_and_narrow(person: Person) -> None:
    person.opens("asset-groups/")
    person.expands_all_groups()
    for asset in ASSETS:
        assert person.page.get_by_text(asset, exact=True).first.is_visible(), asset
    person.photographs("graph-wide")
    person.page.set_viewport_size({"width": 700, "height": 900})
    person.page.wait_for_timeout(1500)
    person.photographs("graph-narrow")
    person.page.set_viewport_size({"width": 1500, "height": 900})
    assert "One harmonised row per respondent" in person.reads("assets/respondents?view=overview")


def test_a_fresh_data_root_is_published_by_one_run_that_nobody_clicked(
    first_build: tuple[Place, BuildOutcome], person: Person, place: Place
) -> None:
    runs = person.waits_for("Success", RUNS)
    person.photographs("run-green")
    assert "Failure" not in runs and runs.count("Success") == 1, "one run for all surveys"
    for asset in ("respondents", "weights"):
        partitions = person.reads(f"assets/{asset}?view=partitions")
        assert "Failed (0)" in partitions and "Materialized (4)" in partitions
    person.photographs("partitions-green")

    by_command = first_build[0]
    tables = by_command.ask("SELECT table_name FROM duckdb_tables() WHERE NOT internal ORDER BY 1").table_name.tolist()
    assert "estimates" in tables and "release" in tables
    for table in tables:
        times = {"release": "EXCLUDE (release_id, created)", "surveys": "EXCLUDE (built)"}.get(table, "")
        query = f"SELECT * {times} FROM {table} ORDER BY ALL"
        pd.testing.assert_frame_equal(place.ask(query), by_command.ask(query), rtol=1e-9)


def test_a_click_materializes_all_surveys_in_one_green_run(person: Person, place: Place) -> None:
    before = person.waits_for("Success", RUNS).count("Success")
    person.opens("locations/pipelines.definitions/jobs/build")
    person.materializes_all_surveys()
    wait_for(lambda: person.reads(RUNS).count("Success") > before, RUN_ENDS, lambda: person.reads(RUNS))
    runs = person.reads(RUNS)
    assert runs.count("Success") == before + 1 and "Failure" not in runs and "Queued" not in runs


@pytest.mark.long
def test_a_survey_dropped_while_the_ui_runs_is_published_without_restart_or_click(person: Person, place: Place) -> None:
    before = person.waits_for("Success", RUNS).count("raw_data")
    shutil.copytree(Path(__file__).resolve().parents[2] / "raw_data" / "2021-r2" / "WSM", place.survey_yaml(DROPPED).parent)
    published = f"SELECT count(*) AS n FROM estimates WHERE survey_id = '{DROPPED}'"
    wait_for(lambda: place.ask(published).n[0] > 100, RUN_ENDS, lambda: person.reads("automation"))
    person.opens("locations/pipelines.definitions/sensors/raw_data")
    person.page.wait_for_timeout(2500)
    person.photographs("sensor")
    assert person.reads(RUNS).count("raw_data") == before + 1, "one more run launched by the sensor"
    person.photographs("runs-of-the-sensor")
    shutil.rmtree(place.survey_yaml(DROPPED).parent)
    wait_for(lambda: place.ask(published).n[0] == 0, RUN_ENDS, lambda: person.reads("automation"))


@pytest.mark.long
def test_a_broken_survey_reads_as_failed_and_the_others_are_published(person: Person, place: Place) -> None:
    """This time from the asset graph, which makes two runs of it."""
    if not (place.warehouse / "rga.duckdb").exists():
        run_rga_build(place)
    place.drop_a_code(BROKEN)
    place.edit("2021-r2_BGD", r"^mode: \w+", "mode: web")
    person.opens("asset-groups/")
    person.materializes_all_surveys()
    person.waits_for("Failed (1)", "assets/weights?view=partitions")
    person.photographs("partitions-broken")
    partitions = person.waits_for("Failed (1)", "assets/respondents?view=partitions")
    assert "Materialized (3)" in partitions
    wait_for(lambda: place.ask("SELECT count(*) AS n FROM surveys WHERE status = 'stale'").n[0] == 1, RUN_ENDS, str)
    published = place.ask("SELECT survey_id, mode, status FROM surveys").set_index("survey_id")
    assert published.loc[BROKEN, "status"] == "stale" and published.loc["2021-r2_BGD", "mode"] == "web"
    person.waits_for("Failure", "runs")
    person.photographs("runs-broken")
    assert "surveys_readable" in person.reads("assets/manifest?view=checks")
    person.photographs("check-broken")
