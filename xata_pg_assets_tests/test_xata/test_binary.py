"""Binary rows hold what PostgreSQL itself reads from the texts, bit by bit."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from xata_pg_assets.xata.binary import HEADER, TRAILER, BinaryEncoder, binary_encoder
from xata_pg_assets.xata.cells import Judge
from xata_pg_assets.xata.records import ReadOptions, Records
from xata_pg_assets.xata.schema import XataColumn, XataTable, XataType
from xata_pg_assets_tests.test_xata.test_cells import ODD_DATETIMES, RIGHT, verdict

POSTGRES = {
    XataType.INT: "bigint",
    XataType.FLOAT: "double precision",
    XataType.BOOL: "boolean",
    XataType.DATETIME: "timestamptz",
    XataType.MULTIPLE: "jsonb",
    XataType.JSON: "jsonb",
    XataType.OBJECT: "jsonb",
    XataType.VECTOR: "vector(3)",
}


@pytest.fixture(scope="module", params=["newest", "oldest"])
def conn(request, server, server16):
    url = {"newest": server, "oldest": server16}[request.param].new_database().url
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC -c datestyle=ISO") as conn:
        conn.execute("CREATE EXTENSION vector")
        yield conn


def spoiled(rng: random.Random, cell: str) -> str:
    """Change a cell a little."""
    start = rng.randrange(len(cell) + 1)
    patch = "".join(rng.choices('0123456789-+.eE[]{}, :"tTzZ\\un_x', k=rng.randrange(3)))
    return cell[:start] + patch + cell[start + rng.randrange(3) :]


def datetimes(rng: random.Random) -> str:
    """Draw a datetime from the corners of the calendar."""
    date = f"{rng.choice([0, 1, 99, 1582, 1900, 2000, 2024, 9999]):04}-{rng.randint(1, 12):02}-{rng.randint(1, 31):02}"
    time = (
        f"{rng.choice(['00:00:00', '23:59:59', '12:34:56'])}{rng.choice(['', '.5', '.123456', '.9999990', '.000001'])}"
    )
    return (
        date + rng.choice("Tt ") + time + rng.choice(["Z", "z", "", "+15:59", "-15:59", "+16:00", "-23:59", "-00:00"])
    )


def seconds(cell: str) -> Decimal:
    """Compute a datetime's seconds since 1970 by other means than the judge."""
    parts = re.fullmatch(r"(\d+)-(\d+)-(\d+).(\d+):(\d+):(\d+)(\.\d+)?(?:[zZ]|([+-])(\d+):(\d+))?", cell)
    assert parts is not None
    year = int(parts[1])
    later = datetime(year % 400 + 2000, int(parts[2]), int(parts[3]), *map(int, parts.group(4, 5, 6)), tzinfo=UTC)
    days = (later - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1) - (
        2000 // 400 - year // 400
    ) * 146097 * 86400
    offset = (int(parts[9] or 0) * 60 + int(parts[10] or 0)) * (-60 if parts[8] == "-" else 60)
    return days - offset + Decimal(parts[7] or 0)


def right_cells(type_: XataType) -> list[str]:
    """Draw cells that the judge lets pass."""
    rng = random.Random(type_.value)
    drawn = [datetimes(rng) for _ in range(3000)] if type_ is XataType.DATETIME else []
    drawn += [spoiled(rng, rng.choice([cell for cell in RIGHT[type_] if len(cell) < 400])) for _ in range(3000)]
    right = [cell for cell in dict.fromkeys([*RIGHT[type_], *drawn]) if verdict(type_, cell) is None]
    assert len(right) > len(RIGHT[type_])
    return right


def land(conn: psycopg.Connection, type_: XataType, cells: Sequence[str | None]) -> None:
    """Make the table as_binary of encoded cells, numbered."""
    columns = {"i": pa.array([str(i) for i in range(len(cells))]), "c": pa.array(cells, pa.string())}
    encoded = BinaryEncoder({"i": XataType.INT, "c": type_}, {"c": 3}).encode(columns)
    postgres = POSTGRES.get(type_, "text")
    conn.execute(f"DROP TABLE IF EXISTS as_binary; CREATE TABLE as_binary (i bigint, c {postgres})")
    with conn.cursor().copy("COPY as_binary FROM STDIN (FORMAT binary)") as copy:
        copy.write(HEADER + encoded + TRAILER)


def differing(conn: psycopg.Connection, type_: XataType, cells: Sequence[str | None]) -> list[str]:
    """Land cells as text and encoded; return the texts of those that differ in a bit."""
    land(conn, type_, cells)
    conn.execute("DROP TABLE IF EXISTS as_text; CREATE TABLE as_text (LIKE as_binary)")
    with conn.cursor().copy("COPY as_text FROM STDIN") as copy:
        for row in enumerate(cells):
            copy.write_row(row)
    assert conn.execute("SELECT count(*) FROM as_text JOIN as_binary USING (i)").fetchone() == (len(cells),)
    query = "SELECT a.c::text FROM as_text a JOIN as_binary b USING (i) WHERE ROW(a.c)::record *<> ROW(b.c)::record"
    return [text for (text,) in conn.execute(query)]


@pytest.mark.parametrize("type_", [type_ for type_ in (XataType.TEXT, *POSTGRES) if type_ is not XataType.DATETIME])
def test_every_cell_that_the_judge_lets_pass_is_what_postgresql_reads_from_its_text(conn, type_):
    cells = right_cells(type_)
    assert differing(conn, type_, [None, *cells, None]) == []
    texts = [text for (text,) in conn.execute("SELECT c::text FROM as_binary WHERE c IS NOT NULL ORDER BY i")]
    if type_ is XataType.FLOAT:
        assert [repr(float(text)) for text in texts] == [repr(float(cell)) for cell in cells]
    if type_ is XataType.INT:
        assert [int(text) for text in texts] == [int(cell) for cell in cells]
    if type_ is XataType.BOOL:
        assert [text[0] for text in texts] == [cell[0].lower() for cell in cells]


