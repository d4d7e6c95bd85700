"""Measure every way to get an export into PostgreSQL beside each other: shapes, sizes, sides, repeats.

    python benchmarks/compare.py                                                 # all of it, for more than an hour
    python benchmarks/compare.py --shapes mixed links --sizes 10 100 --sides copy hand ours --repeats 3 \\
        --keep /tmp/exports --json out.json --plot out.svg

Each run has a new embedded server with the same settings, already running, and finds its files in the page cache.
Sides take turns, so that what else goes on hits each; medians are given. No time counts where a row was lost, or,
up to 15 MB, where plain COPY and the SQL by hand do not make what the migration makes, cell by cell. Peers of
others are measured where they are installed (`peers.txt`), up to `--peer-megabytes`. Exit code 1: a process of
ours took 300 MB or more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from chart import write_chart
from export import SHAPES
from growth import exponents
from jobs import measure, new_job, warm_up
from measuring import RunError, folder, megabytes
from sides import Job, Outcome, Side
from sides.by_hand import ByHand
from sides.copy_keys import CopyKeys
from sides.dlt import Dlt
from sides.notebook import Notebook
from sides.ours import Ours
from sides.pgcopydb import PgCopyDb
from sides.pgloader import PgLoader
from sides.sling import Sling

# Ours comes first: others load what it has finished
SIDES: Mapping[str, Side] = {
    side.name: side for side in (Ours(), CopyKeys(), ByHand(), PgLoader(), PgCopyDb(), Sling(), Dlt(), Notebook())
}
# MB that a process of ours stays under
MEMORY_LIMIT = 300


@dataclass(slots=True)
class Runs:
    """What a side did in one shape and size; `ended` says why there are no more runs."""

    done: list[Outcome] = field(default_factory=list)
    ended: str | None = None


def main() -> int:
    """Measure the grid, print it and write it down; return the exit code."""
    options = _options()
    versions = {name: SIDES[name].version(options.peers) for name in SIDES if name in options.sides}
    sides = [SIDES[name] for name, version in versions.items() if version]
    missing = [name for name, version in versions.items() if not version]
    result: dict[str, Any] = {
        "machine": _machine(),
        "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": {"before": os.getloadavg()},
        "repeats": options.repeats,
        "sides": {side.name: _facts(side, versions[side.name]) for side in sides},
        "missing": missing,
        "measured": [],
    }
    print(", ".join(f"{name}: {version or 'not installed, left out'}" for name, version in versions.items()))
    with folder(options.keep) as kept, folder(None) as scratch:
        warm_up(kept, scratch)
        for shape, size in _grid(options.shapes, options.sizes):
            job = new_job(kept, scratch, shape, size, options.peers, options.limit)
            chosen = [side for side in sides if not side.is_peer or size <= options.peer_megabytes]
            one = _measured(shape, size, job, _runs(chosen, job, options.repeats))
            result["measured"].append(one)
            _print(one)
            shutil.rmtree(job.finished)
            _write(result, options.json, options.plot)
    _print_end(result)
    return 1 if result["red"] else 0


def _write(result: dict[str, Any], figures: Path | None, plot: Path | None) -> None:
    """Write down what is measured so far: all of it may take long, and be cut short."""
    result["load_average"]["after"] = os.getloadavg()
    result["growth"] = exponents(result["measured"])
    result["red"] = _red(result["measured"])
    if figures:
        figures.write_text(json.dumps(result, indent=2), encoding="utf-8")
    if plot:
        write_chart(plot, result)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--shapes", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--sizes", nargs="+", type=int, default=[10, 100, 1000], help="of the export, in MB")
    parser.add_argument("--sides", nargs="+", choices=list(SIDES), default=list(SIDES))
    parser.add_argument("--repeats", type=int, default=3, help="how often each side is measured; medians are given")
    parser.add_argument("--peer-megabytes", type=int, default=100, help="the largest size that peers are measured at")
    parser.add_argument("--peers", type=Path, default=_peers(), help="the Python that peers.txt is installed for")
    parser.add_argument("--limit", type=float, default=600, help="seconds that a run of a peer may take")
    parser.add_argument("--keep", type=Path, help="folder to keep the exports in, for the next time")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    parser.add_argument("--plot", type=Path, help="file to draw the growth of time and the ratios in, an SVG")
    return parser.parse_args()


def _peers() -> Path:
    return Path(sys.prefix) / "peers" / "bin" / "python"


def _machine() -> dict[str, Any]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(": ")[2] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    memory = round(psutil.virtual_memory().total / 2**30, 1)
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "memory_gib": memory,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def _facts(side: Side, version: str | None) -> dict[str, Any]:
    return {
        "title": side.title,
        "version": version,
        "does": side.does,
        "leaves_out": side.leaves_out,
        "is_peer": side.is_peer,
    }


def _grid(shapes: Sequence[str], sizes: Sequence[int]) -> Iterator[tuple[str, int]]:
    """Yield every shape in every size, the fixed one once."""
    for shape in shapes:
        fixed = SHAPES[shape].megabytes is None
        yield from ((shape, size) for size in (sizes[:1] if fixed else sizes))


def _runs(sides: Sequence[Side], job: Job, repeats: int) -> dict[str, Runs]:
    """Let the sides take turns; a peer that failed once is not asked again."""
    runs = {side.name: Runs() for side in sides}
    if not job.finished.exists() and "ours" not in runs:
        measure(SIDES["ours"], job)
    for _ in range(repeats):
        for side in sides:
            _run(side, job, runs[side.name])
    return runs


def _run(side: Side, job: Job, runs: Runs) -> None:
    if runs.ended:
        return
    try:
        runs.done.append(measure(side, job))
    except TimeoutError as error:
        runs.ended = str(error)
    except RunError as error:
        if not side.is_peer:
            raise
        runs.ended = f"failed: {error}"


def _measured(shape: str, size: int, job: Job, runs: Mapping[str, Runs]) -> dict[str, Any]:
    """Summarise one shape and size: medians, and the ratio of each to plain COPY."""
    limit = median(one.seconds for one in runs["copy"].done) if "copy" in runs else None
    return {
        "shape": shape,
        "megabytes": size,
        "export_megabytes": round(megabytes(job.source), 1),
        "rows": sum(job.rows.values()),
        "tables": len(job.rows),
        "sides": {name: _summary(one, limit) for name, one in runs.items()},
    }


def _summary(runs: Runs, limit: float | None) -> dict[str, Any]:
    if not runs.done:
        return {"ended": runs.ended, "runs": []}
    seconds = median(one.seconds for one in runs.done)
    return {
        "seconds": seconds,
        "ratio": seconds / limit if limit else None,
        "cpu_seconds": median(one.cpu_seconds for one in runs.done),
        "runs": [one.seconds for one in runs.done],
        "peak_megabytes": {part: max(one.memory[part] for one in runs.done) for part in runs.done[0].memory},
        "ended": runs.ended,
    }


def _red(measured: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say where a process of ours took more memory than it may."""
    return [
        f"{one['shape']} {one['megabytes']} MB: a process of ours took {peak:.0f} MB, under {MEMORY_LIMIT} allowed"
        for one in measured
        if (peak := one["sides"].get("ours", {}).get("peak_megabytes", {}).get("largest", 0)) >= MEMORY_LIMIT
    ]


