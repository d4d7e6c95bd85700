"""SQLAlchemy's models, executed: what they make equals the DDL, and their relationships find rows."""

from __future__ import annotations

import warnings
from types import ModuleType

import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from xata_pg_assets.models.sqlalchemy import sqlalchemy_models
from xata_pg_assets_tests.test_models.catalog import facts
from xata_pg_assets_tests.test_models.conftest import Made


def module_of(text: str, name: str = "app_models") -> ModuleType:
    """Import a module from its text."""
    import sys

    module = ModuleType(name)
    sys.modules[name] = module  # SQLAlchemy looks annotations up in it
    exec(compile(text, name, "exec"), module.__dict__)
    return module


def engine_of(url: str) -> sa.Engine:
    import psycopg

    return sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))


def test_models_make_the_database_that_the_ddl_makes(made: Made):
    module = module_of(sqlalchemy_models(made.plan, made.schema))
    with warnings.catch_warnings():
        warnings.simplefilter("error", sa.exc.SAWarning)
        orm.configure_mappers()
        module.Base.metadata.create_all(engine_of(made.other.url))
    assert facts(made.other, made.schema) == facts(made.database, made.schema)
