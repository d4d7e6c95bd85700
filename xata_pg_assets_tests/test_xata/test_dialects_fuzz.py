"""Whatever bytes a file holds: rows, faults or one clear error, and every record accounted for."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xata_pg_assets.errors import ExportError
from xata_pg_assets_tests.test_xata.dialects import EVERY, WRITERS, Reading, write

ROWS = [
    {
        "id": "rec_a",
        "title": 'it\'s, "x"\n\\',
        "body": "é😀",
        "count": 9007199254740993,
        "ratio": -1e-07,
        "done": True,
        "at": "2024-01-01T00:00:00Z",
        "tags": ["a", "it's"],
        "data": json.dumps({"k": [1, "],}"], "s": "x"}),
        "legacy": {"a": None, "b": [True]},
        "embedding": [1.5, 2, -3e-5],
        "parent": "rec_b",
        "xata.version": 3,
    },
    {"id": "rec_b", "body": "", "data": "12", "tags": []},
    {"id": "rec_c", "body": "x" * 50},
]
SAMPLES = {dialect: (name, writer(ROWS, EVERY).encode()) for dialect, (name, writer, _) in WRITERS.items()}
NAMES = ["t.csv", "t.json", "t.jsonl", "t.log"]

pieces = st.one_of(
    st.binary(max_size=3),
    st.sampled_from(
        rb"""" ' \ [ ] { } , : \ud800 null NaN 1e999 "id": {"records":[ "columns":[{"name":"id"}], 'id':""".split()
    ),
    st.sampled_from([b"\n", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b"id,", b"[" * 300, b"x" * 500]),
)


def survives(path, block_size):
    """Read a file; only the one error may be raised, and it names the file."""
    said, reading = "", None
    try:
        reading = Reading(path, EVERY, block_size=block_size, thorough=True)
    except ExportError as error:
        said = str(error)
    if reading is None:
        assert said.startswith(path.name)
        assert "\n" not in said
        return
    places = list(reading.reader.locate(range(len(reading.rows))))
    assert len(places) == len(reading.rows)
    for fault in reading.faults:
        assert fault.line is not None
        assert all("\0" not in text for text in (fault.old_id, fault.value, fault.raw) if text)
        assert (fault.column is None) == (fault.reason == "ragged")


@pytest.mark.parametrize("dialect", SAMPLES)
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_file_gone_bad(tmp_path_factory, dialect, data):
    name, content = SAMPLES[dialect]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(content)))
        removed = data.draw(st.sampled_from([0, 0, 1, 2, 40, len(content)]))
        content = content[:place] + data.draw(pieces) + content[place + removed :]
    as_gzip = data.draw(st.booleans())
    path = write(tmp_path_factory.mktemp("bad"), name, content, as_gzip=as_gzip)
    if as_gzip and data.draw(st.booleans()):
        path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, 60))])
    survives(path, data.draw(st.sampled_from([None, 1, 30])))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=80, deadline=None)
@given(st.lists(pieces, max_size=30).map(b"".join), st.sampled_from([None, 1, 30]), st.booleans())
def test_any_bytes(tmp_path_factory, name, content, block_size, with_head):
    head = {"t.csv": b"id,body,data,done,embedding,tags\na,True", "t.json": b"[", "t.log": b"{", "t.jsonl": b"{"}[name]
    survives(write(tmp_path_factory.mktemp("any"), name, head * with_head + content), block_size)


@pytest.mark.parametrize("dialect", SAMPLES)
def test_a_file_cut_anywhere(tmp_path, dialect):
    name, content = SAMPLES[dialect]
    for size in range(0, len(content), 7):
        survives(write(tmp_path, name, content[:size]), 100)
