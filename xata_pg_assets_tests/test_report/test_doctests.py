"""The examples in the docstrings of the report hold."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["escape", "layers", "verdict"])
def test_doctests(name):
    result = doctest.testmod(importlib.import_module(f"xata_pg_assets.report.{name}"))
    assert (result.failed, result.attempted > 0) == (0, True)
