"""JSON Lines: one record a line."""

from __future__ import annotations

from collections.abc import Sequence

from xata_pg_assets.xata.block_reader import Columns
from xata_pg_assets.xata.json_members import decode
from xata_pg_assets.xata.json_pages import Form
from xata_pg_assets.xata.json_rows import Decode, JsonRows
from xata_pg_assets.xata.line_reader import LineReader
from xata_pg_assets.xata.records import Records

__all__ = ["JsonLines"]


class JsonLines(LineReader):
    """One table's file of records, each a JSON object on a line."""

    dialect = "json lines"
    _form = Form("lines")
    _decode: Decode = staticmethod(decode)

    def _columns_of(self, texts: Sequence[bytes]) -> Columns:
        unknown = JsonRows(self.table, self.file, self._options).unknown_of(texts, self._decode)
        self._rows = JsonRows(self.table, self.file, self._options, unknown)
        return self._rows.columns

    def _read_lines(self, texts: Sequence[bytes], lines: Sequence[int]) -> Records:
        return self._rows.read(texts, lines, self._form, self._decode)

    def _restart(self) -> None:
        self._rows = JsonRows(self.table, self.file, self._options, self.unknown)

    def _own_warnings(self) -> Sequence[str]:
        return self._rows.warnings
