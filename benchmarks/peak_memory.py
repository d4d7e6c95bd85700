"""The most memory, in MB, that processes held at once: looked at again and again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import psutil

__all__ = ["PeakMemory"]

MB = 1_000_000
# To look takes some milliseconds of a core that is not ours to use; the kernel tells the peak of our own process
SAMPLE_SECONDS = 0.5


class PeakMemory:
    """The peak of a process with its children, and of a server's own memory, its shared buffers apart."""

    def __init__(self, data_dir: Path) -> None:
        self.ours = self.server = 0.0
        postmaster = (data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0]
        self._postmaster = psutil.Process(int(postmaster))

    @contextmanager
    def watching(self, pid: int) -> Iterator[None]:
        """Look at the process as long as the caller waits for it."""
        over = Event()
        thread = Thread(target=self._watch, args=(psutil.Process(pid), over))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, process: psutil.Process, over: Event) -> None:
        while not over.wait(SAMPLE_SECONDS):
            with suppress(psutil.Error):
                self.ours = max(self.ours, _resident(process))
                self.server = max(self.server, _resident(self._postmaster, shared=False))


def _resident(process: psutil.Process, *, shared: bool = True) -> float:
    size = 0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            memory = one.memory_info()
            size += memory.rss - (0 if shared else memory.shared)
    return size / MB
