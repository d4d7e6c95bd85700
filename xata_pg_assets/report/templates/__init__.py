"""The templates of the reports; every value put into one is escaped as the kind of its file needs it."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from xata_pg_assets.report.escape import code, escape_markdown, fence

__all__ = ["markdown_environment", "markup_environment"]


@cache
def markup_environment() -> Environment:
    """Return the environment of HTML and SVG: texts are escaped unless they are markup."""
    return Environment(
        loader=PackageLoader("xata_pg_assets.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def markdown_environment() -> Environment:
    """Return the environment of Markdown: texts are escaped unless they are code, or raw in a code block."""
    environment = Environment(
        loader=PackageLoader("xata_pg_assets.report"),
        autoescape=False,  # noqa: S701  # of HTML; `finalize` escapes for Markdown
        finalize=lambda value: escape_markdown(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "code": lambda text: Markup(code(text)),  # noqa: S704
        "fence": lambda text: Markup(fence(text)),  # noqa: S704
        "raw": Markup,
    }
    return environment
