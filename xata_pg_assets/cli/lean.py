"""Keep a long-running command lean: what it does not need is not imported for it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

__all__ = ["without_pandas"]


class _NoPandas(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if fullname == "pandas":
            raise ModuleNotFoundError(f"No module named {fullname!r}, for now")
        return None


@contextmanager
def without_pandas() -> Iterator[None]:
    """Let pyarrow believe that there is no pandas.

    It imports it at its first conversion, to know its types when it sees them: 40 MB and half a second. pyarrow
    looks only once: in this process it converts nothing from or to pandas any more.
    """
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        import pyarrow as pa  # noqa: PLC0415 - the import that finds no pandas

        pa.scalar(None)
        yield
    finally:
        sys.meta_path.remove(finder)
