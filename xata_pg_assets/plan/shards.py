"""The shards of a large table: what they are called, and how several are named at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby

from xata_pg_assets.errors import UsageError

__all__ = ["MAX_SHARDS", "chosen_shards", "one_number", "shard_names", "spans", "told"]

# More of them, and what each costs by itself is more than what it saves
MAX_SHARDS = 1_000


def shard_names(count: int) -> tuple[str, ...]:
    """Return the names of a table's shards, as Dagit shows its partitions.

    >>> shard_names(3)
    ('1', '2', '3')
    """
    return tuple(str(number) for number in range(1, count + 1))


def spans(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the first and the last name of every unbroken row of shards.

    >>> spans(["9", "3", "7", "8"])
    [('3', '3'), ('7', '9')]
    """
    numbers = enumerate(sorted({int(name) for name in names}))
    rows = [[number for _, number in row] for _, row in groupby(numbers, lambda pair: pair[1] - pair[0])]
    return [(str(row[0]), str(row[-1])) for row in rows]


def told(names: Collection[str], count: int) -> str:
    """Name shards in a sentence.

    >>> told(["9", "3", "7", "8"], 16), told(["4"], 16)
    ('shards 3, 7-9 of 16', 'shard 4 of 16')
    """
    rows = ", ".join(first if first == last else f"{first}-{last}" for first, last in spans(names))
    return f"shard{'s' if len(names) > 1 else ''} {rows} of {count}"


def chosen_shards(text: str, count: int) -> tuple[str, ...]:
    """Read a choice of shards, in their order.

    >>> chosen_shards("7-9,3", 16)
    ('3', '7', '8', '9')

    Raises:
        UsageError: one is none.
    """
    chosen = set[int]()
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        ends = [first, last if dash else first]
        if not all(end.isascii() and end.isdigit() and 1 <= int(end) <= count for end in ends):
            raise UsageError(f"flag --shards: {part.strip()!r} is no shard; there are 1 to {count}, write 3,7-9")
        if int(ends[0]) > int(ends[1]):
            raise UsageError(f"flag --shards: {part.strip()!r} ends before it begins; write {ends[1]}-{ends[0]}")
        chosen.update(range(int(ends[0]), int(ends[1]) + 1))
    return tuple(str(number) for number in sorted(chosen))


def one_number(shards: Mapping[str, int]) -> None:
    """Refuse tables in different numbers of shards; `shards` has a number for each, 1 for a table left whole.

    Raises:
        UsageError: two differ.
    """
    split = {name: count for name, count in shards.items() if count > 1}
    for name, count in split.items():
        other, first = next(iter(split.items()))
        if count != first:
            raise UsageError(
                f"setting tables.{name}.shards: {count}, and {other} has {first}; a Dagster job takes one set of "
                "partitions, so give all tables that are split the same number"
            )
