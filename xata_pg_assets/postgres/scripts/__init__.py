"""The migration as numbered scripts for psql, made of the statements that the pipeline itself runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from xata_pg_assets.plan.tables import ORDINAL, Plan, TargetTable
from xata_pg_assets.postgres import access, ddl, habits, ledger
from xata_pg_assets.postgres.bootstrap import MINIMUM_VERSION, mark_schema, work_statements
from xata_pg_assets.postgres.checks import Budgets
from xata_pg_assets.postgres.dangling import DanglingPolicy, dangling, needed_links, noted, without_their_links
from xata_pg_assets.postgres.expected import Expected
from xata_pg_assets.postgres.id_mapping import mapping_statements, tally_query
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.loading import floor_query, insert_rows
from xata_pg_assets.postgres.scripts import landing, verify
from xata_pg_assets.postgres.scripts.landing import CsvFile
from xata_pg_assets.postgres.scripts.procedure import create_procedure
from xata_pg_assets.postgres.scripts.text import MARK, Script, argument, do, raising
from xata_pg_assets.postgres.search import extra_statements
from xata_pg_assets.postgres.staging import is_droppable, tables_query

__all__ = ["MARK", "CsvFile", "Scripts", "write_scripts"]

_FOLDER = "xata_export"  # the psql variable that names the export's folder


@dataclass(frozen=True, slots=True)
class Scripts:
    """What is written: `files` for tables that psql can read; `obstacles` of those that it cannot, by Xata name."""

    layout: Layout
    plan: Plan
    folder: str
    files: Mapping[str, CsvFile]
    obstacles: Mapping[str, str]
    policy: DanglingPolicy
    budgets: Budgets

    def expected(self, table: TargetTable) -> Expected:
        """Return what a table should hold; rows rejected meanwhile are looked up, never assumed to be there."""
        lines = {
            each.xata_name: ledger.Entry(
                each.xata_name, each.name, each.mapping, staged_rows=-1, mapped_at=ledger.now()
            )
            for each in self.plan.tables
        }
        return Expected(self.layout, self.plan, table, lines, frozenset(lines), is_exact=True)


def write_scripts(scripts: Scripts) -> list[Script]:
    """Write the scripts, in the order in which they are run."""
    return [
        _schemas(scripts),
        _procedure(scripts),
        _stage(scripts),
        _map_ids(scripts),
        _tables(scripts),
        _load(scripts),
        _keys(scripts),
        *_extras(scripts),
        _verify(scripts),
        _clean_up(scripts),
    ]


def _schemas(scripts: Scripts) -> Script:
    script, layout = Script("01_schemas.sql", "the schemas, the extension and the work tables"), scripts.layout
    script.run(
        do(
            sql.SQL("IF current_setting('server_version_num')::int < {} THEN").format(sql.Literal(MINIMUM_VERSION)),
            raising("this PostgreSQL is too old", "Version 14 or later is needed."),
            sql.SQL("END IF;"),
        )
    )
    for name in (layout.target_schema, layout.work_schema, layout.staging_schema):
        # IF NOT EXISTS would need the privilege to create what is there already
        script.run(
            do(
                sql.SQL("IF NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = {}) THEN {}; {}; END IF;").format(
                    sql.Literal(name), ddl.create_schema(name), mark_schema(name)
                )
            )
        )
    if scripts.plan.needs_pgvector:
        schema = layout.pgvector_schema
        script.run(
            do(
                sql.SQL("IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector') THEN {}; END IF;").format(
                    ddl.create_pgvector(layout)
                ),
                sql.SQL(
                    "IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'vector' AND extnamespace ="
                    " (SELECT oid FROM pg_namespace WHERE nspname = {})) THEN"
                ).format(sql.Literal(schema)),
                raising(
                    f"pgvector is not in the schema {schema}",
                    "Write the scripts anew: xata-pg sql --pgvector-schema with the schema that it is in.",
                ),
                sql.SQL("END IF;"),
            )
        )
    script.run(*work_statements(layout))
    return script


def _procedure(scripts: Scripts) -> Script:
    script = Script("02_migrate_table.sql", "the procedure migrate_table, for tables that no plan knows of")
    script.run(*create_procedure(scripts.layout))
    return script


def _stage(scripts: Scripts) -> Script:
    script = Script("10_stage.sql", "the export's rows as they came, judged and typed")
    for name, obstacle in scripts.obstacles.items():
        script.run(
            do(raising(f"table {name}: {obstacle}", "Have xata-pg migrate read it, then run xata-pg sql again."))
        )
    script.command(f"\\if :{{?{_FOLDER}}}\n\\else\n\\set {_FOLDER} {_set_argument(scripts.folder)}\n\\endif")
    script.command(f"\\cd :{_FOLDER}")
    landing.make_judges(script, scripts.layout, scripts.plan)
    for table in scripts.plan.tables:
        script.note(table.xata_name)
        file = scripts.files.get(table.xata_name)
        if file is not None and file.header:
            landing.land(script, scripts.layout, table, file)
        elif table.xata_name not in scripts.obstacles:
            landing.land_nothing(script, scripts.layout, table, file)
    return script


def _map_ids(scripts: Scripts) -> Script:
    script = Script("20_map_ids.sql", "a new id for every old one")
    tally = sql.SQL("(SELECT {} FROM ({}) AS t (lines, digest))")
    for table in scripts.plan.tables:
        script.note(table.xata_name)
        make, key, fill = mapping_statements(scripts.layout, table)
        script.run(
            do(
                sql.SQL("IF to_regclass({}) IS NULL THEN {}; {}; ELSE {}; END IF;").format(
                    sql.Literal(scripts.layout.mapping(table).as_string()), make, key, fill
                )
            ),
            ledger.recording(
                scripts.layout,
                table,
                mapped_rows=tally.format(sql.SQL("lines"), tally_query(scripts.layout.mapping(table))),
                mapping_digest=tally.format(sql.SQL("digest"), tally_query(scripts.layout.mapping(table))),
                mapped_at=sql.SQL("now()"),
            ),
        )
    return script


def _tables(scripts: Scripts) -> Script:
    script = Script("30_tables.sql", "the tables, without keys yet")
    for table in scripts.plan.tables:
        script.note(f"{table.xata_name} becomes {table.name}")
        script.run(*ddl.create_table(scripts.layout, table))
    return script


def _load(scripts: Scripts) -> Script:
    script, layout = (
        Script("40_load.sql", "the rows, with their new ids and those that their links name"),
        scripts.layout,
    )
    script.run(
        do(
            sql.SQL("IF EXISTS (SELECT FROM {} WHERE target_rows IS NOT NULL AND xata_table = ANY({})) THEN").format(
                layout.work("loads"), sql.Literal([table.xata_name for table in scripts.plan.tables])
            ),
            raising(
                "the tables are loaded already", "To begin anew, run xata-pg undo, or drop tables and work schema."
            ),
            sql.SQL("END IF;"),
        )
    )
    for table in scripts.plan.tables:
        expected = scripts.expected(table)
        script.note(table.xata_name)
        script.run(*_policy(scripts, table))
        script.run(insert_rows(expected))
        own = sql.SQL("{} WHERE xata_table = {}").format(layout.work("dangling_links"), sql.Literal(table.xata_name))
        script.run(sql.SQL("DELETE FROM {}").format(own), *(noted(expected, column) for column in table.links))
        rows = sql.SQL("(SELECT count(*) FROM {})").format(layout.target(table))
        script.run(
            ledger.recording(
                layout,
                table,
                target_rows=rows,
                inserted_rows=rows,
                updated_rows=0,
                deleted_rows=0,
                dangling_links=sql.SQL("(SELECT count(*) FROM {})").format(own),
            )
        )
    return script


def _policy(scripts: Scripts, table: TargetTable) -> list[sql.Composed]:
    """Refuse the load, or reject the rows that cannot go without their links, round a cycle until nothing changes."""
    if scripts.policy == "fail":
        return [
            do(
                sql.SQL("IF EXISTS (SELECT {}) THEN").format(dangling(scripts.expected(table), column)),
                raising(
                    f"table {table.xata_name}: links of {column.xata_name} lead to rows that are not there",
                    "Export the linked table again, or set dangling_links to null or reject and run xata-pg sql again.",
                ),
                sql.SQL("END IF;"),
            )
            for column in table.links
        ]
    if not needed_links(table, scripts.policy):
        return []
    members = [each for each in (table, *scripts.plan.cycle_of(table)) if needed_links(each, scripts.policy)]
    passes = sql.SQL(" ").join(
        sql.SQL("{}; changed := changed OR FOUND;").format(_reject(scripts, member)) for member in members
    )
    return [
        do(
            sql.SQL("LOOP changed := false; {} EXIT WHEN NOT changed; END LOOP;").format(passes),
            declare="DECLARE changed boolean; ",
        ),
        *(
            ledger.recording(scripts.layout, member, rejected_rows=_rejected_rows(scripts, member))
            for member in members
        ),
    ]


def _rejected_rows(scripts: Scripts, table: TargetTable) -> sql.Composed:
    """Return the ledger's count, to be written again with the digest of the list that it is of now."""
    return sql.SQL("(SELECT l.rejected_rows FROM {} AS l WHERE l.xata_table = {})").format(
        scripts.layout.work("loads"), sql.Literal(table.xata_name)
    )


