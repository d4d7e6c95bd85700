"""What a run tells the processes that do its steps: one that means something else refuses, and names what differs."""

from __future__ import annotations

import json
from collections.abc import Callable

import dagster as dg
import pytest

from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets.assets.handover import HANDOVER_TAG, hand_over, refuse_other_settings, settings_facts
from xata_pg_assets.errors import UsageError
from xata_pg_assets.migration import Migration
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import Export, NewExport, column, table
from xata_pg_assets_tests.fix_server import Server
from xata_pg_assets_tests.test_assets.conftest import QUIET, run

SCHEMA = XataSchema((table("t", column("n", "int")),))


@pytest.fixture
def export(new_export: NewExport) -> Export:
    export = new_export(*SCHEMA.tables)
    export.rows("t", "id,n", [["a", "1"]])
    return export


def failures(migration: Migration, instance: dg.DagsterInstance, tags: dict[str, str]) -> set[str]:
    """Return what the steps of a run end with that was started with the tags."""
    result = run(migration, instance, tags=tags)
    failed = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return {data.user_failure_data.description for data in failed if data.user_failure_data}


def test_the_same_migration_is_done(export: Export, instance: dg.DagsterInstance):
    assert failures(export.migration(), instance, dict(hand_over(export.migration()))) == set()
    assert export.database.value("SELECT count(*) FROM t") == 1


OTHERS: dict[str, Callable[[Export, Server], Migration]] = {
    "setting target: not the database": lambda export, server: export.migration(target=server.new_database().url),
    "setting schema: not the Xata schema": lambda export, _: Migration(
        export.migration().settings, XataSchema((table("t", column("n", "text")),))
    ),
    "setting naming: not the value": lambda export, _: export.migration(naming="preserve"),
    "setting files: not the value": lambda export, _: export.migration(files=str(export.folder), files_to="elsewhere"),
}


@pytest.mark.parametrize("words", OTHERS)
def test_another_one_is_refused_before_it_writes(
    export: Export, instance: dg.DagsterInstance, server: Server, words: str
):
    told = hand_over(OTHERS[words](export, server))
    (line,) = failures(export.migration(), instance, dict(told))
    assert line.startswith(f"{words} on this worker (")
    assert line.endswith(") that the run was started with; give both the same, and start the worker again")
    assert export.database.value("SELECT to_regclass('xata_staging.t')") is None


def test_other_files_are_refused_where_they_are_read(export: Export, instance: dg.DagsterInstance):
    told = dict(hand_over(export.migration()))
    export.rows("t", "id,n", [["a", "1"], ["b", "2"]])
    (line,) = failures(export.migration(), instance, told)
    assert line.startswith("setting source: not the files on this worker (")


def test_another_version_is_refused(export: Export):
    told = {**settings_facts(export.migration()), "version": "another"}
    with pytest.raises(UsageError, match=r"^xata-pg-assets: not of the version on this worker"):
        refuse_other_settings(export.migration(), told)


def test_what_each_machine_has_its_own_way(export: Export, instance: dg.DagsterInstance):
    """Another path to the same files, another name of the same database."""
    (export.folder.parent / "link").symlink_to(export.folder)
    other = export.migration(
        source=str(export.folder.parent / "link"),
        target=f"{export.database.url} connect_timeout=9",
        home=export.folder / "another",
        preview=True,
    )
    assert failures(export.migration(), instance, dict(hand_over(other))) == set()


def test_a_graph_that_is_kept_looks_at_the_export_anew(export: Export, instance: dg.DagsterInstance):
    """A worker, or Dagit's own process, may live for weeks."""
    kept = build_definitions(export.migration()).resolve_job_def("migrate")
    for count in (1, 2):
        export.rows("t", "id,n", [[f"r{n}", str(n)] for n in range(count)])
        (export.folder / "t.csv").rename(export.folder / ("t.csv" if count == 1 else "T.CSV"))
        tags = dict(hand_over(export.migration()))
        assert kept.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET, tags=tags).success
        assert export.database.value("SELECT count(*) FROM t") == count
        (export.folder / "t.csv").unlink(missing_ok=True)


def test_nothing_in_it_can_be_read(export: Export):
    (text,) = hand_over(export.migration(target=f"{export.database.url} password=c4nary")).values()
    assert all(len(digest) == 16 for digest in json.loads(text).values())
    assert HANDOVER_TAG.startswith("xata_pg_assets/")
    assert "c4nary" not in text
