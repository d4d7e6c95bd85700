"""The TypeScript and Prisma models under their own tools: compiler, command lines, and queries on a migrated blog.

`make models-check` installs the tools and runs these tests; without them they are skipped.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from xata_pg_assets.migration import example_schema_path
from xata_pg_assets.models.drizzle import drizzle_models
from xata_pg_assets.models.prisma import prisma_models
from xata_pg_assets.xata.schema_files import read_schema
from xata_pg_assets_tests.fix_export import Export
from xata_pg_assets_tests.fix_server import Database, Server
from xata_pg_assets_tests.test_models.catalog import facts
from xata_pg_assets_tests.test_models.conftest import POSTS, SEEN, Made, make
from xata_pg_assets_tests.test_models.shapes import SNAKE

HERE = Path(__file__).parent / "node"
pytestmark = [
    pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed"),
    pytest.mark.skipif(
        not (HERE / "node_modules").is_dir(), reason="its packages are not installed; make models-check"
    ),
]
TSC = ["tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "preserve", "--target", "es2022"]
EXAMPLE = (read_schema(example_schema_path()), {})


class Project:
    """A folder of a TypeScript project that has the packages installed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "node_modules").symlink_to(HERE / "node_modules")
        shutil.copy(HERE / "package.json", folder)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_bytes(text.encode())

    def run(self, program: str, *arguments: str, database: Database | None = None) -> bytes:
        """Run an installed program; return what it prints."""
        done = subprocess.run(
            [HERE / "node_modules" / ".bin" / program, *arguments],
            cwd=self.folder,
            env=variables(database),
            capture_output=True,
            check=False,
            timeout=1200,
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()[-5000:]
        return done.stdout

    def script(self, name: str, database: Database) -> dict[str, Any]:
        """Compile a script of this folder against the models, and run it on a database."""
        shutil.copy(HERE / name, self.folder)
        self.run(*TSC, name)
        return dict(json.loads(self.run("tsx", name, database=database)))


def variables(database: Database | None) -> Mapping[str, str]:
    # Prisma would download an engine that neither checking nor generating needs
    ours = {"PRISMA_SCHEMA_ENGINE_BINARY": "/bin/true", "CHECKPOINT_DISABLE": "1", "PRISMA_HIDE_UPDATE_MESSAGE": "1"}
    if database is not None:
        parts = conninfo_to_dict(database.url)
        ours |= {f"PG{name}": str(parts[key]) for name, key in PG_VARIABLES.items() if key in parts}
    return {**os.environ, **ours}


PG_VARIABLES = {"HOST": "host", "PORT": "port", "USER": "user", "DATABASE": "dbname"}


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))


class TestDrizzle:
    def test_drizzle_kit_makes_the_database_that_the_ddl_makes(self, made: Made, project: Project):
        project.write("schema.ts", drizzle_models(made.plan, made.schema))
        project.run(*TSC, "schema.ts")
        if made.schema != "public":
            return  # drizzle-kit writes a schema's quotes into SQL as they are
        ddl = project.run("drizzle-kit", "export", "--dialect", "postgresql", "--schema", "schema.ts")
        made.other.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE EXTENSION vector SCHEMA public")
        made.other.query(ddl)
        assert facts(made.other) == facts(made.database)

    def test_in_a_schema_of_its_own(self, server: Server, project: Project):
        made = make(server, EXAMPLE[0], target_schema="app")
        project.write("schema.ts", drizzle_models(made.plan, made.schema))
        made.other.query("DROP SCHEMA app")
        made.other.query(project.run("drizzle-kit", "export", "--dialect", "postgresql", "--schema", "schema.ts"))
        assert facts(made.other, "app") == facts(made.database, "app")

    def test_queries(self, blog: Export, project: Project):
        project.write("schema.ts", drizzle_models(blog.migration().plan, "public"))
        assert project.script("drizzle_query.ts", blog.database) == {"posts": POSTS, **SEEN}


class TestPrisma:
    @pytest.mark.parametrize(("xata", "options"), [SNAKE, EXAMPLE], ids=["hostile", "example"])
    def test_prisma_makes_the_database_that_the_ddl_makes(self, server: Server, project: Project, xata, options):
        made = make(server, xata, target_schema="app", **options)
        project.write("schema.prisma", prisma_models(made.plan, made.schema))
        project.run("prisma", "validate", "--schema", "schema.prisma")
        shutil.copy(HERE / "prisma_ddl.ts", project.folder)
        made.other.query(project.run("tsx", "prisma_ddl.ts", database=made.other))
        assert comparable(made.other) == comparable(made.database)
        if any(table.name == "defaults" for table in made.plan.tables):
            assert default_row(made.other) == default_row(made.database)

    def test_all_names_that_postgresql_takes_are_valid(self, made: Made, project: Project):
        project.write("schema.prisma", prisma_models(made.plan, made.schema))
        project.run("prisma", "validate", "--schema", "schema.prisma")

    def test_queries(self, blog: Export, project: Project):
        project.write("schema.prisma", prisma_models(blog.migration().plan, "public").replace("../", "./"))
        project.run("prisma", "generate", "--schema", "schema.prisma")
        posts = [{name: value for name, value in post.items() if name != "embedding"} for post in POSTS]
        assert project.script("prisma_query.ts", blog.database) == {"posts": posts, **SEEN}


def comparable(database: Database) -> dict[str, object]:
    """Return a schema as far as Prisma can say it: it knows no identity, its lists may be null, a key is an index."""
    found = facts(database, "app")
    return {
        "columns": {
            (table, name, type_.replace("(6)", ""), type_ == "text[]" or not_null, bool(default))
            for table, name, type_, not_null, _, default in found["columns"]
            if name != "id"
        },
        "constraints": [each for each in found["constraints"] if not each[1].startswith("UNIQUE")],
        "indexes": found["indexes"],
    }


def default_row(database: Database) -> dict[str, Any]:
    """Return what the defaults are, the time apart."""
    row = database.value(
        "INSERT INTO app.defaults DEFAULT VALUES RETURNING to_jsonb(defaults) - '{id,datetime0}'::text[]"
    )
    row["sign"] = database.value("SELECT float0::text FROM app.defaults")
    return dict(row)
