"""The commands of xata-pg."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from xata_pg_assets import __version__
from xata_pg_assets.cli.flags import with_settings
from xata_pg_assets.errors import BusyError, ExitCode, StoppedError, UsageError, XataPgError, counted, in_one_line
from xata_pg_assets.settings import Settings, as_environment

# Dagster, pyarrow and the rest are imported by the commands that need them: `--help` must not wait for them
if TYPE_CHECKING:
    from xata_pg_assets.assets.running import RunResult
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.plan.tables import TargetTable
    from xata_pg_assets.postgres.connection import Connection
    from xata_pg_assets.report.result import Report

__all__ = ["app"]

app = typer.Typer(
    name="xata-pg",
    help="From a Xata Lite export to a clean, standard PostgreSQL database, proven cell by cell.",
    epilog=(
        "Example: xata-pg demo export, then xata-pg migrate --source export, then xata-pg ui --source export. "
        "To complete commands and flags by Tab: xata-pg --install-completion, then open a new shell."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
out = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True)

_STDOUT = Path("-")
_NOTHING = "nothing was migrated into this target yet; run xata-pg migrate"

Tables = Annotated[str | None, typer.Option(help="only these tables, by Xata or new name: a,b")]
AsJson = Annotated[bool, typer.Option("--json", help="print the report as JSON, and nothing else")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="show a traceback with an error")] = False,
) -> None:
    del debug  # main takes it off the line, wherever it stands
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

    Exits with 1 where something stands in the way.

    Example: xata-pg plan --source export --target postgresql://me@localhost/app
    """
    from xata_pg_assets.cli.model_files import model_text
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.report.plan_page import describe_plan, print_plan

    if sql:
        print(model_text(settings, "sql"), end="")
        return
    migration = Migration.from_settings(settings)
    with closing(migration):
        description = describe_plan(migration)
    if as_json:
        print(json.dumps(description, indent=2, ensure_ascii=False))
    else:
        print_plan(out, description)
    if description["problems"]:
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command()
@with_settings
def sql(
    settings: Settings,
    folder: Annotated[Path, typer.Argument(help="folder to write to; made where it is missing")],
    pgvector_schema: Annotated[
        str | None,
        typer.Option(help="schema that pgvector is in, or goes to, in the target; default: public, or as the preset"),
    ] = None,
) -> None:
    """Write the migration as numbered scripts for psql, which do the same without Python. Touches no database.

    Exit code 1: written, and a table's file is none that psql can read; it is named.

    Example: xata-pg sql scripts --source export
    """
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.postgres.scripts.folder import save

    migration = Migration.from_settings(settings)
    scripts = migration.scripts(pgvector_schema)
    paths = save(folder, scripts)
    for warning in [*migration.plan.warnings, *migration.warnings]:
        print(f"warning: {warning}", file=sys.stderr)
    for name, obstacle in scripts.obstacles.items():
        print(f"error: table {name}: {obstacle}", file=sys.stderr)
    print(f"{len(paths)} files in {folder}; {folder / 'README.md'} says how to run them", file=sys.stderr)
    if scripts.obstacles:
        raise typer.Exit(ExitCode.CHECK_FAILED)


