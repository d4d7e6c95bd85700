"""Ports for servers that are started a while after their port was chosen."""

from __future__ import annotations

import os
import socket
from itertools import count

__all__ = ["free_port"]

# Below those that systems give to whoever asks for any port: nobody else gets one of these by chance meanwhile. Tests
# that run side by side, each process with a number of its own, begin far from one another
_LOWEST, _HOW_MANY = 10_000, 20_000
_NUMBERS = count(os.getpid() * 101)


def free_port() -> int:
    """Return a port of this machine that nobody listens at, each time another one."""
    while True:
        port = _LOWEST + next(_NUMBERS) % _HOW_MANY
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
