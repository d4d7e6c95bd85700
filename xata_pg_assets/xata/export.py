"""The files of an export folder: which one holds which table, and the dialect that reads it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xata_pg_assets.errors import UsageError, in_one_line
from xata_pg_assets.stores import AnyPath
from xata_pg_assets.xata.csv_dialect import open_csv
from xata_pg_assets.xata.json_file import JsonFile
from xata_pg_assets.xata.json_lines import JsonLines
from xata_pg_assets.xata.python_lines import PythonLines
from xata_pg_assets.xata.records import ReadOptions, TableReader
from xata_pg_assets.xata.schema import XataSchema, XataTable

__all__ = ["DIALECTS", "TableFile", "TableFiles", "find_table_files", "open_table"]

Opener = Callable[[AnyPath, str, XataTable, ReadOptions], TableReader]

# A dialect is a module that reads files of an extension; each file may be a .gz as well
DIALECTS: Mapping[str, Opener] = {
    ".csv": open_csv,
    ".json": JsonFile,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".log": PythonLines,
}

_NO_TABLES = ("schema.json", "xata.ts", "xata.js")


@dataclass(frozen=True, slots=True)
class TableFile:
    """The file of a table; `file` is its name relative to the folder."""

    table: XataTable
    path: AnyPath
    file: str
    extension: str


@dataclass(frozen=True, slots=True)
class TableFiles:
    """What a folder holds: `found` by Xata table name, and the `strangers` that no table claims.

    What is not UTF-8 in the name of a stranger is shown as U+FFFD; the name of a table is always UTF-8.
    """

    found: Mapping[str, TableFile]
    strangers: tuple[str, ...]


def find_table_files(folder: AnyPath, schema: XataSchema, *, follow_links: bool = False) -> TableFiles:
    """Find each table's file: named exactly as the table, else as it but for upper and lower case.

    Only names that stand in the folder are ever opened, so no table name leads out of it; no link does either,
    unless `follow_links`. The folder itself may be reached by one.

    Raises:
        UsageError: no such folder, two files for one table, what is named as a table's file and is none, or a link
            that leads out of the folder.
    """
    names = _names(folder)
    exact = {table.name for table in schema.tables}
    found: dict[str, TableFile] = {}
    for table in schema.tables:
        name = _name_of(table, names, exact)
        if name is not None:
            found[table.name] = TableFile(table, _checked(folder, name, follow_links), name, _split(name)[1])
    claimed = {file.file for file in found.values()}
    strangers = (in_one_line(name) for name in names if name not in claimed and not name.startswith("."))
    return TableFiles(found, tuple(strangers))


def open_table(file: TableFile, options: ReadOptions) -> TableReader:
    """Open a table's file and read its head.

    Raises:
        ExportError: the file cannot be opened, or its head not used.
    """
    return DIALECTS[file.extension](file.path, file.file, file.table, options)


def _names(folder: AnyPath) -> list[str]:
    """Return the names of what may be tables' files, in order."""
    try:
        entries = [entry for entry in folder.iterdir() if _split(entry.name)[1] or not entry.is_dir()]
    except NotADirectoryError as error:
        raise UsageError(f"source {folder} is a file; name the folder that holds the export") from error
    except FileNotFoundError as error:
        raise UsageError(f"source {folder} does not exist; name the folder that holds the export") from error
    except OSError as error:
        raise UsageError(f"source {folder} cannot be read ({error.strerror}); make it readable") from error
    return sorted(entry.name for entry in entries if not _is_no_table(entry.name))


def _is_no_table(name: str) -> bool:
    return name in _NO_TABLES or name.upper().startswith("README")


def _split(name: str) -> tuple[str, str]:
    """Split a file name into its table's and its extension, compressed or not; "" for one that is unknown.

    >>> _split("users.csv.gz"), _split("notes.txt")
    (('users', '.csv'), ('notes.txt', ''))
    """
    plain = name[:-3] if name.lower().endswith(".gz") else name
    stem, dot, extension = plain.rpartition(".")
    extension = (dot + extension).lower()
    return (stem, extension) if extension in DIALECTS else (name, "")


def _name_of(table: XataTable, names: Iterable[str], exact: set[str]) -> str | None:
    """Return the file that a table's rows are in, None if there is none."""
    candidates = [(name, stem) for name in names for stem, extension in [_split(name)] if extension]
    same = [name for name, stem in candidates if stem == table.name]
    alike = [name for name, stem in candidates if stem not in exact and stem.casefold() == table.name.casefold()]
    return _only(table, same or alike)


def _only(table: XataTable, names: Sequence[str]) -> str | None:
    if len(names) > 1:
        raise UsageError(f"table {table.name} has two files, {names[0]} and {names[1]}; remove one of them")
    return names[0] if names else None


def _checked(folder: AnyPath, name: str, follow_links: bool) -> AnyPath:
    """Return the path of a file that lies in the folder, whatever links lead there.

    A folder of files that somebody else packed may hold a link to any file that only the user can read.
    """
    path = folder / name
    if not isinstance(path, Path):  # a store has no links, and no pipes
        return path
    # by `os`: pathlib raises RuntimeError where links lead in a circle
    if (
        path.is_symlink()
        and not follow_links
        and not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(str(folder)))
    ):
        raise UsageError(f"{name} is a link that leads out of {folder}; put the file itself there, or set follow_links")
    try:
        is_file = path.is_file()  # what only looks like one may never end: a pipe, a device
    except OSError:  # links in a circle
        is_file = False
    if not is_file:
        raise UsageError(f"{name} is not a regular file; put the file itself there")
    return path
