"""The console's CSV: read cell by cell exactly, wherever blocks end, and every fault told where it stands."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import threading
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata import csv_blocks
from xata_pg_assets.xata.console_csv import ConsoleCsv
from xata_pg_assets.xata.records import Fault, ReadOptions, Reason
from xata_pg_assets.xata.schema import XataColumn, XataTable, XataType
from xata_pg_assets_tests.test_xata.csv_oracle import Cell, OpenQuoteError, Record, as_texts, parse_csv, rows_of

TEXTS = XataTable("t", (XataColumn("x", XataType.TEXT), XataColumn("y", XataType.TEXT)))
MIXED = XataTable(
    "t",
    (
        XataColumn("n", XataType.INT),
        XataColumn("s", XataType.STRING, not_null=True),
        XataColumn("v", XataType.VECTOR, dimension=2),
        XataColumn("d", XataType.DATETIME, not_null=True),
        XataColumn("j", XataType.JSON),
        XataColumn("p", XataType.LINK, link="t"),
    ),
)


def fuzzed(examples: int):
    return settings(max_examples=examples, deadline=None)


class Reading:
    """Everything that a reader says of a file."""

    def __init__(self, path: Path, table: XataTable = TEXTS, block_size: int = 1 << 22, **options) -> None:
        self.reader = ConsoleCsv(path, path.name, table, ReadOptions(**options), block_size=block_size)
        with as_texts():
            self.batches = list(self.reader.batches())
        self.rows: list[list[Cell]] = []
        for batch in self.batches:
            rows = rows_of(batch.data)
            assert len(rows) == batch.rows
            self.rows += rows
        self.faults: list[Fault] = [fault for batch in self.batches for fault in batch.faults]
        self.source_rows = sum(batch.source_rows for batch in self.batches)
        self.duplicate_rows = sum(batch.duplicate_rows for batch in self.batches)
        assert self.reader.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert self.reader.size == path.stat().st_size
        if b"\r" not in path.read_bytes() and path.suffix == ".csv":  # lines tell records apart
            assert self.source_rows == len(self.rows) + self.duplicate_rows + len(self.faulty_lines)

    @property
    def faulty_lines(self) -> set[int | None]:
        return {fault.line for fault in self.faults}

    @property
    def told(self) -> list[tuple[int | None, str | None, str | None, Reason]]:
        return [(fault.line, fault.old_id, fault.column, fault.reason) for fault in self.faults]


@pytest.fixture
def write(tmp_path: Path):
    def write(content: str | bytes, name: str = "t.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


# --- whatever stands in the file ---------------------------------------------------------------------

pieces = st.sampled_from(
    [
        *'a,"\n\r',
        '""',
        '","',
        "\r\n",
        ',"',
        '",',
        '"\n',
        "\\.",
        "\n\\.\n",
        "é",
        "😀",
        "\ufeff",
        "id",
        "id,x,y\n",
        " ",
        "b,c",
    ]
)


@fuzzed(800)
@given(st.lists(pieces, max_size=40).map("".join), st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 60))
@example('a,"b\n\\.\nc",d\n', "\n", 100)
@example("a,b\rc,d\n", "\n", 100)
@example('a,b"\n"c",d\n', "\n", 7)
@example('"""a","b\r\n\r\nc",\r\n\r\n,,\n', "\r\n", 3)
@example("\ufeffa,b,c", "\n", 4)
def test_any_text_is_read_as_python_reads_it(tmp_path_factory, text, eol, block_size):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(f"id,x,y{eol}{text}".encode())
    try:
        header, *records = parse_csv(f"id,x,y{eol}{text}")
    except OpenQuoteError as open_quote:
        with pytest.raises(ExportError) as error:
            Reading(path, block_size=block_size)
        assert str(error.value).startswith(f"any.csv:{open_quote.line}: a quote is opened")  # noqa: PT017
        return
    _agrees_with_python(f"id,x,y{eol}{text}", [header, *records])
    reading = Reading(path, block_size=block_size)
    repeated = [record for record in records if _is_header(record)]
    records = [record for record in records if not _is_header(record)]
    good = [record for record in records if len(record.cells) == 3 and record.cells[0]]
    assert reading.rows == [record.cells for record in good]
    assert reading.duplicate_rows == len(repeated)
    assert sorted((fault.line, fault.raw, fault.reason) for fault in reading.faults) == sorted(
        (record.line, record.raw, Reason.RAGGED if len(record.cells) != 3 else Reason.MISSING_ID)
        for record in records
        if record not in good
    )
    assert [fault.line for fault in reading.faults] == sorted(fault.line or 0 for fault in reading.faults)
    places = reading.reader.locate(range(len(good)))
    assert [(place.line, place.raw) for place in places] == [(r.line, r.raw) for r in good]


