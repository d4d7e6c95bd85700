"""Measure a migration against the limit: plain COPY of the same finished rows, and the same keys.

    python benchmarks/speed.py                     # about 1 million rows in 700 MB
    python benchmarks/speed.py --megabytes 100 --repeats 3 --keep /tmp/speed --json speed.json

Each side has an embedded server of its own, new, with the same settings and already running: its start is
in neither time. The migration's time is that of the whole `xata-pg migrate`, from the start of Python to
its end, every check included; its modules are compiled before. Both sides find their files in the page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time, sleep
from typing import Any, BinaryIO

import psutil
from export import SHAPES
from peak_memory import PeakMemory
from psycopg import sql

from xata_pg_assets.plan.tables import Plan, PlanOptions, TargetTable, make_plan
from xata_pg_assets.postgres import ddl, embedded, keys, ledger
from xata_pg_assets.postgres.connection import Connection, connect
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.schema_files import read_schema

MB = 1_000_000
BLOCK = 1024 * 1024
LAYOUT = Layout()


@dataclass(frozen=True, slots=True)
class Migrated:
    """What one `xata-pg migrate` took; stages are seconds by table and stage, memory is in MB.

    `resident` is the sampled peak of our processes together, `resident_max` the kernel's of the largest one,
    `server` the peak of the server's own memory, its shared buffers apart.
    """

    seconds: float
    cpu_seconds: float
    stages: Mapping[str, Mapping[str, float]]
    resident: float
    resident_max: float
    server: float

    @property
    def outside(self) -> float:
        """Seconds in no stage: Python, Dagster, connections, the report."""
        return self.seconds - sum(sum(stages.values()) for stages in self.stages.values())


@dataclass(frozen=True, slots=True)
class Plain:
    """What COPY and the making of keys took, in seconds by table; the CPU time is ours and the server's."""

    cpu_seconds: float
    copy: Mapping[str, float]
    keys: Mapping[str, float]

    @property
    def seconds(self) -> float:
        """All of it."""
        return sum(self.copy.values()) + sum(self.keys.values())


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of `xata-pg migrate`: its report, its times, what the kernel and we saw of its memory."""

    report: dict[str, Any]
    seconds: float
    cpu_seconds: float
    usage: resource.struct_rusage
    memory: PeakMemory


class RunError(Exception):
    """The migration did not end well: its time means nothing."""


def main() -> None:
    """Make the export, measure both sides, print and write down what came out."""
    options = _options()
    with _folder(options.keep) as kept, _folder(None) as scratch:
        source = kept / f"{options.shape}-{options.megabytes}"
        rows = _make_export(source, options.megabytes, options.shape)
        _warm_up(scratch / "warm-up", kept)
        load_before = os.getloadavg()
        finished = scratch / "finished"
        migrated: list[Migrated] = []
        plain: list[Plain] = []
        for _ in range(options.repeats):
            shutil.rmtree(finished, ignore_errors=True)
            migrated.append(_measure_migration(scratch / "migrate", kept, source, rows, finished))
            plain.append(_measure_plain(scratch / "copy", _plan(source), finished))
        result = {
            "rows": sum(rows.values()),
            "export_megabytes": round(_megabytes(source), 1),
            "finished_megabytes": round(_megabytes(finished), 1),
            "load_average": {"before": load_before, "after": os.getloadavg()},
            **_summary(migrated, plain),
        }
    _print(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2), encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--shape", choices=list(SHAPES), default="mixed", help="what the export is like")
    parser.add_argument("--megabytes", type=int, default=700, help="size of the export")
    parser.add_argument("--repeats", type=int, default=1, help="how often each side is measured; medians are given")
    parser.add_argument("--keep", type=Path, help="folder to keep the export in, for the next time")
    parser.add_argument("--json", type=Path, help="file to write the figures to")
    return parser.parse_args()


@contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """Give a folder: the one named, which stays, or a new one, which does not."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="xata_pg_speed_") as name:
        Path(name).chmod(0o755)  # as root, the server runs as another account
        yield Path(name)


def _make_export(folder: Path, megabytes: int, shape: str = "mixed") -> dict[str, int]:
    """Make the export in another process: the kernel counts our own memory among that of what we start."""
    program = Path(__file__).with_name("export.py")
    command = [sys.executable, str(program), str(folder), "--shape", shape, "--megabytes", str(megabytes)]
    rows: dict[str, int] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return rows


