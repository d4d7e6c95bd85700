"""Whatever the dataset and whatever the dialect, the same cells arrive."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xata_pg_assets_tests.test_xata.dialects import EVERY, WRITERS, Reading, T, typed, write

ids = st.one_of(
    st.text("abcdefghijklmnopqrstuv0123456789", min_size=20, max_size=20).map(lambda name: f"rec_{name}"),
    st.text("abcXYZ019_-~:", min_size=1, max_size=8),
).filter(lambda name: name != "id")
texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.text("'\"\\,[]{}\n\r\tab é😀:", max_size=12),
    st.sampled_from(
        ["NULL", "None", "True", " padded ", "00123", "\\N", "\\.", "id", "a\n\\.\nb", "{'a': 1}", 'it\'s "x"']
    ),
)
floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda number: number if abs(number) != 5e-324 else 0.5)
float4s = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)
ints = st.one_of(st.integers(-(2**63), 2**63 - 1), st.sampled_from([0, 9007199254740993]))
datetimes = st.one_of(
    st.datetimes().map(lambda moment: moment.isoformat() + "Z"),
    st.sampled_from(["0090-01-01T00:00:00.123456Z", "2024-02-29T12:00:00+05:30", "1969-07-20T20:17:00.1Z"]),
)


def _is_container(text: Any) -> bool:
    """Tell whether a string would be taken for encoded JSON."""
    try:
        return isinstance(text, str) and isinstance(json.loads(text), list | dict)
    except ValueError:
        return False


scalars = st.one_of(texts, ints, floats, st.booleans())
json_values = st.recursive(
    st.one_of(scalars, st.none()), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)
).filter(lambda value: not _is_container(value) and value is not None)
rows = st.lists(
    st.fixed_dictionaries(
        {"id": ids, "body": texts},
        optional={
            "title": texts.filter(bool),
            "mail": st.text("abc.@'+", min_size=1),
            "count": ints,
            "ratio": floats,
            "done": st.booleans(),
            "at": datetimes,
            "tags": st.lists(texts, max_size=3),
            "data": json_values.map(json.dumps),
            "legacy": st.dictionaries(texts, st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=3),
            "embedding": st.lists(float4s, min_size=3, max_size=3),
            "parent": ids,
            "xata.version": st.integers(0, 5),
            "xata.createdAt": datetimes,
            "xata.updatedAt": datetimes,
        },
    ),
    max_size=5,
)


def expected(row: dict[str, Any], name: str) -> Any:
    value = row.get(name)
    types = {column.name: column.type for column in EVERY.columns} | {"xata.version": T.INT}
    if value is None:
        return None
    type_ = types.get(name, T.TEXT)
    return typed(json.dumps(value) if type_ in (T.MULTIPLE, T.OBJECT, T.VECTOR) else str(value), type_)


@pytest.mark.parametrize("dialect", WRITERS)
@settings(max_examples=60, deadline=None)
@given(rows, st.booleans(), st.sampled_from([None, 1, 40, 300]))
@example(
    [{"id": "a", "body": "", "data": '"hello, \\"you\\""', "tags": ["it's", '"']}, {"id": "b", "body": "x"}], False, 1
)
@example([{"id": "a", "body": "", "data": '{"a": [1, "},{"]}', "embedding": [1e-07, -0.0, 3e38]}], True, 7)
@example([{"id": "a", "body": "\U0001f600\ud7ff", "data": "1.10", "legacy": {"a": True, "b": "\\'\"\n"}}], False, None)
def test_a_dataset_arrives_the_same(tmp_path_factory, dialect, rows, as_gzip, block_size):
    name, writer, has_metadata = WRITERS[dialect]
    path = write(tmp_path_factory.mktemp("same"), name, writer(rows, EVERY), as_gzip=as_gzip)
    reading = Reading(path, EVERY, block_size=block_size)
    assert reading.told == []
    names = [column.name for column in EVERY.columns]
    names += ["xata.version", "xata.createdAt", "xata.updatedAt"] if has_metadata else []
    arrived = reading.typed(EVERY)
    assert [row["id"] for row in arrived] == [row["id"] for row in rows]
    for name in names if rows else []:
        assert [row.get(name) for row in arrived] == [expected(row, name) for row in rows], name
    places = list(reading.reader.locate(range(len(rows))))
    assert [row["id"] in place.raw for row, place in zip(rows, places, strict=True)] == [True] * len(rows)
    starts = [place.line for place in places]
    assert starts == sorted(set(starts))
    if ".json" in path.suffixes:
        assert starts == list(range(1, len(rows) + 1))
