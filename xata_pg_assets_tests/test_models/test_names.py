"""The CSV of old and new names, and the pieces that keep texts from outside in their places."""

from __future__ import annotations

import csv
import doctest

import pytest

from xata_pg_assets.models import entities, literals
from xata_pg_assets.models.names import names_csv
from xata_pg_assets.plan.tables import PlanOptions, make_plan
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import column, link, table


@pytest.mark.parametrize("module", [entities, literals], ids=lambda module: module.__name__)
def test_examples(module):
    assert doctest.testmod(module).failed == 0
    assert doctest.testmod(module).attempted > 0


def test_every_table_and_column_has_a_line():
    xata = XataSchema(
        (table("userPosts", link("author", "the,users"), column('say "hi"', "vector", dimension=2)), table("the,users"))
    )
    lines = list(
        csv.reader(names_csv(make_plan(xata, PlanOptions(keep_old_id=True, metadata_columns=False))).splitlines())
    )
    assert lines == [
        ["xata_table", "xata_column", "table", "column", "type", "links_to"],
        ["the,users", "", "the_users", "", "", ""],
        ["the,users", "id", "the_users", "id", "bigint", ""],
        ["the,users", "id", "the_users", "xata_id", "text", ""],
        ["userPosts", "", "user_posts", "", "", ""],
        ["userPosts", "id", "user_posts", "id", "bigint", ""],
        ["userPosts", "author", "user_posts", "author_id", "bigint", "the_users"],
        ["userPosts", 'say "hi"', "user_posts", "say_hi", "vector(2)", ""],
        ["userPosts", "id", "user_posts", "xata_id", "text", ""],
    ]
