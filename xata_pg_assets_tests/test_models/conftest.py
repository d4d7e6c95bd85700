"""Databases made by the tool's own DDL, for models to be compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from psycopg import sql

from xata_pg_assets.plan.tables import Plan, PlanOptions, make_plan
from xata_pg_assets.postgres.ddl import plan_statements
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.test_models.shapes import PLAIN, PRESERVED, SNAKE


@dataclass(frozen=True)
class Made:
    """A plan, the database that the DDL makes of it, and an empty one for the models to make."""

    plan: Plan
    schema: str
    database: Database
    other: Database


def make(server: Server, xata: XataSchema, target_schema: str = "public", **options: Any) -> Made:
    plan = make_plan(xata, PlanOptions(**options))
    made = Made(plan, target_schema, server.new_database(), server.new_database())
    with psycopg.connect(made.database.url) as conn:
        for statement in plan_statements(Layout(target_schema), plan):
            conn.execute(statement)
    made.other.query("CREATE EXTENSION vector")
    if target_schema != "public":
        made.other.query(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(target_schema)))
    return made


@pytest.fixture(scope="session", params=[SNAKE, PRESERVED, PLAIN], ids=["snake_case", "preserve", "plain"])
def made(request: pytest.FixtureRequest, server: Server) -> Made:
    xata, options = request.param
    return make(server, xata, **options)
