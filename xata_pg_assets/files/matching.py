"""Which saved file holds the bytes of which file object: by record id, then name, then size; nothing is guessed.

The files of a record are looked at together, those of all its file columns: the script saves them in one folder, and
only the first of equal names. What cannot be told for sure is a fault that says why, and no match.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from xata_pg_assets.errors import counted
from xata_pg_assets.files.names import given_name, looks, saved_name

__all__ = ["FileObject", "Match", "Shelf", "match_record"]


@dataclass(frozen=True, slots=True)
class FileObject:
    """A file object of a record: column, position in the column from 1, and what Xata says of the file."""

    column: str
    position: int
    name: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """The saved files of a table: `size` of a name, None where there is no such file; the names that bear an id.

    `rivals` tells other records whose file the script would have saved under the same name.
    """

    size: Callable[[str], int | None]
    bearing: Callable[[str], Sequence[str]]
    rivals: Callable[[str, str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Match:
    """The saved file of an object, or why there is none; `saved` may be told beside a fault.

    A fault begins with its kind: lost, ambiguous or size.
    """

    saved: str | None = None
    size: int | None = None
    fault: str | None = None


def match_record(old_id: str, objects: Sequence[FileObject], shelf: Shelf) -> list[Match]:
    """Match all file objects of one record, in the order of the schema's columns."""
    found: dict[int, Match] = {}
    for number, each in enumerate(objects):
        given = given_name(each.name, old_id, each.column, each.position)
        if (size := shelf.size(given)) is not None:
            found[number] = _fitting(each, given, size)
    groups: dict[str, list[int]] = {}
    for number, each in enumerate(objects):
        name = saved_name(each.name, old_id)
        if number not in found and name is not None:
            groups.setdefault(name, []).append(number)
    for name, numbers in groups.items():
        if (size := shelf.size(name)) is not None:
            found |= _of_one_name(old_id, name, size, {number: objects[number] for number in numbers}, shelf)
    claimed = {match.saved for match in found.values()}
    left = {number: each for number, each in enumerate(objects) if number not in found}
    if left:
        spare = {name: shelf.size(name) for name in shelf.bearing(old_id) if name not in claimed}
        found |= _by_likeness(old_id, left, {name: size for name, size in spare.items() if size is not None})
    return [found[number] for number in range(len(objects))]


def _fitting(each: FileObject, saved: str, size: int) -> Match:
    if each.size is None or each.size == size:
        return Match(saved, size)
    return Match(saved, size, f"size: {saved} has {counted(size, 'byte')}, and Xata tells {each.size:,}")


def _of_one_name(
    old_id: str, saved: str, size: int, claimants: Mapping[int, FileObject], shelf: Shelf
) -> Mapping[int, Match]:
    """Give a saved file to the only object of its name, or to the only one of its size."""
    rivals = shelf.rivals(saved, old_id)
    if rivals:
        return dict.fromkeys(claimants, Match(saved, size, f"ambiguous: {saved} may be of record {rivals[0]}, too"))
    if len(claimants) == 1:
        return {number: _fitting(each, saved, size) for number, each in claimants.items()}
    fit = [number for number, each in claimants.items() if each.size in (None, size)]
    if len(fit) == 1:
        kept = claimants[fit[0]]
        lost = Match(fault=f"lost: the script kept one file of this name, that of {kept.column} {kept.position}")
        return {number: Match(saved, size) if number in fit else lost for number in claimants}
    if not fit:
        return {number: _fitting(each, saved, size) for number, each in claimants.items()}
    lost = Match(fault="lost: the script kept one file of this name, and of another size")
    ambiguous = Match(
        saved, size, f"ambiguous: {saved} may be any of {len(fit)} files of this name and size in the record"
    )
    return {number: ambiguous if number in fit else lost for number in claimants}


def _by_likeness(old_id: str, left: Mapping[int, FileObject], spare: Mapping[str, int]) -> Mapping[int, Match]:
    """Match by what the record's other saved files look like, else by size: a copy may have changed names."""
    candidates = {number: _candidates(old_id, each, spare) for number, each in left.items()}
    wanted = [name for names in candidates.values() for name in names]
    found = {}
    for number, names in candidates.items():
        each = left[number]
        if not names:
            found[number] = Match(fault=_lost(each))
        elif len(names) > 1:
            found[number] = Match(fault=f"ambiguous: it may be any of {', '.join(sorted(names)[:3])}")
        elif wanted.count(names[0]) > 1:
            found[number] = Match(
                names[0], spare[names[0]], f"ambiguous: {names[0]} may be another file of the record, too"
            )
        else:
            found[number] = _fitting(each, names[0], spare[names[0]])
    return found


def _candidates(old_id: str, each: FileObject, spare: Mapping[str, int]) -> list[str]:
    alike = [name for name in spare if each.name and looks(_without_id(name, old_id)) == looks(each.name)]
    same_size = [name for name in spare if each.size == spare[name]]
    return [name for name in alike if name in same_size] or alike or same_size


def _without_id(saved: str, old_id: str) -> str:
    base, _, extension = saved.rpartition(f"__{old_id}")
    return base + extension


def _lost(each: FileObject) -> str:
    return (
        "lost: no saved file" if each.name else "lost: no saved file; it has no name in Xata, and the script skips such"
    )
