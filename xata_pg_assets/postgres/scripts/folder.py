"""The folder that the scripts are written to, with a page that says how to run them."""

from __future__ import annotations

from pathlib import Path

from xata_pg_assets.errors import UsageError
from xata_pg_assets.postgres.scripts import Scripts, write_scripts
from xata_pg_assets.postgres.scripts.text import MARK, Script

__all__ = ["save"]

_PAGE = """<!-- {mark} -->
# The migration, as scripts for psql

Each script sets what it needs, works in one transaction and stops at the first error. With psql 14 or later:

```console
$ for script in [0-9]*.sql; do psql -X -v ON_ERROR_STOP=1 -f "$script" "$TARGET" || break; done
```

| script | does |
|---|---|
{table}

The rows are read from `{folder}`; from elsewhere with `-v xata_export=FOLDER`. Cells are held to the same rules as
`xata-pg migrate` holds them to: rows that cannot be taken are listed in `{work}.rejected_rows` with the line they
stand at, links to rows that are not there in `{work}.dangling_links`.
`90_verify.sql` prints every check that failed, with the first rows that are wrong, and psql then exits with 3.
The scripts make the tables once; a newer export is applied by `xata-pg migrate`, which goes on from what they made.
A value that its unique index cannot hold stops `50_keys.sql`, where `xata-pg migrate` rejects its row.
{obstacles}
## Other tables: migrate_table

`02_migrate_table.sql` installs a procedure for tables that are no part of the export. It needs 01_schemas.sql only.

```sql
CALL {procedure}(
    'legacy', 'users',                  -- source_schema, source_table: ids as text in "id" or "xata_id"
    'public', 'users',                  -- target_schema, target_table: made where it is missing
    'users_id_mapping',                 -- mapping_table in {work}: old_id, new_id; made where it is missing
    ARRAY['name', 'email'],             -- columns; to rename: ARRAY[['fullName', 'full_name'], …]
    '[]');                              -- foreign_keys

CALL {procedure}(
    'legacy', 'posts', 'public', 'posts', 'posts_id_mapping', ARRAY['title'],
    '[{{"column": "author", "mapping_table": "users_id_mapping",
       "target_column": "author_id", "references": "users", "on_delete": "set null"}}]');
```

| key of a foreign key | is |
|---|---|
| `column` | the link in the source table, an old id as text |
| `mapping_table` | the mapping of the linked table; its own for a link to itself |
| `target_column` | the bigint column in the target table; default: `column` |
| `references` | the linked table in the target schema: a foreign key and an index are made; default: none |
| `on_delete` | `set null` (default), `no action`, `restrict` or `cascade` |

Call it for linked tables first. In a circle, call it for one table without the link, then for the others, then for
the first again with it: links that are NULL are filled in. A second call inserts only rows that are new; ids once
given stay. Names are taken as they stand. A link to an id that is not in its mapping becomes NULL, is listed in
`{work}.dangling_links` and warned of.
"""


def save(folder: Path, scripts: Scripts) -> list[Path]:
    """Write the scripts and their page; return the files.

    Raises:
        UsageError: the folder cannot be written to, or a file of such a name is there that is none of ours.
    """
    made = write_scripts(scripts)
    texts = {script.name: script.text for script in made} | {"README.md": _page(scripts, made)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in texts:
            _refuse_others(folder / name)
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise UsageError(f"folder {folder}: cannot be written to ({error.strerror}); choose another") from error
    return [folder / name for name in texts]


def _refuse_others(path: Path) -> None:
    """Keep files that no earlier run wrote."""
    if path.is_file() and MARK.removeprefix("-- ") not in path.read_text(encoding="utf-8", errors="replace")[:80]:
        raise UsageError(f"{path}: is there already and not ours; choose another folder")


def _page(scripts: Scripts, made: list[Script]) -> str:
    obstacles = "".join(f"- `{name}`: {text}\n" for name, text in scripts.obstacles.items())
    if obstacles:
        obstacles = f"\n**Cannot be read by psql alone**, so that `10_stage.sql` stops at once:\n\n{obstacles}"
    return _PAGE.format(
        mark=MARK.removeprefix("-- "),
        table="\n".join(f"| `{script.name}` | {script.title} |" for script in made),
        folder=scripts.folder,
        work=scripts.layout.work_schema,
        procedure=scripts.layout.work("migrate_table").as_string(),
        obstacles=obstacles,
    )
