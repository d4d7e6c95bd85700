"""The figures as one SVG: seconds by size in both logarithms, one panel a shape, and the ratios to plain COPY."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from growth import Point, points

__all__ = ["write_chart"]

# Told apart by those who see no red or green, too (Okabe and Ito)
_COLOURS = {
    "ours": "#d55e00",
    "copy": "#000000",
    "hand": "#0072b2",
    "pgloader": "#009e73",
    "pgcopydb": "#999999",
    "sling": "#cc79a7",
    "dlt": "#e69f00",
    "pandas": "#56b4e9",
}
_PANEL, _GAP, _COLUMNS = 220, 60, 3
_LEGEND, _BAR = 40, 12


def write_chart(path: Path, result: Mapping[str, Any]) -> None:
    """Draw what was measured."""
    panels = {shape: sides for shape, sides in points(result["measured"]).items() if _sizes(sides) > 1}
    shown = list(_in_panels(panels))
    across = _COLUMNS * (_PANEL + _GAP) + _GAP
    below = _LEGEND + ceil(len(panels) / _COLUMNS) * (_PANEL + _GAP)
    bars, height = _bars(result["measured"], below + _GAP, across)
    parts = [*_legend(result["sides"]), *shown, *bars]
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{across}" height="{height}" font-size="11"'
        f' font-family="sans-serif"><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n',
        encoding="utf-8",
    )


def _sizes(sides: Mapping[str, Sequence[Point]]) -> int:
    return max(len(places) for places in sides.values())


def _legend(sides: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for number, (name, side) in enumerate(sides.items()):
        left = _GAP + number * 98
        yield f'<rect x="{left}" y="14" width="12" height="12" fill="{_COLOURS[name]}"/>'
        yield _text(left + 16, 24, side["title"])


def _in_panels(panels: Mapping[str, Mapping[str, Sequence[Point]]]) -> Iterator[str]:
    """Draw all panels to one scale, whole powers of ten at their edges."""
    places = [place for sides in panels.values() for line in sides.values() for place in line]
    if not places:
        return
    low, high = _decades(size for size, _ in places)
    bottom, top = _decades(seconds for _, seconds in places)
    for number, (shape, sides) in enumerate(panels.items()):
        row, column = divmod(number, _COLUMNS)
        left, above = _GAP + column * (_PANEL + _GAP), _LEGEND + _GAP // 2 + row * (_PANEL + _GAP)

        def at(place: Point, left: int = left, above: int = above) -> str:
            x = left + (log10(place[0]) - low) / (high - low) * _PANEL
            y = above + (top - log10(place[1])) / (top - bottom) * _PANEL
            return f"{x:.1f},{y:.1f}"

        yield f'<rect x="{left}" y="{above}" width="{_PANEL}" height="{_PANEL}" fill="none" stroke="#aaa"/>'
        yield _text(left, above - 6, f"{shape}: seconds by MB")
        for power in range(low, high + 1):
            yield _text(left + (power - low) / (high - low) * _PANEL, above + _PANEL + 14, f"{10.0**power:g}", "middle")
        for power in range(bottom, top + 1):
            y = above + (top - power) / (top - bottom) * _PANEL
            yield _text(left - 4, y + 4, f"{10.0**power:g}", "end")
            yield f'<path d="M{left} {y:.1f}h{_PANEL}" stroke="#ddd"/>'
        for name, line in sides.items():
            corners = " ".join(at(place) for place in line)
            yield f'<polyline points="{corners}" fill="none" stroke="{_COLOURS[name]}" stroke-width="2"/>'
            yield from (
                '<circle cx="{}" cy="{}" r="3" fill="{}"/>'.format(*at(place).split(","), _COLOURS[name])
                for place in line
            )


def _decades(values: Iterator[float]) -> tuple[int, int]:
    logarithms = [log10(value) for value in values]
    # An export of 1,043 MB is one of 1,000, whose point may lie a little outside
    low, high = floor(min(logarithms)), ceil(max(logarithms) - 0.03)
    return low, max(high, low + 1)


def _bars(measured: Sequence[Mapping[str, Any]], above: int, across: int) -> tuple[list[str], int]:
    """Draw the ratios of each shape and size; return them with the height that they reach down to."""
    ratios = [
        (one, name, side["ratio"]) for one in measured for name, side in one["sides"].items() if side.get("ratio")
    ]
    longest = max((log10(ratio) for _, _, ratio in ratios), default=0) or 1
    parts, y, seen = (
        [_text(_GAP, above, "Ratio to plain COPY and keys, by shape and size (logarithmic)")],
        above + 16,
        "",
    )
    for one, name, ratio in ratios:
        title = f"{one['shape']} {one['megabytes']} MB"
        if title != seen:
            seen, y = title, y + 6
            parts.append(_text(_GAP + 74, y + 10, title, "end"))
        width = max(log10(ratio), 0) / longest * (across - 4 * _GAP) + 1
        parts.append(f'<rect x="{_GAP + 80}" y="{y}" width="{width:.1f}" height="{_BAR - 2}" fill="{_COLOURS[name]}"/>')
        parts.append(_text(_GAP + 84 + width, y + 9, f"{ratio:.2f}"))
        y += _BAR
    return parts, y + _GAP // 2


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
