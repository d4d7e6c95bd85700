"""Assets and checks at work, through Dagster's own API, on a real server."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import dagster as dg
import pytest

from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets.errors import TargetError, TransientError
from xata_pg_assets.postgres.checks import CHECKS
from xata_pg_assets_tests.fix_export import Export
from xata_pg_assets_tests.test_assets.conftest import SHAPES, run, write_shapes

NAMES = ("users", "user_teams", "a", "b", "c")
NO_METADATA = ("xata_version", "xata_createdat", "xata_updatedat")


def made(result):
    return {
        event.asset_key.to_user_string(): event.materialization for event in result.get_asset_materialization_events()
    }


def plain(materialization):
    return {name: value.value for name, value in materialization.metadata.items()}


def evaluations(result):
    return {(each.asset_key.path[-1], each.check_name): each for each in result.get_asset_check_evaluations()}


def failures(result):
    return {
        event.step_key: event.step_failure_data.user_failure_data.description
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.user_failure_data
    }


@pytest.fixture(scope="module")
def green(server, tmp_path_factory):
    """The whole graph, run once."""
    export = write_shapes(Export(tmp_path_factory.mktemp("shapes"), server.new_database(), SHAPES))
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(export.migration(), instance)
    return SimpleNamespace(export=export, result=result)


class TestGreen:
    def test_everything_is_made_and_checked(self, green):
        assert green.result.success
        assert set(made(green.result)) == {
            "xata_export",
            "migration_report",
            *(f"{stage}/{name}" for stage in ("xata", "id_mapping", "postgres") for name in NAMES),
        }
        checks = evaluations(green.result)
        whole = ("migration_report", "everything_in_and_checked")
        assert set(checks) == {whole, *((name, check) for name in NAMES for check in CHECKS)}
        assert {key for key, each in checks.items() if not each.passed} == set()
        assert green.export.database.query(
            "SELECT a.n, b.id, c.id, t.label, t.country_id, u.email, v.email FROM a JOIN b ON b.id = to_b_id"
            " JOIN c ON c.id = to_c_id AND to_a_id = a.id JOIN user_teams t ON t.id = team_id"
            " JOIN users u ON u.id = owner_id JOIN users v ON v.id = u.boss_id"
        ) == [(1, 1, 1, "all", "land1", "b@x", "a@x")]

    def test_metadata(self, green):
        sha256 = hashlib.sha256((green.export.folder / "a.csv").read_bytes()).hexdigest()
        about_file = {"file": "a.csv", "sha256": sha256}
        facts = {name: plain(made(green.result)[f"{name}/a"]) for name in ("xata", "id_mapping", "postgres")}
        assert all(isinstance(each.pop("seconds"), float) for each in facts.values())
        assert isinstance(facts["xata"].pop("dialect"), str)
        assert isinstance(facts["postgres"].pop("dialect"), str)
        first = facts["postgres"].pop("first rows").records
        assert [record.data for record in first] == [
            {"id": 1, "to_b_id": 1, "n": "set", **dict.fromkeys(NO_METADATA)},
            {"id": 2, "to_b_id": None, "n": "set", **dict.fromkeys(NO_METADATA)},
        ]
        rows = {"dagster/row_count": 2}
        assert facts["xata"] == {**rows, **about_file, "source_rows": 2, "duplicate_rows": 0, "rejected_rows": 0}
        assert facts["id_mapping"] == rows
        changes = {"inserted_rows": 2, "updated_rows": 0, "deleted_rows": 0, "dangling_links": 0}
        assert facts["postgres"] == {**rows, **about_file, **changes}

    def test_a_second_run_changes_nothing(self, green, instance):
        result = run(green.export.migration(), instance)
        assert result.success
        told = [plain(made(result)[f"postgres/{name}"]) for name in NAMES]
        assert {each[fact] for each in told for fact in ("inserted_rows", "updated_rows", "deleted_rows")} == {0}

    def test_one_check_alone(self, green, instance):
        key = dg.AssetCheckKey(dg.AssetKey(["postgres", "users"]), "not_null")
        definition = dg.define_asset_job("one", selection=dg.AssetSelection.checks(key))
        graph = build_definitions(green.export.migration())
        job = dg.Definitions(
            assets=graph.assets, asset_checks=graph.asset_checks, jobs=[definition], resources=graph.resources
        ).resolve_job_def("one")
        result = job.execute_in_process(instance=instance)
        assert list(evaluations(result)) == [("users", "not_null")]
        assert made(result) == {}

    def test_a_failed_check_shows_the_rows_that_differ(self, green, instance):
        database = green.export.database
        database.query("UPDATE user_teams SET label = repeat('x', 500)")
        result = run(green.export.migration(), instance, "check")
        red = {key: each for key, each in evaluations(result).items() if not each.passed}
        assert set(red) == {("user_teams", "values_equal"), ("migration_report", "everything_in_and_checked")}
        evaluation = red["user_teams", "values_equal"]
        assert evaluation.severity is dg.AssetCheckSeverity.ERROR
        assert evaluation.description == "1 row differs from the export, 0 missing"
        (record,) = evaluation.metadata["First rows"].records
        assert record.data == {
            "old_id": "t1",
            "id": 1,
            "column_name": "label",
            "export": "all",
            "target": "x" * 80,
        }
        ((old_id, *_),) = database.query(evaluation.metadata["SQL to see all"].text)
        assert old_id == "t1"
        assert result.success  # wrong values are no reason to keep back the tables that follow
        assert run(green.export.migration(), instance).success
        assert database.value("SELECT label FROM user_teams") == "all"


class TestFailure:
    def test_one_table_fails_its_children_wait_and_the_others_are_done(self, shapes, instance):
        shapes.write("user-teams", 'id,label,owner,country\nt1,x,u1,\nt2,"never closed,u1,\n')
        result = run(shapes.migration(), instance)
        assert not result.success
        (told,) = failures(result).items()
        assert told[0] == "xata__user_teams"
        assert told[1].startswith("user-teams.csv:3: ")
        begun = {event.step_key for event in result.all_events if event.is_step_start}
        waiting = {f"{stage}__user_teams" for stage in ("id_mapping", "postgres", "checks")}
        assert begun.isdisjoint({*waiting, "postgres__c", "checks__c"})
        assert {"postgres/users", "postgres/a", "postgres/b", "id_mapping/c"} <= set(made(result))
        assert {name for name, _ in evaluations(result)} == {"users", "a", "b"}
        shapes.rows("user-teams", "id,label,owner,country", [("t1", "all", "u2", "land1")])
        assert run(shapes.migration(), instance).success

    def test_a_parent_with_a_lost_key_keeps_back_what_follows(self, shapes, instance, monkeypatch):
        """A blocking check: the child's foreign key could not be made on such a parent."""
        from xata_pg_assets.postgres.checks import CheckResult

        migration = shapes.migration()
        check = migration.check

        def lost(table, names):
            if table.name != "user_teams":
                return check(table, names)
            return [CheckResult(name, name != "constraints_in_place", "lacking: all") for name in names]

        monkeypatch.setattr(migration, "check", lost)
        result = run(migration, instance)
        assert not result.success
        assert "postgres/c" not in made(result)
        assert {"postgres/user_teams", "postgres/a", "postgres/b"} <= set(made(result))

    @pytest.mark.parametrize(("error", "tries"), [(TransientError("gone"), 4), (TargetError("refused"), 1)])
    def test_only_what_may_pass_is_tried_again(self, shapes, instance, monkeypatch, error, tries):
        migration, calls = shapes.migration(), []
        stage = migration.stage

        def failing(table):
            if table.name != "a":
                return stage(table)
            calls.append(table.name)
            raise error

        monkeypatch.setattr(migration, "stage", failing)
        monkeypatch.setattr("time.sleep", lambda _: None)
        result = run(migration, instance)
        assert len(calls) == tries
        assert failures(result) == {"xata__a": str(error)}
        assert "postgres/users" in made(result)

    def test_what_passes_at_the_second_try_is_green(self, shapes, instance, monkeypatch):
        migration, calls = shapes.migration(), []
        load = migration.load

        def once(table, shards=None):
            calls.append(table.name)
            if len(calls) == 1:
                raise TransientError("a deadlock")
            return load(table, shards)

        monkeypatch.setattr(migration, "load", once)
        monkeypatch.setattr("time.sleep", lambda _: None)
        assert run(migration, instance).success
        assert len(calls) == len(NAMES) + 1


def test_a_report_on_nothing_is_one_line(shapes):
    with dg.DagsterInstance.ephemeral() as instance:
        job = build_definitions(shapes.migration()).resolve_job_def("report")
        result = job.execute_in_process(instance=instance, raise_on_error=False)
    (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data.description.startswith("nothing was migrated into this target yet; ")
