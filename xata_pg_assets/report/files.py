"""Files that are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from xata_pg_assets.errors import UsageError

__all__ = ["write_file"]

PRIVATE = 0o600
PUBLIC = 0o666  # what the umask leaves of it


def write_file(path: Path, text: str, *, what: str, mode: int = PRIVATE) -> None:
    """Write a file beside its place and move it there; `what` names the flag or argument that `path` came from.

    Raises:
        UsageError: it cannot be written there.
    """
    try:
        target = path.resolve()  # a link stays one
        if target.exists() and not target.is_file():  # a folder refuses; a pipe or a device takes it as it comes
            target.write_text(text, encoding="utf-8")
            return
        _replace(target, text, mode)
    except (OSError, RuntimeError) as error:  # the latter: links in a circle, before Python 3.13
        reason = getattr(error, "strerror", None) or "cannot be written"
        raise UsageError(
            f"{what} {path}: {reason[0].lower()}{reason[1:]}; name a file in a folder that you may write to"
        ) from None


def _replace(target: Path, text: str, mode: int) -> None:
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
