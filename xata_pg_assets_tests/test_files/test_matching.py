"""Which saved file is whose: by id, name and size, and never by a guess."""

from __future__ import annotations

import pytest

from xata_pg_assets.files.copying import shelf_of
from xata_pg_assets.files.matching import FileObject, match_record


class Folder:
    def __init__(self, sizes):
        self.sizes = sizes
        self.names = frozenset(sizes)

    def size(self, name):
        return self.sizes.get(name)


def match(objects, sizes, rivals=(), old_id="rec_1"):
    """Match (column, position, name, size) with saved names and sizes; return saved names, or faults."""
    found = match_record(
        old_id, [FileObject(*each) for each in objects], shelf_of(Folder(sizes), lambda *_: list(rivals))
    )
    return [each.fault or each.saved for each in found]


def kinds(found):
    return [text.partition(":")[0] for text in found]


def test_the_name_that_the_script_gives():
    objects = [("a", 1, "photo.png", 5), ("g", 1, "x y.jpg", 2), ("g", 2, "no extension", 3)]
    sizes = {"photo__rec_1.png": 5, "x y__rec_1.jpg": 2, "no extension__rec_1": 3, "photo__rec_2.png": 9}
    assert match(objects, sizes) == ["photo__rec_1.png", "x y__rec_1.jpg", "no extension__rec_1"]


def test_a_size_that_nobody_tells_is_no_fault():
    assert match([("a", 1, "photo.png", None)], {"photo__rec_1.png": 5}) == ["photo__rec_1.png"]


def test_another_size_is():
    assert match([("a", 1, "p.png", 1000)], {"p__rec_1.png": 5}) == [
        "size: p__rec_1.png has 5 bytes, and Xata tells 1,000"
    ]


@pytest.mark.parametrize("name", ["p.png", ""])
def test_what_is_not_there_is_lost(name):
    assert kinds(match([("a", 1, name, 7)], {"other__rec_2.png": 7})) == ["lost"]


def test_of_equal_names_the_one_of_its_size_was_kept():
    objects = [("a", 1, "p.png", 5), ("g", 1, "p.png", 6), ("g", 2, "p.png", 7)]
    assert kinds(match(objects, {"p__rec_1.png": 6})) == ["lost", "p__rec_1.png", "lost"]
    assert kinds(match(objects, {"p__rec_1.png": 9})) == ["size"] * 3


def test_of_equal_names_and_sizes_none_is_taken():
    objects = [("g", 1, "p.png", 5), ("g", 2, "p.png", 5), ("g", 3, "p.png", 6)]
    assert kinds(match(objects, {"p__rec_1.png": 5})) == ["ambiguous", "ambiguous", "lost"]
    assert kinds(match([("g", 1, "p.png", None), ("g", 2, "p.png", None)], {"p__rec_1.png": 5})) == ["ambiguous"] * 2


def test_what_a_person_laid_down_is_for_sure():
    objects = [("g", 1, "p.png", 5), ("g", 2, "p.png", 5), ("g", 3, "", 4)]
    sizes = {"p__rec_1.png": 5, "p__rec_1__g__2.png": 5, "__rec_1__g__3": 4}
    assert match(objects, sizes) == ["p__rec_1.png", "p__rec_1__g__2.png", "__rec_1__g__3"]


def test_file_systems_change_case_accents_and_signs():
    assert match([("a", 1, "Fotó: 1.PNG", 5)], {"foto_ 1__rec_1.png": 5, "z__rec_1.png": 5}) == ["foto_ 1__rec_1.png"]


def test_a_name_that_changed_is_known_by_its_size():
    sizes = {"renamed__rec_1.png": 5, "other__rec_1.png": 6}
    assert match([("a", 1, "p.png", 5)], sizes) == ["renamed__rec_1.png"]
    assert kinds(match([("a", 1, "p.png", 5), ("a", 1, "q.png", 5)], sizes)) == ["ambiguous"] * 2
    assert kinds(match([("a", 1, "p.png", 5)], {**sizes, "third__rec_1.png": 5})) == ["ambiguous"]


def test_a_file_that_is_taken_is_no_candidate():
    objects = [("a", 1, "p.png", 5), ("g", 1, "", 5)]
    assert kinds(match(objects, {"p__rec_1.png": 5})) == ["p__rec_1.png", "lost"]


def test_a_name_that_two_records_may_have_is_ambiguous():
    assert kinds(match([("a", 1, "x.png", 5)], {"x__a__b.png": 5}, ["b"], "a__b")) == ["ambiguous"]
