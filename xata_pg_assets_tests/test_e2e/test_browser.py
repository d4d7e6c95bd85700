"""Dagit as a person sees it, in Chromium: clicks, and what then stands on the page.

The long suite (`make browser`): skipped where Playwright or Chromium is lacking. Each test leaves a screenshot in
`build/screenshots`.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.xata.demo import write_demo
from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import PATIENCE
from xata_pg_assets_tests.test_e2e.test_dagit import BIN, ROOT, Dagit, environment, take_default_signals

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is lacking: pip install '.[browser]'")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is lacking: apt-get install chromium"),
    pytest.mark.skipif("XATA_PG_BROWSER" not in os.environ, reason="long: run by make browser"),
]

SCREENSHOTS = ROOT / "build" / "screenshots"
LATEST = "{ runsOrError(limit: 1) { ... on Runs { results { runId status } } } }"


@dataclass(frozen=True)
class Screen:
    """A page on a running Dagit, and the export that it migrates."""

    page: Any
    dagit: Dagit
    export: Path

    def open(self, path: str) -> None:
        self.page.goto(f"http://127.0.0.1:{self.dagit.port}{path}")

    def sees(self, *texts: str | re.Pattern[str]) -> None:
        for text in texts:
            self.page.get_by_text(text).filter(visible=True).first.wait_for()

    def shoot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.mouse.move(0, 0)
        # What is asked for was waited for; the rest of the page may draw itself. Dagit never stops asking its server
        self.page.wait_for_timeout(3000)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")

    def latest(self) -> dict[str, str]:
        runs = self.dagit.ask(LATEST)["runsOrError"]["results"]
        return dict(runs[0]) if runs else {"runId": "", "status": "NONE"}

    def run_of(self, click: Callable[[], None]) -> str:
        """Click on what launches a run, wait for its end and return how it ended."""
        before = self.latest()["runId"]
        click()
        return self.wait(lambda run: run["runId"] != before and run["status"] in ("SUCCESS", "FAILURE", "CANCELED"))

    def wait(self, is_it: Callable[[dict[str, str]], bool]) -> str:
        deadline = time.monotonic() + PATIENCE
        while not is_it(run := self.latest()):
            assert time.monotonic() < deadline, run
            self.page.wait_for_timeout(500)
        return run["status"]

    def materialize(self) -> None:
        """Press the page's button."""
        self.page.locator("button", has_text=re.compile("^Materialize$")).click()

    def materialize_all(self) -> None:
        """Press the graph's button; there is another one before the graph is drawn."""
        self.page.locator("[data-tooltip='report']").first.wait_for()
        self.page.get_by_role("button", name="Materialize all").click()


@pytest.fixture(scope="module")
def screen(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    folder, database, port = tmp_path_factory.mktemp("browser"), server.new_database(), free_port()
    write_demo(folder / "export")
    with start(folder, database, port) as dagit, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.set_default_timeout(PATIENCE * 1000)
        yield Screen(page, dagit, folder / "export")
        browser.close()


class start:  # noqa: N801  # reads as a verb
    """Run `xata-pg ui` until the end of the block."""

    def __init__(self, folder: Path, database: Database, port: int) -> None:
        self.log = folder / "log"
        with self.log.open("w") as log:
            process = subprocess.Popen(
                [BIN / "xata-pg", "ui", "--source", "export", "--port", str(port)],
                cwd=folder,
                env=environment(folder, database),
                stdout=log,
                stderr=log,
                text=True,
                preexec_fn=take_default_signals,  # noqa: PLW1509  # one thread here
                start_new_session=True,
            )
        self.dagit = Dagit(process, port, database)

    def __enter__(self) -> Dagit:
        deadline = time.monotonic() + PATIENCE
        while not self._is_up():
            assert self.dagit.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.5)
        return self.dagit

    def _is_up(self) -> bool:
        try:
            return bool(self.dagit.ask("{ assetNodes { id } }")["assetNodes"])
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        self.dagit.process.send_signal(signal.SIGTERM)
        try:
            self.dagit.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.dagit.process.pid, signal.SIGKILL)


