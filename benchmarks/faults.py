"""Measure what a few faults cost: the same export without and with them, one after the other.

    python benchmarks/faults.py                    # about 300 MB
    python benchmarks/faults.py --megabytes 50 --keep /tmp/faults --json faults.json --only one_bad_row

Each migration has an embedded server of its own, new and already running, and ends with every check; no time counts
where a row was lost or another one than the spoilt ones was rejected. A fault may cost 4 times the clean export,
and no process of ours take more than 300 MB.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from jobs import warm_up
from measuring import RunError, export_folder, folder, make_export, megabytes, new_server, warm
from sides.ours import migrate, stages

from xata_pg_assets.postgres.connection import connect

LIMIT, LIMIT_MEGABYTES = 4, 300

_WIDTHS = (9, 8, 9, 8, 9, 9, 10, 12)

Row = list[str]
# Spoils a table's rows: gets the header and them, and how many there are
Spoil = Callable[[Row, Iterator[Row], int], Iterator[Row]]


@dataclass(frozen=True, slots=True)
class Case:
    """An export and what is wrong with it: `spoil` does it to `table`, `rejected` tells of how many rows how many."""

    base: str
    table: str | None = None
    spoil: Spoil | None = None
    rejected: Callable[[int], int] = lambda _: 0
    added: int = 0
    dangling: int = 0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a case took; the ratios are to its base, memory in MB is the peak of our processes together.

    The CPU time is ours and the server's: it tells more than the clock where others work on the machine.
    """

    case: str
    seconds: float
    ratio: float
    cpu_seconds: float
    cpu_ratio: float
    staging: float
    mapping: float
    resident: float
    server: float


def _every(step: int, column: str, cell: str) -> Spoil:
    """Put a cell that is wrong into every so manieth row, from the middle of the first step on."""

    def spoil(header: Row, rows: Iterator[Row], count: int) -> Iterator[Row]:
        place, size = header.index(column), step or count
        for number, row in enumerate(rows):
            if number % size == size // 2:
                row[place] = cell
            yield row

    return spoil


def _first_again(*columns: str) -> Spoil:
    """Let the last row have cells of the first; with its id, by a row added at the end."""

    def spoil(header: Row, rows: Iterator[Row], count: int) -> Iterator[Row]:
        first = next(rows)
        kept = dict(zip(header, first, strict=True))
        last = first
        for number, row in enumerate(chain([first], rows), 1):
            last = list(row)
            if number == count and "id" not in columns:
                for column in columns:
                    row[header.index(column)] = kept[column]
            yield row
        if "id" in columns:
            last[header.index("id")] = kept["id"]
            yield last

    return spoil


CASES = {
    "clean": Case("clean"),
    "one_bad_row": Case("clean", "posts", _every(0, "views", "many"), lambda _: 1),
    "a_thousandth_bad": Case("clean", "posts", _every(1000, "views", "many"), lambda rows: (rows + 499) // 1000),
    "one_id_twice": Case("clean", "posts", _first_again("id"), lambda _: 1, added=1),
    "one_value_twice": Case("clean", "authors", _first_again("email"), lambda _: 1),
    "one_dangling_link": Case("clean", "posts", _every(0, "author", "rec_gone"), dangling=1),
    "clean_json": Case("clean_json"),
    "one_bad_json": Case("clean_json", "posts", _every(0, "tags", "[sic]"), lambda _: 1),
}


def main() -> None:
    """Make the exports, measure each, print and write down what came out."""
    options = _options()
    with folder(options.keep) as kept, folder(None) as scratch:
        clean = export_folder(kept, "mixed", options.megabytes)
        rows = make_export(clean, options.megabytes)
        warm_up(kept, scratch)
        measured: dict[str, Measured] = {}
        print(f"{sum(rows.values()):,} rows, export {megabytes(clean):.0f} MB\n")
        titles = ("seconds", "ratio", "CPU, s", "ratio", "staging", "mapping", "ours, MB", "server, MB")
        print(" " * 18 + "".join(f"{title:>{width}}" for title, width in zip(titles, _WIDTHS, strict=True)))
        for name in _chosen(options.only):
            source = scratch / "spoilt"
            _write(source, clean, CASES[name], rows)
            measured[name] = one = _measure(scratch / "migrate", kept, source, name, rows, measured)
            shutil.rmtree(source)
            print(
                f"{name:18}{one.seconds:9.2f}{one.ratio:8.2f}{one.cpu_seconds:9.2f}{one.cpu_ratio:8.2f}"
                f"{one.staging:9.2f}{one.mapping:9.2f}{one.resident:10.0f}{one.server:12.0f}",
                flush=True,
            )
        worst = max(measured.values(), key=lambda one: one.cpu_ratio)
        largest = max(measured.values(), key=lambda one: one.resident)
        print(f"\nworst ratio of CPU {worst.cpu_ratio:.2f} ({worst.case}), {LIMIT} allowed;", end=" ")
        print(f"largest {largest.resident:.0f} MB ({largest.case}), {LIMIT_MEGABYTES} allowed")
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in measured.values()], indent=2), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--megabytes", type=int, default=300, help="size of the export")
    parser.add_argument("--only", nargs="+", choices=list(CASES), help="these cases, and what they are compared with")
    parser.add_argument("--keep", type=Path, help="folder to keep the clean export in, for the next time")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    return parser.parse_args()


