"""The embedded server's cluster: where it lives, and how it is made whole or not at all."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from xata_pg_assets.errors import TargetError
from xata_pg_assets.postgres.accounts import Account, new_cluster_account
from xata_pg_assets.postgres.binaries import FOLDERS, NEWEST, bin_dir, public_state
from xata_pg_assets.postgres.tuning import SETTINGS

__all__ = ["Cluster", "create_cluster", "find_cluster", "last_line", "remove_cluster"]

DATA = "postgres"
UNFINISHED = "postgres.new-"
POINTER = "postgres.location"
BACK_POINTER = "home"

# Code point order everywhere, and upper and lower case for all of Unicode.
LOCALE = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]

# PostgreSQL cuts paths at 1024 bytes, and its own file names come after ours.
MAX_PATH = 900

POINTER_TEXT = """{base}

The embedded PostgreSQL of this folder lives there, because the account it runs as ({account}) cannot
enter this one. Keep this file: it is the only way from here to the data. To be rid of the data, stop
the server, then remove the folder above and this file.
"""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A whole data folder and the account that owns it."""

    data_dir: Path
    account: Account

    @property
    def major(self) -> int:
        """The version of PostgreSQL that made it; raises TargetError when no program here can run it."""
        path = self.data_dir / "PG_VERSION"
        text = path.read_text().strip() if path.is_file() else "nothing"
        if not text.isdigit() or int(text) not in FOLDERS:
            raise TargetError(
                f"{path} says {text}, and the embedded PostgreSQL is {' or '.join(map(str, FOLDERS))}: "
                "choose another folder with XATA_PG_HOME, or set XATA_PG_TARGET to a server of that version"
            )
        return int(text)


def find_cluster(home: Path) -> Cluster | None:
    """The cluster of `home`, or None when it was never made."""
    data_dir = _base(home) / DATA
    if not data_dir.is_dir():
        return None
    owner = data_dir.stat()
    if owner.st_uid == 0:
        name = new_cluster_account().name
        raise TargetError(
            f"{data_dir} belongs to root, and PostgreSQL refuses to run as root: "
            f"give it to another account (chown -R {name} '{data_dir}')"
        )
    return Cluster(data_dir, Account(owner.st_uid, owner.st_gid))


def create_cluster(home: Path) -> Cluster:
    """Make the cluster of `home`, in it or where the server's account can reach it."""
    account = new_cluster_account()
    base = _base(home)
    _sweep(base)
    new = _new_folder(base, account)
    if new.stat().st_uid != account.uid or not account.can_write_in(new):
        new.rmdir()
        base = _place_outside(home, account)
        new = _new_folder(base, account)
    try:
        _initdb(new, account)
        new.rename(base / DATA)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return Cluster(base / DATA, account)


def remove_cluster(home: Path) -> None:
    """Delete the cluster of `home` with all its data."""
    base = _base(home)
    _sweep(base)
    shutil.rmtree(base / DATA, ignore_errors=True)
    if base != home:
        shutil.rmtree(base)
        (home / POINTER).unlink()


def last_line(output: bytes) -> str:
    """The line of a program's output that says what went wrong."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    faults = [line for line in lines if any(word in line for word in ("FATAL", "PANIC", "error:"))]
    return re.sub(r"^.*?(FATAL|PANIC|error):\s+", "", (faults or lines or ["it gave no reason"])[-1])


def _base(home: Path) -> Path:
    """The folder that holds the data folder: `home`, or the one that its pointer file names."""
    base = _pointed_at(home)
    if base is None:
        return home
    if not base.is_dir():
        raise TargetError(
            f"{base}, where {home / POINTER} says the embedded database is, is gone: "
            "bring it back, or remove that file to begin with an empty database"
        )
    _refuse_copies(home, base)
    return base


def _pointed_at(home: Path) -> Path | None:
    try:
        return Path((home / POINTER).read_text().split("\n", 1)[0])
    except FileNotFoundError:
        return None


def _refuse_copies(home: Path, base: Path) -> None:
    """A home may be moved and keeps its cluster; a copy of it must not share the cluster."""
    back = base / BACK_POINTER
    other = Path(back.read_text()) if back.is_file() else home
    if other != home and other.is_dir() and _pointed_at(other) == base:
        raise TargetError(
            f"{home} is a copy of {other} and would share its database: "
            f"remove {home / POINTER} to begin with an empty one here"
        )
    if other != home:
        _write_whole(back, str(home))


def _place_outside(home: Path, account: Account) -> Path:
    """Make a folder that `account` can reach, and leave the way to it in `home`."""
    base = public_state() / secrets.token_hex(8)
    base.mkdir()
    base.chmod(0o755)
    _write_whole(base / BACK_POINTER, str(home))
    _write_whole(home / POINTER, POINTER_TEXT.format(base=base, account=account.name))
    return base


def _write_whole(path: Path, text: str) -> None:
    """Write a file that is either there with all its text or not there."""
    new = path.with_name(f"{path.name}.new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def _sweep(base: Path) -> None:
    """Remove what a killed initdb left."""
    for leftover in base.glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _new_folder(base: Path, account: Account) -> Path:
    if len(os.fsencode(base)) > MAX_PATH:
        raise TargetError(f"{base} is over {MAX_PATH} bytes, too long for PostgreSQL: choose another XATA_PG_HOME")
    new = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=base))
    account.give(new)
    return new


def _initdb(folder: Path, account: Account) -> None:
    """Fill `folder` with a cluster: UTF-8, code point order, superuser postgres."""
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    options = ["--username=postgres", "--auth=trust", "--no-instructions"]
    initdb = bin_dir(NEWEST, account) / "initdb"
    done = account.run([initdb, *options, *LOCALE, *settings], environment={"PGDATA": str(folder)})
    if done.returncode != 0:
        raise TargetError(
            f"the embedded PostgreSQL could not be set up in {folder.parent}: {last_line(done.stdout)}; "
            "mend that, or set XATA_PG_TARGET to a PostgreSQL of your own"
        )
