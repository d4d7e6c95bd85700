"""The command line's fixtures, and a look at what a command took and left."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from xata_pg_assets_tests.test_cli.conftest import Outcome, XataPg, export, fresh_home, migrating, xata_pg

__all__ = ["export", "fresh_home", "measured", "migrating", "single_table", "xata_pg"]


def measured(xata_pg: XataPg, *arguments: str | Path) -> tuple[Outcome, int]:
    """Run a command; return how it ended, and the megabytes that it held at most."""
    process = xata_pg.start(*arguments)
    status, peak = Path(f"/proc/{process.process.pid}/status"), 0
    while process.process.is_alive():
        with suppress(FileNotFoundError, ProcessLookupError):  # it may end while it is looked at
            lines = status.read_text().splitlines()
            peak = max([peak, *(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))])
        time.sleep(0.02)
    return process.end(), peak


def single_table(folder: Path, name: str = "t") -> Path:
    """Make an export folder of one table with a text and a json column; return it."""
    export = folder / "export"
    export.mkdir()
    columns = [{"name": "s", "type": "string"}, {"name": "j", "type": "json"}]
    (export / "schema.json").write_text(json.dumps({"tables": [{"name": name, "columns": columns}]}))
    return export
