"""Tables in shards: cell by cell, key by key and count by count what they are without."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from xata_pg_assets.errors import ExportError, TargetError, TransientError, UnreachableError, UsageError
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.shards import shard_names
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres import sharding
from xata_pg_assets.postgres.connection import Connection, connect
from xata_pg_assets.postgres.ledger import Entry
from xata_pg_assets.postgres.staging import drop_staging
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import METADATA, Export, NewExport, column, link, table
from xata_pg_assets_tests.fix_server import Database, Server

# What the clock says, and what only shards have
_TIMES = ("staging_seconds", "staged_at", "mapping_seconds", "mapped_at", "load_seconds", "loaded_at")
_TIMES += ("check_seconds", "checked_at", "shards", "source")

SCHEMA = XataSchema(
    (
        table("people", column("name"), link("boss", "people")),
        table(
            "sightings",
            column("code", unique=True),
            column("n", "int", not_null=True, default="0"),
            column("words", "multiple"),
            column("facts", "json"),
            column("place", "vector", dimension=2),
            link("seen by", "people"),
            link("before", "sightings"),
            link("report", "reports"),
        ),
        table("reports", link("first", "sightings"), column("title", default="none")),
        table("notes", link("of", "sightings", not_null=True), column("text")),
    )
)
ROWS = 400


def write(export: Export, seed: int, rows: int = ROWS, gone: Sequence[int] = ()) -> None:
    """Write an export in which links dangle, values are missing, and rows lie in no order; `gone` are left out."""
    rng = random.Random(seed)
    stamp = ["0", "2020-01-01T00:00:00Z", None]
    people = [f"p{number}" for number in range(20)]
    export.rows(
        "people",
        ["id", "name", "boss", *METADATA],
        [[name, name.upper(), rng.choice(people), *stamp] for name in people],
    )
    ids = [f"s{number}" for number in range(rows) if number not in gone]
    rng.shuffle(ids)
    codes = [f"c{number}" for number in range(len(ids))]
    rng.shuffle(codes)
    export.rows(
        "sightings",
        ["id", "code", "n", "words", "facts", "place", "seen by", "before", "report", *METADATA],
        [
            [
                name,
                code if rng.random() < 0.9 else None,
                str(rng.randrange(-9, 9)),
                rng.choice(["[]", '["a","b,c"]', None]),
                rng.choice(['{"a": 1.00}', "null", None]),
                rng.choice(["[1,-0.0]", None]),
                rng.choice([*people, "p-lost"]),
                rng.choice([*ids, "s-lost", None]),
                rng.choice(["r0", "r1", None]),
                *stamp,
            ]
            for name, code in zip(ids, codes, strict=True)
        ],
    )
    export.rows("reports", ["id", "first", "title", *METADATA], [[f"r{n}", ids[n], "t", *stamp] for n in range(3)])
    export.rows("notes", ["id", "of", "text", *METADATA], [[f"n{n}", ids[n * 7], "x", *stamp] for n in range(30)])


def flags(shards: int, *names: str, **more: Any) -> dict[str, Any]:
    tables = {name: {"shards": shards} for name in names or ("sightings",)}
    return {"max_dangling_links": 10_000, "tables": tables, **more}


def image(database: Database) -> dict[str, Any]:
    """Everything that a migration leaves, but for times."""
    found: dict[str, Any] = {}
    for schema, name in database.query(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'xata_migration') ORDER BY 1, 2"
    ):
        if name != "loads":
            rows = database.query(f'SELECT t::text COLLATE "C" FROM "{schema}"."{name}" AS t ORDER BY 1')
            found[f"{schema}.{name}"] = rows
    found["constraints"] = database.query(
        "SELECT conname, conrelid::regclass::text, pg_get_constraintdef(oid), convalidated FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2"
    )
    found["indexes"] = database.query("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
    found["columns"] = database.query(
        "SELECT table_name, ordinal_position, column_name, data_type, is_nullable, column_default, is_identity,"
        " identity_generation, collation_name, col_description(format('public.%I', table_name)::regclass,"
        " ordinal_position::int) FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    found["sequences"] = database.query("SELECT sequencename, last_value FROM pg_sequences ORDER BY 1")
    found["comments"] = database.query(
        "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind = 'r' ORDER BY 1"
    )
    found["staged"] = database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'xata_staging' ORDER BY 1")
    return found


def facts(lines: dict[str, Entry]) -> dict[str, Any]:
    return {
        name: {fact: value for fact, value in asdict(line).items() if fact not in _TIMES}
        for name, line in lines.items()
    }


class Twins:
    """The same exports, migrated with shards and without, each into a database of its own."""

    def __init__(self, folder: Path, server: Server, schema: XataSchema = SCHEMA) -> None:
        self.sharded = Export(folder, server.new_database(), schema)
        self.whole = Export(folder, server.new_database(), schema)

    def migrate(self, *names: str, shards: int = 7, **more: Any) -> dict[str, Any]:
        """Migrate both, compare everything, and return what the load changed."""
        results = [
            self.sharded.migrate(**flags(shards, *names, **more)),
            self.whole.migrate(**flags(1, *names, **more)),
        ]
        assert results[0].red == results[1].red
        assert facts(dict(results[0].lines)) == facts(dict(results[1].lines))
        assert image(self.sharded.database) == image(self.whole.database)
        return results[0].changes


@pytest.fixture
def twins(tmp_path: Path, server: Server) -> Twins:
    return Twins(tmp_path, server)


@pytest.mark.parametrize("names", [("sightings",), ("sightings", "people", "reports", "notes")])
def test_they_are_what_they_are_without_shards(twins: Twins, names: tuple[str, ...]):
    write(twins.sharded, 1)
    changes = twins.migrate(*names)
    assert changes["sightings"] == (ROWS, 0, 0)
    # Nothing differs: nothing changes
    assert twins.migrate(*names)["sightings"] == (0, 0, 0)
    # Rows come, go and change, links lead elsewhere, unique values wander, also from shard to shard
    write(twins.sharded, 2, rows=ROWS + 50, gone=range(40, 60))
    changes = twins.migrate(*names)
    assert changes["sightings"][0] == 50
    assert changes["sightings"][2] == 20
    assert twins.migrate(*names, shards=3)["sightings"] == (0, 0, 0)


@pytest.mark.parametrize("policy", ["reject", "null"])
def test_dangling_links_are_judged_as_without(twins: Twins, policy: str):
    write(twins.sharded, 3)
    more = {"dangling_links": policy, "max_rejected_rows": 10_000}
    twins.migrate("sightings", "reports", **more)
    write(twins.sharded, 4, gone=range(30))
    twins.migrate("sightings", "reports", **more)


def test_rows_that_do_not_lie_in_the_order_of_their_file(tmp_path: Path, server: Server):
    """What is recovered from an id is written into the staged row, which then lies behind all others."""
    twins = Twins(tmp_path, server, XataSchema((table("t", column("n", "int")),)))
    rng = random.Random(5)
    twins.sharded.rows(
        "t",
        ["id", "n", *METADATA],
        [
            [f"rec_cis16ublcpnik5od{n:04d}", str(n), "0", rng.choice([None, "2020-01-01T00:00:00Z"]), None]
            for n in range(ROWS)
        ],
    )
    assert twins.migrate("t", recover_created_at=True)["t"] == (ROWS, 0, 0)
    shards = entry(twins.sharded, "t").in_shards
    assert sorted(facts["rows"] for facts in shards.done.values()) == [57] * 6 + [58]


def entry(export: Export, name: str = "sightings") -> Entry:
    migration = export.migration()
    return migration.line(migration.plan.find(name))


def staged(migration: Migration, *names: str) -> None:
    """Do all that comes before the load of the named tables, the tables linked to included."""
    for each in migration.plan.tables:
        migration.stage(each)
    for each in migration.plan.tables:
        migration.map_ids(each)
        if each.xata_name not in names:
            migration.load(each)


def test_chosen_shards_and_then_the_rest(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int", unique=True)), table("u", link("t", "t")), **flags(8, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(40)])
    export.rows("u", "id,t", [["u", "r01"]])
    migration = export.migration()
    whole, linking = migration.plan.find("t"), migration.plan.find("u")
    staged(migration, "t", "u")
    line = migration.load(whole, ["3", "7", "8"])
    assert line.unfinished == "shards 1-2, 4-6 of 8 are missing"
    assert {name: done["rows"] for name, done in line.shards["done"].items()} == {"3": 5, "7": 5, "8": 5}
    # The rest of the world does not see it
    assert database.value("SELECT to_regclass('public.t')") is None
    assert {check.severity for check in migration.check(whole)} == {"WARN"}
    assert {check.description for check in migration.check(whole)} == {
        "not checked yet: shards 1-2, 4-6 of 8 are missing"
    }
    with pytest.raises(
        TargetError, match=r"table u: links to t, of which shards 1-2, 4-6 of 8 are missing; migrate it"
    ):
        migration.load(linking)
    first = line.shards["done"]
    line = migration.load(whole)
    assert (line.unfinished, line.inserted_rows, line.target_rows) == (None, 40, 40)
    assert {name: line.shards["done"][name] for name in first} == first  # none was loaded twice
    migration.load(linking)
    assert all(check.passed for each in (whole, linking) for check in migration.check(each))
    # One of a whole table is loaded again by itself: what was changed in its rows by hand is mended, and no other
    database.query("UPDATE t SET n = -n")
    line = migration.load(whole, ["3"])
    assert (line.unfinished, line.inserted_rows, line.updated_rows) == (None, 0, 5)
    assert database.query("SELECT n FROM t WHERE n > 0 ORDER BY 1") == [(n,) for n in range(10, 15)]
    assert migration.load(whole).updated_rows == 34


def test_a_shard_that_fails_leaves_the_others(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), **flags(4, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    export.migrate()
    database.query("ALTER TABLE t ADD CONSTRAINT small CHECK (n NOT IN (107, 112))")
    export.rows("t", "id,n", [[f"r{n:02}", str(n + 100)] for n in range(19)])
    with pytest.raises(TargetError) as error:
        export.migrate()
    assert str(error.value).count("\n") == 0
    assert 'table t, shard 2: new row for relation "t" violates check constraint "small"' in str(error.value)
    assert "table t, shard 3: " in str(error.value)
    assert "Table t: shards 2-3 of 4 are missing; what is in stays, running again loads the others" in str(error.value)
    assert database.query("SELECT id, n FROM t ORDER BY 1") == [
        (n + 1, n + 100 if not 5 <= n < 10 and not 10 <= n < 15 else n) for n in range(19)
    ]
    line = entry(export, "t")
    assert (line.unfinished, line.checks) == ("shards 2-3 of 4 are missing", {})
    unchanged = database.query("SELECT xmin::text FROM t WHERE id < 6 OR id > 15 ORDER BY id")
    database.query("ALTER TABLE t DROP CONSTRAINT small")
    result = export.migrate()
    assert (result.red, result.changes) == ({}, {"t": (0, 19, 1)})
    assert database.query("SELECT xmin::text FROM t WHERE id < 6 OR id > 15 ORDER BY id") == unchanged


def test_sessions_that_are_killed_cost_their_shards_only(new_export: NewExport, database: Database):
    """A shard waits for a lock of the test's, which ends its session; the others of the first load are in."""
    export = new_export(table("t", column("n", "int")), **flags(4, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    with psycopg.connect(database.url) as conn, _Killer(database):
        conn.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))",
            ("\x1f".join(("xata_pg_assets", "public", "xata_migration", "table t shard 2")),),
        )
        with pytest.raises(TransientError, match=r"table t, shard 2: .*Table t: shard 2 of 4 is missing"):
            migration.load(whole)
    assert database.value("SELECT to_regclass('public.t')") is None
    assert database.value("SELECT count(*) FROM xata_staging.t_building") == 15
    assert migration.load(whole).inserted_rows == 20
    assert database.value("SELECT count(*) FROM pg_tables WHERE tablename = 't_building'") == 0


