"""Files through the command line and through Dagster: exit codes, reports, kills, keys that stay untold."""

from __future__ import annotations

import json
import random
import signal
import time
from pathlib import Path

import dagster as dg
import pytest

from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets.xata.schema_json import dump_schema
from xata_pg_assets_tests.test_assets.conftest import QUIET, own_environment, run
from xata_pg_assets_tests.test_cli.conftest import XataPg
from xata_pg_assets_tests.test_files.conftest import KEY, SECRET, USERS, FileExport, file

__all__ = ["own_environment"]


@pytest.fixture
def command(xata_pg: XataPg, files: FileExport) -> XataPg:
    """xata-pg with an export whose users have files."""
    folder = files.export.folder
    (folder / "schema.json").write_text(json.dumps(dump_schema(XataSchema((USERS,)))))
    xata_pg.variables |= {
        "XATA_PG_SOURCE": str(folder),
        "XATA_PG_TARGET": files.export.database.url,
        "XATA_PG_FILES": str(files.saved),
        "XATA_PG_FILES_TO": files.to,
    }
    return xata_pg


def two_users(files: FileExport) -> None:
    files.save("u1", "photo.png", b"12345")
    files.save("u2", "a.png", b"abc")
    files.rows(("u1", file("photo.png", 5), []), ("u2", None, [file("a.png", 3)]))


def test_green(command, files):
    two_users(files)
    outcome = command("migrate", "--json")
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    avatar, gallery = outcome.report["files"]
    assert avatar == {
        "xata_table": "Users",
        "xata_column": "avatar",
        "table": "users",
        "column": "avatar",
        "destination": files.to,
        "files": 1,
        "bytes": 5,
        "copied_files": 1,
        "copied_bytes": 5,
        "unclaimed_files": 0,
        "seconds": avatar["seconds"],
        "check": {
            "name": "files_present",
            "passed": True,
            "severity": "ERROR",
            "description": f"1 file at {files.to}, 5 bytes",
        },
    }
    assert gallery["check"]["passed"]
    assert [len(table["checks"]) for table in outcome.report["tables"]] == [7]
    again = command("migrate")
    assert again.code == 0
    assert f"files of users.avatar: 1 file at {files.to}, 5 bytes (0 copied now)" in again.out
    assert command("check").code == 0
    (Path(files.to) / "users/1/avatar/1-photo.png").unlink()
    outcome = command("check", "--json")
    assert (outcome.code, [each["check"]["passed"] for each in outcome.report["files"]]) == (1, [False, True])
    assert "Do not switch yet: 1 of 9 checks failed" in command("report", "--markdown", "-").out
    assert (command("migrate").code, command("migrate", "--tables", "Users").code) == (0, 0)


def test_without_the_setting_nothing_of_files_is_told(command, files):
    two_users(files)
    del command.variables["XATA_PG_FILES"], command.variables["XATA_PG_FILES_TO"]
    outcome = command("migrate", "--json")
    assert (outcome.code, "files" in outcome.report) == (0, False)
    assert "files" not in json.loads(command("plan", "--json").out)
    assert not Path(files.to).exists()


def test_a_lost_file_is_exit_1(command, files):
    files.rows(("u1", file("lost.png", 5), []))
    outcome = command("migrate")
    assert outcome.code == 1
    assert f"files of users.avatar: 0 of 1 file at {files.to}, 0 bytes; 1 lost" in outcome.out
    assert "7 passed" in outcome.out