def change(path: Path, column: str, values: dict[int, str]) -> None:
    """Write other values into a column of some records of a CSV; the first record is 1."""
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    for number, value in values.items():
        rows[number][rows[0].index(column)] = value
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def test_1_the_graph_reads_from_left_to_right(screen: Screen):
    screen.open("/asset-groups")
    groups = ["xata", "id_mapping", "postgres", "report"]
    nodes = [screen.page.locator(f"[data-tooltip='{group}']").first for group in groups]
    for node in nodes:
        node.wait_for()
    places = [node.bounding_box()["x"] for node in nodes]
    assert places == sorted(places)


def test_2_materialize_all_runs_to_green(screen: Screen):
    screen.open("/asset-groups")
    assert screen.run_of(screen.materialize_all) == "SUCCESS"
    assert screen.dagit.database.value("SELECT count(*) FROM topics") == 40
    screen.open("/asset-groups")
    screen.page.get_by_text("28", exact=True).wait_for()  # green: the export and its tables,
    screen.page.get_by_text("27", exact=True).nth(1).wait_for()  # their mappings, and the migrated ones
    screen.shoot("graph")
    screen.open("/assets/postgres/testimonies")
    screen.sees("Latest check results", "public.testimonies", "event_id", "references events", "first rows")
    screen.shoot("table")


def test_3_the_report_opens(screen: Screen):
    screen.open("/assets/migration_report")
    screen.sees("All rows are in, all checks passed. 27 tables, 3,992 rows.", "slowest tables")
    assert screen.page.locator("img[alt='seconds by table']").evaluate("image => image.naturalWidth") > 100
    screen.shoot("report")


def test_4_one_table_is_materialized_again(screen: Screen):
    screen.open("/assets/postgres/topics")
    assert screen.run_of(screen.materialize) == "SUCCESS"
    screen.open("/assets/postgres/topics?view=events")
    screen.sees("inserted_rows", "first rows")
    screen.shoot("again")


def test_5_planted_faults_are_red_with_their_rows(screen: Screen):
    """Two numbers that are none, a link to nobody, a quote that never closes: each found and named."""
    change(screen.export / "personnel.csv", "rank", {3: "captain", 7: "12.5"})
    change(screen.export / "organization-members.csv", "member", {2: "rec_nobody"})
    with (screen.export / "mindmaps.csv").open("a") as file:
        file.write('rec_cut,"never closed,,,,\n')
    before = screen.latest()["runId"]
    screen.open("/asset-groups")
    assert screen.run_of(screen.materialize_all) == "FAILURE"
    failed = screen.latest()["runId"]
    assert failed != before
    screen.open("/assets/postgres/personnel?view=checks&checkDetail=row_count")
    screen.sees(re.compile("2 rejected in all, 0 allowed"), "captain", "12.5", "bad_value", re.compile("rejected_rows"))
    screen.shoot("red_check")
    screen.open("/assets/postgres/organization_members?view=checks&checkDetail=foreign_keys")
    screen.sees(
        "rec_nobody",
        "not in the export",
        "that row was rejected",
        re.compile(r"9 to rows that are not there; 25 in all, 0 allowed"),  # those that were rejected, too
        re.compile("^SELECT d.old_id"),
    )
    screen.shoot("red_link")
    screen.open(f"/runs/{failed}")
    screen.sees(re.compile(r"mindmaps\.csv:\d+: "))
    screen.shoot("red_run")
    # The daemon sees the failure, and has the report written all the same
    assert screen.wait(lambda run: run["runId"] != failed and run["status"] in ("SUCCESS", "FAILURE")) == "SUCCESS"
    screen.open("/assets/migration_report")
    screen.sees("personnel: row_count", "organization_members: foreign_keys", re.compile(r"^mindmaps\.csv:\d+: "))
    screen.shoot("red_report")
