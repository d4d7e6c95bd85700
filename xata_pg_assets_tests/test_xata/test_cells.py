"""The judge: what each type takes, and that its fast tests never differ from its exact ones."""

from __future__ import annotations

import doctest
import importlib
from collections.abc import Mapping

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xata_pg_assets.xata.cells import Judge
from xata_pg_assets.xata.records import Batch, ReadOptions, Reason, Records
from xata_pg_assets.xata.rules import rule_of
from xata_pg_assets.xata.schema import XataColumn, XataTable, XataType
from xata_pg_assets_tests.test_xata.csv_oracle import as_texts, rows_of

BAD = Reason.BAD_VALUE


def column(type_: XataType, **more: object) -> XataColumn:
    link = "t" if type_ is XataType.LINK else None
    return XataColumn("c", type_, link=link, dimension=3 if type_ is XataType.VECTOR else None, **more)


def test_of_a_bad_row_all_faults_are_told_those_of_its_json_too():
    table = XataTable(
        "t", (XataColumn("n", XataType.INT), XataColumn("j", XataType.JSON), XataColumn("o", XataType.OBJECT))
    )
    cells = {"id": ["a", "b", "c"], "n": ["1", "x", "y"], "j": ["{", "{", '{"k": 1}'], "o": ["{]", "{]", None]}
    records = Records(
        {name: pa.array(texts, pa.string()) for name, texts in cells.items()},
        rows=3,
        source_rows=3,
        line_of=lambda row: row,
        raw_of=str,
    )
    findings = Judge(table, list(cells), ReadOptions()).judge(records)
    # the first row's JSON is left to PostgreSQL, which never sees the second row
    assert [(fault.old_id, fault.column, fault.value) for fault in findings.faults] == [
        ("b", "n", "x"), ("b", "j", "{"), ("b", "o", "{]"), ("c", "n", "y"),
    ]  # fmt: skip
    assert findings.good is not None
    assert findings.good.tolist() == [0]


def verdict(type_: XataType, cell: str, *, thorough: bool = True):
    """Judge a cell as the judge does: by the fast test, and by the exact one where that is in doubt."""
    rule = rule_of("c", column(type_), ReadOptions(thorough=thorough))
    doubtful = len(rule.doubtful(pa.array([cell]), but_empty=False)) > 0
    exact = rule.judge(cell)
    assert doubtful or exact is None, "the fast test lets pass what the exact one refuses"
    return exact


# What PostgreSQL takes only otherwise
ODD_DATETIMES = {
    "0000-01-01T00:00:00Z": "0001-01-01 00:00:00+00 BC",
    "0000-01-01T00:00:00+00:01": "0002-12-31 23:59:00+00 BC",
    "9999-12-31T23:59:59-16:00": "10000-01-01 15:59:59+00",
    "2024-01-01t00:00:00z": "2024-01-01 00:00:00+00",
    "2024-01-01T00:00:00.5000000Z": "2024-01-01 00:00:00.5+00",
    "2024-03-01T00:30:00+23:59": "2024-02-29 00:31:00+00",
}

RIGHT = {
    XataType.TEXT: ["", " padded ", "NULL", "00123", "&#44;", "\r\n", "é😀", "\x01\x7f", "x" * 100_000],
    XataType.EMAIL: ["not an address", ""],
    XataType.INT: ["0", "-0", "00123", "9007199254740993", "9223372036854775807", "-9223372036854775808", "0" * 50],
    XataType.FLOAT: ["-0.0", "1e-07", "1.5E2", "5e-324", "1.7976931348623157e308", "0e999", ".5", "5.", "9" * 300],
    XataType.BOOL: ["true", "FALSE", "True", "tRUE", "t", "f"],
    XataType.DATETIME: [
        "2024-02-29T23:59:59Z",
        "2000-02-29 00:00:00+15:59",
        "0001-01-01T00:00:00.000001-00:00",
        "9999-12-31T23:59:59.999999Z",
        "2024-01-01 12:00:00",
        "0099-06-30T00:00:00Z",
        *ODD_DATETIMES,
    ],
    XataType.MULTIPLE: ["[]", '["a", "b,c"]', ' [ "\\u00e9\\ud83d\\ude00" ] ', '["\\\\u0000"]', '[""]'],
    XataType.JSON: ["null", "1e400", '"\\\\u0000"', '{"a": [1, {"b": null}]}', " [] \n", "[" * 5000 + "]" * 5000],
    XataType.OBJECT: ["{}", ' {"a": 1}'],
    XataType.FILE: ['{"name": ""}'],
    XataType.FILES: ["[]", '[{"name": "a"}]'],
    XataType.VECTOR: ["[1,2,3]", "[ -0.0, 1e-45 , 3.4028235e38 ]", "[0e999,1E+5,0.1234567890123456789012345]"],
    XataType.LINK: ["rec_a", "007", "é" * 255],
}

