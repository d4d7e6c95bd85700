"""The examples in the docstrings of the plan hold."""

import doctest
import importlib
import pkgutil

import pytest

from xata_pg_assets import plan

MODULES = [module.name for module in pkgutil.iter_modules(plan.__path__, f"{plan.__name__}.")]


@pytest.mark.parametrize("name", MODULES)
def test_doctests(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_there_are_doctests():
    attempted = {name: doctest.testmod(importlib.import_module(name)).attempted for name in MODULES}
    assert attempted["xata_pg_assets.plan.naming"] > 0
    assert attempted["xata_pg_assets.plan.order"] > 0
