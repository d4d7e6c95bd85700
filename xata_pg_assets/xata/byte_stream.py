"""A file of the export as a stream of bytes: hashed as it lies on disk or in a store, decompressed when it is a .gz."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from io import FileIO, RawIOBase
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from xata_pg_assets.errors import ExportError
from xata_pg_assets.stores import AnyPath, StoredFile

__all__ = ["ByteStream"]

# Bytes asked of the decompressor at once
_PIECE = 1024 * 1024
# Up to here a ratio says nothing: a table of a few rows that are alike is no bomb
_HARMLESS = 16 * 1024 * 1024


class ByteStream:
    """Reads a file from start to end; `file` is its name in errors.

    `max_ratio` is how many bytes each byte of a .gz may become; 0: as many as there are.

    Raises:
        ExportError: the file cannot be opened; from `read`: not read on, with the line reached.
    """

    def __init__(self, path: AnyPath, file: str, max_ratio: int = 0) -> None:
        self._file = file
        self._max_ratio = max_ratio
        try:
            self._raw = _HashedFile(path) if isinstance(path, Path) else _HashedStoredFile(path)
        except OSError as error:
            raise ExportError(file, None, f"cannot be opened ({error.strerror}); make it readable") from error
        self._path = path
        self._is_gzip = path.suffix.lower() == ".gz"
        self._source = gzip.GzipFile(fileobj=cast(BinaryIO, self._raw)) if self._is_gzip else self._raw
        self._line = 1

    def __enter__(self) -> ByteStream:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._raw.close()

    @property
    def size(self) -> int:
        """Bytes of the file on disk."""
        if isinstance(self._raw, _HashedStoredFile):
            return self._path.stat().st_size
        return os.fstat(self._raw.fileno()).st_size

    @property
    def sha256(self) -> str:
        """SHA-256 of the bytes on disk that were read so far."""
        return self._raw.hash.hexdigest()

    def read(self, size: int) -> bytes:
        """Read so many bytes; fewer only at the end of the file."""
        pieces: list[bytes] = []
        while size > 0 and (piece := self._piece(min(size, _PIECE) if self._is_gzip else size)):
            pieces.append(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def seek(self, offset: int) -> None:
        """Go on to an offset of the (decompressed) bytes."""
        self._source.seek(offset)

    def _piece(self, size: int) -> bytes:
        try:
            piece = self._source.read1(size) if isinstance(self._source, gzip.GzipFile) else self._source.read(size)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            reason = f"the compressed file is cut short or damaged ({error}); export or copy it again"
            raise ExportError(self._file, self._line, reason) from error
        except OSError as error:
            raise ExportError(self._file, self._line, f"cannot be read on ({error.strerror})") from error
        if self._is_gzip:
            self._line += piece.count(b"\n")
            self._check_ratio()
        return piece

    def _check_ratio(self) -> None:
        """Stop at what grows without end: a file made to fill disks and hours."""
        size = self._source.tell()
        if self._max_ratio and size > max(_HARMLESS, self._max_ratio * self._raw.tell()):
            reason = f"more than {self._max_ratio} times as large as its .gz; if that is right, set max_gzip_ratio"
            raise ExportError(self._file, self._line, reason)


class _Hashed(RawIOBase):
    """A file whose every byte read goes into a hash."""

    def __init__(self, path: AnyPath) -> None:
        super().__init__(path)  # type: ignore[call-arg]  # of the file that it is mixed into
        self.hash = hashlib.sha256()

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(-1 if size is None else size) or b""
        self.hash.update(data)
        return data


class _HashedFile(_Hashed, FileIO):
    """One of a folder."""


class _HashedStoredFile(_Hashed, StoredFile):
    """One of a store."""