WRONG = [
    (XataType.TEXT, "a\0b", Reason.NUL_BYTE),
    *(
        (XataType.INT, cell, BAD)
        for cell in ["12.5", "1_000", "0x1A", " 42 ", "+1", "1e3", "-", "", "5\n", "٣", "1,000"]
    ),
    *((XataType.INT, cell, BAD) for cell in ["9223372036854775808", "-9223372036854775809", "1" * 5000]),
    *(
        (XataType.FLOAT, cell, BAD)
        for cell in ["inf", "NaN", "+1.0", "1e400", "1e-400", "0x1p3", "1,5", " 1", "1e", "."]
    ),
    *((XataType.BOOL, cell, BAD) for cell in ["yes", "1", "0", "on", "tru", " true", "fal\u017fe"]),
    *(
        (XataType.DATETIME, cell, BAD)
        for cell in [
            *("now", "infinity", "2024-01-01", "2023-02-29T00:00:00Z", "2024-02-30T00:00:00Z", "2024-13-01T00:00:00Z"),
            *("2024-01-01T24:00:00Z", "2024-12-31T23:59:60Z", "2024-01-01T12:00Z", "2024-01-01T12:00:00.1234567Z"),
            *("2024-01-01T12:00:00+24:00", "2024-01-01T12:00:00+05", "2024-01-01T12:00:00+0530", "20240101T120000Z"),
            *("2023-02-29T00:00:00.000Z", "2024-01-01T24:00:00.000Z", "2024-12-31T23:59:60.000Z"),
            *(
                "2024-01-01X12:00:00.000Z",
                "2024-01-01T12:00:00,000Z",
                "2024-01-01T12:00:00+0530",
                "2024-01-01T12:00:00.0 0Z",
            ),
            *("10000-01-01T00:00:00Z", "2024-1-1T00:00:00Z", "2024-01-01T00:00:00Z\n", "1900-02-29T00:00:00Z"),
        ]
    ),
    *((XataType.MULTIPLE, cell, BAD) for cell in ['["a", null]', "[1]", "['a']", "{}", '["a",]', '"a"', '["\n"]', "a"]),
    (XataType.MULTIPLE, '["\\u0000"]', Reason.NUL_BYTE),
    (XataType.MULTIPLE, '["\\ud83d"]', Reason.BAD_ENCODING),
    *(
        (XataType.JSON, cell, BAD)
        for cell in ["NaN", "[-Infinity]", "{a: 1}", "[1,]", "'x'", '"\n"', "01", "1 2", "\ufeff1"]
    ),
    *((XataType.JSON, cell, BAD) for cell in ["1e131072", "1e-16384", "[" * 7000 + "]" * 7000, "[" * 300 + "}" * 300]),
    (XataType.JSON, '{"\\u0000": 1}', Reason.NUL_BYTE),
    (XataType.JSON, '{"a": "\\ude00"}', Reason.BAD_ENCODING),
    (XataType.JSON, "[" * 300 + '"\\u0000"' + "]" * 300, Reason.NUL_BYTE),
    *((XataType.OBJECT, cell, BAD) for cell in ["[]", "null", '"a"', "1"]),
    *((XataType.FILE, cell, BAD) for cell in ["[]", "null"]),
    *((XataType.FILES, cell, BAD) for cell in ["{}", "null"]),
    *(
        (XataType.VECTOR, cell, BAD)
        for cell in ["[1,2,NaN]", "[1,2,1e39]", "[1,2,1e-46]", "[1,null,2]", "1,2,3", '["1",2,3]']
    ),
    *(
        (XataType.VECTOR, cell, BAD)
        for cell in ["[01,2,3]", "[.5,1,1]", "[+1,2,3]", "[1,2,3.40282357e38]", "[1,2,3", "{}"]
    ),
    *((XataType.VECTOR, cell, Reason.BAD_DIMENSION) for cell in ["[]", "[1,2]", "[1,2,3,4]"]),
    (XataType.LINK, "x" * 256, Reason.VALUE_TOO_LONG),
]


