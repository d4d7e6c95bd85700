"""Where a schema is found, and which reader its file is for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from xata_pg_assets.errors import SchemaError, UsageError
from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets.xata.schema_json import read_schema_json
from xata_pg_assets.xata.schema_migrations import LEDGER, read_schema_migrations
from xata_pg_assets.xata.schema_text import read_text, reading, shown
from xata_pg_assets.xata.schema_ts import read_schema_ts

__all__ = ["find_schema", "read_schema"]

# In the order of trust: a dump says all, the client is generated from it, migrations have to be replayed.
FILES = ("schema.json", "xata.ts", "xata.js")
MIGRATIONS = Path(".xata", "migrations")
SCRIPTS = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
READERS = {".json": read_schema_json} | dict.fromkeys(SCRIPTS, read_schema_ts)


def find_schema(source: AnyPath) -> AnyPath:
    """Return the schema in the export's folder, or else beside it; UsageError when there is none."""
    with reading(source):
        if not source.is_dir():
            raise UsageError(f"{shown(str(source))}: no such folder: give the folder of the export as source")
        beside = (source.resolve() if ".." in source.parts else source.absolute()).parent
        for form in (*_forms(source), *_forms(beside)):
            if form.exists():
                return form.parent if form.name == LEDGER else form
    raise UsageError(
        f"no schema in {shown(str(source))} or beside it (looked for {', '.join(FILES)} and {MIGRATIONS}): "
        "name it with --schema"
    )


def read_schema(path: AnyPath) -> XataSchema:
    """Read a schema.json, a generated client or a folder of migrations; SchemaError names the file."""
    with reading(path):
        if path.is_dir():
            return read_schema_migrations(_migrations(path))
    if path.name == LEDGER:
        return read_schema_migrations(path.parent)
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        accepted = f"schema.json, xata.ts, xata.js or the folder {MIGRATIONS}"
        raise SchemaError(f"{shown(str(path))}: not a schema: give {accepted}")
    return reader(read_text(path), shown(str(path)))


def _migrations(folder: AnyPath) -> AnyPath:
    for migrations in (folder, folder / MIGRATIONS.name, folder / MIGRATIONS):
        if (migrations / LEDGER).exists():
            return migrations
    raise SchemaError(f"{shown(str(folder))}: no {LEDGER} of migrations in it: name the schema's file instead")


def _forms(folder: AnyPath) -> Iterator[AnyPath]:
    yield from (folder / name for name in FILES)
    yield folder / MIGRATIONS / LEDGER