def test_the_plan_tells_without_touching(command, files):
    two_users(files)
    files.rows(
        ("u1", file("photo.png", 5), [file("lost.png", 1)]),
        ("u2", None, [file("a.png", 3), file("a.png", 3), file("", 4)]),
        ("u3", file("cut.png", 9), [file('line\nbreak\t\\".png', 2)]),
    )
    files.save("u3", "cut.png", b"1")
    files.save("u3", 'line\nbreak\t\\".png', b"22")
    planned = json.loads(command("plan", "--json").out)["files"]
    counts = ("column", "files", "matched", "missing", "ambiguous", "other_size", "bytes", "all_rows")
    assert [[each[name] for name in counts] for each in planned["columns"]] == [
        ["users.avatar", 2, 1, 0, 0, 1, 5, True],
        ["users.gallery_pics", 5, 1, 2, 2, 0, 2, True],
    ]
    assert (planned["source"], planned["destination"]) == (str(files.saved), files.to)
    outcome = command("plan")
    assert outcome.code == 0
    assert "users.gallery_pics" in outcome.out
    assert not Path(files.to).exists()
    assert files.export.database.query("SELECT FROM pg_namespace WHERE nspname = 'xata_migration'") == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"XATA_PG_FILES_TO": ""}, "setting files_to: not set; name the folder or the URL to copy the files to"),
        ({"XATA_PG_FILES": ""}, "setting files_to: needs files, the folder of the saved files"),
        ({"XATA_PG_FILES": "nowhere"}, "setting files: nowhere is no folder"),
        ({"XATA_PG_FILES_TO": "nothing://x"}, "setting files_to: nothing://x: Protocol not known: nothing"),
        (
            {"XATA_PG_FILES_TO": "abfs://x/y"},
            "setting files_to: abfs:// needs a package that is not installed; pip install",
        ),
        ({"XATA_PG_FILES_TO_OPTIONS": "c4nary"}, "variable XATA_PG_FILES_TO_OPTIONS: not JSON; write"),
        ({"XATA_PG_FILES_THREADS": "0"}, "setting files_threads: input should be greater than 0"),
    ],
)
def test_what_is_wrong_with_the_settings_is_told_first(command, files, settings, message):
    two_users(files)
    outcome = command("migrate", env=settings)
    assert (outcome.code, outcome.error[: len(message)]) == (2, message)
    assert files.export.database.query("SELECT FROM pg_namespace WHERE nspname = 'xata_migration'") == []


def test_kill_9_amid_the_copying(command, files):
    """Each kill hits what the one before left; the last run finishes: every file once, whole, as without."""
    dice, count, size = random.Random(7), 600, 60_000
    names = [f"u{n:04}" for n in range(count)]
    for name in names:
        files.save(name, "p.bin", random.Random(name).randbytes(size))
    files.rows(*((name, file("p.bin", size), []) for name in names))
    database, hits = files.export.database, 0
    copied = "SELECT count(*) FROM xata_migration.files WHERE key IS NOT NULL"
    keyed = "SELECT count(*) FROM users WHERE avatar ? 'key'"
    for _ in range(12):
        before = database.value(copied) if hits else 0
        running = command.start("migrate")
        while running.process.is_alive():
            is_there = database.value("SELECT to_regclass('xata_migration.files') IS NOT NULL")
            if is_there and database.value(copied) >= before + dice.randint(1, 150):
                break
            time.sleep(0.005)
        running.process.kill()
        hits += running.end().code == -signal.SIGKILL
        assert database.value(copied) == database.value(keyed)
        if hits == 3:
            break
    assert hits > 0
    for name, data in files.copies.items():
        if not name.startswith(".xata_pg"):
            assert len(data) == size, name
    left = count - database.value(copied)
    outcome = command("migrate", "--json")
    assert (outcome.code, outcome.report["ok"]) == (0, True)
    assert outcome.report["files"][0]["copied_files"] == left
    assert files.copies == {
        f"users/{n}/avatar/1-p.bin": random.Random(name).randbytes(size) for n, name in enumerate(names, 1)
    }
    assert database.value(keyed) == count