def _reject(scripts: Scripts, table: TargetTable) -> sql.Composed:
    """Move the staged rows whose needed links dangle to the rejected ones; touches a row only where there are any."""
    layout = scripts.layout
    return sql.SQL(
        "WITH losers (place, ordinal, old_id, xata_column, value, reason) AS MATERIALIZED ({losers}),"
        " noted AS (INSERT INTO {rejected} (xata_table, file, old_id, xata_column, value, reason)"
        " SELECT {table}, (SELECT l.file FROM {loads} AS l WHERE l.xata_table = {table}),"
        " old_id, xata_column, value, reason FROM losers),"
        " gone AS (DELETE FROM {staging} WHERE {ordinal} IN (SELECT ordinal FROM losers) RETURNING 1)"
        " UPDATE {loads} SET staged_rows = staged_rows - (SELECT count(*) FROM gone),"
        " rejected_rows = rejected_rows + (SELECT count(*) FROM gone)"
        " WHERE xata_table = {table} AND EXISTS (SELECT FROM losers)"
    ).format(
        losers=without_their_links(scripts.expected(table), needed_links(table, scripts.policy)),
        rejected=layout.work("rejected_rows"),
        table=sql.Literal(table.xata_name),
        loads=layout.work("loads"),
        staging=layout.staging(table),
        ordinal=sql.Identifier(ORDINAL),
    )


