"""What the three readers of a schema share: files as text, and faults with their place in front."""

from __future__ import annotations

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import contextmanager

from xata_pg_assets.errors import SchemaError
from xata_pg_assets.stores import AnyPath

__all__ = ["read_text", "reading", "shown", "within"]

# The widest schema seen takes 60 kB; what is larger by this much is an export given by mistake.
MAX_BYTES = 16 * 1024 * 1024


def read_text(path: AnyPath) -> str:
    """Return a small file's text without its byte-order mark; SchemaError names the file."""
    with reading(path), within(shown(str(path))):
        if not path.is_file():
            raise SchemaError("no such file")
        if path.stat().st_size > MAX_BYTES:
            raise SchemaError(f"larger than {MAX_BYTES >> 20} MiB: give the schema, not the export")
        return _text(path.read_bytes())


def _text(data: bytes) -> str:
    # PowerShell's `xata schema dump > schema.json` writes UTF-16.
    encoding = "utf-16" if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise SchemaError(f"not text in UTF-8, at byte {error.start + 1}: save it as UTF-8") from error


@contextmanager
def reading(path: AnyPath) -> Iterator[None]:
    """Tell what the system refuses as SchemaError: no permission, a name too long for a file."""
    try:
        yield
    except OSError as error:
        raise SchemaError(f"{shown(str(path))}: cannot be read: {error.strerror or error}") from error


@contextmanager
def within(where: str) -> Iterator[None]:
    """Put the place in front of every SchemaError raised inside."""
    try:
        yield
    except SchemaError as error:
        raise SchemaError(f"{where}: {error}") from error


def shown(name: str) -> str:
    """Return a name from outside as it may stand in a message of one line."""
    name = name if len(name) <= 300 else f"{name[:300]}…"
    return name if name.isprintable() else ascii(name)