def test_every_datetime_that_the_judge_lets_pass_is_the_moment_it_names(conn):
    cells = right_cells(XataType.DATETIME)
    land(conn, XataType.DATETIME, cells)
    moments = conn.execute("SELECT extract(epoch FROM c)::text FROM as_binary ORDER BY i").fetchall()
    assert [Decimal(text) for (text,) in moments] == [seconds(cell) for cell in cells]


@pytest.mark.parametrize("spelling", ["T{}Z", " {}+05:30", "T{}-00:00"])
def test_datetimes_that_are_spelled_alike_are_the_moments_they_name(conn, spelling):
    """Read a whole column at a time, where not one of them is odd."""
    rng = random.Random(spelling)
    times = ["00:00:00", "23:59:59.9", "12:34:56.000001", "01:02:03.123"]
    days = [datetime(1, 1, 1, tzinfo=UTC) + timedelta(days=rng.randrange(1, 3652058)) for _ in range(3000)]
    cells = [f"{day:%Y-%m-%d}".rjust(10, "0") + spelling.format(rng.choice(times)) for day in days]
    assert all(verdict(XataType.DATETIME, cell) is None for cell in cells)
    land(conn, XataType.DATETIME, cells)
    moments = conn.execute("SELECT extract(epoch FROM c)::text FROM as_binary ORDER BY i").fetchall()
    assert [Decimal(text) for (text,) in moments] == [seconds(cell) for cell in cells]


def test_datetimes_that_postgresql_takes_only_otherwise(conn):
    land(conn, XataType.DATETIME, list(ODD_DATETIMES))
    shown = [text for (text,) in conn.execute("SELECT c::text FROM as_binary ORDER BY i")]
    assert shown == list(ODD_DATETIMES.values())


def test_numbers_of_vectors_are_rounded_once(conn):
    """Half-way between two float4s, and just beside it, where rounding by way of a double goes astray."""
    rng = np.random.default_rng(4)
    bits = rng.integers(0x00000001, 0x7F7FFFFF, 900, dtype=np.uint32)
    numbers = []
    for low, high in zip(bits.view(np.float32), (bits + 1).view(np.float32), strict=True):
        middle = (Fraction(float(low)) + Fraction(float(high))) / 2
        for beside in (0, 1, -1):
            exact = middle * (1 + Fraction(beside, 10**25))
            digits = exact.numerator * 10**260 // exact.denominator
            numbers.append(f"{digits}e-260")
    cells: list[str | None] = [f"[{', '.join(numbers[at : at + 3])}]" for at in range(0, len(numbers), 3)]
    assert all(verdict(XataType.VECTOR, cell or "") is None for cell in cells)
    assert differing(conn, XataType.VECTOR, cells) == []


def test_nulls_stay_in_their_rows(conn):
    cells = [None, "[1, 2, 3]", None, "[4.5,-0.0,6]", None]
    assert differing(conn, XataType.VECTOR, cells) == []


@pytest.mark.parametrize("type_", [XataType.TEXT, *POSTGRES])
@pytest.mark.parametrize("there", [(), (0,), (0, 2), (1,)])
def test_nulls_of_every_type(conn, type_, there):
    cells = [RIGHT[type_][0] if row in there else None for row in range(3)]
    land(conn, type_, cells)
    assert [row for (row,) in conn.execute("SELECT i FROM as_binary WHERE c IS NOT NULL ORDER BY i")] == list(there)


def test_slices_and_large_strings_are_encoded_alike():
    for type_ in (XataType.TEXT, *POSTGRES):
        cells = [RIGHT[type_][-1], None, *RIGHT[type_][:2], None]
        plain = BinaryEncoder({"c": type_}, {"c": 3}).encode({"c": pa.array(cells[1:], pa.string())})
        for kind in (pa.string(), pa.large_string()):
            sliced = pa.array(cells, kind).slice(1)
            assert BinaryEncoder({"c": type_}, {"c": 3}).encode({"c": sliced}) == plain


def test_the_encoder_knows_the_types_of_a_file():
    table = XataTable("t", (XataColumn("v", XataType.VECTOR, dimension=2), XataColumn("x", XataType.TEXT)))
    names = ("id", "v", "unknown", "xata.version")
    cells = {"id": ["a"], "v": ["[1, 2]"], "unknown": ["7"], "xata.version": ["1"]}
    encoded = binary_encoder(table, names).encode({name: pa.array(cells[name]) for name in names})
    number = b"\0\0\0\x08" + (1).to_bytes(8)
    vector = b"\0\0\0\x0c\0\2\0\0\x3f\x80\0\0\x40\0\0\0"
    assert encoded == b"\0\4\0\0\0\1a" + vector + b"\0\0\0\x017" + number


def test_a_judged_block_has_its_nulls_as_the_reader_says():
    table = XataTable("t", (XataColumn("n", XataType.INT), XataColumn("x", XataType.TEXT, not_null=True)))
    cells = {"id": pa.array(["a", "b"]), "n": pa.array(["", "2"]), "x": pa.array([None, "y"])}
    records = Records(cells, 2, 2, lambda row: row, str)
    batch = Judge(table, tuple(cells), ReadOptions(), force_null=("n",), force_not_null=("x",)).batch(records)
    null, empty, two = b"\xff\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\x08" + (2).to_bytes(8)
    assert batch.data == b"\0\3\0\0\0\1a" + null + empty + b"\0\3\0\0\0\1b" + two + b"\0\0\0\1y"
