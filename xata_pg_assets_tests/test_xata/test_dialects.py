"""The dialects, one small file per quirk and per reason, the outcome beside each."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from xata_pg_assets.errors import ExportError
from xata_pg_assets.xata import json_window, line_reader, xreplay_csv
from xata_pg_assets.xata.console_csv import ConsoleCsv
from xata_pg_assets.xata.records import ReadOptions, Reason
from xata_pg_assets.xata.schema import XataColumn, XataTable
from xata_pg_assets.xata.xreplay_csv import XreplayCsv
from xata_pg_assets_tests.test_xata.csv_oracle import as_texts, rows_of
from xata_pg_assets_tests.test_xata.dialects import Reading, T, write

R = Reason
NO_COLUMNS = XataTable("t")
Told = tuple[int | None, str | None, str | None, str | None, Reason]


def table(**columns: T) -> XataTable:
    """Make a table of columns by their types."""
    extra: dict[T, dict[str, Any]] = {T.VECTOR: {"dimension": 3}, T.LINK: {"link": "t"}}
    return XataTable("t", tuple(XataColumn(name, type_, **extra.get(type_, {})) for name, type_ in columns.items()))


@dataclass
class Case:
    """A file, and what is to come of it: cells by column, faults, warnings."""

    name: str
    content: str | bytes
    table: XataTable
    cells: dict[str, list[str | None]] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    duplicates: int = 0
    warnings: list[str] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


def check(case: Case, folder: Path) -> Reading:
    reading = Reading(write(folder, case.name, case.content), case.table, thorough=True, **case.options)
    assert reading.told == case.told
    assert {name: reading.column(name) for name in case.cells} == case.cells
    assert reading.duplicate_rows == case.duplicates
    metadata = [warning for warning in reading.reader.warnings if "NULL in every row" in warning]
    assert [warning for warning in reading.reader.warnings if warning not in metadata] == case.warnings
    return reading


def a_json(*records: Any, **kwargs: Any) -> Case:
    return Case("t.json", json.dumps(list(records)), **kwargs)


JSON_CASES = {
    "metadata nested": a_json(
        {"id": "a", "xata": {"version": 3, "createdAt": "2024-01-01T00:00:00Z", "score": 0.5}},
        table=NO_COLUMNS,
        cells={"xata.version": ["3"], "xata.createdAt": ["2024-01-01T00:00:00Z"], "xata.updatedAt": [None]},
    ),
    "metadata by their dotted names, and as PostgreSQL spells them": a_json(
        {"id": "a", "xata.version": 3, "xata.updatedAt": "2024-01-01T00:00:00Z"},
        {"id": "b", "xata_version": 4, "xata_createdat": "2024-01-02T00:00:00Z"},
        table=NO_COLUMNS,
        cells={"xata.version": ["3", "4"], "xata.createdAt": [None, "2024-01-02T00:00:00Z"]},
    ),
    "own columns that look like metadata": a_json(
        {"id": "a", "createdAt": "x", "version": "y", "xata_version": "z"},
        table=table(createdAt=T.TEXT, version=T.TEXT, xata_version=T.TEXT),
        cells={"createdAt": ["x"], "version": ["y"], "xata_version": ["z"], "xata.version": [None]},
    ),
    "links bare, as objects, expanded": a_json(
        {"id": "a", "l": "b"},
        {"id": "b", "l": {"id": "c"}},
        {"id": "c", "l": {"name": "x", "id": 'd"', "xata": {"version": 1}}},
        {"id": "d", "l": None},
        {"id": "e"},
        table=table(l=T.LINK),
        cells={"l": ["b", "c", 'd"', None, None]},
    ),
    "rows as arrays, one cell of each broken": Case(
        "t.json",
        '{"columns": [{"name": "id"}, {"name": "s"}, {"name": "n"}], "rows": [["a", "x", 1], ["b", "\\ud800", 2],'
        ' ["c", "x", NaN], ["d", "x"], ["e", , 1], ["f" "x" 1], [], [ "g" , "x" , 3 ] ]}',
        table(s=T.TEXT, n=T.INT),
        cells={"id": ["a", "g"], "n": ["1", "3"]},
        told=[
            (2, "b", "s", "\ufffd", R.BAD_ENCODING),
            (3, "c", "n", "NaN", R.BAD_VALUE),
            (4, None, None, None, R.RAGGED),
            (5, None, None, None, R.RAGGED),
            (6, None, None, None, R.RAGGED),
            (7, None, None, None, R.RAGGED),
        ],
    ),
    "links that name nothing": a_json(
        *({"id": str(number), "l": link} for number, link in enumerate(["", {}, {"id": None}, {"id": ""}, 5, ["a"]])),
        table=table(l=T.LINK),
        cells={"id": []},
        told=[
            (number + 1, str(number), "l", value, R.BAD_VALUE)
            for number, value in enumerate(["", "{}", '{"id":null}', '{"id":""}', "5", '["a"]'])
        ],
    ),
    "ids that are none": a_json(
        {"id": 17},
        {"id": ""},
        {"x": "y"},
        {"id": None},
        {"id": {"a": 1}},
        {"id": "r" * 256},
        {"id": "a\0"},
        {"id": "\ud800"},
        table=table(x=T.TEXT),
        cells={"id": []},
        told=[
            (1, "17", "id", "17", R.BAD_VALUE),
            (2, None, "id", "", R.MISSING_ID),
            (3, None, "id", None, R.MISSING_ID),
            (4, None, "id", None, R.MISSING_ID),
            (5, None, "id", '{"a":1}', R.BAD_VALUE),
            (6, "r" * 256, "id", "r" * 256, R.VALUE_TOO_LONG),
            (7, "a\ufffd", "id", "a\ufffd", R.NUL_BYTE),
            (8, "\ufffd", "id", "\ufffd", R.BAD_ENCODING),
        ],
    ),
    "integers": Case(
        "t.json",
        '[{"id": "a", "n": 9007199254740993}, {"id": "b", "n": 1.0}, {"id": "c", "n": -12e2}, {"id": "d", "n": "7"},'
        '{"id": "e", "n": -9223372036854775808}, {"id": "f", "n": 1.5}, {"id": "g", "n": 1e400},'
        '{"id": "h", "n": 9223372036854775808}, {"id": "i", "n": true}, {"id": "j", "n": ""}, {"id": "k", "n": [1]}]',
        table(n=T.INT),
        cells={"id": ["a", "b", "c", "d", "e"], "n": ["9007199254740993", "1", "-1200", "7", "-9223372036854775808"]},
        told=[
            (6, "f", "n", "1.5", R.BAD_VALUE),
            (7, "g", "n", "1e400", R.BAD_VALUE),
            (8, "h", "n", "9223372036854775808", R.BAD_VALUE),
            (9, "i", "n", "true", R.BAD_VALUE),
            (10, "j", "n", "", R.BAD_VALUE),
            (11, "k", "n", "[1]", R.BAD_VALUE),
        ],
    ),
    "numbers by their text": Case(
        "t.json",
        '[{"id": "a", "f": 0.1000000000000000055, "v": [1e-7, -0, 3.40], "j": 1.10}, {"id": "b", "f": -0, "j": 1E400},'
        '{"id": "c", "f": 1e999}, {"id": "d", "f": NaN}, {"id": "e", "f": "x"}]',
        table(f=T.FLOAT, v=T.VECTOR, j=T.JSON),
        cells={"f": ["0.1000000000000000055", "-0"], "v": ["[1e-7, -0, 3.40]", None], "j": ["1.10", "1E400"]},
        told=[
            (3, "c", "f", "1e999", R.BAD_VALUE),
            (4, "d", "f", "NaN", R.BAD_VALUE),
            (5, "e", "f", "x", R.BAD_VALUE),
        ],
    ),
    "texts": Case(
        "t.json",
        r'[{"id": "a", "s": "\u00e9\n\"\\\/ \ud83d\ude00"}, {"id": "b", "s": ""}, {"id": "c", "s": "NULL"},'
        r'{"id": "d", "s": 123}, {"id": "e", "s": "x\u0000"}, {"id": "f", "s": "\ud83d"}, {"id": "g", "s": {"a": 1}}]',
        table(s=T.TEXT),
        cells={"s": ['é\n"\\/ 😀', "", "NULL"]},
        told=[
            (4, "d", "s", "123", R.BAD_VALUE),
            (5, "e", "s", "x\ufffd", R.NUL_BYTE),
            (6, "f", "s", "\ufffd", R.BAD_ENCODING),
            (7, "g", "s", '{"a":1}', R.BAD_VALUE),
        ],
    ),
    "null is null": a_json(
        {"id": "a", "s": None},
        {"id": "b"},
        table=XataTable("t", (XataColumn("s", T.TEXT, not_null=True),)),
        told=[(1, "a", "s", None, R.NULL_NOT_ALLOWED), (2, "b", "s", None, R.NULL_NOT_ALLOWED)],
        options={"empty_text": "empty"},
    ),
    "json as objects and as strings": a_json(
        *(
            {"id": str(number), "j": value}
            for number, value in enumerate([{"a": [1]}, '{"a": "b"}', "[1", "12", "null", 5, False])
        ),
        table=table(j=T.JSON),
        cells={"j": ['{"a": [1]}', '{"a": "b"}', '"[1"', '"12"', '"null"', "5", "false"]},
    ),
    "json always encoded": a_json(
        {"id": "a", "j": '"x"'},
        {"id": "b", "j": "null"},
        {"id": "c", "j": "hello"},
        {"id": "d", "j": ""},
        {"id": "e", "j": {"a": 1}},
        table=table(j=T.JSON),
        cells={"id": ["a", "b", "e"], "j": ['"x"', "null", '{"a": 1}']},
        told=[(3, "c", "j", "hello", R.BAD_VALUE), (4, "d", "j", "", R.BAD_VALUE)],
        options={"json_strings": "encoded"},
    ),
    "json never encoded": a_json(
        {"id": "a", "j": "[1]"}, table=table(j=T.JSON), cells={"j": ['"[1]"']}, options={"json_strings": "plain"}
    ),
    "json of REST": Case(
        "t.json",
        json.dumps({"records": [{"id": "a", "j": '"x"'}, {"id": "b", "j": '{"a": '}, {"id": "c", "j": {"a": 1}}]}),
        table(j=T.JSON),
        cells={"j": ['"x"', '{"a": 1}']},
        told=[(2, "b", "j", '{"a": ', R.BAD_VALUE)],
        options={"json_strings": "plain"},
    ),
    "json that jsonb cannot hold": Case(
        "t.json",
        r'[{"id": "a", "j": {"k": "\u0000"}}, {"id": "b", "j": ["\ud800"]}, {"id": "c", "j": "{\"k\": \"\\u0000\"}"}]',
        table(j=T.JSON),
        told=[
            (1, "a", "j", r'{"k":"\u0000"}', R.NUL_BYTE),
            (2, "b", "j", r'["\ud800"]', R.BAD_ENCODING),
            (3, "c", "j", r'{"k": "\u0000"}', R.NUL_BYTE),
        ],
    ),
    "lists, vectors and files": a_json(
        {"id": "a", "m": ["x", "é"], "v": [1, 2.5, 3], "o": {"a": 1}, "f": {"name": ""}, "ff": []},
        {"id": "b", "m": '["x"]', "v": "[1,2,3]", "o": '{"a": 1}', "f": None, "ff": [{"name": "x"}]},
        {"id": "c", "m": ["x", None]},
        {"id": "d", "m": "x"},
        {"id": "e", "v": [1, 2]},
        {"id": "f", "v": [1, 2, "3"]},
        {"id": "g", "o": [1]},
        {"id": "h", "f": "x"},
        {"id": "i", "ff": {}},
        table=table(m=T.MULTIPLE, v=T.VECTOR, o=T.OBJECT, f=T.FILE, ff=T.FILES),
        cells={
            "m": [json.dumps(["x", "é"]), '["x"]'],
            "v": ["[1, 2.5, 3]", "[1,2,3]"],
            "o": ['{"a": 1}', '{"a": 1}'],
            "f": ['{"name": ""}', None],
            "ff": ["[]", '[{"name": "x"}]'],
        },
        told=[
            (3, "c", "m", '["x",null]', R.BAD_VALUE),
            (4, "d", "m", "x", R.BAD_VALUE),
            (5, "e", "v", "[1,2]", R.BAD_DIMENSION),
            (6, "f", "v", '[1,2,"3"]', R.BAD_VALUE),
            (7, "g", "o", "[1]", R.BAD_VALUE),
            (8, "h", "f", "x", R.BAD_VALUE),
            (9, "i", "ff", "{}", R.BAD_VALUE),
        ],
    ),
    "datetimes and booleans": a_json(
        {"id": "a", "d": "2024-01-01T00:00:00.123456+05:30", "b": True},
        {"id": "b", "d": "2024-01-01 00:00:00", "b": "false"},
        {"id": "c", "d": 1704067200},
        {"id": "d", "b": 1},
        table=table(d=T.DATETIME, b=T.BOOL),
        cells={"d": ["2024-01-01T00:00:00.123456+05:30", "2024-01-01 00:00:00"], "b": ["true", "false"]},
        told=[(3, "c", "d", "1704067200", R.BAD_VALUE), (4, "d", "b", "1", R.BAD_VALUE)],
        warnings=["t.d: datetimes without an offset were read as UTC"],
    ),
    "what the SDK may have lost": a_json(
        {"id": "a", "d": "1970-01-01T00:00:00.000Z", "n": 9007199254740994, "m": 9007199254740994},
        {"id": "b", "d": "1970-01-01T00:00:00Z", "n": -9007199254740996, "m": 9007199254740993},
        table=table(d=T.DATETIME, n=T.INT, m=T.INT),
        cells={"d": ["1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00Z"]},
        warnings=[
            "t.d: 1970-01-01T00:00:00.000Z stands in 1 row and may mean none; it is left as it is",
            "t.n: 2 integers beyond 2^53, where JavaScript rounds; compare them if it wrote t.json",
        ],
    ),
    "columns that the schema lacks": a_json(
        {"id": "a", "s": "x", "more": {"b": 1}},
        {"id": "b", "s": "x", "more": "c"},
        table=table(s=T.TEXT),
        cells={"more": ['{"b":1}', "c"]},
    ),
    "records that are none": Case(
        "t.json",
        '[{"id": "a"}, 5, null, "x", [1], {"id": "b", "s" "x"}, {"id": "c"} {"id": "d"}, {}, {"id": "e"},]',
        table(s=T.TEXT),
        cells={"id": ["a", "e"]},
        told=[
            *((number, None, None, None, R.RAGGED) for number in (2, 3, 4, 5)),
            (6, "b", None, None, R.RAGGED),
            (7, "c", None, None, R.RAGGED),
            (8, None, "id", None, R.MISSING_ID),
        ],
    ),
    "one broken cell": Case(
        "t.json",
        '[{"id": "a", "n": 0x1A, "s": "x"}, {"id": "b", "n": 01, "s": tru}, {"id": "c", "s": "tab\there"}]',
        table(n=T.INT, s=T.TEXT),
        cells={"id": ["c"], "s": ["tab\there"]},
        told=[(1, "a", "n", "0x1A", R.BAD_VALUE), (2, "b", "s", "tru", R.BAD_VALUE)],
    ),
    "bytes that are no UTF-8": Case(
        "t.json",
        b'[{"id": "a", "s": "caf\xe9 \xe2\x82"}, {"id": "b", "j": {"k": "\xff"}}, {"id": "c\xff"}, '
        b'{"id": "d", "\xff": 1}]',
        table(s=T.TEXT, j=T.JSON),
        cells={"id": ["d"]},
        told=[
            (1, "a", "s", "caf\ufffd \ufffd", R.BAD_ENCODING),
            (2, "b", "j", '{"k":"\ufffd"}', R.BAD_ENCODING),
            (3, "c\ufffd", "id", "c\ufffd", R.BAD_ENCODING),
        ],
    ),
    "a byte-order mark": Case("t.json", b'\xef\xbb\xbf [{"id": "a"}]\n', NO_COLUMNS, cells={"id": ["a"]}),
    "pages in a list, and lists of them": Case(
        "t.json",
        '[{"records": [{"id": "a"}]}, {"records": []}, [{"id": "b"}, {"id": "c"}], '
        '{"meta": {}, "records": [{"id": "d"}]}]',
        NO_COLUMNS,
        cells={"id": ["a", "b", "c", "d"]},
    ),
    "pages one after another": Case(
        "t.json",
        '{"records": [{"id": "a"}], "meta": {"page": {"cursor": "]}", "more": true}}}\n{"records": [{"id": "b"}]}',
        NO_COLUMNS,
        cells={"id": ["a", "b"]},
    ),
    "records one after another": Case("t.json", '{"id": "a"}\n{"id": "b"}\n', NO_COLUMNS, cells={"id": ["a", "b"]}),
    "columns called records and rows": Case(
        "t.json",
        '[{"records": ["x"], "rows": ["y"], "id": "a"}]',
        table(records=T.MULTIPLE, rows=T.MULTIPLE),
        cells={"id": ["a"], "records": ['["x"]'], "rows": ['["y"]']},
    ),
    "rows as arrays, named before": Case(
        "t.json",
        '{"columns": {"id": {"type_name": "text"}, "n": {"type_name": "int8"}}, '
        '"rows": [["a", 1], ["b"], ["c", 2, 3], {"id": "d"}]}',
        table(n=T.INT),
        cells={"id": ["a"], "n": ["1"]},
        told=[(2, None, None, None, R.RAGGED), (3, None, None, None, R.RAGGED), (4, "d", None, None, R.RAGGED)],
    ),
    "rows as arrays, named behind, in pages of their own order": Case(
        "t.json",
        '[{"rows": [["a", 1]], "columns": [{"name": "id"}, {"name": "n"}]},'
        ' {"rows": [[2, "b", "{\\"k\\": 1}"]], "columns": [{"name": "n"}, {"name": "id"}, {"name": "j"}], "total": 2}]',
        table(n=T.INT, j=T.JSON),
        cells={"id": ["a", "b"], "n": ["1", "2"], "j": [None, '{"k": 1}']},
    ),
    "strings of a SQL answer are not REST's": Case(
        "t.json",
        '{"records": [{"id": "a", "j": "12", "xata": {"version": 0}}], "columns": [{"name": "id", "type": "text"}]}',
        table(j=T.JSON),
        cells={"j": ['"12"'], "xata.version": ["0"]},
    ),
    "nothing in it": Case("t.json", "[]", NO_COLUMNS, cells={"id": []}),
    "an empty file": Case("t.json", "", NO_COLUMNS, warnings=["t: t.json is empty; 0 rows"]),
    "a blank file": Case("t.json", " \n", NO_COLUMNS, warnings=["t: t.json is empty; 0 rows"]),
}

LINE_CASES = {
    "lines": Case(
        "t.jsonl",
        '\ufeff{"id": "a", "j": "{}"}\r\n\n  {"id": "b", "j": "x"}\n{"id": "c", "xata": {"version": 1}}',
        table(j=T.JSON),
        cells={"id": ["a", "b", "c"], "j": ["{}", '"x"', None], "xata.version": [None, None, "1"]},
    ),
    "lines that are no records": Case(
        "t.ndjson",
        b'{"id": "a"}\n{"id": "b", "s": "cut\n[1]\nnonsense\n\xff\n{"id": "c", "s": "\xff"}\n{"id": "d"}',
        table(s=T.TEXT),
        cells={"id": ["a", "d"]},
        told=[
            (2, "b", None, None, R.RAGGED),
            (3, None, None, None, R.RAGGED),
            (4, None, None, None, R.RAGGED),
            (5, None, None, None, R.RAGGED),
            (6, "c", "s", "\ufffd", R.BAD_ENCODING),
        ],
    ),
    "an empty file of lines": Case("t.jsonl", "\n", NO_COLUMNS, warnings=["t: t.jsonl is empty; 0 rows"]),
    "Python's literals": Case(
        "t.log",
        "{'id': 'a', 's': \"it's\", 'b': True, 'f': 1e-07, "
        "'m': ['x', \"y'\"], 'j': '{\"k\": [1, null]}', 'v': [0.1, 2, 3.0]}\n"
        "{'id': 'b', 's': 'True \\'\\\\ \\x41\\u00e9\\n', 'b': None, 'j': '\"x\"', 'o': {'a': {'b': [None, False]}}}\n",
        table(s=T.TEXT, b=T.BOOL, f=T.FLOAT, m=T.MULTIPLE, j=T.JSON, v=T.VECTOR, o=T.OBJECT),
        cells={
            "s": ["it's", "True '\\ Aé\n"],
            "b": ["true", None],
            "f": ["1e-07", None],
            "m": ['["x", "y\'"]', None],
            "j": ['{"k": [1, null]}', '"x"'],
            "v": ["[0.1, 2, 3.0]", None],
            "o": [None, '{"a": {"b": [null, false]}}'],
        },
    ),
    "lines that are no literals": Case(
        "t.log",
        b"{'id': 'a', 's': 'x'}\n{'id': 'b', 's': 'cut\n__import__('os')\n{'id': 'c', 's': print(1)}\n"
        b"{'id': 'd', 'n': nan}\n"
        b"{'id': 'e', 'n': 1_000}\n{'id': 'f', 's': '\\ud800'}\n"
        b"{'id': 'g', 's': '\\x00'}\n{'id': 'h', 's': 'caf\xe9'}\n"
        b"{'id': 'i', 's': b'x'}\n{'id': 'j', 'j': 'hello'}\n{1: 2}\n",
        table(s=T.TEXT, n=T.INT, j=T.JSON),
        cells={"id": ["a"]},
        told=[
            (2, "b", None, None, R.RAGGED),
            (3, None, None, None, R.RAGGED),
            (4, "c", "s", "print(1)", R.BAD_VALUE),
            (5, "d", "n", "nan", R.BAD_VALUE),
            (6, "e", "n", "1_000", R.BAD_VALUE),
            (7, "f", "s", "\ufffd", R.BAD_ENCODING),
            (8, "g", "s", "\ufffd", R.NUL_BYTE),
            (9, "h", "s", "caf\ufffd", R.BAD_ENCODING),
            (10, "i", "s", 'b"x"', R.BAD_VALUE),
            (11, "j", "j", "hello", R.BAD_VALUE),
            (12, None, None, None, R.RAGGED),
        ],
    ),
}

XREPLAY_CASES = {
    "lists, words and brackets": Case(
        "t.csv",
        "id,b,e,f,file,j,l,m,o,s,v\n"
        'a,True,x@y.z,1e-07,,{"k": [1, "],}"]},rec_b,'
        "\"['a', \"\"it's\"\", 'c\"\"d', '\\n']\",\"{'a': True, 'b': [None]}\","
        '"a ""b""\n, c",[0.1, 1e-07, -0.0]\n'
        "b,False,,,,{},,[],,,\n",
        table(
            s=T.STRING,
            v=T.VECTOR,
            o=T.OBJECT,
            m=T.MULTIPLE,
            l=T.LINK,
            j=T.JSON,
            file=T.FILE,
            f=T.FLOAT,
            e=T.EMAIL,
            b=T.BOOL,
        ),
        cells={
            "b": ["True", "False"],
            "e": ["x@y.z", None],
            "f": ["1e-07", None],
            "j": ['{"k": [1, "],}"]}', "{}"],
            "l": ["rec_b", None],
            "m": ['["a", "it\'s", "c\\"d", "\\n"]', "[]"],
            "o": ['{"a": true, "b": [null]}', None],
            "s": ['a "b"\n, c', None],
            "v": ["[0.1, 1e-07, -0.0]", None],
        },
    ),
    "json of every kind, unquoted": Case(
        "t.csv",
        'id,j,n\na,"hello, ""x"\nb,{"a":\n [1,\n 2]},1\n'
        'c,"say \\"x\\", you",2\nd,null,3\ne,12.50,4\nf,[[[[[[[[[{"a": [",]"]}]]]]]]]]],5\n'
        'g,true,6\nh,"",7\ni,,8\nj,hello,9\nk,{"a": [1,10\nl,"[1, 2]",11\nm,"{""a"": ""b""}",12\n'
        "n,{a},13\no,[1,\n2],14\n",
        table(j=T.JSON, n=T.INT),
        cells={
            "id": ["b", "c", "d", "e", "f", "g", "h", "i", "l", "m", "o"],
            "j": [
                '{"a":\n [1,\n 2]}',
                '"say \\"x\\", you"',
                "null",
                "12.50",
                '[[[[[[[[[{"a": [",]"]}]]]]]]]]]',
                "true",
                '""',
                None,
                '"[1, 2]"',
                '{"a": "b"}',
                "[1,\n2]",
            ],
        },
        told=[
            (2, "a", None, None, R.RAGGED),
            (13, "j", "j", "hello", R.BAD_VALUE),
            (14, "k", "j", '{"a": [1', R.BAD_VALUE),
            (17, "n", "j", "{a}", R.BAD_VALUE),
        ],
    ),
    "vectors": Case(
        "t.csv",
        'id,v\na,[1, 2, 3]\nb,[1, 2]\nc,[1, 2, 3\nd,[1, nan, 3]\ne,"[1, 2, 3]"\nf,\n',
        table(v=T.VECTOR),
        cells={"id": ["a", "e", "f"], "v": ["[1, 2, 3]", "[1, 2, 3]", None]},
        told=[
            (3, "b", "v", "[1, 2]", R.BAD_DIMENSION),
            (4, "c", None, None, R.RAGGED),
            (5, "d", "v", "[1, nan, 3]", R.BAD_VALUE),
        ],
    ),
    "lists that are none": Case(
        "t.csv",
        "id,m,o\na,\"['x']\",\nb,\"['x', 5]\",\n"
        "c,\"('x',)\",\nd,\"__import__('os')\",\ne,['x'],\nf,,\"{1, 2}\"\ng,,\"['a']\"\n",
        table(m=T.MULTIPLE, o=T.OBJECT),
        cells={"id": ["a", "e"], "m": ['["x"]', '["x"]']},
        told=[
            (3, "b", "m", "['x', 5]", R.BAD_VALUE),
            (4, "c", "m", "('x',)", R.BAD_VALUE),
            (5, "d", "m", "__import__('os')", R.BAD_VALUE),
            (7, "f", "o", "{1, 2}", R.BAD_VALUE),
            (8, "g", "o", "['a']", R.BAD_VALUE),
        ],
    ),
    "a second run": Case(
        "t.csv",
        'id,b,s\na,True,"x"\nid,b,s\na,True,"x"\n\ufeff"id",b,s\n',
        table(b=T.BOOL, s=T.TEXT),
        cells={"id": ["a", "a"], "s": ["x", "x"]},
        duplicates=2,
    ),
    "empty cells": Case(
        "t.csv",
        'id,b,s,t\na,True,,\nb,,"",""\n',
        XataTable("t", (XataColumn("b", T.BOOL), XataColumn("s", T.TEXT), XataColumn("t", T.TEXT, not_null=True))),
        cells={"s": [None, ""], "t": ["", ""]},
    ),
    "faults": Case(
        "t.csv",
        b'id,b,n,s\na,True,1,"x"\nb,maybe,1_0,"x"\nc,True,1\nd,True,1,"x",y\n,True,1,"x"\ne,True,1,"caf\xe9"\nf,True,1,"a\0"\n'
        b'g,True,1,"x"tail\nh,True,1,5" disk\n',
        table(b=T.BOOL, n=T.INT, s=T.TEXT),
        cells={"id": ["a", "g", "h"], "s": ["x", "xtail", '5" disk']},
        told=[
            (3, "b", "b", "maybe", R.BAD_VALUE),
            (3, "b", "n", "1_0", R.BAD_VALUE),
            (4, "c", None, None, R.RAGGED),
            (5, "d", None, None, R.RAGGED),
            (6, None, "id", None, R.MISSING_ID),
            (7, "e", "s", "caf\ufffd", R.BAD_ENCODING),
            (8, "f", "s", "a\ufffd", R.NUL_BYTE),
        ],
    ),
    "line ends of Windows": Case(
        "t.csv",
        '\ufeffid,b,s\r\na,True,"x\r\ny"\r\n\r\nb,False,\r\n',
        table(b=T.BOOL, s=T.TEXT),
        cells={"s": ["x\r\ny", None]},
    ),
    "a table without columns": Case("t.csv", "id,rec_a,\nrec_b,\n", NO_COLUMNS, cells={"id": ["rec_a", "rec_b"]}),
    "a table without columns, twice": Case(
        "t.csv", "\ufeffid,a,\r\nb,\r\nid,a,\r\nb,\r\n", NO_COLUMNS, cells={"id": ["a", "b", "a", "b"]}, duplicates=1
    ),
    "a table without columns or rows": Case("t.csv", "id,", NO_COLUMNS, cells={"id": []}),
    "a table without columns, first empty": Case("t.csv", "id,id,a,\n", NO_COLUMNS, cells={"id": ["a"]}, duplicates=1),
    "a table without columns, with a fault": Case(
        "t.csv",
        "id,a,\nb,c,\n" + "x" * 300 + ",\n",
        NO_COLUMNS,
        cells={"id": ["a"]},
        told=[(2, None, None, None, R.RAGGED), (3, "x" * 300, "id", "x" * 300, R.VALUE_TOO_LONG)],
    ),
}


@pytest.mark.parametrize("case", JSON_CASES.values(), ids=JSON_CASES)
def test_json(tmp_path, case):
    check(case, tmp_path)


@pytest.mark.parametrize("case", LINE_CASES.values(), ids=LINE_CASES)
def test_lines(tmp_path, case):
    check(case, tmp_path)


@pytest.mark.parametrize("case", XREPLAY_CASES.values(), ids=XREPLAY_CASES)
def test_xreplay(tmp_path, case):
    reading = check(case, tmp_path)
    assert reading.reader.dialect == "xreplay csv"
    for block_size in (1, 7, 50):
        again = Reading(tmp_path / case.name, case.table, block_size=block_size, thorough=True, **case.options)
        assert (again.rows, again.told) == (reading.rows, reading.told)


# --- keys given twice --------------------------------------------------------------------------------

TWICE = {
    "n": (T.INT, "1", "2", "1,2"),
    "s": (T.STRING, '"a"', '"b"', '"a","b"'),
    "d": (T.DATETIME, "null", '"2024-01-01T00:00:00Z"', 'null,"2024-01-01T00:00:00Z"'),
    "b": (T.BOOL, "true", "false", "true,false"),
    "m": (T.MULTIPLE, '["a"]', '["b"]', '["a"],["b"]'),
    "j": (T.JSON, '{"k": 1}', '{"k": 2}', '{"k":1},{"k":2}'),
    "f": (T.FILES, "[]", '[{"name": ""}]', '[],[{"name":""}]'),
    "v": (T.VECTOR, "[1]", "[2]", "[1],[2]"),
    "l": (T.LINK, '{"id": "a"}', '"b"', '{"id":"a"},"b"'),
}
TWICE_TABLE = XataTable(
    "t", tuple(XataColumn(name, type_, dimension=1, link="t") for name, (type_, *_) in TWICE.items())
)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", TWICE)
def test_a_key_given_twice_spoils_its_record_alone(tmp_path, name, indent):
    _, first, second, told = TWICE[name]
    fine = json.dumps([{"id": "a", "n": 1, "xata": {"version": 1}}], indent=indent)[1:-1]
    same = f'{{"id": "b", "{name}":{first}, "{name}" : {first}}}'
    differing = f'{{"{name}": {first}, "id": "c", "s": "x y", "{name}": {second}}}'
    if name == "s":
        differing = differing.replace(' "s": "x y",', "")
    path = write(tmp_path, "t.json", f"[{fine}, {same}, {differing}, {fine}]")
    reading = Reading(path, TWICE_TABLE, thorough=True)
    assert reading.told == [(3, "c", name, told, Reason.BAD_VALUE)]
    assert [row["id"] for row in reading.rows] == ["a", "b", "a"]


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("t.jsonl", '{"id": "a", "id": "b"}', (None, "id", '"a","b"')),
        ("t.jsonl", '{"id": "a", "xata": {"version": 1, "version": 2}}', ("a", "xata.version", "1,2")),
        ("t.jsonl", '{"id": "a", "l": {"id": "x", "id": "y", "o": {"id": 1}}}', ("a", "l", None)),
        ("t.log", "{'id': 'a', 'n': 1, 'n': None}", ("a", "n", "1,null")),
    ],
)
def test_a_key_given_twice_elsewhere(tmp_path, name, content, fault):
    reading = Reading(write(tmp_path, name, content), TWICE_TABLE)
    ((_, old_id, column, value, reason),) = reading.told
    assert (old_id, column, value if fault[2] else None, reason) == (*fault, Reason.BAD_VALUE)


def test_keys_with_escapes_and_blanks_are_read(tmp_path):
    own = XataTable("t", (XataColumn("a b", T.INT), XataColumn("\u00e9", T.INT)))
    reading = Reading(write(tmp_path, "t.json", '[{"id":"x","a b":1,"\\u00e9" : 2},{}]'), own)
    assert [(row["a b"], row["\u00e9"]) for row in reading.rows] == [("1", "2")]
    assert [fault.reason for fault in reading.faults] == [Reason.MISSING_ID]


@pytest.mark.parametrize("cell", ["[1]", '[{"name": "a"}, null]', '["a"]', "{}", "[{]"])
def test_the_elements_of_a_file_list_are_objects(tmp_path, cell):
    own = XataTable("t", (XataColumn("f", T.FILES),))
    told = Reading(write(tmp_path, "t.csv", 'id,f\na,"' + cell.replace('"', '""') + '"\nb,[]\nc,\n'), own).told
    assert told == [(2, "a", "f", cell, Reason.BAD_VALUE)]


# --- whose a CSV file is -----------------------------------------------------------------------------

MIXED = table(b=T.BOOL, j=T.JSON, m=T.MULTIPLE, o=T.OBJECT, s=T.TEXT, v=T.VECTOR)


@pytest.mark.parametrize(
    ("dialect", "content"),
    [
        ("console csv", "id,b,j,m,o,s,v,xata.version\na,True,,,,,,0\n"),
        ("console csv", "id,b,j,m,o,s,v\na,true,,,,,\n"),
        ("console csv", "id,b,j,m,o,s,v\na,,,,,bare,\n"),
        ("console csv", 'id,b,j,m,o,s,v\na,,,,,,"[1, 2, 3]"\n'),
        ("console csv", 'id,b,j,m,o,s,v\na,,"[1, 2]",,,,\n'),
        ("console csv", 'id,b,j,m,o,s,v\na,,,"[""x""]",,,\n'),
        ("console csv", 'id,b,j,m,o,s,v\n"a",,,,,,\n'),
        ("console csv", "id,j,b,m,o,s,v\na,,,,,,\n"),
        ("console csv", "b,id,j,m,o,s,v\n,a,,,,,\n"),
        ("console csv", ""),
        ("xreplay csv", "id,b,j,m,o,s,v\na,True,,,,,\n"),
        ("xreplay csv", "id,b,j,m,o,s,v\na,,,,,,[1, 2, 3]"),
        ("xreplay csv", 'id,b,j,m,o,s,v\na,,{"k": 1},,,,\n'),
        ("xreplay csv", "id,b,j,m,o,s,v\na,,,\"['x']\",,,\n"),
        ("xreplay csv", "id,b,j,m,o,s,v\na,,,,\"{'k': True}\",,\n"),
        ("xreplay csv", 'id,b,j,m,o,s,v\na,,,"[""it\'s"", \'x\']",,,\nb,,{"k":1},,,,\n'),
        ("xreplay csv", "id,b,j,m,o,s,v\n"),
        ("xreplay csv", "id,b,j,m,o,s,v\na,,,,,,\n"),
    ],
)
def test_who_wrote_a_csv(tmp_path, dialect, content):
    assert Reading(write(tmp_path, "t.csv", content), MIXED).reader.dialect == dialect


@pytest.mark.parametrize("content", ["id,s\na,bare\n", 'id,s\na,"quoted"\n', "id,xata.version\na,1\n", "id\na\n"])
def test_without_a_column_that_tells_a_csv_is_the_consoles(tmp_path, content):
    assert Reading(write(tmp_path, "t.csv", content), table(s=T.TEXT)).reader.dialect == "console csv"
    assert Reading(write(tmp_path, "t.csv", content), NO_COLUMNS).reader.dialect == "console csv"


@pytest.mark.parametrize(
    "content",
    [
        'id,b,j,m,o,s,v\na,true,"{""k"": ""v""}","[""x""]","{""k"": 1}","a ""b"", c","[1, 2, 3]"\n',
        'id,b,j,m,o,s,v\na,false,,[],{},"",\n\nb,,12,"[""it\'s""]",,bare,"[1,2,3]"\n',
    ],
)
def test_xreplays_reader_reads_the_consoles_cells_as_well(tmp_path, content):
    path = write(tmp_path, "t.csv", content)
    rows = []
    for reader_of in (ConsoleCsv, XreplayCsv):
        with as_texts():
            batches = list(reader_of(path, "t.csv", MIXED, ReadOptions(thorough=True)).batches())
        assert not [fault for batch in batches for fault in batch.faults]
        rows.append([row for batch in batches for row in rows_of(batch.data)])
    assert rows[0] == rows[1]


# --- files that cannot be read on --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", '[{"id": "a"}, {"id": "b"', "t.json:2: record 2: the file ends before this record does"),
        ("t.json", '[{"id": "a"},', "t.json:2: record 2: the file ends before this record does"),
        ("t.json", '[{"id": "a"}, {"id": "b]', "t.json:2: record 2: the file ends before this record does"),
        ("t.json", "[", "t.json:1: record 1: the file ends before this record does"),
        ("t.json", '{"records": [{"id": "a"}]', "t.json:2: record 2: the file ends too early"),
        ("t.json", '{"records": [{"id": "a"}], "meta"', "t.json:2: record 2: the file is no JSON from here on: a key"),
        ("t.json", '{"records": [{"id": "a"}], "meta": {"page"', "t.json:2: record 2: the file ends too early"),
        ("t.json", '{"records": [{"id": "a"}] "meta": 1}', "t.json:2: record 2: the file lacks a comma here"),
        ("t.json", '[{"id": "a"}] x', "t.json:2: record 2: the file is no JSON from here on; an array"),
        ("t.json", "<html>", "t.json:1: record 1: the file is no JSON from here on; an array of records is expected"),
        (
            "t.json",
            '{"message": "no", "id2": 1}',
            "t.json:1: record 1: the file holds no records here, but an object of",
        ),
        ("t.json", "[" * 100, "t.json:1: record 1: the file has arrays in arrays in arrays, and no record"),
        ("t.json", '{"rows": [[1]]}', "t.json:1: record 1: the rows are arrays, and no columns name their cells"),
        ("t.json", '[{"id": "a"}]'.encode("utf-16"), "t.json:1: the file is UTF-16; save it as UTF-8"),
        ("t.jsonl", '{"id": "a"}'.encode("utf-16"), "t.jsonl:1: the file is UTF-16; save it as UTF-8"),
        ("t.log", "{'id': 'a'}".encode("utf-16"), "t.log:1: the file is UTF-16; save it as UTF-8"),
        ("t.csv", 'id,b,s\na,True,"x"\nb,True,"y\n', "t.csv:3: a quote is opened in this record and never closed"),
        pytest.param(
            "t.json.gz",
            gzip.compress(b'[{"id": "a"}]')[:-9],
            "t.json.gz:1: the compressed file is cut short or damaged",
            id="t.json.gz-cut short",  # the file's bytes, which hold the time, would be a name that changes
        ),
        ("t.log.gz", b"no gzip", "t.log.gz:1: the compressed file is cut short or damaged"),
    ],
)
def test_files_that_cannot_be_read_on(tmp_path, name, content, said):
    for block_size in (None, 1, 16):
        with pytest.raises(ExportError) as error:
            Reading(write(tmp_path, name, content), table(b=T.BOOL, s=T.TEXT), block_size=block_size)
        assert str(error.value).startswith(said)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.json", '[{"id": "a"}, {"id": "' + "x" * 3_000_000, "t.json:2: record 2: the file has a record longer"),
        ("t.json", '{"records": [], "meta": "' + "x" * 300_000, "t.json:1: record 1: the file has a record longer"),
        ("t.jsonl", '{"id": "a"}\n' + "x" * 3000, "t.jsonl:2: the line is longer than 0 MB"),
        (
            "t.csv",
            'id,b,s\na,True,\nb,True,"' + "x\n" * 3000,
            "t.csv:3: the record is longer than 0 MB; close the quote",
        ),
    ],
)
def test_records_without_an_end(tmp_path, monkeypatch, name, content, said):
    for module in (json_window, line_reader, xreplay_csv):
        monkeypatch.setattr(module, "MAX_RECORD", 1024)
    with pytest.raises(ExportError) as error:
        Reading(write(tmp_path, name, content), table(b=T.BOOL, s=T.TEXT), block_size=64)
    assert str(error.value).startswith(said)


# --- what is large or deep ---------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [150, 900, 5_000])
def test_json_may_be_nested_as_deeply_as_jsonb_takes_it(tmp_path, depth):
    deep = "[" * depth + "]" * depth
    path = write(tmp_path, "t.json", f'[{{"id": "a", "j": {deep}}}, {{"id": "b", "j": {json.dumps(deep)}}}]')
    assert Reading(path, table(j=T.JSON), thorough=True).column("j") == [deep, deep]
    path = write(tmp_path, "t.log", f"{{'id': 'a', 'j': '{deep}'}}\n")
    assert Reading(path, table(j=T.JSON), thorough=True).column("j") == [deep]
    path = write(tmp_path, "t.csv", f"id,b,j\na,True,{deep}\n")
    assert Reading(path, table(b=T.BOOL, j=T.JSON), thorough=True).column("j") == [deep]


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.log", "t.csv"])
@pytest.mark.parametrize("deep", ["[" * 50_000 + "]" * 50_000, '{"a":' * 50_000 + "1" + "}" * 50_000])
def test_what_is_nested_deeper_is_refused_alone(tmp_path, name, deep):
    records = [f'{{"id": "a", "j": {deep}}}', '{"id": "b", "j": {}}']
    forms = {"t.json": f"[{','.join(records)}]", "t.csv": f"id,b,j\na,True,{deep}\nb,True,{{}}\n"}
    path = write(tmp_path, name, forms.get(name, "\n".join(records)))
    reading = Reading(path, table(b=T.BOOL, j=T.JSON), thorough=True)
    assert reading.column("id") == ["b"]
    assert [(fault.old_id, fault.column, fault.reason) for fault in reading.faults] == [("a", "j", R.BAD_VALUE)]
    assert len(reading.faults[0].raw) == 10_000


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.log", "t.csv"])
def test_a_cell_larger_than_many_blocks(tmp_path, name):
    text = "'x\u00e9, \n" * 300_000
    records = [{"id": "a", "s": text}, {"id": "b", "s": "y"}]
    forms = {
        "t.json": json.dumps(records),
        "t.jsonl": "\n".join(map(json.dumps, records)),
        "t.log": "\n".join(map(repr, records)),
        "t.csv": f'id,b,s\na,True,"{text}"\nb,True,"y"\n',
    }
    path = write(tmp_path, name, forms[name])
    assert Reading(path, table(b=T.BOOL, s=T.TEXT), block_size=1000).column("s") == [text, "y"]


# --- what a file says late ---------------------------------------------------------------------------


def test_a_key_unknown_and_late_is_told(tmp_path):
    lines = [json.dumps({"id": str(number)}) for number in range(100_000)] + ['{"id": "z", "late": 1}']
    reading = Reading(write(tmp_path, "t.jsonl", "\n".join(lines)), NO_COLUMNS)
    assert "late" not in reading.reader.columns
    assert "t.late: in t.jsonl, but not in the schema; left out" in reading.reader.warnings


def test_absent_metadata_are_told_once(tmp_path):
    for name, content in [("t.json", '[{"id": "a", "xata": {"version": 1}}]'), ("t.log", "{'id': 'a'}")]:
        (warning,) = Reading(write(tmp_path, name, content), NO_COLUMNS).reader.warnings
        assert warning.endswith("xata.createdAt, xata.updatedAt; NULL in every row")


def test_warnings_are_not_told_twice(tmp_path):
    path = write(tmp_path, "t.json", '[{"id": "a", "d": "1970-01-01T00:00:00.000Z"}, {"id": "b", "d": "x"}]')
    reading = Reading(path, table(d=T.DATETIME))
    list(reading.reader.batches())
    next(reading.reader.locate([0]))
    assert "t.d: 1970-01-01T00:00:00.000Z stands in 1 row" in reading.reader.warnings[-1]


@pytest.mark.parametrize("block_size", [1, 500, 1 << 20])
def test_many_small_pages_make_few_blocks(tmp_path, block_size):
    pages = [
        {"records": [{"id": f"{page}-{number}"} for number in range(3)], "meta": {"n": page}} for page in range(200)
    ]
    reading = Reading(write(tmp_path, "t.json", json.dumps(pages)), NO_COLUMNS, block_size=block_size)
    assert reading.column("id") == [record["id"] for page in pages for record in page["records"]]
    assert len(reading.batches) < 3 or block_size < 1000
    places = reading.reader.locate(range(600))
    assert [(place.line, place.raw) for place in places] == [
        (row + 1, json.dumps({"id": f"{row // 3}-{row % 3}"})) for row in range(600)
    ]


# --- memory ------------------------------------------------------------------------------------------

_READ = """
import resource, sys
from pathlib import Path
import pyarrow
from xata_pg_assets.xata.export import DIALECTS
from xata_pg_assets.xata.records import ReadOptions
from xata_pg_assets.xata.schema import XataColumn, XataTable, XataType

pyarrow.array(["x"])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
path = Path(sys.argv[1])
table = XataTable("t", (XataColumn("s", XataType.TEXT), XataColumn("j", XataType.JSON)))
reader = DIALECTS[path.suffix](path, path.name, table, ReadOptions())
rows = sum(batch.rows for batch in reader.batches())
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("name", ["t.json", "t.csv"])
def test_a_file_is_never_in_memory_whole(tmp_path, name):
    rows = 100_000
    with (tmp_path / name).open("w") as file:
        if name == "t.json":
            row = json.dumps({"id": "rec_%d", "s": 'some "text"\n' * 30, "j": {"a": [1, 2]}})
            file.write("[" + ",\n".join(row % number for number in range(rows)) + "]")
        else:
            row = '\nrec_%d,{"a": [1, 2]},"' + "some text " * 40 + '"'
            file.write("id,j,s" + "".join(row % number for number in range(rows)))
    done = subprocess.run(
        [sys.executable, "-c", _READ, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    read, kilobytes = map(int, done.stdout.split())
    assert read == rows
    assert kilobytes < 80 * 1024 < (tmp_path / name).stat().st_size / 1024 * 2.5
