"""The folder of an export: which file is whose, and that nothing outside is ever opened."""

from __future__ import annotations

import gzip
import os

import pytest

from xata_pg_assets.errors import ExportError, UsageError
from xata_pg_assets.xata.export import find_table_files, open_table
from xata_pg_assets.xata.records import ReadOptions
from xata_pg_assets.xata.schema import XataSchema, XataTable

CONTENT = b"id,\xc3\xa9\na,b\n"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "export"
    folder.mkdir()
    return folder


def put(folder, *names):
    for name in names:
        (folder / name).write_bytes(gzip.compress(CONTENT) if name.endswith(".gz") else CONTENT)


def find(folder, *tables):
    return find_table_files(folder, XataSchema(tuple(XataTable(name) for name in tables)))


def test_exact_names_come_before_others(folder):
    put(folder, "users.csv", "Posts.CSV", "case-files.csv.gz", "Teams.csv", "teams.csv")
    files = find(folder, "Users", "posts", "case-files", "teams", "absent")
    assert {table: file.file for table, file in files.found.items()} == {
        "Users": "users.csv",
        "posts": "Posts.CSV",
        "case-files": "case-files.csv.gz",
        "teams": "teams.csv",
    }
    assert files.strangers == ("Teams.csv",)


def test_a_file_named_exactly_as_one_table_is_not_another_tables(folder):
    put(folder, "Users.csv")
    assert set(find(folder, "users", "Users").found) == {"Users"}


@pytest.mark.parametrize("names", [("users.csv", "users.csv.gz"), ("USERS.csv", "Users.csv")])
def test_two_files_for_one_table(folder, names):
    put(folder, *names)
    with pytest.raises(UsageError) as error:
        find(folder, "users")
    first, second = sorted(names)
    assert str(error.value) == f"table users has two files, {first} and {second}; remove one of them"


def test_strangers_are_named_and_what_belongs_there_is_not(folder):
    put(folder, "schema.json", "xata.ts", "xata.js", "README.md", "readme", ".DS_Store", "notes.txt", "old.csv")
    (folder / "old").mkdir()
    files = find(folder, "users")
    assert files.found == {}
    assert files.strangers == ("notes.txt", "old.csv")


@pytest.mark.parametrize("name", ["../secret", "a/b", "/etc/passwd", "..", "sub/../../secret", "\0", ""])
def test_no_table_name_leads_out_of_the_folder(folder, name):
    put(folder.parent, "secret.csv")
    (folder / "a").mkdir()
    put(folder / "a", "b.csv")
    assert find(folder, name).found == {}


def test_a_link_out_of_the_folder_is_refused(folder):
    put(folder.parent, "secret.csv")
    (folder / "users.csv").symlink_to("../secret.csv")
    with pytest.raises(
        UsageError, match=r"^users.csv is a link that leads out of .*; put the file .* set follow_links$"
    ):
        find(folder, "users")
    assert find(folder, "posts").strangers == ("users.csv",)
    followed = find_table_files(folder, XataSchema((XataTable("users"),)), follow_links=True)
    assert followed.found["users"].path.read_bytes() == CONTENT


def test_links_within_the_folder_and_to_it_are_fine(folder):
    put(folder, "real.csv")
    (folder / "users.csv").symlink_to("real.csv")
    (folder.parent / "link").symlink_to("export")
    assert find(folder.parent / "link", "users").found["users"].file == "users.csv"


def test_what_is_no_regular_file_is_refused(folder):
    (folder / "gone.csv").symlink_to("nowhere.csv")
    (folder / "circle.csv").symlink_to("circle.csv")
    os.mkfifo(folder / "pipe.csv")
    (folder / "parts.csv").mkdir()
    for table in ("gone", "circle", "pipe", "parts"):
        with pytest.raises(UsageError, match=f"^{table}.csv is not a regular file"):
            find(folder, table)


def test_folders_that_cannot_be_read(folder):
    with pytest.raises(UsageError, match="does not exist; name the folder that holds the export"):
        find(folder / "absent", "users")
    put(folder, "users.csv")
    with pytest.raises(UsageError, match="is a file; name the folder that holds the export"):
        find(folder / "users.csv", "users")


@pytest.mark.parametrize("name", ["users.csv", "users.csv.gz"])
def test_a_table_is_opened_by_its_extension(folder, name):
    put(folder, name)
    reader = open_table(find(folder, "users").found["users"], ReadOptions())
    assert (reader.file, reader.dialect, reader.columns, reader.unknown) == (name, "console csv", ("id", "é"), ("é",))
    assert sum(batch.rows for batch in reader.batches()) == 1


def test_a_file_that_went_away(folder):
    put(folder, "users.csv")
    file = find(folder, "users").found["users"]
    file.path.unlink()
    with pytest.raises(ExportError, match=r"^users.csv: cannot be opened"):
        open_table(file, ReadOptions())