class _Killer:
    """Ends every session that waits for an advisory lock, until it has ended one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'advisory'"
        while not self._over.wait(0.05):
            if self._database.query(f"{query} AND datname = current_database()"):
                return

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def test_one_of_many_fails(new_export: NewExport, database: Database):
    """More of them than can be at work when it fails."""
    export = new_export(table("t", column("n", "int")), **flags(60, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(60)])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    migration.load(whole, ["60"])
    database.query("ALTER TABLE xata_staging.t_building ADD CONSTRAINT one CHECK (n <> 0)")
    with pytest.raises(TargetError, match=r"Table t: shard 1 of 60 is missing"):
        migration.load(whole)
    database.query("ALTER TABLE xata_staging.t_building DROP CONSTRAINT one")
    assert migration.load(whole).inserted_rows == 60


def test_what_has_the_name_already(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), **flags(2, "t"))
    export.rows("t", "id,n", [["a", "1"], ["b", "2"]])
    for make, drop, words in (
        ("CREATE TYPE t AS ENUM ()", "DROP TYPE t", "a type"),
        ("CREATE TABLE t (id int, n int)", "DROP TABLE t", "exists already and was not made by a migration"),
    ):
        database.query(make)
        with pytest.raises(TargetError, match=words):
            export.migrate()
        assert entry(export, "t").shards is None  # told before any shard is loaded
        database.query(drop)
    assert export.migrate().changes == {"t": (2, 0, 0)}


def test_nothing_is_staged_any_more(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), **flags(2, "t"))
    export.rows("t", "id,n", [["a", "1"], ["b", "2"]])
    migration = export.migrate().migration
    with connect(database.url) as conn:
        drop_staging(conn, migration.layout)
    (export.folder / "t.csv").unlink()
    assert export.migrate().changes == {"t": (0, 0, 0)}
    assert database.value("SELECT count(*) FROM t") == 2


def test_a_chosen_one_of_a_later_load_is_loaded_again(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), **flags(4, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    export.migrate()
    export.rows("t", "id,n", [[f"r{n:02}", str(n + 100)] for n in range(20)])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    assert migration.load(whole, ["1", "2"]).missing_shards == ["3", "4"]
    database.query("UPDATE t SET n = -1 WHERE id < 9")
    assert migration.load(whole, ["2"]).missing_shards == ["3", "4"]
    assert database.query("SELECT n FROM t WHERE id < 11 ORDER BY id") == [(-1,)] * 5 + [(n,) for n in range(105, 110)]


class Meanwhile:
    """A migration whose first shard finds that something was done just before it."""

    def __init__(self, migration: Migration, what: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
        session, mutex, todo = migration._shard_session, threading.Lock(), [what]

        @contextmanager
        def after(table: TargetTable, shard: str) -> Iterator[Connection]:
            with mutex:
                while todo:
                    todo.pop()()
            with session(table, shard) as conn:
                yield conn

        monkeypatch.setattr(migration, "_shard_session", after)


@pytest.mark.parametrize("what", ["rows", "policy"])
def test_a_shard_of_what_is_no_longer_so_is_not_loaded(
    new_export: NewExport, database: Database, monkeypatch: pytest.MonkeyPatch, what: str
):
    """Others stage newer rows, or begin anew with another setting, between the beginning and the first shard."""
    export = new_export(table("t", column("n", "int"), link("t", "t")), **flags(4, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    first = export.migration()
    staged(first, "t")

    def change() -> None:
        other = export.migration(**({"dangling_links": "reject"} if what == "policy" else {}))
        if what == "rows":
            export.rows("t", "id,n", [[f"r{n:02}", str(n + 100)] for n in range(20)])
            other.stage(other.plan.find("t"))
        else:
            other.load(other.plan.find("t"), ["1"])

    Meanwhile(first, change, monkeypatch)
    with pytest.raises(TransientError, match="table t: another run changed it meanwhile; run again"):
        first.load(first.plan.find("t"))
    assert set(entry(export, "t").shards["done"]) == ({"1"} if what == "policy" else set())
    assert export.migrate().red == {}
    assert database.value("SELECT count(*) FROM t WHERE n >= 100") == (20 if what == "rows" else 0)


def test_two_that_load_the_same_shards(new_export: NewExport, database: Database, monkeypatch: pytest.MonkeyPatch):
    export = new_export(table("t", column("n", "int")), **flags(4, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    slow, half, quick = export.migration(), export.migration(), export.migration()
    (whole,) = slow.plan.tables
    staged(slow, "t")
    # One shard is in meanwhile: it is not loaded twice
    Meanwhile(slow, lambda: half.load(whole, ["2"]), monkeypatch)
    line = slow.load(whole)
    assert (line.unfinished, line.inserted_rows, database.value("SELECT count(*) FROM t")) == (None, 20, 20)
    # All are, and they were checked: the checks stay
    database.query("UPDATE t SET n = -n")
    later = export.migration()
    Meanwhile(later, lambda: (quick.load(whole), quick.check(whole)), monkeypatch)
    line = later.load(whole)
    assert line.unfinished is None
    assert [check["passed"] for check in line.checks.values()] == [True] * 7


def test_a_server_that_lets_nobody_in_any_more(
    new_export: NewExport, database: Database, server: Server, monkeypatch: pytest.MonkeyPatch
):
    """The shards that wait are not tried one after the other, and nobody waits for them."""
    export = new_export(table("t", column("n", "int")), **flags(60, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(60)])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
    name = sql.Identifier(conninfo_to_dict(database.url)["dbname"])
    Meanwhile(migration, lambda: Database(server.url).query(allow.format(name, sql.SQL("false"))), monkeypatch)
    failed = list[BaseException | None]()
    loading = threading.Thread(target=lambda: failed.append(_error_of(lambda: migration.load(whole))), daemon=True)
    loading.start()
    loading.join(120)
    Database(server.url).query(allow.format(name, sql.SQL("true")))
    assert isinstance(failed[0], UnreachableError)
    assert "Table t: shards 1-60 of 60 are missing" in str(failed[0])
    assert migration.load(whole).inserted_rows == 60


def _error_of(work: Callable[[], object]) -> BaseException | None:
    try:
        work()
    except BaseException as error:
        return error
    return None


def test_whoever_has_the_table_to_himself_is_waited_for(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), **flags(2, "t"))
    export.rows("t", "id,n", [["a", "1"], ["b", "2"]])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    waiting = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()"
        " AND query ~ 'xact_lock'"
    )
    with ThreadPoolExecutor(1) as pool:
        with psycopg.connect(database.url) as conn:
            conn.execute(f"SELECT pg_advisory_xact_lock_shared({_lock_of('table t')})")  # as a shard at work does
            loading = pool.submit(migration.load, whole)
            while not database.value(waiting):
                assert not loading.done(), loading.result()
            assert entry(export, "t").shards is None
        assert loading.result().unfinished is None


def _lock_of(what: str) -> str:
    """Return the number of an advisory lock, as SQL."""
    return f"hashtextextended(concat_ws(chr(31), 'xata_pg_assets', 'public', 'xata_migration', '{what}'), 0)"


@pytest.mark.parametrize("setting", [{"dangling_links": "reject"}, {"naming": "preserve"}, "version", "parent"])
def test_what_decides_the_rows_makes_all_outstanding(
    new_export: NewExport, database: Database, monkeypatch: pytest.MonkeyPatch, setting: dict[str, Any] | str
):
    export = new_export(table("p"), table("t", column("n", "int"), link("p", "p")), **flags(4, "t"))
    export.rows("p", "id", [["a"]])
    export.rows("t", "id,n,p", [[f"r{n}", str(n), "a"] for n in range(8)])
    migration = export.migration()
    staged(migration, "t")
    assert migration.load(migration.plan.find("t"), ["1"]).missing_shards == ["2", "3", "4"]
    if setting == "version":
        monkeypatch.setattr(sharding, "__version__", "another")
    elif setting == "parent":
        export.rows("p", "id", [["a"], ["b"]])
    elif "naming" in setting:
        database.query("DROP TABLE p")  # its columns have other names, too
    later = export.migration(**(setting if isinstance(setting, dict) else {}))
    staged(later, "t")
    assert later.load(later.plan.find("t"), ["4"]).missing_shards == ["1", "2", "3"]
    assert later.load(later.plan.find("t")).inserted_rows == 8
    assert all(check.passed for check in later.check(later.plan.find("t")))


def test_a_newer_export_makes_all_outstanding(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), **flags(4, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    migration.load(whole, ["1", "2"])
    export.rows("t", "id,n", [[f"r{n:02}", str(n + 1)] for n in range(3, 30)])
    later = export.migration()
    staged(later, "t")
    assert later.line(whole).unfinished == "shards 1-4 of 4 are missing"
    later.load(whole, ["1"])
    assert later.line(whole).missing_shards == ["2", "3", "4"]
    later.load(whole)
    assert database.query("SELECT m.old_id, n FROM t JOIN xata_migration.t_id_mapping m ON id = new_id ORDER BY 1") == [
        (f"r{n:02}", n + 1) for n in range(3, 30)
    ]


def test_what_is_in_stays_when_staged_rows_are_lost(new_export: NewExport, database: Database):
    """As after a crash of the server, which empties unlogged tables."""
    export = new_export(table("t", column("n", "int")), **flags(4, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    done = migration.load(whole, ["1", "4"]).shards["done"]
    database.query("TRUNCATE xata_staging.t")
    line = export.migration().load(whole)
    assert {name: line.shards["done"][name] for name in done} == done
    assert line.inserted_rows == database.value("SELECT count(DISTINCT n) FROM t") == 20


def test_what_was_built_is_dropped_by_hand(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), **flags(4, "t"))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    migration.load(whole, ["1", "4"])
    database.query("DROP TABLE xata_staging.t_building")
    assert export.migration().load(whole, ["2"]).missing_shards == ["1", "3", "4"]
    assert export.migrate().red == {}
    assert database.value("SELECT count(*) FROM t") == 20


def test_another_number_of_shards_or_none_begins_anew(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")))
    export.rows("t", "id,n", [[f"r{n:02}", str(n)] for n in range(20)])
    for shards in (4, 3, 1):
        migration = export.migration(**flags(shards, "t"))
        (whole,) = migration.plan.tables
        staged(migration, "t")
        if shards == 1:
            assert migration.load(whole).shards is None
        else:
            assert migration.load(whole, ["1"]).missing_shards == list(shard_names(shards)[1:])
            assert database.value("SELECT count(*) FROM xata_staging.t_building") == -(-20 // shards)
    assert database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'xata_staging'") == [("t",)]
    assert all(check.passed for check in migration.check(whole))


def test_rows_of_a_linked_table_that_are_gone_by_hand(new_export: NewExport, database: Database):
    export = new_export(table("t", link("p", "p")), table("p"), **flags(3, "t"), on_delete="cascade")
    export.rows("p", "id", [["a"], ["b"]])
    export.rows("t", "id,p", [[f"r{n}", "ab"[n % 2]] for n in range(9)])
    migration = export.migration()
    staged(migration, "t")
    database.query("DELETE FROM p WHERE id = 2")
    line = migration.load(migration.plan.find("t"))
    assert (line.unfinished, line.dangling_links) == (None, 4)
    assert database.query("SELECT p_id, count(*) FROM t GROUP BY 1 ORDER BY 1") == [(1, 5), (None, 4)]


def test_a_row_of_ones_own_keeps_a_unique_value(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int", unique=True)), **flags(3, "t"))
    export.rows("t", "id,n", [[f"r{n}", str(n)] for n in range(9)])
    export.migrate()
    database.query("UPDATE t SET n = 100 WHERE n = 5")
    database.query("INSERT INTO t (n) VALUES (5)")
    with pytest.raises(TargetError, match="table t: a row of your own has a value of the unique column n"):
        export.migrate()
    # Found before anything was touched
    assert entry(export, "t").unfinished is None
    assert database.value("SELECT count(*) FROM pg_constraint WHERE conname = 't_n_key'") == 1


def test_mode_fail_writes_nothing(new_export: NewExport, database: Database):
    export = new_export(table("t", link("t", "t")), **flags(3, "t", dangling_links="fail"))
    export.rows("t", "id,t", [["a", "a"], ["b", "gone"], ["c", "a"]])
    with pytest.raises(ExportError, match="b to gone"):
        export.migrate()
    assert entry(export, "t").shards is None
    assert database.value("SELECT to_regclass('xata_staging.t_building')") is None


def test_fewer_rows_than_shards_and_no_file(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), table("none"), **flags(9, "t", "none"))
    export.rows("t", "id,n", [["a", "1"], ["b", "2"]])
    result = export.migrate()
    assert (result.red, result.changes) == ({}, {"t": (2, 0, 0), "none": (0, 0, 0)})
    (export.folder / "t.csv").unlink()
    assert export.migrate().red == {}
    assert database.value("SELECT count(*) FROM t") == 2


def test_a_ledger_of_an_older_version(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")))
    export.rows("t", "id,n", [["a", "1"], ["b", "2"]])
    export.migrate()
    database.query("ALTER TABLE xata_migration.loads DROP COLUMN shards")
    assert entry(export, "t").shards is None
    result = export.migrate(**flags(2, "t"))
    assert (result.red, result.changes) == ({}, {"t": (0, 0, 0)})
    assert result.lines["t"].in_shards.is_whole


def test_staged_rows_dropped_half_way(new_export: NewExport, database: Database):
    export = new_export(table("t", column("n", "int")), **flags(2, "t"))
    export.rows("t", "id,n", [["a", "1"], ["b", "2"]])
    migration = export.migration()
    (whole,) = migration.plan.tables
    staged(migration, "t")
    migration.load(whole, ["1"])
    with connect(database.url) as conn:
        assert drop_staging(conn, migration.layout) == 2
    assert migration.line(whole).shards is None
    assert export.migrate().red == {}
    with connect(database.url) as conn:
        drop_staging(conn, migration.layout)
    assert migration.line(whole).in_shards.is_whole
    assert all(check.passed for check in export.migration().check(whole))


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"nobody": {"shards": 2}}, "setting tables.nobody: no such table in the schema; it has a, b"),
        ({"a": {"shards": 0}}, "setting tables.a.shards: "),
        ({"a": {"shard": 2}}, "setting tables.a.shard: there is no such setting"),
        ({"a": {"shards": 2}, "b": {"shards": 3}}, "setting tables.b.shards: 3, and a has 2; a Dagster job takes one"),
    ],
)
def test_wrong_settings_are_one_line(new_export: NewExport, tables: dict[str, Any], words: str):
    export = new_export(table("a"), table("b"))
    with pytest.raises(UsageError) as error:
        export.migration(tables=tables)
    assert str(error.value).startswith(words)
    assert "\n" not in str(error.value)


def test_a_table_left_whole_beside_others(new_export: NewExport):
    export = new_export(table("a"), table("b"))
    plan = export.migration(tables={"a": {"shards": 1}, "b": {"shards": 3}}).plan
    assert [(each.name, each.shards) for each in plan.tables] == [("a", 1), ("b", 3)]


def test_the_name_aside_meets_no_other(new_export: NewExport, database: Database):
    names = ("t", "t_building", "T_building_2")
    export = new_export(*(table(name) for name in names), **flags(2, *names), naming="preserve")
    for name in names:
        export.rows(name, "id", [["a"], ["b"]])
    assert export.migrate().red == {}
    assert database.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1") == sorted(
        (name,) for name in names
    )
