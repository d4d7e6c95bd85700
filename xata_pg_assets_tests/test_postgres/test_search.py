"""Search columns and vector indexes: made beside the tables, left where equal, made anew where not."""

from __future__ import annotations

import json
from itertools import islice, product
from pathlib import Path
from threading import Event

import psycopg
import pytest
from psycopg import sql

from xata_pg_assets.errors import TargetError, UsageError
from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres import undo
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.postgres.index_progress import watched
from xata_pg_assets.postgres.scripts.folder import save
from xata_pg_assets_tests.fix_export import Export, NewExport, column, table
from xata_pg_assets_tests.fix_psql import Psql
from xata_pg_assets_tests.fix_server import Database, Server

WORDS = ("title", "text_", "mail", "tags", "data", "thing")
HEADER = "id,title,text_,mail,tags,data,thing,v,wide"
SHAPE = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND indexdef !~ 'btree' ORDER BY 1"


def wide(start: int) -> str:
    return json.dumps([(start + n) % 7 for n in range(2500)])


def row(number: int, title: str | None = None) -> list[str | None]:
    return [
        f"r{number}", title, "the quick foxes", "ann@x.org", '["blue sky", "sea", "sea"]', '{"key": ["deep {[}", 7]}',
        '{"a": "b"}', f"[{number},1]", wide(number),
    ]  # fmt: skip


@pytest.fixture
def posts(new_export: NewExport) -> Export:
    export = new_export(
        table(
            "userPosts", column("title"), column("text_", "text"), column("mail", "email"), column("tags", "multiple"),
            column("data", "json"), column("thing", "object"), column("v", "vector", dimension=2),
            column("wide", "vector", dimension=2500), column("n", "int"), column("doc", "file"),
        )
    )  # fmt: skip
    export.rows("userPosts", HEADER, [row(1, "Running"), row(2), row(3, "")])
    return export


def build(migration: Migration) -> list[bool]:
    """Build what the settings ask for; tell of each whether it was made."""
    (posts,) = migration.plan.tables
    built = [migration.build_search(posts)] if posts.search_columns else []
    built += [migration.build_vector_index(posts, index) for index in posts.vector_indexes]
    return [each.is_new for each in built]


def found(database: Database, name: str, query: str, language: str = "simple") -> list[int]:
    words = sql.Identifier(name)
    statement = sql.SQL("SELECT id FROM user_posts WHERE {} @@ to_tsquery(%s::regconfig, %s) ORDER BY id").format(words)
    return [number for (number,) in database.query(statement, language, query)]


