"""Rows that stand in each other's way: which one stays, and what is told of the others."""

from __future__ import annotations

import random

import pytest

from xata_pg_assets_tests.fix_export import METADATA, Export, NewExport, column, table

Told = list[tuple[int, str, str, str]]


def _rejected(export: Export) -> Told:
    return export.database.query(
        "SELECT line, old_id, xata_column, reason FROM xata_migration.rejected_rows ORDER BY 1, 3"
    )


def _kept(export: Export, names: str = "*") -> list:
    return export.database.query(f"SELECT {names} FROM a ORDER BY id")


def test_exact_copies_are_dropped_and_counted(new_export: NewExport):
    export = new_export(table("a", column("n", "float"), column("t")))
    export.write("a", 'id,n,t\nx,1.50,"a\nb"\ny,1,\nx,1.5,"a\nb"\nid,n,t\nx,1.5,"a\nb"\n')
    result = export.migrate()
    assert result.red == {}
    line = result.lines["a"]
    assert (line.source_rows, line.duplicate_rows, line.rejected_rows, line.target_rows) == (5, 3, 0, 2)


@pytest.mark.parametrize("name", ["s", "t", "m", "p0", "staging", "place", "number", "ctid_", "old_id", "new_id"])
def test_rows_of_one_id_are_copies_only_where_every_column_is_equal(new_export: NewExport, name: str):
    export = new_export(table("a", column(name), column("other", "int")))
    export.rows("a", [name, "other", "id", *METADATA], [
        ["same", "1", "x", "1", None, None], ["same", "2", "x", "2", None, None],
    ])  # fmt: skip
    line = export.migrate(max_rejected_rows=1).lines["a"]
    assert (line.duplicate_rows, line.rejected_rows) == (0, 1)
    assert _kept(export, "other") == [(2,)]


def test_the_highest_version_then_the_latest_then_the_last_line_stays(new_export: NewExport):
    export = new_export(table("a", column("n", "int")))
    early, late = "2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000001Z"
    rows = [
        ["x", "1", "10", early], ["x", "2", "9", late], ["y", "3", "1", late], ["y", "4", "1", early],
        ["z", "5", "1", early], ["z", "6", "1", early],
        ["v", "7", None, late], ["v", "8", "0", None], ["x", "bad", "99", late],
    ]  # fmt: skip
    export.rows("a", ["id", "n", "xata.version", "xata.updatedAt"], rows)
    export.migrate()
    assert {n for (n,) in _kept(export, "n")} == {1, 3, 6, 8}
    assert _rejected(export) == [
        (3, "x", "id", "duplicate_id"), (5, "y", "id", "duplicate_id"), (6, "z", "id", "duplicate_id"),
        (8, "v", "id", "duplicate_id"), (10, "x", "n", "bad_value"),
    ]  # fmt: skip


def test_lines_are_right_where_texts_hold_line_feeds_and_rows_are_bad(new_export: NewExport):
    export = new_export(table("a", column("t"), column("n", "int", unique=True)))
    export.write("a", 'id,t,n\nx,"1\n2\n3",1\n\nbad,,x\ny,"4\n5",1\nz,,1,\n"w","""",1\n')
    export.migrate()
    assert _rejected(export) == [
        (6, "bad", "n", "bad_value"), (7, "y", "n", "duplicate_value"), (9, "z", None, "ragged"),
        (10, "w", "n", "duplicate_value"),
    ]  # fmt: skip
    raws = dict(export.database.query("SELECT line, raw FROM xata_migration.rejected_rows"))
    assert raws[7] == 'y,"4\n5",1'


def test_recovered_rows_keep_their_lines(new_export: NewExport):
    export = new_export(table("a", column("u", unique=True)), recover_created_at=True)
    then = "2020-01-01T00:00:00Z"
    export.rows("a", ["id", "u", "xata.createdAt"], [
        ["rec_cem3v6ocg8b3q7ja6c40", "1", None], ["rec_cem3v6ocg8b3q7ja6c41", "1", then], ["q", "2", then],
        ["rec_cem3v6ocg8b3q7ja6c42", "2", None],
    ])  # fmt: skip
    export.migrate()
    assert [(line, reason) for line, _, _, reason in _rejected(export)] == [
        (3, "duplicate_value"),
        (5, "duplicate_value"),
    ]


