"""What `xreplay` makes of a table without columns: its header `id,` has no line of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xata_pg_assets.xata.block_reader import Columns
from xata_pg_assets.xata.csv_head import BOM
from xata_pg_assets.xata.line_reader import LineReader
from xata_pg_assets.xata.records import Fault, Reason, Records
from xata_pg_assets.xata.rules import MAX_RAW, printable
from xata_pg_assets.xata.schema import XataTable
from xata_pg_assets.xata.xreplay_cells import cells_of

__all__ = ["XreplayIds", "is_bare"]

_HEADER = b"id,"
_START = re.compile(rb"(?:\xef\xbb\xbf)?[\r\n]*id,(?:[^,\r\n]*,)*[ \t]*(?:[\r\n]|\Z)")
_ROW = re.compile(rb'([^",\r\n]+),?')


def is_bare(start: bytes, table: XataTable) -> bool:
    """Tell whether a file starts as that of a table without columns: with `id,` and no name behind it."""
    return not table.columns and _START.match(start) is not None


class XreplayIds(LineReader):
    """One table's file of ids; each run of `xreplay` wrote its header before the first one."""

    dialect = "xreplay csv"

    def _columns_of(self, texts: Sequence[bytes]) -> Columns:  # noqa: ARG002
        return Columns(columns=("id",), force_null=("id",))

    def _read_lines(self, texts: Sequence[bytes], lines: Sequence[int]) -> Records:
        ids: list[bytes] = []
        kept: list[int] = []
        faults: list[Fault] = []
        headers = 0
        for place, text in enumerate(texts):
            row = text.removeprefix(BOM)
            while row.startswith(_HEADER):
                row = row.removeprefix(_HEADER)
                headers += 1
            found = _ROW.fullmatch(row)
            if found is not None:
                ids.append(found[1])
                kept.append(place)
            elif row:
                faults.append(Fault(lines[place], None, None, None, Reason.RAGGED, _raw(text)))
        repeated = headers - (lines[:1] == [self._first_line])
        cells, known = cells_of(ids, None)
        return Records(
            {"id": cells},
            rows=len(ids),
            source_rows=len(ids) + len(faults) + repeated,
            line_of=lambda row: lines[kept[row]],
            raw_of=lambda row: _raw(texts[kept[row]]),
            duplicate_rows=repeated,
            faults=faults,
            known={"id": known} if known else {},
        )


def _raw(text: bytes) -> str:
    return printable(text[: 4 * MAX_RAW].decode(errors="replace"))[:MAX_RAW]
