"""`.xata/migrations`: the replay, and the folders that must not be trusted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.errors import SchemaError
from xata_pg_assets.xata.schema import XataColumn, XataSchema, XataTable, XataType
from xata_pg_assets.xata.schema_files import read_schema

A, B, C = (XataColumn(name, XataType.STRING) for name in "abc")


def table(name: str) -> dict[str, Any]:
    return {"addTable": {"table": name}}


def column(table: str, name: str, kind: str = "string", **facts: Any) -> dict[str, Any]:
    return {"addColumn": {"table": table, "column": {"name": name, "type": kind, **facts}}}


def rename(old: str, new: str, table: str | None = None) -> dict[str, Any]:
    names = {"oldName": old, "newName": new}
    return {"renameTable": names} if table is None else {"renameColumn": {"table": table, **names}}


def remove(table: str, name: str | None = None) -> dict[str, Any]:
    return {"removeTable": {"table": table}} if name is None else {"removeColumn": {"table": table, "column": name}}


ABC = [table("t"), column("t", "a"), column("t", "b"), column("t", "c")]
ADDRESS = column("t", "address", "object", columns=[{"name": "a", "type": "string"}, {"name": "b", "type": "string"}])

# What the operations make of the columns of t.
REPLAYED: dict[str, tuple[list[dict[str, Any]], tuple[XataColumn, ...]]] = {
    "added": (ABC, (A, B, C)),
    "metadata_is_not_a_column": ([*ABC, column("t", "xata.version", "int"), column("t", "id")], (A, B, C)),
    "removed": ([*ABC, remove("t", "b")], (A, C)),
    "removed_and_added_again": ([*ABC, remove("t", "a"), column("t", "a")], (B, C, A)),
    "renamed_keeps_its_place": (
        [*ABC, rename("b", "x", "t")],
        (A, XataColumn("x", XataType.STRING), C),
    ),
    "names_swapped": (
        [*ABC, rename("a", "x", "t"), rename("b", "a", "t"), rename("x", "b", "t")],
        (B, A, C),
    ),
    "table_removed_and_added_again": ([*ABC, remove("t"), table("t"), column("t", "b")], (B,)),
    "table_renamed_away_and_back": ([*ABC, rename("t", "u"), rename("u", "t")], (A, B, C)),
    "case_of_a_table_changed": ([table("T"), column("T", "a"), rename("T", "t")], (A,)),
    "self_link_follows": (
        [table("u"), column("u", "up", "link", link={"table": "u"}), rename("u", "t")],
        (XataColumn("up", XataType.LINK, link="t"),),
    ),
    "link_before_its_table": (
        [
            table("t"),
            column("t", "up", "link", link={"table": "later"}),
            table("later"),
            rename("later", "u"),
        ],
        (XataColumn("up", XataType.LINK, link="u"),),
    ),
    "link_to_a_removed_table_stays": (
        [table("t"), table("gone"), column("t", "up", "link", link={"table": "gone"}), remove("gone")],
        (XataColumn("up", XataType.LINK, link="gone"),),
    ),
    "members_of_an_object": (
        [
            table("t"),
            ADDRESS,
            column("t", "address.c"),
            remove("t", "address.b"),
            rename("address.a", "address.x", "t"),
            rename("address.c", "b", "t"),
        ],
        (XataColumn("address", XataType.OBJECT, columns=(XataColumn("x", XataType.STRING), B)),),
    ),
    "link_of_a_member_follows": (
        [
            table("t"),
            table("u"),
            column("t", "o", "object", columns=[{"name": "up", "type": "link", "link": {"table": "u"}}]),
            rename("u", "v"),
        ],
        (XataColumn("o", XataType.OBJECT, columns=(XataColumn("up", XataType.LINK, link="v"),)),),
    ),
    "dot_in_a_plain_name": ([table("t"), column("t", "a.b")], (XataColumn("a.b", XataType.STRING),)),
    "all_facts": (
        [table("t"), column("t", "v", "vector", vector={"dimension": 3}, description="d")],
        (XataColumn("v", XataType.VECTOR, dimension=3, description="d"),),
    ),
}

# The operations after those of ABC, and what the message must say.
REFUSED = {
    "unknown": (
        [{"alterColumn": {}}],
        "operation 1: alterColumn: not an operation of Xata: those are addTable,",
    ),
    "sql": ([{"sql": {"up": "SELECT 1"}}], "pg_dump"),
    "create_table": ([{"create_table": {"name": "t"}}], "pg_dump"),
    "no_object": ([7], "operation 1: it should be an object with one operation"),
    "two_at_once": ([{**table("u"), **remove("u")}], "it should be an object with one operation"),
    "facts_a_list": ([{"addTable": []}], "addTable: a list where an object should be"),
    "operations_an_object": ({}, '"operations" is an object'),
    "table_there": ([table("t")], "operation 1: addTable: table t is there already"),
    "rename_onto_a_table": (
        [table("u"), rename("u", "t")],
        "operation 2: renameTable: table t is there already",
    ),
    "rename_of_no_table": ([rename("u", "v")], "renameTable: there is no table u at this point"),
    "removal_of_no_table": ([remove("u")], "removeTable: there is no table u at this point"),
    "column_of_no_table": ([column("u", "a")], "addColumn: there is no table u at this point"),
    "column_there": ([column("t", "a")], "addColumn: table t: column a is there already"),
    "rename_onto_a_column": ([rename("a", "b", "t")], "renameColumn: table t: column b is there already"),
    "rename_of_no_column": ([rename("x", "y", "t")], "renameColumn: table t has no column x at this point"),
    "removal_of_no_column": ([remove("t", "x")], "removeColumn: table t has no column x at this point"),
    "column_without_type": (
        [{"addColumn": {"table": "t", "column": {"name": "x"}}}],
        'table t: column x: "type"',
    ),
    "column_missing": ([{"addColumn": {"table": "t"}}], "addColumn: table t: column: missing"),
    "link_without_table": ([column("t", "x", "link")], "table t: column x: a link without the table"),
}


def write(folder: Path, *migrations: Any, parent: str | None = None) -> Path:
    """Write migrations m1, m2, … as the CLI does; a list stands for its operations."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"m{number}" for number in range(1, len(migrations) + 1)]
    for name, content in zip(names, migrations, strict=True):
        body = content if isinstance(content, str) else json.dumps(_migration(name, parent, content))
        (folder / f"{name}_0c84e283.json").write_text(body)
        parent = name
    (folder / ".ledger").write_text("".join(f"{name}_0c84e283\n" for name in names))
    return folder


