"""The report as Markdown, for a ticket: the same content, the diagram for Mermaid."""

from __future__ import annotations

from xata_pg_assets.report.document import Document
from xata_pg_assets.report.templates import markdown_environment

__all__ = ["render_markdown"]


def render_markdown(document: Document) -> str:
    """Return the Markdown."""
    return markdown_environment().get_template("report.md.j2").render(document=document)
