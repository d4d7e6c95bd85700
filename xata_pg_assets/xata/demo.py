"""Write the demo: a small, believable console export of the example schema, with every trap in it.

Drawn from a seed with random() alone, whose sequence Python keeps from version to version: the export
has the same bytes on every machine.
"""

from __future__ import annotations

import base64
import json
import math
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import chain, repeat
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from xata_pg_assets.errors import UsageError, XataPgError
from xata_pg_assets.xata.demo_words import (
    CUSTOM_IDS,
    NULL_SHARE,
    PICTURES,
    PLACES,
    RECORDINGS,
    ROWS,
    SPECIAL_ROWS,
    SWAPPED_COLUMNS,
    TEMPLATES,
    WORDS,
    Value,
)

__all__ = ["DemoSummary", "demo_files", "write_demo"]

T = TypeVar("T")
Column = Mapping[str, Any]
Table = Mapping[str, Any]

SEED = 1947
METADATA = ("xata.createdAt", "xata.updatedAt", "xata.version")
XID_HOST = bytes.fromhex("75666f 2a17")  # 3 bytes of machine, 2 of process
DAY = 86_400
EXPORT_OPENED = datetime(2023, 5, 1, tzinfo=UTC)
FIRST_SIGHTING = datetime(1947, 6, 24, tzinfo=UTC)


@dataclass(frozen=True)
class DemoSummary:
    """What `write_demo` left in the folder; `bytes` counts the schema in."""

    folder: Path
    tables: int
    rows: int
    bytes: int


class Record(NamedTuple):
    """The id of a row and when it was made."""

    id: str
    created: datetime


class Dice:
    """Draws that rest on random() alone."""

    def __init__(self, seed: str) -> None:
        self.random = random.Random(seed).random  # noqa: S311  repeatable on purpose

    def below(self, limit: int) -> int:
        """Draw a whole number from 0 to `limit` - 1."""
        return int(self.random() * limit)

    def happens(self, percent: int) -> bool:
        """Decide something that is true so many times in a hundred."""
        return self.below(100) < percent

    def one(self, items: Sequence[T]) -> T:
        """Draw an item, each as likely as the next."""
        return items[self.below(len(items))]

    def popular(self, items: Sequence[T]) -> T:
        """Draw an item, the earlier ones more often, as people link to a few rows again and again."""
        share = self.random()
        return items[int(share * share * len(items))]

    def later(self, start: datetime, days: int) -> datetime:
        """Draw a moment of the `days` after `start`, to the microsecond."""
        return start + timedelta(seconds=self.below(days * DAY), microseconds=self.below(1_000_000))


class Facts(dict[str, str]):
    """The words of one row, drawn when first named and then the same for the whole row."""

    def __init__(self, dice: Dice) -> None:
        city, state, country, latitude, longitude = dice.one(PLACES)
        seen = dice.later(FIRST_SIGHTING, 76 * 365)
        super().__init__(
            city=city,
            state=state,
            country=country,
            latitude=str(round(latitude + dice.random() / 10, 6)),
            longitude=str(round(longitude + dice.random() / 10, 6)),
            year=str(seen.year),
            date=iso(seen, exact=dice.happens(10)),
            date_posted=iso(dice.later(seen, 90)),
        )
        self._dice = dice

    def __missing__(self, word: str) -> str:
        self[word] = self._dice.one(WORDS[word]).format_map(self)
        return self[word]

    def fill(self, template: Any) -> Any:
        """Put words in place of the braces in a text, or in every text of a JSON value."""
        if isinstance(template, str):
            return template.format_map(self)
        if isinstance(template, list):
            return [self.fill(item) for item in template]
        if isinstance(template, dict):
            return {key: self.fill(item) for key, item in template.items()}
        return template


