"""Stores that fsspec reaches by a URL (s3://, gs:// and others): their files as paths, and no key in any message."""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, NoReturn

from xata_pg_assets.errors import UsageError, in_one_line

__all__ = [
    "EXTRAS",
    "AnyPath",
    "Hidden",
    "StoredFile",
    "StoredPath",
    "described",
    "filesystem_of",
    "is_url",
    "open_path",
    "secrets_of",
]

EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_BLOCK = 8 << 20  # bytes asked of a store at once
# What tells one content of a file from another in a listing, as stores call it
_STATES = ("ETag", "etag", "generation", "LastModified", "last_modified", "mtime", "created")


def is_url(location: str) -> bool:
    """Tell a URL from a folder.

    >>> is_url("s3://bucket/path"), is_url("file:///tmp"), is_url("file-downloads")
    (True, False, False)
    """
    return "://" in location and not location.startswith("file://")


def described(location: str) -> str:
    """Name a location without what may be a key: no user, no password, no query.

    >>> described("s3://key:secret@bucket/path?token=1"), described("backup/files")
    ('s3://bucket/path', 'backup/files')
    """
    if not is_url(location):
        return in_one_line(location)
    scheme, _, rest = location.partition("://")
    authority, slash, path = re.split(r"[?#]", rest, maxsplit=1)[0].partition("/")
    return in_one_line(f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}")


@dataclass(frozen=True, slots=True)
class Hidden:
    """What no message may tell: the keys in a URL and in its options."""

    texts: tuple[str, ...]

    def __call__(self, text: str) -> str:
        for secret in self.texts:
            text = text.replace(secret, "***")
        return in_one_line(text.strip().splitlines()[0] if text.strip() else "failed")


