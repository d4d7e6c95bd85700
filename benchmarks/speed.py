"""Measure a migration against the limit, stage by stage: plain COPY of the same finished rows, and the same keys.

    python benchmarks/speed.py                     # about 1 million rows in 700 MB
    python benchmarks/speed.py --shape links --megabytes 100 --repeats 3 --keep /tmp/speed --json speed.json

Each side has an embedded server of its own, new, with the same settings and already running: its start is
in neither time. The migration's time is that of the whole `xata-pg migrate`, from the start of Python to
its end, every check included; its modules are compiled before. Both sides find their files in the page cache.
`compare.py` puts more sides beside each other, in all shapes and sizes.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from export import SHAPES
from jobs import measure, new_job, warm_up
from measuring import folder, megabytes
from sides import Outcome
from sides.copy_keys import CopyKeys
from sides.ours import Ours


def main() -> None:
    """Make the export, measure both sides, print and write down what came out."""
    options = _options()
    with folder(options.keep) as kept, folder(None) as scratch:
        job = new_job(kept, scratch, options.shape, options.megabytes)
        warm_up(kept, scratch)
        load_before = os.getloadavg()
        migrated: list[Outcome] = []
        plain: list[Outcome] = []
        for _ in range(options.repeats):
            migrated.append(measure(Ours(), job))
            plain.append(measure(CopyKeys(), job))
        result = {
            "rows": sum(job.rows.values()),
            "export_megabytes": round(megabytes(job.source), 1),
            "finished_megabytes": round(megabytes(job.finished), 1),
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


def _summary(migrated: Sequence[Outcome], plain: Sequence[Outcome]) -> dict[str, Any]:
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
        "parts": {table: {**middle_plain.parts[table], **stages} for table, stages in middle.parts.items()},
        # Python, Dagster, connections, the report; below 0 where stages ran side by side
        "outside_stages": middle.seconds - sum(sum(stages.values()) for stages in middle.parts.values()),
        "peak_megabytes": {part: max(one.memory[part] for one in migrated) for part in migrated[0].memory},
    }


def _print(result: Mapping[str, Any]) -> None:
    seconds, cpu, peak, load = (result[key] for key in ("seconds", "cpu_seconds", "peak_megabytes", "load_average"))
    export, finished = result["export_megabytes"], result["finished_megabytes"]
    print(f"{result['rows']:,} rows, export {export} MB, finished rows {finished} MB")
    print(f"load average {load['before'][0]:.1f} before, {load['after'][0]:.1f} after; servers already running\n")
    for name, side, size in (("COPY and keys", "copy", finished), ("xata-pg migrate", "migrate", export)):
        print(f"{name:18}{seconds[side]:8.2f} s {size / seconds[side]:8.1f} MB/s {cpu[side]:8.2f} s of CPU")
    print(f"{'ratio':18}{result['ratio']:8.2f} {'':15}{result['cpu_ratio']:8.2f}\n")
    lines = dict(result["parts"])
    columns = list(next(iter(lines.values())))
    lines["all"] = {column: sum(line[column] for line in lines.values()) for column in columns}
    print(" " * 14 + "".join(f"{column:>10}" for column in columns))
    for name, line in lines.items():
        print(f"{name:14}" + "".join(f"{line[column]:10.2f}" for column in columns))
    print(f"outside stages {result['outside_stages']:.2f} s (Python, Dagster, connections, the report)\n")
    print(f"peak memory: ours {peak['together']:.0f} MB sampled, {peak['largest']:.0f} MB ru_maxrss; ", end="")
    print(f"the server's, shared buffers apart, {peak['server']:.0f} MB")


if __name__ == "__main__":
    main()
