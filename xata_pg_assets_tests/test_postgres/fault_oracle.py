"""A dataset with faults at known places, written in any dialect, and what must become of it: a reading of our own."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any, Literal

from xata_pg_assets.xata.schema import METADATA_COLUMNS
from xata_pg_assets_tests.fix_export import column, table

Family = Literal["csv", "json", "python"]

SCHEMA = (
    table("u", column("name")),
    table(
        "t",
        column("at", "datetime"),
        column("body", "text", not_null=True),
        column("code", "string", unique=True),
        column("data", "json"),
        column("done", "bool"),
        column("embedding", "vector", dimension=3),
        column("legacy", "object"),
        column("mail", "email"),
        column("n", "int"),
        column("parent", "link", link="t"),
        column("ratio", "float"),
        column("tags", "multiple"),
        column("team", "link", link="u", unique=True),
        column("wanted", "int", not_null=True),
        column("words", "text"),
    ),
)
COLUMNS = tuple(each.name for each in SCHEMA[1].columns)
TYPES = {each.name: each.type.value for each in SCHEMA[1].columns}
TEAMS = 8  # rows of u; the last of them is no row

# Texts that no cell of the type may hold, in any dialect
BAD_TEXTS = {
    "n": ["12.5", "1_000", "0x1A", " 42 ", "9223372036854775808", "--1", "+1", "1e3", "NULL", "٣"],
    "ratio": ["inf", "nan", "-Infinity", "1e999", "1e-999", "1,5", "0x1p3", " 1.5", "1_0.0", "1e"],
    "done": ["yes", "1", "on", " true", "NULL"],
    "at": ["2024-02-30T00:00:00Z", "now", "infinity", "2024-01-01", "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z",
           "2024-01-01T00:00:00.1234567Z", "epoch", "1704067200", "2024-01-01T00:00:00 Z"],
    "tags": ["[", '{"a": 1}', "a,b", "[1, 2", "null_"],
    "legacy": ['{"a": 1', "[,]", "text"],
    "embedding": ['["a", 2, 3]', "[1, 2, null]", "[1e39, 2, 3]", "1, 2, 3", "[1, 2, 3"],
    "wanted": ["1.5", "x", " 1"],
}  # fmt: skip
# JSON values that no cell of the type may hold; as a row gives them, and as they are told
BAD_VALUES = {
    "n": [12.5, True, [1], {"a": 1}, 10**20],
    "ratio": [False, [1.5], {}],
    "done": [1, 0.5, ["true"]],
    "at": [1704067200, False, {}],
    "tags": [{"a": 1}, 5, True],
    "embedding": ["x", [1, "b", 3], [1, 2, None], 7],
    "parent": ["", {}, {"id": None}, 5, ["x"]],
    "words": [5, True, {"a": 1}, ["x"]],
    "wanted": [1.5, [2]],
    "legacy": [5, True],
}
# JSON texts that jsonb does not hold, where a string is JSON text
BAD_JSON = [
    ('{"k": 1', "bad_value"), ("nothing", "bad_value"), ("{'a': 1}", "bad_value"), ('["a",]', "bad_value"),
    ('"\\u0000"', "nul_byte"), ('["\\ud800"]', "bad_encoding"), ("[NaN]", "bad_value"),
]  # fmt: skip
_WORDS = ["", "NULL", " padded ", "it's", 'say "x"', "a,b", "é😀", "two\nlines", "\r\n", "{'a': 1}", "\\N", "None"]


@dataclass(frozen=True)
class Fault:
    """A cell gone bad: its spelling in the file, and what is told of it."""

    reason: str
    told: str | None
    token: bytes


@dataclass
class Row:
    """A record; `values` are Python's, a json column's too; `spoilt` are cells that are spelled otherwise."""

    id: str
    values: dict[str, Any]
    meta: tuple[int, str] | None  # version and updatedAt
    spoilt: dict[str, Fault] = field(default_factory=dict)
    shape: str = ""  # ragged, header: no record at all
    line: int | None = None
    raw: str = ""

    @property
    def old_id(self) -> str | None:
        return self.spoilt["id"].told if "id" in self.spoilt else self.id


@dataclass(frozen=True)
class Dialect:
    """How a record is written, and the file around the records."""

    file: str
    family: Family
    cells: Callable[[Row], bytes]
    wrap: Callable[[Sequence[bytes]], bytes]
    has_metadata: bool = True
    has_links: bool = False  # objects that hold an id
    encodes: bool = True  # a string of a json column is JSON text
    head: bytes = b""


def _csv_text(text: str, *, always: bool = False) -> str:
    return '"' + text.replace('"', '""') + '"' if always or not text or set(text) & set(',"\r\n') else text


def _console(row: Row) -> bytes:
    cells = [_csv_cell(row, "id", row.id), *(_console_cell(row, name) for name in COLUMNS)]
    version, updated = row.meta or ("", "")
    return ",".join([*cells, _csv_cell(row, "xata.version", str(version)), "", updated]).encode("latin-1")


def _bytes(text: str) -> str:
    """Return UTF-8 as one character a byte, so that bytes of any kind go with it."""
    return text.encode().decode("latin-1")


def _csv_cell(row: Row, name: str, text: str) -> str:
    return row.spoilt[name].token.decode("latin-1") if name in row.spoilt else _bytes(text)


def _console_cell(row: Row, name: str) -> str:
    value = row.values.get(name)
    if value is None:
        return _csv_cell(row, name, "")
    if TYPES[name] in ("multiple", "object", "vector", "json"):
        return _csv_cell(row, name, _csv_text(json.dumps(value), always=True))
    return _csv_cell(row, name, _csv_text(str(value).lower() if isinstance(value, bool) else str(value)))


def _xreplay(row: Row) -> bytes:
    return ",".join([_csv_cell(row, "id", row.id), *(_xreplay_cell(row, name) for name in COLUMNS)]).encode("latin-1")


def _xreplay_cell(row: Row, name: str) -> str:
    value = row.values.get(name)
    if value is None:
        return _csv_cell(row, name, "")
    if TYPES[name] in ("string", "text"):
        return _csv_cell(row, name, _csv_text(value, always=bool(value)))
    if TYPES[name] in ("multiple", "object"):
        return _csv_cell(row, name, _csv_text(str(value), always=True))
    return _csv_cell(row, name, json.dumps(value) if TYPES[name] == "json" else str(value))


def _member(row: Row, name: str, token: Callable[[Any], str], value: Any) -> bytes:
    return row.spoilt[name].token if name in row.spoilt else token(value).encode()


def _record(row: Row, token: Callable[[Any], str], *, encoded: bool, links: str, nested: bool) -> bytes:
    members = [(b"id", _member(row, "id", token, row.id))]
    for name in COLUMNS:
        value = row.values.get(name)
        if value is None and name not in row.spoilt:
            continue
        if encoded and TYPES[name] == "json":
            value = json.dumps(value)
        if TYPES[name] == "link" and links == "object":
            value = {"id": value}
        members.append((name.encode(), _member(row, name, token, value)))
    if row.meta and nested:
        version = _member(row, "xata.version", token, row.meta[0])
        members.append((b"xata", b'{"version": ' + version + b', "updatedAt": "' + row.meta[1].encode() + b'"}'))
    quote = token("")[:1].encode()
    return b"{" + b", ".join(quote + name + quote + b": " + value for name, value in members) + b"}"


def _array(row: Row) -> bytes:
    cells = [_member(row, "id", json.dumps, row.id)]
    cells += [_member(row, name, json.dumps, row.values.get(name)) for name in COLUMNS]
    version, updated = row.meta or (None, None)
    return (
        b"["
        + b", ".join([*cells, _member(row, "xata.version", json.dumps, version), json.dumps(updated).encode()])
        + b"]"
    )


def _sdk(row: Row) -> bytes:
    return _record(row, json.dumps, encoded=False, links="object", nested=True)


def _rest(row: Row) -> bytes:
    return _record(row, json.dumps, encoded=True, links="object", nested=True)


def _log(row: Row) -> bytes:
    return _record(row, repr, encoded=True, links="bare", nested=False)


def _lines(records: Sequence[bytes]) -> bytes:
    return b"".join(record + b"\n" for record in records)


def _pages(records: Sequence[bytes]) -> bytes:
    half = len(records) // 2
    pages = [
        b'{"meta": {"page": {}}, "records": [' + b", ".join(part) + b"]}" for part in (records[:half], records[half:])
    ]
    return b"[" + b",\n".join(pages) + b"]"


def _sql(records: Sequence[bytes]) -> bytes:
    names = [{"name": name, "type": "text"} for name in ("id", *COLUMNS, *METADATA_ORDER)]
    return b'{"columns": ' + json.dumps(names).encode() + b', "rows": [' + b",\n".join(records) + b'], "total": 1}'


METADATA_ORDER = ("xata.version", "xata.updatedAt")
assert set(METADATA_ORDER) < set(METADATA_COLUMNS)
_NAMES = ",".join(COLUMNS)
DIALECTS: Mapping[str, Dialect] = {
    "console": Dialect(
        "t.csv", "csv", _console, _lines, head=f"id,{_NAMES},xata.version,xata.createdAt,xata.updatedAt".encode()
    ),
    "xreplay": Dialect("t.csv", "csv", _xreplay, _lines, has_metadata=False, head=f"id,{_NAMES}".encode()),
    "SDK": Dialect(
        "t.json", "json", _sdk, lambda records: b"[" + b",\n ".join(records) + b"]", has_links=True, encodes=False
    ),
    "REST": Dialect("t.json", "json", _rest, _pages, has_links=True),
    "SQL": Dialect("t.json", "json", _array, _sql, encodes=False),
    "JSON Lines": Dialect("t.jsonl", "json", _sdk, _lines, has_links=True, encodes=False),
    "log": Dialect("t.log", "python", _log, _lines, has_metadata=False),
    # a PostgreSQL source, of text columns
    "source": Dialect("", "csv", _console, _lines),
}


NAMES = ("id", *COLUMNS, "xata.version")


def _text(name: str, value: Any) -> str | None:
    if value is None or (isinstance(value, str) and TYPES.get(name) != "json"):
        return value
    return json.dumps(value) if TYPES.get(name) in ("json", "multiple", "object", "vector") else str(value).lower()


class Dataset:
    """Random rows of table t, a share of them with faults, and the file that holds them."""

    def __init__(self, name: str, seed: int, rows: int) -> None:
        self.name = name
        self.dialect = DIALECTS[name]
        self.random = Random(f"{name} {seed}")
        self.rows = self._made(rows)
        self._written: bytes = b""

    # --- making ---------------------------------------------------------------------------------------

    def _made(self, count: int) -> list[Row]:
        rows = [self._good(number) for number in range(count)]
        rows[0].values |= {
            "done": True,
            "embedding": [1.5, 2.0, -3.0],
            "tags": ["it's"],
        }  # tells xreplay's from the console's
        for number in self.random.sample(range(1, count), count // 2):
            self._spoil(rows, number)
        self.random.shuffle(tail := rows[1:])
        return [rows[0], *tail]

    def _good(self, number: int) -> Row:
        pick = self.random
        values: dict[str, Any] = {
            "at": f"2024-0{pick.randint(1, 9)}-1{pick.randint(0, 9)}T10:00:00.{pick.randint(0, 999999):06}Z",
            "body": pick.choice(_WORDS),
            "code": f"code {number}",
            "data": pick.choice([{"k": [1, None, "],}"]}, [True, "it's"], 1.5, {"s": "é\n"}]),
            "done": pick.choice([True, False]),
            "embedding": [pick.randint(-8, 8) / 4 for _ in range(3)],
            "legacy": pick.choice([{"a": None}, {"b": [True, 1.5], "c": "it's"}, {}]),
            "mail": f"m{number}@example.org",
            "n": pick.randint(-(2**63), 2**63 - 1),
            "parent": f"id {pick.randint(0, 2 * number + 3)}",
            "ratio": pick.choice([-0.0, 1e-07, 1.5, 1e22, 0.1]),
            "tags": pick.choice([[], ["a", "it's", '"', "\\"], ["é,", "b"]]),
            "team": f"team {number}" if number < TEAMS else None,
            "wanted": number,
            "words": pick.choice([word for word in _WORDS if word]),
        }
        for name in COLUMNS[:-2]:
            if name not in ("body", "code", "team") and pick.random() < 0.2:
                values[name] = None
        meta = (pick.randint(0, 3), f"2024-01-0{pick.randint(1, 9)}T00:00:00Z") if self.dialect.has_metadata else None
        return Row(f"id {number}", values, meta)

    def _spoil(self, rows: list[Row], number: int) -> None:
        row, pick = rows[number], self.random
        match pick.choice(["cell"] * 5 + ["cells", "copy", "version", "value", "ragged", "header", "id", "meta"]):
            case "cell":
                row.spoilt |= dict([self._bad_cell()])
            case "cells":
                row.spoilt |= dict(self._bad_cell() for _ in range(3))
            case "copy":
                rows.append(replace(row, values=dict(row.values)))
            case "version":
                values = row.values | {"wanted": -number, "code": f"other {number}", "team": None}
                rows.append(replace(row, values=values, meta=row.meta and (pick.randint(0, 3), row.meta[1])))
            case "value":
                values = row.values | {pick.choice(["code", "team"]): pick.choice(["code 0", "team 1"])}
                row.values = values
            case "ragged" if self.dialect.file:
                rows.append(Row("", {}, None, shape="ragged"))
            case "header" if self.dialect.head:
                rows.append(Row("", {}, None, shape="header"))
            case "id":
                row.spoilt["id"] = self._bad_id()
            case "meta" if self.dialect.has_metadata:
                row.spoilt["xata.version"] = self._spelled("bad_value", pick.choice(["x", "1.5"]))

    def _bad_cell(self) -> tuple[str, Fault]:
        pick = self.random
        json_like = self.dialect.family == "json"
        kind = pick.choice(
            ["text"] * 3
            + ["value"] * 2 * json_like
            + ["null", "dimension", "long"]
            + ["nul", "bytes"] * bool(self.dialect.file)
            + ["json"] * 2 * self.dialect.encodes
            + ["half"] * json_like
        )
        match kind:
            case "text":
                name = pick.choice(list(BAD_TEXTS))
                return name, self._spelled("bad_value", pick.choice(BAD_TEXTS[name]))
            case "value":
                name = pick.choice(list(BAD_VALUES))
                value = pick.choice(BAD_VALUES[name])
                told = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
                return name, Fault("bad_value", told, json.dumps(value).encode())
            case "json":
                text, reason = pick.choice(BAD_JSON)
                return "data", self._spelled(reason, text)
            case "null":
                name = "wanted" if self.dialect.family == "csv" else pick.choice(["wanted", "body"])
                empty = {"csv": b"", "json": b"null", "python": b"None"}
                return name, Fault("null_not_allowed", None, empty[self.dialect.family])
            case "nul":
                name = pick.choice(["words", "body", "mail"])
                return name, self._spelled("nul_byte", "a\0b", told="a\ufffdb")
            case "bytes":
                name = pick.choice(["words", "body", "code"])
                quoted = {"csv": b'"x\xff\xfey"', "json": b'"x\xff\xfey"', "python": b"'x\xff\xfey'"}
                return name, Fault("bad_encoding", "x\ufffd\ufffdy", quoted[self.dialect.family])
            case "dimension":
                return "embedding", self._listed("bad_dimension", pick.choice([[1.5], [1, 2, 3, 4], [], [1, 2]]))
            case "long":
                text = f"{pick.getrandbits(8 * 6000):x}"
                return "code", self._spelled("value_too_long", text)
        return "words", Fault("bad_encoding", "a\ufffd", b'"a\\ud800"')

    def _bad_id(self) -> Fault:
        empty = {"csv": b"", "json": b"null", "python": b"None"}[self.dialect.family]
        return self.random.choice([Fault("missing_id", None, empty), self._spelled("value_too_long", "x" * 256)])

    def _spelled(self, reason: str, text: str, told: str | None = None) -> Fault:
        """Spell a text as the dialect spells texts."""
        match self.dialect.family:
            case "csv":
                token = _csv_text(text, always="\0" in text)
            case "json":
                token = json.dumps(text)
            case _:
                token = repr(text)
        return Fault(reason, text if told is None else told, token.encode())

    def _listed(self, reason: str, value: list[Any]) -> Fault:
        match self.name:
            case "console" | "source":
                return Fault(reason, json.dumps(value), _csv_text(json.dumps(value), always=True).encode())
            case "xreplay":
                return Fault(reason, str(value), str(value).encode())
        return Fault(reason, json.dumps(value, separators=(",", ":")), json.dumps(value).encode())

    # --- writing --------------------------------------------------------------------------------------

    def write(self, folder: Path) -> str:
        """Write the file, note where each record stands, and return the file's name."""
        records = [self._spelling(row) for row in self.rows]
        text = self.dialect.wrap([self.dialect.head, *records] if self.dialect.head else records)
        at = 0
        for number, (row, record) in enumerate(zip(self.rows, records, strict=True), start=1):
            at = text.index(record, at)
            row.line = number if self.dialect.file == "t.json" else 1 + text.count(b"\n", 0, at)
            row.raw = record.decode(errors="replace").replace("\0", "\ufffd")[:10_000]
            at += len(record)
        name = self.dialect.file + ".gz" * (self.random.random() < 0.5)
        (folder / name).write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        return name

    def cells(self) -> list[list[str | None]]:
        """Return the rows as texts: id, own columns, version and updatedAt; their lines are the order of old ids."""
        self.rows.sort(key=lambda row: row.old_id or "\U0010ffff")
        found = []
        for number, row in enumerate(self.rows, start=1):
            row.line = number
            good = {"id": row.id, **row.values, "xata.version": (row.meta or (0, ""))[0]}
            texts = [row.spoilt[name].told if name in row.spoilt else _text(name, good.get(name)) for name in NAMES]
            found.append([*texts, (row.meta or (0, ""))[1]])
        return found

    def _spelling(self, row: Row) -> bytes:
        if row.shape == "header":
            return self.dialect.head
        if row.shape == "ragged":
            if self.dialect.family == "csv":
                return self.random.choice([b"only,three,cells", b"x" + b"," * 40, b"alone"])
            return {"SQL": b'["too", "short"]', "log": b"nothing"}.get(self.name, b"5")
        return self.dialect.cells(row)

    # --- what must become of it -----------------------------------------------------------------------

    def expected(self, *, reject: bool = False) -> Expected:
        """Tell what must become of the rows; `reject` those whose links dangle."""
        faults: list[tuple[Any, ...]] = []
        good: list[Row] = []
        copies = 0
        for row in self.rows:
            if row.shape == "header":
                copies += 1
            elif row.shape == "ragged":
                old_id = row.raw.split(",")[0] if self.dialect.family == "csv" else None
                faults.append((row.line, old_id, None, None, "ragged", row.raw))
            elif row.spoilt:
                faults += [
                    (row.line, row.old_id, name, fault.told, fault.reason, row.raw)
                    for name, fault in self._told(row).items()
                ]
            else:
                good.append(row)
        good, dropped = self._without_copies(good)
        good, older = self._latest(good)
        faults += [(row.line, row.id, "id", row.id, "duplicate_id", row.raw) for row in older]
        good, later = self._without_rivals(good)
        faults += [
            (row.line, row.id, name, self._as_told(row, name), "duplicate_value", row.raw) for row, name in later
        ]
        while (dangling := self._dangling(good)) and reject:
            faults += [
                (row.line, row.id, name, row.values[name], "dangling_link", row.raw)
                for row in good
                for name in ("parent", "team")
                if (row.id, name, row.values[name]) in dangling
            ]
            lost = {old_id for old_id, _, _ in dangling}
            good = [row for row in good if row.id not in lost]
        return Expected(faults, copies + dropped, good, dangling)

    @staticmethod
    def _dangling(good: Sequence[Row]) -> set[tuple[str, str, str]]:
        ids = {row.id for row in good}
        teams = {f"team {number}" for number in range(TEAMS - 1)}
        return {
            (row.id, name, row.values[name])
            for row in good
            for name, there in (("parent", ids), ("team", teams))
            if row.values[name] is not None and row.values[name] not in there
        }

    def _as_told(self, row: Row, name: str) -> str:
        value = str(row.values[name])
        return json.dumps({"id": value}, separators=(",", ":")) if name == "team" and self.dialect.has_links else value

    def _told(self, row: Row) -> Mapping[str, Fault]:
        """Leave out what only a unique index refuses, where another fault rejects the row before it comes to that."""
        told = {name: each for name, each in row.spoilt.items() if (name, each.reason) != ("code", "value_too_long")}
        return told or row.spoilt

    @staticmethod
    def _without_copies(rows: Sequence[Row]) -> tuple[list[Row], int]:
        seen: dict[str, Row] = {}
        for row in rows:
            seen.setdefault(repr((row.id, row.values, row.meta)), row)
        return list(seen.values()), len(rows) - len(seen)

    @staticmethod
    def _latest(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
        best: dict[str, Row] = {}
        for row in sorted(rows, key=lambda row: (row.meta or (0, ""), row.line)):
            best[row.id] = row
        return [row for row in rows if best[row.id] is row], [row for row in rows if best[row.id] is not row]

    @staticmethod
    def _without_rivals(rows: Sequence[Row]) -> tuple[list[Row], list[tuple[Row, str]]]:
        held: set[tuple[str, Any]] = set()
        good, later = [], []
        for row in rows:
            own = [(name, row.values[name]) for name in ("code", "team") if row.values[name] is not None]
            taken = [name for name, value in own if (name, value) in held]
            later += [(row, name) for name in taken]
            if not taken:
                held.update(own)
                good.append(row)
        return good, later


@dataclass(frozen=True)
class Expected:
    """Faults as (line, old id, column, value, reason, raw); copies dropped; rows that stay; dangling links."""

    faults: Sequence[tuple[Any, ...]]
    copies: int
    rows: Sequence[Row]
    dangling: set[tuple[str, str, str]]

    def cells(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Return the rows by old id, in values that PostgreSQL's row_to_json gives too."""
        lost = {(old_id, name) for old_id, name, _ in self.dangling}
        for row in self.rows:
            yield row.id, {name: None if (row.id, name) in lost else row.values[name] for name in COLUMNS}
