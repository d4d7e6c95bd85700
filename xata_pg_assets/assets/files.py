"""Assets and checks of the file columns: one asset a column, after the table that its keys are written into."""

from collections.abc import Mapping

import dagster as dg

from xata_pg_assets.assets.factories import asset, make_checks
from xata_pg_assets.assets.specs import XataTranslator, files_key
from xata_pg_assets.assets.step import step
from xata_pg_assets.errors import counted
from xata_pg_assets.files.checking import FILES_PRESENT
from xata_pg_assets.files.columns import FileColumn
from xata_pg_assets.migration import Migration
from xata_pg_assets.report.pace import describe_seconds

__all__ = ["make_files_asset", "make_files_check"]


def make_files_asset(
    translator: XataTranslator, of: FileColumn, op_name: str, tags: Mapping[str, str]
) -> dg.AssetsDefinition:
    """The files of one column, copied."""

    @asset(translator.get_files_spec(of), op_name, tags)
    def files(context: dg.AssetExecutionContext, migration: dg.ResourceParam[Migration]) -> dg.MaterializeResult[None]:
        with step(context, migration):
            line = migration.copy_files(of)
        if line.unclaimed:
            context.log.warning(f"{counted(line.unclaimed, 'saved file')} of {of.table.xata_name} belong to no record.")
        context.log.info(
            f"{counted(line.files, 'file object')} in {of.name}: {line.copied_files:,} copied "
            f"({line.copied_bytes / 1e6:,.1f} MB), in {describe_seconds(line.copy_seconds)}."
        )
        return dg.MaterializeResult(
            metadata={
                "files": line.files,
                "bytes": line.bytes,
                "copied files": line.copied_files,
                "copied bytes": line.copied_bytes,
                "saved files of no record": line.unclaimed,
                "destination": line.destination,
                "seconds": round(line.copy_seconds, 3),
            }
        )

    return files


def make_files_check(of: FileColumn, op_name: str, tags: Mapping[str, str]) -> dg.AssetChecksDefinition:
    """The check of a file column, which can be run alone."""
    name, description = FILES_PRESENT
    spec = dg.AssetCheckSpec(name, asset=files_key(of), description=description)
    return make_checks(files_key(of), [spec], op_name, tags, lambda migration, _: [migration.check_files(of)])
