"""The way back: a migration taken out whole, and nothing but what it made; or accepted, and frozen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from psycopg import errors as pg
from psycopg import sql

from xata_pg_assets.errors import TransientError, UsageError, counted
from xata_pg_assets.plan.tables import Plan
from xata_pg_assets.postgres import bootstrap, file_ledger, habits, ledger, search, staging
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.catalog import column_types, count_rows, exists
from xata_pg_assets.postgres.connection import Connection
from xata_pg_assets.postgres.layout import Layout

__all__ = ["Inventory", "accept", "find", "take_out"]

_WORK_TABLES = ("rejected_rows", "dangling_links", "loads", "files", "file_loads")
_ROUTINES = {
    "new_id": sql.SQL("(text, text)"),
    "migrate_table": sql.SQL("(text, text, text, text, text, text[], jsonb)"),
    **dict.fromkeys(habits.ROUTINES, sql.SQL("()")),
}


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a migration made, and what of the user's own would go with it, a line each."""

    made: Sequence[str]
    in_the_way: Sequence[str]


def find(conn: Connection, layout: Layout, plan: Plan) -> Inventory:
    """List what the migration made: by its ledger, and by the marks on staging tables and schemas."""
    return _Finder(conn, layout, plan).inventory


def take_out(conn: Connection, layout: Layout, plan: Plan, shown: Inventory, *, force: bool) -> None:
    """Drop what was shown, in one transaction; with `force` also what hangs on it.

    Raises:
        UsageError: something of the user's hangs on it, or it was accepted.
        TransientError: it is no longer what was shown.
    """
    with conn.transaction():
        bootstrap.lock(conn, layout, "bootstrap")
        finder = _Finder(conn, layout, plan)
        for name in finder.relations:
            conn.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
        if finder.inventory != shown:
            raise TransientError("undo: the target changed meanwhile; run undo again and look at its list")
        if shown.in_the_way and not force:
            raise UsageError(
                f"undo: {'; '.join(shown.in_the_way)}: would go, too; move that, or say --force to lose it"
            )
        finder.drop(force=force)


def accept(conn: Connection, layout: Layout, *, force: bool) -> int:
    """Drop the staged rows and freeze the ledger; return how many staging tables went.

    Raises:
        UsageError: a table is not loaded, or a check of it failed; `force` accepts it all the same.
    """
    with conn.transaction():
        bootstrap.lock(conn, layout, "bootstrap")
        for name, line in ledger.entries(conn, layout).items():
            failed = next((check for check, end in line.checks.items() if not end["passed"]), None)
            if force or (line.loaded_at and line.checks and failed is None):
                continue
            what = f"check {failed} failed" if failed else "it is not loaded and checked"
            raise UsageError(f"table {name}: {what}; mend it and migrate again, or say --force to accept it so")
        for (table, column), copies in file_ledger.loads(conn, layout).items():
            if not force and not (copies.files_present or {}).get("passed"):
                raise UsageError(
                    f"files of {table}.{column}: check files_present is not green; mend it and migrate again, or say "
                    "--force to accept it so"
                )
        dropped = staging.drop_staging(conn, layout)
        ledger.freeze(conn, layout)
    return dropped