@app.command()
@with_settings
def migrate(
    settings: Settings,
    tables: Tables = None,
    shards: Annotated[
        str | None,
        typer.Option(help="of tables loaded in shards only these, as Dagit names them: 3,7-9; needs --tables"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run the asset graph: stage every table, map its ids, load it, check it; then print the report.

    Example: xata-pg migrate --source export --target postgresql://me@localhost/app
    """
    from xata_pg_assets.cli.lean import without_pandas

    sys.setswitchinterval(0.0005)
    with without_pandas():
        from xata_pg_assets.assets.engines.needs import refuse_unfit_executor
        from xata_pg_assets.migration import Migration

    migration = Migration.from_settings(settings)
    named = _chosen(migration, tables)
    rows = _chosen_shards(named, shards)
    refuse_unfit_executor(settings)
    with _told_later():
        _ = migration.files  # a wrong source is a usage error: nothing is touched yet
        migration.refuse_no_destination()
        if not _is_untouched(settings):
            with migration.reading() as conn:
                migration.refuse_accepted(conn)

    def run(migration: Migration, chosen: Sequence[TargetTable] | None) -> RunResult:
        if settings.executor != "in_process":  # each step does its own work, in a process of its own
            from xata_pg_assets.assets.running import run_migration

            return run_migration(migration, chosen, rows)
        with migration.working_ahead(chosen, rows):
            migration.wait_for_readers()  # the import of Dagster takes seconds of the interpreter from them
            from xata_pg_assets.assets.running import run_migration

            return run_migration(migration, chosen, rows)

    _run_and_report(migration, run, named, as_json=as_json, is_alone=True)


@app.command()
@with_settings
def index(settings: Settings, tables: Tables = None) -> None:
    """Build the vector indexes and search columns that the settings ask for, of tables that are migrated.

    What is there as it should be is left, so that the command can be given again; migrate does the same after its
    tables.

    Example: xata-pg index --vector-index hnsw --search posts.title,posts.body
    """
    from xata_pg_assets.assets.running import run_indexes
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.report.progress import progress

    migration = Migration.from_settings(settings)
    chosen = _chosen(migration, tables)
    if not any(table.vector_indexes or table.search_columns for table in chosen or migration.plan.tables):
        raise UsageError("settings vector_index and search: they ask for nothing here; set one of them")
    with _migrated(migration) as conn:
        migration.refuse_accepted(conn)
    with closing(migration), progress(err) as observer, migration.alone():
        migration.observer = observer
        _ = migration.layout
        result = run_indexes(migration, chosen)
    for line in result.built:
        print(in_one_line(line), file=sys.stderr)
    for line in result.errors:
        print(f"error: {in_one_line(line)}", file=sys.stderr)
    if result.errors:
        raise typer.Exit(ExitCode.NOT_FINISHED)


@app.command()
@with_settings
def check(settings: Settings, tables: Tables = None, as_json: AsJson = False) -> None:
    """Run the checks of every table again; nothing in the tables is changed.

    Example: xata-pg check --tables users,posts
    """
    from xata_pg_assets.assets.running import run_checks
    from xata_pg_assets.migration import Migration

    migration = Migration.from_settings(settings)
    chosen = _chosen(migration, tables)
    with _told_later(), _migrated(migration):
        migration.refuse_no_destination()
    _run_and_report(migration, run_checks, chosen, as_json=as_json)


@app.command()
@with_settings
def report(
    settings: Settings,
    as_json: AsJson = False,
    html: Annotated[Path | None, typer.Option(help="write the report as one self-contained page; - prints it")] = None,
    markdown: Annotated[Path | None, typer.Option(help="write the report as Markdown; - prints it")] = None,
    values: Annotated[
        bool, typer.Option("--values", help="show values of rejected rows in page and Markdown; they may be personal")
    ] = False,
) -> None:
    """Print the last result of every table, or write it for a ticket.

    Example: xata-pg report --html report.html
    """
    from xata_pg_assets.migration import Migration

    if [as_json, html == _STDOUT, markdown == _STDOUT].count(True) > 1:
        raise UsageError("flags --json, --html - and --markdown -: one thing can be printed; name files for the others")
    if values and not (html or markdown):
        raise UsageError("flag --values: goes with --html or --markdown")
    migration = Migration.from_settings(settings)
    with _migrated(migration) as conn:
        result = _report(migration, conn, None)
        if html or markdown:
            _write_report(migration, conn, result, html, markdown, has_values=values)
    if as_json or not (html or markdown):
        _print_report(result, as_json=as_json)


@app.command()
@with_settings
def erd(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="a .mmd or .svg file; - prints Mermaid")] = Path("-"),
) -> None:
    """Draw the entity-relationship diagram of the new database, as Mermaid or SVG. Needs the schema alone.

    Example: xata-pg erd --source export erd.svg
    """
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.report.diagram import Diagram, mermaid
    from xata_pg_assets.report.files import PUBLIC, write_file
    from xata_pg_assets.report.html import render_svg

    if file != _STDOUT and file.suffix.lower() not in (".mmd", ".svg"):
        raise UsageError(f"argument {file}: name a .mmd file for Mermaid or a .svg file for a picture")
    plan = Migration.from_settings(settings).plan
    text = render_svg(Diagram(plan)) if file.suffix.lower() == ".svg" else mermaid(plan)
    if file == _STDOUT:
        print(text, end="")
    else:
        write_file(file, text, what="argument", mode=PUBLIC)


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
    # On a machine that is busy with a migration Dagster would take its own server for dead after half a minute
    os.environ.setdefault("DAGSTER_GRPC_PROXY_HEARTBEAT_TTL_SECONDS", "120")
    print(f"Dagit: http://{host}:{port}  (Ctrl-C stops it)", file=sys.stderr)
    module = ["-m", "xata_pg_assets.definitions", "-h", host, "-p", str(port)]
    # A shell starts background jobs with SIGINT ignored, and Dagster's services would never hear of an end
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Replaced, not wrapped: signals reach Dagster as they are
    os.execv(sys.executable, [sys.executable, "-m", "dagster", "dev", *module])  # noqa: S606


@app.command()
@with_settings
def worker(
    settings: Settings,
    steps: Annotated[int, typer.Option(help="how many steps are done at once", min=1, max=64)] = 1,
) -> None:
    """Do steps of runs that are started elsewhere: a worker of Celery or Dask, by the setting executor.

    Example: xata-pg worker --executor celery --steps 2
    """
    from xata_pg_assets.assets.engines.worker import worker_command
    from xata_pg_assets.assets.instance import dagster_environment

    command = worker_command(settings, steps)
    os.environ.update(as_environment(settings))
    os.environ.update(dagster_environment(settings))
    os.environ["PYTHONWARNINGS"] = "ignore"
    os.execv(sys.executable, [sys.executable, *command])  # noqa: S606 - replaced, as by ui


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
def models(
    settings: Settings,
    file: Annotated[Path | None, typer.Argument(help="file to write; standard output without it")] = None,
    drizzle: Annotated[bool, typer.Option("--drizzle", help="a Drizzle schema, TypeScript")] = False,
    prisma: Annotated[bool, typer.Option("--prisma", help="a schema.prisma")] = False,
    sqlalchemy: Annotated[bool, typer.Option("--sqlalchemy", help="a module of SQLAlchemy models, Python")] = False,
    sql: Annotated[bool, typer.Option("--sql", help="the statements that make the database")] = False,
    names: Annotated[bool, typer.Option("--names", help="a CSV of old and new names")] = False,
) -> None:
    """Write the models of the new database, relations included, for the app's own code.

    Example: xata-pg models --drizzle src/schema.ts
    """
    from xata_pg_assets.cli.model_files import model_text, write_model

    chosen = {"drizzle": drizzle, "prisma": prisma, "sqlalchemy": sqlalchemy, "sql": sql, "names": names}
    languages = [language for language, is_chosen in chosen.items() if is_chosen]
    if len(languages) != 1:
        raise UsageError(f"command models: give one of {', '.join(f'--{language}' for language in chosen)}")
    text = model_text(settings, languages[0])
    if file is None:
        print(text, end="")
        return
    write_model(file, text)
    print(f"{file} written", file=sys.stderr)


@app.command()
@with_settings
def clean(settings: Settings) -> None:
    """Drop the staging schema: the rows as they came. Tables, mappings and ledger stay.

    Example: xata-pg clean
    """
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.postgres.staging import drop_staging

    migration = Migration.from_settings(settings)
    _refuse_untouched(settings)
    with migration.reading() as conn:
        dropped = drop_staging(conn, migration.wanted_layout)
    print(f"{counted(dropped, 'staging table')} dropped", file=sys.stderr)


@app.command()
@with_settings
def references(
    settings: Settings, as_json: Annotated[bool, typer.Option("--json", help="print JSON alone")] = False
) -> None:
    """Find old ids (rec_…) inside texts, lists and json: how many, and of which tables. Nothing is changed.

    Example: xata-pg references --json
    """
    from dataclasses import asdict

    from xata_pg_assets.migration import Migration
    from xata_pg_assets.postgres.connection import translated
    from xata_pg_assets.postgres.references import find_references

    migration = Migration.from_settings(settings)
    with _migrated(migration) as conn, translated("references"):
        found = list(find_references(conn, migration.wanted_layout, migration.plan))
    if as_json:
        print(json.dumps([asdict(each) for each in found], indent=2, ensure_ascii=False))
        return
    for each in found:
        leads = [f"{count:,} to {table}" for table, count in each.resolved.items()]
        leads += [f"{each.unresolved:,} to no row"] if each.unresolved else []
        found_in = f"{counted(each.ids, 'old id')} in {counted(each.rows, 'row')}"
        print(f"{each.xata_table}.{each.xata_column}: {found_in}: {', '.join(leads)}")
    if not found:
        print("no old ids in texts, lists or json")


Yes = Annotated[bool, typer.Option("--yes", help="do not ask")]


@app.command()
@with_settings
def undo(
    settings: Settings,
    yes: Yes = False,
    force: Annotated[bool, typer.Option("--force", help="take what of your own hangs on it as well")] = False,
) -> None:
    """Take the whole migration back out: what it made and nothing else, listed first, all or nothing.

    It is refused while views, keys, rows or columns of your own hang on the migrated tables. The extension pgvector
    stays, and so do Dagster's records in the home folder.

    Example: xata-pg undo --target postgresql://me@localhost/app
    """
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.postgres import undo as way_back
    from xata_pg_assets.postgres.connection import translated

    migration = Migration.from_settings(settings)
    with _ledger(migration) as conn, migration.alone(), translated("undo"):
        shown = way_back.find(conn, migration.wanted_layout, migration.plan)
        for line in shown.made:
            print(f"drop {line}")
        for line in shown.in_the_way:
            print(f"yours: {line}")
        if shown.in_the_way and not force:
            raise UsageError(
                f"undo: {'; '.join(shown.in_the_way)}: would go, too; move that, or say --force to lose it"
            )
        _confirm("Take all of this out?", yes=yes)
        way_back.take_out(conn, migration.wanted_layout, migration.plan, shown, force=force)
    print("taken out", file=sys.stderr)


@app.command()
@with_settings
def accept(
    settings: Settings,
    yes: Yes = False,
    force: Annotated[bool, typer.Option("--force", help="accept failed checks, too")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="take it back: migrate works again")] = False,
) -> None:
    """Call the migration done: drop the staged rows and freeze the ledger, so that migrate changes nothing any more.

    Tables and mappings stay; check and report still work.

    Example: xata-pg accept --yes
    """
    from xata_pg_assets.migration import Migration
    from xata_pg_assets.postgres import ledger
    from xata_pg_assets.postgres import undo as way_back
    from xata_pg_assets.postgres.connection import translated

    migration = Migration.from_settings(settings)
    with _ledger(migration) as conn, migration.alone(), translated("accept"):
        if withdraw:
            ledger.thaw(conn, migration.wanted_layout)
            print("withdrawn; xata-pg migrate works again", file=sys.stderr)
            return
        _confirm("Drop the staged rows and freeze the ledger?", yes=yes)
        dropped = way_back.accept(conn, migration.wanted_layout, force=force)
    print(f"accepted; {counted(dropped, 'staging table')} dropped", file=sys.stderr)


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
        f"{counted(summary.tables, 'table')}, {counted(summary.rows, 'row')}, "
        f"{summary.bytes / 1e6:.1f} MB in {summary.folder}; next: xata-pg migrate --source {summary.folder}",
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


def _chosen(migration: Migration, tables: str | None) -> list[TargetTable] | None:
    """Return the tables named by the flag, None where it is not given.

    Raises:
        UsageError: one is not in the schema, or none is named.
    """
    if tables is None:
        return None
    names = [name.strip() for name in tables.split(",") if name.strip()]
    if not names:
        raise UsageError("flag --tables: names no table; write --tables users,posts")
    return list(dict.fromkeys(migration.plan.find(name) for name in names))


def _chosen_shards(tables: Sequence[TargetTable] | None, shards: str | None) -> Sequence[str] | None:
    """Return the shards named by the flag, None where it is not given.

    Raises:
        UsageError: one is none, or no table that has shards is named.
    """
    if shards is None:
        return None
    if tables is None:
        raise UsageError("flag --shards: say of which table: --tables posts --shards 3,7-9")
    count = max(table.shards for table in tables)
    if count == 1:
        names = ", ".join(table.xata_name for table in tables)
        raise UsageError(f"flag --shards: {names}: loaded at once; set tables.{tables[0].xata_name}.shards to split it")
    from xata_pg_assets.plan.shards import chosen_shards

    return chosen_shards(shards, count)


def _confirm(question: str, *, yes: bool) -> None:
    """Go on only where a person says so.

    Raises:
        UsageError: nobody does.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is there to be asked; say --yes")
    if not typer.confirm(question, err=True):
        raise UsageError("not confirmed; nothing was touched")


@contextmanager
def _ledger(migration: Migration) -> Iterator[Connection]:
    """Open a connection to a target that has a ledger, of whatever schema.

    Raises:
        UsageError: it has none.
    """
    from xata_pg_assets.postgres import ledger

    _refuse_untouched(migration.settings)
    with migration.reading() as conn:
        if not ledger.exists(conn, migration.wanted_layout):
            raise UsageError(_NOTHING)
        yield conn


@contextmanager
def _migrated(migration: Migration) -> Iterator[Connection]:
    """Open a connection to a target that tables of the schema were migrated into.

    Raises:
        UsageError: none was, or other ones than the schema has.
    """
    from xata_pg_assets.postgres import ledger

    _refuse_untouched(migration.settings)
    with migration.reading() as conn:
        layout = migration.wanted_layout
        there = ledger.entries(conn, layout) if ledger.exists(conn, layout) else {}
        if not there:
            raise UsageError(_NOTHING)
        if there.keys().isdisjoint(migration.plan.by_xata_name):
            names = ", ".join(sorted(there)[:3])
            raise UsageError(f"the tables in the target ({names}, …) are of another schema; name it with --schema")
        yield conn


def _refuse_untouched(settings: Settings) -> None:
    """Make no embedded server only to find nothing in it."""
    if _is_untouched(settings):
        raise UsageError(_NOTHING)


def _is_untouched(settings: Settings) -> bool:
    """Tell whether the target is an embedded server that was never made."""
    from xata_pg_assets.postgres.cluster import find_cluster

    return settings.target is None and find_cluster(Path(os.path.realpath(settings.home))) is None


@contextmanager
def _told_later() -> Iterator[None]:
    """Let through what is the user's fault; anything else comes again in the run, and is told with a report."""
    try:
        yield
    except UsageError:
        raise
    except XataPgError:
        pass


def _run_and_report(
    migration: Migration,
    run: Callable[[Migration, Sequence[TargetTable] | None], RunResult],
    chosen: Sequence[TargetTable] | None,
    *,
    as_json: bool,
    is_alone: bool = False,
) -> None:
    """Run, then report what the ledger has, as far as the target can still be asked.

    Raises:
        BusyError: `is_alone`, and another migration is at work on the target: what the ledger has is its affair.
    """
    from xata_pg_assets.report.progress import progress

    started_at, errors = datetime.now(UTC), list[str]()
    tables = len(migration.plan.tables if chosen is None else chosen)
    with closing(migration):
        with progress(err) as observer:
            migration.observer = observer
            observer.expect(tables)
            try:
                with migration.alone() if is_alone else nullcontext():
                    _ = migration.layout  # an unreachable target is told once, not by every table
                    errors += run(migration, chosen).lines
            except UsageError:
                raise
            except BusyError as error:
                if not as_json:
                    raise
                errors.append(str(error))
            except XataPgError as error:
                errors.append(str(error))
            except KeyboardInterrupt:
                raise StoppedError(observer.done, tables) from None
        try:
            with migration.reading() as conn:
                result = _report(migration, conn, chosen, errors, started_at)
        except XataPgError as error:
            result = _report(migration, None, chosen, [*errors, str(error)], started_at)
    _print_report(result, as_json=as_json)
    for line in result["errors"]:
        print(f"error: {in_one_line(line)}", file=sys.stderr)
    raise typer.Exit(result["exit_code"])


def _report(
    migration: Migration,
    conn: Connection | None,
    chosen: Sequence[TargetTable] | None,
    errors: Sequence[str] = (),
    started_at: datetime | None = None,
) -> Report:
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
        files=migration.file_columns,
        started_at=started_at,
        finished_at=datetime.now(UTC) if started_at else None,
    )


def _write_report(
    migration: Migration,
    conn: Connection,
    result: Report,
    html: Path | None,
    markdown: Path | None,
    *,
    has_values: bool,
) -> None:
    from xata_pg_assets.postgres.connection import translated
    from xata_pg_assets.report.document import gather
    from xata_pg_assets.report.files import write_file
    from xata_pg_assets.report.html import render_html
    from xata_pg_assets.report.markdown import render_markdown

    with translated("report"):
        document = gather(migration, conn, result, has_values=has_values)
    for flag, path, render in (("html", html, render_html), ("markdown", markdown, render_markdown)):
        if path == _STDOUT:
            print(render(document), end="")
        elif path is not None:
            write_file(path, render(document), what=f"flag --{flag}")
            print(f"report written to {path}: {document.verdict.sentence}", file=sys.stderr)


def _print_report(result: Report, *, as_json: bool) -> None:
    from xata_pg_assets.report.terminal import print_report

    if as_json:
        print(json.dumps(result, indent=2, ensure_ascii=False))
    else:
        print_report(out, result)
