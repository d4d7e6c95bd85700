"""The command that writes models."""

from __future__ import annotations

import pytest

FIRST = {
    "drizzle": "// The migrated database as a Drizzle schema, written by xata-pg models --drizzle.",
    "prisma": "// The migrated database as Prisma models, written by xata-pg models --prisma.",
    "sqlalchemy": '"""The migrated database as SQLAlchemy models, written by xata-pg models --sqlalchemy."""',
    "sql": 'CREATE TABLE "public"."users"',
    "names": "xata_table,xata_column,table,column,type,links_to",
}


@pytest.mark.parametrize("language", FIRST)
def test_prints_or_writes_what_it_wrote_before_and_nothing_else(xata_pg, export, language):
    flags = ["models", f"--{language}", "--source", str(export.path)]
    printed = xata_pg(*flags)
    assert (printed.code, printed.err) == (0, "")
    assert printed.out.startswith(FIRST[language])
    file = xata_pg.folder / "models.txt"
    for _ in range(2):
        written = xata_pg(*flags, str(file))
        assert (written.code, written.out, written.err) == (0, "", f"{file} written\n")
        assert file.read_text() == printed.out
    file.write_text("my own")
    refused = xata_pg(*flags, str(file))
    assert refused.code == 2
    assert refused.error == f"file {file}: is there, and was not written by this command; name another or move it"
    assert file.read_text() == "my own"


@pytest.mark.parametrize("flags", [[], ["--drizzle", "--prisma"]])
def test_one_language_at_a_time(xata_pg, export, flags):
    outcome = xata_pg("models", *flags, "--source", str(export.path))
    assert outcome.code == 2
    assert outcome.error == "command models: give one of --drizzle, --prisma, --sqlalchemy, --sql, --names"


def test_a_file_that_cannot_be_written(xata_pg, export):
    outcome = xata_pg("models", "--sql", "--source", str(export.path), "no/such/folder.sql")
    assert outcome.code == 2
    assert outcome.error == "file no/such/folder.sql: cannot be written: No such file or directory"


def test_the_names_of_the_target_schema_are_the_ones_set(xata_pg, export):
    outcome = xata_pg(
        "models", "--drizzle", "--source", str(export.path), "--target-schema", "app", "--naming", "preserve"
    )
    assert 'pgSchema("app")' in outcome.out
    assert 'schema.table("userTeams"' in outcome.out
