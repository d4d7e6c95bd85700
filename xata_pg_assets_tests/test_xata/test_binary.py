"""Binary rows hold what PostgreSQL itself reads from the texts, bit by bit."""

from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from xata_pg_assets.xata.binary import HEADER, TRAILER, BinaryEncoder, binary_encoder
from xata_pg_assets.xata.cells import Judge
from xata_pg_assets.xata.records import ReadOptions, Reason, Records
from xata_pg_assets.xata.schema import XataColumn, XataTable, XataType
from xata_pg_assets.xata.values import Rewritten
from xata_pg_assets_tests.test_xata.test_cells import RIGHT, verdict
from xata_pg_assets_tests.test_xata.test_copy import POSTGRES, datetimes, spoiled

LONG = XataTable("t", (XataColumn("v", XataType.VECTOR, dimension=64), XataColumn("x", XataType.TEXT, not_null=True)))


@pytest.fixture(scope="module")
def conn(server):
    with psycopg.connect(server.new_database().url, autocommit=True, options="-c timezone=UTC") as conn:
        conn.execute("CREATE EXTENSION vector")
        yield conn


def differing(conn: psycopg.Connection, type_: str, cells: list[str | None], encoded: bytes) -> list[str]:
    """Land cells as text and as they were encoded; return the texts of those that differ in a bit."""
    for name in ("as_text", "as_binary"):
        conn.execute(f"DROP TABLE IF EXISTS {name}; CREATE TABLE {name} (i bigint, c {type_})")
    with conn.cursor().copy("COPY as_text FROM STDIN") as copy:
        for row in enumerate(cells):
            copy.write_row(row)
    with conn.cursor().copy("COPY as_binary FROM STDIN (FORMAT binary)") as copy:
        copy.write(HEADER + encoded + TRAILER)
    assert conn.execute("SELECT count(*) FROM as_text JOIN as_binary USING (i)").fetchone() == (len(cells),)
    query = "SELECT a.c::text FROM as_text a JOIN as_binary b USING (i) WHERE ROW(a.c)::record *<> ROW(b.c)::record"
    return [text for (text,) in conn.execute(query)]


def columns(cells: list[str | None]) -> dict[str, pa.Array]:
    return {"i": pa.array([str(i) for i in range(len(cells))]), "c": pa.array(cells, pa.string())}


@pytest.mark.parametrize("type_", [XataType.TEXT, *POSTGRES])
def test_every_cell_that_the_judge_lets_pass_is_what_postgresql_reads_from_its_text(conn, type_):
    encoder = BinaryEncoder({"i": XataType.INT, "c": type_}, {"c": 3})
    rng = random.Random(type_.value)
    drawn = [datetimes(rng) for _ in range(2000)] if type_ is XataType.DATETIME else []
    drawn += [spoiled(rng, rng.choice([cell for cell in RIGHT[type_] if len(cell) < 400])) for _ in range(2000)]
    taken: list[str | None] = [None]
    for cell in [*RIGHT[type_], *drawn]:
        judged = verdict(type_, cell)
        if not isinstance(judged, Reason):
            taken.append(judged.text if isinstance(judged, Rewritten) else cell)
    encodable = [cell for cell in taken if encoder.encode(columns([cell])) is not None]
    left_out = [cell for cell in taken if cell not in encodable]
    assert not any(not (cell or "").endswith("BC") for cell in left_out)
    encoded = encoder.encode(columns(encodable))
    assert encoded is not None
    assert differing(conn, POSTGRES.get(type_, "text"), encodable, encoded) == []


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
    encoded = BinaryEncoder({"i": XataType.INT, "c": XataType.VECTOR}, {"c": 3}).encode(columns(cells))
    assert encoded is not None
    assert differing(conn, "vector(3)", cells, encoded) == []


def test_nulls_stay_in_their_rows(conn):
    cells = [None, "[1, 2, 3]", None, "[4.5,-0.0,6]", None]
    encoded = BinaryEncoder({"i": XataType.INT, "c": XataType.VECTOR}, {"c": 3}).encode(columns(cells))
    assert encoded is not None
    assert differing(conn, "vector(3)", cells, encoded) == []


def test_only_long_vectors_are_worth_it():
    short = XataTable("t", (XataColumn("v", XataType.VECTOR, dimension=3),))
    assert binary_encoder(short, ("id", "v")) is None
    assert binary_encoder(LONG, ("id", "x")) is None
    assert binary_encoder(LONG, ("id", "v", "unknown")) is not None


def test_a_judged_block_is_binary_with_its_nulls_as_the_reader_says():
    vector = str([1.5] * 64)
    cells = {"id": pa.array(["a", "b"]), "v": pa.array(["", vector]), "x": pa.array([None, "y"])}
    records = Records(cells, 2, 2, lambda row: row, str)
    judge = Judge(LONG, tuple(cells), ReadOptions(), force_null=("v",), force_not_null=("x",))
    batch = judge.batch(records)
    null, empty = b"\xff\xff\xff\xff", b"\0\0\0\0"
    assert batch.format == "binary"
    assert batch.data.startswith(b"\0\3\0\0\0\1a" + null + empty + b"\0\3\0\0\0\1b")


def test_a_block_that_has_no_binary_form_goes_as_text():
    years = pa.array(["0000-01-01T00:00:00Z"])
    cells = {"id": pa.array(["a"]), "v": pa.array([None], pa.string()), "xata.createdAt": years}
    batch = Judge(LONG, ("id", "v", "xata.createdAt"), ReadOptions(), force_null=("v",)).batch(
        Records(cells, 1, 1, lambda row: row, str)
    )
    assert (batch.format, b"BC" in batch.data) == ("csv", True)
