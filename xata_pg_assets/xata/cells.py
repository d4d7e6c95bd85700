"""The judge: holds every cell of a block to the rules of its column's type, whole columns at a time.

A column's plainly right cells are told by a vectorised test; only the others are judged one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from xata_pg_assets.xata.binary import binary_encoder
from xata_pg_assets.xata.records import Batch, Fault, ReadOptions, Reason, Records
from xata_pg_assets.xata.rules import LEFT_TO_POSTGRES, MAX_RAW, printable, rule_of
from xata_pg_assets.xata.schema import XataColumn, XataTable
from xata_pg_assets.xata.values import Verdict

__all__ = ["Findings", "Judge", "value_of"]


@dataclass(slots=True)
class Findings:
    """What the judge says of a block: its faults in order, and its good rows."""

    faults: Sequence[Fault]
    good: npt.NDArray[np.int64] | None  # None: every row


class Judge:
    """Judges the blocks of one table, as one file gives them.

    `columns` are the file's. In those of `force_null` an empty text is NULL, in those of `force_not_null`
    NULL is an empty text.
    """

    def __init__(
        self,
        table: XataTable,
        columns: Sequence[str],
        options: ReadOptions,
        *,
        force_null: Collection[str] = (),
        force_not_null: Collection[str] = (),
    ) -> None:
        own = {column.name: column for column in table.columns}
        self._table = table
        self._columns = tuple(columns)
        self._rules = {name: rule_of(name, own.get(name), options) for name in columns}
        # Rows that are bad already never come to PostgreSQL, so it cannot refuse their JSON
        thorough = replace(options, thorough=True)
        self._left_to_postgres = {
            place: rule_of(name, own[name], thorough).judge
            for place, name in enumerate(columns)
            if name in own and own[name].type in LEFT_TO_POSTGRES and not options.thorough
        }
        self._required = {name: _missing(name, own.get(name)) for name in columns}
        self._force_null = frozenset(force_null)
        self._force_not_null = frozenset(force_not_null)
        self._encoder = binary_encoder(table, columns)

    @property
    def warnings(self) -> list[str]:
        """What a person should know of the cells judged so far."""
        return [
            f"{self._table.name}.{name}: {warning}"
            for name, rule in self._rules.items()
            if (warning := rule.warning) is not None
        ]

    def judge(self, records: Records) -> Findings:
        """Find every fault of a block's rows."""
        faulty: list[tuple[int, int, Reason]] = []
        for place, name in enumerate(self._columns):
            for row, verdict in self._verdicts(name, records):
                if verdict is not None:
                    faulty.append((row, place, verdict))
        if not faulty and not records.faults:
            return Findings((), None)
        faulty += self._left_over(records, faulty)
        return Findings(self._told(records, sorted(faulty)), _others(faulty, records.rows))

    def batch(self, records: Records) -> Batch:
        """Judge a block and make it ready for COPY, without bad rows."""
        findings = self.judge(records)
        batch = Batch(b"", records.rows, records.source_rows, records.duplicate_rows, findings.faults)
        columns = {name: self._final(name, records.columns[name]) for name in self._columns}
        if findings.good is not None:
            kept = pa.array(findings.good)
            columns = {name: cells.take(kept) for name, cells in columns.items()}
            batch.rows = len(kept)
        if batch.rows:
            batch.data = self._encoder.encode(columns)
        return batch

    def _final(self, name: str, cells: Any) -> Any:
        """Return a column's cells with NULL where it is meant."""
        if name in self._force_null:
            return pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)
        return pc.fill_null(cells, "") if name in self._force_not_null else cells

    def _verdicts(self, name: str, records: Records) -> Iterator[tuple[int, Verdict]]:
        """Yield what is to be said of a column's cells; not those that are right as they stand."""
        cells, rule, known = records.columns[name], self._rules[name], records.known.get(name, {})
        empty_is_null = name in self._force_null
        yield from known.items()
        missing = self._required[name]
        if missing and name not in self._force_not_null:
            for row in _null_rows(cells, or_empty=empty_is_null or name == "id"):
                if row not in known:
                    yield row, missing
        rows = rule.doubtful(cells, but_empty=empty_is_null)
        for row, cell in zip(rows.tolist(), cells.take(pa.array(rows)).to_pylist(), strict=True):
            if row not in known:
                yield row, rule.judge(cell)

    def _left_over(self, records: Records, faulty: Sequence[tuple[int, int, Reason]]) -> list[tuple[int, int, Reason]]:
        """Find what else is wrong with faulty rows."""
        rows, told = sorted({row for row, _, _ in faulty}), {(row, place) for row, place, _ in faulty}
        found: list[tuple[int, int, Reason]] = []
        for place, judge in self._left_to_postgres.items():
            name = self._columns[place]
            nulls = (None, "") if name in self._force_null else (None,)
            for row, cell in zip(rows, records.columns[name].take(pa.array(rows, pa.int64())).to_pylist(), strict=True):
                verdict = judge(cell) if cell not in nulls and (row, place) not in told else None
                if verdict is not None:
                    found.append((row, place, verdict))
        return found

    def _told(self, records: Records, faulty: Sequence[tuple[int, int, Reason]]) -> list[Fault]:
        """Tell each fault with its record, and those that the dialect found, in the order of the file."""
        faults = list(records.faults)
        ids, raws = records.columns["id"], dict[int, str]()
        for row, place, reason in faulty:
            if row not in raws:
                raws = {row: printable(records.raw_of(row))[:MAX_RAW]}
            name = self._columns[place]
            faults.append(
                Fault(
                    records.line_of(row),
                    printable(ids[row].as_py()) or None,
                    name,
                    value_of(records, name, row),
                    reason,
                    raws[row],
                )
            )
        if records.faults:
            faults.sort(key=lambda fault: fault.line or 0)
        return faults


def value_of(records: Records, name: str, row: int) -> str | None:
    """Return a cell as it came."""
    if records.value_of is not None:
        return records.value_of(name, row)
    value: str | None = printable(records.columns[name][row].as_py())
    return value


def _missing(name: str, column: XataColumn | None) -> Reason | None:
    """Return what is wrong with a NULL in the column, if anything is."""
    if name == "id":
        return Reason.MISSING_ID
    return Reason.NULL_NOT_ALLOWED if column is not None and column.not_null else None


def _null_rows(cells: Any, *, or_empty: bool) -> list[int]:
    if not or_empty and not cells.null_count:
        return []
    empty = pc.is_null(cells)
    if or_empty:
        empty = pc.or_(empty, pc.fill_null(pc.equal(pc.binary_length(cells), 0), False))
    rows: list[int] = np.flatnonzero(empty.to_numpy(zero_copy_only=False)).tolist()
    return rows


def _others(faulty: Sequence[tuple[int, int, Reason]], rows: int) -> npt.NDArray[np.int64] | None:
    if not faulty:
        return None
    good = np.ones(rows, dtype=bool)
    good[[row for row, _, _ in faulty]] = False
    return np.flatnonzero(good)
