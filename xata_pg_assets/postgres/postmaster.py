"""Whether a server lives on a data folder: told by a lock its processes hold, not by process numbers.

The postmaster inherits a lock on its data folder, and its children from it. The kernel frees the lock with
the last of them, however they end; a number in `postmaster.pid` may by then belong to a stranger, to a
zombie or to another container.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from xata_pg_assets.errors import TransientError

__all__ = ["PATIENCE", "SHORT_PATIENCE", "Postmaster", "claim", "while_alive"]

# Seconds: recovery after a crash, or the checkpoint of a shutdown, may take minutes; nothing else does.
PATIENCE = 600
SHORT_PATIENCE = 30


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What a server wrote into `postmaster.pid`, or into the lock file of its socket."""

    pid: int
    data_dir: Path
    socket_dir: Path
    status: str

    @classmethod
    def read(cls, path: Path) -> Postmaster | None:
        """Read such a file; None when it is missing, empty or half written."""
        try:
            lines = [line.strip() for line in path.read_text(errors="surrogateescape").splitlines()]
            status = lines[7] if len(lines) > 7 else "starting"
            return cls(int(lines[0]), Path(lines[1]), Path(lines[4]), status)
        except (OSError, ValueError, IndexError):
            return None

    @property
    def lives(self) -> bool:
        """Whether the process of that number is a postmaster with that socket folder."""
        return os.fsencode(self.socket_dir) in _arguments(self.pid)

    def runs_in(self, data_dir: Path) -> bool:
        """Whether `data_dir` is still where the server was started, and not moved since."""
        return self.data_dir.is_dir() and self.data_dir.samefile(data_dir)

    def end(self, *, gently: bool) -> bool:
        """Ask the server to shut down; False when there is nobody to ask.

        Gently is with a last checkpoint. Where the data folder was moved that must not be: the control file
        is the one that PostgreSQL writes by its absolute path, perhaps into another cluster made there since.
        """
        if not self.lives:
            return False
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGINT if gently else signal.SIGQUIT)
        return True


def _arguments(pid: int) -> list[bytes]:
    """The command line of process `pid`, none for a zombie or where there is no such process."""
    if not Path("/proc/self").exists():
        ps = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, check=False)
        return ps.stdout.split()
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError):
        return []


def claim(data_dir: Path) -> int | None:
    """Lock `data_dir` and return the lock's file descriptor; None when a process of its server lives."""
    folder = os.open(data_dir, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(folder)
        return None
    except BaseException:
        os.close(folder)
        raise
    return folder


def while_alive(data_dir: Path) -> Iterator[Postmaster | None]:
    """Yield the postmaster until no process of its server lives; None while its file is not written.

    Raises TransientError when that takes too long.
    """
    start = time.monotonic()
    while (free := claim(data_dir)) is None:
        postmaster = Postmaster.read(data_dir / "postmaster.pid")
        yield postmaster
        busy = postmaster is not None and postmaster.status != "ready" and postmaster.lives
        if time.monotonic() - start > (PATIENCE if busy else SHORT_PATIENCE):
            raise TransientError(
                f"the embedded PostgreSQL in {data_dir} is there and does not answer, or another container "
                "uses it: run again in a minute, or end its processes"
            )
        time.sleep(0.02)
    os.close(free)
