"""Dagit as `xata-pg ui` starts it: the graph, a run, a check alone, and an end without orphans."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from xata_pg_assets.xata.demo import write_demo
from xata_pg_assets_tests.fix_ports import free_port
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.fix_waiting import PATIENCE

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
SELECTOR = {"repositoryName": "__repository__", "repositoryLocationName": "xata_pg_assets.definitions"}

GRAPH = """{ assetNodes { assetKey { path } groupName isExecutable
  assetChecksOrError { ... on AssetChecks { checks { name canExecuteIndividually } } } } }"""
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status eventConnection { events {
  ... on MaterializationEvent { assetKey { path } }
  ... on AssetCheckEvaluationEvent { evaluation { checkName success } } } } } } }"""


@dataclass(frozen=True)
class Dagit:
    """A running Dagit, and the database it migrates to."""

    process: subprocess.Popen[str]
    port: int
    database: Database

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json"})
        answer = json.load(connection.getresponse())
        assert "errors" not in answer, answer
        return dict(answer["data"])

    def run(self, **selection: Any) -> dict[str, Any]:
        """Launch a run and wait for its end."""
        selector = {**SELECTOR, "pipelineName": "__ASSET_JOB", **selection}
        launched = self.ask(LAUNCH, params={"selector": selector, "mode": "default", "runConfigData": {}})["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.ask(RUN, id=launched["run"]["runId"])["runOrError"]
            if run["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
                events = run.pop("eventConnection")["events"]
                made = [event["assetKey"]["path"] for event in events if "assetKey" in event]
                return {
                    **run,
                    "made": made,
                    "checks": [event["evaluation"] for event in events if "evaluation" in event],
                }
            time.sleep(0.3)
        raise TimeoutError(run)


def environment(folder: Path, database: Database) -> dict[str, str]:
    return {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "HOME": str(folder),
        "XATA_PG_HOME": str(folder / "home"),
        "XATA_PG_TARGET": database.url,
    }


def take_default_signals() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture(scope="module")
def dagit(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dagit]:
    with opened(tmp_path_factory.mktemp("dagit"), server.new_database()) as dagit:
        yield dagit


@contextmanager
def opened(folder: Path, database: Database, **variables: str) -> Iterator[Dagit]:
    """Open Dagit on the demo export in a folder."""
    port = free_port()
    write_demo(folder / "export")
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [BIN / "xata-pg", "ui", "--source", "export", "--port", str(port)],
            cwd=folder,
            env=environment(folder, database) | variables,
            stdout=log,
            stderr=log,
            text=True,
            preexec_fn=take_default_signals,  # noqa: PLW1509  # one thread here
            start_new_session=True,
        )
    dagit = Dagit(process, port, database)
    try:
        deadline = time.monotonic() + PATIENCE
        while True:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            try:
                if dagit.ask("{ assetNodes { id } }")["assetNodes"]:
                    break
            except OSError:
                pass
            time.sleep(0.3)
        yield dagit
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def test_the_graph_and_its_checks(dagit: Dagit):
    nodes = dagit.ask(GRAPH)["assetNodes"]
    assert len(nodes) == 83
    assert all(node["isExecutable"] for node in nodes)
    checks = [check for node in nodes for check in node["assetChecksOrError"].get("checks", [])]
    assert len(checks) == 190
    together = [check["name"] for check in checks if check["canExecuteIndividually"] != "CAN_EXECUTE"]
    assert together == ["everything_in_and_checked"]


def test_one_table_then_one_check_of_it(dagit: Dagit):
    paths = [[stage, "topics"] for stage in ("xata", "id_mapping", "postgres")]
    run = dagit.run(assetSelection=[{"path": path} for path in paths])
    assert run["status"] == "SUCCESS"
    assert sorted(run["made"]) == sorted(paths)
    assert [check["success"] for check in run["checks"]] == [True] * 7
    assert dagit.database.value("SELECT count(*) FROM topics") == 40
    check = {"assetKey": {"path": ["postgres", "topics"]}, "name": "values_equal"}
    run = dagit.run(assetSelection=[], assetCheckSelection=[check])
    assert run == {"status": "SUCCESS", "made": [], "checks": [{"checkName": "values_equal", "success": True}]}


def test_a_signal_to_it_alone_ends_all_that_it_started(dagit: Dagit):
    """The last one, for it ends what the others use."""
    children = psutil.Process(dagit.process.pid).children(recursive=True)
    assert len(children) >= 2
    dagit.process.send_signal(signal.SIGTERM)
    dagit.process.wait(PATIENCE)
    _, alive = psutil.wait_procs(children, PATIENCE)
    assert [process.cmdline() for process in alive] == []
    with pytest.raises(OSError, match="refused"):
        dagit.ask("{ version }")


def test_the_workspace_of_the_project_loads(tmp_path: Path, server: Server):
    done = subprocess.run(
        [BIN / "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        env={**environment(tmp_path, server.new_database()), "DAGSTER_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((tmp_path).glob("home/*")) == []
