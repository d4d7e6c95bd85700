"""Every value on its way from a CSV cell through staging into the table, read independently of the code."""

from __future__ import annotations

import json
import struct
import weakref
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from xata_pg_assets.errors import ExportError
from xata_pg_assets.migration import Migration
from xata_pg_assets.postgres import rejects
from xata_pg_assets.xata.records import Fault
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import METADATA, Export, NewExport, column, link, table
from xata_pg_assets_tests.fix_server import Database, Server

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RUNS = count(1)

_NASTY = [
    "NULL", "null", "NA", "None", "nan", " padded ", "\t", "00123", "9007199254740993", "-0.0", "&#44;", "\\.", "\\N",
    "a\r\nb", "\r", "\n", "\n\\.\n", '"', '""', ",", "'", "\\", "{}", "%s", "😀", "\u2028", "\ufeff", "id", "e\u0301",
]  # fmt: skip
_texts = st.one_of(st.sampled_from(_NASTY), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
_ints = st.one_of(
    st.sampled_from(["00123", "-00", "9007199254740993", "9223372036854775807", "-9223372036854775808"]),
    st.integers(-(2**63), 2**63 - 1).map(str),
)
_floats = st.one_of(
    st.sampled_from(["-0.0", "0", "5e-324", "-5E-324", "1.7976931348623157e308", "1e-07", "0.1", ".5", "5.", "1e22"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
_bools = st.sampled_from(["true", "false", "TRUE", "False", "t", "f"])
_offsets = st.integers(-15 * 60, 15 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_datetimes = st.builds(
    lambda moment, letter, zulu: moment.isoformat(sep=letter).replace("+00:00", "Z" if zulu else "+00:00"),
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=_offsets),
    st.sampled_from("T "),
    st.booleans(),
)
_numbers = st.one_of(
    st.integers().map(str), st.sampled_from(["1.00", "1e3", "1.50E-5", "0.0", "123456789012345678901234567890.10"])
)
_json_texts = st.one_of(st.sampled_from(_NASTY), st.text(st.characters(exclude_categories=["Cs", "Cc"])))


@st.composite
def _json(draw: st.DrawFn) -> str:
    leaf = st.one_of(_numbers, st.sampled_from(["null", "true", "false"]), _json_texts.map(json.dumps))
    values = st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]"),
            st.dictionaries(_json_texts, inner, max_size=4).map(
                lambda items: "{" + ",".join(f"{json.dumps(key)}: {value}" for key, value in items.items()) + "}"
            ),
        ),
        max_leaves=8,
    )
    return draw(values)


_lists = st.lists(_texts, max_size=4).map(lambda items: json.dumps(items, ensure_ascii=False))
_files = st.fixed_dictionaries({"name": _texts, "size": st.integers(0, 2**53), "mediaType": st.just("a/b")}).map(
    json.dumps
)
_elements = st.one_of(
    st.sampled_from(["-0.0", "-0", "1e-7", "1.5E+3", "-3.25", "0.1", "16777217"]),
    st.floats(width=32, allow_nan=False, allow_infinity=False).map(repr),
)
_vectors = st.lists(_elements, min_size=3, max_size=3).map(lambda items: f"[{','.join(items)}]")

_TYPES = {
    "s": ("string", _texts), "t": ("text", _texts), "e": ("email", _texts), "i": ("int", _ints),
    "f": ("float", _floats),
    "b": ("bool", _bools), "d": ("datetime", _datetimes), "m": ("multiple", _lists), "j": ("json", _json()),
    "o": ("object", _files), "fi": ("file", _files), "fs": ("file[]", _files.map(lambda text: f"[{text}]")),
    "v": ("vector", _vectors),
}  # fmt: skip
_SENT = {"f": "encode(float8send(f), 'hex')", "d": "(extract(epoch FROM d) * 1000000)::bigint", "v": "v::real[]"}
_SENT |= {name: f"{name}::text" for name in ("j", "o", "fi", "fs")}
_rows = st.lists(
    st.fixed_dictionaries({name: st.one_of(st.none(), kind) for name, (_, kind) in _TYPES.items()}), max_size=12
)


def _read_json(text: str) -> Any:
    return json.loads(text, parse_int=_number, parse_float=_number)


def _number(text: str) -> tuple[Decimal, int]:
    """A JSON number as its value and the digits behind its point."""
    number = Decimal(text)
    return number, max(0, -int(number.as_tuple().exponent))


def _meant(name: str, text: str | None) -> Any:
    """Read a cell as the export means it."""
    if text is None:
        return None
    match name:
        case "i":
            return int(text)
        case "f":
            return struct.pack(">d", float(text)).hex()
        case "b":
            return text.lower() in ("true", "t")
        case "d":
            moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
            return (moment - _EPOCH) // timedelta(microseconds=1)
        case "m":
            return json.loads(text)
        case "j" | "o" | "fi" | "fs":
            return _read_json(text)
        case "v":
            return [struct.pack(">f", float(item)).hex() for item in text[1:-1].split(",")]
    return text


def _stored(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name in ("j", "o", "fi", "fs"):
        return _read_json(value)
    return [struct.pack(">f", item).hex() for item in value] if name == "v" else value


@pytest.fixture(scope="module")
def shared(server: Server) -> Database:
    database = server.new_database()
    database.query("CREATE EXTENSION vector")
    return database


@settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(rows=_rows)
def test_every_type_arrives_as_it_was(shared: Database, tmp_path_factory: pytest.TempPathFactory, rows: list[dict]):
    number = next(_RUNS)
    columns = [column(name, kind, dimension=3 if name == "v" else None) for name, (kind, _) in _TYPES.items()]
    names = {"target_schema": f"t{number}", "work_schema": f"w{number}", "staging_schema": f"s{number}"}
    export = Export(tmp_path_factory.mktemp("export"), shared, XataSchema((table("All", *columns),)), names)
    cells = [[f"r{place:03}", *(row[name] for name in _TYPES), "0", None, None] for place, row in enumerate(rows)]
    export.rows("All", ["id", *_TYPES, *METADATA], cells)
    result = export.migrate()
    assert result.red == {}
    selected = ", ".join(_SENT.get(name, name) for name in _TYPES)
    found = shared.query(f'SELECT {selected} FROM t{number}."all" ORDER BY id')
    assert [[_stored(name, value) for name, value in zip(_TYPES, row, strict=True)] for row in found] == [
        [_meant(name, row[name]) for name in _TYPES] for row in rows
    ]


def test_empty_cells(new_export: NewExport, database: Database):
    columns = [
        column("s"),
        column("n", "text", not_null=True),
        column("i", "int"),
        column("j", "json"),
        column("d", "datetime"),
    ]
    export = new_export(table("a", *columns, link("l", "a")))
    export.write("a", 'id,s,n,i,j,d,l\nx,,,,,,\ny,"","","","","",\n')
    assert export.migrate().red == {}
    assert database.query("SELECT s, n, i, j, d, l_id FROM a ORDER BY id") == [
        (None, "", None, None, None, None),
        ("", "", None, None, None, None),
    ]
    export.migrate(empty_text="empty")
    assert database.query("SELECT s, n, i FROM a ORDER BY id") == [("", "", None)] * 2


def test_the_encoded_null_of_a_json_column_is_a_value(new_export: NewExport, database: Database):
    export = new_export(table("a", column("j", "json")))
    export.write("a", "id,j\nx,null\ny,\n")
    export.migrate()
    assert database.query("SELECT j::text FROM a ORDER BY id") == [("null",), (None,)]


@pytest.mark.parametrize("text", ["", "id,n\n"])
def test_a_file_without_rows(new_export: NewExport, database: Database, text: str):
    export = new_export(table("a", column("n", "int")))
    export.write("a", text)
    result = export.migrate()
    assert result.red == {}
    assert database.value("SELECT count(*) FROM a") == 0
    assert bool(text) is not any("empty" in warning for warning in result.lines["a"].staging_warnings)


def test_no_file_at_all(new_export: NewExport, database: Database):
    result = new_export(table("a", link("b", "a")), table("empty")).migrate()
    assert result.red == {}
    assert all("empty" in line.xata_table or "a" in line.staging_warnings[0] for line in result.lines.values())
    assert database.value("SELECT count(*) FROM a") == database.value("SELECT count(*) FROM empty") == 0


def test_columns_by_name_missing_unknown_and_metadata(new_export: NewExport, database: Database):
    export = new_export(table("a", column("x"), column("y")))
    export.write("a", "xata.version,z,y,id\n3,zz,yy,r\n")
    result = export.migrate()
    assert result.red == {}
    assert database.query("SELECT x, y, xata_version, xata_createdat FROM a") == [(None, "yy", 3, None)]
    warnings = "\n".join(result.lines["a"].staging_warnings)
    assert "a.x" in warnings
    assert "a.z" in warnings
    assert "xata.createdAt" in warnings


def test_a_required_column_that_is_missing_fails_the_table(new_export: NewExport):
    export = new_export(table("a", column("x", not_null=True)))
    export.write("a", "id\nr\n")
    with pytest.raises(ExportError, match="x"):
        export.migrate()


def test_created_at_is_recovered_only_when_asked(new_export: NewExport, database: Database):
    export = new_export(table("a"))
    export.rows("a", ["id", *METADATA], [
        ["rec_cem3v6ocg8b3q7ja6c40", "0", None, None], ["own", "0", None, None],
        ["rec_vvvvvvvvvvvvvvvvvvvg", "0", None, None], ["rec_cem3v6ocg8b3q7ja6c50", "0", "2001-01-01T00:00:00Z", None],
    ])  # fmt: skip
    export.migrate()
    assert database.value("SELECT count(xata_createdat) FROM a") == 1
    assert export.migrate(recover_created_at=True).red == {}
    seconds = dict(
        database.query(
            "SELECT old_id, extract(epoch FROM xata_createdat)::bigint FROM a"
            " JOIN xata_migration.a_id_mapping ON id = new_id"
        )
    )
    digits = "0123456789abcdefghijklmnopqrstuv"
    expected = sum(digits.index(digit) << (5 * (6 - place)) for place, digit in enumerate("cem3v6o")) >> 3
    assert seconds == {
        "rec_cem3v6ocg8b3q7ja6c40": expected, "own": None, "rec_vvvvvvvvvvvvvvvvvvvg": 2**32 - 1,
        "rec_cem3v6ocg8b3q7ja6c50": 978307200,
    }  # fmt: skip


def test_large_faults_are_not_held_back_until_the_end(
    new_export: NewExport, database: Database, monkeypatch: pytest.MonkeyPatch
):
    written: list[int] = []

    def write(conn: object, layout: object, table: object, file: object, faults: Iterable[Fault]) -> None:
        faults = list(faults)
        written.append(sum(len(fault.value or "") for fault in faults))
        real(conn, layout, table, file, faults)

    real: Any = rejects.write
    monkeypatch.setattr(rejects, "write", write)
    export = new_export(table("t", column("n", "int")), max_rejected_rows=99)
    cell = "x" * 600_000
    export.rows("t", "id,n", [[f"r{number}", cell if number % 2 else "1"] for number in range(80)])
    assert export.migrate().lines["t"].rejected_rows == 40
    assert sum(written) == 40 * len(cell)
    assert max(written) < 2 * rejects.HELD_AT_ONCE
    assert database.value("SELECT count(*) FROM xata_migration.rejected_rows") == 40


def test_the_first_reader_is_gone_when_the_second_begins(new_export: NewExport, monkeypatch: pytest.MonkeyPatch):
    readers: list[weakref.ref[Any]] = []
    alive: list[Any] = []

    def opened(self: Migration, file: Any, *, thorough: bool) -> Any:
        alive.append([thorough, *(reader() is not None for reader in readers)])
        reader = real(self, file, thorough=thorough)
        readers.append(weakref.ref(reader))
        return reader

    real: Any = Migration._open
    monkeypatch.setattr(Migration, "_open", opened)
    export = new_export(table("t", column("j", "json")), max_rejected_rows=9)
    export.rows("t", "id,j", [["a", "{"], ["b", "{}"]])
    assert export.migrate().lines["t"].rejected_rows == 1
    assert alive == [[False], [True, False]]
