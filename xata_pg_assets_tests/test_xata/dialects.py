"""One dataset written in every dialect, each the simplest way its writer might have it, and read back typed."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from xata_pg_assets.xata.export import DIALECTS
from xata_pg_assets.xata.records import Fault, ReadOptions, Reason
from xata_pg_assets.xata.schema import METADATA_COLUMNS, XataColumn, XataTable, XataType
from xata_pg_assets_tests.test_xata.csv_oracle import Cell, as_texts, rows_of

T = XataType

# One column of each type
EVERY = XataTable(
    "t",
    (
        XataColumn("title", T.STRING),
        XataColumn("body", T.TEXT, not_null=True),
        XataColumn("mail", T.EMAIL),
        XataColumn("count", T.INT),
        XataColumn("ratio", T.FLOAT),
        XataColumn("done", T.BOOL),
        XataColumn("at", T.DATETIME),
        XataColumn("tags", T.MULTIPLE),
        XataColumn("data", T.JSON),
        XataColumn("legacy", T.OBJECT),
        XataColumn("embedding", T.VECTOR, dimension=3),
        XataColumn("parent", T.LINK, link="t"),
    ),
)

Row = Mapping[str, Any]


class Reading:
    """Everything that a reader says of a file; rows by column name."""

    def __init__(self, path: Path, table: XataTable, *, block_size: int | None = None, **options: Any) -> None:
        extension = [suffix for suffix in path.suffixes if suffix != ".gz"][-1]
        self.reader: Any = DIALECTS[extension](path, path.name, table, ReadOptions(**options))
        if block_size is not None:
            self.reader._block_size = block_size
        with as_texts():
            self.batches = list(self.reader.batches())
        self.rows: list[dict[str, Cell]] = []
        for batch in self.batches:
            rows = rows_of(batch.data)
            assert len(rows) == batch.rows
            self.rows += [dict(zip(self.reader.columns, row, strict=True)) for row in rows]
        self.faults: list[Fault] = [fault for batch in self.batches for fault in batch.faults]
        self.source_rows = sum(batch.source_rows for batch in self.batches)
        self.duplicate_rows = sum(batch.duplicate_rows for batch in self.batches)
        rejected = self.source_rows - len(self.rows) - self.duplicate_rows
        told = len({(fault.line, fault.raw) for fault in self.faults})
        # a line tells records apart unless carriage returns alone end them
        is_told_apart = ".csv" not in path.suffixes or b"\r" not in path.read_bytes()
        assert rejected == told if is_told_apart else rejected >= told > 0 or rejected == 0
        assert self.reader.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert self.reader.size == path.stat().st_size

    @property
    def told(self) -> list[tuple[int | None, str | None, str | None, str | None, Reason]]:
        return [(fault.line, fault.old_id, fault.column, fault.value, fault.reason) for fault in self.faults]

    def column(self, name: str) -> list[Cell]:
        return [row[name] for row in self.rows]

    def typed(self, table: XataTable) -> list[dict[str, Any]]:
        """Return the rows as their types have them, to compare what is written in many ways."""
        types = {column.name: column.type for column in table.columns} | {"xata.version": T.INT}
        return [{name: typed(cell, types.get(name, T.TEXT)) for name, cell in row.items()} for row in self.rows]


def typed(cell: Cell, type_: XataType) -> Any:
    """Return what a cell says by its type; a float by its text, for the sign of zero."""
    if cell is None or type_.is_text:
        return cell
    match type_:
        case T.INT:
            return int(cell)
        case T.FLOAT:
            return repr(float(cell))
        case T.BOOL:
            return cell.lower() in ("true", "t")
        case T.VECTOR:
            return [repr(float(item)) for item in exact_json(cell)]
        case T.MULTIPLE | T.JSON | T.OBJECT:
            return exact_json(cell)
    return cell


def exact_json(text: str) -> Any:
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


# --- writers; a row holds Python values, of a json column its JSON text ------------------------------


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def console_csv(rows: Sequence[Row], table: XataTable) -> str:
    def cell(value: Any, type_: XataType) -> str:
        if value is None:
            return ""
        if type_ in (T.MULTIPLE, T.OBJECT, T.VECTOR):
            return _quoted(json.dumps(value))
        if type_ is T.BOOL:
            return str(value).lower()
        text = str(value)
        return _quoted(text) if not text or set(text) & set(',"\r\n') else text

    types = {
        "id": T.TEXT,
        **{column.name: column.type for column in table.columns},
        **dict.fromkeys(METADATA_COLUMNS, T.TEXT),
    }
    lines = [list(types), *([cell(row.get(name), types[name]) for name in types] for row in rows)]
    return "".join(",".join(line) + "\n" for line in lines)


def xreplay_csv(rows: Sequence[Row], table: XataTable) -> str:
    def cell(value: Any, type_: XataType) -> str:
        if value is None:
            return ""
        if type_ in (T.MULTIPLE, T.STRING, T.TEXT, T.OBJECT) and len(value) > 0:
            return _quoted(str(value))
        return str(value)

    columns = sorted(table.columns, key=lambda column: column.name)
    text = "id," + ",".join(column.name for column in columns) + "\n" * bool(columns)
    for row in rows:
        text += row["id"] + "," + ",".join(cell(row.get(column.name), column.type) for column in columns) + "\n"
    return text


def record(row: Row, table: XataTable, *, encoded: bool, link: str = "bare", nested: bool = True) -> dict[str, Any]:
    """Return a row as the REST interface gives it (`encoded` json), or the SDK."""
    found: dict[str, Any] = {"id": row["id"]}
    for column in table.columns:
        value = row.get(column.name)
        if value is not None and column.type is T.LINK and link != "bare":
            value = {"id": value, **({"title": "of the target", "xata": {"version": 7}} if link == "expanded" else {})}
        if value is not None and column.type is T.JSON and not encoded:
            value = json.loads(value)
        if value is not None or link == "expanded":
            found[column.name] = value
    metadata = {name.removeprefix("xata."): row[name] for name in METADATA_COLUMNS if row.get(name) is not None}
    return found | ({"xata": metadata} if nested else {f"xata.{name}": value for name, value in metadata.items()})


def sdk_json(rows: Sequence[Row], table: XataTable) -> str:
    return json.dumps([record(row, table, encoded=False, link="expanded") for row in rows], indent=2)


def rest_json(rows: Sequence[Row], table: XataTable) -> str:
    records = [record(row, table, encoded=True, link="object") for row in rows]
    pages = [{"records": records[:2], "meta": {"page": {"more": True}}}, {"meta": {}, "records": records[2:]}]
    return json.dumps(pages, ensure_ascii=False)


def rest_pages_in_a_row(rows: Sequence[Row], table: XataTable) -> str:
    return "\n".join(json.dumps({"records": [record(row, table, encoded=True)]}) for row in rows)


def sql_objects(rows: Sequence[Row], table: XataTable) -> str:
    records = [record(row, table, encoded=False, nested=False) for row in rows]
    return json.dumps({"columns": {"id": {"type_name": "text"}}, "records": records, "total": len(rows)})


def sql_arrays(rows: Sequence[Row], table: XataTable) -> str:
    names = ["id", *(column.name for column in table.columns), *METADATA_COLUMNS]
    records = [record(row, table, encoded=False, nested=False) for row in rows]
    arrays = [[found.get(name) for name in names] for found in records]
    return json.dumps([{"rows": arrays, "columns": [{"name": name, "type": "text"} for name in names], "total": 1}])


def json_lines(rows: Sequence[Row], table: XataTable) -> str:
    return "".join(json.dumps(record(row, table, encoded=False), ensure_ascii=False) + "\n" for row in rows)


def log(rows: Sequence[Row], table: XataTable) -> str:
    records = [record(row, table, encoded=True) for row in rows]
    return "".join(f"{ {key: value for key, value in found.items() if key != 'xata'} }\n" for found in records)


# What writes each kind of file, and whether it writes metadata
WRITERS: Mapping[str, tuple[str, Callable[[Sequence[Row], XataTable], str], bool]] = {
    "console csv": ("t.csv", console_csv, True),
    "xreplay csv": ("t.csv", xreplay_csv, False),
    "SDK": ("t.json", sdk_json, True),
    "REST": ("t.json", rest_json, True),
    "REST, one after another": ("t.json", rest_pages_in_a_row, True),
    "SQL, objects": ("t.json", sql_objects, True),
    "SQL, arrays": ("t.json", sql_arrays, True),
    "JSON Lines": ("t.jsonl", json_lines, True),
    "xreplay log": ("t.log", log, False),
}


def write(folder: Path, name: str, content: str | bytes, *, as_gzip: bool = False) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path = folder / (name + ".gz" if as_gzip else name)
    path.write_bytes(gzip.compress(data, 1) if as_gzip else data)
    return path
