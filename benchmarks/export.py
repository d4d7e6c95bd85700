"""Write the export to measure with: texts, links and vectors of any size, drawn from a seed.

Run as a program it makes the export in a process of its own, whose memory is then not the caller's:

    python benchmarks/export.py FOLDER --megabytes 700
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["write_export"]

SEED = 1947
DIMENSION = 1536
# Rows at 700 MB, in the order they are written: a link's table comes first
ROWS = {"categories": 200, "authors": 150_000, "posts": 800_000, "documents": 18_000}
ROWS_AT = 700
# Rows made at once: they decide how much memory it takes
CHUNK, VECTORS_AT_ONCE = 20_000, 500

_DIGITS = np.frombuffer(b"0123456789abcdefghijklmnopqrstuv", np.uint8)
_TEXT = (
    "a table that was large became small, once its rows had found their places; nobody asked for the index. "
    "The reader says “so it goes”, the writer answers and the page is turned: 12.5% of it, äöü and 日本 too. "
    "old keys open new doors while links lead on to rows which somebody has meant to keep for a long while"
)
_TAGS = ("news", "history", "long read", 'so-called "classic"', "Málaga", "how-to")

Ids = npt.NDArray[Any]
Cells = Sequence[Any]
# Makes so many rows, column by column
Maker = Callable[["Draft", int], list[Cells]]


@dataclass(frozen=True, slots=True)
class Draft:
    """What rows are drawn from: the dice, the sentences, and the ids of the tables that they link to."""

    dice: np.random.Generator
    sentences: Sequence[str]
    ids: dict[str, Ids]

    def new_ids(self, count: int) -> Ids:
        """Draw ids as Xata makes them, in no order."""
        digits = _DIGITS[self.dice.integers(0, 32, (count, 20))]
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

    def links(self, count: int, table: str, nulls: float = 0.0) -> list[str]:
        """Draw rows of a table, each as likely as the next; NULL for a share of them."""
        chosen = self.ids[table][self.dice.integers(0, len(self.ids[table]), count)]
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


def _categories(_: Draft, count: int) -> list[Cells]:
    return [[f"Category {number:03}" for number in range(count)]]


def _authors(draft: Draft, count: int) -> list[Cells]:
    emails = [f"{id_[4:]}@example.org" for id_ in draft.new_ids(count).tolist()]
    scores = draft.dice.standard_normal(count).tolist()
    active = np.where(draft.dice.random(count) < 0.7, "true", "false").tolist()
    return [draft.titles(count), emails, draft.texts(count, 6), draft.datetimes(count), scores, active]


def _posts(draft: Draft, count: int) -> list[Cells]:
    return [
        draft.titles(count),
        draft.texts(count, 3),
        draft.numbers(count, 1_000_000),
        draft.datetimes(count),
        draft.tags(count),
        draft.links(count, "authors"),
        draft.links(count, "authors", nulls=0.3),
        draft.links(count, "categories"),
    ]


def _documents(draft: Draft, count: int) -> list[Cells]:
    return [draft.titles(count), draft.vectors(count), draft.links(count, "authors")]


_MAKERS: dict[str, Maker] = {
    "categories": _categories,
    "authors": _authors,
    "posts": _posts,
    "documents": _documents,
}


def _link(name: str, table: str) -> dict[str, Any]:
    return {"name": name, "type": "link", "link": {"table": table}}


def _column(name: str, type_: str, **facts: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **facts}


_COLUMNS: dict[str, list[dict[str, Any]]] = {
    "categories": [_column("name", "string", unique=True)],
    "authors": [
        _column("name", "string", notNull=True, defaultValue=""),
        _column("email", "email", unique=True),
        _column("bio", "text"),
        _column("joined", "datetime"),
        _column("score", "float"),
        _column("active", "bool"),
    ],
    "posts": [
        _column("title", "string"),
        _column("body", "text"),
        _column("views", "int"),
        _column("published", "datetime"),
        _column("tags", "multiple"),
        _link("author", "authors"),
        _link("editor", "authors"),
        _link("category", "categories"),
    ],
    "documents": [
        _column("title", "string"),
        _column("embedding", "vector", vector={"dimension": DIMENSION}),
        _link("owner", "authors"),
    ],
}


def write_export(folder: Path, megabytes: int) -> dict[str, int]:
    """Write `schema.json` and a console CSV a table, about so many megabytes; return the rows of each table.

    The same bytes every time. What lies in `folder` from an earlier call is used again: the schema is written last.
    """
    rows = {table: max(1, count * megabytes // ROWS_AT) for table, count in ROWS.items()}
    schema = folder / "schema.json"
    if not schema.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = _new_draft()
        for table, count in rows.items():
            _write_table(folder / f"{table}.csv", table, draft, count)
        tables = [{"name": table, "columns": columns} for table, columns in _COLUMNS.items()]
        schema.write_text(json.dumps({"tables": tables}, indent=2), encoding="utf-8")
    return rows


def _new_draft() -> Draft:
    dice, words = np.random.default_rng(SEED), _TEXT.split()
    sentences = [" ".join(dice.choice(words, 9).tolist()) for _ in range(5000)]
    return Draft(dice, sentences, {})


def _write_table(path: Path, table: str, draft: Draft, count: int) -> None:
    names = [column["name"] for column in _COLUMNS[table]]
    ids = draft.ids[table] = draft.new_ids(count)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *names, "xata.createdAt", "xata.updatedAt", "xata.version"])
        writer.writerows(chain.from_iterable(_chunks(table, draft, ids)))


def _chunks(table: str, draft: Draft, ids: Ids) -> Iterator[Iterator[tuple[Any, ...]]]:
    size = VECTORS_AT_ONCE if table == "documents" else CHUNK
    for start in range(0, len(ids), size):
        chunk = ids[start : start + size].tolist()
        moments = draft.datetimes(len(chunk))
        columns = _MAKERS[table](draft, len(chunk))
        yield zip(chunk, *columns, moments, moments, draft.numbers(len(chunk), 9), strict=True)


def main() -> None:
    """Write an export and print how many rows each table has, as JSON."""
    parser = argparse.ArgumentParser(description="Write the export that benchmarks/speed.py measures with.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=ROWS_AT)
    options = parser.parse_args()
    print(json.dumps(write_export(options.folder, options.megabytes)))


if __name__ == "__main__":
    main()
