"""No claim on the page of reliability without a test that exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reliability.md"
_NAMED = re.compile(r"`(?:xata_pg_assets_tests/)?([\w/]+\.py)((?:::\w+)+)`")


def claims(page: str) -> Iterator[str]:
    """Yield the rows of the tables, headings and rules apart; comments are no part of the page."""
    lines = re.sub(r"<!--.*?-->", "", page, flags=re.DOTALL).splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        is_heading = line.startswith("| promise")
        if line.startswith("|") and not is_heading and not before.startswith("| promise"):
            yield line


def names_in(path: Path) -> set[str]:
    """Return the names of a module's tests, those of a class after it."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
    return found


def faults(page: str) -> list[str]:
    """Return the claims that name no test, and the tests that are not there."""
    bare = [line for line in claims(page) if not _NAMED.search(line)]
    missing = []
    for line in claims(page):
        for file, name in _NAMED.findall(line):
            path = TESTS / file
            if not path.is_file() or name.removeprefix("::") not in names_in(path):
                missing.append(f"{file}{name}")
    return bare + missing


def test_every_claim_names_a_test_that_exists():
    page = PAGE.read_text()
    assert len(list(claims(page))) > 30
    assert faults(page) == []


def test_the_test_sees():
    head = "| promise | tested by |\n|---|---|\n"
    assert faults(f"{head}| a claim | nothing |\n") == ["| a claim | nothing |"]
    assert faults(f"{head}| a claim | `test_layers.py::test_not_there` |\n") == ["test_layers.py::test_not_there"]
    assert faults(f"{head}| a claim | `test_nowhere.py::test_x` |\n") == ["test_nowhere.py::test_x"]
    assert faults(f"{head}| a claim | `test_layers.py::test_imports_go_downward` |\n") == []
