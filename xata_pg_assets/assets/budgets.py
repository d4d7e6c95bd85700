"""Budgets are of the whole migration: what a later table overran turns red on the tables checked before it, too."""

from __future__ import annotations

import dagster as dg

from xata_pg_assets.assets.shown import check_facts
from xata_pg_assets.assets.specs import postgres_key
from xata_pg_assets.migration import Migration

__all__ = ["judge_budgets_again"]


def judge_budgets_again(migration: Migration, instance: dg.DagsterInstance) -> None:
    """Run those checks again that passed while a budget still held, and record how they end now."""
    for table, result in migration.judge_budgets_again():
        evaluation = dg.AssetCheckEvaluation(**check_facts(postgres_key(table), result))
        instance.report_runless_asset_event(evaluation)
