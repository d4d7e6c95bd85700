"""The names that Xata's script gives, and those that copies get."""

from __future__ import annotations

import doctest
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xata_pg_assets.files import names, storage
from xata_pg_assets.report import pace

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@pytest.mark.parametrize("module", [names, storage, pace])
def test_examples(module):
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize(
    ("name", "base", "extension"),
    [
        # What Node 22 answers: path.basename(name, path.extname(name)), path.extname(name)
        ("photo.png", "photo", ".png"),
        ("photo.tar.gz", "photo.tar", ".gz"),
        ("photo", "photo", ""),
        (".env", ".env", ""),
        (".env.local", ".env", ".local"),
        ("..", "..", ""),
        ("..txt", ".", ".txt"),
        ("...", "..", "."),
        ("end.", "end", "."),
        ("a/b.c/d", "d", ""),
        ("a/b.png/", "b", ".png"),
        ("x/..", "..", ""),
        ("a b (1).PNG", "a b (1)", ".PNG"),
    ],
)
def test_names_are_split_as_node_does(name, base, extension):
    assert names.split_name(name) == (base, extension)


@given(st.text(max_size=300))
def test_a_safe_name_is_safe_whatever_it_was(name):
    safe = names.safe_name(name)
    assert SAFE.fullmatch(safe)
    assert len(safe) <= 100
    assert names.safe_name(safe) == safe or len(safe) > 80


@given(st.text(max_size=80))
def test_a_part_of_a_key_is_no_way_out(name):
    assert re.fullmatch(r"[a-z0-9_-]+", names.key_segment(name))


@given(st.text(min_size=1, max_size=30), st.text("abc_~:-0", min_size=1, max_size=20))
def test_the_id_is_found_again_in_a_saved_name(name, old_id):
    assert old_id in list(names.possible_ids(names.saved_name(name, old_id)))