def _greedy(rows: list[list[str | None]]) -> set[str]:
    """Keep each row in turn that shares no unique value with one kept before."""
    kept: set[str] = set()
    taken: set[tuple[int, str]] = set()
    for id_, *values in rows:
        keys = {(place, value) for place, value in enumerate(values) if value is not None}
        if not keys & taken:
            taken |= keys
            kept.add(str(id_))
    return kept


@pytest.mark.parametrize("seed", range(3))
def test_the_earlier_line_keeps_a_unique_value_through_chains(new_export: NewExport, seed: int):
    chance = random.Random(seed)
    export = new_export(table("a", *(column(name, unique=True) for name in "uvw")), keep_old_id=True)
    rows = [[f"r{n}", *(chance.choice([None, *"abcdefghijkl"]) for _ in "uvw")] for n in range(30)]
    chance.shuffle(rows)
    export.rows("a", "id,u,v,w", rows)
    result = export.migrate(max_rejected_rows=30)
    assert result.red == {}
    assert {old_id for (old_id,) in _kept(export, "xata_id")} == _greedy(rows)
    line = result.lines["a"]
    assert line.source_rows == (line.target_rows or 0) + line.rejected_rows + line.duplicate_rows
    assert {(line, id_) for line, id_, _, _ in _rejected(export)} == {
        (place, row[0]) for place, row in enumerate(rows, start=2) if row[0] not in _greedy(rows)
    }


def test_unique_is_by_typed_equality(new_export: NewExport):
    columns = [column("f", "float", unique=True), column("d", "datetime", unique=True), column("t", unique=True)]
    export = new_export(table("a", *columns))
    export.rows("a", "id,f,d,t", [
        ["a", "0.0", None, "x"], ["b", "-0.0", None, "X"], ["c", None, "2020-01-01T00:00:00Z", "x "],
        ["d", None, "2020-01-01T01:00:00+01:00", None], ["e", None, None, None],
    ])  # fmt: skip
    export.migrate()
    assert [(old_id, name) for _, old_id, name, _ in _rejected(export)] == [("b", "f"), ("d", "d")]


@pytest.mark.parametrize(
    ("kind", "short", "long"),
    [
        ("text", "ab" * 5_000, None),
        ("json", '"short"', None),
        ("vector", None, None),
        ("multiple", '["a"]', None),
    ],
)
def test_values_too_long_for_their_unique_index(new_export: NewExport, kind: str, short: str | None, long: str | None):
    chance = random.Random(7)
    match kind:
        case "text":
            long = "".join(chance.choices("0123456789abcdefghijklmnopqrstuvwxyz ÄÖÜ😀", k=6_000))
        case "json":
            long = "[" + ",".join(str(chance.randrange(10)) for _ in range(1_290)) + "]"
        case "multiple":
            long = (
                "[" + ",".join(f'"{chance.choice("abcdefghijklmnopqrstuvwxyz0123456789")}"' for _ in range(4_000)) + "]"
            )
        case "vector":
            short, long = None, "[" + ",".join(str(chance.randrange(10)) for _ in range(1_000)) + "]"
    export = new_export(table("a", column("u", kind, unique=True, dimension=1_000 if kind == "vector" else None)))
    export.rows("a", "id,u", [["x", short], ["y", long], ["z", None]])
    result = export.migrate(max_rejected_rows=1)
    assert result.red == {}
    told = _rejected(export)
    assert told in ([], [(3, "y", "u", "value_too_long")])
    assert told or kind == "json"
    assert len(_kept(export)) == 3 - len(told)


def test_a_hostile_table_name_survives_every_fault(new_export: NewExport):
    hostile = 'a%s"; DROP TABLE x; --{}'
    export = new_export(table(hostile, column('u%"{0}', "text", unique=True)), naming="preserve", max_rejected_rows=9)
    long = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9_000))
    export.rows(hostile, ["id", 'u%"{0}'], [["x", "1"], ["x", "1"], ["y", "1"], ["z", long], ["x", "2"]])
    result = export.migrate()
    assert result.red == {}
    assert result.lines[hostile].rejected_rows == 2
