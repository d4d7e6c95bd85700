"""Rows that stand in each other's way: which one stays, and what is told of the others."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from xata_pg_assets.postgres import ledger, rejects
from xata_pg_assets_tests.fix_export import METADATA, Export, NewExport, column, table

Told = list[tuple[int, str, str, str]]
Faults = list[tuple[int, str, str, str, str]]


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


NAMES = ("u", "v", "w")
Row = tuple[str, str | None, tuple[str | None, ...]]  # id, version, cells
small = st.sampled_from([None, "1", "01", "2", "3", "4", "5"])
rows_of_rivals = st.lists(
    st.tuples(
        st.sampled_from("abcdefghijklmnop"),
        st.sampled_from([None, "0", "1"]),
        st.tuples(st.one_of(small, small, st.just("bad")), small, small),
    ),
    max_size=16,
)


def _number(cell: str | None) -> int | None:
    return None if cell is None else int(cell)


def _told_by_the_rules(rows: list[Row]) -> tuple[Faults, set[int]]:
    """Read the rules one after another: cells, copies, versions of an id, unique values; return what stays."""
    told: Faults = []
    good = dict[int, Row]()
    for line, row in enumerate(rows, start=2):
        bad = [(name, cell) for name, cell in zip(NAMES, row[2], strict=True) if cell == "bad"]
        told += [(line, row[0], name, str(cell), "bad_value") for name, cell in bad]
        if not bad:
            good[line] = row
    typed = {line: (id_, version, *map(_number, cells)) for line, (id_, version, cells) in good.items()}
    good = {line: row for line, row in good.items() if typed[line] not in [typed[k] for k in good if k < line]}
    for line, (id_, version, _) in list(good.items()):
        rank = (int(version or -1), line)
        if any(rank < (int(other[1] or -1), k) for k, other in good.items() if other[0] == id_):
            told.append((line, id_, "id", id_, "duplicate_id"))
    good = {line: row for line, row in good.items() if line not in [fault[0] for fault in told]}
    stay = set[int]()
    for line, (id_, _, cells) in sorted(good.items()):
        faults = [
            (line, id_, name, str(cell), "duplicate_value")
            for place, (name, cell) in enumerate(zip(NAMES, cells, strict=True))
            if cell is not None and any(_number(good[k][2][place]) == _number(cell) for k in stay)
        ]
        told += faults
        stay |= set() if faults else {line}
    return sorted(told), stay


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_rivals)
@example([("a", None, ("1", "1", None)), ("b", None, ("1", "2", None)), ("c", None, ("1", "2", "1")),
          ("d", None, ("2", "2", None)), ("e", None, ("1", "02", "1"))])  # fmt: skip
@example([(id_, None, (str(n), str(n + 1), None)) for n, id_ in enumerate("abcdefgh")])
def test_every_fault_of_rows_in_each_others_way(new_export: NewExport, rows: list[Row]):
    export = new_export(table("a", *(column(name, "int", unique=True) for name in NAMES)))
    export.rows("a", ["id", "xata.version", *NAMES], [[id_, version, *cells] for id_, version, cells in rows])
    migration = export.migration()
    (only,) = migration.plan.tables
    migration.stage(only)
    migration.map_ids(only)
    expected, stay = _told_by_the_rules(rows)
    found = export.database.query(
        "SELECT line, old_id, xata_column, value, reason FROM xata_migration.rejected_rows ORDER BY 1, 3"
    )
    assert found == expected
    staged = export.database.query("SELECT id, u, v, w FROM xata_staging.a ORDER BY id")
    kept = [rows[line - 2] for line in stay]
    assert staged == sorted((id_, *map(_number, cells)) for id_, _, cells in kept)
    with migration.session(only, "checking") as conn:
        line = ledger.entry(conn, migration.layout, only)
    rejected = len({fault[0] for fault in expected})
    assert (line.staged_rows, line.rejected_rows) == (len(stay), rejected)
    assert line.duplicate_rows == len(rows) - len(stay) - rejected


def test_long_chains_take_one_pass(new_export: NewExport, monkeypatch: pytest.MonkeyPatch):
    """Each row shares a value with the row before, so that every other one must go."""
    export = new_export(table("a", column("u", "int", unique=True), column("v", "int", unique=True)))
    count = 20_000
    cells = [[str((n + 1) // 2), str(n // 2 + count)] for n in range(count)]
    export.rows("a", "id,u,v", [[f"r{n:05}", *row] for n, row in enumerate(cells)])
    passes: list[object] = []
    move = rejects.move
    monkeypatch.setattr(rejects, "move", lambda *facts: passes.append(facts) or move(*facts))
    line = export.migrate(max_rejected_rows=count).lines["a"]
    assert (line.rejected_rows, line.target_rows) == (count // 2, count // 2)
    assert len(passes) <= 2


def test_a_row_tells_all_its_values_that_are_too_long(new_export: NewExport):
    chance = random.Random(11)
    export = new_export(table("a", column("u", "text", unique=True), column("v", "text", unique=True)))
    long = ["".join(chance.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=9_000)) for _ in range(2)]
    export.rows("a", "id,u,v", [["x", *long], ["y", "1", "2"], ["z", "1", long[0]]])
    line = export.migrate(max_rejected_rows=2).lines["a"]
    assert (line.rejected_rows, line.target_rows) == (2, 1)
    told = export.database.query("SELECT old_id, xata_column, value FROM xata_migration.rejected_rows ORDER BY 1, 2")
    assert told == [
        ("x", "u", long[0]), ("x", "v", long[1]), ("z", "v", long[0]),
    ]  # fmt: skip


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
