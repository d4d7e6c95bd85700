"""What goes out is what PostgreSQL reads: cells and files against real COPY, oldest and newest server here."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from xata_pg_assets.xata.console_csv import ConsoleCsv
from xata_pg_assets.xata.records import Batch, ReadOptions, Reason
from xata_pg_assets.xata.schema import XataColumn, XataTable, XataType
from xata_pg_assets.xata.values import Rewritten
from xata_pg_assets_tests.test_xata.csv_oracle import OpenQuoteError, parse_csv
from xata_pg_assets_tests.test_xata.test_cells import RIGHT, verdict

NOT_NULL = XataTable("t", (XataColumn("x", XataType.TEXT), XataColumn("y", XataType.TEXT, not_null=True)))
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


@pytest.fixture(scope="module")
def connections(server, server16):
    connections = [
        psycopg.connect(each.new_database().url, autocommit=True, options="-c timezone=UTC -c datestyle=ISO")
        for each in (server, server16)
    ]
    for conn in connections:
        conn.execute("CREATE EXTENSION vector")
    yield connections
    for conn in connections:
        conn.close()


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


@pytest.mark.parametrize("type_", POSTGRES)
def test_postgresql_takes_every_cell_that_the_judge_lets_pass(connections, type_):
    rng = random.Random(type_.value)
    drawn = [datetimes(rng) for _ in range(3000)] if type_ is XataType.DATETIME else []
    drawn += [spoiled(rng, rng.choice([cell for cell in RIGHT[type_] if len(cell) < 400])) for _ in range(3000)]
    taken = {}
    for cell in [*RIGHT[type_], *drawn]:
        judged = verdict(type_, cell)
        if not isinstance(judged, Reason):
            taken[cell] = judged.text if isinstance(judged, Rewritten) else cell
    assert len(taken) > len(RIGHT[type_])
    given, read = list(taken), []
    shown = "extract(epoch FROM c)::text" if type_ is XataType.DATETIME else "c::text"
    for conn in connections:
        conn.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (i int, c {POSTGRES[type_]})")
        with conn.cursor() as cur, cur.copy("COPY t FROM STDIN") as copy:
            for row in enumerate(taken.values()):
                copy.write_row(row)
        read.append([text for (text,) in conn.execute(f"SELECT {shown} FROM t ORDER BY i")])
    assert read[0] == read[1]
    if type_ is XataType.DATETIME:
        assert [Decimal(text) for text in read[0]] == [seconds(cell) for cell in given]
    if type_ is XataType.FLOAT:
        assert [repr(float(text)) for text in read[0]] == [repr(float(cell)) for cell in given]
    if type_ is XataType.INT:
        assert [int(text) for text in read[0]] == [int(cell) for cell in given]
    if type_ is XataType.BOOL:
        assert [text[0] for text in read[0]] == [cell[0].lower() for cell in given]


def copied(conn: psycopg.Connection, reader: ConsoleCsv) -> list[tuple[str | None, ...]]:
    """Land a file: one COPY for as long as the format stays."""
    conn.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (place serial, id text, x text, y text)")
    batches: list[Batch] = list(reader.batches())
    names = sql.SQL(", ").join(map(sql.Identifier, reader.columns))
    force_null = sql.SQL(", ").join(map(sql.Identifier, reader.force_null))
    force_not_null = sql.SQL(", ").join(map(sql.Identifier, reader.force_not_null))
    forms = {
        "csv": sql.SQL("COPY t ({}) FROM STDIN (FORMAT csv, FORCE_NULL ({}), FORCE_NOT_NULL ({}))").format(
            names, force_null, force_not_null
        ),
        "text": sql.SQL("COPY t ({}) FROM STDIN (FORMAT text)").format(names),
    }
    while batches:
        format_ = batches[0].format
        with conn.cursor() as cur, cur.copy(forms[format_]) as copy:
            while batches and batches[0].format == format_:
                copy.write(batches.pop(0).data)
    return conn.execute("SELECT id, x, y FROM t ORDER BY place").fetchall()


pieces = st.sampled_from(
    [*'a,"\n\r', '""', '","', "\r\n", ',"', '",', '"\n', "\\.", "\n\\.\n", "\\N", "é", "\ufeff", "a,b,c\n", 'a,"b",\n']
)


@settings(max_examples=300, deadline=None)
@given(st.lists(pieces, max_size=30).map("".join), st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 200))
@example('a,"b\n\\.\nc",d\ne,f,g\n', "\n", 1)
@example("\\.,a,b\n", "\n", 100)
@example('a,"\r\n","\r"\nb,,\r\nc,"",""\n', "\n", 5)
@example('a,"\n","\r"\r\nb,,\nc,"",""', "\r\n", 5)
def test_copy_reads_what_was_read(connections, tmp_path_factory, text, eol, block_size):
    path: Path = tmp_path_factory.getbasetemp() / "copied.csv"
    path.write_bytes(f"id,x,y{eol}{text}".encode())
    try:
        records = parse_csv(f"id,x,y{eol}{text}")[1:]
    except OpenQuoteError:
        return
    good = [tuple(record.cells) for record in records if len(record.cells) == 3 and record.cells[0]]
    wanted = [(id_, x, y or "") for id_, x, y in good]
    for conn in connections:
        reader = ConsoleCsv(path, path.name, NOT_NULL, ReadOptions(), block_size=block_size)
        assert copied(conn, reader) == wanted


def test_no_line_ends_the_copy_before_its_time(connections, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b'id\na\n\\.\nb\n"c\n\\.\n"\n')
    for conn in connections:
        conn.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (place serial, id text)")
        (batch,) = ConsoleCsv(path, path.name, XataTable("t"), ReadOptions()).batches()
        with conn.cursor() as cur, cur.copy(f"COPY t (id) FROM STDIN (FORMAT {batch.format})") as copy:
            copy.write(batch.data)
        assert conn.execute("SELECT id FROM t ORDER BY place").fetchall() == [("a",), ("\\.",), ("b",), ("c\n\\.\n",)]
