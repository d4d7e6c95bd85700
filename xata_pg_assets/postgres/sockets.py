"""The short private folder of the embedded server's unix socket."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from xata_pg_assets.errors import TargetError, TransientError
from xata_pg_assets.postgres.accounts import Account
from xata_pg_assets.postgres.postmaster import SHORT_PATIENCE, Postmaster

__all__ = [
    "PORT",
    "has_socket",
    "is_private",
    "make_socket_dir",
    "remove_socket_dir",
    "socket_dir_of",
]

PORT = 5432
SOCKET = f".s.PGSQL.{PORT}"
SOCKET_LOCK = f"{SOCKET}.lock"


def socket_dir_of(home: Path, account: Account) -> Path:
    """The folder's path, the same at every start; short, as a socket's path ends at 107 bytes."""
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:8]
    return Path(f"/tmp/xata_pg_{account.uid}_{digest}")  # noqa: S108 - its owner is checked


def make_socket_dir(path: Path, account: Account) -> None:
    """Make the folder, private and empty; raise TargetError when it is somebody else's."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    with _opened(path) as folder:
        if os.fstat(folder).st_uid not in (account.uid, os.geteuid()):
            raise _taken(path)
        os.fchmod(folder, 0o700)
        if not account.is_self:
            os.fchown(folder, account.uid, account.gid)
        _end_other_server(path)
        _empty(folder)


def is_private(path: Path, account: Account) -> bool:
    """Whether the folder is the account's alone: in another, a stranger could pose as the server."""
    try:
        with _opened(path) as folder:
            facts = os.fstat(folder)
    except TargetError:
        return False
    return facts.st_uid == account.uid and facts.st_mode & 0o077 == 0


def has_socket(path: Path) -> bool:
    """Whether the socket is there: cleaners of /tmp take it away under a living server."""
    return (path / SOCKET).exists()


def remove_socket_dir(path: Path) -> None:
    """Remove the folder after its server has stopped, unless another one listens there."""
    other = Postmaster.read(path / SOCKET_LOCK)
    if other is not None and other.lives:
        return
    with suppress(TargetError), _opened(path) as folder:
        _empty(folder)
    with suppress(OSError):
        path.rmdir()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open the folder itself, so that nothing put into its place later is touched; a link is refused."""
    try:
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        raise _taken(path) from error
    try:
        yield folder
    finally:
        os.close(folder)


def _taken(path: Path) -> TargetError:
    return TargetError(
        f"{path}, for the socket of the embedded PostgreSQL, belongs to another account or is no folder: "
        "remove it, or choose another folder with XATA_PG_HOME"
    )


def _end_other_server(path: Path) -> None:
    """End a server whose home was moved or deleted while it ran, and which still listens in the folder."""
    postmaster = Postmaster.read(path / SOCKET_LOCK)
    deadline = time.monotonic() + SHORT_PATIENCE
    asked = postmaster is not None and postmaster.end(gently=False)
    while asked and postmaster is not None and postmaster.lives:
        if time.monotonic() > deadline:
            raise TransientError(f"the server of a removed home still listens in {path}: run again in a minute")
        time.sleep(0.02)


def _empty(folder: int) -> None:
    """Unlink what a crashed server left: PostgreSQL would take a reused process number for that server."""
    for name in (SOCKET, SOCKET_LOCK):
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