def test_no_key_of_a_store_is_told(command, files, store, tmp_path):
    two_users(files)
    options = json.dumps(store.options)
    command.variables |= {
        "XATA_PG_FILES_TO": f"s3://{store.bucket}/x",
        "XATA_PG_FILES_TO_OPTIONS": options,
    }
    outcomes = [
        command("plan", "--json"),
        command("--debug", "migrate", "--json"),
        command("report", "--markdown", "-"),
    ]
    assert [each.code for each in outcomes] == [0, 0, 0]
    assert set(store.objects) == {"x/users/1/avatar/1-photo.png", "x/users/2/gallery_pics/1-a.png"}
    command.variables["XATA_PG_FILES_TO"] = "s3://no-such-bucket/x"
    outcomes.append(command("--debug", "migrate", "--json"))
    assert outcomes[-1].code == 3
    texts = [each.out + each.err for each in outcomes]
    texts += [path.read_bytes().decode(errors="replace") for path in (tmp_path / "home").rglob("*") if path.is_file()]
    texts += [
        str(files.export.database.query(f"SELECT * FROM xata_migration.{name}")) for name in ("files", "file_loads")
    ]
    assert not any(secret in text for text in texts for secret in (KEY, SECRET))


class TestDagster:
    """The assets as Dagit shows them, and one of them made alone."""

    def test_assets_checks_and_edges(self, files):
        definitions = build_definitions(files.export.migration(**files.flags()))
        graph = definitions.resolve_asset_graph()
        key = dg.AssetKey(["files", "users.gallery_pics"])
        assert graph.get(key).parent_keys == {dg.AssetKey(["postgres", "users"])}
        assert key in graph.get(dg.AssetKey("migration_report")).parent_keys
        assert {each.name for each in graph.asset_check_keys if each.asset_key == key} == {"files_present"}
        assert len([each for each in graph.asset_check_keys if each.asset_key.path[0] == "postgres"]) == 7
        without = build_definitions(files.export.migration()).resolve_asset_graph()
        assert not any(each.path[0] == "files" for each in without.get_all_asset_keys())

    def test_one_file_column_alone(self, files):
        two_users(files)
        files.export.migrate()
        migration = files.export.migration(**files.flags())
        key = dg.AssetKey(["files", "users.avatar"])
        with dg.DagsterInstance.ephemeral() as instance:
            result = run(migration, instance, asset_selection=[key])
            assert result.success
            (made,) = result.get_asset_materialization_events()
            (check,) = result.get_asset_check_evaluations()
        assert made.asset_key == key
        assert made.materialization.metadata["copied files"].value == 1
        assert (check.asset_check_key.name, check.passed) == ("files_present", True)
        assert files.copies == {"users/1/avatar/1-photo.png": b"12345"}

    def test_a_red_check_shows_its_rows_and_stops_nothing(self, files):
        files.rows(("u1", file("lost.png", 5), []))
        with dg.DagsterInstance.ephemeral() as instance:
            result = run(files.export.migration(**files.flags()), instance)
        assert result.success
        red = {each.asset_key.path[-1]: each for each in result.get_asset_check_evaluations() if not each.passed}
        assert set(red) == {"users.avatar", "migration_report"}
        metadata = red["users.avatar"].metadata
        assert metadata["First rows"].records[0].data["problem"] == "lost: no saved file"
        assert metadata["Mend"].value.startswith("Lay what is lost")
        assert "FROM" in metadata["SQL to see all"].value
        report = {each.asset_key.path[-1]: each.materialization for each in result.get_asset_materialization_events()}[
            "migration_report"
        ]
        assert report.metadata["failed_checks"].value == 1

    def test_files_before_their_table_are_told(self, files):
        two_users(files)
        definitions = build_definitions(files.export.migration(**files.flags()))
        with dg.DagsterInstance.ephemeral() as instance:
            result = definitions.resolve_job_def("migrate").execute_in_process(
                instance=instance,
                raise_on_error=False,
                run_config=QUIET,
                asset_selection=[dg.AssetKey(["files", "users.avatar"])],
            )
            (failed,) = [
                event
                for event in result.all_events
                if event.is_step_failure and event.step_failure_data.user_failure_data
            ]
        assert failed.step_failure_data.user_failure_data.description == (
            "table Users: not migrated yet; materialize postgres/users first"
        )
