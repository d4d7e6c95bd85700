"""What every measurement needs: exports, new servers, files in the page cache, programs and what they took."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Timer
from time import perf_counter, sleep
from typing import IO

import psutil

from xata_pg_assets.plan.tables import Plan, PlanOptions, make_plan
from xata_pg_assets.postgres import embedded
from xata_pg_assets.postgres.layout import Layout
from xata_pg_assets.xata.schema_files import read_schema

__all__ = [
    "BLOCK",
    "LAYOUT",
    "MB",
    "Ended",
    "RunError",
    "cpu_seconds",
    "export_folder",
    "folder",
    "make_export",
    "megabytes",
    "new_server",
    "plan_of",
    "run_program",
    "warm",
]

MB = 1_000_000
BLOCK = 1024 * 1024
LAYOUT = Layout()

_OURS = ("XATA_PG_", "DATABASE_", "DAGSTER_", "PYTHONDONTWRITEBYTECODE")


class RunError(Exception):
    """A run did not end well: its time means nothing."""


@contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """Give a folder: the one named, which stays, or a new one, which does not."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="xata_pg_speed_") as name:
        Path(name).chmod(0o755)  # as root, the server runs as another account
        yield Path(name)


def export_folder(kept: Path, shape: str, size: int) -> Path:
    """Return where the export of a shape and a size in MB lies."""
    return kept / f"{shape}-{size}"


def make_export(target: Path, size: int, shape: str = "mixed") -> dict[str, int]:
    """Make the export in another process: the kernel counts our own memory among that of what we start."""
    program = Path(__file__).with_name("export.py")
    command = [sys.executable, str(program), str(target), "--shape", shape, "--megabytes", str(size)]
    rows: dict[str, int] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return rows


def plan_of(source: Path) -> Plan:
    """Return the plan of an export, as the settings' defaults make it."""
    return make_plan(read_schema(source / "schema.json"), PlanOptions())


@contextmanager
def new_server(home: Path) -> Iterator[embedded.EmbeddedServer]:
    """Run a new server, and leave nothing of it."""
    try:
        yield embedded.ensure_running(home)
    finally:
        embedded.destroy(home)
        shutil.rmtree(home, ignore_errors=True)


def cpu_seconds(server: embedded.EmbeddedServer) -> float:
    """Return the CPU time of those of the server's processes that are over: every session's, once it is closed."""
    sleep(0.2)  # the last one to end
    postmaster = (server.data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0]
    times = psutil.Process(int(postmaster)).cpu_times()
    return float(times.children_user + times.children_system)


def warm(source: Path) -> None:
    """Read every file once, and have written what is still to be written of earlier work."""
    for path in source.iterdir():
        with path.open("rb") as file:
            while file.read(BLOCK):
                pass
    os.sync()


def megabytes(source: Path) -> float:
    """Return how large a folder's CSV files are together."""
    return sum(path.stat().st_size for path in source.glob("*.csv")) / MB


@dataclass(frozen=True, slots=True)
class Ended:
    """What a program took; `resident_max` in MB is the kernel's peak of the largest of its processes."""

    exit_code: int
    seconds: float
    cpu_seconds: float
    resident_max: float


def run_program(
    command: Sequence[str],
    home: Path,
    output: IO[bytes],
    *,
    environment: Mapping[str, str] | None = None,
    errors: IO[bytes] | None = None,
    limit: float | None = None,
    watching: Callable[[int], AbstractContextManager[object]] = nullcontext,
) -> Ended:
    """Run a program in `home` to its end, what the user has set left out of its environment.

    Raises:
        TimeoutError: it took more than `limit` seconds, and was ended with all it had started.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)} | {
        **(environment or {})
    }
    over, started = Event(), perf_counter()
    process = subprocess.Popen(command, stdout=output, stderr=errors, env=environment, cwd=home, start_new_session=True)
    timer = Timer(limit or 0, _end, (process.pid, over))
    if limit is not None:
        timer.start()
    try:
        with watching(process.pid):
            _, status, usage = os.wait4(process.pid, 0)
            seconds = perf_counter() - started
    except BaseException:
        _end(process.pid, over)
        raise
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if over.is_set():
        raise TimeoutError(f"more than {limit:.0f} s")
    return Ended(process.returncode, seconds, usage.ru_utime + usage.ru_stime, _resident_max(usage))


def _end(group: int, over: Event) -> None:
    over.set()
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _resident_max(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / MB
