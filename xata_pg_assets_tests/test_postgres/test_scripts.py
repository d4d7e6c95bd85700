"""The scripts, run by psql alone, make the database that the pipeline makes."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.errors import UsageError
from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres.scripts.folder import save
from xata_pg_assets.settings import load_settings
from xata_pg_assets.xata.demo import write_demo
from xata_pg_assets.xata.schema_files import read_schema
from xata_pg_assets_tests.fix_export import Export, NewExport, checks_of, column, link, migrate, table
from xata_pg_assets_tests.fix_psql import Psql
from xata_pg_assets_tests.fix_server import Database, Server

_CATALOGS = {
    "columns": """SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
        pg_get_expr(adbin, adrelid), col_description(attrelid, attnum) FROM pg_attribute
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum JOIN pg_class c ON c.oid = attrelid
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 ORDER BY 1, attnum""",
    "constraints": """SELECT conrelid::regclass::text, conname, pg_get_constraintdef(c.oid) FROM pg_constraint c
        WHERE connamespace IN ('public'::regnamespace, 'xata_migration'::regnamespace) ORDER BY 1, 2""",
    "indexes": """SELECT schemaname, tablename, indexname, indexdef FROM pg_indexes
        WHERE schemaname IN ('public', 'xata_migration') ORDER BY 1, 2, 3""",
    "ledger": """SELECT xata_table, target_table, mapping_table, file, dialect, staged_rows, source_rows,
        duplicate_rows, rejected_rows, mapped_rows, target_rows, dangling_links, staging_warnings,
        loaded_at IS NOT NULL, (SELECT jsonb_object_agg(key, value -> 'passed') FROM jsonb_each(checks))
        FROM xata_migration.loads ORDER BY 1""",
    "digests": "SELECT xata_table, mapping_digest, dangling_digest FROM xata_migration.loads ORDER BY 1",
    "rejected digests": "SELECT xata_table, rejected_digest FROM xata_migration.loads ORDER BY 1",
    "rejected": """SELECT xata_table, file, line, old_id, xata_column, value, reason, raw
        FROM xata_migration.rejected_rows ORDER BY 1, 3, 4, 5, 7""",
    "dangling": "SELECT * FROM xata_migration.dangling_links ORDER BY 1, 2, 3",
}


def image(database: Database, *, but: tuple[str, ...] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """Return all that a migration leaves behind, but for what staging holds and for times."""
    found = {name: database.query(query) for name, query in _CATALOGS.items() if name not in but}
    named = (
        "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables"
        " WHERE schemaname = 'public' OR tablename ~ 'id_mapping$'"
    )
    for (name,) in database.query(named):
        found[name] = database.query(f"SELECT t::text FROM {name} AS t ORDER BY t::text")
    sequences = "SELECT format('%I.%I', schemaname, sequencename) FROM pg_sequences WHERE schemaname = 'public'"
    for (name,) in database.query(sequences):
        found[name] = database.query(f"SELECT last_value + is_called::int FROM {name}")
    return found


class Both:
    """Does one migration twice: by the pipeline and by psql."""

    def __init__(self, export: Export, scripts: Path, psql: Psql, server: Server) -> None:
        self.export = export
        self.scripts = scripts
        self.psql = psql
        self.other = server.new_database()

    def run(self, **flags: Any):
        migration = self.export.migration(**flags)
        save(self.scripts, migration.scripts())
        result = self.export.migrate(**flags)
        return result, self.psql.run_all(self.other, self.scripts)

    def images(self, *, but: tuple[str, ...] = ()):
        return image(self.other, but=but), image(self.export.database, but=but)


@pytest.fixture
def both(new_export: NewExport, tmp_path: Path, psql: Psql, server: Server):
    def make(*tables, **flags) -> Both:
        return Both(new_export(*tables, **flags), tmp_path / "it's a folder", psql, server)

    return make


def test_the_demo(tmp_path: Path, psql: Psql, server: Server, database: Database):
    folder = tmp_path / "export"
    write_demo(folder)
    settings = load_settings(flags={"source": str(folder), "target": database.url, "home": tmp_path / "home"})
    migration = Migration(settings, read_schema(folder / "schema.json"))
    assert migrate(migration).red == {}
    save(tmp_path / "scripts", migration.scripts())
    other = server.new_database()
    outcome = psql.run_all(other, tmp_path / "scripts", but=())
    assert (outcome.code, outcome.err) == (0, "")
    assert image(other) == image(database)
    assert other.query("SELECT nspname FROM pg_namespace WHERE nspname = 'xata_staging'") == []


HOSTILE = 'Robert\'); DROP TABLE "t"; -- $$ :x \\q `touch hostile` {0} %s é'


class TestNasty:
    def test_names_values_links_and_lists(self, both):
        a = table(
            "a b'c\"d",
            column("select"),
            column(HOSTILE, "text", default=HOSTILE, description=HOSTILE + "\n\\! ls"),
            column("n", "int", unique=True),
            column("f", "float"),
            column("yes", "bool", not_null=True, default="true"),
            column("at", "datetime", default="now"),
            column("list", "multiple"),
            column("data", "json"),
            column("v", "vector", dimension=3),
            column("empty", "string", not_null=True, default=""),
            link("self", "a b'c\"d"),
            link("b", "B"),
            link("outside", "nowhere"),
        )
        b = table("B", link("a", "a b'c\"d", unique=True), link("c", "c~"), column("file", "file"))
        c = table("c~", link("b", "B"), column("files", "file[]"))
        it = both(a, b, c, table("none"), table("no file", column("x")), table("0", column("x")), max_dangling_links=2)
        it.export.rows(
            a.name,
            ["id", "select", HOSTILE, "n", "f", "yes", "at", "list", "data", "v", "empty", "self", "b", "outside"],
            [
                ["r'1", "NULL", ' "x"\r\n\\n', "-9223372036854775808", "-0.0", "TRUE",
                 "0000-02-29t00:00:00.1234560+23:30", '["", "a,\\"b\\"", "NULL", "{}"]',
                 '{"a": 1.00, "b": [null, "\\u00e9"]}',
                 "[-0.0, 1e-7, 2]", None, "r'1", "b1", "gone"],
                ["r2", "", "", "007", "5e-324", "f", "2024-01-02T03:04:05", "[]", "null", "[1,2,3]", "",
                 "r'1", None, None],
                ["r3", " padded ", None, None, "1e-07", "t", "9999-12-31 23:59:59.999999-15:59", None, '"text"', None,
                 "é😀", "lost", "b2", None],
            ],
        )  # fmt: skip
        it.export.rows("B", "id,c,a,file", [["b1", "c1", "r2", '{"name": "x"}'], ["b2", None, None, None]])
        it.export.rows("c~", "files,id,b", [["[]", "c1", "b2"], [None, "c2", "lost"]])
        it.export.rows("none", "id", [["x"], ["y"]])
        it.export.write("0", "")
        result, outcome = it.run()
        assert (outcome.code, outcome.err, result.red) == (0, "", {})
        ours, pipeline = it.images()
        assert ours == pipeline
        assert len(ours["dangling"]) == 2
        assert not list(it.export.folder.rglob("hostile"))

    def test_faults_are_found_with_their_lines(self, both):
        it = both(
            table(
                "t",
                column("s", not_null=True),
                column("n", "int"),
                column("f", "float"),
                column("b", "bool"),
                column("d", "datetime"),
                column("m", "multiple"),
                column("j", "json"),
                column("o", "object"),
                column("files", "file[]"),
                column("v", "vector", dimension=2),
                link("l", "t"),
                column("need", "int", not_null=True),
            ),
            max_rejected_rows=100,
        )
        columns = ["id", "s", "n", "f", "b", "d", "m", "j", "o", "files", "v", "l", "need"]
        good = [
            "",
            "two\nlines",
            "1",
            "1.5",
            "true",
            "2024-01-01T00:00:00Z",
            "[]",
            "{}",
            "{}",
            '[{}, {"name": "x"}]',
            "[1,2]",
            None,
            "1",
        ]
        bad = {
            "n": ["1_000", "0x1A", " 42 ", "12.5", "9223372036854775808", "+1", "1" * 200],
            "f": ["inf", "nan", "1e400", "1e-400", "1,5", "."],
            "b": ["yes", "1", "on", "tru"],
            "d": ["now", "infinity", "2023-02-29T00:00:00Z", "2024-01-01", "2024-01-01T24:00:00Z",
                  "2024-01-01T00:00:60Z", "2024-01-01T00:00:00.1234567Z"],
            "m": ['["a", null]', "{}", "a", '["\\u0000"]', "{a,b}", "null"],
            "j": ["{a: 1}", "nan", '"\\ud800"', "[1,]", "'x'"],
            "o": ["[]", "1", "null"],
            "files": ["{}", "[1]", '[{}, "x"]', "[null]", "null"],
            "v": ["[1]", "[1,2,3]", "[1,null]", "[1,nan]", "[1e39,0]", "[1e-60,0]", "[.5,1]", "[01,1]", "1,2", "{1,2}"],
            "l": ["x" * 256],
            "id": ["x" * 256, "", None],
            "need": [None],
        }  # fmt: skip
        rows = [["good", *good[1:]]]
        for name, cells in bad.items():
            for cell in cells:
                row = [f"r{len(rows):03}", *good[1:]]
                row[columns.index(name)] = cell
                rows.append(row)
        rows.append([f"r{len(rows):03}", *["zz"] * 12])  # many faults in one row
        it.export.rows("t", columns, rows)
        _, outcome = it.run()
        assert (outcome.code, outcome.err) == (0, "")
        ours, pipeline = it.images()
        assert ours == pipeline
        assert len(ours["public.t"]) == 1
        assert len({fault[2] for fault in ours["rejected"]}) == len(rows) - 1

    @pytest.mark.parametrize("policy", ["null", "reject"])
    def test_copies_versions_and_values_that_stand_twice(self, both, policy):
        it = both(
            table("a", column("u", unique=True), column("w", "int", unique=True), link("b", "b", not_null=True)),
            table("b", link("a", "a"), column("m", "multiple", unique=True)),
            max_rejected_rows=100,
            max_dangling_links=100,
            dangling_links=policy,
        )
        head = "id,u,w,b,xata.version,xata.updatedAt,xata.createdAt"
        at = "2024-01-01T00:00:00Z"
        it.export.rows(
            "a",
            head,
            [
                ["x", "1", "1", "p", "0", at, at],
                ["x", "1", "1", "p", "0", at, at],  # a copy
                head.split(","),
                ["y", "2", "2", "p", "1", at, at],
                ["y", "2", "3", "p", "5", at, at],  # a later version
                ["z", "2", "4", "q", "0", at, at],  # y's value
                ["q", "3", "3", "q", "0", at, at],  # y's, too
                ["v", "4", "04", "nowhere", "0", at, at],  # z's, but z is out
                ["u", "5", "5", "r", "0", at, at],
                ["t", "2", "4", "r", "0", at, at],  # y's, and v's
            ],
        )
        it.export.rows("b", "id,a,m", [["p", "x", "[]"], ["q", "v", '["1"]'], ["r", "u", '["1"]'], ["s", "z", None]])
        _, outcome = it.run()
        assert (outcome.code, outcome.err) == (0, "")
        ours, pipeline = it.images(but=("rejected", "rejected digests"))
        assert ours == pipeline
        # Where a row stood that is rejected for a link, psql no longer knows when it learns of the link
        told = (
            "SELECT xata_table, file, old_id, xata_column, value, reason"
            " FROM xata_migration.rejected_rows ORDER BY 1, 3, 4"
        )
        assert it.other.query(told) == it.export.database.query(told)
        assert [line[3] for line in it.other.query(told) if line[2] == "t"] == ["u", "w"]
        it.export.database = it.other
        migration = it.export.migration()
        for each in migration.plan.tables:  # the digests of the lists are those of their lines
            assert [check.name for check in checks_of(migration, each).values() if not check.passed] == []

    def test_empty_texts_as_set_and_ids_that_tell_their_time(self, both):
        it = both(table("t", column("s"), column("n", "int")), empty_text="empty", recover_created_at=True)
        it.export.write("t", 'id,s,n\nrec_c000000000000000001g,,\nrec_c000000000000000002g,"",""\n')
        _, outcome = it.run()
        assert outcome.code == 0
        ours, pipeline = it.images(but=("ledger",))  # the pipeline warns of what it recovered
        assert ours == pipeline
        assert it.other.query("SELECT s, n, xata_createdat IS NULL FROM t") == [("", None, False)] * 2

    @pytest.mark.parametrize("name", ['it\'s "so" $HOME `id` ~.csv', "~root.csv", "-x.csv.gz", "a;b 'c.csv.gz"])
    def test_file_names(self, both, name):
        it = both(table(name.partition(".csv")[0], column("s")))
        data = "\N{ZERO WIDTH NO-BREAK SPACE}id,s\r\nx,y\r\n".encode()
        (it.export.folder / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        _, outcome = it.run()
        assert (outcome.code, outcome.err) == (0, "")
        ours, pipeline = it.images()
        assert ours == pipeline
        assert len(ours["ledger"]) == 1
        assert ours["ledger"][0][10] == 1


class TestWhatGoesWrong:
    def one(self, both) -> Both:
        it = both(table("t", column("s"), column("u", unique=True), link("l", "t")))
        it.export.rows("t", "id,s,u,l", [["x", "1", "a", None], ["y", "2", "b", "x"]])
        return it

    def test_a_red_check_is_printed_and_psql_exits_3(self, both):
        it = self.one(both)
        it.run()
        verify = it.scripts / "90_verify.sql"
        for change, check, shown in [
            ("UPDATE t SET s = 'other' WHERE id = 2", "values_equal", "other"),
            ("UPDATE t SET s = '2', l_id = NULL WHERE id = 2", "foreign_keys", "l_id"),
            ("ALTER TABLE t DROP CONSTRAINT t_l_id_fkey", "constraints_in_place", "t.l_id"),
            ("DELETE FROM t WHERE id = 2", "row_count", "only in the export"),
        ]:  # fmt: skip
            it.other.query(change)
            outcome = it.psql(it.other, "-f", verify)
            assert outcome.code == 3
            assert "checks failed" in outcome.err
            assert check in outcome.out
            assert shown in outcome.out
            passed = it.other.value("SELECT checks -> %s -> 'passed' FROM xata_migration.loads", check)
            assert passed is False

    def test_lost_and_moved_rows_of_the_mapping_are_seen(self, both):
        it = self.one(both)
        it.run()
        it.other.query("ALTER TABLE xata_migration.t_id_mapping DROP CONSTRAINT t_id_mapping_pkey")
        it.other.query("UPDATE xata_migration.t_id_mapping SET old_id = 'x'")
        outcome = it.psql(it.other, "-f", it.scripts / "90_verify.sql")
        assert outcome.code == 3
        assert "id_mapping_one_to_one" in outcome.out

    def test_a_second_load_is_refused_and_changes_nothing(self, both):
        it = self.one(both)
        it.run()
        before = image(it.other)
        for script, said in [("30_tables.sql", "already exists"), ("40_load.sql", "loaded already")]:
            outcome = it.psql(it.other, "-f", it.scripts / script)
            assert outcome.code == 3
            assert said in outcome.err
        assert image(it.other) == before

    def test_the_pipeline_goes_on_from_what_psql_made(self, both):
        it = self.one(both)
        it.run()
        rows = it.other.query("SELECT xmin::text, * FROM t ORDER BY id")
        it.export.database = it.other
        result = it.export.migrate()
        assert (result.red, result.changes) == ({}, {"t": (0, 0, 0)})
        assert it.other.query("SELECT xmin::text, * FROM t ORDER BY id") == rows

    def test_another_header_than_the_one_planned_for(self, both):
        it = self.one(both)
        save(it.scripts, it.export.migration().scripts())
        it.export.rows("t", "id,u,s,l", [["x", "1", "a", None]])
        outcome = it.psql.run_all(it.other, it.scripts)
        assert outcome.code == 3
        assert "t.csv: its header is no longer the one it had" in outcome.err
        assert "HINT:  Run xata-pg sql again." in outcome.err

    def test_the_export_may_lie_elsewhere(self, both, tmp_path):
        it = self.one(both)
        save(it.scripts, it.export.migration().scripts())
        moved = tmp_path / "an other's \\ place"
        moved.mkdir()
        (it.export.folder / "t.csv").rename(moved / "t.csv")
        it.psql(it.other, "-f", it.scripts / "01_schemas.sql")
        assert it.psql(it.other, "-f", it.scripts / "10_stage.sql").code == 3
        outcome = it.psql(it.other, "-v", f"xata_export={moved}", "-f", it.scripts / "10_stage.sql")
        assert (outcome.code, outcome.err) == (0, "")

    def test_mode_fail_stops_before_a_row_is_loaded(self, both):
        it = both(table("t", link("l", "t")), dangling_links="fail")
        it.export.rows("t", "id,l", [["x", "gone"]])
        save(it.scripts, it.export.migration().scripts())
        outcome = it.psql.run_all(it.other, it.scripts)
        assert outcome.code == 3
        assert "table t: links of l lead to rows that are not there" in outcome.err
        assert it.other.value("SELECT count(*) FROM t") == 0

    @pytest.mark.parametrize(
        ("file", "text", "reason"),
        [
            ("t.csv", "id,s\nx,1,2\n", "line 2: the record has more or fewer cells"),
            ("t.csv", "id,s\nx,1\n\ny,2\n", "a blank line"),
            ("t.csv", '\nid,s\nx,1\n', "a blank line stands before the header"),
            ("t.csv", 'id,s\nx,5" disk\ny,6" disk\n', "a quote or line end out of place"),
            ("t.csv", 'id,s\nx,"\n\\.\n"\n', "a line that begins with"),
            ("t.csv", 'id,s\nx,"open\n', "line 2: a quote is opened"),
            ("t.csv", "id,s\nx,a\0b\n", "a byte 0"),
            ("t.csv", "s\nx\n", "no column id"),
            ("t.json", '[{"id": "x"}]', "psql alone reads the CSV of the Xata console"),
            ("t.jsonl", '{"id": "x"}', "psql alone reads the CSV of the Xata console"),
        ],
    )  # fmt: skip
    def test_a_file_that_psql_would_read_in_another_way_is_named_and_stops_the_scripts(self, both, file, text, reason):
        it = both(table("t", column("s")), table("fine"))
        (it.export.folder / file).write_bytes(text.encode())
        it.export.rows("fine", "id", [["x"]])
        scripts = it.export.migration().scripts()
        assert list(scripts.obstacles) == ["t"]
        assert reason in scripts.obstacles["t"]
        save(it.scripts, scripts)
        assert reason in (it.scripts / "README.md").read_text()
        outcome = it.psql.run_all(it.other, it.scripts)
        assert outcome.code == 3
        assert "table t: " in outcome.err
        assert reason in outcome.err

    def test_a_file_that_is_not_utf_8(self, both):
        it = both(table("t", column("s")))
        (it.export.folder / "t.csv").write_bytes(b"id,s\nx,\xff\n")
        assert "not UTF-8" in it.export.migration().scripts().obstacles["t"]

    def test_files_of_others_stay(self, both):
        it = self.one(both)
        scripts = it.export.migration().scripts()
        save(it.scripts, scripts)
        save(it.scripts, scripts)
        (it.scripts / "README.md").write_text("mine")
        with pytest.raises(UsageError, match=r"README\.md: is there already"):
            save(it.scripts, scripts)
        with pytest.raises(UsageError, match="cannot be written to"):
            save(it.scripts / "README.md", scripts)
