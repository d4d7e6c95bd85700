"""Old ids in texts, lists and JSON become new ones where that is asked for, and the checks prove each."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.errors import TargetError, UsageError
from xata_pg_assets.postgres.scripts.folder import save
from xata_pg_assets_tests.fix_export import Export, NewExport, checks_of, column, link, table
from xata_pg_assets_tests.fix_psql import Psql
from xata_pg_assets_tests.fix_server import Database, Server

U1, U2, T1, LOST, BOTH = (f"rec_c{'0' * 18}{mark}" for mark in "0248c")
REWRITE = {"rewrite_ids": "events.subject,events.list,events.data"}
CELLS = "SELECT subject, list, data::text FROM events ORDER BY id"


@pytest.fixture
def events(new_export: NewExport) -> Export:
    """Users U1, U2 and BOTH are 1 to 3; teams T1 and BOTH 1 and 2."""
    export = new_export(
        table(
            "events", column("subject", "text"), column("list", "multiple"), column("data", "json"),
            column("code", unique=True), column("n", "int"), link("user", "users"),
        ),
        table("users", column("name")),
        table("teams", column("name")),
    )  # fmt: skip
    export.rows("users", "id,name", [[U1, "a"], [U2, "b"], [BOTH, "c"]])
    export.rows("teams", "id,name", [[T1, "x"], [BOTH, "y"]])
    return export


def write(export: Export, *cells: tuple[str | None, list[str] | None, Any]) -> None:
    export.rows(
        "events",
        "id,subject,list,data",
        [
            [f"e{n}", text, None if items is None else json.dumps(items), None if data is ... else json.dumps(data)]
            for n, (text, items, data) in enumerate(cells)
        ],
    )


def test_what_is_an_id_as_a_whole_is_rewritten_and_nothing_else(events: Export, database: Database):
    write(
        events,
        (U2, [U1, "no", T1, U2], {"a": [U1, {U2: T1, "x": f"see {U1}"}], "b": U2, "n": 1.00}),
        (f" {U1}", [f"{U1} "], f"{U1}:"),
        (LOST, [LOST], [LOST, BOTH]),
        (BOTH, [BOTH, ""], U2),
        (None, None, ...),
        ("", [], {}),
        (U1.upper(), ["1", "e1"], {'q"uo\\te": ': 'a": "' + U1, 'k"': U1, "é\n": [[], {}, None, True, ""]}),
    )
    result = events.migrate(**REWRITE)
    assert result.red == {}
    rows = database.query(CELLS)
    assert [(subject, items) for subject, items, _ in rows] == [
        ("2", ["1", "no", "1", "2"]),
        (f" {U1}", [f"{U1} "]),
        (LOST, [LOST]),
        (BOTH, [BOTH, ""]),
        (None, None),
        ("", []),
        (U1.upper(), ["1", "2"]),  # e1 is the id of an event
    ]
    assert json.loads(rows[0][2]) == {"a": [1, {U2: 1, "x": f"see {U1}"}], "b": 2, "n": 1.00}
    assert [rows[1][2], rows[2][2], rows[3][2], rows[4][2], rows[5][2]] == [
        f'"{U1}:"', f'["{LOST}", "{BOTH}"]', "2", None, "{}",
    ]  # fmt: skip
    assert json.loads(rows[6][2]) == {'q"uo\\te": ': 'a": "' + U1, 'k"': 1, "é\n": [[], {}, None, True, ""]}


def test_the_check_counts_what_was_done_and_left(events: Export):
    write(events, (U2, [T1, LOST], {"a": [U1, BOTH]}), (BOTH, ["x"], LOST))
    check = events.migrate(**REWRITE).checks["events"]["ids_rewritten"]
    assert check.passed
    assert check.description == (
        "3 ids rewritten (1 to teams, 2 to users); left as they were: 2 of several tables, 2 of no row"
    )
    assert check.facts == {"rewritten_ids": 3, "ambiguous_ids": 2, "unresolved_ids": 2}


def test_a_run_again_changes_nothing_and_a_newer_export_is_followed(events: Export, database: Database):
    write(events, (U2, [LOST], {"a": LOST}), ("x", None, ...))
    events.migrate(**REWRITE)
    again = events.migrate(**REWRITE)
    assert (again.red, set(again.changes.values())) == ({}, {(0, 0, 0)})
    events.rows("users", "id,name", [[U1, "a"], [U2, "b"], [BOTH, "c"], [LOST, "found"]])
    newer = events.migrate(**REWRITE)
    assert (newer.red, newer.changes["events"]) == ({}, (0, 1, 0))
    assert database.query(CELLS)[0] == ("2", ["4"], '{"a": 4}')
    back = events.migrate()
    assert (back.red, back.changes["events"]) == ({}, (0, 1, 0))
    assert database.query(CELLS)[0] == (U2, [LOST], json.dumps({"a": LOST}))
    assert "ids_rewritten" not in back.checks["events"]
    assert "ids_rewritten" not in events.migrate(**REWRITE).checks["users"]


@pytest.mark.parametrize(
    "spoil",
    [
        "subject = '1'",  # another row's number
        f"subject = '{U2}'",  # the old id again
        "list = ARRAY['1', '2']",
        "list = ARRAY['2', '1', 'more']",
        "list = NULL",
        """data = '{"a": "1", "b": [2]}'""",  # a text where a number should be
        """data = '{"a": 1, "b": [1]}'""",
        """data = '{"a": 1, "b": [2], "c": null}'""",
        """data = '{"a": 1, "b": {"1": 2}}'""",
    ],
)
def test_every_other_value_is_found(events: Export, database: Database, spoil: str):
    write(events, (U2, [U2, U1], {"a": U1, "b": [U2]}), (U2, ["kept"], {"a": U1}))
    migration = events.migrate(**REWRITE).migration
    database.query(f"UPDATE events SET {spoil} WHERE id = 1")
    (each,) = [each for each in migration.plan.tables if each.name == "events"]
    ends = checks_of(migration, each)
    assert [name for name, end in ends.items() if not end.passed] == ["values_equal", "ids_rewritten"]
    rows = ends["ids_rewritten"].rows
    assert {row["id"] for row in rows} == {1}
    assert {row["column_name"] for row in rows} == {spoil.partition(" ")[0]}
    assert len(database.query(ends["ids_rewritten"].query)) == len(rows)
    assert events.migrate(**REWRITE).red == {}


def test_json_of_any_shape_is_rewritten_as_python_would(events: Export, database: Database):
    numbers = random.Random(7)
    new_ids = {U1: 1, U2: 2, T1: 1}
    words = [
        U1,
        U2,
        T1,
        LOST,
        BOTH,
        "",
        '"',
        "\\",
        '\\"',
        '": "',
        "{",
        "[",
        ":",
        ",",
        f'"{U1}"',
        f"{U1}\\",
        "é☃𝄞",
        "\t\n/",
        "null",
        "1",
    ]

    def value(depth: int) -> Any:
        kind = numbers.randrange(6 if depth else 4)
        if kind == 4:
            return [value(depth - 1) for _ in range(numbers.randrange(4))]
        if kind == 5:
            return {numbers.choice(words): value(depth - 1) for _ in range(numbers.randrange(4))}
        return numbers.choice([numbers.choice(words), numbers.choice(words), None, True, 17, -1.5])

    def rewritten(cell: Any) -> Any:
        if isinstance(cell, list):
            return [rewritten(each) for each in cell]
        if isinstance(cell, dict):
            return {key: rewritten(each) for key, each in cell.items()}
        return new_ids.get(cell, cell) if isinstance(cell, str) else cell

    cells = [value(5) for _ in range(600)]
    cells = [{"": cell} for cell in cells]  # a bare string could be read as the JSON that it holds
    write(events, *((None, None, cell) for cell in cells))
    assert events.migrate(**REWRITE).red == {}
    stored = database.query(
        "SELECT data FROM events JOIN xata_migration.events_id_mapping ON new_id = id ORDER BY substr(old_id, 2)::int"
    )
    assert [data for (data,) in stored] == [rewritten(cell) for cell in cells]


class TestRefusals:
    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("events.code", "events.code is unique, and ids of two tables may become one number"),
            ("events.n", "events.n is of type int; it takes columns of type string, text"),
            ("events.user", "events.user is of type link"),
            ("events.nope", "there is no column events.nope; events has subject, list, data, code"),
        ],
    )
    def test_columns(self, events: Export, name: str, words: str):
        with pytest.raises(UsageError, match=words):
            events.migration(rewrite_ids=[name])

    def test_a_table_whose_ids_are_not_given_yet(self, events: Export):
        write(events, (U1, None, ...))
        migration = events.migration(**REWRITE)
        for name in ("users", "events"):
            migration.stage(migration.plan.find(name))
            migration.map_ids(migration.plan.find(name))
        migration.load(migration.plan.find("users"))
        with pytest.raises(
            TargetError, match="rewrite_ids needs the new ids of all tables, and those of teams are not"
        ):
            migration.load(migration.plan.find("events"))


def test_the_scripts_do_the_same(events: Export, server: Server, tmp_path: Path, psql: Psql):
    write(events, (U2, [U1, T1, LOST], {"a": [U1, BOTH], U2: 'x"'}), (None, [], ...))
    other = server.new_database()
    save(tmp_path / "scripts", events.migration(**REWRITE).scripts())
    outcome = psql.run_all(other, tmp_path / "scripts")
    assert (outcome.code, outcome.err) == (0, "")
    events.migrate(**REWRITE)
    assert other.query(CELLS) == events.database.query(CELLS)
    ends = (
        "SELECT xata_table, jsonb_object_agg(key, value -> 'passed') FROM xata_migration.loads, jsonb_each(checks)"
        " GROUP BY 1 ORDER BY 1"
    )
    assert other.query(ends) == events.database.query(ends)