class TestSearch:
    def test_every_type_of_text_is_found_by_its_words(self, posts: Export, database: Database):
        migration = posts.migrate(search=[f"userPosts.{name}" for name in WORDS]).migration
        assert build(migration) == [True]
        assert found(database, "title_search", "running") == [1]
        assert found(database, "text_search", "foxes") == [1, 2, 3]
        assert found(database, "mail_search", "'ann@x.org'") == [1, 2, 3]
        assert found(database, "tags_search", "sky & sea") == [1, 2, 3]
        assert found(database, "tags_search", "sky <-> sea") == []  # two items are no phrase
        assert found(database, "data_search", "deep") == [1, 2, 3]
        assert found(database, "data_search", "key | 7") == []
        assert found(database, "thing_search", "b") == [1, 2, 3]
        methods = database.query(
            "SELECT count(*) FROM pg_indexes WHERE tablename = 'user_posts' AND indexdef ~ 'USING gin'"
        )
        assert methods == [(6,)]

    def test_target_names_and_languages(self, posts: Export, database: Database):
        flags = {"search": ["user_posts.text", "userPosts.text_"], "search_language": "english"}
        assert build(posts.migrate(**flags).migration) == [True]
        assert found(database, "text_search", "fox", "english") == [1, 2, 3]

    def test_a_migration_after_it_changes_nothing_and_a_newer_export_is_searched(
        self, posts: Export, database: Database
    ):
        flags = {"search": "userPosts.title,userPosts.tags", "vector_index": "hnsw"}
        build(posts.migrate(**flags).migration)
        made = database.query("SELECT oid, relfilenode FROM pg_class WHERE relname ~ '^user_posts' ORDER BY 1")
        again = posts.migrate(**flags)
        assert (again.red, again.changes) == ({}, {"userPosts": (0, 0, 0)})
        assert build(again.migration) == [False, False, False]
        assert database.query("SELECT oid, relfilenode FROM pg_class WHERE relname ~ '^user_posts' ORDER BY 1") == made
        posts.rows("userPosts", HEADER, [row(1, "Walking"), row(4, "running home")])
        newer = posts.migrate()
        assert (newer.red, newer.changes) == ({}, {"userPosts": (1, 1, 2)})
        assert found(database, "title_search", "running") == [4]
        assert found(database, "title_search", "walking") == [1]

    def test_another_language_is_made_anew_and_a_lost_index_again(self, posts: Export, database: Database):
        build(posts.migrate(search="userPosts.text_").migration)
        database.query("DROP INDEX user_posts_text_search_idx")
        assert build(posts.migration(search="userPosts.text_")) == [True]
        english = posts.migration(search="userPosts.text_", search_language="english")
        assert build(english) == [True]
        assert found(database, "text_search", "fox", "english") == [1, 2, 3]
        assert build(english) == [False]

    def test_a_column_of_the_users_own_is_left_and_told(self, posts: Export, database: Database):
        migration = posts.migrate(search="userPosts.title").migration
        database.query("ALTER TABLE user_posts ADD COLUMN title_search text DEFAULT 'mine'")
        with pytest.raises(
            TargetError, match="has a column title_search already that is not the search column of title"
        ):
            build(migration)
        assert database.query("SELECT DISTINCT title_search FROM user_posts") == [("mine",)]

    def test_a_view_on_a_column_made_anew_is_told(self, posts: Export, database: Database):
        build(posts.migrate(search="userPosts.title").migration)
        database.query("CREATE VIEW mine AS SELECT title_search FROM user_posts")
        with pytest.raises(TargetError, match="an object of yours depends on it"):
            build(posts.migration(search="userPosts.title", search_language="german"))

    def test_a_table_that_is_not_migrated(self, posts: Export):
        with pytest.raises(TargetError, match="userPosts: it is not migrated yet"):
            build(posts.migration(search="userPosts.title"))

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            (
                "userPosts.titel",
                "there is no column userPosts.titel; userPosts has title, text_, mail, tags, data, thing",
            ),
            ("posts.title", "there is no column posts.title; write table.column"),
            ("title", "there is no column title; write table.column"),
            ("userPosts.n", "userPosts.n is of type int; it takes columns of type string, text, email, multiple"),
            ("user_posts.doc", "user_posts.doc is of type file"),
        ],
    )
    def test_a_column_that_cannot_be_searched_is_refused(self, posts: Export, name: str, words: str):
        with pytest.raises(UsageError, match=words):
            posts.migration(search=[name])

    def test_an_unknown_language_is_told_before_anything_is_touched(self, posts: Export, database: Database):
        migration = posts.migration(search="userPosts.title", search_language="klingon")
        (problem,) = migration.target_problems()
        assert "no text search configuration klingon; it has simple," in problem
        with pytest.raises(UsageError, match="no text search configuration klingon"):
            _ = migration.layout
        assert database.query("SELECT nspname FROM pg_namespace WHERE nspname ~ '^xata'") == []

    def test_a_configuration_of_another_schema(self, posts: Export, database: Database):
        database.query('CREATE SCHEMA "My"')
        database.query('CREATE TEXT SEARCH CONFIGURATION "My"."Own" (COPY = pg_catalog.german)')
        assert build(posts.migrate(search="userPosts.title", search_language="My.Own").migration) == [True]

    def test_no_text_is_too_long_for_it(self, new_export: NewExport, database: Database):
        """The words of a text can take several times its bytes: compound ones count whole and in parts."""
        export = new_export(table("t", column("a", "text"), column("l", "multiple"), column("j", "json")))
        letters = [chr(0x10400 + n) for n in range(40)] + [chr(0x4E00 + n) for n in range(2000)]
        compound = " ".join(f"{a}-{b}" for a, b in islice(product(letters, letters), 250_000))
        short = " ".join(a + b for a, b in islice(product(letters[40:], letters[40:]), 400_000))
        dashes = " ".join(f"{n:x}-z{n:x}" for n in range(150_000))
        rows = [(compound, "chars"), (short, "chars"), (dashes, "chars")]
        cells = []
        for text, _ in rows:
            xatas = text.encode()[:204_800].decode(errors="ignore")
            cells += [(xatas,) * 3, (text, text, text)]
        export.rows(
            "t",
            "id,a,l,j",
            [[f"r{n}", a, json.dumps(items.split(" ")), json.dumps({"k": j})] for n, (a, items, j) in enumerate(cells)],
        )
        flags = {"search": "t.a,t.l,t.j"}
        migration = export.migrate(**flags).migration
        migration.build_search(migration.plan.tables[0])
        # and a new one is not kept out
        database.query("INSERT INTO t (a, l) VALUES (repeat(%s, 20), ARRAY[NULL, 'x', repeat(%s, 20)])", short, short)
        assert database.value("SELECT count(*) FROM t WHERE length(a_search) > 0 AND length(l_search) > 0") == 7

    def test_names_are_free_and_cut(self, new_export: NewExport, database: Database):
        long = "x" * 63
        export = new_export(
            table("t", column("title"), column("title_search"), column(long, "text")),
            table("t_title_search_2", column("idx")),
        )
        export.rows("t", f"id,title,title_search,{long}", [["r1", "a", "b", "c"]])
        export.rows("t_title_search_2", "id,idx", [["r1", "z"]])
        migration = export.migrate(search=f"t.title,t.title_search,t.{long}", naming="preserve").migration
        migration.build_search(migration.plan.find("t"))
        columns = [each.name for each in migration.plan.find("t").search_columns]
        assert columns[:2] == ["title_search_2", "title_search_search"]
        assert columns[2].endswith("_search")
        assert len(columns[2]) == 63
        assert database.query("SELECT title_search_2::text, title_search FROM t") == [("'a':1", "b")]


