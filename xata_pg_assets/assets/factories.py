"""Assets and checks of one table, made from its spec: thin ops around the migration."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import dagster as dg

from xata_pg_assets.assets.shown import check_facts, table_of
from xata_pg_assets.assets.specs import XataTranslator, postgres_key
from xata_pg_assets.assets.step import step
from xata_pg_assets.errors import XataPgError
from xata_pg_assets.migration import Migration
from xata_pg_assets.plan.naming import NameSpace, snake_case
from xata_pg_assets.plan.shards import shard_names
from xata_pg_assets.plan.tables import TargetTable
from xata_pg_assets.postgres.checks import BLOCKING, CheckResult, checks_of
from xata_pg_assets.postgres.indexes import Built
from xata_pg_assets.postgres.ledger import Entry
from xata_pg_assets.report.pace import describe_pace, describe_seconds

__all__ = [
    "BUILT",
    "asset",
    "make_checks",
    "make_extra_assets",
    "make_mapping_asset",
    "make_postgres_asset",
    "make_postgres_checks",
    "make_xata_asset",
]

BUILT = "built"  # the sentence on what became of an index or of search columns, among the metadata


def make_xata_asset(
    translator: XataTranslator, table: TargetTable, op_name: str, tags: Mapping[str, str]
) -> dg.AssetsDefinition:
    """The table's rows, landed as they came."""

    @asset(translator.get_xata_spec(table), op_name, tags)
    def xata(context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]) -> dg.MaterializeResult[None]:
        with step(context, migration, reads_export=True):
            line = migration.stage(table)
        for warning in line.staging_warnings:
            context.log.warning(warning)
        context.log.info(_staged(line))
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

    @asset(translator.get_mapping_spec(table), op_name, tags)
    def id_mapping(
        context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]
    ) -> dg.MaterializeResult[None]:
        with step(context, migration):
            line = migration.map_ids(table)
        return dg.MaterializeResult(
            metadata={"dagster/row_count": line.mapped_rows or 0, "seconds": round(line.mapping_seconds, 3)}
        )

    return id_mapping


def make_postgres_asset(
    translator: XataTranslator, table: TargetTable, op_name: str, tags: Mapping[str, str]
) -> dg.AssetsDefinition:
    """The migrated table."""

    @asset(translator.get_postgres_spec(table), op_name, tags)
    def postgres(
        context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]
    ) -> dg.MaterializeResult[None]:
        shards = _chosen_shards(context, table)
        with step(context, migration), _told_of_shards(context, migration, table, shards):
            line = migration.load(table, shards)
            first = [] if line.unfinished else migration.preview(table)
        context.log.info(_loaded(line))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": line.target_rows or 0,
                "inserted_rows": line.inserted_rows or 0,
                "updated_rows": line.updated_rows or 0,
                "deleted_rows": line.deleted_rows or 0,
                "dangling_links": line.dangling_links,
                "seconds": round(line.load_seconds, 3),
                **_file_facts(line),
                **({"first rows": table_of(first)} if first else {}),
            }
        )

    return postgres


def _chosen_shards(context: dg.AssetExecutionContext, table: TargetTable) -> Collection[str] | None:
    """Return the shards that a run is for, None where it is for all, or the table has none."""
    if table.shards == 1:
        return None
    chosen = context.partition_keys
    return None if len(chosen) == table.shards else chosen


@contextmanager
def _told_of_shards(
    context: dg.AssetExecutionContext,
    migration: Migration,
    table: TargetTable,
    chosen: Collection[str] | None,
) -> Iterator[None]:
    """Let Dagster know rows and seconds of every shard; where one fails, of those that are in nevertheless."""
    if table.shards == 1:
        yield
        return
    key, names = postgres_key(table), shard_names(table.shards) if chosen is None else chosen
    try:
        yield
    except XataPgError:
        with suppress(XataPgError):  # the first one is told
            for name, facts in _shard_facts(migration.line(table), names).items():
                context.log_event(dg.AssetMaterialization(key, partition=name, metadata=facts))
        raise
    for name, facts in _shard_facts(migration.line(table), names).items():
        context.add_asset_metadata(facts, asset_key=key, partition_key=name)


def _shard_facts(line: Entry, names: Collection[str]) -> Mapping[str, Mapping[str, Any]]:
    """Return what Dagit shows of those of the shards that are in."""
    missing, shards = line.missing_shards, line.in_shards
    return {
        name: {
            "dagster/partition_row_count": facts["rows"],
            "shard: inserted rows": facts["inserted"],
            "shard: updated rows": facts["updated"],
            "shard: seconds": facts["seconds"],
        }
        for name, facts in (shards.done.items() if shards else ())
        if name in names and name not in missing
    }


def make_extra_assets(
    translator: XataTranslator, table: TargetTable, names: NameSpace, tags: Mapping[str, str]
) -> Iterator[dg.AssetsDefinition]:
    """What the settings ask for beside the table: its search columns, and an index for each vector column.

    `names` are those of the steps.
    """
    if table.search_columns:
        build = partial(Migration.build_search, table=table)
        name = names.take(f"search__{snake_case(table.name)}")
        yield _extra(translator.get_search_spec(table), name, tags, f"{table.name}: search columns", build)
    for index in table.vector_indexes:
        build = partial(Migration.build_vector_index, table=table, index=index)
        name = names.take(f"vector_index__{snake_case(f'{table.name}_{index.column}')}")
        yield _extra(translator.get_vector_index_spec(table, index), name, tags, f"{table.name}: index", build)


