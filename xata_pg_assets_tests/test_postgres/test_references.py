"""Old ids inside texts, lists and JSON: counted where they stand, told by the tables they are ids of."""

from __future__ import annotations

from dataclasses import astuple

import pytest

from xata_pg_assets.postgres.references import find_references
from xata_pg_assets_tests.fix_export import NewExport, column, link, table

A, B, C, LOST = (f"rec_c{'0' * 18}{mark}" for mark in "048c")


@pytest.fixture
def found(new_export: NewExport):
    export = new_export(
        table("userTeams", column("text", "text"), column("list", "multiple"), column("data", "json"), link("l", "b")),
        table("b", column("mail", "email"), column("n", "int"), column("nothing")),
    )
    export.rows("userTeams", "id,text,list,data,l", [
        [A, f"see {A}, /b/{B}?x={LOST} and {A}", f'["{B}", "no"]', f'{{"{C}": ["{B}"]}}', B],
        [C, f"x{A} {A}x {A}1 rec_short {A.upper()} REC", "[]", '"rec_"', None],
    ])  # fmt: skip
    export.rows("b", "id,mail,n", [[B, f"{C}@x.org", "1"], [A, None, "2"]])
    migration = export.migrate().migration
    with migration.reading() as conn:
        return [astuple(each)[1:] for each in find_references(conn, migration.layout, migration.plan)]


def test_each_column_that_holds_some_is_told_and_no_other(found):
    assert sorted(found) == [
        ("b", "mail", "mail", 1, 1, {"userTeams": 1}, 0),
        ("user_teams", "data", "data", 2, 1, {"b": 1, "userTeams": 1}, 0),
        ("user_teams", "list", "list", 1, 1, {"b": 1}, 0),
        ("user_teams", "text", "text", 4, 1, {"b": 3, "userTeams": 2}, 1),  # A is an id of both
    ]
