"""Processes forked from one that has imported everything already: they begin to work at once.

There is one such server of forks in a process, and one list of what it imports; whoever sets another list sets it for
all. An import costs a command more than all that it does for a small export.
"""

from __future__ import annotations

import multiprocessing

__all__ = ["CONTEXT"]

_COMMANDS = ["cli.commands", "assets.graph", "assets.running", "report.terminal", "report.plan_page"]

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "__main__",
        "alembic.command",
        *(f"xata_pg_assets.{name}" for name in _COMMANDS),
        # where the functions are that are run in these processes
        "xata_pg_assets_tests.test_cli.conftest",
        "xata_pg_assets_tests.test_survival.driver",
    ]
)
