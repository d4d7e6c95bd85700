"""The graph: keys, edges, checks and jobs, without a server, an export or a file."""

from __future__ import annotations

import json

import dagster as dg
import pytest

from xata_pg_assets.migration import example_schema_path
from xata_pg_assets.plan.naming import snake_case
from xata_pg_assets.postgres.checks import BLOCKING, CHECKS
from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import column, link, table
from xata_pg_assets_tests.test_assets.conftest import definitions_of, specs_of


def edges(definitions):
    return {name: {dep.asset_key.to_user_string() for dep in spec.deps} for name, spec in specs_of(definitions).items()}


@pytest.fixture(scope="module")
def example():
    from xata_pg_assets.definitions import defs

    with pytest.MonkeyPatch.context() as patch:
        for name in ("XATA_PG_SOURCE", "XATA_PG_SCHEMA", "XATA_PG_TARGET", "DATABASE_URL", "XATA_PG_CONFIG"):
            patch.delenv(name, raising=False)
        return defs()


class TestExample:
    def test_81_assets_between_the_export_and_the_report(self, example):
        names = [snake_case(each["name"]) for each in json.loads(example_schema_path().read_text())["tables"]]
        stages = ("xata", "id_mapping", "postgres")
        tables = {f"{stage}/{name}" for name in names for stage in stages}
        assert set(specs_of(example)) == {"xata_export", "migration_report", *tables}
        assert len(tables) == 81

    def test_every_link_is_an_edge(self, example):
        """From schema.json itself: both the table linked to and its mapping come first; a cycle has mappings only."""
        schema = json.loads(example_schema_path().read_text())["tables"]
        found = edges(example)
        links = [(each["name"], c["link"]["table"]) for each in schema for c in each["columns"] if c["type"] == "link"]
        assert len(links) > 30
        wanted = {f"postgres/{snake_case(each['name'])}": set() for each in schema}
        for name in wanted:
            own = name.removeprefix("postgres/")
            wanted[name] = {f"xata/{own}", f"id_mapping/{own}"}
        for child, parent in links:
            wanted[f"postgres/{snake_case(child)}"].add(f"id_mapping/{snake_case(parent)}")
            if parent != child:
                wanted[f"postgres/{snake_case(child)}"].add(f"postgres/{snake_case(parent)}")
        assert {name: deps for name, deps in found.items() if name in wanted} == wanted

    def test_189_checks_that_can_be_run_one_by_one(self, example):
        specs = [spec for checks in example.asset_checks for spec in checks.check_specs]
        assert len(specs) == 189
        assert all(checks.can_subset for checks in example.asset_checks)
        by_table = {}
        for spec in specs:
            by_table.setdefault(spec.asset_key.to_user_string(), []).append(spec.name)
        assert set(by_table) == {name for name in specs_of(example) if name.startswith("postgres/")}
        assert all(names == list(CHECKS) for names in by_table.values())
        assert {spec.name for spec in specs if spec.blocking} == set(BLOCKING)

    def test_loading_it_touches_nothing(self, monkeypatch, tmp_path):
        from xata_pg_assets.definitions import defs
        from xata_pg_assets.postgres import embedded

        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(embedded, "ensure_running", lambda _: pytest.fail("a server was started"))
        monkeypatch.setattr("psycopg.connect", lambda *_, **__: pytest.fail("a server was asked"))
        assert len(specs_of(defs())) == 83
        defs().resolve_job_def("migrate")
        assert list(tmp_path.iterdir()) == []


class TestShapes:
    def test_edges(self):
        found = edges(definitions_of())
        assert found["xata/user_teams"] == {"xata_export"}
        assert found["id_mapping/user_teams"] == {"xata/user_teams"}
        # a link to itself needs no more than its own mapping, one to a table outside nothing
        assert found["postgres/users"] == {"xata/users", "id_mapping/users"}
        assert found["postgres/user_teams"] == {
            "xata/user_teams",
            "id_mapping/user_teams",
            "id_mapping/users",
            "postgres/users",
        }
        # mappings go round the cycle, tables do not
        assert found["postgres/a"] == {"xata/a", "id_mapping/a", "id_mapping/b"}
        assert found["postgres/b"] == {"xata/b", "id_mapping/b", "id_mapping/c"}
        assert found["postgres/c"] == {
            "xata/c",
            "id_mapping/c",
            "id_mapping/a",
            "id_mapping/user_teams",
            "postgres/user_teams",
        }

    def test_groups_and_kinds(self):
        by_stage = {}
        for name, spec in specs_of(definitions_of()).items():
            by_stage.setdefault(name.partition("/")[0], set()).add((spec.group_name, frozenset(spec.kinds)))
        assert by_stage == {
            "xata_export": {("xata", frozenset({"xata"}))},
            "xata": {("xata", frozenset({"xata", "postgres"}))},
            "id_mapping": {("id_mapping", frozenset({"postgres"}))},
            "postgres": {("postgres", frozenset({"postgres", "table"}))},
            "migration_report": {("report", frozenset({"report"}))},
        }

    def test_jobs(self):
        definitions = definitions_of()
        names = ("users", "user_teams", "a", "b", "c")
        stages = ("xata", "id_mapping", "postgres", "checks")
        nodes = {
            job.name: set(definitions.resolve_job_def(job.name).graph.node_dict)
            for job in definitions.resolve_all_job_defs()
            if not job.name.startswith("__")
        }
        ends = {"xata_export", "migration_report"}
        assert nodes == {
            "migrate": ends | {f"{stage}__{name}" for stage in stages for name in names},
            "migrate_users": ends | {f"{stage}__{name}" for stage in stages for name in names[:2]},
            "check": {"migration_report"} | {f"checks__{name}" for name in names},
            "report": {"migration_report"},
            "clean": {"drop_staged_rows"},
        }

    def test_the_domain_of_a_table_is_a_tag(self):
        specs = specs_of(definitions_of())
        assert {specs[f"postgres/{name}"].tags["domain"] for name in ("users", "user_teams")} == {"users"}
        assert specs["xata/a"].tags["domain"] == "a"

    def test_the_report_follows_every_table(self):
        """Directly those that no other table follows, and through them all: fewer lines to look at."""
        found = edges(definitions_of())
        assert found["migration_report"] == {"postgres/a", "postgres/b", "postgres/c"}
        ahead, seen = ["migration_report"], set()
        while ahead:
            name = ahead.pop()
            seen.add(name)
            ahead.extend(found[name] - seen)
        assert seen == set(found)

    def test_names_that_dagster_would_take_for_one_or_for_none(self):
        """With `preserve` a key may hold what the names of Dagster's inputs and outputs may not."""
        schema = XataSchema(
            (
                table("a-b"),
                table("a_b"),
                table("a~b", column("x")),
                table("k", link("p", "a-b"), link("q", "a_b"), link("r", "a~b")),
            )
        )
        definitions = definitions_of(schema, naming="preserve")
        definitions.resolve_job_def("migrate")
        graph = definitions.resolve_asset_graph()
        parents = {key.to_user_string() for key in graph.get(dg.AssetKey(["postgres", "k"])).parent_keys}
        assert {f"{stage}/{name}" for stage in ("postgres", "id_mapping") for name in ("a-b", "a_b", "a~b")} < parents
        assert len(graph.asset_check_keys) == 29
