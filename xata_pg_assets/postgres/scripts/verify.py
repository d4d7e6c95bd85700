"""The checks as queries for psql: the same comparisons, and the rows that are wrong printed."""

from __future__ import annotations

from collections.abc import Iterable

from psycopg import sql

from xata_pg_assets.plan.tables import Role
from xata_pg_assets.postgres import keys, ledger
from xata_pg_assets.postgres.checks import SAMPLE, Budgets
from xata_pg_assets.postgres.evidence import compared_columns, evidence_query, lost_or_extra, wrong_cells
from xata_pg_assets.postgres.expected import Expected, comma
from xata_pg_assets.postgres.loading import floor_query
from xata_pg_assets.postgres.rewriting import wrong_ids
from xata_pg_assets.postgres.scripts.text import Script, do, joined

__all__ = ["begin", "conclude", "verify"]

_CHECKS = sql.Identifier("pg_temp", "xata_checks")
_ZERO = sql.SQL("0")


def begin(script: Script) -> None:
    """Make the table that the checks' ends are gathered in."""
    script.run(sql.SQL("CREATE TEMP TABLE xata_checks (xata_table text, name text, passed boolean, description text)"))


def verify(script: Script, expected: Expected, budgets: Budgets) -> None:
    """Check one table, and print its first wrong rows where there are any."""
    layout, table = expected.layout, expected.table
    checks = _checks(expected, budgets)
    script.run(
        sql.SQL(
            "WITH e AS ({}) INSERT INTO {} SELECT {}, v.* FROM e JOIN {} AS l ON l.xata_table = {}"
            " CROSS JOIN LATERAL (VALUES {}) AS v (name, passed, description)"
        ).format(
            evidence_query(expected),
            _CHECKS,
            sql.Literal(table.xata_name),
            layout.work("loads"),
            sql.Literal(table.xata_name),
            comma(
                sql.SQL("({}, {}, {})").format(sql.Literal(name), passed, description)
                for name, (passed, description) in checks.items()
            ),
        ),
        ledger.recording(
            layout,
            table,
            checks=sql.SQL(
                "(SELECT jsonb_object_agg(name, jsonb_build_object("
                "'passed', passed, 'severity', 'ERROR', 'description', description)) FROM {} WHERE xata_table = {})"
            ).format(_CHECKS, sql.Literal(table.xata_name)),
            checked_at=sql.SQL("now()"),
        ),
    )
    _print_if(script, expected, "row_count", lost_or_extra(layout, table))
    if table.links:
        _print_if(script, expected, "foreign_keys", wrong_cells(expected, list(table.links)))
    if compared := compared_columns(table):
        _print_if(script, expected, "values_equal", wrong_cells(expected, compared))


def conclude(script: Script) -> None:
    """Print the failed checks, and end with an error where there are any: psql then exits with 3."""
    script.command("COMMIT;")
    script.run(
        sql.SQL("SELECT xata_table, name AS failed_check, description FROM {} WHERE NOT passed").format(_CHECKS),
        do(
            sql.SQL(
                "IF EXISTS (SELECT FROM {0} WHERE NOT passed) THEN RAISE EXCEPTION '% of % checks failed',"
                " (SELECT count(*) FROM {0} WHERE NOT passed), (SELECT count(*) FROM {0})"
                " USING HINT = 'They are listed above, with the first rows that are wrong.'; END IF;"
            ).format(_CHECKS)
        ),
        sql.SQL("SELECT count(*) || ' checks passed' AS verdict FROM {}").format(_CHECKS),
    )
    script.command("BEGIN;")


def _print_if(script: Script, expected: Expected, check: str, query: sql.Composable) -> None:
    failed = sql.SQL("SELECT NOT passed AS failed FROM {} WHERE xata_table = {} AND name = {}").format(
        _CHECKS, sql.Literal(expected.table.xata_name), sql.Literal(check)
    )
    script.command(f"{failed.as_string()} \\gset xata_\n\\if :xata_failed")
    script.run(sql.SQL("{} LIMIT {}").format(query, sql.Literal(SAMPLE)))
    script.command("\\endif")


