"""Which Xata name became which name in PostgreSQL, as CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator

from xata_pg_assets.plan.tables import Plan, TargetTable

__all__ = ["names_csv"]

_HEADER = ("xata_table", "xata_column", "table", "column", "type", "links_to")


def names_csv(plan: Plan) -> str:
    """Return a line for each table, its columns after it; a table's own line has no column.

    `links_to` is the new name of the table that a foreign key points to.
    """
    lines = _Lines()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(_HEADER)
    for table in plan.tables:
        writer.writerows(_rows(plan, table))
    return "".join(lines)


def _rows(plan: Plan, table: TargetTable) -> Iterator[tuple[str, ...]]:
    yield table.xata_name, "", table.name, "", "", ""
    for column in table.columns:
        parent = plan.by_xata_name[column.link.table].name if column.link else ""
        yield table.xata_name, column.xata_name, table.name, column.name, str(column.type), parent


class _Lines(list[str]):
    """Takes the lines of a csv.writer; this room opens no files, not even in memory."""

    def write(self, line: str) -> None:
        self.append(line)
