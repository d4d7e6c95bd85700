"""What each asset is: its key, its upstream, its group, and what Dagit tells of it before it was ever made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import dagster as dg
from dagster._core.storage.tags import ASSET_PARTITION_RANGE_END_TAG, ASSET_PARTITION_RANGE_START_TAG

from xata_pg_assets import __version__
from xata_pg_assets.files.columns import FileColumn
from xata_pg_assets.plan.domains import domains
from xata_pg_assets.plan.extras import VectorIndex
from xata_pg_assets.plan.shards import shard_names
from xata_pg_assets.plan.tables import Plan, Role, TargetColumn, TargetTable
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.staging import landing_columns

__all__ = [
    "EXPORT_KEY",
    "REPORT_KEY",
    "XataTranslator",
    "extra_keys",
    "files_key",
    "keys",
    "mapping_key",
    "postgres_key",
    "range_tags",
    "search_key",
    "vector_index_key",
    "xata_key",
]

EXPORT_KEY = dg.AssetKey("xata_export")
REPORT_KEY = dg.AssetKey("migration_report")

_METADATA_WORDS = {
    "xata.version": "How often the row was written in Xata",
    "xata.createdAt": "When the row was made in Xata",
    "xata.updatedAt": "When the row was last changed in Xata",
}


def xata_key(table: TargetTable) -> dg.AssetKey:
    """Key of a table's rows as they came."""
    return dg.AssetKey(["xata", table.name])


def mapping_key(table: TargetTable) -> dg.AssetKey:
    """Key of a table's id mapping."""
    return dg.AssetKey(["id_mapping", table.name])


def postgres_key(table: TargetTable) -> dg.AssetKey:
    """Key of a migrated table."""
    return dg.AssetKey(["postgres", table.name])


def vector_index_key(table: TargetTable, index: VectorIndex) -> dg.AssetKey:
    """Key of the index of a vector column."""
    return dg.AssetKey(["vector_index", f"{table.name}.{index.column}"])


def search_key(table: TargetTable) -> dg.AssetKey:
    """Key of the search columns of a table."""
    return dg.AssetKey(["search", table.name])


def files_key(of: FileColumn) -> dg.AssetKey:
    """Key of the copied files of a column."""
    return dg.AssetKey(["files", of.name])


