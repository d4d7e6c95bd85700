"""Xata's habits, kept where they are asked for; the migration itself is not disturbed by them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from xata_pg_assets.errors import UsageError
from xata_pg_assets.postgres import undo
from xata_pg_assets.postgres.scripts.folder import save
from xata_pg_assets_tests.fix_export import Export, NewExport, column, link, table
from xata_pg_assets_tests.fix_psql import Psql
from xata_pg_assets_tests.fix_server import Database, Server

ALL = {"metadata_triggers": True, "new_xata_ids": True, "lookup_views": True, "keep_old_id": True}
HEAD = "id,s,n,xata.version,xata.createdAt,xata.updatedAt"
AT = "2020-01-02T03:04:05.000006Z"


def _export(new_export: NewExport, **flags) -> Export:
    export = new_export(table("userTeams", column("s"), link("n", "userTeams")), **{**ALL, **flags})
    export.rows("userTeams", HEAD, [["rec_a", "x", "rec_b", "7", AT, AT], ["rec_b", "y", None, "0", AT, AT]])
    return export


def _objects(database: Database) -> set[str]:
    return {
        name
        for (name,) in database.query(
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal"
            " UNION SELECT proname FROM pg_proc WHERE pronamespace ="
            " 'xata_migration'::regnamespace UNION SELECT viewname FROM pg_views WHERE schemaname = 'xata_migration'"
            " UNION SELECT sequencename FROM pg_sequences WHERE schemaname = 'xata_migration'"
        )
    }


def test_nothing_of_it_by_default(new_export, database):
    assert _export(new_export, **dict.fromkeys(ALL, False)).migrate().red == {}
    assert _objects(database) == {"new_id"}


def test_the_migration_is_not_disturbed(new_export, database):
    export = _export(new_export)
    assert export.migrate().red == {}
    rows = database.query("SELECT xmin::text, * FROM user_teams ORDER BY id")
    again = export.migrate()
    assert (again.red, again.changes) == ({}, {"userTeams": (0, 0, 0)})
    assert database.query("SELECT xmin::text, * FROM user_teams ORDER BY id") == rows
    export.rows("userTeams", HEAD, [["rec_a", "new", None, None, AT, AT], ["rec_c", "z", "rec_a", None, None, None]])
    third = export.migrate()
    assert (third.red, third.changes) == ({}, {"userTeams": (1, 1, 1)})
    assert database.query("SELECT xata_version, xata_updatedat, xata_id FROM user_teams ORDER BY id") == [
        (None, datetime(2020, 1, 2, 3, 4, 5, 6, UTC), "rec_a"),
        (None, None, "rec_c"),
    ]


def test_versions_and_times_go_on_from_where_they_were(new_export, database):
    _export(new_export).migrate()
    database.query("UPDATE user_teams SET s = 'changed' WHERE id = 1")
    database.query("UPDATE user_teams SET s = 'changed' WHERE id = 1")
    database.query("DELETE FROM user_teams WHERE id = 2")  # sets the link of 1 to NULL, which is an update
    query = "SELECT xata_version, xata_createdat::text, xata_updatedat > now() - interval '1 h' FROM user_teams"
    assert database.query(query) == [(10, "2020-01-02 03:04:05.000006+00", True)]
    added = "INSERT INTO user_teams (s) VALUES ('mine') RETURNING xata_version, xata_createdat = xata_updatedat"
    assert database.query(added) == [(0, True)]
    given = (
        "INSERT INTO user_teams (xata_version, xata_createdat) VALUES (5, '1999-01-01')"
        " RETURNING xata_version, xata_updatedat::text"
    )
    assert database.query(given) == [(5, "1999-01-01 00:00:00+00")]


def test_new_ids_have_xatas_form_are_no_twins_and_tell_their_time(new_export, database):
    _export(new_export).migrate()
    (before,) = database.query("SELECT floor(extract(epoch FROM clock_timestamp()))::bigint")
    database.query("INSERT INTO user_teams (s) SELECT '' FROM generate_series(1, 2000)")
    (after,) = database.query("SELECT ceil(extract(epoch FROM clock_timestamp()))::bigint")
    ids = [name for (name,) in database.query("SELECT xata_id FROM user_teams WHERE id > 2 ORDER BY id")]
    assert len(set(ids)) == 2000
    assert all(re.fullmatch(r"rec_[0-9a-v]{19}[0g]", name) for name in ids)
    numbers = [int(name[4:], 32) >> 4 for name in ids]
    assert all(before[0] <= number >> 64 <= after[0] for number in numbers)
    assert numbers == sorted(numbers)
    assert ids == sorted(ids)
    assert len({number >> 24 & 0xFFFFFFFFFF for number in numbers}) == 1  # one machine, one process


def test_old_ids_find_their_rows(new_export, database):
    export = _export(new_export)
    export.migrate()
    assert database.query("SELECT old_id, id, s FROM xata_migration.user_teams_lookup ORDER BY 1") == [
        ("rec_a", 1, "x"),
        ("rec_b", 2, "y"),
    ]
    database.query("DELETE FROM user_teams WHERE id = 2")
    assert database.value("SELECT count(*) FROM xata_migration.user_teams_lookup WHERE old_id = 'rec_b'") == 0


def test_a_column_that_is_called_old_id(new_export, database):
    export = new_export(table("t", column("old_id")), lookup_views=True)
    export.rows("t", "id,old_id", [["x", "y"]])
    export.migrate()
    assert database.query("SELECT old_id_2, old_id FROM xata_migration.t_lookup") == [("x", "y")]


@pytest.mark.parametrize(
    ("change", "lacking"),
    [
        ("DROP TRIGGER xata_touch ON user_teams", "the trigger xata_touch"),
        ("ALTER TABLE user_teams DISABLE TRIGGER xata_touch", "the trigger xata_touch"),
        ("ALTER TABLE user_teams ALTER xata_id DROP DEFAULT", "the default of xata_id"),
        ("DROP VIEW xata_migration.user_teams_lookup", "the view user_teams_lookup"),
    ],
)
def test_a_lost_habit_is_seen(new_export, database, change, lacking):
    export = _export(new_export)
    export.migrate()
    database.query(change)
    migration = export.migration()
    (found,) = migration.check(migration.plan.tables[0], ["constraints_in_place"])
    assert (found.passed, found.description) == (False, f"lacking: {lacking}")
    if "DISABLE" not in change:
        assert export.migrate().red == {}


def test_asked_for_later_and_taken_out_again(new_export, database):
    export = _export(new_export, metadata_triggers=False, new_xata_ids=False, lookup_views=False)
    export.migrate()
    assert export.migrate(**ALL).red == {}
    assert len(_objects(database)) == 5
    migration = export.migration()
    with migration.reading() as conn:
        shown = undo.find(conn, migration.wanted_layout, migration.plan)
        assert shown.in_the_way == ()
        undo.take_out(conn, migration.wanted_layout, migration.plan, shown, force=False)
    assert database.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^xata'") == []
    assert database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []


def test_psql_makes_them_too(new_export, database, psql: Psql, server: Server, tmp_path):
    export, other = _export(new_export), server.new_database()
    save(tmp_path / "scripts", export.migration().scripts())
    outcome = psql.run_all(other, tmp_path / "scripts")
    assert (outcome.code, outcome.err) == (0, "")
    export.migrate()
    assert _objects(other) == _objects(database) | {"migrate_table"}
    assert other.query("SELECT * FROM user_teams ORDER BY id") == database.query("SELECT * FROM user_teams ORDER BY id")


@pytest.mark.parametrize(
    ("flags", "needed"),
    [
        ({"metadata_triggers": True, "metadata_columns": False}, "metadata_columns"),
        ({"new_xata_ids": True}, "keep_old_id"),
    ],
)
def test_a_habit_without_its_column_is_refused(new_export, flags, needed):
    with pytest.raises(UsageError, match=f"setting {next(iter(flags))}: needs {needed}"):
        new_export(table("t"), **flags).migration()
