"""The two ends of a copy: the folder of saved files, and where they go; local, or anything that fsspec reaches.

Only names that stand in a listing of the folder are ever opened, so no name and no id leads out of it; no link does
either, unless it is allowed. A copy is there whole or not at all: a local one is renamed into its place, an object
store gets it in one request that ends it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from xata_pg_assets.errors import TargetError, TransientError, UsageError, XataPgError, in_one_line
from xata_pg_assets.stores import EXTRAS, Hidden, described, filesystem_of, is_url, secrets_of

__all__ = [
    "Copied",
    "Destination",
    "Folder",
    "SavedFileError",
    "open_destination",
    "open_folder",
]

_CHUNK = 1 << 20
_PART = 5 << 20  # of an upload in parts; S3 takes 10,000, none smaller
_WORK_FOLDER = ".xata_pg"


class SavedFileError(Exception):
    """Raised where one saved file is not what it was listed as; the others go on."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was written: every byte of the file went through this digest."""

    sha256: str
    size: int


class Folder(Protocol):
    """The saved files of one table: `names` are those that may be opened."""

    names: frozenset[str]

    def size(self, name: str) -> int | None:
        """Return a file's size, None where it is no regular file of the folder."""

    def read(self, name: str) -> Iterator[bytes]:
        """Yield a file's bytes, once.

        Raises:
            SavedFileError: it cannot be read.
        """


class Destination(Protocol):
    """Where the copies go; keys are relative to it."""

    name: str  # as it may be shown

    def size(self, key: str) -> int | None:
        """Return the size of what lies under a key, None where nothing does."""

    def write(self, key: str, chunks: Iterator[bytes], size: int) -> Copied:
        """Write a file of `size` bytes, whole or not at all.

        Raises:
            SavedFileError: the chunks are not so many bytes.
        """

    def begin(self) -> None:
        """Remove what a killed run left half done of the same work."""

    def end(self) -> None:
        """Leave no trace of the work but the copies."""


def open_folder(location: str, options: Mapping[str, Any], table: str, *, follow_links: bool) -> Folder | None:
    """Open the folder of a table's saved files, None where there is none; a `file-downloads` around it is looked into.

    Raises:
        UsageError: the location is none, or a link leads out of it.
        TransientError: it cannot be reached.
    """
    if is_url(location):
        return _open_remote_folder(location, options, table)
    root = _local(location)
    if not root.is_dir():
        raise UsageError(f"setting files: {described(location)} is no folder; name the one of the saved files")
    downloads = root / "file-downloads"
    name = _like(table, _folders_in(downloads if downloads.is_dir() else root))
    if name is None:
        return None
    folder = (downloads if downloads.is_dir() else root) / name
    if not follow_links and not _is_within(folder, root):
        raise UsageError(f"{in_one_line(name)} is a link that leads out of {described(location)}; set follow_links")
    return _LocalFolder(root, folder, follow_links=follow_links)


def open_destination(location: str, options: Mapping[str, Any], source: str, work: str) -> Destination:
    """Open where the copies go; a folder is made with the first of them. `work` names what no two do at once.

    Raises:
        UsageError: the location is none, or lies in the source or around it.
    """
    if is_url(location):
        filesystem, path = filesystem_of(location, options, "files_to")
        if is_url(source) and _overlap(described(location), described(source)):
            raise UsageError("setting files_to: it and files lie in one another; name a folder apart from files")
        return _RemoteDestination(filesystem, path, described(location), secrets_of(location, options))
    if not is_url(source) and _overlap(os.path.realpath(_local(location)), os.path.realpath(_local(source))):
        raise UsageError("setting files_to: it and files lie in one another; name a folder apart from files")
    return _LocalDestination(_local(location), work)


