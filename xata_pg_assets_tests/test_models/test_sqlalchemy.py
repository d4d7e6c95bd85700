"""SQLAlchemy's models, executed: what they make equals the DDL, and their relationships find rows."""

from __future__ import annotations

import sys
import warnings
from types import ModuleType

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from xata_pg_assets.models.sqlalchemy import sqlalchemy_models
from xata_pg_assets_tests.fix_export import Export
from xata_pg_assets_tests.test_models.catalog import facts
from xata_pg_assets_tests.test_models.conftest import POSTS, SEEN, Made


def module_of(text: str, name: str = "app_models") -> ModuleType:
    """Import a module from its text."""
    module = ModuleType(name)
    sys.modules[name] = module  # SQLAlchemy looks annotations up in it
    exec(compile(text, name, "exec"), module.__dict__)  # noqa: S102  our own text
    return module


def engine_of(url: str) -> sa.Engine:
    return sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url))


def test_models_make_the_database_that_the_ddl_makes(made: Made):
    module = module_of(sqlalchemy_models(made.plan, made.schema))
    with warnings.catch_warnings():
        warnings.simplefilter("error", sa.exc.SAWarning)
        orm.configure_mappers()
        module.Base.metadata.create_all(engine_of(made.other.url))
    assert facts(made.other, made.schema) == facts(made.database, made.schema)


def test_reflection_finds_the_models(made: Made):
    """What SQLAlchemy reads from the database are the tables, columns and foreign keys that the models tell."""
    if made.schema != "public":
        pytest.skip("SQLAlchemy's own reflection reads no foreign key of a name with a line feed")
    module = module_of(sqlalchemy_models(made.plan, made.schema))
    found = sa.MetaData(schema=None if made.schema == "public" else made.schema)
    with warnings.catch_warnings():
        warnings.simplefilter("error", sa.exc.SAWarning)
        found.reflect(engine_of(made.database.url))
    assert shape_of(found) == shape_of(module.Base.metadata)


def shape_of(metadata: sa.MetaData) -> dict[str, object]:
    dialect = sa.create_engine("postgresql+psycopg://").dialect
    return {
        table.name: (
            [(each.name, each.type.compile(dialect), each.nullable, each.primary_key) for each in table.columns],
            {
                (key.name, key.ondelete or "NO ACTION", *key.column_keys, key.referred_table.name)
                for key in table.foreign_key_constraints
            },
            {(index.name, *index.columns.keys()) for index in table.indexes},
        )
        for table in metadata.tables.values()
    }


def test_queries_follow_the_relationships_both_ways(blog: Export):
    models = module_of(sqlalchemy_models(blog.migration().plan, "public"))
    with orm.Session(engine_of(blog.database.url)) as session:
        posts = session.scalars(sa.select(models.Posts).order_by(models.Posts.id)).all()
        assert [told(post) for post in posts] == POSTS
        ann = session.scalars(sa.select(models.Users).where(models.Users.email == "ann@x.org")).one()
        seen = {
            "reports": [user.email for user in ann.users_by_boss],
            "written": len(ann.posts_by_author),
            "edited": len(ann.posts_by_editor),
        }
        made = models.Posts(title="new", author=ann)
        session.add(made)
        session.commit()
        seen["made"] = {"id": made.id, "rating": made.rating}
        session.delete(ann)
        session.commit()
        assert {**seen, "orphan": made.author} == SEEN
        assert blog.database.query("SELECT author_id FROM posts ORDER BY id") == [(2,), (None,), (None,)]


def told(post: object) -> dict[str, object]:
    author = post.author
    return {
        "title": post.title,
        "likes": "null" if post.likes is None else str(post.likes),
        "tags": post.tags,
        "meta": post.meta,
        "embedding": None if post.embedding is None else [float(number) for number in post.embedding],
        "seen": post.seen and post.seen.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "author": author and author.email,
        "boss": author and author.boss.email,
        "profile": author and author.profile.bio,
        "editor": post.editor and post.editor.email,
    }