def _migration(name: str, parent: str | None, content: Any) -> Any:
    if isinstance(content, dict) and content:
        return content
    return {"id": name, "checksum": "1:00", "operations": content} | ({"parentID": parent} if parent else {})


def refusal(folder: Path) -> str:
    with pytest.raises(SchemaError) as caught:
        read_schema(folder)
    message = str(caught.value)
    assert message.isprintable()
    return message


@pytest.mark.parametrize("split", [False, True], ids=["one_migration", "one_for_each_operation"])
@pytest.mark.parametrize(("operations", "columns"), REPLAYED.values(), ids=REPLAYED)
def test_operations_are_replayed(operations: list[Any], columns: tuple[XataColumn, ...], split: bool, tmp_path: Path):
    migrations = [[operation] for operation in operations] if split else [operations]
    schema = read_schema(write(tmp_path, *migrations))
    assert {table.name: table.columns for table in schema.tables}["t"] == columns


def test_a_renamed_table_keeps_its_place_and_its_links(tmp_path: Path):
    link = column("b", "up", "link", link={"table": "a"})
    schema = read_schema(write(tmp_path, [table("a"), table("b"), link], [rename("a", "z")]))
    up = XataColumn("up", XataType.LINK, link="z")
    assert schema == XataSchema((XataTable("z"), XataTable("b", (up,))))


@pytest.mark.parametrize(("operations", "reason"), REFUSED.values(), ids=REFUSED)
def test_an_operation_that_cannot_be_is_refused(operations: Any, reason: str, tmp_path: Path):
    message = refusal(write(tmp_path, ABC, operations))
    assert reason in message
    assert str(tmp_path / "m2_0c84e283.json") in message


def test_a_ledger_cut_at_its_page_is_refused(tmp_path: Path):
    migrations = [[table(f"t{number}")] for number in range(200)]
    message = refusal(write(tmp_path, *migrations, parent="m0"))
    assert "m1_0c84e283.json: names a parent (m0) that does not stand before it in the ledger of 200" in message


def test_two_hundred_whole_migrations_are_read(tmp_path: Path):
    assert len(read_schema(write(tmp_path, *[[table(f"t{number}")] for number in range(200)])).tables) == 200


def test_a_ledger_that_lacks_a_line_is_refused(tmp_path: Path):
    folder = write(tmp_path, ABC, [column("t", "d")], [column("t", "e")])
    (folder / ".ledger").write_text("m1_0c84e283\nm3_0c84e283\n")
    assert "m3_0c84e283.json: names a parent (m2)" in refusal(folder)


def test_a_missing_migration_is_named(tmp_path: Path):
    folder = write(tmp_path, ABC, [])
    (folder / "m2_0c84e283.json").unlink()
    assert "m2_0c84e283.json: no such file" in refusal(folder)


@pytest.mark.parametrize("ledger", ["\ufeffm1_0c84e283\n", "\r\nm1_0c84e283\r\n\r\n", "m1_0c84e283", " m1_0c84e283 "])
def test_a_ledger_is_read_whatever_its_lines_end_in(ledger: str, tmp_path: Path):
    folder = write(tmp_path, ABC)
    (folder / ".ledger").write_bytes(ledger.encode())
    assert read_schema(folder) == XataSchema((XataTable("t", (A, B, C)),))


@pytest.mark.parametrize("line", ["../../secret", "a\\b", "a\0b", "a\x1b[0m"])
def test_a_ledger_names_files_of_its_folder_only(line: str, tmp_path: Path):
    folder = write(tmp_path, ABC)
    (folder / ".ledger").write_text(f"m1_0c84e283\n{line}\n")
    assert ".ledger: line 2 is no name of a migration" in refusal(folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"operations": [', "m1_0c84e283.json:1: not JSON"),
        ("[]", "not a migration"),
        ('{"id": "m1"}', "not a migration"),
        ({"name": "sql_1", "migration": {"name": "sql_1", "operations": [{"sql": {"up": "…"}}]}}, "pg_dump"),
        ({"id": "m1", "parentID": ["x"], "operations": []}, "names a parent"),
    ],
)
def test_a_broken_migration_is_named(content: Any, reason: str, tmp_path: Path):
    assert reason in refusal(write(tmp_path, content))


@pytest.mark.parametrize("migrations", [[], [[]], [[table("t"), remove("t")]]])
def test_migrations_that_leave_no_table_are_refused(migrations: list[Any], tmp_path: Path):
    assert f"{tmp_path}: the schema holds no table" in refusal(write(tmp_path, *migrations))