class _LocalFolder:
    """A folder of this machine."""

    def __init__(self, root: Path, folder: Path, *, follow_links: bool) -> None:
        self._root = os.path.realpath(root)
        self._folder = folder
        self._follows = follow_links
        with os.scandir(folder) as entries:
            self.names = frozenset(entry.name for entry in entries if not entry.is_dir(follow_symlinks=False))

    def size(self, name: str) -> int | None:
        if name not in self.names:
            return None
        path = self._inside(name)
        try:
            found = path.stat() if path else None
        except OSError:
            return None
        return found.st_size if found and stat.S_ISREG(found.st_mode) else None

    def read(self, name: str) -> Iterator[bytes]:
        path = self._inside(name)
        if path is None:
            raise SavedFileError("it is a link that leads out of the folder; set follow_links")
        try:
            # Not to wait for what only looks like a file; a link that came since the look is refused
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if self._follows else os.O_NOFOLLOW)
            with os.fdopen(os.open(path, flags), "rb", buffering=0) as file:
                if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    raise SavedFileError("it is no regular file")
                while chunk := file.read(_CHUNK):
                    yield chunk
        except OSError as error:
            raise SavedFileError(f"it cannot be read ({error.strerror})") from None

    def _inside(self, name: str) -> Path | None:
        path = self._folder / name
        if self._follows or not path.is_symlink():
            return path
        real = Path(os.path.realpath(path))
        return real if real.is_relative_to(self._root) else None


class _RemoteFolder:
    """A folder that fsspec reaches; one listing tells names and sizes."""

    def __init__(self, filesystem: Any, path: str, where: str, hidden: Hidden) -> None:
        self._filesystem = filesystem
        self._path = path
        self._where = where
        self._hidden = hidden
        with _reached(where, hidden):
            found = filesystem.ls(path, detail=True)
        self._sizes = {
            entry["name"].rstrip("/").rpartition("/")[2]: int(entry["size"] or 0)
            for entry in found
            if entry["type"] == "file"
        }
        self.names = frozenset(self._sizes)

    def size(self, name: str) -> int | None:
        return self._sizes.get(name)

    def read(self, name: str) -> Iterator[bytes]:
        path, where = f"{self._path}/{name}", f"{self._where}/{in_one_line(name)}"
        try:
            # Block after block and none twice
            with (
                _reached(where, self._hidden),
                self._filesystem.open(path, "rb", block_size=4 * _CHUNK, cache_type="readahead") as file,
            ):
                while chunk := file.read(_CHUNK):
                    yield chunk
        except TargetError as error:
            raise SavedFileError(str(error)) from None


class _LocalDestination:
    """A folder of this machine: written beside, flushed to the disk, renamed into place."""

    def __init__(self, root: Path, work: str) -> None:
        self._root = root
        self._parts = root / _WORK_FOLDER / work  # each thread writes a file of its own there
        self.name = str(root.absolute())

    def size(self, key: str) -> int | None:
        try:
            found = (self._root / key).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def write(self, key: str, chunks: Iterator[bytes], size: int) -> Copied:
        with _written(self.name):
            target = self._root / key
            target.parent.mkdir(parents=True, exist_ok=True)
            if not _is_within(target.parent, self._root):
                raise TargetError(f"setting files_to: {key}: a link leads out of {self.name}; remove it")
            part = self._parts / str(threading.get_ident())
            self._parts.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("wb") as file:
                    copied = _copy(chunks, file, size)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(target)
            except BaseException:
                part.unlink(missing_ok=True)
                raise
        return copied

    def begin(self) -> None:
        with _written(self.name), suppress(FileNotFoundError):
            shutil.rmtree(self._parts)

    def end(self) -> None:
        with suppress(OSError):  # never made; or another column is at work
            self._parts.rmdir()
            self._parts.parent.rmdir()


