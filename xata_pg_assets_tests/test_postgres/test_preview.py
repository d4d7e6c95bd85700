"""The first rows: with what is in them only where that is wanted."""

from __future__ import annotations

import pytest

from xata_pg_assets_tests.fix_export import Export, NewExport, column, link, table

CELLS = {
    "t": "ann@x.org",
    "i": "4711",
    "j": '{"secret": 1}',
    "m": '["red","blue"]',
    "v": "[1, 2]",
    "d": "1999-01-02T00:00:00Z",
    "b": "true",
}
TYPES = {"t": "email", "i": "int", "j": "json", "m": "multiple", "v": "vector", "d": "datetime", "b": "bool"}


@pytest.fixture
def export(new_export: NewExport) -> Export:
    columns = [column(name, type_, **({"dimension": 2} if name == "v" else {})) for name, type_ in TYPES.items()]
    export = new_export(table("people", *columns, link("boss", "people")), metadata_columns="false")
    rows = [[f"p{number:02}", *CELLS.values(), "p00"] for number in range(12)]
    export.rows("people", ["id", *CELLS, "boss"], [*rows, ["p12", "", *[None] * 6, None]])
    assert export.migrate().red == {}
    return export


def test_ten_rows_without_what_is_in_them(export: Export):
    migration = export.migration()
    rows = migration.preview(migration.plan.by_name["people"])
    assert [row["id"] for row in rows] == list(range(1, 11))
    assert rows[0] == {
        "id": 1,
        "t": "9 chars",
        "i": "set",
        "j": "object",
        "m": "2 items",
        "v": "set",
        "d": "set",
        "b": "set",
        "boss_id": 1,
    }
    export.database.query("DELETE FROM people WHERE id < 13")
    (row,) = migration.preview(migration.plan.by_name["people"])
    assert row == {"id": 13, "t": "empty", **dict.fromkeys([*list(TYPES)[1:], "boss_id"])}


def test_with_what_is_in_them_where_that_is_set(export: Export):
    migration = export.migration(preview="true")
    row = migration.preview(migration.plan.by_name["people"])[0]
    assert row["t"] == "ann@x.org"
    assert (row["i"], row["m"], row["v"], row["b"]) == ("4711", "{red,blue}", "[1,2]", "true")
    export.database.query("UPDATE people SET t = repeat('x', 500)")
    assert len(migration.preview(migration.plan.by_name["people"])[0]["t"]) == 80