@pytest.mark.parametrize(("type_", "cell"), [(type_, cell) for type_, cells in RIGHT.items() for cell in cells])
def test_right_cells(type_, cell):
    assert verdict(type_, cell) is None


@pytest.mark.parametrize(("type_", "cell", "reason"), WRONG)
def test_wrong_cells(type_, cell, reason):
    assert verdict(type_, cell) is reason


def test_json_is_left_to_postgresql_until_it_refused():
    assert verdict(XataType.JSON, "no json", thorough=False) is None
    assert verdict(XataType.JSON, "a\0", thorough=False) is Reason.NUL_BYTE
    assert verdict(XataType.OBJECT, "[]", thorough=False) is BAD
    assert verdict(XataType.MULTIPLE, "no json", thorough=False) is BAD


EDGES = st.text(alphabet=st.sampled_from('0123456789-+.eE[], \n\t"\\u{}:tTzZfnaI_x٣\0'), max_size=12)
WHOLE = [(type_, cell) for type_, cells in RIGHT.items() for cell in cells if len(cell) < 60]


@settings(max_examples=1000, deadline=None)
@given(st.sampled_from(WHOLE), st.integers(0, 60), st.integers(0, 3), EDGES)
def test_the_fast_test_never_lets_pass_what_the_exact_one_refuses(whole, start, cut, patch):
    type_, cell = whole
    verdict(type_, cell[:start] + patch + cell[start + cut :])


# --- whole blocks ------------------------------------------------------------------------------------

TABLE = XataTable(
    "t",
    (
        XataColumn("n", XataType.INT),
        XataColumn("must", XataType.INT, not_null=True),
        XataColumn("s", XataType.TEXT, not_null=True),
        XataColumn("d", XataType.DATETIME),
    ),
)


def block(columns: Mapping[str, list[str | None]], **more: object) -> Records:
    rows = len(next(iter(columns.values())))
    return Records(
        {name: pa.array(cells, pa.string()) for name, cells in columns.items()},
        rows=rows,
        source_rows=rows,
        line_of=lambda row: row + 2,
        raw_of=lambda row: f"record {row}",
        **more,
    )


def judged(columns: Mapping[str, list[str | None]], force_null=(), force_not_null=(), **more: object) -> Batch:
    with as_texts():
        judge = Judge(TABLE, tuple(columns), ReadOptions(), force_null=force_null, force_not_null=force_not_null)
    return judge.batch(block(columns, **more))


def test_a_block_with_a_fault_is_written_without_the_row():
    batch = judged({"id": ["a", "b", "c"], "n": ["1", "x", None]})
    assert rows_of(batch.data) == [["a", "1"], ["c", None]]
    assert (batch.rows, batch.source_rows) == (2, 3)
    assert [(f.line, f.old_id, f.column, f.value, f.reason, f.raw) for f in batch.faults] == [
        (3, "b", "n", "x", BAD, "record 1")
    ]


def test_a_row_may_have_several_faults():
    batch = judged({"n": ["x", "1"], "id": ["a", ""], "d": ["y", None]})
    assert [(fault.line, fault.column) for fault in batch.faults] == [(2, "n"), (2, "d"), (3, "id")]
    assert batch.faults[2].reason is Reason.MISSING_ID
    assert batch.faults[2].value == ""
    assert (batch.rows, batch.data) == (0, b"")


