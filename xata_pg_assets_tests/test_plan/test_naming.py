"""Names, rule by rule as SPEC section 1 and the fine print of section 6 put them."""

import hashlib
from itertools import groupby

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from xata_pg_assets.plan.naming import (
    MAX_BYTES,
    MAX_TABLE_BYTES,
    NameSpace,
    column_name,
    cut,
    snake_case,
    table_name,
)

LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
DIGITS = "0123456789"

xata_names = st.one_of(
    st.text("aBCd1_-~.", min_size=1, max_size=12),
    st.text("aB1_-~.é中", min_size=1, max_size=90),
)


def hash8(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def slow_snake_case(name: str) -> str:
    """Rules 1 and 2, a letter at a time."""
    bordered = ""
    for i, char in enumerate(name):
        after_lower_or_digit = i > 0 and name[i - 1] in LOWER + DIGITS
        last_of_a_run = i > 0 and name[i - 1] in UPPER and name[i + 1 : i + 2] in tuple(LOWER)
        if char in UPPER and (after_lower_or_digit or last_of_a_run):
            bordered += "_"
        bordered += char
    result = ""
    for kept, run in groupby(bordered, key=lambda char: char in LOWER + UPPER + DIGITS):
        result += "".join(run).lower() if kept else "_"
    while result.startswith("_"):
        result = result[1:]
    while result.endswith("_"):
        result = result[:-1]
    if not result:
        return "_"
    return "_" + result if result[0] in DIGITS else result


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("userSavedEvents", "user_saved_events"),
        ("HTTPServer", "http_server"),
        ("theHTTPServerX", "the_http_server_x"),
        ("ABC", "abc"),
        ("ABc", "a_bc"),
        ("Abc", "abc"),
        ("v2Beta", "v2_beta"),
        ("2ndName", "_2nd_name"),
        ("A2B", "a2_b"),
        ("v2beta", "v2beta"),
        ("2Fast", "_2_fast"),
        ("user-saved-events", "user_saved_events"),
        ("a-~_.b", "a_b"),
        ("a__b", "a_b"),
        ("_private_", "private"),
        ("a-Bc", "a_bc"),
        ("~", "_"),
        ("---", "_"),
        ("", "_"),
        ("-1-", "_1"),
        ("prénom", "pr_nom"),
        ("éÉ", "_"),
        ("order", "order"),
        ("select", "select"),
        ("name ", "name"),
        ('a"; DROP TABLE b; --', "a_drop_table_b"),
        ("٣x", "x"),
    ],
)
def test_snake_case(name, expected):
    assert snake_case(name) == expected


@settings(max_examples=200)
@given(xata_names)
@example("aB-CDe~")
def test_snake_case_equals_the_words_of_the_spec(name):
    assert snake_case(name) == slow_snake_case(name)


@settings(max_examples=150)
@given(xata_names)
def test_snake_case_leaves_its_own_names_alone(name):
    assert snake_case(snake_case(name)) == snake_case(name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("author", "author_id"),
        ("client_id", "client_id"),
        ("clientId", "client_id"),
        ("client-id", "client_id"),
        ("clientID", "client_id"),
        ("a_id_id", "a_id_id"),
        ("id", "id_id"),
        ("grid", "grid_id"),
        ("2", "_2_id"),
        ("~", "__id"),
    ],
)
def test_a_link_ends_in_id(name, expected):
    assert column_name(name, "snake_case", is_link=True) == expected


def test_a_column_that_is_no_link_gets_no_ending():
    assert column_name("author", "snake_case", is_link=False) == "author"


@pytest.mark.parametrize("naming", ["snake_case", "preserve"])
def test_a_column_is_cut_past_63_bytes(naming):
    fits, long = "a" * 63, "a" * 64
    assert column_name(fits, naming, is_link=False) == fits
    assert column_name(long, naming, is_link=False) == "a" * 54 + "_" + hash8(long)


def test_a_link_is_cut_before_its_ending():
    fits, long = "a" * 60, "a" * 61
    assert column_name(fits, "snake_case", is_link=True) == fits + "_id"
    assert column_name(long, "snake_case", is_link=True) == "a" * 51 + "_" + hash8(long) + "_id"