def _is_header(record: Record) -> bool:
    return record.cells[0] in ("id", "\ufeffid", '\ufeff"id"') and record.cells[1:] == ["x", "y"]


def _agrees_with_python(text: str, records: list[Record]) -> None:
    """Hold the oracle to the csv module, which knows no NULL and no lone carriage return after a quote."""
    rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=False) if row]
    assert rows == [[cell or "" for cell in record.cells] for record in records]


# --- tables as RFC 4180 has them ---------------------------------------------------------------------

texts = st.one_of(
    st.none(),
    st.text(alphabet=st.sampled_from('ab,"\n\r\\.é😀 ;\t'), max_size=12),
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    st.sampled_from(["NULL", "NA", "None", " padded ", "00123", "\\.", "a\n\\.\nb", "\\N", "id", "\n\n"]),
)
ids = st.text(alphabet="abc_\"',\n", min_size=1, max_size=6).filter(lambda name: name != "id")


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[list[Cell]]]:
    """Draw a table and one of the ways to write it."""
    rows = draw(st.lists(st.tuples(ids, texts, texts).map(list), max_size=12))
    eol = draw(st.sampled_from(["\n", "\r\n"]))
    quote_all = draw(st.booleans())

    def cell(value: Cell) -> str:
        if value is None:
            return ""
        if value and not quote_all and not set(value) & set(',"\r\n') and draw(st.booleans()):
            return value
        return '"' + value.replace('"', '""') + '"'

    lines = [",".join(map(cell, row)) for row in [["id", "x", "y"], *rows]]
    return eol.join(lines) + draw(st.sampled_from([eol, ""])), rows


@fuzzed(500)
@given(documents(), st.integers(1, 80), st.booleans())
def test_a_table_comes_back_cell_by_cell(tmp_path_factory, document, block_size, bom):
    text, rows = document
    path = tmp_path_factory.getbasetemp() / "rfc4180.csv"
    path.write_bytes(b"\xef\xbb\xbf" * bom + text.encode())
    reading = Reading(path, block_size=block_size)
    assert reading.faults == []
    assert reading.rows == rows


def test_empty_cells(write):
    path = write('id,s,n,d\na,,,2024-01-01T00:00:00Z\nb,"","",2024-01-01T00:00:00Z\n')
    table = XataTable("t", (*MIXED.columns[:2], MIXED.columns[3], XataColumn("x", XataType.TEXT)))
    assert [row[1:3] for row in Reading(path, table).rows] == [["", None], ["", None]]
    path = write('id,x\na,\nb,""\n')
    assert Reading(path).rows == [["a", None], ["b", ""]]
    assert Reading(path, empty_text="empty").rows == [["a", ""], ["b", ""]]


def test_a_table_with_no_column_but_the_id(write):
    reading = Reading(write('\n"id"\na\n\n\\.\n""\n5"\nb,\n"c\n\n"\n'), XataTable("t"))
    assert reading.rows == [["a"], ["\\."], ['5"'], ["c\n\n"]]
    assert reading.told == [(6, None, "id", Reason.MISSING_ID), (8, "b", None, Reason.RAGGED)]


# --- the header --------------------------------------------------------------------------------------


def test_columns_are_found_by_name(write):
    path = write("xata_createdat,y,id,extra,xata.version\n2024-01-01T00:00:00Z,b,r1,,3\n")
    reader = Reading(path).reader
    assert reader.columns == ("xata.createdAt", "y", "id", "extra", "xata.version")
    assert [column.name for column in reader.missing] == ["x"]
    assert reader.unknown == ("extra",)
    assert reader.force_null == ("xata.createdAt", "id", "xata.version")
    assert reader.force_not_null == ()


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("x,y\n", "t.csv:1: the header has no column id"),
        ("id;x;y\n", "t.csv:1: the header has no column id"),
        ("id,x,x\n", "t.csv:1: the header names column x twice"),
        ("id,xata.version,xata_version\n", "t.csv:1: the header names column xata.version twice, once as xata_version"),
        ("id,,x\n", "t.csv:1: column 2 of the header has no name"),
        ('id,"x\n', "t.csv:1: the header does not end"),
        ("id,a\0b\n", "t.csv:1: the name of column 2 holds the byte 0"),
        (b"id,caf\xe9\n", "t.csv:1: the header is not UTF-8"),
        ("id,x\n".encode("utf-16"), "t.csv:1: the file is UTF-16"),
    ],
)
def test_headers_that_cannot_be_used(write, head, said):
    with pytest.raises(ExportError) as error:
        Reading(write(head))
    assert str(error.value).startswith(said)


