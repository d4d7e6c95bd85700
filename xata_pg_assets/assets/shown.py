"""Results as Dagit shows them in place: tables as tables, SQL as text; Markdown hides behind a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from xata_pg_assets.postgres.checks import CheckResult

__all__ = ["check_facts", "table_of"]

_AGAIN = "Materialize the table again: that changes only what differs."
_MENDS = {
    "files_present": (
        "Lay what is lost or ambiguous into the folder of saved files, named "
        "<base>__<record id>__<column>__<position><ext>, and materialize the files again: that copies only what is "
        "not there yet."
    ),
    "row_count": (
        "Correct the rejected rows in the export and materialize all again, or allow them (setting max_rejected_rows). "
        "Rows that are lost or extra are mended by materializing again."
    ),
    "foreign_keys": (
        "Where the missing row was rejected, mend that first; else correct the export and materialize all again, or "
        "allow dangling links (setting max_dangling_links). Links that lead elsewhere are mended by that, too."
    ),
}


def check_facts(key: dg.AssetKey, result: CheckResult) -> dict[str, Any]:
    """Return what Dagster's events and results say of a check of the asset, by the names that they have for it."""
    return {
        "asset_key": key,
        "check_name": result.name,
        "passed": result.passed,
        "severity": dg.AssetCheckSeverity(result.severity),
        "description": result.description,
        "metadata": _check_metadata(result),
    }


def _check_metadata(result: CheckResult) -> Mapping[str, Any]:
    """Return the rows that are wrong, what to do, the SQL that lists all of them, then the numbers.

    Dagit sorts by name, capitals first: the names put them in that order.
    """
    metadata: dict[str, Any] = {}
    if result.rows:
        metadata["First rows"] = table_of(result.rows)
    if not result.passed:
        metadata["Mend"] = dg.MetadataValue.text(_MENDS.get(result.name, _AGAIN))
    if result.query:
        metadata["SQL to see all"] = dg.MetadataValue.text(f"{result.query};")
    return {**metadata, **result.facts}


def table_of(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue:
    """Return rows, of which there is at least one, as a table."""
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: _plain(value) for name, value in row.items()}) for row in rows],
        schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in rows[0]]),
    )


def _plain(value: Any) -> str | int | float | bool | None:
    return value if value is None or isinstance(value, (str, int, float, bool)) else str(value)
