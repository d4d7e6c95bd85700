"""Search columns and vector indexes as assets: after their tables, alone, and none where none is asked for."""

from __future__ import annotations

from pathlib import Path

import dagster as dg

from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import Export, column, table
from xata_pg_assets_tests.fix_server import Server
from xata_pg_assets_tests.test_assets.conftest import definitions_of, run, specs_of

SCHEMA = XataSchema(
    (table("blog-posts", column("title"), column("v", "vector", dimension=2)), table("other", column("title")))
)
FLAGS = {"search": ["blog-posts.title"], "vector_index": "hnsw"}
EXTRAS = {"search/blog_posts", "vector_index/blog_posts.v"}


def test_they_follow_their_table_and_change_no_other_asset():
    plain, specs = specs_of(definitions_of(SCHEMA)), specs_of(definitions_of(SCHEMA, **FLAGS))
    assert specs.keys() - plain.keys() == EXTRAS
    for name in EXTRAS:
        assert [dep.asset_key for dep in specs[name].deps] == [dg.AssetKey(["postgres", "blog_posts"])]
    assert {name: specs[name].code_version for name in plain} == {name: plain[name].code_version for name in plain}


def test_a_run_makes_them_last_and_each_can_be_made_alone(tmp_path: Path, server: Server, instance: dg.DagsterInstance):
    export = Export(tmp_path, server.new_database(), SCHEMA, FLAGS)
    export.rows("blog-posts", "id,title,v", [["r1", "a", "[1,2]"]])
    export.rows("other", "id,title", [["r1", "a"]])
    result = run(export.migration(), instance)
    assert result.success
    order = [event.asset_key.to_user_string() for event in result.get_asset_materialization_events()]
    assert set(order[-2:]) == EXTRAS
    assert order[-3] == "migration_report"
    export.database.query("DROP INDEX blog_posts_v_vector_idx")
    alone = run(export.migration(), instance, asset_selection=[dg.AssetKey(["vector_index", "blog_posts.v"])])
    (made,) = alone.get_asset_materialization_events()
    assert made.materialization.metadata["is new"].value is True
    assert "blog_posts_v_vector_idx" in str(made.materialization.metadata["built"].value)


def test_a_table_whose_ids_are_rewritten_follows_the_mappings_of_all():
    plain, specs = specs_of(definitions_of(SCHEMA)), specs_of(definitions_of(SCHEMA, rewrite_ids=["other.title"]))
    upstream = {dep.asset_key.to_user_string() for dep in specs["postgres/other"].deps}
    assert upstream == {"xata/other", "id_mapping/other", "id_mapping/blog_posts"}
    assert specs["postgres/blog_posts"].deps == plain["postgres/blog_posts"].deps
    assert specs["postgres/other"].code_version != plain["postgres/other"].code_version


def test_its_own_check_is_one_of_dagsters(tmp_path: Path, server: Server, instance: dg.DagsterInstance):
    export = Export(tmp_path, server.new_database(), SCHEMA, {"rewrite_ids": ["other.title"]})
    export.rows("blog-posts", "id,title,v", [["r1", "a", "[1,2]"]])
    export.rows("other", "id,title", [["o1", "r1"]])
    result = run(export.migration(), instance)
    assert result.success
    ends = {(each.asset_key.path[-1], each.check_name): each for each in result.get_asset_check_evaluations()}
    assert ends["other", "ids_rewritten"].passed
    assert ("blog_posts", "ids_rewritten") not in ends
    assert ends["other", "ids_rewritten"].metadata["rewritten_ids"].value == 1
