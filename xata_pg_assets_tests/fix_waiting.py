"""Waiting for what comes in its own time: for the thing itself, on however busy a machine."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["PATIENCE", "until"]

# Seconds after which something will not come any more; others may keep the machine busy, or hold it, for minutes
PATIENCE = 900


def until(condition: Callable[[], object], *, every: float = 0.02) -> None:
    """Return when a condition holds; fail when it does not come to hold."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(every)
