"""Fills in what the pages take from the code: the table of settings, and the sentences of the checks."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from xata_pg_assets.postgres.checks import CHECKS, REWRITING_CHECKS
from xata_pg_assets.settings import Settings


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the tables in their places; MkDocs calls it for every page."""
    return markdown.replace("<!-- settings -->", settings_table()).replace("<!-- checks -->", checks_table())


def settings_table() -> str:
    """Return every setting with its flag, its variable, its values and its default."""
    lines = ["| setting | values | default | what it is |", "|---|---|---|---|"]
    for field_name, field in Settings.model_fields.items():
        name = field.validation_alias if isinstance(field.validation_alias, str) else field_name
        facts = (f"`{name}`", _values(field), _default(field), field.description or "")
        lines.append("| " + " | ".join(facts) + " |")
    return "\n".join(lines)


def checks_table() -> str:
    """Return every check with what it promises."""
    lines = ["| check | what it promises |", "|---|---|"]
    return "\n".join(
        [*lines, *(f"| [`{name}`](#{name}) | {text} |" for name, text in {**CHECKS, **REWRITING_CHECKS}.items())]
    )


def _values(field: FieldInfo) -> str:
    annotation: Any = field.annotation
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    if annotation is bool:
        return "`true`, `false`"
    if get_origin(annotation) is tuple:
        return "a list"
    return {int: "a number"}.get(annotation, "a table" if field.default_factory else "text")


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is None or value in ({}, ()):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"
