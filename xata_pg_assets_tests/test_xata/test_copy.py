"""What goes out is what PostgreSQL reads: files against real COPY, oldest and newest server here."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from psycopg import sql

from xata_pg_assets.xata.binary import HEADER, TRAILER
from xata_pg_assets.xata.console_csv import ConsoleCsv
from xata_pg_assets.xata.records import ReadOptions
from xata_pg_assets.xata.schema import XataColumn, XataTable, XataType
from xata_pg_assets_tests.test_xata.csv_oracle import OpenQuoteError, parse_csv

NOT_NULL = XataTable("t", (XataColumn("x", XataType.TEXT), XataColumn("y", XataType.TEXT, not_null=True)))


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


def copied(conn: psycopg.Connection, reader: ConsoleCsv) -> list[tuple[str | None, ...]]:
    """Land a file."""
    conn.execute("DROP TABLE IF EXISTS t; CREATE TABLE t (place serial, id text, x text, y text)")
    names = sql.SQL(", ").join(map(sql.Identifier, reader.columns))
    with conn.cursor().copy(sql.SQL("COPY t ({}) FROM STDIN (FORMAT binary)").format(names)) as copy:
        copy.write(HEADER)
        for batch in reader.batches():
            copy.write(batch.data)
        copy.write(TRAILER)
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
