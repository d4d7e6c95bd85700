"""What each asset tells of itself before it was ever made."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import dagster as dg
import pytest

from xata_pg_assets.xata.schema import XataSchema
from xata_pg_assets_tests.fix_export import column
from xata_pg_assets_tests.test_assets.conftest import SHAPES, definitions_of, specs_of


@pytest.fixture(scope="module")
def specs():
    return specs_of(definitions_of(keep_old_id="true"))


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("xata/user_teams", "xata_staging.user-teams"),
        ("id_mapping/user_teams", "xata_migration.user_teams_id_mapping"),
        ("postgres/user_teams", "public.user_teams"),
    ],
)
def test_table_names(specs, key, name):
    assert specs[key].metadata["dagster/table_name"] == name


def facts(spec: dg.AssetSpec) -> list[tuple[str, str, bool, bool, list[str]]]:
    columns = spec.metadata["dagster/column_schema"].columns
    return [
        (each.name, each.type, each.constraints.nullable, each.constraints.unique, each.constraints.other)
        for each in columns
    ]


def test_columns_of_a_table_with_their_constraints(specs):
    assert facts(specs["postgres/users"]) == [
        ("id", "bigint", False, True, ["primary key"]),
        ("email", "text", True, True, []),
        ("name", "text", False, False, []),
        ("boss_id", "bigint", True, False, ["references users, on delete set null"]),
        ("xata_version", "bigint", True, False, []),
        ("xata_createdat", "timestamptz", True, False, []),
        ("xata_updatedat", "timestamptz", True, False, []),
        ("xata_id", "text", True, True, []),
    ]
    assert facts(specs["postgres/user_teams"])[1:4] == [
        ("label", "text", True, False, ["default none"]),
        ("owner_id", "bigint", True, False, ["references users, on delete set null"]),
        ("country_id", "text", True, False, []),
    ]


def test_columns_of_a_mapping(specs):
    assert facts(specs["id_mapping/a"]) == [
        ("old_id", "text", False, False, ["primary key"]),
        ("new_id", "bigint", False, True, []),
    ]


def test_lineage_of_columns(specs):
    deps = specs["postgres/user_teams"].metadata["dagster/column_lineage"].deps_by_column
    told = {
        name: {(dep.asset_key.to_user_string(), dep.column_name) for dep in deps[name]}
        for name in ("id", "label", "owner_id", "country_id", "xata_createdat")
    }
    assert told == {
        "id": {("xata/user_teams", "id"), ("id_mapping/user_teams", "new_id")},
        "label": {("xata/user_teams", "label")},
        "owner_id": {("xata/user_teams", "owner"), ("id_mapping/users", "new_id")},
        "country_id": {("xata/user_teams", "country")},
        "xata_createdat": {("xata/user_teams", "xata.createdAt")},
    }


def test_lineage_names_columns_that_exist(specs):
    for name, spec in specs.items():
        if not name.startswith("postgres/"):
            continue
        own = {each[0] for each in facts(spec)}
        lineage = spec.metadata["dagster/column_lineage"].deps_by_column
        assert set(lineage) == own
        for dep in (dep for deps in lineage.values() for dep in deps):
            there = specs[dep.asset_key.to_user_string()].metadata["dagster/column_schema"].columns
            assert dep.column_name in {column.name for column in there}


def test_descriptions_name_keys_and_cycles(specs):
    assert "`owner_id` → `users`" in specs["postgres/user_teams"].description
    assert "circle with `b`, `c`" in specs["postgres/a"].description
    assert "`xata_staging.user-teams`" in specs["xata/user_teams"].description


def versions(schema: XataSchema) -> dict[str, str | None]:
    return {name: spec.code_version for name, spec in specs_of(definitions_of(schema)).items()}


def test_the_code_version_changes_for_the_table_whose_schema_changed_alone():
    users = SHAPES.tables[0]
    changed = replace(
        SHAPES, tables=(replace(users, columns=(*users.columns, column("age", "int"))), *SHAPES.tables[1:])
    )
    before, after = versions(SHAPES), versions(changed)
    assert {name for name in before if before[name] != after[name]} == {"xata/users", "postgres/users"}


def test_the_code_version_is_the_same_in_every_process():
    """Python orders sets by a seed of each process."""
    line = (
        "from xata_pg_assets_tests.test_assets.test_specs import SHAPES, versions\n"
        "print(sorted(versions(SHAPES).items()))"
    )
    told = {
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", line],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in ("1", "3")
    }
    assert len(told) == 1