class _RemoteDestination:
    """An object store: an upload that is not ended leaves nothing to be seen."""

    def __init__(self, filesystem: Any, path: str, name: str, hidden: Hidden) -> None:
        self._filesystem = filesystem
        self._path = path
        self.name = name
        self._hidden = hidden
        protocols = filesystem.protocol
        self._has_folders = EXTRAS.keys().isdisjoint([protocols] if isinstance(protocols, str) else protocols)

    def size(self, key: str) -> int | None:
        with _reached(f"{self.name}/{key}", self._hidden):
            try:
                found = self._filesystem.info(f"{self._path}/{key}", refresh=True)
            except FileNotFoundError:
                return None
        return int(found["size"]) if found["type"] == "file" else None

    def write(self, key: str, chunks: Iterator[bytes], size: int) -> Copied:
        path = f"{self._path}/{key}"
        with _reached(f"{self.name}/{key}", self._hidden):
            if self._has_folders:
                self._filesystem.makedirs(path.rpartition("/")[0], exist_ok=True)
            if size <= _PART:  # one request, which is atomic
                buffer = _Buffer()
                copied = _copy(chunks, buffer, size)
                self._filesystem.pipe_file(path, buffer.content())
                return copied
            part = max(_PART, -(-size // (9_000 * _CHUNK)) * _CHUNK)
            file = self._filesystem.open(path, "wb", block_size=part, autocommit=False)
            try:
                copied = _copy(chunks, file, size)
                file.close()
                file.commit()
            except BaseException:
                with suppress(Exception):
                    file.discard()
                file.closed = True
                raise
        return copied

    def begin(self) -> None:
        """Nothing: what was not ended is not there."""

    def end(self) -> None:
        """Nothing, neither."""


class _Buffer:
    """A small file on its way into one request."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, chunk: bytes) -> None:
        self._chunks.append(chunk)

    def content(self) -> bytes:
        return b"".join(self._chunks)


def _copy(chunks: Iterator[bytes], file: Any, size: int) -> Copied:
    """Write the chunks and digest them on the way.

    Raises:
        SavedFileError: they are not `size` bytes.
    """
    digest, written = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        written += len(chunk)
        file.write(chunk)
    if written != size:
        raise SavedFileError(f"it changed: {written:,} bytes were read, {size:,} were there before")
    return Copied(digest.hexdigest(), size)


@contextmanager
def _written(name: str) -> Iterator[None]:
    """Tell what a disk refuses as an error of ours."""
    try:
        yield
    except OSError as error:
        mend = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "make it writable"
        raise TargetError(f"setting files_to: {name}: {error.strerror}; {mend}, then run again") from None


@contextmanager
def _reached(where: str, hidden: Hidden) -> Iterator[None]:
    """Tell what a store refuses as an error of ours, without keys; only what may be a matter of time is transient."""
    try:
        yield
    except (XataPgError, SavedFileError):
        raise
    except PermissionError as error:
        raise TargetError(f"{where}: not allowed ({hidden(str(error))}); check key and rights") from None
    except FileNotFoundError as error:
        raise TargetError(f"{where}: not there ({hidden(str(error))}); make the bucket, or name another") from None
    except Exception as error:
        name = type(error).__name__
        if name in ("NoCredentialsError", "PartialCredentialsError", "GoogleAuthError", "DefaultCredentialsError"):
            raise TargetError(f"{where}: no credentials; set AWS_… or GOOGLE_… variables, or options") from None
        raise TransientError(f"{where}: {name}: {hidden(str(error))}; run again to continue") from None


def _open_remote_folder(location: str, options: Mapping[str, Any], table: str) -> Folder | None:
    filesystem, path = filesystem_of(location, options, "files")
    hidden, where = secrets_of(location, options), described(location)
    with _reached(where, hidden):
        folders = _remote_folders(filesystem, path)
        if "file-downloads" in folders:
            path = f"{path}/file-downloads"
            folders = _remote_folders(filesystem, path)
    name = _like(table, folders)
    return None if name is None else _RemoteFolder(filesystem, f"{path}/{name}", f"{where}/{name}", hidden)


def _remote_folders(filesystem: Any, path: str) -> list[str]:
    found = filesystem.ls(path, detail=True)
    return [entry["name"].rstrip("/").rpartition("/")[2] for entry in found if entry["type"] == "directory"]


def _folders_in(root: Path) -> list[str]:
    with os.scandir(root) as entries:
        return [entry.name for entry in entries if entry.is_dir()]


def _like(table: str, names: Iterable[str]) -> str | None:
    """Return the folder named exactly as the table, else as it but for upper and lower case.

    Raises:
        UsageError: there are several of the latter.
    """
    alike = sorted(name for name in names if name.casefold() == table.casefold())
    if table in alike:
        return table
    if len(alike) > 1:
        raise UsageError(f"setting files: {alike[0]} and {alike[1]} are both named as table {table}; rename one")
    return alike[0] if alike else None


def _local(location: str) -> Path:
    return Path(location.removeprefix("file://"))


def _is_within(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _overlap(one: str, other: str) -> bool:
    first, second = Path(one), Path(other)
    return first.is_relative_to(second) or second.is_relative_to(first)
