"""What starts by itself: a run on a newer export once it has stopped growing, a report on a run that failed."""

from __future__ import annotations

import dagster as dg
import pytest

from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets.assets.summary import ERRORS_TAG
from xata_pg_assets_tests.fix_export import Export
from xata_pg_assets_tests.test_assets.conftest import SHAPES, definitions_of, run, write_shapes
from xata_pg_assets_tests.test_files.conftest import s3_server, store

__all__ = ["s3_server", "store"]

ALL = {"users", "user_teams", "a", "b", "c"}


class Watcher:
    """The sensor, looked at again and again."""

    def __init__(self, export: Export, instance: dg.DagsterInstance) -> None:
        self.definitions = build_definitions(export.migration())
        self.sensor = self.definitions.resolve_sensor_def("newer_export")
        self.instance = instance
        self.cursor: str | None = None

    def look(self) -> set[str] | str:
        """Return the tables that would run, or why none would."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=self.definitions.get_repository_def(),
            sensor_name="newer_export",
        )
        data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        if not data.run_requests:
            return data.skip_message or ""
        (request,) = data.run_requests
        selected = {key.to_user_string() for key in request.asset_selection}
        assert {"xata_export", "migration_report"} <= selected
        tables = {name.partition("/")[2] for name in selected if name.startswith("postgres/")}
        assert {f"{stage}/{name}" for stage in ("xata", "id_mapping") for name in tables} < selected
        return tables


@pytest.fixture
def watcher(tmp_path, server, instance) -> Watcher:
    return Watcher(write_shapes(Export(tmp_path, server.new_database(), SHAPES)), instance)


def test_it_is_off_until_switched_on(watcher):
    assert watcher.sensor.default_status is dg.DefaultSensorStatus.STOPPED


def test_a_newer_file_runs_its_table_and_those_that_link_to_it_once_it_has_stopped_growing(watcher, tmp_path):
    assert "at the next look" in watcher.look()
    assert watcher.look() == ALL
    assert "newer than" in watcher.look()
    with (tmp_path / "user-teams.csv").open("a") as file:
        file.write("t2,some,u1,\n")
        file.flush()
        assert "Newer: user-teams" in watcher.look()
        file.write("t3,none,u1,\n")
    assert "Newer: user-teams" in watcher.look()
    assert watcher.look() == {"user_teams", "c"}
    assert "newer than" in watcher.look()


def test_files_of_a_store_are_watched_by_its_listing(tmp_path, server, instance, store):
    """And none of them is read: the store tells what it was asked."""
    write_shapes(Export(tmp_path, server.new_database(), SHAPES))
    for path in tmp_path.iterdir():
        store.client.put_object(Bucket=store.bucket, Key=f"export/{path.name}", Body=path.read_bytes())
    source = {"source": f"s3://{store.bucket}/export", "source_options": {**store.options, "use_listings_cache": True}}
    watcher = Watcher(Export(tmp_path, server.new_database(), SHAPES, source), instance)
    assert "at the next look" in watcher.look()
    assert watcher.look() == ALL
    assert "newer than" in watcher.look()
    teams = (tmp_path / "user-teams.csv").read_bytes()
    for text in (teams + b"t2,some,u1,\n", teams + b"t3,some,u1,\n"):  # as long as the one before
        store.client.put_object(Bucket=store.bucket, Key="export/user-teams.csv", Body=text)
        assert "Newer: user-teams" in watcher.look()
    assert watcher.look() == {"user_teams", "c"}
    assert "newer than" in watcher.look()
    for path in tmp_path.iterdir():
        store.client.delete_object(Bucket=store.bucket, Key=f"export/{path.name}")
    assert "does not exist" in watcher.look()


def test_links_out_of_the_folder_are_followed_where_the_settings_say_so(tmp_path, server, instance):
    folder = tmp_path / "export"
    folder.mkdir()
    export = write_shapes(Export(folder, server.new_database(), SHAPES, {"follow_links": True}))
    (folder / "a.csv").rename(tmp_path / "elsewhere.csv")
    (folder / "a.csv").symlink_to(tmp_path / "elsewhere.csv")
    watcher = Watcher(export, instance)
    assert "at the next look" in watcher.look()
    assert watcher.look() == ALL


def test_a_folder_that_is_gone_and_a_database_are_told(watcher, tmp_path, new_export):
    (tmp_path / "a.json").write_text("[]")
    assert "two files" in watcher.look()
    other = new_export(*SHAPES.tables)
    assert "no folder" in Watcher(Export(other.folder, other.database, SHAPES, {"source": "postgresql://h/d"}),
                                  watcher.instance).look()  # fmt: skip


def test_a_failed_run_gets_its_report(shapes, instance):
    shapes.write("b", 'id,toC\nb1,"c1\n')
    graph = build_definitions(shapes.migration())
    failed = run(shapes.migration(), instance)
    assert not failed.success
    assert "migration_report" not in {event.asset_key.path[0] for event in failed.get_asset_materialization_events()}
    sensor = graph.resolve_sensor_def("report_on_failure")
    context = dg.build_run_status_sensor_context(
        sensor_name="report_on_failure",
        dagster_instance=instance,
        dagster_run=failed.dagster_run,
        dagster_event=next(event for event in failed.all_events if event.is_run_failure),
    ).for_run_failure()
    request = sensor(context)
    assert request.tags[ERRORS_TAG].startswith("b.csv:2: ")
    done = run(shapes.migration(), instance, "report", tags=request.tags)
    assert done.success
    (event,) = done.get_asset_materialization_events()
    wrong = [record.data for record in event.materialization.metadata["what is wrong"].records]
    assert wrong[0]["where"] == "run"
    assert wrong[0]["what"].startswith("b.csv:2: ")
    assert {record["where"] for record in wrong[1:]} >= {"b"}
    (check,) = done.get_asset_check_evaluations()
    assert not check.passed


def test_only_the_report_starts_by_itself():
    sensors = {sensor.name: sensor.default_status for sensor in definitions_of().sensors}
    assert sensors == {
        "newer_export": dg.DefaultSensorStatus.STOPPED,
        "report_on_failure": dg.DefaultSensorStatus.RUNNING,
    }
