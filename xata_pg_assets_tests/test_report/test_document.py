"""What the report says: the ledger's figures, no value unless asked for, no secret ever, SQL that can be pasted."""

from __future__ import annotations

import os
import subprocess
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from xata_pg_assets.postgres import binaries
from xata_pg_assets.postgres.accounts import Account
from xata_pg_assets.postgres.connection import connect
from xata_pg_assets.report.document import REASONS
from xata_pg_assets.report.html import render_html
from xata_pg_assets.report.markdown import render_markdown
from xata_pg_assets.settings import Settings
from xata_pg_assets.xata.records import Reason
from xata_pg_assets_tests.fix_export import NewExport, column, migrate, table
from xata_pg_assets_tests.fix_report import GENERATED, IMAGE, NO_FILE, PERSON, PWN, VALUES, Reported, document_of

PERSONAL = [PERSON, "gone@example.org", "tw1ce", "b4d", "xxxxxxxx", "sec0nd"]


def texts(value: Any) -> str:
    """Return all texts of a dataclass, however deep."""
    if isinstance(value, str):
        return value + "\n"
    if is_dataclass(value):
        return "".join(texts(getattr(value, field.name)) for field in fields(value))
    if isinstance(value, dict):
        return "".join(texts(each) for each in value.values())
    return "".join(texts(each) for each in value) if isinstance(value, (list, tuple)) else ""


def test_every_reason_is_explained():
    assert set(REASONS) == set(Reason)


def test_the_figures_are_those_of_the_ledger(hostile: Reported):
    document = hostile.document()
    totals = [document.total(name) for name in ("source_rows", "target_rows", "rejected_rows", "duplicate_rows")]
    assert totals == [15, 5, 9, 1]
    assert (document.checked, document.passed) == (28, 28 - 4)
    assert [table.name for table in document.failed("row_count")] == [each.name for each in document.tables[:2]]
    assert document.verdict.sentence.startswith("Do not switch yet: 9 rejected rows; 3 dangling links; 4 of 28 checks")


def test_rejected_rows_are_told_by_place_reason_and_column(hostile: Reported):
    document = hostile.document()
    counts = {(fault.table, fault.column, fault.reason): fault.count for fault in document.faults}
    assert counts[("p", "mail", "duplicate_value")] == 1
    assert counts[("p", "id", "missing_id")] == 1
    assert sum(counts.values()) == 10
    bad = [row for row in document.rejected if row.column == IMAGE]
    assert len(bad) == 5  # of six, for the first of each are shown
    assert [row.place.rpartition(":")[2] for row in bad][:3] == ["2", "3", "4"]
    assert {row.value for row in document.rejected} == {None}


@pytest.mark.parametrize("render", [render_html, render_markdown])
def test_values_and_chosen_ids_are_shown_only_when_asked_for(hostile: Reported, render):
    shy = render(hostile.document())
    assert [text for text in PERSONAL if text in shy] == []
    assert GENERATED in shy
    open_ = render(hostile.document(has_values=True))
    assert [text for text in PERSONAL if text not in open_] == ["tw1ce"]  # the sixth of its column


def test_values_are_cut_to_80_characters(hostile: Reported):
    document = hostile.document(has_values=True)
    values = [row.value for row in document.rejected if row.value]
    assert "x" * 79 + "…" in values
    assert VALUES[0] in values
    assert "a|b`c``d↵sec0nd *line* \N{REPLACEMENT CHARACTER}" in values


def test_dangling_links_are_counted_by_link(hostile: Reported):
    found = {(link.table[0], link.column): (link.count, link.samples) for link in hostile.document().dangling}
    assert found[("x", "p")] == (1, [("(not shown)", "(not shown)")])
    assert found[("l", "back")][0] == 1


def test_new_names_are_told_but_those_of_every_table(new_export: NewExport):
    export = new_export(table("userTeams", column("createdBy"), column("same")))
    migration = migrate(export.migration()).migration
    with connect(export.database.url) as conn:
        renamings = document_of(migration, conn).renamings
    assert [(each.kind, each.old, each.new) for each in renamings] == [
        ("table", "userTeams", "user_teams"),
        ("column", "userTeams.createdBy", "user_teams.created_by"),
    ]


def test_settings_are_all_there_and_no_password(new_export: NewExport):
    export = new_export(table("a"))
    secret = "c4nary-p4ss"
    migrate(export.migration())
    migration = export.migration(
        target=f"{export.database.url} password={secret}", dagster_url=f"postgresql://me:{secret}@h/d?password={secret}"
    )
    with migration.reading() as conn:
        document = document_of(migration, conn)
    settings = dict(document.settings)
    assert len(settings) == len(Settings.model_fields)
    assert settings["dagster_url"] == "set"
    assert settings["max_rejected_rows"] == "0"
    for text in (texts(document), render_html(document), render_markdown(document)):
        assert secret not in text


def test_the_sql_can_be_pasted_into_psql(hostile: Reported):
    """All statements of all tables at once, hostile names in them: each answers what stands above it."""
    recipes = hostile.document().recipes
    assert recipes[0].table is None
    assert len(recipes) == 5
    pasted = "\n".join(f"\\qecho {recipe.table and 't'}\n{recipe.sql}" for recipe in recipes)
    program = binaries.bin_dir(18, Account(os.geteuid(), os.getegid())) / "psql"
    done = subprocess.run(
        [program, "-XAtq", "-v", "ON_ERROR_STOP=1", hostile.export.database.url],
        input=pasted,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    counted = [line for line in done.stdout.split() if line not in ("t", "None")]
    assert counted == [str(figure.value) for recipe in recipes for figure in recipe.figures]
    assert hostile.export.database.value("SELECT count(*) FROM p") == 2


def test_a_comment_is_one_line_whatever_a_name_holds():
    from xata_pg_assets.postgres.figures import Figure
    from xata_pg_assets.report.document import Recipe

    sql = Recipe("t", [Figure("x\n; DROP TABLE p; --\u2028", 1, "SELECT 1")]).sql
    assert sql.splitlines()[1:] == ["SELECT 1;"]


def test_before_a_table_is_through_it_is_told(new_export: NewExport):
    export = new_export(table("a"), table("b"))
    export.rows("a", "id", [["x"]])
    migration = export.migration()
    migration.stage(migration.plan.tables[0])
    with connect(export.database.url) as conn:
        document = document_of(migration, conn)
        assert document.verdict.sentence == "Do not switch yet: 2 of 2 tables are not finished."
        page = render_html(document)
    assert "not checked" in page
    assert render_markdown(document).count("**not checked**") == 2


def test_the_hostile_names_are_those_of_the_schema(hostile: Reported):
    assert NO_FILE in {table.name for table in hostile.document().tables}
    assert PWN in texts(hostile.document())