@pytest.mark.parametrize("content", ["", "\ufeff", "\n\r\n"])
def test_an_empty_file_has_no_rows(write, content):
    reading = Reading(write(content))
    assert (reading.reader.columns, reading.reader.missing, reading.source_rows) == ((), (), 0)
    assert reading.reader.warnings == ["t: t.csv is empty; 0 rows"]


@pytest.mark.parametrize("content", ["id,x,y", "id,x,y\n", "\ufeffid,x,y\r\n\r\n", '\n"id","x","y"\n\n'])
def test_a_header_alone_is_a_table_without_rows(write, content):
    reading = Reading(write(content))
    assert reading.reader.columns == ("id", "x", "y")
    assert (reading.rows, reading.source_rows, list(reading.reader.warnings)) == ([], 0, [])


def test_a_header_repeated_is_counted_and_dropped(write):
    path = write("\ufeffid,x\na,1\nid,x\nb,2\n\ufeffid,x\nc,3\nid,other\n")
    reading = Reading(path)
    assert [row[0] for row in reading.rows] == ["a", "b", "c", "id"]
    assert (reading.source_rows, reading.duplicate_rows) == (6, 2)
    assert [place.line for place in reading.reader.locate([0, 1, 2, 3])] == [2, 4, 6, 7]


# --- faults ------------------------------------------------------------------------------------------


def test_every_fault_is_told_where_it_stands(write):
    path = write(
        b"id,s,n,v,d,j,p,xata.version\n"
        b'r1,"two\nlines",1,"[1,2]",2024-02-29T00:00:00Z,{},r2,0\n'
        b"r2,a,12.5,[1],,{},,x\n"
        b"r3,a,1\n"
        b"r4,caf\xe9,1,,2024-01-01T00:00:00Z,,,\n"
        b"\n"
        b",a,,,2024-01-01T00:00:00Z,,,\n"
        b'r5,5" disk,,,2024-13-01T00:00:00Z,,,\n'
        b"r6,a\0b,,,2024-01-01T00:00:00Z,,,\n"
        b"r7,ok,,,2024-01-01T00:00:00Z,,,,\n" + b"r8,ok,,,2024-01-01T00:00:00Z,," + b"p" * 256 + b",\n"
        b"r9,ok,,,2024-01-01 00:00:00,,,\n"
    )
    for block_size in (1 << 20, 100, 50, 1):
        reading = Reading(path, MIXED, block_size)
        assert reading.told == [
            (4, "r2", "n", Reason.BAD_VALUE),
            (4, "r2", "v", Reason.BAD_DIMENSION),
            (4, "r2", "d", Reason.NULL_NOT_ALLOWED),
            (4, "r2", "xata.version", Reason.BAD_VALUE),
            (5, "r3", None, Reason.RAGGED),
            (6, "r4", "s", Reason.BAD_ENCODING),
            (8, None, "id", Reason.MISSING_ID),
            (9, "r5", "d", Reason.BAD_VALUE),
            (10, "r6", "s", Reason.NUL_BYTE),
            (11, "r7", None, Reason.RAGGED),
            (12, "r8", "p", Reason.VALUE_TOO_LONG),
        ]
        values = {(fault.old_id, fault.column): fault.value for fault in reading.faults}
        assert values["r2", "n"] == "12.5"
        assert values["r2", "d"] is None
        assert values["r4", "s"] == "caf\ufffd"
        assert values["r6", "s"] == "a\ufffdb"
        raws = {fault.old_id: fault.raw for fault in reading.faults}
        assert raws["r3"] == "r3,a,1"
        assert raws["r4"] == "r4,caf\ufffd,1,,2024-01-01T00:00:00Z,,,"
        assert [row[0] for row in reading.rows] == ["r1", "r9"]
        assert reading.source_rows == 10
        assert list(reading.reader.warnings) == [
            "t.d: datetimes without an offset were read as UTC",
            "t: t.csv:9: here a quote stands out of place first; look at what became of it",
        ]
        places = list(reading.reader.locate([0, 1]))
        assert [place.line for place in places] == [2, 13]
        assert places[0].raw.startswith('r1,"two\nlines",1')


def test_raw_is_cut(write):
    path = write("id,n\nr1," + "é" * 20_000 + "\n")
    (fault,) = Reading(path, MIXED).faults
    assert len(fault.raw) == 10_000
    assert len(fault.value) == 20_000