class TestVectorIndexes:
    @pytest.mark.parametrize("method", ["hnsw", "ivfflat"])
    @pytest.mark.parametrize(
        ("distance", "operators", "sign"),
        [("cosine", "cosine", "<=>"), ("l2", "l2", "<->"), ("inner_product", "ip", "<#>")],
    )
    def test_each_method_and_distance(
        self, posts: Export, database: Database, method: str, distance: str, operators: str, sign: str
    ):
        migration = posts.migrate(vector_index=method, vector_distance=distance).migration
        assert build(migration) == [True, True]
        assert database.query(
            "SELECT indexrelid::regclass::text, amname, opcname FROM pg_index"
            " JOIN pg_opclass AS o ON o.oid = indclass[0] JOIN pg_am AS m ON m.oid = opcmethod"
            " WHERE indrelid = 'user_posts'::regclass AND amname <> 'btree' ORDER BY 1"
        ) == [
            ("user_posts_v_vector_idx", method, f"vector_{operators}_ops"),
            ("user_posts_wide_vector_idx", method, f"halfvec_{operators}_ops"),
        ]
        with psycopg.connect(database.url) as conn:
            conn.execute("SET enable_seqscan = off")
            question = f"wide::halfvec(2500) {sign} (SELECT wide::halfvec(2500) FROM user_posts WHERE id = 2)"
            plan = "\n".join(
                line for (line,) in conn.execute(f"EXPLAIN SELECT id FROM user_posts ORDER BY {question} LIMIT 1")
            )
            assert "user_posts_wide_vector_idx" in plan
        assert build(migration) == [False, False]

    def test_another_choice_is_built_anew_and_one_of_the_users_own_left(self, posts: Export, database: Database):
        build(posts.migrate(vector_index="hnsw").migration)
        assert build(posts.migration(vector_index="hnsw", vector_distance="l2")) == [True, True]
        assert build(posts.migration(vector_index="ivfflat", vector_distance="l2")) == [True, True]
        database.query("DROP INDEX user_posts_v_vector_idx")
        database.query("CREATE INDEX own ON user_posts USING ivfflat (v vector_l2_ops) WITH (lists = 77)")
        assert build(posts.migration(vector_index="ivfflat", vector_distance="l2")) == [False, False]
        assert [name for name, _ in database.query(SHAPE)] == ["own", "user_posts_wide_vector_idx"]

    def test_lists_follow_the_rows(self, new_export: NewExport, database: Database):
        export = new_export(table("t", column("v", "vector", dimension=2)))
        export.rows("t", "id,v", [["r0", "[1,2]"]])

        def built() -> bool:
            migration = export.migrate(vector_index="ivfflat").migration
            (t,) = migration.plan.tables
            return migration.build_vector_index(t, t.vector_indexes[0]).is_new

        assert built()
        export.rows("t", "id,v", [[f"r{n}", f"[{n},1]"] for n in range(2500)])
        assert not built()
        export.rows("t", "id,v", [[f"r{n}", f"[{n},1]"] for n in range(3500)])
        assert built()
        assert "lists='3'" in database.query(SHAPE)[0][1]

    def test_a_name_of_somebody_else_is_told(self, posts: Export, database: Database):
        migration = posts.migrate(vector_index="hnsw").migration
        database.query("CREATE TABLE user_posts_v_vector_idx (mine int)")
        with pytest.raises(TargetError, match="something of this name is in schema public already"):
            build(migration)

    def test_what_no_index_holds_is_a_warning(self, new_export: NewExport):
        export = new_export(
            table("t", column("at", "vector", dimension=4000), column("over", "vector", dimension=4001))
        )
        plan = export.migration(vector_index="hnsw").plan
        assert plan.warnings == (
            "t.over: no vector index, for it has 4,001 dimensions and an index of pgvector holds 4,000 at most",
        )
        assert [index.column for index in plan.tables[0].vector_indexes] == ["at"]

    @pytest.mark.parametrize(
        ("version", "method", "words"),
        [
            ("0.4.4", "hnsw", "an index by hnsw needs pgvector 0.5.0, the target has 0.4.4"),
            ("0.6.2", "ivfflat", "an index of more than 2,000 dimensions needs pgvector 0.7.0, the target has 0.6.2"),
        ],
    )
    def test_an_old_pgvector_is_told(self, posts: Export, database: Database, version: str, method: str, words: str):
        database.query("CREATE EXTENSION vector")
        database.query("UPDATE pg_extension SET extversion = %s WHERE extname = 'vector'", version)
        with pytest.raises(UsageError, match=words):
            _ = posts.migration(vector_index=method).layout

    def test_as_an_ordinary_role_with_the_extension_elsewhere(self, posts: Export, database: Database):
        for statement in (
            "CREATE ROLE indexer LOGIN", "CREATE SCHEMA extensions", "CREATE EXTENSION vector SCHEMA extensions",
            "GRANT USAGE ON SCHEMA extensions TO indexer", "GRANT USAGE, CREATE ON SCHEMA public TO indexer",
            "CREATE SCHEMA xata_migration AUTHORIZATION indexer", "CREATE SCHEMA xata_staging AUTHORIZATION indexer",
        ):  # fmt: skip
            database.query(statement)
        try:
            posts.database = Database(database.as_role("indexer"))
            flags = {"vector_index": "hnsw", "search": "userPosts.title"}
            result = posts.migrate(**flags)
            assert result.red == {}
            assert build(result.migration) == [True, True, True]
            assert build(posts.migrate(**flags).migration) == [False, False, False]
        finally:
            database.query("DROP OWNED BY indexer")
            database.query("DROP ROLE indexer")


