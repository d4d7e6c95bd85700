"""The export's CSV, landed by psql alone: copied as texts, judged cell by cell in SQL, staged as typed rows."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql
from psycopg.types.json import Jsonb

from xata_pg_assets.plan.tables import METADATA, ORDINAL, Plan, TargetTable
from xata_pg_assets.postgres import ledger
from xata_pg_assets.postgres import sql as statements
from xata_pg_assets.postgres.duplicates import drop_copies, older_versions, rivals
from xata_pg_assets.postgres.expected import comma
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.postgres.scripts.text import Script, argument, do, joined, raising
from xata_pg_assets.postgres.staging import create_statements, landing_columns
from xata_pg_assets.xata.records import Reason, TableReader
from xata_pg_assets.xata.schema import XataColumn, XataType

__all__ = ["CsvFile", "land", "land_nothing", "make_judges"]

_RAW, _CELLS, _FAULTS, _COPIES, _HELD = (
    sql.Identifier("pg_temp", name) for name in ("xata_raw", "xata_cells", "xata_faults", "xata_copies", "xata_held")
)
_BOM = sql.Literal("\N{ZERO WIDTH NO-BREAK SPACE}")
_FUNCTIONS = {
    XataType.INT: "xata_int",
    XataType.FLOAT: "xata_float",
    XataType.BOOL: "xata_bool",
    XataType.DATETIME: "xata_datetime",
    XataType.LINK: "xata_id",
}
_OFFSET = r"([Zz]|[+-]\d\d:\d\d)$"
_OPENINGS = {XataType.JSON: "", XataType.OBJECT: "{", XataType.FILE: "{"}
_ITEMS = {XataType.MULTIPLE: "string", XataType.FILES: "object"}


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A file that COPY reads as we do: its opened head, and the header's cells as they stand in it."""

    reader: TableReader
    header: tuple[str, ...]
    source: str
    recover_created_at: bool
    warnings: tuple[str, ...]


def make_judges(script: Script, layout: Layout, plan: Plan) -> None:
    """Make the functions that hold cells to the rules of their types; they last as long as the session."""
    script.run(statements.get("csv_judges").format())
    if plan.needs_pgvector:
        vector = sql.Identifier(layout.pgvector_schema, "vector")
        dims = sql.Identifier(layout.pgvector_schema, "vector_dims")
        script.run(statements.get("csv_judge_vector").format(vector=vector, dims=dims))


def land_nothing(script: Script, layout: Layout, table: TargetTable, file: CsvFile | None) -> None:
    """Make an empty staging table, for a table that has no file or one that holds nothing."""
    warning, facts = f"{table.xata_name}: the export has no file of this name", dict[str, str]()
    if file is not None:
        reader = file.reader
        warning = f"{table.xata_name}: {reader.file} is empty; 0 rows"
        facts = {"source": file.source, "file": reader.file, "dialect": reader.dialect}
    script.run(*create_statements(layout, table, landing_columns(table)))
    script.run(_forget(layout, table))
    script.run(
        ledger.recording(
            layout,
            table,
            **dict.fromkeys(("staged_rows", "source_rows", "duplicate_rows", "rejected_rows"), 0),
            staging_warnings=[*(file.warnings if file else ()), warning],
            staged_at=sql.SQL("now()"),
            **facts,
        )
    )


def land(script: Script, layout: Layout, table: TargetTable, file: CsvFile) -> None:
    """Land a file: what cannot be taken goes to the rejected rows, with its line."""
    _Landing(script, layout, table, file).land()


@dataclass(frozen=True, slots=True)
class _Cell:
    """A column of the file: the cell over `r`, as it is judged and as it came, its value, and what may be wrong."""

    xata_name: str
    text: sql.Identifier
    raw: sql.Identifier
    value: sql.Composable
    is_judged: bool
    missing: Reason | None
    column: XataColumn | None

    @property
    def is_datetime(self) -> bool:
        type_ = self.column.type if self.column else METADATA.get(self.xata_name, (None, None))[1]
        return type_ is XataType.DATETIME