def _chosen(only: Sequence[str] | None) -> list[str]:
    wanted = set(only or CASES)
    wanted |= {CASES[name].base for name in wanted}
    return [name for name in CASES if name in wanted]


def _write(folder: Path, clean: Path, case: Case, rows: dict[str, int]) -> None:
    """Write a case's export; files that are as in the clean one are that one's."""
    folder.mkdir()
    for path in clean.iterdir():
        if path.stem != case.table and path.name != "schema.json":
            os.link(path, folder / path.name) if _is_same_disk(path, folder) else shutil.copy(path, folder)
    schema = json.loads((clean / "schema.json").read_text(encoding="utf-8"))
    if case.base == "clean_json":
        (posts,) = [table for table in schema["tables"] if table["name"] == "posts"]
        (tags,) = [column for column in posts["columns"] if column["name"] == "tags"]
        tags["type"] = "json"
    (folder / "schema.json").write_text(json.dumps(schema), encoding="utf-8")
    if case.table is None or case.spoil is None:
        return
    name = f"{case.table}.csv"
    with (
        (clean / name).open(encoding="utf-8", newline="") as source,
        (folder / name).open("w", encoding="utf-8", newline="") as file,
    ):
        lines, writer = csv.reader(source), csv.writer(file, lineterminator="\n")
        header = next(lines)
        writer.writerow(header)
        writer.writerows(case.spoil(header, lines, rows[case.table]))


def _is_same_disk(path: Path, folder: Path) -> bool:
    return path.stat().st_dev == folder.stat().st_dev


def _measure(
    home: Path, kept: Path, source: Path, name: str, rows: dict[str, int], before: dict[str, Measured]
) -> Measured:
    case = CASES[name]
    base = before.get(case.base)
    with new_server(home) as server:
        warm(source)
        is_clean = case.spoil is None
        run = migrate(home, source, server, kept / "bytecode", exit_code=0 if is_clean else 1)
        _prove(run.report, case, rows)
        with connect(server.uri) as conn:
            parts = stages(conn).values()
    return Measured(
        name,
        run.ended.seconds,
        run.ended.seconds / (base.seconds if base else run.ended.seconds),
        run.cpu_seconds,
        run.cpu_seconds / (base.cpu_seconds if base else run.cpu_seconds),
        sum(part["staging"] for part in parts),
        sum(part["mapping"] for part in parts),
        run.memory.ours,
        run.memory.server,
    )


def _prove(report: dict[str, Any], case: Case, rows: dict[str, int]) -> None:
    """Let no time stand for a migration that lost a row or rejected another.

    Raises:
        RunError: it did.
    """
    for table in report["tables"]:
        is_spoilt = table["xata_table"] == case.table
        count = rows[table["xata_table"]] + case.added * is_spoilt
        rejected = case.rejected(rows[table["xata_table"]]) * is_spoilt
        expected = (count, count - rejected, rejected, case.dangling * is_spoilt)
        # rows of other tables may link to one that was rejected
        dangling = table["dangling_links"] if is_spoilt else 0
        found = (table["source_rows"], table["target_rows"], table["rejected_rows"], dangling)
        if found != expected or len(table["checks"]) != 7:
            raise RunError(f"{table['xata_table']}: {found} where {expected} was expected")


if __name__ == "__main__":
    main()