def _print(one: Mapping[str, Any]) -> None:
    size, rows, tables = one["export_megabytes"], one["rows"], one["tables"]
    print(f"\n{one['shape']}: {size} MB, {rows:,} rows in {tables} tables")
    print(f"{'':18}{'seconds':>10}{'ratio':>8}{'MB/s':>8}{'CPU, s':>9}{'peak, MB':>10}  runs")
    for name, side in one["sides"].items():
        title = SIDES[name].title
        if not side["runs"]:
            print(f"{title:18}{side['ended']}")
            continue
        ratio = f"{side['ratio']:.2f}" if side["ratio"] else ""
        peak = side["peak_megabytes"].get("largest")
        runs = " ".join(f"{seconds:.2f}" for seconds in side["runs"])
        print(
            f"{title:18}{side['seconds']:10.2f}{ratio:>8}{size / side['seconds']:8.1f}{side['cpu_seconds']:9.2f}"
            f"{f'{peak:.0f}' if peak else '':>10}  {runs} {side['ended'] or ''}".rstrip(),
            flush=True,
        )


def _print_end(result: Mapping[str, Any]) -> None:
    if result["growth"]:
        print("\nseconds grow with the size to the power of (least squares; from the last size but one to the last)")
    for shape, sides in result["growth"].items():
        figures = (f"{name} {one['fitted']:.2f}; {one['last']:.2f}" for name, one in sides.items())
        print(f"{shape:10}" + ", ".join(figures))
    for side in result["sides"].values():
        print(f"\n{side['title']} does {side['does']};\n  leaves out {side['leaves_out']}")
    for line in result["red"]:
        print(f"\nRED {line}")


if __name__ == "__main__":
    sys.exit(main())