@dataclass(frozen=True)
class Draft:
    """A row being drawn: its table, its dice and words, and the rows it may link to."""

    table: str
    dice: Dice
    facts: Facts
    records: Mapping[str, Sequence[Record]]

    def filled(self, column: Column) -> Any:
        """Fill the template of a text, number, date or JSON column."""
        key = f"{self.table}.{column['name']}"
        return self.facts.fill(TEMPLATES[key if key in TEMPLATES else column["name"]])

    def multiple(self, column: Column) -> Value:
        """Keep some of the template's items."""
        return [item for item in self.filled(column) if self.dice.happens(70)]

    def link(self, column: Column) -> Value:
        """Name a row of the linked table."""
        return self.dice.popular(self.records[column["link"]["table"]]).id

    def score(self, _: Column) -> Value:
        """Draw a whole number from 0 to 100."""
        return self.dice.below(101)

    def vector(self, column: Column) -> Value:
        """Draw a unit vector, eight digits to a number as float4 has them."""
        numbers = [2 * self.dice.random() - 1 for _ in range(column["vector"]["dimension"])]
        # fsum, as Python 3.12 made sum() round differently
        length = math.sqrt(math.fsum(number * number for number in numbers))
        return "[" + ",".join(f"{number / length:.8g}" for number in numbers) + "]"

    def file(self, column: Column) -> dict[str, Value]:
        """Describe one file as Xata does."""
        is_picture = column["name"].startswith(("photo", "image", "diagram"))
        extension, media_type, attributes = self.dice.one(PICTURES if is_picture else RECORDINGS)
        public = column.get(column["type"], {}).get("defaultPublicAccess", False)
        url = f"https://files.example.org/{self.table}/{self._xid()}"
        return {
            "name": f"{self.dice.one(WORDS['slug'])}-{self.dice.below(1000)}.{extension}",
            "mediaType": media_type,
            "size": 1000 + self.dice.below(4_000_000),
            "version": self.dice.below(4),
            "url": url,
            **({} if public else {"signedUrl": f"{url}?expires=600&verify=demo"}),
            "enablePublicUrl": public,
            "signedUrlTimeout": 600,
            "attributes": attributes,
        }

    def file_list(self, column: Column) -> Value:
        """Describe up to two files, each with an id of its own."""
        return [{"id": f"file_{self._xid()}", **self.file(column)} for _ in range(self.dice.below(3))]

    def _xid(self) -> str:
        return xid(self.dice.later(EXPORT_OPENED, 600), self.dice.below(1 << 24))


Maker = Callable[[Draft, Column], Value]
MAKERS: Mapping[str, Maker] = {
    "link": Draft.link,
    "int": Draft.score,
    "vector": Draft.vector,
    "multiple": Draft.multiple,
    "file": Draft.file,
    "file[]": Draft.file_list,
}


def write_demo(folder: Path) -> DemoSummary:
    """Write `schema.json` and one CSV file a table; an earlier demo in `folder` is left as it is.

    Raises UsageError, with nothing written, if `folder` holds anything else.
    """
    contents = demo_files()
    try:
        _refuse_foreign(folder, contents)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            if not (folder / name).exists():
                _write_whole(folder / name, content)
    except OSError as error:
        raise XataPgError(
            f"{folder}: the demo could not be written ({error.strerror}); choose another folder"
        ) from error
    return DemoSummary(folder, len(ROWS), sum(ROWS.values()), sum(map(len, contents.values())))


def demo_files() -> dict[str, bytes]:
    """Make the whole export in memory: file name to content."""
    schema = files("xata_pg_assets").joinpath("example", "schema.json").read_bytes()
    tables: list[Table] = json.loads(schema)["tables"]
    records = {table["name"]: _records(table["name"], place) for place, table in enumerate(tables)}
    exports = {f"{table['name']}.csv": _csv(table, records).encode() for table in tables}
    return {"schema.json": schema, **exports}


def xid(created: datetime, counter: int) -> str:
    """Return an id as Xata generates them: 12 bytes that begin with the second, in base32hex."""
    second = int(created.timestamp()).to_bytes(4, "big")
    return base64.b32hexencode(second + XID_HOST + counter.to_bytes(3, "big")).decode().lower().rstrip("=")