class _Finder:
    """Looks for what one migration made."""

    def __init__(self, conn: Connection, layout: Layout, plan: Plan) -> None:
        self.conn = conn
        self.layout = layout
        self.plan = plan
        self.lines = [line for _, line in sorted(ledger.entries(conn, layout).items())]

    @property
    def inventory(self) -> Inventory:
        return Inventory(tuple(self._made()), tuple(self._in_the_way()))

    @cached_property
    def targets(self) -> dict[str, sql.Identifier]:
        """The target tables by Xata name; one that no load made is somebody else's."""
        names = {
            line.xata_table: sql.Identifier(self.layout.target_schema, line.target_table)
            for line in self.lines
            if line.target_rows is not None
        }
        return {name: table for name, table in names.items() if exists(self.conn, table)}

    @cached_property
    def relations(self) -> list[sql.Identifier]:
        """Every table but the staged ones."""
        names = (*(line.mapping_table for line in self.lines), *_WORK_TABLES)
        work = [self.layout.work(name) for name in names]
        return [*self.targets.values(), *(name for name in work if exists(self.conn, name))]

    @cached_property
    def views(self) -> list[sql.Identifier]:
        views = [habits.lookup_view(self.layout, line.target_table) for line in self.lines]
        return [view for view in views if exists(self.conn, view)]

    @cached_property
    def routines(self) -> list[sql.Composed]:
        candidates = [self.layout.work(name) + types for name, types in _ROUTINES.items()]
        return [routine for routine in candidates if self._oid("to_regprocedure", routine)]

    @cached_property
    def schemas(self) -> list[str]:
        names = (self.layout.target_schema, self.layout.work_schema, self.layout.staging_schema)
        return [name for name in names if bootstrap.is_ours(self.conn, name)]

    @property
    def places_of_copies(self) -> list[str]:
        """Where files were copied to: what lies there is not the database's, and stays."""
        return sorted({line.destination for line in file_ledger.loads(self.conn, self.layout).values()})

    def _made(self) -> Iterator[str]:
        targets = list(self.targets.values())
        for name in self.relations:
            rows = f", {counted(count_rows(self.conn, name), 'row')}" if name in targets else ""
            yield f"table {name.as_string(self.conn)}{rows}"
        for view in self.views:
            yield f"view {view.as_string(self.conn)}"
        for routine in self.routines:
            yield f"routine {routine.as_string(self.conn)}"
        for (name,) in sorted(self.conn.execute(staging.tables_query(self.layout)).fetchall()):
            yield f"table {sql.Identifier(self.layout.staging_schema, name).as_string(self.conn)}"
        yield from (f"record of the copies in {place}; the copies stay" for place in self.places_of_copies)
        for schema in self.schemas:
            yield f"schema {sql.Identifier(schema).as_string(self.conn)}, if nothing else is in it"

    def _in_the_way(self) -> Iterator[str]:
        accepted_on = ledger.accepted_on(self.conn, self.layout)
        if accepted_on:
            yield f"the migration that was accepted on {accepted_on}"
        for line in self.lines:
            if line.xata_table in self.targets:
                yield from self._own_of_table(line)
        query = statements.get("dependents").format(
            relations=sql.Literal([self._oid("to_regclass", name) for name in (*self.relations, *self.views)]),
            routines=sql.Literal([self._oid("to_regprocedure", routine) for routine in self.routines]),
        )
        yield from (what for (what,) in self.conn.execute(query).fetchall())

    def _own_of_table(self, line: ledger.Entry) -> Iterator[str]:
        """Name rows and columns that the user added to a table."""
        target, mapping = self.targets[line.xata_table], self.layout.work(line.mapping_table)
        there = column_types(self.conn, target)
        text = target.as_string(self.conn)
        if "id" in there and exists(self.conn, mapping):
            row = self.conn.execute(
                sql.SQL(
                    "SELECT count(*) FROM {} AS t WHERE NOT EXISTS (SELECT FROM {} AS m WHERE m.new_id = t.id)"
                ).format(target, mapping)
            ).fetchone()
            if row and row[0]:
                yield f"{counted(row[0], 'row')} of your own in {text}"
        table = self.plan.by_xata_name.get(line.xata_table)
        if table and table.name == line.target_table:
            own = there.keys() - {column.name for column in table.columns}
            own -= search.own_columns(self.conn, self.layout.target_schema, table.name)
            yield from (f"column {name} of {text}" for name in sorted(own))

    def drop(self, *, force: bool) -> None:
        """Drop it all; each schema of ours only once it is empty."""
        how = sql.SQL("CASCADE" if force else "RESTRICT")
        staging.drop_staging(self.conn, self.layout)
        try:
            for view in self.views:
                self.conn.execute(sql.SQL("DROP VIEW {} {}").format(view, how))
            self.conn.execute(sql.SQL("DROP TABLE {} {}").format(sql.SQL(", ").join(self.relations), how))
            for routine in self.routines:
                self.conn.execute(sql.SQL("DROP ROUTINE {} {}").format(routine, how))
            self.conn.execute(sql.SQL("DROP SEQUENCE IF EXISTS {} {}").format(self.layout.work(habits.COUNTER), how))
        except pg.DependentObjectsStillExist:
            raise UsageError(
                "undo: an object of your own depends on a migrated table; drop it, or say --force to lose it"
            ) from None
        for schema in self.schemas:
            if self.conn.execute(staging.is_droppable(schema)).fetchone() == (True,):
                self.conn.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))

    def _oid(self, function: str, name: sql.Composable) -> int | None:
        row = self.conn.execute(
            sql.SQL("SELECT {}({})::oid::bigint").format(sql.SQL(function), sql.Literal(name.as_string(self.conn)))
        ).fetchone()
        return row[0] if row else None
