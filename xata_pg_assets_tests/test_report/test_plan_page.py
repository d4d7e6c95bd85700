"""The plan as data and as a page."""

from __future__ import annotations

import json
from io import StringIO

from rich.console import Console

from xata_pg_assets.migration import Migration
from xata_pg_assets.report.plan_page import describe_plan, print_plan
from xata_pg_assets.settings import load_settings
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import column, link, table

SCHEMA = XataSchema(
    (table("A-b", column("createdBy"), link("next", "c"), link("out", "nowhere")), table("c", link("back", "A-b")))
)


def migration(tmp_path, **flags) -> Migration:
    return Migration(load_settings(flags={"home": tmp_path / "home", **flags}), SCHEMA)


def page(description) -> str:
    console = Console(file=StringIO(), width=160, soft_wrap=True)
    print_plan(console, description)
    return console.file.getvalue()


def test_what_it_tells(tmp_path):
    (tmp_path / "c.csv").write_text("id,back,more\n")
    (tmp_path / "stray.csv").write_text("id\n")
    description = describe_plan(migration(tmp_path, source=str(tmp_path)))
    json.dumps(description)
    assert [set(cycle) for cycle in description["cycles"]] == [{"A-b", "c"}]
    assert {"from": "A-b.createdBy", "to": "a_b.created_by"} in description["renamed"]
    assert {each["table"]: each["file"] for each in description["tables"]} == {"a_b": None, "c": "c.csv"}
    text = "\n".join(description["warnings"])
    for words in ("A-b.out: links to nowhere", "A-b: the export has no file", "c.more: ", "stray.csv"):
        assert words in text
    printed = page(description)
    assert "cycle: " in printed
    assert "A-b.createdBy → a_b.created_by" in printed
    assert not (tmp_path / "home").exists()


def test_without_an_export(tmp_path):
    description = describe_plan(migration(tmp_path))
    assert [each["file"] for each in description["tables"]] == [None, None]
    assert "no source is set" in page(description)


def test_the_target_is_named_without_its_password(tmp_path, monkeypatch):
    monkeypatch.setattr(Migration, "target_problems", lambda _: [])
    monkeypatch.setattr(Migration, "target_warnings", lambda _: [])
    description = describe_plan(migration(tmp_path, target="postgresql://me:c4nary@host:5/db"))
    assert description["target"] == "host:5/db"
    assert "c4nary" not in str(description)