@pytest.mark.parametrize("block_size", [1 << 20, 64, 3])
def test_invalid_bytes_spoil_their_own_cells_alone(write, block_size):
    path = write(
        b"id,x,y\nr\xff,a,b\nr2,\xc3(,\xe2\x82\nr3,\xf0\x9f\x98\x80,\xed\xa0\x80\nr4,\xc3\xa9,\xef\xbf\xbd\nr5,a,\xff,b\n"
    )
    reading = Reading(path, block_size=block_size)
    assert [(fault.column, fault.value) for fault in reading.faults] == [
        ("id", "r\ufffd"),
        ("x", "\ufffd("),
        ("y", "\ufffd"),
        ("y", "\ufffd\ufffd\ufffd"),
        (None, None),
    ]
    assert reading.rows == [["r4", "é", "\ufffd"]]
    assert reading.faults[-1].raw == "r5,a,\ufffd,b"


# --- files that cannot be read on --------------------------------------------------------------------


def test_a_quote_never_closed(write):
    for block_size in (1 << 20, 10):
        with pytest.raises(ExportError) as error:
            Reading(write('id,x,y\na,b,c\nd,"e,f\ng,h,i\n'), block_size=block_size)
        assert str(error.value).startswith("t.csv:3: a quote is opened in this record and never closed")


def test_a_record_too_long(write, monkeypatch):
    monkeypatch.setattr(csv_blocks, "MAX_RECORD", 1 << 20)
    path = write('id,x,y\na,b,c\nd,"' + "e,f\n" * (1 << 20))
    with pytest.raises(ExportError) as error:
        Reading(path, block_size=1 << 16)
    assert str(error.value).startswith("t.csv:3: the record is longer than 1 MB")


def test_a_record_longer_than_many_blocks(write):
    long = "x\n" * 50_000
    assert Reading(write(f'id,x\na,"{long}"\nb,c\n'), block_size=64).rows == [["a", long], ["b", "c"]]


def test_gzip_is_read_as_a_stream(write):
    content = b"id,x,y\n" + b"".join(b"r%d,a,b\n" % number for number in range(100_000))
    packed = gzip.compress(content[:300_000]) + gzip.compress(content[300_000:])
    reading = Reading(write(packed, "t.csv.gz"), block_size=10_000)
    assert len(reading.rows) == 100_000
    assert next(reading.reader.locate([99_999])).line == 100_001
    assert Reading(write(gzip.compress(b""), "t.csv.gz")).source_rows == 0


def test_a_cut_gzip_names_the_line_reached(write):
    content = b"id,x,y\n" + b"".join(b"r%d,%d,b\n" % (number, number * 7919) for number in range(200_000))
    packed = gzip.compress(content)
    reader = ConsoleCsv(write(packed[: len(packed) // 2], "t.csv.gz"), "t.csv.gz", TEXTS, ReadOptions())
    with pytest.raises(ExportError, match=r"^t.csv.gz:\d+: the compressed file is cut short or damaged") as error:
        list(reader.batches())
    assert error.value.line is not None
    assert 50_000 < error.value.line < 150_000


@pytest.mark.parametrize("size", [1, 5, 12, 40])
def test_a_gzip_that_is_hardly_one(write, size):
    packed = gzip.compress(b"id,x" + bytes(range(20, 256)))
    with pytest.raises(ExportError, match=r"^t.csv.gz:1: the compressed file is cut short or damaged"):
        ConsoleCsv(write(packed[:size], "t.csv.gz"), "t.csv.gz", TEXTS, ReadOptions())


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ExportError, match=r"^t.csv: cannot be opened \(No such file"):
        ConsoleCsv(tmp_path / "t.csv", "t.csv", TEXTS, ReadOptions())


@fuzzed(400)
@given(st.binary(max_size=400), st.integers(1, 100), st.booleans(), st.booleans())
def test_random_bytes_never_break_the_reader(tmp_path_factory, noise, block_size, as_gzip, with_head):
    path = tmp_path_factory.getbasetemp() / ("noise.csv.gz" if as_gzip else "noise.csv")
    path.write_bytes((b"id,s,n,v,d,j,p\n" if with_head and not as_gzip else b"") + noise)
    try:
        Reading(path, MIXED, block_size)
    except ExportError as error:
        assert str(error).startswith(path.name)  # noqa: PT017


# --- threads -----------------------------------------------------------------------------------------


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("ahead")]


@pytest.mark.parametrize("stop", [None, KeyboardInterrupt, ValueError])
def test_the_thread_ends_with_the_generator(write, stop):
    path = write("id,x,y\n" + "a,b,c\n" * 1000)
    batches = ConsoleCsv(path, "t.csv", TEXTS, ReadOptions(), block_size=100).batches()
    next(batches)
    assert _threads()
    if stop is None:
        batches.close()
    else:
        with pytest.raises(stop):
            batches.throw(stop())
    assert not _threads()


def test_a_reader_can_be_read_twice(write):
    reader = ConsoleCsv(write("id,x,y\na,b,c\n"), "t.csv", TEXTS, ReadOptions())
    assert [batch.data for batch in reader.batches()] == [batch.data for batch in reader.batches()]
