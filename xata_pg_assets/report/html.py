"""The report as one page that needs nothing but itself, and the diagram as a picture of its own.

The page's policy allows its own style and script, by their digests, and nothing else: whatever a name or a value
holds, it is text.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files
from pathlib import Path

from markupsafe import Markup

from xata_pg_assets.migration import Migration
from xata_pg_assets.report import templates
from xata_pg_assets.report.diagram import Diagram
from xata_pg_assets.report.document import Document, gather
from xata_pg_assets.report.files import write_file
from xata_pg_assets.report.result import Report

__all__ = ["render_html", "render_svg", "write_page"]


def render_html(document: Document) -> str:
    """Return the page."""
    style, script = _read("report.css") + _read("erd.css"), _read("report.js")
    return (
        templates.markup_environment()
        .get_template("report.html.j2")
        .render(
            document=document,
            style=Markup(style),  # noqa: S704  # files of this package
            script=Markup(script),  # noqa: S704
            style_digest=_digest(style),
            script_digest=_digest(script),
        )
    )


def write_page(migration: Migration, report: Report, path: Path) -> None:
    """Write the page of a report, without values.

    Raises:
        UsageError: it cannot be written there.
    """
    with migration.reading() as conn:
        page = render_html(gather(migration, conn, report))
    write_file(path, page, what="report")


def render_svg(diagram: Diagram) -> str:
    """Return the diagram as an SVG file."""
    return templates.markup_environment().get_template("erd.svg.j2").render(diagram=diagram, standalone=True)


def _read(name: str) -> str:
    return (files(templates) / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """Return what a Content-Security-Policy calls the text by."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
