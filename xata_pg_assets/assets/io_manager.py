"""Migrated tables as inputs of a user's own Dagster assets."""

from typing import Any

import dagster as dg
import pandas as pd

from xata_pg_assets.errors import XataPgError
from xata_pg_assets.notebook import read_table

__all__ = ["PostgresTables"]


class PostgresTables(dg.ConfigurableIOManager):
    """Hands `postgres/<table>` to an asset as a pandas frame; it reads, and writes nothing.

    `target` is a PostgreSQL URL, best a `dg.EnvVar`; without it, variables and xata_pg.toml name the database, as
    for xata-pg. The metadata of an input may name its `columns`.
    """

    target: str | None = None

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """Read the table that the input's asset key ends in."""
        columns = (context.definition_metadata or {}).get("columns")
        try:
            return read_table(context.asset_key.path[-1], self.target, columns=columns)
        except XataPgError as error:
            raise dg.Failure(str(error), allow_retries=False) from error

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        """Refuse: what an asset makes is for an IO manager of its own to keep.

        Raises:
            dagster.Failure: always.
        """
        del obj
        raise dg.Failure(
            f"asset {context.asset_key.to_user_string()}: PostgresTables only reads; "
            "set it as the input_manager_key of an input, not as an io_manager_key",
            allow_retries=False,
        )