def filesystem_of(location: str, options: Mapping[str, Any], setting: str) -> tuple[Any, str]:
    """Return what fsspec reaches a URL by, and the path in it.

    Raises:
        UsageError: no such protocol, its package is not installed, or an option is none of it.
    """
    import fsspec  # noqa: PLC0415 - only where there are files in a store

    scheme = location.partition("://")[0]
    for name in ("s3fs", "gcsfs", "botocore", "aiobotocore"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what goes wrong is told once, and without keys
    try:
        filesystem, path = fsspec.core.url_to_fs(location, **_with_defaults(scheme, options))
    except ImportError:
        extra = EXTRAS.get(scheme)
        mend = f"pip install 'xata-pg-assets[{extra}]'" if extra else f"pip install fsspec's package for {scheme}"
        raise UsageError(f"setting {setting}: {scheme}:// needs a package that is not installed; {mend}") from None
    except Exception as error:
        text = secrets_of(location, options)(str(error))
        raise UsageError(f"setting {setting}: {described(location)}: {text}; correct the URL or its options") from None
    filesystem.invalidate_cache()  # fsspec keeps it for as long as the process lives, and what it listed as well
    return filesystem, path.rstrip("/")


def _with_defaults(scheme: str, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Add what stores other than Amazon's need, unless the user says otherwise; no listing is kept in memory.

    By one that is kept, a file that grew since is read as far as it went then, and nobody is told.
    """
    if scheme not in EXTRAS:
        return options
    defaults: dict[str, Any] = {"use_listings_cache": False}
    if EXTRAS[scheme] != "s3":
        return {**defaults, **options}
    endpoint = options.get("endpoint_url") or options.get("client_kwargs", {}).get("endpoint_url")
    if endpoint or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL"):
        # Supabase and others know neither buckets as hosts nor Amazon's newer checksums
        defaults["config_kwargs"] = {
            "s3": {"addressing_style": "path"},
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        }
    return {**defaults, **options}


def secrets_of(location: str, options: Mapping[str, Any]) -> Hidden:
    """Return every text of the options that may be a key, and what stands before the @ of a URL or after its ?."""

    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            for name, each in value.items():
                if name not in ("endpoint_url", "region_name"):
                    yield from texts(each)
        elif isinstance(value, (list, tuple)):
            for each in value:
                yield from texts(each)
        elif isinstance(value, str):
            yield value

    rest = location.partition("://")[2]
    user, at, _ = rest.partition("/")[0].rpartition("@")
    query = rest.partition("?")[2]
    values = (pair.partition("=")[2] for pair in query.split("&"))  # a store may name one alone
    found = [*texts(options), *(user.split(":") if at else ()), query, *values]
    return Hidden(tuple(sorted((each for each in found if len(each) > 3), key=len, reverse=True)))


@dataclass(frozen=True, slots=True)
class _Stat:
    """What a store tells of a file: its size in bytes."""

    st_size: int


class StoredPath:
    """A file or folder of a store, with as much of `pathlib.Path` as the readers of an export use.

    What the store refuses is raised as OSError, as by a path, with the reason in `strerror` and no key in it. A folder
    is listed once, when it is first looked into.
    """

    def __init__(self, filesystem: Any, path: str, shown: str, hidden: Hidden) -> None:
        self._filesystem = filesystem
        self._path = path.rstrip("/")
        self._shown = shown.rstrip("/")
        self._hidden = hidden
        self._entry: Mapping[str, Any] | None = None
        self._children: dict[str, StoredPath] | None = None

    def __str__(self) -> str:
        return self._shown

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self._path.rpartition("/")[2]

    @property
    def suffix(self) -> str:
        """The ending of the name, with its dot."""
        return Path(self.name).suffix

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the path."""
        return tuple(self._path.split("/"))

    @property
    def parent(self) -> StoredPath:
        """The folder around it; that of a bucket is the bucket."""
        path, slash, _ = self._path.rpartition("/")
        if not slash:
            return self
        return StoredPath(self._filesystem, path, self._shown.rpartition("/")[0], self._hidden)

    def absolute(self) -> StoredPath:
        """Return it: it is."""
        return self

    def resolve(self) -> StoredPath:
        """Return it: there are no links."""
        return self

    def __truediv__(self, name: str | Path) -> StoredPath:
        known = (self._children or {}).get(str(name))
        if known is not None:
            return known
        return StoredPath(self._filesystem, f"{self._path}/{name}", f"{self._shown}/{name}", self._hidden)

    def iterdir(self) -> Iterator[StoredPath]:
        """Yield what stands in the folder."""
        if self._children is None:
            with self.told():
                found = self._filesystem.ls(self._path, detail=True)
            children = dict[str, StoredPath]()
            for entry in found:
                child = self / entry["name"].rstrip("/").rpartition("/")[2]
                child._entry = entry
                if child.name and child._path != self._path:
                    children[child.name] = child
            if not children and [entry["type"] for entry in found] == ["file"]:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            self._children = children
        yield from self._children.values()

    def _info(self) -> Mapping[str, Any]:
        if self._entry is None:
            with self.told():
                self._entry = self._filesystem.info(self._path)
        return self._entry or {}

    def exists(self) -> bool:
        """Tell whether there is anything."""
        try:
            return bool(self._info())
        except FileNotFoundError:
            return False

    def is_dir(self) -> bool:
        """Tell whether it is a folder."""
        return self.exists() and self._info()["type"] == "directory"

    def is_file(self) -> bool:
        """Tell whether it is a file."""
        return self.exists() and self._info()["type"] == "file"

    def is_symlink(self) -> bool:
        """Tell that it is no link."""
        return False

    def stat(self) -> _Stat:
        """Return its size."""
        return _Stat(int(self._info().get("size") or 0))

    def state(self) -> tuple[str, ...]:
        """Return what the listing tells of a file that changes with its content: a tag or a time, as the store has."""
        info = self._info()
        return tuple(str(info[name]) for name in _STATES if info.get(name) is not None)

    def read_bytes(self) -> bytes:
        """Read a small file whole."""
        with self.told():
            data: bytes = self._filesystem.cat_file(self._path)
            return data

    def open(self, mode: str = "rb") -> StoredFile:
        """Open a file to be read from start to end; a seek begins anew from there."""
        del mode
        return StoredFile(self)

    def opened(self) -> Any:
        """Open it as fsspec does; a block is asked for at a time, and none is kept behind."""
        with self.told():
            return self._filesystem.open(self._path, "rb", block_size=_BLOCK, cache_type="readahead")

    @contextmanager
    def told(self) -> Iterator[None]:
        """Raise what the store refuses as OSError."""
        try:
            yield
        except Exception as error:
            self._refuse(error)

    def _refuse(self, error: Exception) -> NoReturn:
        name, text = type(error).__name__, self._hidden(str(error))
        if isinstance(error, FileNotFoundError):
            raise FileNotFoundError(errno.ENOENT, "not there") from None
        if isinstance(error, NotADirectoryError):
            raise NotADirectoryError(errno.ENOTDIR, "a file") from None
        if isinstance(error, PermissionError):
            raise PermissionError(errno.EACCES, f"not allowed: {text}; check key and rights") from None
        if name in ("NoCredentialsError", "PartialCredentialsError", "GoogleAuthError", "DefaultCredentialsError"):
            raise PermissionError(errno.EACCES, "no credentials; set AWS_… or GOOGLE_… variables, or options") from None
        raise OSError(errno.EIO, f"{name}: {text}") from None


class StoredFile(RawIOBase):
    """An open file of a store; what goes wrong is OSError without a key."""

    def __init__(self, path: StoredPath) -> None:
        super().__init__()
        self._stored = path
        self._opened = path.opened()

    def read(self, size: int | None = -1, /) -> bytes:
        with self._stored.told():
            data: bytes = self._opened.read(-1 if size is None else size)
            return data

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return int(self._opened.seek(offset, whence))

    def tell(self) -> int:
        return int(self._opened.tell())

    def close(self) -> None:
        if not self.closed:
            self._opened.close()
        super().close()


AnyPath = Path | StoredPath


def open_path(location: str, options: Mapping[str, Any], setting: str) -> AnyPath:
    """Return the path of a folder, local or in a store; nothing is asked of the store yet.

    Raises:
        UsageError: the URL's package is not installed, or the URL or an option is none.
    """
    if not is_url(location):
        return Path(location.removeprefix("file://"))
    filesystem, path = filesystem_of(location, options, setting)
    return StoredPath(filesystem, path, described(location), secrets_of(location, options))