def _extra(
    spec: dg.AssetSpec, op_name: str, tags: Mapping[str, str], what: str, build: Callable[[Migration], Built]
) -> dg.AssetsDefinition:
    @asset(spec, op_name, tags)
    def extra(context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]) -> dg.MaterializeResult[None]:
        with step(context, migration):
            built = build(migration)
        context.log.info(f"{built.sentence(what)}.")
        return dg.MaterializeResult(
            metadata={BUILT: built.sentence(what), "is new": built.is_new, "seconds": round(built.seconds, 3)}
        )

    return extra


def make_postgres_checks(table: TargetTable, op_name: str, tags: Mapping[str, str]) -> dg.AssetChecksDefinition:
    """The checks of the migrated table, which can be run together or one by one."""
    key = postgres_key(table)
    specs = [
        dg.AssetCheckSpec(name, asset=key, description=text, blocking=name in BLOCKING)
        for name, text in checks_of(table).items()
    ]
    return make_checks(key, specs, op_name, tags, lambda migration, names: migration.check(table, names))


def make_checks(
    key: dg.AssetKey,
    specs: Sequence[dg.AssetCheckSpec],
    op_name: str,
    tags: Mapping[str, str],
    run: Callable[[Migration, Collection[str]], Sequence[CheckResult]],
) -> dg.AssetChecksDefinition:
    """The checks of one asset, run together or some of them: `run` gets the names of those that are asked for."""

    @dg.op(
        name=op_name,
        ins={"checked": dg.In(dg.Nothing)},
        out={spec.name: dg.Out(is_required=False) for spec in specs},
        tags=dict(tags),
    )
    def checks(
        context: dg.AssetCheckExecutionContext, migration: dg.ResourceParam[Migration]
    ) -> Iterator[dg.AssetCheckResult]:
        with step(context, migration):
            results = run(migration, {each.name for each in context.selected_asset_check_keys})
        for result in results:
            yield dg.AssetCheckResult(**check_facts(key, result))

    # Not by multi_asset_check, for the reason that `asset` has
    definition: dg.AssetChecksDefinition = dg.AssetChecksDefinition.create(
        node_def=checks,
        keys_by_input_name={"checked": key},
        check_specs_by_output_name={spec.name: spec for spec in specs},
        can_subset=True,
    )
    return definition


def asset(
    spec: dg.AssetSpec, op_name: str, tags: Mapping[str, str], checks: Sequence[dg.AssetCheckSpec] = ()
) -> Callable[[Callable[..., object]], dg.AssetsDefinition]:
    """Decorate what makes an asset, its inputs and its output named here.

    The names that Dagster derives from keys are none for `a~b`, and one and the same for `a-b` and `a_b`.
    """
    return dg.multi_asset(
        name=op_name,
        ins={
            f"upstream_{number}": dg.AssetIn(
                dep.asset_key, dagster_type=dg.Nothing, partition_mapping=dep.partition_mapping
            )
            for number, dep in enumerate(spec.deps)
        },
        outs={
            "rows": dg.AssetOut.from_spec(
                spec.replace_attributes(deps=[], partitions_def=None), dagster_type=dg.Nothing
            )
        },
        partitions_def=spec.partitions_def,
        # A table in shards loads several of them at once, and its keys with the last: one run does that best
        backfill_policy=dg.BackfillPolicy.single_run() if spec.partitions_def else None,
        check_specs=checks,
        op_tags=tags,
    )


def _staged(line: Entry) -> str:
    """Say how the reading of a table went."""
    if line.file is None:
        return f"{line.xata_table}: there is no file to read."
    if line.loaded_at and line.staged_at and line.staged_at < line.loaded_at:
        return f"{line.file} is the file that is staged already; nothing is read again."
    text = f"Read {line.file} in {describe_seconds(line.staging_seconds)}: "
    text += describe_pace(line.source_rows, line.staging_seconds)
    if line.rejected_rows or line.duplicate_rows:
        text += f"; {line.rejected_rows:,} rejected, {line.duplicate_rows:,} exact copies dropped"
    return f"{text}."


def _loaded(line: Entry) -> str:
    """Say how the load of a table went."""
    if line.unfinished:
        return f"Table {line.target_table}: {line.unfinished}; its keys come with the last."
    text = f"Table {line.target_table} holds {line.target_rows or 0:,} rows: {line.inserted_rows or 0:,} inserted, "
    text += f"{line.updated_rows or 0:,} updated, {line.deleted_rows or 0:,} deleted"
    if line.dangling_links:
        text += f", {line.dangling_links:,} links to rows that are not there set to NULL"
    return f"{text}, in {describe_seconds(line.load_seconds)}."


def _file_facts(line: Entry) -> Mapping[str, Any]:
    if line.file is None:
        return {}
    return {"file": line.file, "sha256": line.sha256, "dialect": line.dialect}
