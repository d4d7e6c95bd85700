"""A schema with every shape of link, its export, and runs of its graph."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets.migration import Migration
from xata_pg_assets.settings import load_settings
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import Export, column, link, table
from xata_pg_assets_tests.fix_server import Server

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
SHAPES = XataSchema(
    (
        table("Users", column("email", unique=True), column("name", not_null=True), link("boss", "Users")),
        table("user-teams", column("label", default="none"), link("owner", "Users"), link("country", "Atlantis")),
        table("a", link("toB", "b"), column("n", "int")),
        table("b", link("toC", "c")),
        table("c", link("toA", "a"), link("team", "user-teams")),
    )
)


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dagster is told of its home by variables; they end with the test."""
    names = ("XATA_PG_", "DAGSTER_", "DATABASE_URL")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    monkeypatch.setattr(os, "environ", environment)


def definitions_of(schema: XataSchema = SHAPES, **flags: object) -> dg.Definitions:
    return build_definitions(Migration(load_settings(flags=flags), schema))


def specs_of(definitions: dg.Definitions) -> dict[str, dg.AssetSpec]:
    return {spec.key.to_user_string(): spec for spec in definitions.resolve_all_asset_specs()}


def write_shapes(export: Export) -> Export:
    export.rows("Users", "id,email,name,boss", [("u1", "a@x", "Ann", None), ("u2", "b@x", "Bob", "u1")])
    export.rows("user-teams", "id,label,owner,country", [("t1", "all", "u2", "land1")])
    export.rows("a", "id,toB,n", [("a1", "b1", "1"), ("a2", None, "2")])
    export.rows("b", "id,toC", [("b1", "c1")])
    export.rows("c", "id,toA,team", [("c1", "a1", "t1")])
    return export


@pytest.fixture
def shapes(tmp_path: Path, server: Server) -> Export:
    return write_shapes(Export(tmp_path, server.new_database(), SHAPES))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(
    migration: Migration, instance: dg.DagsterInstance, job: str = "migrate", **facts: object
) -> dg.ExecuteInProcessResult:
    """Run a job as Dagster's own API does."""
    definition = build_definitions(migration).resolve_job_def(job)
    return definition.execute_in_process(instance=instance, raise_on_error=False, run_config=QUIET, **facts)