def test_a_long_link_with_the_ending_keeps_one():
    fits, long = "a" * 60 + "_id", "a" * 61 + "_id"
    assert column_name(fits, "snake_case", is_link=True) == fits
    assert column_name(long, "snake_case", is_link=True) == "a" * 51 + "_" + hash8(long) + "_id"


def test_the_hash_is_of_the_xata_name():
    long = "A-" * 40
    assert column_name(long, "snake_case", is_link=False) == ("a_" * 27) + "_" + hash8(long)


@pytest.mark.parametrize("naming", ["snake_case", "preserve"])
def test_a_table_is_cut_past_52_bytes(naming):
    fits, long = "t" * 52, "t" * 53
    assert table_name(fits, naming) == fits
    assert table_name(long, naming) == "t" * 43 + "_" + hash8(long)
    assert len(table_name(long, naming) + "_id_mapping") == MAX_BYTES


def test_bytes_are_counted_and_characters_kept_whole():
    fits, long = "é" * 31, "é" * 32
    assert column_name(fits, "preserve", is_link=False) == fits
    assert column_name(long, "preserve", is_link=False) == "é" * 27 + "_" + hash8(long)
    odd = "a" + "é" * 32
    assert column_name(odd, "preserve", is_link=False) == "a" + "é" * 26 + "_" + hash8(odd)


@pytest.mark.parametrize("name", ["userName", "a-b~c", "SELECT", "2nd", " padded ", "~", "clientId", 'q"q'])
@pytest.mark.parametrize("is_link", [True, False])
def test_preserve_keeps_the_spelling_of_links_too(name, is_link):
    assert column_name(name, "preserve", is_link=is_link) == name


def test_names_that_differ_past_the_cut_stay_two():
    assert column_name("a" * 70 + "x", "preserve", is_link=False) != column_name(
        "a" * 70 + "y", "preserve", is_link=False
    )


def test_the_first_free_name_is_taken():
    names = NameSpace()
    assert [names.take("a") for _ in range(4)] == ["a", "a_2", "a_3", "a_4"]


def test_collisions_cascade():
    names = NameSpace()
    assert [names.take(base) for base in ("a", "a", "a_2", "a_2", "a")] == [
        "a",
        "a_2",
        "a_2_2",
        "a_2_3",
        "a_3",
    ]


def test_a_number_skips_what_is_taken_already():
    names = NameSpace()
    assert [names.take(base) for base in ("a_2", "a", "a")] == ["a_2", "a", "a_3"]


def test_a_full_name_is_cut_for_its_number():
    names = NameSpace(limit=10)
    taken = [names.take("x" * 10) for _ in range(11)]
    assert taken[:2] == ["x" * 10, "x" * 8 + "_2"]
    assert taken[9:] == ["x" * 7 + "_10", "x" * 7 + "_11"]


def test_a_number_never_splits_a_character():
    names = NameSpace(limit=8)
    assert [names.take("éééé"), names.take("éééé")] == ["éééé", "ééé_2"]
    odd = NameSpace(limit=9)
    assert [odd.take("éééé_"), odd.take("éééé_")] == ["éééé_", "ééé_2"]


def test_case_counts():
    names = NameSpace(["id"])
    assert [names.take("ID"), names.take("Id"), names.take("id")] == ["ID", "Id", "id_2"]


@settings(max_examples=200)
@given(
    st.lists(xata_names, max_size=30),
    st.sampled_from(["snake_case", "preserve"]),
    st.sampled_from([MAX_BYTES, MAX_TABLE_BYTES, 12]),
)
def test_all_names_fit_and_none_meet(wanted, naming, limit):
    def hand_out() -> list[str]:
        names = NameSpace(["id"], limit)
        return [names.take(cut(snake_case(name) if naming == "snake_case" else name, name, limit)) for name in wanted]

    names = hand_out()
    assert all(0 < len(name.encode()) <= limit for name in names)
    assert len({"id", *names}) == len(names) + 1
    assert names == hand_out()