def iso(moment: datetime, exact: bool = False) -> str:
    """Write a moment as Xata does, to the millisecond, or `exact` to the microsecond."""
    text = moment.isoformat(timespec="microseconds" if exact else "milliseconds")
    return text.replace("+00:00", "Z")


def csv_cell(value: Value) -> str:
    """Write one cell by RFC 4180: None is empty, an empty text is quoted."""
    if value is None:
        return ""
    text = _json(value) if isinstance(value, list | dict) else str(value)
    quoted = re.search(r'[",\r\n]|\A\s|\A\Z|\A\\\.\Z', text)
    return '"' + text.replace('"', '""') + '"' if quoted else text


def _json(value: Value) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _records(table: str, place: int) -> list[Record]:
    """Give every row of a table its id; the first rows may have ids of a person's choosing."""
    dice = Dice(f"{SEED} ids of {table}")
    moments = [dice.later(EXPORT_OPENED, 600) for _ in range(ROWS[table])]
    custom = CUSTOM_IDS.get(table, ())
    generated = [f"rec_{xid(moment, place << 16 | row)}" for row, moment in enumerate(moments)]
    return list(map(Record, [*custom, *generated[len(custom) :]], moments))


def _csv(table: Table, records: Mapping[str, Sequence[Record]]) -> str:
    names = [column["name"] for column in table["columns"]]
    if swap := SWAPPED_COLUMNS.get(table["name"]):
        left, right = map(names.index, swap)
        names[left], names[right] = names[right], names[left]
    header = ["id", *names, *METADATA]
    rows = [[row[name] for name in header] for row in _rows(table, records)]
    return "".join(",".join(map(csv_cell, cells)) + "\n" for cells in [header, *rows])


def _rows(table: Table, records: Mapping[str, Sequence[Record]]) -> Iterator[dict[str, Value]]:
    """Draw the rows of a table; one that repeats a unique value is drawn again."""
    name = table["name"]
    dice = Dice(f"{SEED} rows of {name}")
    taken: set[tuple[str, Value]] = set()
    specials = chain(SPECIAL_ROWS.get(name, ()), repeat({}))
    for record, special in zip(records[name], specials, strict=False):
        while True:
            row = {**_own_columns(table, Draft(name, dice, Facts(dice), records)), **special}
            unique = {(column, row[column]) for column in _unique_columns(table) if row[column] is not None}
            if not unique & taken:
                break
        taken |= unique
        yield {"id": record.id, **row, **_metadata(record, dice)}


def _unique_columns(table: Table) -> list[str]:
    return [column["name"] for column in table["columns"] if column.get("unique")]


def _own_columns(table: Table, draft: Draft) -> dict[str, Value]:
    return {column["name"]: _value(column, draft) for column in table["columns"]}


def _value(column: Column, draft: Draft) -> Value:
    if draft.dice.happens(NULL_SHARE.get(column["name"], 5)):
        return None
    maker: Maker = MAKERS.get(column["type"], Draft.filled)
    return maker(draft, column)


def _metadata(record: Record, dice: Dice) -> dict[str, Value]:
    version = dice.below(6) if dice.happens(50) else 0
    updated = dice.later(record.created, 60) if version else record.created
    exact = dice.happens(10)
    return {
        "xata.createdAt": iso(record.created, exact),
        "xata.updatedAt": iso(updated, exact),
        "xata.version": version,
    }


def _refuse_foreign(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Raise UsageError unless the folder is free or holds this demo, whole or in part."""
    if not folder.is_dir():
        if folder.exists():
            raise UsageError(f"{folder}: is not a folder; name a new or an empty one for the demo")
        return
    parts = {_part(folder / name).name for name in contents}
    for found in sorted(folder.iterdir()):
        same = found.name in contents and found.is_file() and found.read_bytes() == contents[found.name]
        if not same and found.name not in parts:
            raise UsageError(f"{folder}: holds {found.name}; name a new or an empty folder for the demo")


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file under another name and rename it, so that half a file is never seen."""
    part = _part(path)
    part.write_bytes(content)
    part.replace(path)


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")
