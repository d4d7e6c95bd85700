"""Write measured figures into a page: tables between its two marks, and the chart.

    python benchmarks/results.py OUT.json [MORE.json ...] --page benchmarks/RESULTS.md --plot benchmarks/RESULTS.svg

Of several files the first that has a side in a shape and a size counts, so that a grid can be measured piece by piece.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from chart import write_chart
from growth import exponents

__all__ = ["merged", "page"]

START, END = "<!-- measured -->", "<!-- /measured -->"


def main() -> None:
    """Merge the files, write page and chart."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("figures", nargs="+", type=Path, help="what compare.py --json wrote")
    parser.add_argument("--page", type=Path, required=True, help="a page with the two marks")
    parser.add_argument("--plot", type=Path, required=True)
    options = parser.parse_args()
    result = merged([json.loads(path.read_text(encoding="utf-8")) for path in options.figures])
    before, _, rest = options.page.read_text(encoding="utf-8").partition(START)
    after = rest.partition(END)[2]
    text = "\n".join(page(result))
    options.page.write_text(f"{before}{START}\n\n{text}\n{END}{after}", encoding="utf-8")
    write_chart(options.plot, result)


def merged(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return several results as one, the first of two figures, in the order of shapes and sizes."""
    cells: dict[tuple[str, int], dict[str, Any]] = {}
    sides: dict[str, Any] = {}
    for result in results:
        sides = {**result["sides"], **sides}
        for one in result["measured"]:
            cell = cells.setdefault((one["shape"], one["megabytes"]), {**one, "sides": {}})
            cell["sides"] = {**one["sides"], **cell["sides"]}
    shapes = list(dict.fromkeys(shape for shape, _ in cells))
    measured = [cells[key] for key in sorted(cells, key=lambda key: (shapes.index(key[0]), key[1]))]
    order = list(sides)
    for one in measured:
        one["sides"] = {name: one["sides"][name] for name in order if name in one["sides"]}
    return {**results[0], "sides": sides, "measured": measured, "growth": exponents(measured)}


def page(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the tables: seconds and ratios, growth, memory, and what each side is."""
    machine, sides = result["machine"], result["sides"]
    yield (
        f"{result['started_at'][:10]}, {machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"Python {machine['python']}. Seconds (ratio to COPY and keys of the same run); medians.\n"
    )
    yield from _table(["export", "rows", *(side["title"] for side in sides.values())], _seconds(result))
    yield "\nSeconds grow with the size to the power of (all sizes; from the last size but one to the last):\n"
    names = list(sides)
    growth = (
        [shape, *(f"{one[name]['fitted']:.2f}; {one[name]['last']:.2f}" if name in one else "" for name in names)]
        for shape, one in result["growth"].items()
    )
    yield from _table(["shape", *(side["title"] for side in sides.values())], growth)
    yield "\nThe most memory that one of our processes took, as the kernel counts it, in MB:\n"
    yield from _table(["export", "MB"], _memory(result["measured"]))
    yield "\nWhat each does, and what it leaves out:\n"
    facts = ([side["title"], side["version"], side["does"], side["leaves_out"]] for side in sides.values())
    yield from _table(["side", "version", "does", "leaves out"], facts)


def _seconds(result: Mapping[str, Any]) -> Iterator[list[str]]:
    for one in result["measured"]:
        cells = [_cell(one["sides"].get(name)) for name in result["sides"]]
        yield [f"{one['shape']}, {one['export_megabytes']:.0f} MB", f"{one['rows']:,}", *cells]


def _cell(side: Mapping[str, Any] | None) -> str:
    if side is None:
        return ""
    if not side["runs"]:
        return str(side["ended"])
    ratio = f" ({side['ratio']:.2f})" if side["ratio"] else ""
    return f"{side['seconds']:.2f}{ratio}"


def _memory(measured: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    for one in measured:
        if peak := one["sides"].get("ours", {}).get("peak_megabytes"):
            yield [f"{one['shape']}, {one['export_megabytes']:.0f} MB", f"{peak['largest']:.0f}"]


def _table(head: Sequence[str], rows: Iterator[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(row)} |"


if __name__ == "__main__":
    main()