def test_null_where_it_is_not_allowed():
    columns = {"id": ["a", "b", "c"], "must": [None, "", "1"], "s": [None, "", None]}
    batch = judged(columns, force_null=("must",), force_not_null=("s",))
    assert [(f.old_id, f.column, f.reason) for f in batch.faults] == [
        ("a", "must", Reason.NULL_NOT_ALLOWED),
        ("b", "must", Reason.NULL_NOT_ALLOWED),
    ]
    assert rows_of(batch.data) == [["c", "1", ""]]
    strict = judged(columns)  # as forms have it that tell NULL from an empty text
    assert [(f.old_id, f.column, f.reason) for f in strict.faults] == [
        ("a", "must", Reason.NULL_NOT_ALLOWED),
        ("a", "s", Reason.NULL_NOT_ALLOWED),
        ("b", "must", BAD),
        ("c", "s", Reason.NULL_NOT_ALLOWED),
    ]


def test_faults_that_the_dialect_found_are_told_with_the_others():
    batch = judged({"id": ["7", "b"], "n": ["1", "x"]}, known={"id": {0: BAD}, "n": {1: Reason.BAD_ENCODING}})
    assert [(f.old_id, f.column, f.reason) for f in batch.faults] == [
        ("7", "id", BAD),
        ("b", "n", Reason.BAD_ENCODING),
    ]


def test_an_id_too_long_is_told_whole():
    (fault,) = judged({"id": ["x" * 256]}).faults
    assert (fault.old_id, fault.column, fault.reason) == ("x" * 256, "id", Reason.VALUE_TOO_LONG)


def test_metadata_and_unknown_columns():
    batch = judged(
        {"id": ["a", "b"], "xata.version": ["0", "x"], "xata.updatedAt": ["now", None], "odd": ["anything", "a\0"]}
    )
    assert [(fault.old_id, fault.column, fault.reason) for fault in batch.faults] == [
        ("a", "xata.updatedAt", BAD),
        ("b", "xata.version", BAD),
        ("b", "odd", Reason.NUL_BYTE),
    ]
    assert batch.faults[2].value == "a\ufffd"


@pytest.mark.parametrize("cell", ["2024-01-01 00:00:00", "2024-02-29T00:00:00", "0000-01-01T00:00:00"])
def test_one_warning_for_datetimes_without_an_offset(cell):
    judge = Judge(TABLE, ("id", "d"), ReadOptions())
    judge.batch(block({"id": ["a"], "d": ["2024-01-01T00:00:00Z"]}))
    assert judge.warnings == []
    judge.batch(block({"id": ["a", "b"], "d": [cell, cell]}))
    judge.batch(block({"id": ["a"], "d": [cell]}))
    assert judge.warnings == ["t.d: datetimes without an offset were read as UTC"]


cells = st.none() | st.text(alphabet=st.sampled_from('ab",\\.\n\r\t é'), max_size=6)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.text(alphabet='a\\.\n"', min_size=1, max_size=4), cells, cells), min_size=1))
def test_encoded_rows_come_back(rows):
    columns = {name: [row[place] for row in rows] for place, name in enumerate(("id", "x", "y"))}
    batch = Judge(XataTable("t"), ("id", "x", "y"), ReadOptions()).batch(block(columns))
    assert rows_of(batch.data) == [list(row) for row in rows]


def test_slices_and_large_strings_are_judged_alike():
    for kind in (pa.string(), pa.large_string()):
        sliced = pa.array(["x", "[1,2,3]", "[1,2]", None, "[1,2,3]", "y"], kind).slice(1, 4)
        rule = rule_of("c", column(XataType.VECTOR), ReadOptions())
        assert rule.doubtful(sliced, but_empty=False).tolist() == [1]
        links = pa.array(["x" * 300, "a", "b" * 256, None], kind).slice(1, 3)
        assert rule_of("id", None, ReadOptions()).doubtful(links, but_empty=False).tolist() == [1]


@pytest.mark.parametrize("name", ["json_text", "values", "rules", "csv_scan", "csv_head", "export"])
def test_the_examples_in_docstrings_hold(name):
    tested = doctest.testmod(importlib.import_module(f"xata_pg_assets.xata.{name}"))
    assert tested.attempted > 0
    assert tested.failed == 0
