"""How Xata's script names the files it saves, and how we name the copies.

The script saves each file of a record as `file-downloads/<table>/<base>__<record id><ext>`, `base` and `ext` split
from the file's name by Node's `path.extname` and `path.basename`:
https://github.com/xataio/Export-Files-from-a-Xata-Lite-Database
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

__all__ = ["given_name", "key_segment", "looks", "possible_ids", "safe_name", "saved_name", "split_name"]

_LONGEST_NAME = 100
_LONGEST_EXTENSION = 16
# What every object store takes in a key, Supabase's too: https://supabase.com/docs/guides/storage/uploads
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_NOT_ALPHANUMERIC = re.compile(r"[\W_]+")


def split_name(name: str) -> tuple[str, str]:
    """Split a file name into base and extension as Node does.

    >>> split_name("a/b/photo.tar.gz"), split_name(".env"), split_name("..txt"), split_name("end.")
    (('photo.tar', '.gz'), ('.env', ''), ('.', '.txt'), ('end', '.'))
    """
    last = name.rstrip("/").rpartition("/")[2]
    dot = last.rfind(".")
    if dot <= 0 or last == "..":
        return last, ""
    return last[:dot], last[dot:]


def saved_name(name: str, old_id: str) -> str | None:
    """Return the name under which the script saves a record's file, None where it saves none.

    >>> saved_name("photo.png", "rec_1"), saved_name("../../etc/passwd", "rec_1"), saved_name("", "rec_1")
    ('photo__rec_1.png', 'passwd__rec_1', None)
    """
    if not name:
        return None
    base, extension = split_name(name)
    return f"{base}__{old_id}{extension}"


def given_name(name: str, old_id: str, column: str, number: int) -> str:
    """Return the name under which a person may lay down the file that the script has not saved, or not for sure.

    >>> given_name("photo.png", "rec_1", "gallery", 2), given_name("", "rec_1", "avatar", 1)
    ('photo__rec_1__gallery__2.png', '__rec_1__avatar__1')
    """
    base, extension = split_name(name)
    return f"{base}__{old_id}__{column}__{number}{extension}"


def possible_ids(saved: str) -> Iterator[str]:
    """Yield the record ids that a saved file may be of: base and id may hold `__` themselves.

    >>> list(possible_ids("my__photo__rec_1.png"))
    ['photo__rec_1', 'rec_1']
    """
    stem = split_name(saved)[0]
    at = stem.find("__")
    while at >= 0:
        yield stem[at + 2 :]
        at = stem.find("__", at + 1)


def looks(name: str) -> str:
    """Return what stays of a name on file systems that change case, accents and signs.

    >>> looks("Fotó (1).PNG") == looks("foto_1_.png"), looks("a.png") == looks("b.png")
    (True, False)
    """
    plain = unicodedata.normalize("NFKD", name).casefold()
    return _NOT_ALPHANUMERIC.sub("", "".join(each for each in plain if not unicodedata.combining(each)))


def safe_name(name: str) -> str:
    """Return a name that is safe in every file system, URL and object store.

    >>> safe_name("../../Fotó vom Berg.PNG"), safe_name(""), safe_name(".."), safe_name(".htaccess")
    ('Foto_vom_Berg.PNG', 'file', 'file', 'htaccess')
    """
    base, extension = split_name(name)
    base, extension = _plain(base).strip("._-"), _plain(extension).strip("._-")[:_LONGEST_EXTENSION]
    base = base[: _LONGEST_NAME - len(extension) - 1] or "file"
    return f"{base}.{extension}" if extension else base


def key_segment(name: str) -> str:
    """Return the name of a table or a column as a part of a key.

    >>> key_segment("user_photos"), key_segment("../x"), key_segment("..")
    ('user_photos', '_x', '_')
    """
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("-").lower()[:_LONGEST_NAME] or "_"


def _plain(text: str) -> str:
    """Keep letters without their accents; a run of anything else becomes one `_`."""
    plain = unicodedata.normalize("NFKD", text.replace("\\", "/").rpartition("/")[2])
    return _UNSAFE.sub("_", "".join(each for each in plain if not unicodedata.combining(each)))
