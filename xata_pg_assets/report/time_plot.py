"""Which tables took the time, as a bar plot so small that Dagit shows it in place."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from xata_pg_assets.report.pace import describe_seconds
from xata_pg_assets.report.result import Report

__all__ = ["time_plot"]

# Dagit hides longer Markdown behind a link
INLINE = 999
_ROW = 18
_BAR = 260
_LABEL = 270


def time_plot(report: Report) -> str:
    """Return the slowest tables as Markdown with an inline SVG: as many as there is room for, "" for none."""
    tables = sorted(report["tables"], key=lambda table: -table["seconds"])
    timed = [(table["table"], table["seconds"]) for table in tables if table["seconds"] > 0]
    for count in range(len(timed), 0, -1):
        text = _markdown(timed[:count])
        if len(text) <= INLINE:
            return text
    return ""


def _markdown(timed: Sequence[tuple[str, float]]) -> str:
    longest = timed[0][1]
    bars = "".join(
        f"M{_LABEL} {number * _ROW + 4}h{max(round(_BAR * seconds / longest), 1)}v11H{_LABEL}"
        for number, (_, seconds) in enumerate(timed)
    )
    labels = "".join(
        f"<text y='{number * _ROW + 13}'>{escape(_short(name))} {describe_seconds(seconds)}</text>"
        for number, (name, seconds) in enumerate(timed)
    )
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_LABEL + _BAR}' height='{len(timed) * _ROW}'"
        f" font-size='12' font-family='sans-serif' fill='#788'><path fill='#4f43dd' d='{bars}'/>{labels}</svg>"
    )
    # Blanks stand as they are between the angle brackets: escaped they would take the room of two tables
    return f"![seconds by table](<data:image/svg+xml,{quote(svg, safe=' =:/()!,;')}>)"


def _short(name: str) -> str:
    return name if len(name) <= 32 else f"{name[:31]}…"
