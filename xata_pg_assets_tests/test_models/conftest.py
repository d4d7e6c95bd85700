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
from xata_pg_assets_tests.fix_export import Export, NewExport, column, link, table
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


BLOG = (
    table("users", column("email", "email", unique=True), link("boss", "users")),
    table("profile", link("user", "users", unique=True), column("bio", not_null=True)),
    table(
        "posts",
        column("title", not_null=True),
        column("likes", "int"),
        column("rating", "float", default="2.5"),
        column("tags", "multiple"),
        column("meta", "json"),
        column("embedding", "vector", dimension=2),
        column("seen", "datetime"),
        link("author", "users"),
        link("editor", "users"),
    ),
)
# What a query through any of the models finds: each post with its author, the author's boss and profile
POSTS = [
    {
        "title": "first",
        "likes": "9007199254740993",
        "tags": ["a", "it's"],
        "meta": {"a": [1, None]},
        "embedding": [1, -0.5],
        "seen": "2024-01-02T03:04:05.678Z",
        "author": "bob@x.org",
        "boss": "ann@x.org",
        "profile": "Bob's life",
        "editor": "ann@x.org",
    },
    {
        "title": "second",
        "likes": "null",
        "tags": None,
        "meta": None,
        "embedding": None,
        "seen": None,
        "author": None,
        "boss": None,
        "profile": None,
        "editor": "ann@x.org",
    },
]
# The rest of what they see: those whose boss Ann is; her posts; the row made; its author when Ann is gone
SEEN = {"reports": ["bob@x.org"], "written": 0, "edited": 2, "made": {"id": 3, "rating": 2.5}, "orphan": None}


@pytest.fixture
def blog(new_export: NewExport) -> Export:
    """A small database, migrated."""
    export = new_export(*BLOG)
    export.rows("users", "id,email,boss", [("u1", "ann@x.org", None), ("u2", "bob@x.org", "u1")])
    export.rows("profile", "id,user,bio", [("f1", "u2", "Bob's life")])
    export.rows(
        "posts",
        "id,title,likes,tags,meta,embedding,seen,author,editor",
        [
            (
                "p1",
                "first",
                "9007199254740993",
                '["a","it\'s"]',
                '{"a": [1, null]}',
                "[1,-0.5]",
                "2024-01-02T03:04:05.678Z",
                "u2",
                "u1",
            ),
            ("p2", "second", None, None, None, None, None, None, "u1"),
        ],
    )
    assert export.migrate().red == {}
    return export