class XataTranslator:
    """Turns the tables of a plan into asset specs; override a method to change how assets look in Dagit."""

    def __init__(self, plan: Plan, layout: Layout, *, rejects_dangling: bool = False) -> None:
        self.plan = plan
        self.layout = layout
        self.rejects_dangling = rejects_dangling
        self.shards = dg.StaticPartitionsDefinition(shard_names(max(table.shards for table in plan.tables)))
        self.domains = {table.xata_name: name for name, tables in domains(plan).items() for table in tables}

    def get_export_spec(self) -> dg.AssetSpec:
        """The export itself, which is looked at before anything is read."""
        return dg.AssetSpec(
            EXPORT_KEY,
            description=(
                "The export of the Xata database: one file a table.\n\n"
                "Materializing it looks which files there are, and whether the target can be reached; "
                "it reads no rows and writes none."
            ),
            group_name="xata",  # a group of its own would push the graph below the size at which it tells results
            kinds={"xata"},
        )

    def get_xata_spec(self, table: TargetTable) -> dg.AssetSpec:
        """The rows of a Xata table, landed as they came."""
        return dg.AssetSpec(
            xata_key(table),
            deps=[EXPORT_KEY],
            description=(
                f"Rows of the Xata table {table.xata_name} as the export has them, old ids and all.\n\n"
                f"They lie in the staging table `{self.layout.staging_schema}.{table.staging}`. What is wrong with a "
                f"row of the file is in `{self.layout.work_schema}.rejected_rows`, with file and line."
            ),
            group_name="xata",
            kinds={"xata", "postgres"},
            tags=self._tags(table),
            code_version=_code_version(table),
            metadata={
                "dagster/table_name": f"{self.layout.staging_schema}.{table.staging}",
                "dagster/column_schema": dg.TableSchema(
                    columns=[dg.TableColumn(column.name, str(column.type)) for column in landing_columns(table)]
                ),
            },
        )

    def get_mapping_spec(self, table: TargetTable) -> dg.AssetSpec:
        """The id mapping of a table."""
        return dg.AssetSpec(
            mapping_key(table),
            deps=[xata_key(table)],
            description=(
                f"New bigint id of every old id of {table.xata_name}: 1, 2, 3, … in the order of the old ids.\n\n"
                f"It is the table `{self.layout.work_schema}.{table.mapping}`. An id once given never changes."
            ),
            group_name="id_mapping",
            kinds={"postgres"},
            tags=self._tags(table),
            code_version=__version__,
            metadata={
                "dagster/table_name": f"{self.layout.work_schema}.{table.mapping}",
                "dagster/column_schema": dg.TableSchema(
                    columns=[
                        dg.TableColumn(
                            "old_id",
                            "text",
                            description="The id that the row had in Xata",
                            constraints=_constraints("primary key", nullable=False),
                        ),
                        dg.TableColumn(
                            "new_id",
                            "bigint",
                            description=f"Its id in {table.name}",
                            constraints=_constraints(unique=True, nullable=False),
                        ),
                    ]
                ),
            },
        )

    def get_postgres_spec(self, table: TargetTable) -> dg.AssetSpec:
        """A migrated table; it follows its rows, its mapping, and for each link mapping and table linked to."""
        parents = [self.plan.by_xata_name[name] for name in table.parents]
        deps = [xata_key(table), mapping_key(table), *(mapping_key(parent) for parent in parents)]
        deps += [postgres_key(parent) for parent in self.plan.upstream(table)]
        if table.rewritten:
            deps += [mapping_key(other) for other in self.plan.tables]  # an id may be one of any table
        if self.rejects_dangling or any(column.not_null for column in table.links):
            # Which rows of a cycle are rejected is decided for all its tables at once
            for other in self.plan.cycle_of(table):
                deps += [mapping_key(other), *(postgres_key(parent) for parent in self.plan.upstream(other))]
        return dg.AssetSpec(
            postgres_key(table),
            # A row may link to one of any shard
            deps=[dg.AssetDep(key, partition_mapping=self._mapping(table, key)) for key in dict.fromkeys(deps)],
            partitions_def=self.shards if table.shards > 1 else None,
            description=self._describe(table),
            group_name="postgres",
            kinds={"postgres", "table"},
            tags=self._tags(table),
            code_version=_code_version(table),
            metadata={
                "dagster/table_name": f"{self.layout.target_schema}.{table.name}",
                "dagster/column_schema": dg.TableSchema(
                    columns=[self._column(table, column) for column in table.columns],
                ),
                "dagster/column_lineage": self._lineage(table),
                "xata_table": table.xata_name,
            },
        )

    def _mapping(self, table: TargetTable, key: dg.AssetKey) -> dg.PartitionMapping | None:
        """Return how the shards of a table need an asset that has shards as well: all need all of them."""
        if table.shards == 1:
            return None
        in_shards = [postgres_key(other) for other in self.plan.tables if other.shards > 1]
        return dg.AllPartitionMapping() if key in in_shards else None

    def get_vector_index_spec(self, table: TargetTable, index: VectorIndex) -> dg.AssetSpec:
        """The index of a vector column, built when the table is loaded."""
        name = f"{self.layout.target_schema}.{table.name}"
        half = " It keeps the numbers in 2 bytes each, for it has room for no more." if index.is_half else ""
        return self._beside(
            table,
            vector_index_key(table, index),
            (
                f"Index `{index.name}` of the vectors in `{name}.{index.column}`, by {index.method}, "
                f"for the {index.distance} distance.{half}\n\n"
                "Materializing it builds it; one that is there as it should be is left."
            ),
            index,
        )

    def get_search_spec(self, table: TargetTable) -> dg.AssetSpec:
        """The search columns of a table, made when it is loaded."""
        columns = "\n".join(f"- `{each.name}`: the words of `{each.column}`" for each in table.search_columns)
        return self._beside(
            table,
            search_key(table),
            (
                f"Search columns of `{self.layout.target_schema}.{table.name}`, generated by PostgreSQL as rows come "
                f"and go, with GIN indexes:\n{columns}\n\n"
                "Materializing it makes what is missing; what is there as it should be is left."
            ),
            table.search_columns,
        )

    def _beside(self, table: TargetTable, key: dg.AssetKey, description: str, facts: object) -> dg.AssetSpec:
        """What is built for a loaded table by `facts` of the plan."""
        return dg.AssetSpec(
            key,
            deps=[postgres_key(table)],
            description=description,
            group_name="search",
            kinds={"postgres"},
            tags=self._tags(table),
            code_version=_version_of(__version__, facts),
            metadata={"xata_table": table.xata_name},
        )

    def get_files_spec(self, of: FileColumn) -> dg.AssetSpec:
        """The copied files of a column; they follow the table that their keys are written into."""
        ledger = f"{self.layout.work_schema}.files"
        return dg.AssetSpec(
            files_key(of),
            deps=[postgres_key(of.table)],
            description=(
                f"The files of {of.xata_name}: each file that Xata's script saved, copied once, under the key that "
                f"the column `{of.column.name}` then holds beside Xata's own fields.\n\n"
                f"The ledger `{ledger}` has a line for every file, with key, size and SHA-256, or with what is wrong."
            ),
            group_name="files",
            kinds={"file"},
            tags=self._tags(of.table),
            code_version=__version__,
        )

    def get_report_spec(self, files: Sequence[FileColumn] = ()) -> dg.AssetSpec:
        """The whole result; it follows the tables that no other table follows, and so all of them, and the files."""
        followed = {parent.name for table in self.plan.tables for parent in self.plan.upstream(table)}
        return dg.AssetSpec(
            REPORT_KEY,
            deps=[
                *(postgres_key(table) for table in self.plan.tables if table.name not in followed),
                *(files_key(of) for of in files),
            ],
            description=(
                "The whole result on one page: every table, its rows in and out, its checks, its time.\n\n"
                "Look at **Metadata** below: the verdict, what is wrong, the tables. This asset's own check is red as "
                "long as anything is."
            ),
            group_name="report",
            kinds={"report"},
        )

    def _tags(self, table: TargetTable) -> dict[str, str]:
        return {"domain": self.domains[table.xata_name]}

    def _describe(self, table: TargetTable) -> str:
        name = f"{self.layout.target_schema}.{table.name}"
        lines = [
            f"Table {name} of the new database: the rows of the Xata table {table.xata_name}, "
            "with bigint ids and real foreign keys."
        ]
        links = [
            f"- `{column.name}` → `{self.plan.by_xata_name[column.link.table].name}`"
            f" (the link `{column.xata_name}` of Xata; on delete {column.link.on_delete})"
            for column in table.links
            if column.link
        ]
        if table.shards > 1:
            lines.append(
                f"It is loaded in {table.shards} shards, its partitions; its keys come with the last one, and "
                "until then it is not there, or not as it should be."
            )
        lines.append("It links to no other table." if not links else "It links to:\n" + "\n".join(links))
        referrers = dict.fromkeys(f"`{other.name}.{column.name}`" for other, column in self.plan.referrers(table))
        if referrers:
            lines.append(f"Linked to by {', '.join(referrers)}.")
        if table.cycle:
            others = ", ".join(f"`{name}`" for name in sorted(table.cycle) if name != table.xata_name)
            lines.append(f"It links in a circle with {others}: foreign keys among them come with the later table.")
        return "\n\n".join(lines)

    def _column(self, table: TargetTable, column: TargetColumn) -> dg.TableColumn:
        words = []
        if column.role is Role.ID:
            words.append("primary key")
        if column.link:
            words.append(
                f"references {self.plan.by_xata_name[column.link.table].name}, on delete {column.link.on_delete}"
            )
        if column.default:
            words.append(f"default {'now()' if column.default.is_now else column.default.value}")
        return dg.TableColumn(
            column.name,
            str(column.type),
            description=self._describe_column(table, column),
            constraints=_constraints(
                *words,
                nullable=not (column.not_null or column.role is Role.ID),
                unique=bool(column.unique_constraint) or column.role is Role.ID,
            ),
        )

    def _describe_column(self, table: TargetTable, column: TargetColumn) -> str:
        """Say where the column's values come from; what the schema says of it comes first."""
        if column.role is Role.ID:
            return f"New id; the old one is in {self.layout.work_schema}.{table.mapping}"
        if column.role is Role.OLD_ID:
            return "The id that the row had in Xata"
        if column.role is Role.METADATA:
            return f"{_METADATA_WORDS[column.xata_name]} ({column.xata_name})"
        origin = f"Xata: {column.xata_name}, {column.xata_type}"
        if column.link:
            origin = f"Xata: {column.xata_name}, link to {column.link.table}"
        return f"{column.description}\n({origin})" if column.description else origin

    def _lineage(self, table: TargetTable) -> dg.TableColumnLineage:
        """Every column comes from its staged column; ids and links through an id mapping."""
        deps: dict[str, list[dg.TableColumnDep]] = {}
        for column in table.columns:
            deps[column.name] = [dg.TableColumnDep(xata_key(table), column.staging)]
            if column.role is Role.ID:
                deps[column.name].append(dg.TableColumnDep(mapping_key(table), "new_id"))
            if column.link:
                parent = self.plan.by_xata_name[column.link.table]
                deps[column.name].append(dg.TableColumnDep(mapping_key(parent), "new_id"))
            if column in table.rewritten:
                deps[column.name] += [dg.TableColumnDep(mapping_key(other), "new_id") for other in self.plan.tables]
        return dg.TableColumnLineage(deps)


