"""A migrated table of every type, with the values that are easily lost."""

from __future__ import annotations

import pytest

from xata_pg_assets_tests.fix_export import Export, NewExport, column, link, table

HEADER = "id,s,i,f,b,d,m,j,v,boss"
FULL = [
    "u1", "it's é\n", "9007199254740993", "-0.0", "true", "0001-01-01T00:00:00.000001Z",
    '["a", "NULL", ""]', '{"a": [1, null, "x"], "big": 123456789012345678901234567890}', "[1, -0.5, 3e-7]", None,
]  # fmt: skip
LAST = [
    "u3", "", "-9223372036854775808", "1e308", "false", "9999-12-31T23:59:59.999999+14:00", "[]", "null", "[0, 0, 0]",
    "u1",
]  # fmt: skip


@pytest.fixture
def people(new_export: NewExport) -> Export:
    export = new_export(
        table(
            "thePeople",
            column("s", not_null=False), column("i", "int"), column("f", "float"), column("b", "bool"),
            column("d", "datetime"), column("m", "multiple"), column("j", "json"),
            column("v", "vector", dimension=3), link("boss", "thePeople"),
        ),
        table("empty", column("i", "int"), column("d", "datetime"), column("v", "vector", dimension=2)),
        metadata_columns=False,
    )  # fmt: skip
    export.rows("thePeople", HEADER, [FULL, ["u2", *[None] * 9], LAST])
    export.rows("empty", "id,i,d,v", [])
    assert export.migrate().red == {}
    return export
