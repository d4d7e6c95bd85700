"""Hosts, poolers, rights of roles: as the command line tells of them."""

from __future__ import annotations

from xata_pg_assets_tests.fix_pgbouncer import Pooled
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import XataPg

REFUSED = "a pooler in transaction mode is in between, which keeps no session; connect to the server itself"


def test_the_command_line_says_it_in_one_line(migrating: XataPg, database: Database, pooled: Pooled):
    migrating.variables["XATA_PG_TARGET"] = pooled(database, pool_mode="transaction")
    for command in ("migrate", "plan", "check", "report", "clean", "undo"):
        outcome = migrating(command)
        assert (outcome.code, outcome.out) == (2, ""), command
        assert REFUSED in outcome.error


def test_with_a_preset_the_url_alone_is_refused(migrating: XataPg):
    migrating.variables["XATA_PG_TARGET"] = "postgresql://me:s3cret@127.0.0.1:6543/db"
    outcome = migrating("migrate", "--target-preset", "supabase")
    assert outcome.code == 2
    assert outcome.error.startswith("target 127.0.0.1:6543/db: port 6543 is Supabase's transaction pooler")


def test_on_the_command_line(migrating: XataPg, database: Database):
    assert migrating("migrate", "--grants", "pg_monitor=read", "--row-level-security").code == 0
    tables = (
        "SELECT count(*) FROM pg_tables WHERE rowsecurity AND has_table_privilege('pg_monitor', tablename, 'SELECT')"
    )
    assert database.value(tables) == 3
    outcome = migrating("migrate", "--grants", "pg_monitor=all")
    assert outcome.code == 2
    assert outcome.error.startswith("setting grants.pg_monitor: input should be 'none', 'read' or 'write'")
    assert migrating("plan", "--grants", "anon").error.endswith("is no rule; write anon=read")
    outcome = migrating("plan", env={"XATA_PG_GRANTS": "anon=read"})
    assert outcome.error == 'variable XATA_PG_GRANTS: not JSON; write {"anon": "read"}'
