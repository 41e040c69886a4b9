"""The Dagster UI in a real browser: what a person clicks, and what they see."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from pipelines.build import BuildOutcome
from tests.pipeline.place import SURVEYS, Place, fresh

ARGUMENTS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
BROKEN, DROPPED = "2020-r1_PAK", "2021-r2_WSM"
ASSETS = ["respondents", "weights", "manifest", "estimates", "gender_gaps", "search_interest", "release", "survey_outcomes"]
RGA = [sys.executable, "-c", "from pipelines.cli import main; main()"]
RUNS = "locations/pipelines.definitions/jobs/build/runs"
SERVER_STARTS, RUN_ENDS = 120, 240  # seconds

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def place(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return fresh(repository, tmp_path_factory.mktemp("ui"))


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[str]:
    """`rga ui` on a free port, ended with all its processes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = os.environ | {"RGA_RAW_DATA": str(place.raw_data), "RGA_WAREHOUSE": str(place.warehouse)}
    command = [*RGA, "ui", "--port", str(port)]
    log = place.folder / "server.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, env=where, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(f"{address}/server_info"), SERVER_STARTS, lambda: log.read_text()[-3000:])
        yield address
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(process.pid, sign)
                process.wait(timeout=10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                continue


@pytest.fixture(scope="module")
def person(server: str, place: Place) -> Iterator[Person]:
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield Person(browser.new_page(viewport={"width": 1500, "height": 900}), server, place.folder)
        browser.close()


class Person:
    """What somebody in front of the UI does; screenshots go to ``folder``, or to RGA_SCREENSHOTS."""

    def __init__(self, page, server: str, folder: Path) -> None:  # type: ignore[no-untyped-def]
        self.page, self.server = page, server
        self.screenshots = Path(os.environ.get("RGA_SCREENSHOTS") or folder / "screenshots")

    def opens(self, path: str) -> None:
        self.page.goto(f"{self.server}/{path}", wait_until="domcontentloaded")

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


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float, said: Callable[[], str]) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not after {seconds} s; last seen:\n{said()}"
        time.sleep(1)


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
