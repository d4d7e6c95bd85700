"""Write the exports to measure with: texts, links and vectors in several shapes and any size, drawn from a seed.

Run as a program it makes the export in a process of its own, whose memory is then not the caller's:

    python benchmarks/export.py FOLDER --shape mixed --megabytes 700
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["SHAPES", "write_export"]

SEED = 1947
DIMENSION = 1536

_DIGITS = np.frombuffer(b"0123456789abcdefghijklmnopqrstuv", np.uint8)
_TEXT = (
    "a table that was large became small, once its rows had found their places; nobody asked for the index. "
    "The reader says “so it goes”, the writer answers and the page is turned: 12.5% of it, äöü and 日本 too. "
    "old keys open new doors while links lead on to rows which somebody has meant to keep for a long while"
)
_TAGS = ("news", "history", "long read", 'so-called "classic"', "Málaga", "how-to")

Cells = Sequence[Any]


@dataclass(frozen=True, slots=True)
class Draft:
    """What rows are drawn from: the dice, the sentences, and how many rows each table has.

    An id is a function of its table and the number of its row, so that none has to be remembered for the links.
    """

    dice: np.random.Generator
    sentences: Sequence[str]
    rows: Mapping[str, int]

    def ids(self, table: str, numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.str_]:
        """Return the ids of rows as Xata makes them, in no order."""
        high = _mixed(numbers + (np.uint64(crc32(table.encode())) << np.uint64(32)))
        bits = np.stack([high, _mixed(high)], axis=1)[:, :, None] >> np.arange(0, 50, 5, dtype=np.uint64)
        digits = _DIGITS[(bits & np.uint64(31)).reshape(len(numbers), 20)]
        digits[:, 0] = ord("c")  # the seconds of these years begin so
        return np.char.add(b"rec_", digits.view("S20").ravel()).astype("U24")

    def texts(self, count: int, sentences: int) -> list[str]:
        """Draw texts of about 48 characters a sentence; every eighth has two paragraphs and quotes."""
        chosen = self.dice.integers(0, len(self.sentences), (count, sentences)).tolist()
        texts = [" ".join([self.sentences[place] for place in places]) for places in chosen]
        texts[::8] = [f'{text[:40]}\n\n"{text[40:]}"' for text in texts[::8]]
        return texts

    def titles(self, count: int) -> list[str]:
        """Draw lines that need no quotes for the most part."""
        return [self.sentences[place] for place in self.dice.integers(0, len(self.sentences), count).tolist()]

    def datetimes(self, count: int) -> list[str]:
        """Draw moments of 2023 and 2024, to the millisecond."""
        milliseconds = self.dice.integers(1_672_531_200_000, 1_735_689_600_000, count)
        text = np.datetime_as_string(milliseconds.astype("datetime64[ms]"), timezone="UTC")
        return [str(moment) for moment in text.tolist()]

    def numbers(self, count: int, limit: int) -> list[int]:
        """Draw whole numbers below a limit."""
        return [int(number) for number in self.dice.integers(0, limit, count).tolist()]

    def links(self, count: int, table: str, nulls: float) -> list[str]:
        """Draw rows of a table, each as likely as the next; NULL for a share of them."""
        chosen = self.ids(table, self.dice.integers(0, self.rows[table], count, dtype=np.uint64))
        chosen[self.dice.random(count) < nulls] = ""
        return [str(id_) for id_ in chosen.tolist()]

    def tags(self, count: int) -> list[str]:
        """Draw lists of none to two tags, as the console writes them."""
        lists = [json.dumps([*pair], ensure_ascii=False) for tag in _TAGS for pair in ((), (tag,), (tag, "draft"))]
        return [lists[place] for place in self.numbers(count, len(lists))]

    def vectors(self, count: int) -> list[str]:
        """Draw unit vectors, written as float4 needs it."""
        numbers = self.dice.standard_normal((count, DIMENSION), dtype=np.float32)
        numbers /= np.linalg.norm(numbers, axis=1, keepdims=True)
        cells = pa.FixedSizeListArray.from_arrays(pa.array(numbers.ravel()).cast(pa.string()), DIMENSION)
        joined = pc.binary_join(cells.cast(pa.list_(pa.string())), ",")
        return [f"[{text}]" for text in joined.to_pylist()]


def _mixed(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Scatter numbers over 64 bits, each to another (splitmix64)."""
    mixed = numbers + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