def _plan(source: Path) -> Plan:
    return make_plan(read_schema(source / "schema.json"), PlanOptions())


@contextmanager
def _server(home: Path) -> Iterator[embedded.EmbeddedServer]:
    """Run a new server, and leave nothing of it."""
    try:
        yield embedded.ensure_running(home)
    finally:
        embedded.destroy(home)
        shutil.rmtree(home, ignore_errors=True)


def _cpu_seconds(server: embedded.EmbeddedServer) -> float:
    """Return the CPU time of those of the server's processes that are over: every session's, once it is closed."""
    sleep(0.2)  # the last one to end
    postmaster = (server.data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0]
    times = psutil.Process(int(postmaster)).cpu_times()
    return float(times.children_user + times.children_system)


# (b) the migration


def _warm_up(home: Path, kept: Path) -> None:
    """Migrate very little, so that Python's modules are compiled, as those of an installed program are."""
    rows = _make_export(kept / "mixed-1", 1)
    with _server(home) as server:
        _prove(_migrate(home, kept / "mixed-1", server, kept / "bytecode").report, rows)


def _measure_migration(home: Path, kept: Path, source: Path, rows: Mapping[str, int], finished: Path) -> Migrated:
    """Migrate the export, prove that all of it arrived, and keep the finished rows as CSV files."""
    with _server(home) as server:
        _warm(source)
        run = _migrate(home, source, server, kept / "bytecode")
        _prove(run.report, rows)
        with connect(server.uri) as conn:
            stages = _stages(conn)
            _write_finished(conn, _plan(source), finished)
    return Migrated(
        run.seconds, run.cpu_seconds, stages, run.memory.ours, run.usage.ru_maxrss * 1024 / MB, run.memory.server
    )


def _migrate(home: Path, source: Path, server: embedded.EmbeddedServer, bytecode: Path, *, exit_code: int = 0) -> _Run:
    program = Path(sys.executable).with_name("xata-pg")
    command = [str(program), "migrate", "--source", str(source), "--home", str(home), "--json"]
    memory, before = PeakMemory(server.data_dir), _cpu_seconds(server)
    with tempfile.TemporaryFile() as output:
        started = perf_counter()
        process = subprocess.Popen(command, stdout=output, env=_environment(bytecode), cwd=home)
        with memory.watching(process.pid):
            _, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != exit_code:
            raise RunError(f"xata-pg migrate: exit code {process.returncode}")
        output.seek(0)
        cpu_seconds = usage.ru_utime + usage.ru_stime + _cpu_seconds(server) - before
        return _Run(json.loads(output.read()), seconds, cpu_seconds, usage, memory)


def _environment(bytecode: Path) -> dict[str, str]:
    """Leave out what the user has set: the target is the home's own server, and Python keeps its bytecode."""
    ours = ("XATA_PG_", "DATABASE_", "DAGSTER_", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**environment, "PYTHONPYCACHEPREFIX": str(bytecode)}


def _prove(report: dict[str, Any], rows: Mapping[str, int]) -> None:
    """Let no time stand for a migration that lost a row or failed a check.

    Raises:
        RunError: it did.
    """
    red = [
        f"{table['xata_table']}.{check['name']}"
        for table in report["tables"]
        for check in table["checks"]
        if not check["passed"]
    ]
    unchecked = [table["xata_table"] for table in report["tables"] if len(table["checks"]) != 7]
    arrived = {table["xata_table"]: table["target_rows"] for table in report["tables"]}
    if not report["ok"] or red or unchecked or arrived != rows:
        raise RunError(f"red: {red}, unchecked: {unchecked}, rows: {arrived} of {dict(rows)}")


def _stages(conn: Connection) -> dict[str, dict[str, float]]:
    return {
        name: {
            "staging": line.staging_seconds,
            "mapping": line.mapping_seconds,
            "loading": line.load_seconds,
            "checking": line.check_seconds,
        }
        for name, line in ledger.entries(conn, LAYOUT).items()
    }


def _write_finished(conn: Connection, plan: Plan, folder: Path) -> None:
    folder.mkdir()
    for table in plan.tables:
        query = sql.SQL("COPY {} TO STDOUT (FORMAT csv)").format(LAYOUT.target(table))
        with (folder / f"{table.name}.csv").open("wb") as file, conn.cursor().copy(query) as copy:
            for data in copy:
                file.write(data)


# (a) the limit