def _checks(expected: Expected, budgets: Budgets) -> dict[str, tuple[sql.Composable, sql.Composable]]:
    """Return condition and sentence of each check, over the evidence `e` and the ledger's line `l`."""
    layout, table, plan = expected.layout, expected.table, expected.plan
    target, mapping, loads = layout.target(table), layout.mapping(table), layout.work("loads")
    numbers = range(len(table.links))
    wrong = _sum(sql.Identifier("e", f"wrong_{number}") for number in numbers)
    dangling = sql.SQL("({} - ({}))").format(
        _sum(sql.Identifier("e", f"links_{number}") for number in numbers),
        _sum(sql.Identifier("e", f"resolved_{number}") for number in numbers),
    )
    mapped = sql.SQL("(SELECT count(*) FROM {} AS t JOIN {} AS m ON m.new_id = t.id)").format(target, mapping)
    ours = sql.SQL("xata_table = ANY({})").format(sql.Literal([each.xata_name for each in plan.tables]))
    rejected, lost = (
        sql.SQL("(SELECT coalesce(sum({}), 0) FROM {} WHERE {})").format(sql.Identifier(fact), loads, ours)
        for fact in ("rejected_rows", "dangling_links")
    )
    twice = _sum(
        sql.SQL(
            "(SELECT count(*) FROM (SELECT FROM {} WHERE {c} IS NOT NULL GROUP BY {c} HAVING count(*) > 1) AS d)"
        ).format(target, c=sql.Identifier(column.name))
        for column in table.unique_columns
    )
    nulls = _sum(
        sql.SQL("(SELECT count(*) FROM {} WHERE {} IS NULL)").format(target, sql.Identifier(column.name))
        for column in table.columns
        if column.not_null
    )
    lacking = _lacking(expected)
    rewriting: dict[str, tuple[sql.Composable, sql.Composable]] = {}
    if table.rewritten:
        wrong_values = sql.SQL("(SELECT count(*) FROM ({}) AS w)").format(
            wrong_ids(layout, expected.mapped, table, table.rewritten)
        )
        rewriting["ids_rewritten"] = (
            sql.SQL("{} = 0").format(wrong_values),
            sql.SQL("format('%s values are not as the mapping says', {})").format(wrong_values),
        )
    return {
        "row_count": (
            sql.SQL(
                "l.source_rows = e.found + l.rejected_rows + l.duplicate_rows AND {} = e.found"
                " AND (l.rejected_rows = 0 OR {} <= {})"
            ).format(mapped, rejected, sql.Literal(budgets.rejected_rows)),
            sql.SQL(
                "format('%s rows in the export, %s in the table, %s rejected, %s copies;"
                " %s rejected in all, %s allowed', l.source_rows, e.found, l.rejected_rows, l.duplicate_rows, {}, {})"
            ).format(rejected, sql.Literal(budgets.rejected_rows)),
        ),
        "id_mapping_one_to_one": (
            sql.SQL(
                "e.staged = e.mapped AND (SELECT count(*) = count(DISTINCT old_id)"
                " AND count(*) = count(DISTINCT new_id) FROM {})"
            ).format(mapping),
            sql.SQL("format('%s rows staged, %s of them mapped', e.staged, e.mapped)"),
        ),
        "foreign_keys": (
            sql.SQL("{} = 0 AND ({} = 0 OR {} <= {})").format(
                wrong, dangling, lost, sql.Literal(budgets.dangling_links)
            ),
            sql.SQL("format('%s links lead elsewhere, %s nowhere; %s in all, %s allowed', {}, {}, {}, {})").format(
                wrong, dangling, lost, sql.Literal(budgets.dangling_links)
            ),
        ),
        "unique_values": (
            sql.SQL("{} = 0").format(twice),
            sql.SQL("format('%s values stand twice', {})").format(twice),
        ),
        "not_null": (sql.SQL("{} = 0").format(nulls), sql.SQL("format('%s nulls', {})").format(nulls)),
        "values_equal": (
            sql.SQL("e.differing = 0 AND e.found = e.staged"),
            sql.SQL("format('%s rows differ, %s are missing', e.differing, e.staged - e.found)"),
        ),
        "constraints_in_place": (
            sql.SQL("{} IS NULL").format(lacking),
            sql.SQL("coalesce('lacking: ' || {}, 'all keys, NOT NULLs and defaults are there')").format(lacking),
        ),
        **rewriting,
    }


def _lacking(expected: Expected) -> sql.Composed:
    """Return the list of what the table lacks, NULL where it lacks nothing."""
    layout, table = expected.layout, expected.table
    wanted = comma(
        sql.SQL("({}, {}, {}, {}, {})").format(
            *map(sql.Literal, (key.kind, key.column, key.references, key.on_delete, str(key)))
        )
        for key, _ in keys.wanted(layout, expected.plan, table)
    )
    columns = comma(
        sql.SQL("({}, {}, {}, {}, {})").format(
            *map(
                sql.Literal,
                (
                    column.name,
                    column.not_null or column.role is Role.ID,
                    column.default is not None,
                    "d" if column.role is Role.ID else "",
                    keys.catalog_type(column),
                ),
            )
        )
        for column in table.columns
    )
    return sql.SQL(
        "(SELECT string_agg(what, ', ') FROM ("
        "SELECT w.what FROM (VALUES {wanted}) AS w (kind, name, parent, rule, what) WHERE NOT EXISTS ("
        "SELECT FROM ({present}) AS p (kind, name, parent, rule, key) WHERE (p.kind, p.name, p.parent, p.rule)"
        " = (w.kind, w.name, w.parent, w.rule))"
        " UNION ALL SELECT 'column ' || w.name FROM (VALUES {columns})"
        " AS w (name, is_not_null, has_default, identity, type)"
        " WHERE NOT EXISTS (SELECT FROM ({facts}) AS p (name, is_not_null, default_, identity, type)"
        " WHERE p.name = w.name AND p.is_not_null >= w.is_not_null AND (p.default_ IS NOT NULL OR NOT w.has_default)"
        " AND (p.identity = w.identity OR w.identity = '') AND regexp_replace(p.type, '^.*[.]', '') = w.type)"
        " UNION ALL SELECT 'an identity past the highest id' FROM {sequence}"
        " WHERE last_value + is_called::int < ({floor})"
        ") AS lacking)"
    ).format(
        wanted=wanted,
        present=keys.present_query(layout.target_schema, table.name),
        columns=columns,
        facts=keys.facts_query(layout.target_schema, table.name),
        sequence=sql.Identifier(layout.target_schema, table.sequence),
        floor=floor_query(layout, table),
    )


def _sum(parts: Iterable[sql.Composable]) -> sql.Composable:
    listed = list(parts)
    return sql.SQL("({})").format(joined(listed, "+")) if listed else _ZERO