def test_undo_takes_them_without_being_told_of_them(posts: Export, database: Database):
    build(posts.migrate(vector_index="hnsw", search="userPosts.title").migration)
    migration = posts.migration()
    with migration.reading() as conn:
        shown = undo.find(conn, migration.wanted_layout, migration.plan)
        assert shown.in_the_way == ()
        undo.take_out(conn, migration.wanted_layout, migration.plan, shown, force=False)
    assert database.query("SELECT relname FROM pg_class WHERE relname ~ 'user_posts'") == []


def test_a_lookup_view_made_later_does_not_hang_on_them(posts: Export):
    build(posts.migrate(search="userPosts.title").migration)
    assert posts.migrate(lookup_views=True).red == {}
    assert build(posts.migration(search="userPosts.title", search_language="german")) == [True]


def test_accepted_is_frozen(posts: Export):
    migration = posts.migrate(search="userPosts.title").migration
    with migration.reading() as conn:
        undo.accept(conn, migration.layout, force=False)
    with pytest.raises(UsageError, match="accepted on"):
        build(migration)


def test_the_way_is_told_while_an_index_is_built(database: Database):
    """The building waits, in a function of the index, for as long as the test holds its lock."""
    told: list[str] = []
    is_told = Event()

    def tell(text: str) -> None:
        told.append(text)
        is_told.set()

    for statement in (
        "CREATE TABLE t (n int); INSERT INTO t SELECT generate_series(1, 20000)",
        "CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN IF n = 15000 THEN PERFORM pg_advisory_xact_lock_shared(7); END IF; RETURN n; END'",
    ):
        database.query(statement)
    with connect(database.url) as conn, psycopg.connect(database.url) as holder:
        holder.execute("SELECT pg_advisory_lock(7)")
        with watched(conn, lambda: connect(database.url), tell, seconds=0.01):
            building = conn.pgconn
            conn.execute("SET max_parallel_maintenance_workers = 0")
            building.send_query(b"CREATE INDEX ON public.t (public.slow(n))")
            assert is_told.wait(60)
            holder.execute("SELECT pg_advisory_unlock(7)")
            while building.get_result():
                pass
    assert told[0].startswith("building index: scanning table")
    assert int(told[0].rpartition(" ")[2].removesuffix("%")) > 0


def test_the_scripts_make_the_same(posts: Export, server: Server, tmp_path: Path, psql: Psql):
    flags = {"vector_index": "hnsw", "search": "userPosts.title,userPosts.tags"}
    other = server.new_database()
    save(tmp_path / "scripts", posts.migration(**flags).scripts())
    outcome = psql.run_all(other, tmp_path / "scripts")
    assert (outcome.code, outcome.err) == (0, "")
    build(posts.migrate(**flags).migration)
    assert other.query(SHAPE) == posts.database.query(SHAPE)
    assert len(other.query(SHAPE)) == 4
    rows = "SELECT id, title_search, tags_search FROM user_posts ORDER BY id"
    assert other.query(rows) == posts.database.query(rows)
    posts.database = other
    assert build(posts.migration(**flags)) == [False, False, False]
