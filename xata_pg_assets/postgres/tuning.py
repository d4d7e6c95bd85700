"""The embedded server's settings: tuned for bulk loads, safe against crashes, silent about values."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

__all__ = ["SETTINGS", "index_memory", "start_settings"]

MB = 1024 * 1024

# Written into postgresql.conf when the cluster is made; the user's edits of that file stay.
SETTINGS = {
    # COPY into a table of the same transaction skips the write-ahead log
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "30min",
    "max_connections": "100",
    "jit": "off",
    "huge_pages": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # an error's text can quote a cell: errors go to the client alone
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_checkpoints": "off",
    "log_autovacuum_min_duration": "-1",
}


def start_settings(data_dir: Path, *, frugal: bool) -> dict[str, str]:
    """Settings that depend on the machine; `frugal` is for one that refused the usual amounts of memory."""
    memory = _memory()
    disk = shutil.disk_usage(data_dir).free
    return {
        "shared_buffers": "16MB" if frugal else _megabytes(memory // 8, 32, 512),
        "effective_cache_size": _megabytes(memory // 2, 64, 8192),
        "maintenance_work_mem": _megabytes(memory // 16, 64, 512),
        "work_mem": _megabytes(memory // 64, 8, 64),
        "max_wal_size": _megabytes(disk // 8, 256, 8192),
        # the leader works, too: more of them than cores are in each other's way
        "max_parallel_workers_per_gather": _helpers(),
        "max_parallel_maintenance_workers": _helpers(),
        "dynamic_shared_memory_type": "mmap" if frugal else _shared_memory_type(),
    }


def index_memory() -> int:
    """Return how many bytes the building of one index may take on a server of our own."""
    return _memory() // 4


def _megabytes(size: int, low: int, high: int) -> str:
    return f"{min(max(size // MB, low), high)}MB"


def _helpers() -> str:
    return str(min(max((os.cpu_count() or 2) - 1, 1), 4))


def _memory() -> int:
    """Bytes of memory: the machine's, or the container's where that is less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")]
    texts = [limit.read_text().strip() for limit in limits if limit.is_file()]
    return min([machine, *(int(text) for text in texts if text.isdigit())])


def _shared_memory_type() -> str:
    """`posix`, or `sysv` where a parallel hash join would fill a container's small /dev/shm."""
    shm = Path("/dev/shm")  # noqa: S108 - looked at, not written to
    if not shm.is_dir():
        return "posix"
    return "posix" if shutil.disk_usage(shm).free >= 1024 * MB else "sysv"
