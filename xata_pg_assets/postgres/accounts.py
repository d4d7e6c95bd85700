"""The operating-system account that the embedded server runs as."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from xata_pg_assets.errors import TargetError

__all__ = ["Account", "account_name", "make_home", "new_cluster_account"]

# Nothing of the caller's: PGDATA, PGPORT, PGOPTIONS or LD_LIBRARY_PATH would steer the server.
CLEAN_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "HOME": "/"}


@dataclass(frozen=True, slots=True)
class Account:
    """A user and its group."""

    uid: int
    gid: int

    @property
    def is_self(self) -> bool:
        """Whether this process runs as the account already."""
        return self.uid == os.geteuid()

    @property
    def name(self) -> str:
        """The account's name, or its number where it has none."""
        return account_name(self.uid)

    def run(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        output: IO[bytes] | int = subprocess.PIPE,
        pass_fds: Sequence[int] = (),
        detached: bool = False,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run `command` as the account; of the caller's variables and files it gets `pass_fds` alone."""
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**CLEAN_ENVIRONMENT, **(environment or {})},
            cwd="/",
            pass_fds=pass_fds,
            start_new_session=detached,
            user=None if self.is_self else self.uid,
            group=None if self.is_self else self.gid,
            extra_groups=None if self.is_self else [],
            check=False,
        )

    def can_write_in(self, folder: Path) -> bool:
        """Try, as the account, to enter `folder`: mode bits alone know nothing of ACLs and mounts."""
        script = 'cd "$0" && test -w .'
        return self.is_self or self.run(["/bin/sh", "-c", script, folder]).returncode == 0

    def give(self, path: Path) -> None:
        """Make the account the owner of `path`."""
        if not self.is_self:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)


def account_name(uid: int) -> str:
    """The name of user `uid`, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def new_cluster_account() -> Account:
    """The account for a new cluster: oneself; for root, whom PostgreSQL refuses, `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid())
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise TargetError(
        "PostgreSQL refuses to run as root, and there is no account postgres or nobody to run it as: "
        "start as an ordinary user, or set XATA_PG_TARGET to a PostgreSQL of your own"
    )


def make_home(home: Path) -> None:
    """Make a home folder where it is missing: cells stand in Dagster's records, and are the user's alone.

    Through root's the account of the embedded server must pass to its cluster, but cannot look around.
    """
    home.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
