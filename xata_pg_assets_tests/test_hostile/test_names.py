"""Names that are SQL, markup, escapes, types or paths: they are names, in every statement and on every line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from psycopg import sql

from xata_pg_assets.plan.naming import PGVECTOR_TYPES
from xata_pg_assets_tests.fix_export import METADATA, NewExport, cell, column, link, table
from xata_pg_assets_tests.fix_server import Database
from xata_pg_assets_tests.test_cli.conftest import XataPg

SQL = ['"; DROP TABLE users; --', "'; DROP TABLE users; --", "users) CASCADE; --", "$$", "\\", "$1", "--"]
FORMATS = ["%s", "%(x)s", "%", "{}", "{0}", "{staging}", "[bold]x[/]", "[/]"]
STEERING = ["\x01\x1b[31mred", "\x9b2J", "\u202eevil", "\u200b", "tab\there", "line\nend", "\r", "😀"]
TAKEN = ["pg_class", "information_schema", "int4", "_text", "select", "new_id", "loads", "users_id_mapping"]
LONG = ["a" * 200, "é" * 100, "b" * 200 + "1", "b" * 200 + "2"]
FOLDED = ["User", "user", "USER", "ﬀ", "İ", "ß"]
PATHS = [".", "..", "a/b", "../up", "/etc/passwd", "-rf"]
NAMES = [*SQL, *FORMATS, *STEERING, *TAKEN, *LONG, *FOLDED, *PATHS, *PGVECTOR_TYPES, "users"]
COLUMNS = [*NAMES, "xata.ordinal", "xata_version", "xata_id", "ctid", "xmin", "tableoid"]


@pytest.mark.parametrize("naming", ["snake_case", "preserve"])
def test_every_name_is_a_name(new_export: NewExport, database: Database, naming: str):
    """Each table has columns of all the names, a link to itself and a vector; what cannot be a file's has no rows."""
    columns = [column(name, unique=place % 7 == 0) for place, name in enumerate(COLUMNS)]
    tables = [
        table(name, *columns, link(f"to {name}"[:40], name), column("v", "vector", dimension=2)) for name in NAMES
    ]
    export = new_export(*tables, naming=naming)
    files = [each for each in tables if "/" not in each.name and len(each.name.encode()) < 250]
    for each in files:
        header = ["id", *(column.name for column in each.columns), *METADATA]
        cells = [column.name for column in columns]
        export.rows(each.name, header, [["r1", *cells, "r1", "[1,2]", "0", None, None]])
    result = export.migrate()
    assert result.red == {}
    assert {name: line.target_rows for name, line in result.lines.items()} == {
        each.name: int(each in files) for each in tables
    }
    for each in result.migration.plan.tables:
        if each.name in PGVECTOR_TYPES:
            pytest.fail(f"{each.name} is the name of a type")
        names = [column.name for column in each.columns if column.xata_name in COLUMNS]
        query = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier("public", each.name)
        )
        wanted = [tuple(column.xata_name for column in each.columns if column.xata_name in COLUMNS)]
        assert database.query(query) == (wanted if result.lines[each.xata_name].target_rows else [])
        assert max(len(name.encode()) for name in (*names, each.name)) <= 63
    again = export.migrate()
    assert (again.red, set(again.changes.values())) == ({}, {(0, 0, 0)})


def test_nothing_that_is_told_steers_the_terminal(xata_pg: XataPg, tmp_path: Path, database: Database):
    """Plan, run, report and an error of tables with such names: visible characters and line ends alone."""
    export = tmp_path / "export"
    export.mkdir()
    names = [*STEERING, "[/]", "[bold]x[/]"]
    described = [{"name": name, "columns": [{"name": name, "type": "int"}]} for name in names]
    (export / "schema.json").write_text(json.dumps({"tables": described}))
    for name in names:
        if "/" not in name:
            header = ",".join(map(cell, ["id", name, *METADATA]))
            (export / f"{name}.csv").write_bytes(f'{header}\nr1,x{name[-1]},0,,\nr1,"never closed'.encode())
    flags = ("--source", export, "--target", database.url, "--naming", "preserve")
    outcomes = [xata_pg(command, *flags) for command in ("plan", "migrate", "check", "report")]
    assert [outcome.code for outcome in outcomes] == [0, 3, 3, 0]
    told = "".join(outcome.out + outcome.err for outcome in outcomes)
    assert "Traceback" not in told
    assert "should not happen" not in told
    assert {character for character in told if not character.isprintable()} == {"\n"}
    assert r"\x01\x1b[31mred.csv:3: a quote is opened" in outcomes[1].err
    assert outcomes[1].err.count("\n") == len(outcomes[1].err.splitlines())


