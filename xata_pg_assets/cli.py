"""xata-pg: the command line, thin over the migration and the asset graph."""

from __future__ import annotations

import json
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.exceptions import TyperException

from xata_pg_assets import __version__
from xata_pg_assets.cli_settings import as_environment, with_settings
from xata_pg_assets.errors import ExitCode, UsageError, XataPgError
from xata_pg_assets.settings import Settings

# Dagster, pyarrow and the rest are imported by the commands that need them: `--help` must not wait a second

app = typer.Typer(
    name="xata-pg",
    help="From a Xata Lite export to a clean, standard PostgreSQL database, proven cell by cell.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)

Tables = Annotated[str | None, typer.Option(help="only these tables, by Xata or new name: a,b")]
AsJson = Annotated[bool, typer.Option("--json", help="print the report as JSON, and nothing else")]


def main() -> None:
    """Run the command line; every error is one line on standard error, and the exit code says its kind."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    is_debug = len(arguments) < len(sys.argv) - 1
    if not is_debug:
        warnings.simplefilter("ignore")  # of libraries, about their own future
    try:
        code = app(arguments, standalone_mode=False)
    except TyperException as error:
        code = _fail(getattr(error, "format_message", error.__str__)(), ExitCode.USAGE)
    except XataPgError as error:
        code = _fail(str(error), error.exit_code, is_debug=is_debug)
    except (KeyboardInterrupt, typer.Abort):
        code = _fail("stopped. What was committed stays; running again continues", ExitCode.NOT_FINISHED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = ExitCode.NOT_FINISHED
    except Exception as error:  # noqa: BLE001  # the last resort: a person gets one line, --debug the rest
        code = _fail(f"{type(error).__name__}: this should not happen; run again with --debug", is_debug=is_debug)
    sys.exit(int(code or 0))


def _fail(message: str, code: ExitCode = ExitCode.NOT_FINISHED, *, is_debug: bool = False) -> ExitCode:
    if is_debug:
        traceback.print_exc()
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="show a traceback with an error; anywhere on the line")
    ] = False,  # noqa: ARG001  # taken off the line by main
) -> None:
    if version:
        print(f"xata-pg {__version__}")
        raise typer.Exit


@app.command()
@with_settings
def plan(
    settings: Settings,
    sql: Annotated[
        bool, typer.Option("--sql", help="print the statements that make the database, and nothing else")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the plan as JSON")] = False,
) -> None:
    """Read schema and export heads, check the target, and show what would be done. Touches nothing.

    Example: xata-pg plan --source export --target postgresql://me@localhost/app
    """
    from psycopg import sql as psycopg_sql

    from xata_pg_assets.migration import Migration
    from xata_pg_assets.postgres.ddl import plan_statements
    from xata_pg_assets.postgres.layout import Layout
    from xata_pg_assets.report.plan_page import describe_plan, print_plan

    migration = Migration.from_settings(settings)
    if sql:
        layout = Layout(settings.target_schema, settings.work_schema, settings.staging_schema)
        for statement in plan_statements(layout, migration.plan):
            print(f"{statement.as_string()};")
        return
    description = describe_plan(migration)
    if as_json:
        print(json.dumps(description, indent=2, ensure_ascii=False))
    else:
        print_plan(out, description)


@app.command()
@with_settings
def migrate(settings: Settings, tables: Tables = None, as_json: AsJson = False) -> None:
    """Run the asset graph: stage every table, map its ids, load it, check it; then print the report.

    Example: xata-pg migrate --source export --target postgresql://me@localhost/app
    """
    from xata_pg_assets.assets.running import run_migration
    from xata_pg_assets.migration import Migration

    with _progress() as observer:
        migration = Migration.from_settings(settings, observer)
        chosen = None if tables is None else [migration.plan.find(name) for name in _names(tables)]
        _ = migration.files  # a wrong source is a usage error: nothing is touched yet
        _run(migration, run_migration, chosen, as_json=as_json)


@app.command()
@with_settings
def check(settings: Settings, tables: Tables = None, as_json: AsJson = False) -> None:
    """Run the checks of every table again; nothing in the tables is changed.

    Example: xata-pg check --tables users,posts
    """
    from xata_pg_assets.assets.running import run_checks
    from xata_pg_assets.migration import Migration

    with _progress() as observer:
        migration = Migration.from_settings(settings, observer)
        chosen = None if tables is None else [migration.plan.find(name) for name in _names(tables)]
        _run(migration, run_checks, chosen, as_json=as_json)


@app.command()
@with_settings
def report(settings: Settings, as_json: AsJson = False) -> None:
    """Print the last result of every table.

    Example: xata-pg report --json
    """
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.postgres import ledger
    from xata_pg_assets.postgres.cluster import find_cluster

    migration = Migration.from_settings(settings)
    nothing = UsageError("nothing was migrated into this target yet; run xata-pg migrate")
    if settings.target is None and find_cluster(settings.home) is None:
        raise nothing
    with migration.reading() as conn:
        if not ledger.exists(conn, migration.wanted_layout) or not ledger.entries(conn, migration.wanted_layout):
            raise nothing
        _print_report(_report(migration, conn, None, ()), as_json=as_json)


@app.command()
@with_settings
def ui(
    settings: Settings,
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 3000,
) -> None:
    """Open Dagit on this project, its records kept in the home folder and the daemon running.

    Example: xata-pg ui --source export
    """
    from xata_pg_assets.assets.instance import dagster_environment, open_instance
    from xata_pg_assets.migration import Migration

    migration = Migration.from_settings(settings)
    with open_instance(settings):
        pass
    if settings.target is None:
        _ = migration.url  # the embedded server, up before the first click
    os.environ.update(as_environment(settings))
    os.environ.update(dagster_environment(settings))
    os.environ["PYTHONWARNINGS"] = "ignore"
    print(f"Dagit: http://{host}:{port}  (Ctrl-C stops it)", file=sys.stderr)
    module = ["-m", "xata_pg_assets.definitions", "-h", host, "-p", str(port)]
    # Replaced, not wrapped: signals reach Dagster as they are
    os.execv(sys.executable, [sys.executable, "-m", "dagster", "dev", *module])  # noqa: S606


@app.command()
@with_settings
def schema(settings: Settings) -> None:
    """Print the schema as it was understood, in the form of schema.json.

    Example: xata-pg schema --schema src/xata.ts > schema.json
    """
    from xata_pg_assets.migration import resolve_schema
    from xata_pg_assets.xata.schema_files import read_schema
    from xata_pg_assets.xata.schema_json import dump_schema

    print(json.dumps(dump_schema(read_schema(resolve_schema(settings))), indent=2, ensure_ascii=False))


@app.command()
@with_settings
def clean(settings: Settings) -> None:
    """Drop the staging schema: the rows as they came. Tables, mappings and ledger stay.

    Example: xata-pg clean
    """
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.postgres.staging import drop_staging

    migration = Migration.from_settings(settings)
    with migration.reading() as conn:
        dropped = drop_staging(conn, migration.wanted_layout)
    print(f"{dropped} staging tables dropped", file=sys.stderr)


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="folder to write to; made where it is missing")] = Path("export"),
) -> None:
    """Write a small export of the example schema, to try everything on.

    Example: xata-pg demo export
    """
    from xata_pg_assets.xata.demo import write_demo

    summary = write_demo(folder)
    print(
        f"{summary.tables} tables, {summary.rows:,} rows, {summary.bytes / 1e6:.1f} MB in {summary.folder}; "
        f"next: xata-pg migrate --source {summary.folder}",
        file=sys.stderr,
    )


@app.command()
@with_settings
def uri(settings: Settings) -> None:
    """Print the connection string of the embedded database, started where it is not running.

    Example: psql "$(xata-pg uri)"
    """
    from xata_pg_assets.postgres.embedded import ensure_running

    print(ensure_running(settings.home).uri)


@app.command()
@with_settings
def stop(settings: Settings) -> None:
    """Stop the embedded database; the next command that needs it starts it again.

    Example: xata-pg stop
    """
    from xata_pg_assets.postgres import embedded

    print("stopped" if embedded.stop(settings.home) else "it was not running", file=sys.stderr)


def _names(tables: str) -> list[str]:
    names = [name.strip() for name in tables.split(",") if name.strip()]
    if not names:
        raise UsageError("flag --tables: names no table")
    return names


def _progress() -> Any:
    from xata_pg_assets.report.progress import progress

    return progress(err)


def _run(migration: Any, run: Callable[..., Any], chosen: Sequence[Any] | None, *, as_json: bool) -> None:
    """Run, then report what the ledger has, also when the target was lost on the way."""
    from xata_pg_assets.postgres.connection import connect

    started_at = datetime.now(UTC)
    errors: list[str] = []
    try:
        _ = migration.layout
        errors += run(migration, chosen).lines
    except UsageError:
        raise
    except XataPgError as error:
        errors.append(str(error))
    conn = None
    try:
        conn = connect(migration.url)
    except XataPgError as error:
        errors.append(str(error))
    result = _report(migration, conn, chosen, errors, started_at, datetime.now(UTC))
    if conn is not None:
        conn.close()
    migration.observer.close()
    _print_report(result, as_json=as_json)
    for line in dict.fromkeys(errors):
        print(f"error: {line}", file=sys.stderr)
    raise typer.Exit(result["exit_code"])


def _report(
    migration: Any,
    conn: Any,
    chosen: Sequence[Any] | None,
    errors: Sequence[str],
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
) -> dict[str, Any]:
    from xata_pg_assets.report.result import build_report

    return build_report(
        migration.plan,
        migration.wanted_layout,
        conn,
        url=migration.known_url,
        source=migration.source_name,
        tables=chosen,
        errors=list(dict.fromkeys(errors)),
        warnings=migration.warnings,
        started_at=started_at,
        finished_at=finished_at,
    )


def _print_report(result: dict[str, Any], *, as_json: bool) -> None:
    from xata_pg_assets.report.terminal import print_report

    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        print_report(out, result)