def _keys(scripts: Scripts) -> Script:
    script, layout, plan = Script("50_keys.sql", "keys, indexes and identities"), scripts.layout, scripts.plan
    for table in plan.tables:
        script.note(table.xata_name)
        script.run(ddl.add_primary_key(layout, table))
        script.run(*(ddl.add_unique(layout, table, column) for column in table.columns if column.unique_constraint))
        script.run(*(ddl.create_index(layout, table, column) for column in ddl.indexed_links(table)))
        sequence = sql.Identifier(layout.target_schema, table.sequence).as_string()
        # Nothing is printed by what returns no row
        script.run(
            do(
                sql.SQL("PERFORM setval({}::regclass, ({}), false);").format(
                    sql.Literal(sequence), floor_query(layout, table)
                )
            )
        )
    script.note("foreign keys, when every table is there")
    for table in plan.tables:
        script.run(*(ddl.add_foreign_key(layout, plan, table, column) for column in table.links))
        script.run(*habits.statements_of(layout, table), *access.statements_of(layout, table))
        script.run(ledger.recording(layout, table, loaded_at=sql.SQL("now()")))
    return script


def _extras(scripts: Scripts) -> list[Script]:
    """Write what the settings ask for beside the tables, where they do."""
    statements = extra_statements(scripts.layout, scripts.plan)
    if not statements:
        return []
    script = Script("60_search.sql", "search columns and vector indexes")
    script.run(*statements)
    return [script]


def _verify(scripts: Scripts) -> Script:
    script = Script("90_verify.sql", "every cell compared with the export's; ends with an error where one differs")
    verify.begin(script)
    for table in scripts.plan.tables:
        script.note(table.xata_name)
        verify.verify(script, scripts.expected(table), scripts.budgets)
    verify.conclude(script)
    return script


def _clean_up(scripts: Scripts) -> Script:
    script, schema = (
        Script("99_clean_up.sql", "the staged rows dropped; tables, mappings and ledger stay"),
        (scripts.layout.staging_schema),
    )
    script.run(
        do(
            sql.SQL("FOR name IN {} LOOP EXECUTE format('DROP TABLE %I.%I', {}, name); END LOOP;").format(
                tables_query(scripts.layout), sql.Literal(schema)
            ),
            sql.SQL("IF ({}) THEN DROP SCHEMA {}; END IF;").format(is_droppable(schema), sql.Identifier(schema)),
            declare="DECLARE name text; ",
        )
    )
    return script


def _set_argument(text: str) -> str:
    r"""Quote an argument of \set and the like, where psql knows backslashes."""
    return argument(text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r"))