@pytest.mark.parametrize("naming", ["snake_case", "preserve"])
@pytest.mark.parametrize("name", PGVECTOR_TYPES)
def test_a_table_named_as_a_type_of_pgvector_is_renamed_and_the_renaming_told(
    xata_pg: XataPg, tmp_path: Path, database: Database, name: str, naming: str
):
    export = tmp_path / "export"
    export.mkdir()
    vector = {"name": "v", "type": "vector", "vector": {"dimension": 2}}
    (export / "schema.json").write_text(json.dumps({"tables": [{"name": name, "columns": [vector]}]}))
    (export / f"{name}.csv").write_text(f'id,v,{",".join(METADATA)}\nr1,"[1,2]",0,,\n')
    flags = ("--source", export, "--target", database.url, "--naming", naming, "--json")
    renamed = {"from": name, "to": f"{name}_2"}
    assert renamed in xata_pg("plan", *flags).report["renamed"]
    (told,) = xata_pg("migrate", *flags).report["tables"]
    assert (told["xata_table"], told["table"], told["target_rows"]) == (name, f"{name}_2", 1)
    assert database.query(f"SELECT v::text FROM {name}_2") == [("[1,2]",)]


def test_a_table_named_as_another_type_is_a_problem_told_before_and_at_the_load(
    xata_pg: XataPg, tmp_path: Path, database: Database
):
    database.query("CREATE TYPE geometry AS ENUM ('point')")
    export = tmp_path / "export"
    export.mkdir()
    (export / "schema.json").write_text('{"tables": [{"name": "geometry", "columns": []}]}')
    flags = ("--source", export, "--target", database.url)
    wanted = "table geometry: schema public has a type of this name already; choose another target_schema"
    assert xata_pg("plan", *flags, "--json").report["problems"] == [wanted]
    outcome = xata_pg("migrate", *flags)
    assert (outcome.code, outcome.error) == (3, wanted)
    assert xata_pg("migrate", *flags, "--target-schema", "app").code == 0


@pytest.mark.parametrize(
    "name",
    ['"; DROP SCHEMA public CASCADE; --', "%s", "{}", "a.b", "SELECT", "ünï", "x" * 63, "'", " ", "line\nend"],
)
def test_schemas_with_hostile_names(new_export: NewExport, database: Database, name: str):
    if not name.strip():
        pytest.skip("refused by the settings, see test_settings.py")
    export = new_export(table("users", column("s", unique=True), link("l", "users")))
    export.rows("users", ["id", "s", "l", *METADATA], [["r1", "a", "r1", "0", None, None]])
    work = f"{name[:60]}_w"
    flags = {"target_schema": name, "work_schema": work, "staging_schema": f"{name[:60]}_s"}
    for _ in range(2):
        assert export.migrate(**flags).red == {}
    assert database.query(sql.SQL("SELECT id, s, l_id FROM {}").format(sql.Identifier(name, "users"))) == [(1, "a", 1)]
    function = sql.SQL("SELECT {}('users', 'r1')").format(sql.Identifier(work, "new_id"))
    assert database.value(function) == 1


@pytest.mark.parametrize("bad", ["", "\0", "\ud800", "x" * 1001])
def test_names_that_no_database_holds_end_in_one_line(xata_pg: XataPg, tmp_path: Path, bad: str):
    for place in ("table", "column"):
        path = tmp_path / f"{place}.json"
        names = {"table": (bad, "c"), "column": ("t", bad)}[place]
        described = {"name": names[0], "columns": [{"name": names[1], "type": "string"}]}
        path.write_text(json.dumps({"tables": [described]}))
        outcome = xata_pg("schema", "--schema", path)
        assert outcome.code == 2
        assert len(outcome.error) < 300
