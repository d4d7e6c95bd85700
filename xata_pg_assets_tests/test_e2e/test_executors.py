"""Other executors behind Dagit: a run that is launched there uses them, and one that is terminated leaves nothing.

Of the long suite (`make browser`): each executor has a Dagit of its own, and three runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from xata_pg_assets_tests.fix_server import Server
from xata_pg_assets_tests.fix_waiting import until
from xata_pg_assets_tests.test_e2e.test_dagit import LAUNCH, SELECTOR, Dagit, opened
from xata_pg_assets_tests.test_survival.conftest import data_dir
from xata_pg_assets_tests.test_survival.image import image, leftovers
from xata_pg_assets_tests.test_survival.test_command_line import held_up

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif("XATA_PG_BROWSER" not in os.environ, reason="long: run by make browser"),
]

ENGINES = {"in_process": "one process", "multiprocess": "_ProcessSteps", "dask": "_DaskSteps"}
PATHS = [{"path": [stage, "topics"]} for stage in ("xata", "id_mapping", "postgres")]
PATIENT = {"DAGSTER_GRPC_PROXY_HEARTBEAT_TTL_SECONDS": "3600"}

OURS = """SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'xata_pg_assets%'"""
STATUS = """query($id: ID!) { runOrError(runId: $id) { ... on Run { status eventConnection { events {
  __typename ... on MessageEvent { message } ... on ErrorEvent { error { message } } } } } } }"""
TERMINATE = """mutation($ids: [String!]!) { terminateRuns(runIds: $ids, terminatePolicy: SAFE_TERMINATE) {
  ... on TerminateRunsResult { terminateRunResults { __typename } } ... on PythonError { message } } }"""


@pytest.fixture(scope="module", params=ENGINES)
def dagit(server: Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Dagit]:
    if request.param == "dask":
        pytest.importorskip("distributed")
    folder, database = tmp_path_factory.mktemp(request.param), server.new_database()
    with opened(folder, database, XATA_PG_EXECUTOR=request.param, **PATIENT) as dagit:
        yield dagit


def status_of(dagit: Dagit, run_id: str) -> tuple[str, list[str]]:
    """Return how a run is, and every line of its log."""
    run: dict[str, Any] = dagit.ask(STATUS, id=run_id)["runOrError"]
    lines = [event.get("message", "") for event in run["eventConnection"]["events"]]
    return run["status"], lines + [
        str(event["error"]) for event in run["eventConnection"]["events"] if event.get("error")
    ]


def launched(dagit: Dagit) -> str:
    """Launch a run of one table as Dagit's button does."""
    selector = {**SELECTOR, "pipelineName": "__ASSET_JOB", "assetSelection": PATHS}
    run: dict[str, Any] = dagit.ask(LAUNCH, params={"selector": selector, "mode": "default", "runConfigData": {}})
    return str(run["launchRun"]["run"]["runId"])


def ended(dagit: Dagit, run_id: str) -> tuple[str, list[str]]:
    until(lambda: status_of(dagit, run_id)[0] in ("SUCCESS", "FAILURE", "CANCELED"))
    return status_of(dagit, run_id)


def test_a_run_terminated_at_work_leaves_nothing_and_the_next_ends_the_work(
    dagit: Dagit, server: Server, request: pytest.FixtureRequest
):
    status, log = ended(dagit, launched(dagit))
    assert status == "SUCCESS", "\n".join(log)
    engine = ENGINES[request.node.callspec.params["dagit"]]
    assert [line for line in log if engine in line] or engine == "one process", log
    wanted = image(dagit.database.url)
    dagit.database.query("UPDATE topics SET name = 'wrong'")
    with held_up(dagit.database, "topics") as until_wanted:
        run_id = launched(dagit)
        until_wanted()
        answer = dagit.ask(TERMINATE, ids=[run_id])["terminateRuns"]["terminateRunResults"]
        assert [each["__typename"] for each in answer] == ["TerminateRunSuccess"]
        status, log = ended(dagit, run_id)
        assert status == "CANCELED", log
        until(lambda: not dagit.database.query(OURS))  # ended, for what they wait for is still held up
    assert leftovers(dagit.database.url, data_dir(server)) == []
    status, log = ended(dagit, launched(dagit))
    assert status == "SUCCESS", "\n".join(log)
    assert image(dagit.database.url) == wanted
