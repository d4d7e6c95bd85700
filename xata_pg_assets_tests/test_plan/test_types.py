"""Types and defaults, from the table in SPEC section 1 and the cells of section 6."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xata_pg_assets.plan.types import NOW, Default, default_of, staging_type, target_type
from xata_pg_assets.xata.schema import XataColumn, XataType


def column(type_: str, default: str | None = None) -> XataColumn:
    return XataColumn(
        "c",
        XataType(type_),
        link="t" if type_ == "link" else None,
        dimension=3 if type_ == "vector" else None,
        default=default,
    )


TARGET_TYPES = {
    "string": "text",
    "text": "text",
    "email": "text",
    "int": "bigint",
    "float": "double precision",
    "bool": "boolean",
    "datetime": "timestamptz",
    "multiple": "text[]",
    "json": "jsonb",
    "object": "jsonb",
    "vector": "vector(3)",
    "file": "jsonb",
    "file[]": "jsonb",
    "link": "bigint",
}


def test_every_xata_type_is_in_the_table():
    assert {str(type_) for type_ in XataType} == set(TARGET_TYPES)


@pytest.mark.parametrize(("xata_type", "expected"), TARGET_TYPES.items())
def test_target_type(xata_type, expected):
    assert str(target_type(column(xata_type))) == expected


@pytest.mark.parametrize("xata_type", TARGET_TYPES)
def test_staging_holds_old_ids_and_lists_as_json(xata_type):
    expected = {"link": "text", "multiple": "jsonb"}.get(xata_type, TARGET_TYPES[xata_type])
    assert str(staging_type(column(xata_type))) == expected


@pytest.mark.parametrize("xata_type", TARGET_TYPES)
def test_no_default_is_none(xata_type):
    assert default_of(column(xata_type)) is None


@pytest.mark.parametrize("xata_type", ["string", "text", "email"])
@pytest.mark.parametrize("text", ["", "null", "now", "true", "0", " padded ", "it's", "a\r\nb", "{}", "é", "\\"])
def test_a_text_default_is_literal(xata_type, text):
    assert default_of(column(xata_type, text)) == Default(text)


@pytest.mark.parametrize("xata_type", ["string", "text", "email"])
@pytest.mark.parametrize("text", ["a\0b", "\ud800", "a\udfffb"])
def test_a_text_default_that_postgresql_cannot_hold_is_none(xata_type, text):
    assert default_of(column(xata_type, text)) is None


@pytest.mark.parametrize("xata_type", sorted(set(TARGET_TYPES) - {"string", "text", "email"}))
def test_an_empty_default_is_none_but_on_text(xata_type):
    assert default_of(column(xata_type, "")) is None


@pytest.mark.parametrize("xata_type", sorted(set(TARGET_TYPES) - {"string", "text", "email", "json"}))
def test_the_word_null_is_a_default_of_text_and_json_only(xata_type):
    assert default_of(column(xata_type, "null")) is None


@pytest.mark.parametrize("xata_type", sorted(set(TARGET_TYPES) - {"string", "text", "email", "datetime"}))
def test_now_is_a_time_on_a_datetime_only(xata_type):
    assert default_of(column(xata_type, "now")) is None


def test_now_on_a_datetime_is_the_time_of_the_insert():
    default = default_of(column("datetime", "now"))
    assert default == NOW
    assert default.is_now
    assert not Default("now").is_now


VALID = {
    "int": ["0", "-0", "42", "-42", "00123", "9223372036854775807", "-9223372036854775808"],
    "float": [
        "0",
        "-0.0",
        "1",
        "1.5",
        "-1.5e3",
        "1E-07",
        "1e+5",
        "0e-999",
        "5e-324",
        "1.7976931348623157e308",
    ],
    "bool": ["true", "false", "True", "FALSE", "t", "f"],
    "datetime": [
        "2020-02-29T12:00:00Z",
        "2020-02-29t12:00:00z",
        "2020-02-29 12:00:00+05:30",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999-08:00",
        "2020-01-01T00:00:00.1Z",
        "2020-01-01T00:00:00.123456000Z",
    ],
    "json": [
        "{}",
        "[]",
        "null",
        "1",
        '"text"',
        '{"a": [1, 2.5e3, null, "é"]}',
        r'"\ud83d\ude00"',
        r'"\\u0000 spelled out"',
    ],
    "object": ["{}", '{"a": {"b": 1}}'],
    "vector": ["[1, 2, 3]", "[0.1,-2e-7,3e38]", "[-0.0, 0, 3.4028234e38]"],
    "file": ['{"name": "a.png", "size": 1}'],
    "file[]": ["[]", '[{"name": "a.png"}]'],
}
INVALID = {
    "int": [
        "1_000",
        "0x1A",
        " 42 ",
        "42 ",
        "12.5",
        "1e3",
        "9223372036854775808",
        "-9223372036854775809",
        "+",
        "--1",
        "٣",
        "1\n",
        "true",
    ],
    "float": [
        "inf",
        "-inf",
        "Infinity",
        "nan",
        "NaN",
        "1e309",
        "-1e309",
        "1e-400",
        "0.0001e-999",
        "1_0.0",
        " 1.5",
        "0x1p3",
        "1,5",
        "e5",
        ".",
        "-",
        "1\n",
    ],
    "bool": ["yes", "no", "1", "0", "on", " true", "tru", "true\n"],
    "datetime": [
        "today",
        "infinity",
        "epoch",
        "Now",
        "2020-01-01",
        "12:00:00",
        "2020-02-30T00:00:00Z",
        "2021-02-29T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-06-30T23:59:60Z",
        "2020-01-01T12:60:00Z",
        "2020-01-01T12:00Z",
        "2020-01-01T00:00:00.1234567Z",
        "2020-01-01T00:00:00.Z",
        "20200101T000000Z",
        "2020-01-01T00:00:00 Z",
        "2020-01-01T00:00:00+0530",
        "2020-01-01T00:00:00+05",
        "0000-01-01T00:00:00Z",
        "2020-01-01T00:00:00+05:60",
        "2020-01-01T00:00:00+24:00",
        "2020-13-01T00:00:00Z",
        " 2020-01-01T00:00:00Z",
        "2020-01-01T00:00:00Z\n",
        "2020-W01-1T00:00:00Z",
        "12020-01-01T00:00:00Z",
        "now()",
    ],
    "json": [
        "{",
        "{'a': 1}",
        "[1,]",
        "NaN",
        "-Infinity",
        '{"a": NaN}',
        "text",
        "01",
        r'"\u0000"',
        r'"\\\u0000"',
        r'{"\u0000": 1}',
        r'"\ud800"',
        '"a\nb"',
        "1 2",
        "True",
    ],
    "object": ["[]", "1", '"a"', "null", "{'a': 1}"],
    "multiple": [
        "a",
        "a,b",
        "{a,b}",
        '"a"',
        '{"a": 1}',
        "[1]",
        '["a", null]',
        '[["a"]]',
        "['a']",
        r'["\u0000"]',
        r'["\ud800"]',
    ],
    "vector": [
        "[1, 2]",
        "[1, 2, 3, 4]",
        "[1, 2, null]",
        '[1, 2, "3"]',
        "[1, 2, true]",
        "[1, 2, NaN]",
        "[1, 2, 1e39]",
        "[1, 2, 1e999]",
        "[1, 2, 3.40283e38]",
        "1,2,3",
        "{}",
        "[[1, 2, 3]]",
    ],
    "file": ["[]", "a.png", "1"],
    "file[]": ["{}", "a.png", "1"],
    "link": ["rec_cg0000000000000000a0", "1"],
}


def pairs(table):
    return [(xata_type, text) for xata_type, texts in table.items() for text in texts]


@pytest.mark.parametrize(("xata_type", "text"), pairs(VALID))
def test_a_valid_default_is_kept_as_it_stands(xata_type, text):
    assert default_of(column(xata_type, text)) == Default(text)


@pytest.mark.parametrize(("xata_type", "text"), pairs(INVALID))
def test_an_invalid_default_is_none(xata_type, text):
    assert default_of(column(xata_type, text)) is None


@pytest.mark.parametrize("text", ["2020-02-29T12:00:00", "2020-02-29 12:00:00.25"])
def test_a_datetime_without_an_offset_is_utc_whatever_the_session_says(text):
    assert default_of(column("datetime", text)) == Default(f"{text}Z")


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_a_list_default_is_its_items(items):
    assert default_of(column("multiple", json.dumps(items))) == Default(tuple(items))


@settings(max_examples=100)
@given(st.integers())
def test_an_int_default_is_kept_within_64_bits(number):
    kept = default_of(column("int", str(number))) is not None
    assert kept == (-(2**63) <= number < 2**63)


@settings(max_examples=100)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_finite_float_is_a_default(number):
    assert default_of(column("float", repr(number))) == Default(repr(number))
