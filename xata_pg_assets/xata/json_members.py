"""The members of JSON objects, by a parser that takes them apart in one go, and none lost."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import chain

import msgspec
import numpy as np

from xata_pg_assets.xata.json_split import members

__all__ = ["Record", "decode", "decode_all", "hold_all"]

# A record's members as JSON texts, by key
Record = Mapping[str, bytes]

# Of all characters up to it JSON takes blanks alone
_BLANK = ord(" ")

_as_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode(text: bytes) -> Record | None:
    """Return the members of an object, None where it is none; of a key given twice, both values (see `members`)."""
    record = _parsed(text)
    # a nested object comes as a view of its record
    return members(bytes(text)) if record is None or not hold_all([text], [record]) else record


def decode_all(texts: Sequence[bytes]) -> Sequence[Record | None]:
    """Decode objects; together they are counted sooner than each alone."""
    found = [_parsed(text) for text in texts]
    records = [record for record in found if record is not None]
    if len(records) == len(found) and hold_all(texts, records):
        return records
    return [decode(text) for text in texts]


def hold_all(texts: Collection[bytes], records: Collection[Record]) -> bool:
    """Tell whether records hold all members of the objects that they were parsed from.

    The parser keeps but the last value of a key given twice. So what it kept is counted, and so is what else an
    object is written with: `{"key":value,"key":value}`. A key that is written with an escape counts as lost.

    >>> hold_all([b'{"a": 1, "b": [2]}'], [{"a": b"1", "b": b"[2]"}]), hold_all([b'{"a":1,"a":2}'], [{"a": b"2"}])
    (True, False)
    """
    kept = b"".join(chain.from_iterable(record.values() for record in records))
    kept += "".join(chain.from_iterable(records)).encode()
    signs = sum(4 * len(record) + 1 if record else 2 for record in records)
    return _dark(b"".join(texts)) == _dark(kept) + signs


def _dark(text: bytes) -> int:
    """Count the characters of a JSON text that are not blank."""
    return len(text) - int(np.count_nonzero(np.frombuffer(text, np.uint8) <= _BLANK))


def _parsed(text: bytes) -> Record | None:
    try:
        return _as_members(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
