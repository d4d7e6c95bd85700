"""Assets and checks of one table, made from its spec: thin ops around the migration."""

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg

from xata_pg_assets.assets.specs import XataTranslator, postgres_key
from xata_pg_assets.errors import TransientError, UnreachableError, XataPgError
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres.checks import BLOCKING, CHECKS, CheckResult
from xata_pg_assets.postgres.ledger import Entry

__all__ = ["make_mapping_asset", "make_postgres_asset", "make_postgres_checks", "make_xata_asset"]

# Only what may go through later is tried again: a server that went away, a deadlock, a cut line. What can't be
# connected to is not: the migration has waited for it, once for all steps.
# Asked for by exception, not by a RetryPolicy: under one Dagster takes Ctrl-C for a failure, and tries again
MAX_RETRIES = 3


def make_xata_asset(
    translator: XataTranslator, table: TargetTable, op_name: str, tags: Mapping[str, str]
) -> dg.AssetsDefinition:
    """The table's rows, landed as they came."""

    @_asset(translator.get_xata_spec(table), op_name, tags)
    def xata(context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]) -> dg.MaterializeResult[None]:
        with _interruptible(), _told(context.op_execution_context.retry_number):
            line = migration.stage(table)
        for warning in line.staging_warnings:
            context.log.warning(warning)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": line.staged_rows or 0,
                "source_rows": line.source_rows,
                "duplicate_rows": line.duplicate_rows,
                "rejected_rows": line.rejected_rows,
                "seconds": round(line.staging_seconds, 3),
                **_file_facts(line),
            }
        )

    return xata


def make_mapping_asset(
    translator: XataTranslator, table: TargetTable, op_name: str, tags: Mapping[str, str]
) -> dg.AssetsDefinition:
    """The table's id mapping."""

    @_asset(translator.get_mapping_spec(table), op_name, tags)
    def id_mapping(
        context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]
    ) -> dg.MaterializeResult[None]:
        with _interruptible(), _told(context.op_execution_context.retry_number):
            line = migration.map_ids(table)
        return dg.MaterializeResult(
            metadata={"dagster/row_count": line.mapped_rows or 0, "seconds": round(line.mapping_seconds, 3)}
        )

    return id_mapping


def make_postgres_asset(
    translator: XataTranslator, table: TargetTable, op_name: str, tags: Mapping[str, str]
) -> dg.AssetsDefinition:
    """The migrated table."""

    @_asset(translator.get_postgres_spec(table), op_name, tags)
    def postgres(
        context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]
    ) -> dg.MaterializeResult[None]:
        with _interruptible(), _told(context.op_execution_context.retry_number):
            line = migration.load(table)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": line.target_rows or 0,
                "inserted_rows": line.inserted_rows or 0,
                "updated_rows": line.updated_rows or 0,
                "deleted_rows": line.deleted_rows or 0,
                "dangling_links": line.dangling_links,
                "seconds": round(line.load_seconds, 3),
                **_file_facts(line),
            }
        )

    return postgres


def make_postgres_checks(table: TargetTable, op_name: str, tags: Mapping[str, str]) -> dg.AssetChecksDefinition:
    """The seven checks of the migrated table, which can be run together or one by one."""
    specs = [
        dg.AssetCheckSpec(name, asset=postgres_key(table), description=text, blocking=name in BLOCKING)
        for name, text in CHECKS.items()
    ]

    @dg.op(
        name=op_name,
        ins={"table": dg.In(dg.Nothing)},
        out={spec.name: dg.Out(is_required=False) for spec in specs},
        tags=tags,
    )
    def checks(
        context: dg.AssetCheckExecutionContext, migration: dg.ResourceParam[Migration]
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {key.name for key in context.selected_asset_check_keys}
        with _interruptible(), _told(context.op_execution_context.retry_number):
            results = migration.check(table, selected)
        for result in results:
            yield dg.AssetCheckResult(
                asset_key=postgres_key(table),
                check_name=result.name,
                passed=result.passed,
                severity=dg.AssetCheckSeverity(result.severity),
                description=result.description,
                metadata=_check_metadata(result),
            )

    # Not by multi_asset_check, for the reason that `_asset` has
    definition: dg.AssetChecksDefinition = dg.AssetChecksDefinition.create(
        node_def=checks,
        keys_by_input_name={"table": postgres_key(table)},
        check_specs_by_output_name={spec.name: spec for spec in specs},
        can_subset=True,
    )
    return definition


def _asset(
    spec: dg.AssetSpec, op_name: str, tags: Mapping[str, str]
) -> Callable[[Callable[..., dg.MaterializeResult[None]]], dg.AssetsDefinition]:
    """Decorate what makes an asset, its inputs and its output named here.

    The names that Dagster derives from keys are none for `a~b`, and one and the same for `a-b` and `a_b`.
    """
    return dg.multi_asset(
        name=op_name,
        ins={
            f"upstream_{number}": dg.AssetIn(dep.asset_key, dagster_type=dg.Nothing)
            for number, dep in enumerate(spec.deps)
        },
        outs={"rows": dg.AssetOut.from_spec(spec.replace_attributes(deps=[]), dagster_type=dg.Nothing)},
        op_tags=tags,
    )


def _check_metadata(result: CheckResult) -> Mapping[str, Any]:
    metadata: dict[str, Any] = dict(result.facts)
    if result.rows:
        metadata["rows"] = dg.MetadataValue.table(
            records=[dg.TableRecord({name: _plain(value) for name, value in row.items()}) for row in result.rows],
            schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in result.rows[0]]),
        )
    if result.query:
        metadata["all of them"] = dg.MetadataValue.md(f"```sql\n{result.query}\n```")
    return metadata


def _plain(value: Any) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)


def _file_facts(line: Entry) -> Mapping[str, Any]:
    if line.file is None:
        return {}
    return {"file": line.file, "sha256": line.sha256, "dialect": line.dialect}


@contextmanager
def _told(retries: int) -> Iterator[None]:
    """Let Dagster retry what is transient; end the step with one line on anything else that is ours."""
    try:
        yield
    except XataPgError as error:
        is_worth_it = isinstance(error, TransientError) and not isinstance(error, UnreachableError)
        if is_worth_it and retries < MAX_RETRIES:
            raise dg.RetryRequested(MAX_RETRIES, seconds_to_wait=2**retries) from error
        raise dg.Failure(str(error), allow_retries=False) from error


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C be what psycopg knows: it then cancels the statement, which would run on and hold its locks."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        for number in before:
            signal.signal(number, signal.default_int_handler)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
