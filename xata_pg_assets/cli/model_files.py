"""The models of the new database as files; no file of the user's is lost to one."""

from __future__ import annotations

from pathlib import Path

from xata_pg_assets.errors import UsageError
from xata_pg_assets.migration import Migration
from xata_pg_assets.models.drizzle import drizzle_models
from xata_pg_assets.models.names import names_csv
from xata_pg_assets.models.prisma import prisma_models
from xata_pg_assets.models.sqlalchemy import sqlalchemy_models
from xata_pg_assets.postgres.ddl import plan_statements
from xata_pg_assets.postgres.search import extra_statements
from xata_pg_assets.settings import Settings

__all__ = ["model_text", "write_model"]

_MODELS = {"drizzle": drizzle_models, "prisma": prisma_models, "sqlalchemy": sqlalchemy_models}


def model_text(settings: Settings, language: str) -> str:
    """Return the models in a language: drizzle, prisma or sqlalchemy; or the DDL (sql), or the CSV of names."""
    migration = Migration.from_settings(settings)
    if language == "names":
        return names_csv(migration.plan)
    if language == "sql":
        layout, plan = migration.wanted_layout, migration.plan
        statements = plan_statements(layout, plan) + extra_statements(layout, plan)
        return "".join(f"{statement.as_string()};\n" for statement in statements)
    return _MODELS[language](migration.plan, settings.target_schema)


def write_model(path: Path, text: str) -> None:
    """Write a file, over one that was written so before and no other.

    Raises:
        UsageError: there is another file, or it cannot be written.
    """
    try:
        if path.exists() and path.read_bytes().partition(b"\n")[0] != text.partition("\n")[0].encode():
            raise UsageError(f"file {path}: is there, and was not written by this command; name another or move it")
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"file {path}: cannot be written: {error.strerror}") from None