# Draws the cells of the rows with these numbers
Draw = Callable[[Draft, npt.NDArray[np.uint64]], Cells]


@dataclass(frozen=True, slots=True)
class Column:
    """A column as `schema.json` has it, and how its cells are drawn."""

    facts: Mapping[str, Any]
    draw: Draw


@dataclass(frozen=True, slots=True)
class Table:
    """A table with so many rows in the size that its shape was measured at.

    `at_once` rows are made at once, which decides how much memory it takes.
    """

    rows: int
    columns: Sequence[Column]
    at_once: int = 20_000


@dataclass(frozen=True, slots=True)
class Shape:
    """Tables that make an export of about `megabytes`; None for one that has a single size."""

    tables: Mapping[str, Table]
    megabytes: int | None = None

    def rows(self, megabytes: int) -> dict[str, int]:
        """Return how many rows each table has in an export of another size."""
        if self.megabytes is None:
            return {name: table.rows for name, table in self.tables.items()}
        return {name: max(1, table.rows * megabytes // self.megabytes) for name, table in self.tables.items()}


def _column(name: str, type_: str, draw: Draw, **facts: Any) -> Column:
    return Column({"name": name, "type": type_, **facts}, draw)


def _string(name: str, **facts: Any) -> Column:
    return _column(name, "string", lambda draft, rows: draft.titles(len(rows)), **facts)


def _numbered(name: str, word: str) -> Column:
    return _column(name, "string", lambda _, rows: [f"{word} {row:03}" for row in rows.tolist()], unique=True)


def _email(name: str) -> Column:
    def draw(draft: Draft, rows: npt.NDArray[np.uint64]) -> Cells:
        return [f"{id_[4:]}@example.org" for id_ in draft.ids(name, rows).tolist()]

    return _column(name, "email", draw, unique=True)


def _text(name: str, sentences: int) -> Column:
    return _column(name, "text", lambda draft, rows: draft.texts(len(rows), sentences))


def _int(name: str, limit: int = 1_000_000) -> Column:
    return _column(name, "int", lambda draft, rows: draft.numbers(len(rows), limit))


def _float(name: str) -> Column:
    return _column(name, "float", lambda draft, rows: draft.dice.standard_normal(len(rows)).tolist())


def _bool(name: str) -> Column:
    cells = np.array(["false", "true"])
    return _column(name, "bool", lambda draft, rows: cells[(draft.dice.random(len(rows)) < 0.7).astype(int)].tolist())


def _datetime(name: str) -> Column:
    return _column(name, "datetime", lambda draft, rows: draft.datetimes(len(rows)))


def _tags(name: str) -> Column:
    return _column(name, "multiple", lambda draft, rows: draft.tags(len(rows)))


def _vector(name: str) -> Column:
    return _column(name, "vector", lambda draft, rows: draft.vectors(len(rows)), vector={"dimension": DIMENSION})


def _link(name: str, table: str, nulls: float = 0.0) -> Column:
    return _column(name, "link", lambda draft, rows: draft.links(len(rows), table, nulls), link={"table": table})


def _small(number: int) -> Table:
    """One of the small tables: of each three, one links to none, one to one and one to two before it."""
    own = [_string("title"), _text("note", 2), _int("amount"), _bool("active"), _datetime("seen"), _tags("tags")]
    parents = dict.fromkeys([number // 2, number - 1][: number % 3])
    return Table(1000, [*own, *(_link(f"of_{parent:02}", f"small_{parent:02}") for parent in parents)])


SHAPES: Mapping[str, Shape] = {
    "mixed": Shape(
        {
            "categories": Table(200, [_numbered("name", "Category")]),
            "authors": Table(
                150_000,
                [
                    _string("name", notNull=True, defaultValue=""),
                    _email("email"),
                    _text("bio", 6),
                    _datetime("joined"),
                    _float("score"),
                    _bool("active"),
                ],
            ),
            "posts": Table(
                800_000,
                [
                    _string("title"),
                    _text("body", 3),
                    _int("views"),
                    _datetime("published"),
                    _tags("tags"),
                    _link("author", "authors"),
                    _link("editor", "authors", nulls=0.3),
                    _link("category", "categories"),
                ],
            ),
            "documents": Table(18_000, [_string("title"), _vector("embedding"), _link("owner", "authors")], 500),
        },
        700,
    ),
    "small": Shape({f"small_{number:02}": _small(number) for number in range(27)}),
    "large": Shape(
        {
            "devices": Table(2_000, [_numbered("name", "Device"), _datetime("installed")]),
            "readings": Table(
                3_500_000,
                [
                    _string("title"),
                    _int("count"),
                    _float("value"),
                    _bool("valid"),
                    _datetime("taken"),
                    _link("device", "devices"),
                ],
            ),
        },
        700,
    ),
    "links": Shape(
        {
            "people": Table(250_000, [_email("email"), _int("born", 2010)]),
            "places": Table(25_000, [_numbered("name", "Place")]),
            "visits": Table(
                3_700_000,
                [
                    _link("host", "people"),
                    _link("guest", "people"),
                    _link("guide", "people", nulls=0.5),
                    _link("origin", "places"),
                    _link("place", "places"),
                ],
            ),
        },
        700,
    ),
    "text": Shape(
        {
            "writers": Table(1_000, [_string("name"), _text("bio", 6)]),
            "articles": Table(70_000, [_string("title"), _text("body", 220), _link("writer", "writers")], 1_000),
        },
        700,
    ),
    "vectors": Shape(
        {
            "sources": Table(200, [_numbered("name", "Source")]),
            "chunks": Table(37_500, [_text("passage", 3), _vector("embedding"), _link("source", "sources")], 500),
        },
        700,
    ),
}


def write_export(folder: Path, megabytes: int, shape: str = "mixed") -> dict[str, int]:
    """Write `schema.json` and a console CSV a table, about so many megabytes; return the rows of each table.

    The same bytes every time. What lies in `folder` from an earlier call is used again: the schema is written last.
    """
    tables, rows = SHAPES[shape].tables, SHAPES[shape].rows(megabytes)
    schema = folder / "schema.json"
    if not schema.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = _new_draft(rows)
        for name, table in tables.items():
            _write_table(folder / f"{name}.csv", name, table, draft)
        listed = [{"name": name, "columns": [c.facts for c in table.columns]} for name, table in tables.items()]
        schema.write_text(json.dumps({"tables": listed}, indent=2), encoding="utf-8")
    return rows


def _new_draft(rows: Mapping[str, int]) -> Draft:
    dice, words = np.random.default_rng(SEED), _TEXT.split()
    sentences = [" ".join(dice.choice(words, 9).tolist()) for _ in range(5000)]
    return Draft(dice, sentences, rows)


def _write_table(path: Path, name: str, table: Table, draft: Draft) -> None:
    names = [column.facts["name"] for column in table.columns]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *names, "xata.createdAt", "xata.updatedAt", "xata.version"])
        writer.writerows(chain.from_iterable(_chunks(name, table, draft)))


def _chunks(name: str, table: Table, draft: Draft) -> Iterator[Iterator[tuple[Any, ...]]]:
    count = draft.rows[name]
    for start in range(0, count, table.at_once):
        rows = np.arange(start, min(start + table.at_once, count), dtype=np.uint64)
        moments = draft.datetimes(len(rows))
        columns = [column.draw(draft, rows) for column in table.columns]
        yield zip(draft.ids(name, rows).tolist(), *columns, moments, moments, draft.numbers(len(rows), 9), strict=True)


def main() -> None:
    """Write an export and print how many rows each table has, as JSON."""
    parser = argparse.ArgumentParser(description="Write an export to measure with.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=list(SHAPES), default="mixed")
    parser.add_argument("--megabytes", type=int, default=700, help="size of the export, unless its shape has only one")
    options = parser.parse_args()
    print(json.dumps(write_export(options.folder, options.megabytes, options.shape)))


if __name__ == "__main__":
    main()
