"""A user's own assets that depend on migrated tables, materialized by Dagster."""

import dagster as dg
import pandas as pd

from xata_pg_assets import PostgresTables
from xata_pg_assets.assets.graph import build_definitions
from xata_pg_assets_tests.fix_export import Export


@dg.asset(
    ins={
        "users": dg.AssetIn(key=["postgres", "users"], input_manager_key="tables"),
        "teams": dg.AssetIn(
            key=["postgres", "user_teams"], input_manager_key="tables", metadata={"columns": ["owner_id", "label"]}
        ),
    }
)
def team_owners(users: pd.DataFrame, teams: pd.DataFrame) -> pd.DataFrame:
    assert teams.columns.tolist() == ["owner_id", "label"]
    return teams.merge(users, left_on="owner_id", right_on="id")[["label", "email"]]


def kept(result: dg.ExecuteInProcessResult) -> list[dict[str, str]]:
    return result.output_for_node("team_owners").to_dict("records")


def test_an_asset_of_another_code_location_gets_frames(shapes: Export, instance, monkeypatch):
    """Its location knows the tables by their keys, as assets that are made elsewhere."""
    assert shapes.migrate().red == {}
    monkeypatch.setenv("APP_URL", shapes.database.url)
    result = dg.materialize(
        [team_owners, dg.AssetSpec(["postgres", "users"]), dg.AssetSpec(["postgres", "user_teams"])],
        instance=instance,
        resources={"tables": PostgresTables(target=dg.EnvVar("APP_URL"))},
    )
    assert kept(result) == [{"label": "all", "email": "b@x"}]


def test_an_asset_beside_the_migration_follows_its_tables(shapes: Export, instance):
    """In one graph it runs after the tables, in the run that makes them."""
    definitions = dg.Definitions.merge(
        build_definitions(shapes.migration()),
        dg.Definitions(
            assets=[team_owners],
            jobs=[dg.define_asset_job("all_of_it", selection=dg.AssetSelection.all())],
            resources={"tables": PostgresTables(target=shapes.database.url)},
        ),
    )
    result = definitions.resolve_job_def("all_of_it").execute_in_process(instance=instance)
    assert kept(result) == [{"label": "all", "email": "b@x"}]


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    return str(failure.step_failure_data)


def test_a_table_that_is_not_there_is_named(shapes: Export, instance):
    @dg.asset(ins={"rows": dg.AssetIn(key=["postgres", "nobody"], input_manager_key="tables")})
    def lost(rows: pd.DataFrame) -> None: ...

    assets = [lost, dg.AssetSpec(["postgres", "nobody"])]
    tables = {"tables": PostgresTables(target=shapes.database.url)}
    result = dg.materialize(assets, instance=instance, raise_on_error=False, resources=tables)
    assert "table nobody: not in schema public of " in failure_of(result)


def test_it_writes_nothing(shapes: Export, instance):
    @dg.asset(io_manager_key="tables")
    def frame() -> pd.DataFrame:
        return pd.DataFrame()

    tables = {"tables": PostgresTables(target=shapes.database.url)}
    result = dg.materialize([frame], instance=instance, raise_on_error=False, resources=tables)
    assert "asset frame: PostgresTables only reads" in failure_of(result)