def _measure_plain(home: Path, plan: Plan, finished: Path) -> Plain:
    """Load the finished rows by COPY, table by table in one transaction with its keys."""
    copied: dict[str, float] = {}
    keyed: dict[str, float] = {}
    with _server(home) as server:
        _warm(finished)
        before = _cpu_seconds(server) + process_time()
        with connect(server.uri) as conn:
            for table in plan.tables:
                with (finished / f"{table.name}.csv").open("rb") as file:
                    copied[table.xata_name], keyed[table.xata_name] = _load_plainly(conn, plan, table, file)
        return Plain(_cpu_seconds(server) + process_time() - before, copied, keyed)


def _load_plainly(conn: Connection, plan: Plan, table: TargetTable, file: BinaryIO) -> tuple[float, float]:
    started = perf_counter()
    with conn.transaction():
        for statement in ddl.create_table(LAYOUT, table):
            conn.execute(statement)
        query = sql.SQL("COPY {} FROM STDIN (FORMAT csv)").format(LAYOUT.target(table))
        with conn.cursor().copy(query) as copy:
            while data := file.read(BLOCK):
                copy.write(data)
        copied = perf_counter()
        for _, statement in keys.wanted(LAYOUT, plan, table):
            conn.execute(statement)
    return copied - started, perf_counter() - copied


# what came out


def _warm(folder: Path) -> None:
    """Read every file once, and have written what is still to be written of earlier work."""
    for path in folder.iterdir():
        with path.open("rb") as file:
            while file.read(BLOCK):
                pass
    os.sync()


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.glob("*.csv")) / MB


def _summary(migrated: Sequence[Migrated], plain: Sequence[Plain]) -> dict[str, Any]:
    """Give the median run of each side; peaks of memory over all runs."""
    ours, limit = median(one.seconds for one in migrated), median(one.seconds for one in plain)
    middle = sorted(migrated, key=lambda one: one.seconds)[len(migrated) // 2]
    middle_plain = sorted(plain, key=lambda one: one.seconds)[len(plain) // 2]
    return {
        "seconds": {"copy": limit, "migrate": ours},
        "cpu_seconds": {"copy": middle_plain.cpu_seconds, "migrate": middle.cpu_seconds},
        "ratio": ours / limit,
        "cpu_ratio": middle.cpu_seconds / middle_plain.cpu_seconds,
        "runs": {"copy": [one.seconds for one in plain], "migrate": [one.seconds for one in migrated]},
        "copy": asdict(middle_plain),
        "stages": middle.stages,
        "outside_stages": middle.outside,
        "peak_megabytes": {
            "ours": max(one.resident for one in migrated),
            "ours_max": max(one.resident_max for one in migrated),
            "server": max(one.server for one in migrated),
        },
    }


def _print(result: Mapping[str, Any]) -> None:
    seconds, cpu, peak, load = (result[key] for key in ("seconds", "cpu_seconds", "peak_megabytes", "load_average"))
    export, finished = result["export_megabytes"], result["finished_megabytes"]
    print(f"{result['rows']:,} rows, export {export} MB, finished rows {finished} MB")
    print(f"load average {load['before'][0]:.1f} before, {load['after'][0]:.1f} after; servers already running\n")
    for name, side, size in (("COPY and keys", "copy", finished), ("xata-pg migrate", "migrate", export)):
        print(f"{name:18}{seconds[side]:8.2f} s {size / seconds[side]:8.1f} MB/s {cpu[side]:8.2f} s of CPU")
    print(f"{'ratio':18}{result['ratio']:8.2f} {'':15}{result['cpu_ratio']:8.2f}\n")
    stages = result["stages"]
    columns = ["copy", "keys", *next(iter(stages.values()))]
    lines = {
        table: {**{part: result["copy"][part][table] for part in columns[:2]}, **stages[table]} for table in stages
    }
    lines["all"] = {column: sum(line[column] for line in lines.values()) for column in columns}
    print(" " * 14 + "".join(f"{column:>10}" for column in columns))
    for name, line in lines.items():
        print(f"{name:14}" + "".join(f"{line[column]:10.2f}" for column in columns))
    print(f"outside stages {result['outside_stages']:.2f} s (Python, Dagster, connections, the report)\n")
    print(f"peak memory: ours {peak['ours']:.0f} MB sampled, {peak['ours_max']:.0f} MB ru_maxrss; ", end="")
    print(f"the server's, shared buffers apart, {peak['server']:.0f} MB")


if __name__ == "__main__":
    main()