@dataclass(frozen=True, slots=True)
class _Landing:
    script: Script
    layout: Layout
    table: TargetTable
    file: CsvFile

    def land(self) -> None:
        script, layout, table = self.script, self.layout, self.table
        columns = landing_columns(table, self.file.reader.unknown)
        cells = list(self._cells())
        script.run(*create_statements(layout, table, columns), _forget(layout, table))
        self._copy(cells)
        self._judge(cells)
        self._stage(cells, {column.xata_name: column.name for column in columns})
        if self.file.recover_created_at:
            script.run(statements.get("recover_created_at").format(staging=layout.staging(table)))
        self._settle([column.name for column in columns])
        self._write_down(cells)

    def _cells(self) -> Iterator[_Cell]:
        own = {column.name: column for column in self.file.reader.table.columns}
        for place, name in enumerate(self.file.reader.columns):
            column, text = own.get(name), sql.Identifier("r", f"c{place}")
            value = self._value(name, column, text)
            missing = Reason.NULL_NOT_ALLOWED if column and column.not_null else None
            if name == "id":
                missing = Reason.MISSING_ID
            yield _Cell(name, text, sql.Identifier("r", f"raw_c{place}"), value, value is not text, missing, column)

    def _value(self, name: str, column: XataColumn | None, text: sql.Identifier) -> sql.Composable:
        """Return a cell's value as its staging column has it, NULL where it is none."""
        type_ = column.type if column else METADATA[name][1] if name in METADATA else None
        if name == "id" and column is None:
            type_ = XataType.LINK
        if type_ in _OPENINGS:
            return sql.SQL("pg_temp.xata_json({}, {})").format(text, sql.Literal(_OPENINGS[type_]))
        if type_ in _ITEMS:
            return sql.SQL("pg_temp.xata_list({}, {})").format(text, sql.Literal(_ITEMS[type_]))
        if type_ is XataType.VECTOR and column is not None:
            return sql.SQL("pg_temp.xata_vector_of({}, {})").format(text, sql.Literal(column.dimension))
        if type_ in _FUNCTIONS:
            return sql.SQL("{}({})").format(sql.Identifier("pg_temp", _FUNCTIONS[type_]), text)
        return text

    def _copy(self, cells: list[_Cell]) -> None:
        """Copy the file as texts, its header as the first row: that is how it is known to be the one planned for."""
        reader, names = self.file.reader, [f"c{place}" for place in range(len(cells))]
        script = self.script
        script.run(
            sql.SQL(
                "CREATE TEMP TABLE xata_raw (ordinal bigint GENERATED ALWAYS AS IDENTITY"
                " (START WITH 0 MINVALUE 0 CACHE 1000), {})"
            ).format(comma(sql.SQL("{} text").format(sql.Identifier(name)) for name in names))
        )
        path = f"./{reader.file}"
        source = (
            f"PROGRAM {argument('gzip -dc < ' + shlex.quote(path))}" if path.lower().endswith(".gz") else argument(path)
        )
        script.command(f"\\copy pg_temp.xata_raw ({', '.join(names)}) FROM {source} WITH (FORMAT csv, ENCODING 'UTF8')")
        is_header = joined(
            (
                sql.SQL("{} IS NOT DISTINCT FROM {}").format(
                    sql.SQL("ltrim({}, {})").format(cell.text, _BOM) if not place else cell.text, sql.Literal(name)
                )
                for place, (cell, name) in enumerate(zip(cells, self.file.header, strict=True))
            ),
            "AND",
        )
        script.run(
            do(
                sql.SQL("IF NOT EXISTS (SELECT FROM {} AS r WHERE ordinal = 0 AND {}) THEN").format(_RAW, is_header),
                raising(f"{reader.file}: its header is no longer the one it had", "Run xata-pg sql again."),
                sql.SQL("END IF;"),
            ),
            sql.SQL("CREATE TEMP VIEW xata_cells AS SELECT ordinal, {} FROM {} AS r WHERE NOT ({})").format(
                comma(
                    sql.SQL("{} AS {}, {} AS {}").format(
                        self._text(cell), sql.Identifier(name), cell.text, sql.Identifier(f"raw_{name}")
                    )
                    for cell, name in zip(cells, names, strict=True)
                ),
                _RAW,
                is_header,
            ),
            sql.SQL(
                "CREATE TEMP TABLE xata_faults (ordinal bigint, old_id text, xata_column text, value text, reason text)"
            ),
            sql.SQL("CREATE TEMP TABLE xata_copies (rows bigint)"),
        )

    def _text(self, cell: _Cell) -> sql.Composable:
        """Return a cell's text, with what stands for NULL and for an empty text told apart."""
        if cell.xata_name in self.file.reader.force_null:
            return sql.SQL("nullif({}, '')").format(cell.text)
        if cell.xata_name in self.file.reader.force_not_null:
            return sql.SQL("coalesce({}, '')").format(cell.text)
        return cell.text

    def _judge(self, cells: list[_Cell]) -> None:
        """Find every fault of every row."""
        judged = [cell for cell in cells if cell.missing or cell.is_judged]
        self.script.run(
            sql.SQL(
                "INSERT INTO {} SELECT r.ordinal, {}, f.* FROM {} AS r"
                " CROSS JOIN LATERAL (VALUES {}) AS f (xata_column, value, reason) WHERE f.reason IS NOT NULL"
            ).format(
                _FAULTS,
                next(cell.text for cell in cells if cell.xata_name == "id"),
                _CELLS,
                comma(
                    sql.SQL("({}, {}, {})").format(sql.Literal(cell.xata_name), cell.raw, self._reason(cell))
                    for cell in judged
                ),
            )
        )

    def _reason(self, cell: _Cell) -> sql.Composed:
        cases: list[sql.Composable] = []
        if cell.missing:
            cases.append(sql.SQL("WHEN {} IS NULL THEN {}").format(cell.text, sql.Literal(cell.missing.value)))
        if cell.is_judged:
            reason: sql.Composable = sql.SQL("pg_temp.xata_reason({})").format(cell.text)
            if cell.column is None or cell.column.type is XataType.LINK:
                reason = sql.SQL("CASE WHEN length({}) > 255 THEN {} ELSE {} END").format(
                    cell.text, sql.Literal(Reason.VALUE_TOO_LONG.value), reason
                )
            elif cell.column.type is XataType.VECTOR:
                reason = sql.SQL("CASE WHEN pg_temp.xata_vector({}) IS NOT NULL THEN {} ELSE {} END").format(
                    cell.text, sql.Literal(Reason.BAD_DIMENSION.value), reason
                )
            cases.append(sql.SQL("WHEN {} IS NOT NULL AND {} IS NULL THEN {}").format(cell.text, cell.value, reason))
        return sql.SQL("CASE {} END").format(sql.SQL(" ").join(cases))

    def _stage(self, cells: list[_Cell], names: dict[str, str]) -> None:
        self.script.run(
            sql.SQL(
                "INSERT INTO {} ({}, {}) OVERRIDING SYSTEM VALUE SELECT {}, r.ordinal FROM {} AS r"
                " WHERE NOT EXISTS (SELECT FROM {} AS f WHERE f.ordinal = r.ordinal) ORDER BY r.ordinal"
            ).format(
                self.layout.staging(self.table),
                comma(sql.Identifier(names[cell.xata_name]) for cell in cells),
                sql.Identifier(ORDINAL),
                comma(cell.value for cell in cells),
                _CELLS,
                _FAULTS,
            )
        )

    def _settle(self, names: list[str]) -> None:
        """Take out copies, older versions of an id, and rows whose unique value an earlier one has."""
        layout, table = self.layout, self.table
        gone = sql.SQL("DELETE FROM {} WHERE {} IN (SELECT ordinal FROM {})").format(
            layout.staging(table), sql.Identifier(ORDINAL), _FAULTS
        )
        self.script.run(
            sql.SQL("WITH dropped AS ({} RETURNING 1) INSERT INTO {} SELECT count(*) FROM dropped").format(
                drop_copies(layout, table, names), _COPIES
            ),
            _rejecting(older_versions(layout, table)),
            gone,
        )
        if table.unique_columns:
            self.script.run(*self._later_values(), gone)

    def _later_values(self) -> Iterator[sql.Composable]:
        """Find the rows whose unique values are held by good rows on earlier lines, as the pipeline finds them."""
        numbered = list(enumerate(self.table.unique_columns))
        cells = comma(
            sql.SQL("({}, {}, r.{}, r.{})").format(
                sql.Literal(number),
                sql.Literal(column.xata_name),
                sql.Identifier(f"first_{number}"),
                sql.Identifier(f"value_{number}"),
            )
            for number, column in numbered
        )
        yield sql.SQL("CREATE TEMP TABLE xata_held (number int, first bigint, PRIMARY KEY (number, first))")
        yield do(
            sql.SQL(
                "FOR r IN {rivals} LOOP"
                " INSERT INTO {faults} SELECT r.ordinal, r.id, c.xata_column, c.value, {reason}"
                " FROM (VALUES {cells}) AS c (number, xata_column, first, value) JOIN {held} USING (number, first);"
                " IF NOT FOUND THEN"
                " INSERT INTO {held} SELECT c.number, c.first"
                " FROM (VALUES {cells}) AS c (number, xata_column, first, value) WHERE c.first IS NOT NULL;"
                " END IF; END LOOP;"
            ).format(
                rivals=rivals(self.layout, self.table, self.table.unique_columns),
                faults=_FAULTS,
                held=_HELD,
                reason=sql.Literal(Reason.DUPLICATE_VALUE.value),
                cells=cells,
            ),
            declare="DECLARE r record; ",
        )
        yield sql.SQL("DROP TABLE {}").format(_HELD)

    def _write_down(self, cells: list[_Cell]) -> None:
        """Write rejected rows with the lines they stand at, and the ledger's line."""
        layout, table, reader = self.layout, self.table, self.file.reader
        feeds = joined(
            (
                sql.SQL("coalesce(length({0}) - length(replace({0}, E'\\n', '')), 0)").format(cell.text)
                for cell in cells
            ),
            "+",
        )
        raw = sql.SQL("left(concat_ws(',', {}), 10000)").format(
            comma(sql.SQL("pg_temp.xata_cell({})").format(cell.text) for cell in cells)
        )
        self.script.run(
            sql.SQL(
                "INSERT INTO {rejected} (xata_table, file, line, old_id, xata_column, value, reason, raw)"
                " SELECT {table}, {file}, l.line, f.old_id, f.xata_column, f.value, f.reason, {raw}"
                " FROM {faults} AS f JOIN {all} AS r USING (ordinal)"
                " JOIN (SELECT ordinal, 1 + coalesce(sum(1 + {feeds}) OVER before, 0) AS line FROM {all} AS r"
                " WINDOW before AS (ORDER BY ordinal ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS l"
                " USING (ordinal) ORDER BY f.ordinal"
            ).format(
                rejected=layout.work("rejected_rows"),
                table=sql.Literal(table.xata_name),
                file=sql.Literal(reader.file),
                raw=raw,
                faults=_FAULTS,
                all=_RAW,
                feeds=feeds,
            ),
            ledger.recording(
                layout,
                table,
                source=self.file.source,
                file=reader.file,
                dialect=reader.dialect,
                staged_rows=_count(layout.staging(table)),
                source_rows=sql.SQL("{} - 1").format(_count(_RAW)),
                duplicate_rows=sql.SQL("{} - 1 - {} + (SELECT sum(rows) FROM {})").format(
                    _count(_RAW), _count(_CELLS), _COPIES
                ),
                rejected_rows=sql.SQL("(SELECT count(DISTINCT ordinal) FROM {})").format(_FAULTS),
                staging_warnings=self._warnings(cells),
                staged_at=sql.SQL("now()"),
            ),
            sql.SQL("DROP TABLE {}, {}, {} CASCADE").format(_RAW, _FAULTS, _COPIES),
        )

    def _warnings(self, cells: list[_Cell]) -> sql.Composable:
        """Return what is known of the file, and what only its cells tell: datetimes without an offset."""
        told: sql.Composable = sql.Literal(Jsonb(list(self.file.warnings)))
        for cell in cells:
            if cell.is_datetime:
                warning = f"{self.table.xata_name}.{cell.xata_name}: datetimes without an offset were read as UTC"
                told = sql.SQL(
                    "{} || CASE WHEN EXISTS (SELECT FROM {} AS r WHERE {} !~ {} AND {} IS NOT NULL)"
                    " THEN {} ELSE '[]' END"
                ).format(told, _CELLS, cell.text, sql.Literal(_OFFSET), cell.value, sql.Literal(Jsonb([warning])))
        return told


def _forget(layout: Layout, table: TargetTable) -> sql.Composed:
    return sql.SQL("DELETE FROM {} WHERE xata_table = {}").format(
        layout.work("rejected_rows"), sql.Literal(table.xata_name)
    )


def _rejecting(losers: sql.Composed) -> sql.Composed:
    return sql.SQL(
        "INSERT INTO {} SELECT l.ordinal, l.old_id, l.xata_column, l.value, l.reason"
        " FROM ({}) AS l (place, ordinal, old_id, xata_column, value, reason)"
    ).format(_FAULTS, losers)


def _count(name: sql.Identifier) -> sql.Composed:
    return sql.SQL("(SELECT count(*) FROM {})").format(name)