def _constraints(*words: str, nullable: bool = True, unique: bool = False) -> dg.TableColumnConstraints:
    return dg.TableColumnConstraints(nullable=nullable, unique=unique, other=list(words))


def _code_version(table: TargetTable) -> str:
    """Return a version that changes when this table is planned differently, and for no other's sake."""
    cycle = sorted(table.cycle)  # a set has another order in every process
    return _version_of(__version__, cycle, replace(table, cycle=frozenset()))


def _version_of(*facts: object) -> str:
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def keys(tables: Sequence[TargetTable], files: Sequence[FileColumn] = ()) -> list[dg.AssetKey]:
    """Return the keys of all assets of the tables, and of those file columns that are theirs."""
    found = [key(table) for table in tables for key in (xata_key, mapping_key, postgres_key)]
    return found + [files_key(of) for of in files if of.table in tables]


def range_tags(shards: Sequence[str]) -> dict[str, str]:
    """Return the tags of a run that is for an unbroken row of shards, from the first to the last."""
    return {ASSET_PARTITION_RANGE_START_TAG: shards[0], ASSET_PARTITION_RANGE_END_TAG: shards[-1]}


def extra_keys(tables: Iterable[TargetTable]) -> list[dg.AssetKey]:
    """Return the keys of what the settings ask for beside the tables."""
    found: list[dg.AssetKey] = []
    for table in tables:
        found += [vector_index_key(table, index) for index in table.vector_indexes]
        found += [search_key(table)] if table.search_columns else []
    return found
