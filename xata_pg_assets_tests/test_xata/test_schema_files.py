"""Where a schema is looked for, and which reader takes it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from xata_pg_assets.errors import SchemaError, UsageError
from xata_pg_assets.xata.schema import XataSchema, XataTable
from xata_pg_assets.xata.schema_files import find_schema, read_schema
from xata_pg_assets.xata.schema_text import MAX_BYTES

SCHEMA = XataSchema((XataTable("t"),))
FORMS = ("schema.json", "xata.ts", "xata.js", ".xata/migrations")
MIGRATION = '{"id": "m", "operations": [{"addTable": {"table": "t"}}]}'


def put(folder: Path, form: str) -> Path:
    path = folder / form
    path.parent.mkdir(parents=True, exist_ok=True)
    if form == ".xata/migrations":
        path.mkdir()
        (path / ".ledger").write_text("m\n")
        (path / "m.json").write_text(MIGRATION)
    else:
        path.write_text('{"tables": [{"name": "t"}]}' if form == "schema.json" else "const tables = [{name: 't'}];")
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "project" / "export"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("place", [lambda source: source, lambda source: source.parent], ids=["in", "beside"])
@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_found_and_read(form: str, place: Callable[[Path], Path], source: Path):
    path = put(place(source), form)
    assert find_schema(source) == path
    assert read_schema(path) == SCHEMA


def test_the_folder_comes_before_its_parent_and_the_dump_before_the_rest(source: Path):
    expected = [put(folder, form) for folder in (source, source.parent) for form in FORMS]
    for path in expected:
        assert find_schema(source) == path
        (path / ".ledger" if path.is_dir() else path).unlink()
    with pytest.raises(UsageError, match="--schema"):
        find_schema(source)


def test_what_was_looked_for_is_told(source: Path):
    with pytest.raises(UsageError) as caught:
        find_schema(source)
    assert all(form in str(caught.value) for form in (*FORMS, str(source)))


def test_a_folder_two_levels_up_is_not_looked_into(source: Path):
    put(source.parent.parent, "schema.json")
    with pytest.raises(UsageError):
        find_schema(source)


@pytest.mark.parametrize("name", ["export", ".", "../export", "sub/.."])
def test_beside_is_the_parent_of_a_relative_folder_too(name: str, source: Path, monkeypatch: pytest.MonkeyPatch):
    path = put(source.parent, "schema.json")
    (source / "sub").mkdir()
    monkeypatch.chdir(source.parent if name == "export" else source)
    assert find_schema(Path(name)) == path


def test_beside_a_symbolic_link_is_where_the_link_stands(source: Path, tmp_path: Path):
    link = tmp_path / "link"
    link.symlink_to(source)
    path = put(tmp_path, "xata.ts")
    assert find_schema(link) == path


@pytest.mark.parametrize("name", ["absent", "file.csv", "n" * 300])
def test_a_source_that_is_no_folder_is_told(name: str, tmp_path: Path):
    (tmp_path / "file.csv").touch()
    with pytest.raises(UsageError, match=name[:100]):
        find_schema(tmp_path / name)


@pytest.mark.parametrize("part", ["", ".xata", ".xata/migrations", ".xata/migrations/.ledger"])
def test_migrations_are_read_by_any_folder_that_holds_them(part: str, tmp_path: Path):
    put(tmp_path, ".xata/migrations")
    assert read_schema(tmp_path / part) == SCHEMA


@pytest.mark.parametrize("name", ["schema.yaml", "posts.csv", "schema"])
def test_another_kind_of_file_is_refused(name: str, tmp_path: Path):
    (tmp_path / name).write_text("{}")
    with pytest.raises(SchemaError, match=rf"{name}: not a schema: give schema\.json"):
        read_schema(tmp_path / name)


def test_a_folder_without_a_ledger_is_refused(tmp_path: Path):
    with pytest.raises(SchemaError, match=r"no \.ledger of migrations"):
        read_schema(tmp_path)


@pytest.mark.parametrize("name", ["absent.json", "absent.ts", "n" * 300 + ".json", "a\0b.json"])
def test_a_missing_file_is_told(name: str, tmp_path: Path):
    with pytest.raises(SchemaError) as caught:
        read_schema(tmp_path / name)
    assert str(caught.value).isprintable()


def test_a_file_too_large_to_be_a_schema_is_not_read(tmp_path: Path):
    path = tmp_path / "schema.json"
    path.touch()
    os.truncate(path, MAX_BYTES + 1)
    with pytest.raises(SchemaError, match="larger than 16 MiB"):
        read_schema(path)


def test_a_file_that_is_no_text_is_told(tmp_path: Path):
    path = tmp_path / "schema.json"
    path.write_bytes(b'{"tables": [\xff')
    with pytest.raises(SchemaError, match=r"schema\.json: not text in UTF-8, at byte 13"):
        read_schema(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path):
    path = put(tmp_path, "schema.json")
    path.chmod(0)
    with pytest.raises(SchemaError, match=r"schema\.json: cannot be read: Permission denied"):
        read_schema(path)
